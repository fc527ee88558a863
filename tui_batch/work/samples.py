"""`sample:NAME`: a sample job that ships with the program, wherever it is installed."""

from __future__ import annotations

from tui_batch import paths
from tui_batch.errors import UserError

PREFIX = "sample:"
_SUFFIXES = (".yaml", ".txt")
"""Job files, and prompts to be run as they are."""


def sample_names() -> list[str]:
    """The sample jobs there are: files without their ending, job files before plain prompts of the same name."""
    folder = paths.shipped("sample_jobs")
    return sorted({path.stem for path in folder.iterdir() if path.suffix in _SUFFIXES}) if folder.is_dir() else []


def resolved(given: str) -> str:
    """An INPUT as a path: `sample:NAME` is the shipped file, anything else is itself. Raises UserError."""
    if not given.startswith(PREFIX):
        return given
    name = given.removeprefix(PREFIX)
    if name not in sample_names():
        raise UserError(f"there is no sample job {name!r}", remedy=f"The sample jobs: {', '.join(sample_names())}")
    found = (paths.shipped("sample_jobs") / f"{name}{suffix}" for suffix in _SUFFIXES)
    return str(next(path for path in found if path.is_file()))
