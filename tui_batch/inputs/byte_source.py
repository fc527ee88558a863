"""Bytes of an input: a file or standard input, gunzipped, without a byte order mark, in UTF-8."""

from __future__ import annotations

import codecs
import io
import os
import sys
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO, Self

from tui_batch.errors import InputError

STDIN = "-"
"""The path that means standard input."""
MAX_LINE = 64 * 1024 * 1024
"""Bytes of the longest line taken. Bounds memory when a file turns out to have no line ends."""

_CHUNK = 256 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib: 15 bits of window, plus 16 for a gzip header and trailer
# The longer marks first: UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class _Layer(io.RawIOBase, ABC):
    """A raw stream made from `_pull`, with a look-ahead that takes nothing away."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    @abstractmethod
    def _pull(self, size: int) -> bytes:
        """Up to about `size` bytes; none at the end."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._held:
            self._held += self._pull(len(buffer))
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        del self._held[:count]
        return count

    def peek(self, size: int, newlines: int | None = None) -> bytes:
        """The next bytes, left in place: `size` of them, or fewer at the end or once `newlines` line ends are in."""
        while len(self._held) < size and (newlines is None or self._held.count(b"\n") < newlines):
            data = self._pull(_CHUNK)
            if not data:
                break
            self._held += data
        return bytes(self._held[:size])

    def skip(self, count: int) -> None:
        """Drops bytes that were peeked at."""
        del self._held[:count]


class _Counted(_Layer):
    """The bytes as stored, counted: they tell how far an import has come."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        # read1 returns what is there, so that a slow pipe is read as it comes; a raw file's read does so anyway.
        self._read = file.read1 if isinstance(file, (io.BufferedReader, io.BytesIO)) else file.read
        self.count = 0

    def _pull(self, size: int) -> bytes:
        data: bytes = self._read(size) or b""
        self.count += len(data)
        return data


class _Gunzipped(_Layer):
    """Gunzips, member after member. Gives everything that can be read before it reports damage."""

    def __init__(self, below: _Layer, name: str) -> None:
        super().__init__()
        self._below = below
        self._name = name
        self._inflater = zlib.decompressobj(_GZIP_WINDOW)
        self._input = b""

    def _pull(self, size: int) -> bytes:
        while True:
            if self._inflater.eof and not self._next_member():
                return b""
            if not self._input:
                self._input = self._below.read(_CHUNK) or b""
                if not self._input:
                    raise self._damaged("the gzip data end early")
            try:
                data = self._inflater.decompress(self._input, size)
            except zlib.error:
                raise self._damaged("the gzip data are damaged") from None
            self._input = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
            if data:
                return data

    def _next_member(self) -> bool:
        """Whether another gzip member follows the finished one. Zero bytes are padding (gzip's own rule)."""
        self._input = self._input.lstrip(b"\0")
        while not self._input:
            more = self._below.read(_CHUNK)
            if not more:
                return False
            self._input = more.lstrip(b"\0")
        self._inflater = zlib.decompressobj(_GZIP_WINDOW)
        return True

    def _damaged(self, reason: str) -> InputError:
        return InputError(
            self._name, f"{reason}; the rows before that were read", remedy="Copy or download the file again."
        )


class _Transcoded(_Layer):
    """UTF-16 or UTF-32 (spreadsheets write it) as UTF-8."""

    def __init__(self, below: _Layer, name: str, encoding: str) -> None:
        super().__init__()
        self._below = below
        self._name = name
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._ended = False

    def _pull(self, size: int) -> bytes:
        while not self._ended:
            data = self._below.read(size) or b""
            self._ended = not data
            try:
                text = self._decoder.decode(data, final=self._ended)
            except UnicodeDecodeError:
                raise InputError(
                    self._name,
                    f"starts like {self._encoding.upper()} but is not valid {self._encoding.upper()}",
                    remedy="Save the file as UTF-8.",
                ) from None
            if text:
                return text.encode("utf-8", "surrogatepass")
        return b""


@dataclass(slots=True)
class ByteSource:
    """An open input. `file` gives UTF-8 bytes without a byte order mark, whatever is stored."""

    name: str
    """For messages: the path as given, or `standard input`."""
    path: Path | None
    """The file, when its stored bytes are what `file` gives (not compressed, not standard input)."""
    size: int | None
    """Bytes stored; None for standard input."""
    file: io.BufferedReader
    _top: _Layer
    _stored: _Counted
    _owned: IO[bytes] | None

    def peek(self, size: int, newlines: int | None = None) -> bytes:
        """The first bytes, before anything is read from `file`. With `newlines`, no more than holds that many."""
        return self._top.peek(size, newlines)

    @property
    def consumed(self) -> int:
        """Stored bytes taken so far, to be compared with `size`."""
        return self._stored.count

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Lines with their numbers from 1, line end included. One longer than MAX_LINE is cut there: see `overlong`."""
        readline = self.file.readline
        for number, line in enumerate(iter(partial(readline, MAX_LINE), b""), 1):
            rest = line
            while len(rest) >= MAX_LINE and not rest.endswith(b"\n"):
                rest = readline(MAX_LINE)
            yield number, line

    def close(self) -> None:
        """Closes the file; standard input is left open."""
        if self._owned is not None:
            self._owned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def overlong(line: bytes) -> bool:
    """Whether `ByteSource.lines` cut this line."""
    return len(line) >= MAX_LINE


def open_bytes(path: str, stdin: BinaryIO | None = None) -> ByteSource:
    """Opens a file, or standard input for `-` (`stdin` stands in for it in tests).

    Raises InputError when it cannot be opened.
    """
    name = "standard input" if path == STDIN else path
    owned = None if path == STDIN else _open_file(path)
    try:
        stored = _Counted(owned if owned is not None else stdin or sys.stdin.buffer)
        top = _unwrapped(stored, name)
        plain = Path(path) if owned is not None and top is stored else None
        size = None if owned is None else Path(path).stat().st_size
        return ByteSource(name, plain, size, io.BufferedReader(top, _CHUNK), top, stored, owned)
    except OSError as error:
        _close(owned)
        raise InputError(
            name, f"cannot be read: {error.strerror or error}", remedy="See that the file is there and whole."
        ) from None
    except InputError:
        _close(owned)
        raise


def _open_file(path: str) -> IO[bytes]:
    """The file, unbuffered."""
    try:
        return open(path, "rb", buffering=0)
    except FileNotFoundError:
        raise InputError(path, "there is no such file", remedy="Check the path and the working directory.") from None
    except IsADirectoryError:
        raise InputError(path, "is a directory", remedy="Name one file.") from None
    except PermissionError:
        if os.path.isdir(path):  # Windows refuses to open a directory with this error
            raise InputError(path, "is a directory", remedy="Name one file.") from None
        raise InputError(path, "may not be read by you", remedy="Change its permissions, or copy it.") from None
    except (OSError, ValueError) as error:
        raise InputError(path, f"cannot be opened: {error}", remedy="Check the path.") from None


def _unwrapped(stored: _Counted, name: str) -> _Layer:
    """The stored bytes through the layers that their first bytes ask for."""
    top: _Layer = stored
    if top.peek(2) == _GZIP_MAGIC:
        top = _Gunzipped(top, name)
    head = top.peek(4)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            if encoding != "utf-8":
                return _Transcoded(top, name, encoding)
            top.skip(len(mark))
            return top
    return top


def _close(file: IO[bytes] | None) -> None:
    if file is not None:
        file.close()
