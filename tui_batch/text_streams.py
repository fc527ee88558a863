"""Streams of text that are not in UTF-8: standard output behind a pipe on Windows, or in an old locale."""

from __future__ import annotations

import codecs
import io
import json
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from tui_batch.domain.request import Json


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
