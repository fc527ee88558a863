"""Text to the clipboard: by the system's own tool, through tmux, and by the terminal (OSC 52), whichever there is.

OSC 52 alone is not enough: many terminals refuse it, and tmux swallows it unless it is told otherwise.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence

WAIT_S = 2.0
"""How long a tool may take; one that waits for a display that is not there is left alone."""


def tools(environment: Mapping[str, str], platform: str, find: Callable[[str], str | None]) -> list[list[str]]:
    """Commands that take a text from standard input to the clipboard, the best first."""
    candidates: list[tuple[bool, list[str]]] = [
        (platform == "darwin", ["pbcopy"]),
        (platform == "win32", ["clip"]),
        (bool(environment.get("WAYLAND_DISPLAY")), ["wl-copy"]),
        (bool(environment.get("DISPLAY")), ["xclip", "-selection", "clipboard"]),
        (bool(environment.get("DISPLAY")), ["xsel", "--clipboard", "--input"]),
        (bool(environment.get("TMUX")), ["tmux", "load-buffer", "-w", "-"]),
    ]
    return [command for usable, command in candidates if usable and find(command[0]) is not None]


async def copy(text: str, by_terminal: Callable[[str], None]) -> str:
    """Copies the text and says by what. `by_terminal` sends OSC 52, where no tool did it."""
    for command in tools(os.environ, sys.platform, shutil.which):
        if await _fed(command, text):
            return command[0]
    by_terminal(text)
    return "the terminal"


async def _fed(command: Sequence[str], text: str) -> bool:
    """Runs a tool with the text as its input and says whether it ended well in time."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return False
    # The one of Windows takes other bytes for letters of an old code page.
    encoding = "utf-16-le" if command[0] == "clip" else "utf-8"
    try:
        await asyncio.wait_for(process.communicate(text.encode(encoding, "replace")), WAIT_S)
    except (TimeoutError, OSError):
        if process.returncode is None:
            process.kill()
            await process.wait()
        return False
    return process.returncode == 0
