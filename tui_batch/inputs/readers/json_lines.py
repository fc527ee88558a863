"""JSON Lines: an object or a string a line; and the two request formats that are JSON Lines inside."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import orjson

from tui_batch.domain.job import InputSource
from tui_batch.inputs.byte_source import ByteSource, overlong
from tui_batch.inputs.readers.text import PROMPT
from tui_batch.inputs.request_rows import why_not_batch, why_not_body
from tui_batch.inputs.rows import TOO_LARGE, Read, Reject, RowFactory, clean

_BEYOND = 2.0**63
_FEWEST_DIGITS, _ENOUGH_DIGITS = 18, 24
"""Characters of a number that may be beyond 64 bits, and of one that is; Python refuses to read thousands."""
_DEEPEST = 255
"""Levels that a row may have and be written: what is nested deeper is no row, whatever its numbers are."""
_LITERALS = (b"NaN", b"Infinity")


def read(source: ByteSource, config: InputSource) -> Iterator[Read]:
    """Objects become rows; a string becomes the column `prompt`."""
    make = RowFactory(config).make
    for number, line, value in _values(source):
        if type(value) is dict:
            yield _told(make(number, value), line)
        elif type(value) is str:
            yield _told(make(number, {PROMPT: value}), line)
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
            yield _told(make(number, value), line)


def read_bodies(source: ByteSource, config: InputSource) -> Iterator[Read]:
    """A bare request body a line. Its fields are the provider's, so none of them is an identifier or a priority."""
    make = RowFactory(replace(config, custom_id_column="", priority_column="")).make
    for number, line, value in _values(source):
        if type(value) is Reject:
            yield value
        elif reason := why_not_body(value):
            yield Reject(number, reason, clean(line))
        else:
            yield _told(make(number, value), line)


def _told(made: Read, line: bytes) -> Read:
    """What was made of a line; a reject shows the line as it stands."""
    return Reject(made.line, made.reason, clean(line)) if type(made) is Reject else made


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
        if type(value) is dict and _holds_large(value.values()) and _was_whole(line):
            value = Reject(number, TOO_LARGE, clean(line))
        yield number, line, value


def _holds_large(values: Iterable[Any], levels: int = _DEEPEST) -> bool:
    """Whether there is a number that may have been a whole one beyond 64 bits: orjson keeps its first digits alone."""
    for value in values:
        kind = type(value)
        if kind is str:
            continue
        if kind is float:
            if not -_BEYOND < value < _BEYOND:
                return True
        elif (kind is dict or kind is list) and levels:
            within = value.values() if kind is dict else value
            if _holds_large(within, levels - 1):
                return True
    return False


def _was_whole(line: bytes) -> bool:
    """Whether a whole number beyond 64 bits stands in a line."""
    found: list[str] = []
    json.loads(line, parse_int=lambda digits: found.append(digits) if len(digits) > _FEWEST_DIGITS else None)
    return any(not -(2**63) <= int(digits[:_ENOUGH_DIGITS]) < 2**64 for digits in found)


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
