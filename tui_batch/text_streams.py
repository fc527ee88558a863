"""Standard streams that are not as usual: closed, or not in UTF-8 (behind a pipe on Windows, in an old locale)."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from tui_batch.domain.request import Json


def open_missing() -> None:
    """Opens the standard streams that whoever started this process closed, onto nothing.

    Else the next files to be opened get their numbers: uvloop aborts the process over that (libuv takes the first three
    for the standard streams), and what a library prints could end up in a database.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def takes_any_text(stream: TextIO) -> bool:
    """Whether every character can be written to a stream."""
    return codecs.lookup(getattr(stream, "encoding", None) or "utf-8").name == "utf-8"


def be_lenient(stream: TextIO) -> None:
    """From now on a character that the stream cannot take is written as `\\u4f60`, and is no error.

    So Python has it for standard error. A stream in UTF-8 is left as it is.
    """
    if isinstance(stream, io.TextIOWrapper) and not takes_any_text(stream):
        stream.reconfigure(errors="backslashreplace")


def json_for(stream: TextIO, value: Json, indent: int | None = None) -> str:
    """A value as JSON that a stream can take: in ASCII, with JSON's own escapes, where it is not in UTF-8."""
    return json.dumps(value, ensure_ascii=not takes_any_text(stream), indent=indent)
