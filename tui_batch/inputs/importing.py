"""Pieces of an import that need no event loop: batches, and the file of rejected rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import FileIO
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from tui_batch.domain.item import NewRow
from tui_batch.errors import UserError
from tui_batch.inputs.rows import Read, Reject


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of an input, in order, and the bad ones that lay among them."""

    rows: tuple[NewRow, ...]
    rejects: tuple[Reject, ...]


def batches(rows: Iterable[Read], size: int = 2000) -> Iterator[Batch]:
    """Rows by `size` (rejects counted in), the last batch smaller. What `rows` raises comes after all before it.

    A batch that was begun when reading failed is given out first, so that no good row is lost to a later error.
    """
    iterator = iter(rows)
    while True:
        taken: list[Read] = []
        try:
            taken.extend(islice(iterator, size))
        except UserError:
            if taken:
                yield _split(taken)
            raise
        if not taken:
            return
        yield _split(taken)


def _split(taken: list[Read]) -> Batch:
    rows = tuple(read for read in taken if type(read) is NewRow)
    if len(rows) == len(taken):
        return Batch(rows, ())
    return Batch(rows, tuple(read for read in taken if type(read) is Reject))


def rejects_path(output: Path) -> Path:
    """Where the rejects of a job go: beside its output or database, `answers.jsonl` -> `answers.rejects.jsonl`."""
    return output.with_name(f"{output.stem}.rejects.jsonl")


def _write_all(file: FileIO, data: bytes) -> None:
    """An unbuffered file may take less than it is given."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


class RejectsFile:
    """JSON Lines of `{line, reason, text}`. The first reject creates the file, in place of an older one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        """Rejects written so far."""
        self._file: FileIO | None = None
        """Without a buffer: one that a full disk did not take would be tried again as the file is closed."""

    def write(self, rejects: Iterable[Reject]) -> None:
        """Appends rejects. Raises UserError when the file cannot be written."""
        for reject in rejects:
            self._write(reject)

    def _write(self, reject: Reject) -> None:
        record = {"line": reject.line, "reason": reject.reason, "text": reject.text}
        try:
            if self._file is None:
                self._file = self.path.open("wb", buffering=0)
            _write_all(self._file, orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            raise UserError(
                f"{self.path}: rejected rows cannot be written: {error.strerror}",
                remedy="They go beside the results: make room there, or name another place with -o.",
            ) from None
        self.count += 1

    def close(self) -> None:
        """Closes the file, if there is one."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
