"""CSV and TSV with a header line (RFC 4180 quoting; a semicolon or tab is recognised from the header)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from functools import partial

from tui_batch.domain.job import InputSource
from tui_batch.errors import InputError
from tui_batch.inputs.byte_source import MAX_LINE, ByteSource
from tui_batch.inputs.rows import Read, Reject, RowFactory, clean

_AT_END = "unexpected end of data"  # the csv module's words for a quote that is still open at the end
_QUOTED = re.compile(rb'"[^"]*"')


def read_csv(source: ByteSource, config: InputSource) -> Iterator[Read]:
    """Comma-separated; where the header has no comma, semicolons or tabs."""
    header = source.peek(MAX_LINE, newlines=1).split(b"\n", 1)[0]
    return _read(source, config, delimiter_of(header))


def read_tsv(source: ByteSource, config: InputSource) -> Iterator[Read]:
    """Tab-separated, quoted like CSV."""
    return _read(source, config, "\t")


def delimiter_of(header: bytes) -> str:
    """The delimiter a header line uses outside of quotes."""
    header = _QUOTED.sub(b"", header)
    for delimiter in (b",", b";", b"\t"):
        if delimiter in header:
            return delimiter.decode()
    return ","


def _read(source: ByteSource, config: InputSource, delimiter: str) -> Iterator[Read]:
    # Invalid bytes become lone surrogates, which the row's JSON refuses: a check of every row that costs nothing.
    text = io.TextIOWrapper(source.file, encoding="utf-8", errors="surrogateescape", newline="")
    if csv.field_size_limit() < MAX_LINE:
        csv.field_size_limit(MAX_LINE)
    lines = _Lines(text)
    rows = csv.reader(iter(lines), delimiter=delimiter, strict=True)
    header = _header(rows, source.name)
    if not header:
        return
    make = RowFactory(config).make
    width = len(header)
    line = rows.line_num + 1
    while True:
        lines.saw_nul = False
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            if str(error) == _AT_END:
                raise _never_closed(source.name, line) from None
            yield Reject(line, f"is not valid CSV: {error}", clean(lines.last))
        else:
            if len(cells) == width:
                row = make(line, dict(zip(header, cells, strict=True)))
                if lines.saw_nul:
                    row = _without_nul(row, lines)
                yield row
            elif cells:
                yield Reject(line, f"has {len(cells)} fields where the header has {width}", _joined(cells, delimiter))
        line = rows.line_num + 1


class _Lines:
    """Lines for the csv reader, the last of them kept for messages."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.last = ""
        self.saw_nul = False

    def __iter__(self) -> Iterator[str]:
        for line in iter(partial(self._text.readline, MAX_LINE), ""):
            self.last = line
            if "\0" in line:
                self.saw_nul = True
            yield line


def _without_nul(row: Read, lines: _Lines) -> Read:
    """The reject for a row whose lines hold NUL characters: a damaged file, or UTF-16 without its mark."""
    if isinstance(row, Reject):
        return row
    return Reject(row.line, "holds NUL characters", clean(lines.last))


def _header(rows: Iterator[list[str]], name: str) -> list[str]:
    """The column names; none for an empty file. Raises InputError for names that cannot be told apart."""
    try:
        cells = next((cells for cells in rows if cells), [])
    except csv.Error as error:
        raise InputError(name, f"the header is not valid CSV: {error}", line=1) from None
    header = [cell.strip() for cell in cells]
    text = "".join(header)
    if "\0" in text:
        raise InputError(name, "the header holds NUL characters", line=1, remedy="Save the file as UTF-8.")
    try:
        text.encode()
    except UnicodeEncodeError:
        remedy = "Convert it, for example: iconv -f windows-1252 -t utf-8 OLD.csv > NEW.csv"
        raise InputError(name, "the header is not valid UTF-8", line=1, remedy=remedy) from None
    seen: set[str] = set()
    for position, column in enumerate(header, 1):
        if not column:
            remedy = "Give every column a name. From pandas: to_csv(index=False)."
            raise InputError(name, f"column {position} of the header has no name", line=1, remedy=remedy)
        if column in seen:
            raise InputError(name, "the header names this column twice", line=1, field=column, remedy="Rename one.")
        seen.add(column)
    return header


def _never_closed(name: str, line: int) -> InputError:
    return InputError(
        name,
        "a quoted field that opens in this row is never closed, so the rest of the file cannot be read",
        line=line,
        remedy='Close the quote, or double a quote that is part of the text ("").',
    )


def _joined(cells: list[str], delimiter: str) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="").writerow(cells)
    return clean(out.getvalue())
