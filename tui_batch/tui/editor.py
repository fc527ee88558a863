"""A text in the person's own editor, while the app stands back."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

from tui_batch.errors import UserError

USUAL = ("nano", "vim", "vi")
"""Looked for when neither VISUAL nor EDITOR is set."""


def editor_command(environment: Mapping[str, str], platform: str, find: Callable[[str], str | None]) -> list[str]:
    """The editor with its options. Raises UserError when there is none, or when it is named in no command."""
    for name in ("VISUAL", "EDITOR"):
        if words := environment.get(name, "").strip():
            return _split(name, words, platform)
    for usual in ("notepad",) if platform == "win32" else USUAL:
        if find(usual) is not None:
            return [usual]
    raise UserError("no editor was found", remedy="Set EDITOR to the command of yours.")


def _split(name: str, words: str, platform: str) -> list[str]:
    try:
        if platform == "win32":  # where a backslash is part of a path; quotes stay around it, and are no part of it
            return [word.strip('"') for word in shlex.split(words, posix=False)]
        return shlex.split(words)
    except ValueError as error:  # a quote that is not closed
        raise UserError(f"{name} cannot be read: {error}", remedy=f"It is: {words}") from None


async def edit_text(app: App[Any], text: str, suffix: str = ".txt") -> str | None:
    """Opens the text in the editor and returns what was saved; None: it was left as it was.

    Meanwhile the terminal is the editor's: the app draws nothing, while the engine goes on. Raises UserError when the
    editor cannot be started or fails, or when its file cannot be written or is gone.
    """
    command = editor_command(os.environ, sys.platform, shutil.which)
    try:
        path = await asyncio.to_thread(_write, text, suffix)
    except OSError as error:
        raise UserError(f"the text cannot be written for the editor: {error.strerror}") from error
    try:
        await _suspended(app, [*command, str(path)])
        edited = await asyncio.to_thread(_read, path, command[0])
    finally:
        with suppress(OSError):
            path.unlink()
    return None if edited.rstrip("\n") == text.rstrip("\n") else edited


def _write(text: str, suffix: str) -> Path:
    """A file that only its owner can read."""
    handle, name = tempfile.mkstemp(prefix="llmbatch-tui-", suffix=suffix)
    with os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="") as file:
        file.write(text)
    return Path(name)


def _read(path: Path, editor: str) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"{editor} left no file behind: {error.strerror}; nothing was changed") from error


async def _suspended(app: App[Any], command: list[str]) -> None:
    try:
        # A batch that is open draws nothing: a suspended driver has no one who would take the output.
        with app.batch_update(), app.suspend():
            code = (await asyncio.to_thread(subprocess.run, command, check=False)).returncode
    except SuspendNotSupported as error:
        raise UserError("this terminal cannot be given to an editor", remedy="Copy the text instead: y.") from error
    except OSError as error:
        raise UserError(f"{command[0]} cannot be started: {error.strerror}", remedy="Set EDITOR to another.") from error
    if code:
        raise UserError(f"{command[0]} ended with code {code}; nothing was changed")
