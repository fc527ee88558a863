"""Lines and server-sent events out of bytes that come in any pieces (WHATWG HTML, "Server-sent events")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

BOM = b"\xef\xbb\xbf"


class Lines:
    """Whole lines, without their ends. A line ends with LF, CR or CRLF, wherever the pieces were cut."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._begun = False

    def feed(self, piece: bytes) -> list[bytes]:
        """The lines that this piece completes."""
        self._parts.append(piece)
        held_back = len(self._parts) > 1 and self._parts[-2].endswith(b"\r")
        if not held_back and b"\n" not in piece and b"\r" not in piece:
            return []
        *lines, rest = _split(b"".join(self._parts))
        self._parts = [rest] if rest else []
        return self._plain(lines)

    def finish(self) -> list[bytes]:
        """What stands after the last line's end."""
        rest = b"".join(self._parts)
        self._parts = []
        return self._plain(rest.splitlines())

    def _plain(self, lines: list[bytes]) -> list[bytes]:
        if lines and not self._begun:
            self._begun = True
            lines[0] = lines[0].removeprefix(BOM)
        return lines


def _split(data: bytes) -> list[bytes]:
    """Complete lines, then what is left. A CR at the very end is left: an LF may follow it in the next piece."""
    lines = data.splitlines(keepends=True)
    rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
    return [*(line.rstrip(b"\r\n") for line in lines), rest]


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event."""

    name: str
    """Empty: the stream does not name it."""
    data: bytes


class Events:
    """Events out of lines. Comments, ids and retry times are read over, as are events without data."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._name = ""
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> Iterator[Event]:
        """The events that this piece completes."""
        for line in self._lines.feed(piece):
            yield from self._take(line)

    def finish(self) -> Iterator[Event]:
        """The last event, where the stream ended without the empty line that should follow it."""
        for line in [*self._lines.finish(), b""]:
            yield from self._take(line)

    def _take(self, line: bytes) -> Iterator[Event]:
        if not line:
            if self._data:
                yield Event(self._name, b"\n".join(self._data))
            self._name, self._data = "", []
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
