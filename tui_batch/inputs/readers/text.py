"""Plain text: one prompt a line."""

from __future__ import annotations

from collections.abc import Iterator

from tui_batch.domain.job import InputSource
from tui_batch.inputs.byte_source import ByteSource, overlong
from tui_batch.inputs.rows import Read, Reject, RowFactory, clean

PROMPT = "prompt"
"""The column that plain text becomes."""


def read(source: ByteSource, config: InputSource) -> Iterator[Read]:
    """Every line that is not blank is the column `prompt`, without its line end. Lines with a NUL are rejected."""
    make = RowFactory(config).make
    for number, line in source.lines():
        if line.isspace():
            continue
        if b"\0" in line or overlong(line):
            reason = "is longer than 64 MB" if overlong(line) else "holds NUL characters: this is not plain text"
            yield Reject(number, reason, clean(line))
            continue
        try:
            yield make(number, {PROMPT: line.rstrip(b"\r\n").decode()})
        except UnicodeDecodeError as error:
            yield Reject(number, f"is not valid UTF-8 (byte 0x{line[error.start]:02x})", clean(line))
