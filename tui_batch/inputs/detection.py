"""Which format an input has: by its file name first, by its first bytes where the name leaves it open."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

import orjson

from tui_batch.errors import InputError
from tui_batch.inputs.byte_source import ByteSource
from tui_batch.inputs.readers.delimited import delimiter_of
from tui_batch.inputs.readers.registry import InputFormat, format_by_suffix
from tui_batch.inputs.request_rows import looks_like_batch, looks_like_body

_HEAD = 64 * 1024
_FIRST_LINE = 16 * 1024 * 1024
_SAMPLE_LINES = 20
_LONGEST_NAME = 64
_JOB_SUFFIXES = (".yaml", ".yml")
_FOREIGN = {
    ".xlsx": "Save the sheet as CSV (UTF-8).",
    ".xls": "Save the sheet as CSV (UTF-8).",
    ".ods": "Save the sheet as CSV (UTF-8).",
    ".zip": "Unpack it, or compress the file with gzip.",
    ".zst": "Unpack it, or compress the file with gzip.",
    ".bz2": "Unpack it, or compress the file with gzip.",
    ".xz": "Unpack it, or compress the file with gzip.",
    ".arrow": "Save it as Parquet.",
    ".feather": "Save it as Parquet.",
}


def is_job_file(path: str) -> bool:
    """Whether a path names a job file (.yaml, .yml) and not data."""
    return PurePath(path).suffix.lower() in _JOB_SUFFIXES


def detect_open(source: ByteSource, path: str) -> InputFormat:
    """The format of an open input of which nothing was read yet. Raises InputError for formats not supported."""
    suffix = data_suffix(path)
    if suffix in _FOREIGN:
        raise InputError(source.name, f"{suffix} files cannot be read", remedy=_FOREIGN[suffix])
    if is_job_file(path):
        raise InputError(source.name, "is a job file, not data", remedy="Name it where a job file is expected.")
    named = format_by_suffix(suffix)
    if named is InputFormat.JSONL:
        return _json_lines(source)
    if named is InputFormat.JSON:
        return _json(source)
    return _sniff(source) if named is None else named


def data_suffix(path: str) -> str:
    """The file name ending that tells the format, in lower case: `.csv` of `rows.CSV.gz`."""
    name = PurePath(path)
    return PurePath(name.stem).suffix.lower() if name.suffix.lower() == ".gz" else name.suffix.lower()


def _json_lines(source: ByteSource) -> InputFormat:
    """Plain JSON Lines, or one of the two request formats inside of it."""
    values = list(_sample(source.peek(_FIRST_LINE, newlines=1)))  # and whatever came along with the first line
    if values and looks_like_batch(values[0]):
        return InputFormat.BATCH
    if values and all(looks_like_body(value) for value in values):
        return InputFormat.BODIES
    return InputFormat.JSONL


def _json(source: ByteSource) -> InputFormat:
    """A .json file: a list, or JSON Lines under a wrong name (at least two lines that each hold an object)."""
    head = source.peek(_HEAD)
    if not head.lstrip().startswith(b"{"):
        return InputFormat.JSON
    values = list(_sample(head))
    several = len(values) > 1 and all(isinstance(value, dict) for value in values)
    return _json_lines(source) if several else InputFormat.JSON


def _sniff(source: ByteSource) -> InputFormat:
    """By content alone. Text is the answer when nothing else is certain: it takes every line as it is."""
    head = source.peek(_HEAD, newlines=1)
    if not head.lstrip().startswith(b"{"):  # one line of JSON Lines is enough: a slow pipe is not kept waiting
        head = source.peek(_HEAD, newlines=_SAMPLE_LINES)
    start = head.lstrip()
    if start.startswith(b"{"):
        return _json_lines(source)
    if head.startswith(b"PAR1"):
        return InputFormat.PARQUET
    if head.startswith(b"PK\x03\x04"):
        raise InputError(source.name, "is a zip archive or spreadsheet", remedy="Save the sheet as CSV (UTF-8).")
    if start.startswith(b"[") and start[1:].lstrip()[:1] in (b"{", b'"', b"]"):
        return InputFormat.JSON
    return _table(head) or InputFormat.TXT


def _table(head: bytes) -> InputFormat | None:
    """CSV or TSV, when there is a header of plain names and every complete row after it has as many fields."""
    lines = head.decode("utf-8", "replace").splitlines(keepends=True)
    delimiter = delimiter_of(lines[0].encode()) if lines else ","
    try:
        rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
    except csv.Error:
        return None
    if len(rows) < 2:
        return None
    header = [cell.strip() for cell in rows[0]]
    names = all(cell and len(cell) <= _LONGEST_NAME and len(cell.split()) <= 3 for cell in header)
    whole = rows if head.endswith(b"\n") else rows[:-1]  # the last row may be cut
    if len(header) < 2 or not names or len(set(header)) < len(header) or any(len(r) != len(header) for r in whole):
        return None
    return InputFormat.TSV if delimiter == "\t" else InputFormat.CSV


def _sample(head: bytes) -> Iterator[Any]:
    """Values of the first lines that are JSON."""
    for line in head.split(b"\n", _SAMPLE_LINES)[:_SAMPLE_LINES]:
        try:
            yield orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
