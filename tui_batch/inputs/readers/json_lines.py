"""JSON Lines: an object or a string a line; and the two request formats that are JSON Lines inside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson

from tui_batch.domain.job import InputSource
from tui_batch.inputs.byte_source import ByteSource, overlong
from tui_batch.inputs.readers.text import PROMPT
from tui_batch.inputs.request_rows import why_not_batch, why_not_body
from tui_batch.inputs.rows import Read, Reject, RowFactory, clean

_LITERALS = (b"NaN", b"Infinity")


def read(source: ByteSource, config: InputSource) -> Iterator[Read]:
    """Objects become rows; a string becomes the column `prompt`."""
    make = RowFactory(config).make
    for number, line, value in _values(source):
        if type(value) is dict:
            yield make(number, value)
        elif type(value) is str:
            yield make(number, {PROMPT: value})
        elif type(value) is Reject:
            yield value
        else:
            yield Reject(number, "is not a JSON object; write columns as {...}", clean(line))


def read_batch(source: ByteSource, config: InputSource) -> Iterator[Read]:
    """Lines of an OpenAI Batch file (OpenAI API reference, Batch: the request input object)."""
    make = RowFactory(config).make
    for number, line, value in _values(source):
        if type(value) is Reject:
            yield value
        elif reason := why_not_batch(value):
            yield Reject(number, reason, clean(line))
        else:
            yield make(number, value)


def read_bodies(source: ByteSource, config: InputSource) -> Iterator[Read]:
    """A bare request body a line. Its fields are the provider's, so none of them is an identifier or a priority."""
    make = RowFactory(replace(config, custom_id_column="", priority_column="")).make
    for number, line, value in _values(source):
        if type(value) is Reject:
            yield value
        elif reason := why_not_body(value):
            yield Reject(number, reason, clean(line))
        else:
            yield make(number, value)


def _values(source: ByteSource) -> Iterator[tuple[int, bytes, Any]]:
    """Line number, line and its value, or in place of the value the reject that it is."""
    loads = orjson.loads
    for number, line in source.lines():
        try:
            value = loads(line)
        except orjson.JSONDecodeError as error:
            if line.isspace():
                continue
            value = Reject(number, _why(line, error), clean(line))
        yield number, line, value


def _why(line: bytes, error: orjson.JSONDecodeError) -> str:
    if overlong(line):
        return "is longer than 64 MB"
    try:
        line.decode()
    except UnicodeDecodeError as bad:
        return f"is not valid UTF-8 (byte 0x{line[bad.start]:02x})"
    if any(word in line for word in _LITERALS):
        return "is not valid JSON: NaN and Infinity are not JSON numbers; write null"
    return f"is not valid JSON: {error.msg} at column {error.colno}"
