"""Reading HTTP/1.1 requests (RFC 9112) from bytes as they arrive, and writing response heads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus

from tui_batch.simulator.wire import SimRequest, SimResponse

MOST_HEAD_BYTES = 64 * 1024
_MOST_DIGITS = 18
"""Of a length. Python refuses to read thousands of them."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_REASONS = {status.value: status.phrase for status in HTTPStatus} | {529: "Site Overloaded"}


class BadRequest(Exception):
    """What came in is not a request this server can read; the connection ends after the answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Arrival:
    """A whole request, and whether the connection goes on after it."""

    request: SimRequest
    keep_alive: bool


@dataclass(slots=True)
class _Head:
    method: str
    path: str
    headers: dict[str, str]
    keep_alive: bool
    length: int
    """Bytes of the body; -1: chunked."""
    body: bytearray = field(default_factory=bytearray)
    """What of a chunked body has been decoded."""
    in_trailer: bool = False


class RequestReader:
    """Collects bytes and gives out requests one by one."""

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body = max_body_bytes
        self._buffer = bytearray()
        self._head: _Head | None = None
        self._searched = 0

    @property
    def buffered(self) -> int:
        """Bytes waiting."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Takes bytes from the connection."""
        self._buffer += data

    def next(self) -> Arrival | None:
        """The next whole request; None until more bytes come. Raises BadRequest."""
        head = self._head or self._read_head()
        if head is None:
            return None
        self._head = head
        body = self._read_chunks(head) if head.length < 0 else self._read_exactly(head.length)
        if body is None:
            return None
        self._head = None
        return Arrival(SimRequest(head.method, head.path, head.headers, body), head.keep_alive)

    def interim(self) -> bytes:
        """What to send before the body comes: `100 Continue` when the client waits for it, once."""
        head = self._head
        if head is None or head.headers.pop("expect", "").lower() != "100-continue" or self._buffer:
            return b""
        return _CONTINUE

    def _read_head(self) -> _Head | None:
        buffer = self._buffer
        # Empty lines before a request are allowed (RFC 9112, section 2.2).
        while buffer[:2] == b"\r\n":
            del buffer[:2]
        end = buffer.find(b"\r\n\r\n", max(self._searched - 3, 0))
        if end < 0:
            self._searched = len(buffer)
            if len(buffer) > MOST_HEAD_BYTES:
                raise BadRequest(431, "the request head is too large")
            return None
        self._searched = 0
        text = buffer[:end].decode("latin-1")
        del buffer[: end + 4]
        return _parse_head(text, self._max_body)

    def _read_exactly(self, length: int) -> bytes | None:
        if len(self._buffer) < length:
            return None
        if len(self._buffer) == length:
            body = bytes(self._buffer)
            self._buffer.clear()
            return body
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        return body

    def _read_chunks(self, head: _Head) -> bytes | None:
        buffer = self._buffer
        while True:
            line_end = buffer.find(b"\r\n")
            if line_end < 0:
                if len(buffer) > MOST_HEAD_BYTES:
                    raise BadRequest(400, "a chunk's size is not a number")
                return None
            if head.in_trailer:
                del buffer[: line_end + 2]
                if line_end == 0:
                    return bytes(head.body)
                continue
            size = _chunk_size(bytes(buffer[:line_end]))
            if len(head.body) + size > self._max_body:
                raise BadRequest(413, "the request body is too large")
            if size == 0:
                del buffer[: line_end + 2]
                head.in_trailer = True
                continue
            end = line_end + 2 + size
            if len(buffer) < end + 2:
                return None
            head.body += buffer[line_end + 2 : end]
            if buffer[end : end + 2] != b"\r\n":
                raise BadRequest(400, "a chunk does not end where it should")
            del buffer[: end + 2]


def _parse_head(text: str, max_body: int) -> _Head:
    first, *lines = text.split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequest(400, "not an HTTP/1.1 request line")
    headers: dict[str, str] = {}
    for line in lines:
        name, separator, value = line.partition(":")
        if not separator or not name or name != name.strip():
            raise BadRequest(400, "a header line is not `name: value`")
        headers[name.lower()] = value.strip()
    connection = headers.get("connection", "").lower()
    keep_alive = connection != "close" if words[2] == "HTTP/1.1" else connection == "keep-alive"
    return _Head(words[0], words[1], headers, keep_alive, _body_length(headers, max_body))


def _body_length(headers: dict[str, str], max_body: int) -> int:
    coding = headers.get("transfer-encoding", "").lower()
    stated = headers.get("content-length")
    if coding:
        if coding != "chunked" or stated is not None:
            raise BadRequest(400, "only chunked transfer coding without a content length is understood")
        return -1
    if stated is None:
        return 0
    if not (stated.isascii() and stated.isdigit()):
        raise BadRequest(400, "the content length is not a number")
    if len(stated) > _MOST_DIGITS or int(stated) > max_body:
        raise BadRequest(413, "the request body is too large")
    return int(stated)


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    try:
        size = int(digits, 16)
    except ValueError:
        size = -1
    if size < 0 or len(digits) > 8:
        raise BadRequest(400, "a chunk's size is not a number")
    return size


def response_head(status: int, headers: Iterable[tuple[str, str]], framing: str, *, keep_alive: bool) -> bytes:
    """The status line and headers. `framing` is the header that says where the body ends."""
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += [framing] if framing else []
    lines += ["" if keep_alive else "connection: close\r\n"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n"


def whole(response: SimResponse, method: str, *, keep_alive: bool) -> bytes:
    """Head and body of a response with a stated length; HEAD gets no body."""
    body = response.body
    head = response_head(response.status, response.headers, f"content-length: {len(body)}", keep_alive=keep_alive)
    return head if method == "HEAD" else head + body


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"
