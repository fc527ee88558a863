"""The registry of result formats: what each is called, which names announce it, and what writes it.

A new format is one member of ResultFormat and one entry in FORMATS: the command line and the app go by them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

from tui_batch.report.writers import DelimitedWriter, JsonLinesWriter, JsonWriter, ResultWriter

Maker = Callable[[BinaryIO, Sequence[str]], ResultWriter]
"""Makes a writer onto a stream; the columns matter to tables only."""


class ResultFormat(StrEnum):
    """How results are written."""

    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"
    JSON = "json"
    PARQUET = "parquet"
    BATCH = "batch"
    """OpenAI Batch output, JSON Lines."""


@dataclass(frozen=True, slots=True)
class Format:
    """A result format."""

    words: str
    """What a person calls it."""
    endings: tuple[str, ...]
    """Of file names that announce it, the usual one first."""
    make: Maker
    is_table: bool = False
    """All columns must be known before the first line is written."""
    may_be_gz: bool = True
    """It may be compressed whole, as `.gz`."""

    @property
    def ending(self) -> str:
        """The usual ending."""
        return self.endings[0]


def _parquet(stream: BinaryIO, columns: Sequence[str]) -> ResultWriter:
    from tui_batch.report.parquet import ParquetWriter

    return ParquetWriter(stream, columns)


FORMATS: Mapping[ResultFormat, Format] = {
    ResultFormat.JSONL: Format("JSON Lines", (".jsonl", ".ndjson"), lambda stream, _: JsonLinesWriter(stream)),
    ResultFormat.CSV: Format("CSV", (".csv",), DelimitedWriter, is_table=True),
    ResultFormat.TSV: Format(
        "TSV", (".tsv",), lambda stream, columns: DelimitedWriter(stream, columns, "\t"), is_table=True
    ),
    ResultFormat.JSON: Format("JSON", (".json",), lambda stream, _: JsonWriter(stream)),
    ResultFormat.PARQUET: Format("Parquet", (".parquet",), _parquet, is_table=True, may_be_gz=False),
    ResultFormat.BATCH: Format(
        "OpenAI Batch output", (".batch.jsonl", ".batch.ndjson"), lambda stream, _: JsonLinesWriter(stream)
    ),
}


def endings() -> str:
    """The usual ending of each, as help lists them: `.jsonl .csv (also .gz) .parquet`."""
    packed = " ".join(known.ending for known in FORMATS.values() if known.may_be_gz)
    alone = " ".join(known.ending for known in FORMATS.values() if not known.may_be_gz)
    return f"{packed} (also .gz) {alone}".rstrip()


def format_of(name: str) -> tuple[ResultFormat, str] | None:
    """The format that a file name (without `.gz`) announces, and its ending; the longest ending wins. None: none."""
    low = name.lower()
    found = [(ending, form) for form, known in FORMATS.items() for ending in known.endings if low.endswith(ending)]
    if not found:
        return None
    ending, form = max(found, key=lambda one: len(one[0]))
    return form, ending
