"""Opening an input and reading its rows. Everything here blocks: call it from a worker thread."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, BinaryIO, Self

import orjson

from tui_batch.domain.job import InputSource
from tui_batch.errors import InputError, UserError
from tui_batch.inputs.byte_source import STDIN, ByteSource, open_bytes
from tui_batch.inputs.detection import detect_open
from tui_batch.inputs.readers.registry import REGISTRY, InputFormat
from tui_batch.inputs.rows import Read, Reject

_NOTED_REJECTS = 3


class Rows:
    """An open input, to be iterated once. Closes itself at the end of a `with`.

    Iterating yields NewRow and Reject in file order and raises UserError where reading cannot go on; the rows before
    that have been yielded by then.
    """

    def __init__(self, source: InputSource, file: ByteSource) -> None:
        self.source = source
        """As asked for, with the format that was found."""
        self._file = file
        self._rows = _guarded(REGISTRY[InputFormat(source.format)].read(file, source), file.name)

    def __iter__(self) -> Iterator[Read]:
        return self._rows

    @property
    def progress(self) -> float | None:
        """Part of the file taken in so far, from 0 to 1; None for standard input."""
        size = self._file.size
        if size is None:
            return None
        return min(1.0, self._file.consumed / size) if size else 1.0

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_input(source: InputSource, stdin: BinaryIO | None = None) -> Rows:
    """Opens an input. An empty `source.format` is found from the file name and the first bytes.

    `stdin` stands in for standard input. Raises UserError when it cannot be opened or its format is not known.
    """
    format_ = _named_format(source)
    file = open_bytes(source.path, stdin)
    try:
        if format_ is None:
            format_ = detect_open(file, source.path)
        return Rows(replace(source, format=format_.value), file)
    except BaseException:
        file.close()
        raise


def open_rows(source: InputSource, stdin: BinaryIO | None = None) -> Iterator[Read]:
    """The rows of an input, opened at the first and closed after the last. Raises as `open_input` and Rows do."""
    with open_input(source, stdin) as rows:
        yield from rows


@dataclass(frozen=True, slots=True)
class Preview:
    """What the beginning of an input looks like."""

    format: str
    """A name of InputFormat, or of an input that is no file."""
    columns: tuple[str, ...]
    """In order of appearance in the rows seen."""
    rows: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]
    """Rejected rows among the first, and whatever stopped the reading, in words for a person."""


def preview(source: InputSource, n: int = 10) -> Preview:
    """The first `n` rows of a file. Raises UserError when there is nothing to show but an error."""
    if source.path == STDIN:
        raise UserError("standard input can be read only once", remedy="Save it to a file to look at it first.")
    with open_input(source) as opened:
        return preview_of(opened, opened.source.format, n)


def preview_of(opened: Iterable[Read], format_: str, n: int) -> Preview:
    """The first `n` rows of an input that is open. Raises UserError when there is nothing to show but an error."""
    rows: list[Mapping[str, Any]] = []
    rejects: list[Reject] = []
    notes: list[str] = []
    try:
        for read in itertools.islice(opened, n):
            if isinstance(read, Reject):
                rejects.append(read)
            else:
                rows.append(orjson.loads(read.data))
    except InputError as error:
        if not rows:
            raise
        notes.append(str(error))
    notes[:0] = _about_rejects(rejects)
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    return Preview(format_, columns, tuple(rows), tuple(notes))


def _about_rejects(rejects: list[Reject]) -> list[str]:
    notes = [f"line {reject.line} is rejected: {reject.reason}" for reject in rejects[:_NOTED_REJECTS]]
    more = len(rejects) - _NOTED_REJECTS
    return [*notes, f"{more} more of the first rows are rejected"] if more > 0 else notes


def _named_format(source: InputSource) -> InputFormat | None:
    if not source.format:
        return None
    try:
        return InputFormat(source.format)
    except ValueError:
        raise UserError(
            f"{source.format!r} is not an input format", remedy=f"Use one of: {', '.join(InputFormat)}."
        ) from None


def _guarded(rows: Iterator[Read], name: str) -> Iterator[Read]:
    """The same rows; what the system reports while reading becomes an InputError."""
    try:
        yield from rows
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            name,
            f"cannot be read any further: {error}",
            remedy="See that the file is whole: copy or download it again.",
        ) from None
