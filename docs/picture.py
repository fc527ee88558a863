"""Draws docs/run.svg from the real program: `python docs/picture.py` (not on Windows).

Runs the sample job against the simulator in a pseudo-terminal, and keeps the screen as it was at two thirds.
"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS = 96
WORDS = ("run", "sample:support_tickets", "--simulate", "-c", "40", "--simulate-faults", "500=0.03")
REDRAWN = re.compile(r"\r(?:\x1b\[1A|\x1b\[2K)+")
"""What the live display writes before it draws itself anew."""
HIDDEN = re.compile(r"\x1b\[\?25[lh]")
"""Cursor off and on."""
WEB_FONT = re.compile(r"@font-face \{.*?\}", re.DOTALL)
"""A picture loads nothing from anywhere; the reader's own fixed-width font will do."""


def recorded(folder: str) -> str:
    """Everything that a run writes to a terminal."""
    primary, secondary = pty.openpty()
    places = dict.fromkeys(("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"), folder)
    environment = os.environ | places | {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    command = [sys.executable, "-m", "tui_batch", *WORDS]
    process = subprocess.Popen(command, stdin=secondary, stdout=secondary, stderr=secondary, env=environment)
    os.close(secondary)
    parts = []
    while part := _read(primary):
        parts.append(part)
    process.wait()
    return HIDDEN.sub("", b"".join(parts).decode()).replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux says so when the other side has closed
        return b""


def screen(output: str) -> str:
    """The words before the live display, and the display at two thirds of the run."""
    first, *frames = REDRAWN.split(output)
    words = [line for line in first.splitlines() if "━" not in line and "tokens" not in line]
    return "\n".join([*words, frames[len(frames) * 2 // 3].rstrip()])


def main() -> None:
    """Writes the picture."""
    with tempfile.TemporaryDirectory() as folder:
        shown = screen(recorded(folder))
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text.assemble(("$ ", "dim"), "llmbatch-tui " + " ".join(WORDS)))
    console.print(Text.from_ansi(shown))
    target = Path(__file__).with_name("run.svg")
    drawn = console.export_svg(title="llmbatch-tui")
    target.write_text(WEB_FONT.sub("", drawn), encoding="utf-8")
    print(f"{target} is drawn")


if __name__ == "__main__":
    main()
