"""What the app remembers from one time to the next: a small JSON file. Losing it loses nothing of worth."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from tui_batch.paths import for_owner_only

FILE = "app.json"
RECENT = 20
"""Files remembered."""
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a person arranged."""

    theme: str = ""
    folder: str = ""
    """Where a file was last chosen or written."""
    recent: tuple[str, ...] = ()
    """Files used last, the newest first."""
    sort: Mapping[str, str] = field(default_factory=dict)
    """List to column; a leading `-`: falling."""
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """List to the ids of the columns that are shown, in order."""
    panes: Mapping[str, int] = field(default_factory=dict)
    """Pane to size, in the unit of the place that has it."""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(word) for word in _listed(value))


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("is not a list")
    return value


def _mapped(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("is not a mapping")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("is not text")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise ValueError("is not a whole number")
    return value


_READ: Mapping[str, Callable[[Any], Any]] = {
    "theme": _text,
    "folder": _text,
    "recent": _texts,
    "sort": lambda value: {name: _text(word) for name, word in _mapped(value).items()},
    "columns": lambda value: {name: _texts(words) for name, words in _mapped(value).items()},
    "panes": lambda value: {name: _whole(size) for name, size in _mapped(value).items()},
}


def parse(text: str) -> Remembered:
    """From the file's text; unknown fields of another version are left out. Raises ValueError in words."""
    data = _mapped(json.loads(text))
    found = {}
    for name in (one.name for one in fields(Remembered) if one.name in data):
        try:
            found[name] = _READ[name](data[name])
        except ValueError as error:
            raise ValueError(f"{name} {error}") from None
    return Remembered(**found)


def load(path: Path) -> tuple[Remembered, str]:
    """What the file says, and what is wrong with it, in words, in which case nothing is remembered. Blocks."""
    try:
        with path.open("rb") as file:
            return parse(file.read(_MOST_BYTES).decode("utf-8")), ""
    except FileNotFoundError:
        return Remembered(), ""
    except (OSError, ValueError, RecursionError) as error:
        return Remembered(), f"{path}: what was remembered cannot be read: {error}"


def store(path: Path, value: Remembered) -> None:
    """Writes the file: whole, or not at all. Raises OSError. Blocks."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(part, "x", encoding="utf-8", opener=for_owner_only) as file:  # it names a person's files
            json.dump(asdict(value), file, indent=1)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


class Prefs:
    """What is remembered now, and the file it is kept in."""

    def __init__(self, path: Path, note: Callable[[str, str], None]) -> None:
        """`note` gets a level and a line for the log when the file cannot be read or written."""
        self._path = path
        self._note = note
        self._lock = asyncio.Lock()
        self._dirty = False
        self.value = Remembered()

    async def load(self) -> None:
        """Reads the file; a broken one is told in the log and not used."""
        self.value, trouble = await asyncio.to_thread(load, self._path)
        if trouble:
            self._note("warning", trouble)

    def change(self, **changes: Any) -> None:
        """Remembers; `save` writes it."""
        new = replace(self.value, **changes)
        self._dirty = self._dirty or new != self.value
        self.value = new

    def set_sort(self, of: str, column: str) -> None:
        """Remembers how a list is sorted."""
        self.change(sort={**self.value.sort, of: column})

    def set_columns(self, of: str, columns: tuple[str, ...]) -> None:
        """Remembers which columns a list shows."""
        self.change(columns={**self.value.columns, of: columns})

    def set_pane(self, name: str, size: int) -> None:
        """Remembers how large a pane is."""
        self.change(panes={**self.value.panes, name: size})

    def used(self, file: str) -> None:
        """Remembers a file and its folder."""
        recent = (file, *(one for one in self.value.recent if one != file))[:RECENT]
        self.change(recent=recent, folder=os.path.dirname(file) or self.value.folder)

    async def save(self) -> None:
        """Writes what changed; does nothing when nothing did. One write at a time."""
        async with self._lock:
            if not self._dirty:
                return
            self._dirty = False
            try:
                await asyncio.to_thread(store, self._path, self.value)
            except OSError as error:
                self._note("warning", f"{self._path}: cannot be written: {error.strerror or error}")
