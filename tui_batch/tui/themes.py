"""Colour themes from YAML files: checked wholly before the app gets them, as Textual finds a bad colour only later."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from textual.color import Color, ColorParseError
from textual.theme import BUILTIN_THEMES, Theme

from tui_batch.errors import InputError, UserError
from tui_batch.inputs.yaml_document import Document, load

DEFAULT = "night"
SIXTEEN = "terminal"
"""What is worn where a terminal has no more than sixteen colours: of mixed ones several look the same there."""
ROLES = (
    "primary",
    "secondary",
    "accent",
    "foreground",
    "background",
    "surface",
    "panel",
    "success",
    "warning",
    "error",
)
"""The ten colours, as docs/themes.md describes them."""
_FIELDS = frozenset({"name", "dark", "variables", *ROLES})
_ANSI = "ansi_"
_ONE_STYLE = r"(?:not )?(?:bold|b|dim|italic|i|reverse|underline|u|strike)"
_TEXT_STYLE = re.compile(rf"none|{_ONE_STYLE}(?: {_ONE_STYLE})*")
_TEXT_COLOUR = re.compile("text|color|foreground")
"""In the names of variables that are colours of text."""
_MOST_FILES = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True)
class Themes:
    """What was found in the folders of themes."""

    loaded: tuple[Theme, ...] = ()
    failed: tuple[str, ...] = ()
    """A line for each file that was skipped: file, line, field, reason, and what to do."""

    @property
    def names(self) -> tuple[str, ...]:
        """In order of loading."""
        return tuple(theme.name for theme in self.loaded)


def usual(colours: str | None) -> str:
    """The theme of somebody who chose none, by how many colours the terminal has in rich's words."""
    return DEFAULT if colours in ("256", "truecolor") else SIXTEEN


def load_themes(folders: Iterable[Path], names: Collection[str] | None = None) -> Themes:
    """The themes in the folders; a later one of the same name wins. What is broken is skipped and told. Blocks.

    `names`: only these; None: all of them.
    """
    found: dict[str, Theme] = {}
    failed: list[str] = []
    for file in _files(folders):
        if names is not None and file.stem not in names:
            continue
        try:
            theme = read_theme(file)
            found[theme.name] = theme
        except UserError as error:
            failed.append(f"{error.message}. {error.remedy}" if error.remedy else error.message)
    return Themes(tuple(found.values()), tuple(failed))


def fingerprint(folders: Iterable[Path]) -> frozenset[tuple[str, int, int]]:
    """Changes when any theme's file does. Blocks."""
    marks = set()
    for file in _files(folders):
        try:
            found = file.stat()
        except OSError:
            continue
        marks.add((str(file), found.st_mtime_ns, found.st_size))
    return frozenset(marks)


def _files(folders: Iterable[Path]) -> list[Path]:
    files: list[Path] = []
    for folder in folders:
        try:
            own = sorted(file for file in folder.iterdir() if file.suffix in (".yaml", ".yml"))
        except OSError:
            continue
        files += own[:_MOST_FILES]
    return files


def read_theme(file: Path) -> Theme:
    """The theme of a file. Raises InputError naming file, line and field. Blocks."""
    document = load(file)
    values = document.value
    if not isinstance(values, Mapping):
        raise document.error((), "is not a theme", "A theme is fields with values, such as: primary: teal")
    for name in values:
        if name not in _FIELDS:
            raise document.error((name,), "is no field of a theme", f"The fields: {', '.join(sorted(_FIELDS))}")
    colours = {role: _colour(document, (role,), values.get(role)) for role in ROLES}
    native = all(colour.startswith(_ANSI) for colour in colours.values())
    dark = _dark(document)
    return Theme(
        name=_name(document, file),
        dark=dark,
        ansi=native,
        variables={**(_native_variables(dark=dark) if native else {}), **_variables(document)},
        primary=colours["primary"],
        secondary=colours["secondary"],
        accent=colours["accent"],
        foreground=colours["foreground"],
        background=colours["background"],
        surface=colours["surface"],
        panel=colours["panel"],
        success=colours["success"],
        warning=colours["warning"],
        error=colours["error"],
    )


def _native_variables(*, dark: bool) -> dict[str, str]:
    """What a theme in the terminal's own colours must have besides: Textual makes these only for its own two."""
    return dict(BUILTIN_THEMES["ansi-dark" if dark else "ansi-light"].variables)


def _name(document: Document, file: Path) -> str:
    name = document.value.get("name", file.stem)
    if name != file.stem:
        raise document.error(("name",), f"must be the file's name: {file.stem}")
    if not _NAME.fullmatch(name):
        raise document.error(("name",), "may have letters, digits, - and _ only, at most 40")
    return str(name)


def _dark(document: Document) -> bool:
    dark = document.value.get("dark", True)
    if not isinstance(dark, bool):
        raise document.error(("dark",), "must be true or false")
    return dark


def _colour(document: Document, where: tuple[str, ...], value: Any) -> str:
    if value is None:
        hint = 'A "#rrggbb" needs quotes: # begins a comment.' if where[-1] in document.value else ""
        raise document.error(where, "is missing", hint)
    if not isinstance(value, str) or not _is_colour(value):
        remedy = 'Write "#rrggbb" in quotes, a CSS name such as teal, or a terminal colour such as ansi_blue.'
        raise document.error(where, f"{value!r} is no colour", remedy)
    return value


def _is_colour(text: str) -> bool:
    try:
        colour = Color.parse(text)
    except ColorParseError:
        return False
    return colour.auto is False and text.strip() == text


def _variables(document: Document) -> dict[str, str]:
    given = document.value.get("variables")
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise document.error(("variables",), "must be a mapping of names to values")
    found = {}
    for name, value in given.items():
        where = ("variables", name)
        if name not in known_variables():
            raise _unknown(document, name)
        if not isinstance(value, str) or not _is_value(name, value):
            kind = "text style such as bold" if _is_style(name) else "colour"
            raise document.error(where, f"{value!r} is no {kind}")
        found[name] = value
    return found


def _unknown(document: Document, name: str) -> InputError:
    near = difflib.get_close_matches(name, known_variables(), 1)
    return document.error(("variables", name), "is no style variable", f"Did you mean {near[0]}?" if near else "")


def _is_style(name: str) -> bool:
    return name.endswith(("text-style", "link-style", "link-style-hover"))


def _is_value(name: str, value: str) -> bool:
    """Whether Textual can use a value for a variable: a style, or a colour with or without a share in percent.

    One that it cannot use ends the app, and that when the theme is put on, or when a dialog is opened.
    """
    if _is_style(name):
        return _TEXT_STYLE.fullmatch(" ".join(value.split())) is not None
    colour, _, share = value.partition(" ")
    if share and (name in ROLES or not re.fullmatch(r"\d{1,2}%|100%", share) or not _can_be_mixed(name, value)):
        return False
    if colour == "auto":  # what can be read on whatever it stands on
        return bool(share) and _TEXT_COLOUR.search(name) is not None
    return _is_colour(colour)


def _can_be_mixed(name: str, value: str) -> bool:
    """Whether Textual can make the variables that it mixes from this one."""
    try:
        Theme("tried", primary="#000000", variables={name: value}).to_color_system().generate()
    except ColorParseError:
        return False
    return True


@cache
def known_variables() -> frozenset[str]:
    """The names that Textual makes from a theme, for either kind of colours, and that a theme may set itself."""
    plain = Theme("plain", primary="#000000").to_color_system().generate()
    native = Theme("native", primary="ansi_blue", background="ansi_default", ansi=True).to_color_system().generate()
    return frozenset({*plain, *native})


def luminance(colour: Color) -> float:
    """Relative luminance, from 0 for black to 1 for white: WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    parts = [part / 255 for part in colour.rgb]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Color, other: Color) -> float:
    """Contrast ratio, from 1 to 21: WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
