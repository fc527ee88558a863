"""Writers of result files: lines in, bytes out, a batch at a time. They block: call them from a worker thread."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import BinaryIO, Protocol

import orjson

from tui_batch.domain.request import Json
from tui_batch.report.cells import cell, harmless

Line = Mapping[str, Json]


class ResultWriter(Protocol):
    """Writes lines in order."""

    def write(self, lines: Iterable[Line]) -> None:
        """Appends lines."""
        ...

    def finish(self) -> None:
        """Writes what ends the file. The stream stays open."""
        ...

    def abandon(self) -> None:
        """Lets go of the stream without having finished; what was written is thrown away."""
        ...


class JsonLinesWriter:
    """One JSON object a line."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, lines: Iterable[Line]) -> None:
        """Appends lines."""
        self._stream.write(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))

    def finish(self) -> None:
        """Nothing ends a JSON Lines file."""

    def abandon(self) -> None:
        """It holds nothing."""


class JsonWriter:
    """One JSON list, an object a line, so that it can be streamed and read by eye."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lead = b"[\n"

    def write(self, lines: Iterable[Line]) -> None:
        """Appends lines."""
        for line in lines:
            self._stream.write(self._lead + orjson.dumps(line))
            self._lead = b",\n"

    def finish(self) -> None:
        """Closes the list."""
        self._stream.write(b"[]\n" if self._lead == b"[\n" else b"\n]\n")

    def abandon(self) -> None:
        """It holds nothing."""


class DelimitedWriter:
    """CSV (RFC 4180) or TSV in UTF-8, with the same columns in every line; a row that lacks one has an empty cell."""

    def __init__(self, stream: BinaryIO, columns: Sequence[str], delimiter: str = ",") -> None:
        self._stream = stream
        self._columns = columns
        self._delimiter = delimiter
        self._put([[harmless(column) for column in columns]])

    def write(self, lines: Iterable[Line]) -> None:
        """Appends lines."""
        self._put([cell(line.get(column)) for column in self._columns] for line in lines)

    def finish(self) -> None:
        """Nothing ends a table."""

    def abandon(self) -> None:
        """It holds nothing."""

    def _put(self, rows: Iterable[Sequence[str]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self._delimiter, lineterminator="\r\n").writerows(rows)
        self._stream.write(text.getvalue().encode())
