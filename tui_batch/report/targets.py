"""Where results go: a file whose name says its format, or standard output."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from tui_batch.errors import UserError
from tui_batch.paths import expanded
from tui_batch.report.formats import FORMATS, ResultFormat, format_of


@dataclass(frozen=True, slots=True)
class Target:
    """A place to write results to."""

    path: Path | None
    """None: standard output."""
    format: ResultFormat
    gzip: bool = False

    def __str__(self) -> str:
        return "standard output" if self.path is None else str(self.path)

    @property
    def word(self) -> str:
        """As `-o` takes it."""
        return "-" if self.path is None else str(self.path)

    @property
    def is_stdout(self) -> bool:
        """Whether results go to standard output."""
        return self.path is None


def parse_target(text: str, wanted: ResultFormat | None = None) -> Target:
    """Reads `-` or a file name such as `out.csv`, `out.jsonl.gz` or `out.batch.jsonl`.

    `wanted` is a format that was named; None: the file's ending says it. Raises UserError for an unknown ending.
    """
    if text == "-":
        return Target(None, wanted or ResultFormat.JSONL)
    path = expanded(text)
    compressed = path.suffix.lower() == ".gz"
    found = wanted or _by_name(path.with_suffix("") if compressed else path)
    if found is None or (compressed and not FORMATS[found].may_be_gz):
        packed = ", ".join(known.ending for known in FORMATS.values() if known.may_be_gz)
        alone = " or ".join(known.ending for known in FORMATS.values() if not known.may_be_gz)
        raise UserError(
            f"{text}: the name does not say in which format to write",
            remedy=f"End it in {packed} (each also with .gz) or {alone}.",
        )
    return Target(path, found, compressed)


def _by_name(path: Path) -> ResultFormat | None:
    """The format that a file name without `.gz` announces. Devices take JSON lines."""
    if not path.suffix and _is_device(path):
        return ResultFormat.JSONL
    found = format_of(path.name)
    return None if found is None else found[0]


def check_target(target: Target, source: str = "-") -> None:
    """Says early what would fail at the end. Raises UserError when it cannot be written or is the input itself."""
    path = target.path
    if path is None or _is_device(path):
        return
    check_place(path)
    if source != "-" and os.path.exists(path) and os.path.exists(source) and path.samefile(source):
        raise UserError(f"{path} is the input itself", remedy="Choose another file for the results.")


def check_place(path: Path) -> None:
    """Raises UserError when no file of that name can be written."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode = 0
    except OSError as error:  # a directory that is closed to this person, a name too long
        raise UserError(f"{path}: {error.strerror}", remedy="Choose another place.") from None
    if stat.S_ISDIR(mode):
        raise UserError(f"{path} is a directory", remedy="Name a file in it.")
    if not path.parent.is_dir():
        raise UserError(f"{path}: there is no directory {path.parent}", remedy=f"Make it first: mkdir -p {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise UserError(f"{path}: the directory {path.parent} cannot be written", remedy="Choose another place.")


def _is_device(path: Path) -> bool:
    """Whether it is something that exists but is no file, such as /dev/null or a pipe."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def is_replaceable(path: Path) -> bool:
    """Whether a finished file may take its place; devices and pipes are written as they are."""
    return not _is_device(path)
