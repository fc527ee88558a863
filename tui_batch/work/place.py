"""The files a process works with, and commands to paste that mean the same ones."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "llmbatch-tui"


@dataclass(frozen=True, slots=True)
class Where:
    """The database and settings of this command."""

    db: Path
    settings: Path | None = None
    """As named by an option; None: the usual place, which need not exist."""
    options: tuple[str, ...] = ()
    """What must be added to a command so that it means the same files."""

    def command(self, *words: str) -> str:
        """A command to paste, quoted for this platform's shell."""
        line = [*started_as(), *words, *self.options]
        return subprocess.list2cmdline(line) if sys.platform == "win32" else shlex.join(line)


def started_as() -> tuple[str, ...]:
    """How to start the program again from this folder: by its name where that is found, else by its path."""
    if shutil.which(PROGRAM) is not None:
        return (PROGRAM,)
    script = Path(sys.executable).with_name(PROGRAM + (".exe" if sys.platform == "win32" else ""))
    if not script.is_file():
        return (sys.executable, "-m", "tui_batch")
    return (str(script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script),)
