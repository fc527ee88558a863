"""A JSON file that holds one list, read an element at a time: memory is bounded by the largest element."""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Iterator
from math import isfinite
from typing import Any, NoReturn

from tui_batch.domain.job import InputSource
from tui_batch.errors import InputError
from tui_batch.inputs.byte_source import MAX_LINE, ByteSource
from tui_batch.inputs.readers.text import PROMPT
from tui_batch.inputs.rows import Read, Reject, RowFactory, shown

_CHUNK = 256 * 1024
_SPACE = re.compile(r"[ \t\r\n]*")
_LONGEST_LITERAL = len("-Infinity")


_LONGEST_INT = 24
"""Digits of a whole number that is made one: with 21 it is beyond 64 bits, and Python refuses to read thousands."""


class _Unwritable:
    """Stands for a number that no row can hold, so that only its element is lost."""

    def __init__(self, shown: str, why: str) -> None:
        self.shown = shown
        self.why = why

    def __repr__(self) -> str:
        return self.shown


def _constant(word: str) -> _Unwritable:
    """NaN and Infinity, which the json module reads although they are not JSON."""
    return _Unwritable(word, word)


def _whole(digits: str) -> int | _Unwritable:
    return int(digits) if len(digits) <= _LONGEST_INT else _Unwritable(digits, "more than 64-bit")


def _decimal(digits: str) -> float | _Unwritable:
    value = float(digits)
    return value if isfinite(value) else _Unwritable(digits, "a number that is too large")


def _refused(value: Any) -> NoReturn:
    """Tells a RowFactory why a row cannot be written."""
    raise TypeError(value.why if isinstance(value, _Unwritable) else type(value).__name__)


def read(source: ByteSource, config: InputSource) -> Iterator[Read]:
    """Objects become rows; a string becomes the column `prompt`. Lines are where an element begins."""
    make = RowFactory(config, _refused).make
    for line, value in _Elements(source):
        if type(value) is dict:
            yield make(line, value)
        elif type(value) is str:
            yield make(line, {PROMPT: value})
        else:
            yield Reject(line, "is neither an object nor a string", shown(value))


class _Elements:
    """The elements of the list with the line each begins on. Raises InputError where the list cannot be read on."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        # Invalid bytes become lone surrogates, which the row's JSON refuses: only that element is lost.
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._decode = json.JSONDecoder(parse_constant=_constant, parse_int=_whole, parse_float=_decimal).raw_decode
        self._text = ""
        self._at = 0
        self._line = 1
        self._ended = False

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        if not self._next_char():
            return
        self._expect("[")
        if self._next_char() == "]":
            self._at += 1
        else:
            yield from self._members()
        if self._next_char():
            raise self._error("there is more after the end of the list", "Keep one list in the file.")

    def _members(self) -> Iterator[tuple[int, Any]]:
        while True:
            self._next_char()
            line = self._line
            yield line, self._value()
            if self._next_char() == "]":
                self._at += 1
                return
            self._expect(",")

    def _expect(self, wanted: str) -> None:
        found = self._next_char()
        if found == wanted:
            self._at += 1
        elif wanted == "[":
            remedy = 'Write [{"prompt": "..."}, ...], or an object a line in a .jsonl file.'
            raise self._error("does not hold a list", remedy)
        elif not found:
            raise self._error("the list is cut off", "Get the whole file.")
        else:
            raise self._error(f"a comma or ] is missing before {found!r}")

    def _next_char(self) -> str:
        """The next character that is not white space, left in place; empty at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            assert space is not None  # the pattern matches nothing, too
            self._advance(space.end())
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more(_CHUNK):
                return ""

    def _value(self) -> Any:
        """The element at this point; reads on, twice as much each time, while it is incomplete."""
        size = _CHUNK
        while True:
            try:
                value, end = self._decode(self._text, self._at)
                complete = end < len(self._text)  # else a number might go on
            except json.JSONDecodeError as error:
                if not self._may_go_on(error):
                    raise self._error(f"is not valid JSON: {error.msg}", line=error.lineno - 1) from None
                complete = False
                end = -1
            except RecursionError:
                raise self._error("is nested too deeply") from None
            if not complete and self._more(size):
                size *= 2
                continue
            if end < 0:
                raise self._error("the list is cut off in the element that begins here", "Get the whole file.")
            self._advance(end)
            return value

    def _may_go_on(self, error: json.JSONDecodeError) -> bool:
        """Whether an error may only mean that the text read so far ends in the middle of the element."""
        if len(self._text) - self._at > MAX_LINE:
            return False
        return error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - _LONGEST_LITERAL

    def _more(self, size: int) -> bool:
        """Reads on and forgets what is done with. False at the end of the file."""
        if self._ended:
            return False
        data = self._source.file.read(size)
        self._ended = not data
        rest = io.StringIO()
        rest.write(self._text[self._at :])
        rest.write(self._decoder.decode(data, final=self._ended))
        self._text, self._at = rest.getvalue(), 0
        return True

    def _advance(self, to: int) -> None:
        self._line += self._text.count("\n", self._at, to)
        self._at = to

    def _error(self, reason: str, remedy: str = "", line: int = 0) -> InputError:
        at = self._line + (line if line > 0 else 0)
        return InputError(self._source.name, reason, line=at, remedy=remedy)
