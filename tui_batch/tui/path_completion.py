"""A path that completes as it is typed; the right arrow takes what is offered."""

from __future__ import annotations

import asyncio
import os

from textual.suggester import Suggester

_MOST = 5_000
"""Entries of a folder that are looked at."""


def completed(typed: str) -> str | None:
    """The first entry that a half-typed path may mean, folders first and with a separator. Blocks."""
    shown, start = os.path.split(typed)
    if not start:
        return None
    found: list[tuple[bool, str]] = []
    try:
        with os.scandir(os.path.expanduser(shown) or ".") as entries:
            for _, entry in zip(range(_MOST), entries, strict=False):
                if entry.name.startswith(start):
                    found.append((not entry.is_dir(), entry.name))
    except (OSError, ValueError):
        return None
    if not found:
        return None
    is_file, name = min(found)
    return os.path.join(shown, name) + ("" if is_file else os.sep)


class PathSuggester(Suggester):
    """For a Textual Input."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """Looks into the folder, off the event loop."""
        return await asyncio.to_thread(completed, value)
