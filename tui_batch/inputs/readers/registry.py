"""The formats that can be read. A new one is a module beside this one and an entry here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tui_batch.domain.job import InputSource
from tui_batch.inputs.byte_source import ByteSource
from tui_batch.inputs.readers import delimited, json_lines, json_list, parquet, text
from tui_batch.inputs.rows import Read


class InputFormat(StrEnum):
    """Formats by the name that InputSource.format, job files and the command line use."""

    TXT = "txt"
    JSONL = "jsonl"
    JSON = "json"
    CSV = "csv"
    TSV = "tsv"
    PARQUET = "parquet"
    BATCH = "batch"
    """OpenAI Batch lines."""
    BODIES = "bodies"
    """A bare request body a line."""


Reader = Callable[[ByteSource, InputSource], Iterator[Read]]
"""Reads an open input to its end. Raises UserError only."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A format's reader and the file name endings that announce it."""

    read: Reader
    suffixes: tuple[str, ...] = ()


REGISTRY: Mapping[InputFormat, Entry] = {
    InputFormat.TXT: Entry(text.read, (".txt", ".text", ".prompts")),
    InputFormat.JSONL: Entry(json_lines.read, (".jsonl", ".ndjson")),
    InputFormat.JSON: Entry(json_list.read, (".json",)),
    InputFormat.CSV: Entry(delimited.read_csv, (".csv",)),
    InputFormat.TSV: Entry(delimited.read_tsv, (".tsv", ".tab")),
    InputFormat.PARQUET: Entry(parquet.read, (".parquet", ".pq")),
    InputFormat.BATCH: Entry(json_lines.read_batch),
    InputFormat.BODIES: Entry(json_lines.read_bodies),
}


def format_by_suffix(suffix: str) -> InputFormat | None:
    """The format that a file name ending such as `.csv` announces."""
    return next((format_ for format_, entry in REGISTRY.items() if suffix in entry.suffixes), None)
