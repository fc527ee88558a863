"""A person's own keys: a YAML file of action ids and keys, checked against the registry before any of it is used."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from textual.keys import Keys

from tui_batch.inputs.yaml_document import Document, load
from tui_batch.tui.actions import REGISTRY, TURNS, Action, by_id

PLACES = frozenset({"app", "job", "jobs", "items", "errors", "endpoints", "gpu", "log"})
"""Contexts of the six places and what is around them; any other is a screen of its own, which covers them."""
MOVING = frozenset({*"jkgG", "up", "down", "home", "end", "pageup", "pagedown", "tab", "shift+tab", "escape"})
"""What lists and dialogs are moved in and left by, whatever else is bound."""
_MODIFIERS = frozenset({"ctrl", "shift", "alt", "super", "hyper", "meta"})
_PUNCTUATION: Mapping[str, str] = {
    "!": "exclamation_mark",
    '"': "quotation_mark",
    "#": "number_sign",
    "$": "dollar_sign",
    "%": "percent_sign",
    "&": "ampersand",
    "'": "apostrophe",
    "(": "left_parenthesis",
    ")": "right_parenthesis",
    "*": "asterisk",
    "+": "plus",
    ",": "comma",
    "-": "minus",
    ".": "full_stop",
    "/": "slash",
    ":": "colon",
    ";": "semicolon",
    "<": "less_than_sign",
    "=": "equals_sign",
    ">": "greater_than_sign",
    "?": "question_mark",
    "@": "at",
    "[": "left_square_bracket",
    "\\": "backslash",
    "]": "right_square_bracket",
    "^": "circumflex_accent",
    "_": "underscore",
    "`": "grave_accent",
    "{": "left_curly_bracket",
    "|": "vertical_line",
    "}": "right_curly_bracket",
    "~": "tilde",
    " ": "space",
}
"""Characters and what Textual calls their keys (its _character_to_key; the Unicode names)."""
_NAMED = frozenset(key.value for key in Keys if not key.value.startswith("<")) | frozenset(_PUNCTUATION.values())


@dataclass(frozen=True, slots=True)
class Keymap:
    """Own keys by action id, as Textual takes them: names, separated by commas."""

    keys: Mapping[str, str]


USUAL = Keymap({})


def load_keymap(path: Path) -> Keymap:
    """Reads the file; there need not be one. Raises InputError naming file, line and field. Blocks."""
    if not os.path.isfile(path):
        return USUAL
    document = load(path)
    if document.value is None:
        return USUAL
    if not isinstance(document.value, Mapping):
        raise document.error((), "is not a keymap", "A keymap is action ids with keys, such as: job.pause: ctrl+x")
    found = {name: _keys(document, name, value) for name, value in document.value.items()}
    _check_clashes(document, found)
    return Keymap({name: ",".join(keys) for name, keys in found.items()})


def _keys(document: Document, name: str, value: object) -> tuple[str, ...]:
    if by_id(name) is None:
        near = difflib.get_close_matches(name, [action.id for action in REGISTRY], 1)
        raise document.error(
            (name,), "is no action", f"Did you mean {near[0]}?" if near else "The actions: docs/keymap.md"
        )
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise document.error((name,), "must be a key, or several with commas between them")
    keys = []
    for part in str(value).split(","):
        key = key_name(part)
        if key is None:
            remedy = "For example: x, X, f5, ctrl+x, space, enter, slash, ?, plus"
            raise document.error((name,), f"{part.strip()!r} is no key", remedy)
        if key in MOVING:
            raise document.error((name,), f"{key} moves in lists and leaves dialogs", "Choose another key.")
        keys.append(key)
    return tuple(keys)


def key_name(text: str) -> str | None:
    """A key as Textual calls it, from how a person writes it; None: there is no such key."""
    *before, last = text.strip().rsplit("+", 1) if text.strip() != "+" else ["+"]
    held = before[0].lower().split("+") if before else []
    if not set(held) <= _MODIFIERS or len(set(held)) != len(held):
        return None
    if len(last) == 1:
        last = _PUNCTUATION.get(last, last)
        if len(last) == 1 and not last.isalnum():
            return None
    elif (last := last.lower()) not in _NAMED:
        return None
    return "+".join((*held, last))


def _check_clashes(document: Document, own: Mapping[str, tuple[str, ...]]) -> None:
    """Two actions that can both be meant must not share a key. An action of the person's is told with its line."""
    for name, keys in own.items():
        action = by_id(name)
        assert action is not None
        for other in REGISTRY:
            if other.id == name or not _meet(action, other):
                continue
            taken = own.get(other.id) or keys_of(other)
            if both := set(keys) & set(taken):
                remedy = f"Give {other.id} another key as well, or choose another for {name}."
                raise document.error((name,), f"{min(both)} is the key of {other.id} ({other.help})", remedy)


def _meet(one: Action, other: Action) -> bool:
    """Whether a key of both would be in doubt. A place's own key goes before a verb over jobs: that is no doubt."""
    if {one.id, other.id} in TURNS:
        return False
    contexts = {one.context, other.context}
    return len(contexts) == 1 or ("app" in contexts and contexts <= PLACES)


def keys_of(action: Action) -> tuple[str, ...]:
    """An action's usual keys, as Textual calls them."""
    return tuple(key_name(key) or key for key in action.keys.split(","))


def keymap_page() -> str:
    """The table of docs/keymap.md: every action with its keys and its command."""
    lines = ["| id | keys | what it does | command |", "|---|---|---|---|"]
    for action in REGISTRY:
        keys = ", ".join(f"`{key}`" for key in action.keys.split(","))
        command = f"`{action.command}`" if action.command else ""
        lines.append(f"| `{action.id}` | {keys} | {action.help} | {command} |")
    return "\n".join(lines)


def write_page(path: Path) -> None:
    """Replaces the table at the end of docs/keymap.md by that of the registry."""
    text = path.read_text(encoding="utf-8")
    before, _, _ = text.partition("| id |")
    path.write_text(before + keymap_page() + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_page(Path(sys.argv[1]))
