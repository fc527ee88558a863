"""Files to choose from: what a half-typed path may mean, and what is recent. Pure but for reading directories."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice

from tui_batch.domain.job import Job
from tui_batch.inputs.detection import data_suffix, is_job_file
from tui_batch.inputs.readers.registry import format_by_suffix
from tui_batch.paths import working_folder

MOST_ENTRIES = 1_000
"""Entries of a directory that are listed at most."""
RECENT = 8


class Kind(Enum):
    """What an entry of a list is."""

    FOLDER = auto()
    DATA = auto()
    JOB_FILE = auto()


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder that can be chosen."""

    text: str
    """What stands in the field once it is chosen; a folder ends in a separator."""
    name: str
    """What the list shows."""
    kind: Kind
    size: int = 0
    """Bytes; 0 for a folder."""


def matching(typed: str, kinds: frozenset[Kind]) -> tuple[Entry, ...]:
    """The entries that a half-typed path may mean, folders first. Blocks; what cannot be read is empty."""
    folder, start = os.path.split(os.path.expanduser(typed))
    shown, _ = os.path.split(typed)
    found: list[Entry] = []
    try:
        with os.scandir(folder or ".") as entries:
            for entry in entries:
                if not _begins(entry.name, start):
                    continue
                if (made := _entry(entry, shown)) is not None and made.kind in kinds:
                    found.append(made)
                if len(found) >= MOST_ENTRIES:
                    break
    except OSError:
        return ()
    return tuple(sorted(found, key=lambda entry: (entry.kind is not Kind.FOLDER, entry.name.lower())))


def _begins(name: str, start: str) -> bool:
    """Hidden ones only when a dot was typed; upper and lower case are alike."""
    if name.startswith(".") and not start.startswith("."):
        return False
    return name.lower().startswith(start.lower())


def _entry(entry: os.DirEntry[str], shown: str) -> Entry | None:
    text = os.path.join(shown, entry.name)
    try:
        if entry.is_dir():
            return Entry(text + os.sep, entry.name + os.sep, Kind.FOLDER)
        kind = kind_of(entry.name)
        return None if kind is None else Entry(text, entry.name, kind, entry.stat().st_size)
    except OSError:
        return None


def kind_of(name: str) -> Kind | None:
    """What a file's name announces; None: nothing that can be read here."""
    if is_job_file(name):
        return Kind.JOB_FILE
    return Kind.DATA if format_by_suffix(data_suffix(name)) is not None else None


def recent_files(jobs: Iterable[Job]) -> tuple[Entry, ...]:
    """The inputs of the latest jobs that are still there, the newest first. Blocks."""
    paths = dict.fromkeys(job.spec.source.path for job in sorted(jobs, key=lambda job: -job.id))
    found = (_recent(path) for path in paths if os.path.isabs(path))
    return tuple(islice(filter(None, found), RECENT))


def _recent(path: str) -> Entry | None:
    """None: it is no file any more, or cannot be reached."""
    try:
        about = os.stat(path)
    except (OSError, ValueError):
        return None
    return Entry(path, path, Kind.DATA, about.st_size) if stat.S_ISREG(about.st_mode) else None


def first_folder(recent: Iterable[Entry]) -> str:
    """Where browsing begins: beside the latest input, else where the program was started."""
    latest = next((entry for entry in recent), None)
    folder = os.path.dirname(latest.text) if latest is not None else str(working_folder())
    return os.path.join(folder, "")
