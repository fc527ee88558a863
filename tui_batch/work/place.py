"""The files a process works with, and commands to paste that mean the same ones."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tui_batch.errors import UserError

PROGRAM = "llmbatch-tui"
_COMMAND = re.compile(rf"(?<![\w/.-]){PROGRAM} (?=[a-z])")
"""Where the program is named in front of a verb."""


@dataclass(frozen=True, slots=True)
class Where:
    """The database and settings of this command."""

    db: Path
    settings: Path | None = None
    """As named by an option; None: the usual place, which need not exist."""
    options: tuple[str, ...] = ()
    """What must be added to a command so that it means the same files."""

    def command(self, *words: str) -> str:
        """A command to paste, quoted for this platform's shell.

        The options stand before the verb: there every verb takes them, behind it some do not.
        """
        line = [*started_as(), *self.options, *words]
        return subprocess.list2cmdline(line) if sys.platform == "win32" else shlex.join(line)

    def pasteable(self, words: str) -> str:
        """Words in which commands stand, as `llmbatch-tui VERB ...`, with these as they are to be pasted here."""
        return _COMMAND.sub(lambda _: self.command() + " ", words)

    @contextmanager
    def remedies(self) -> Iterator[None]:
        """Within the block, commands in the remedies of errors mean these files."""
        try:
            yield
        except UserError as error:
            error.remedy = self.pasteable(error.remedy)
            raise


def started_as() -> tuple[str, ...]:
    """How to start the program again from this folder: by its name where that is found, else by its path."""
    if shutil.which(PROGRAM) is not None:
        return (PROGRAM,)
    script = Path(sys.executable).with_name(PROGRAM + (".exe" if sys.platform == "win32" else ""))
    if not script.is_file():
        return (sys.executable, "-m", "tui_batch")
    return (str(script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script),)
