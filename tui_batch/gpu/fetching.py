"""A page over HTTP within a bound on its time in all. Nothing here is loaded before the first look."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from http.client import HTTPConnection
    from socket import socket

PATIENCE_S = 3.0
"""Seconds for the whole of a page: an exporter in the same network answers at once (nvidia_gpu_exporter runs nvidia-smi
first, which may take one or two), and leaving the program waits for a look that has begun."""
LARGEST = 8_000_000
"""Bytes of a page that are read."""


def fetch(url: str, patience_s: float = PATIENCE_S) -> str:
    """A page as text, at most LARGEST bytes of it. Blocks. Raises OSError with words for a person, or ValueError."""
    from http.client import HTTPException  # these bring half of http and ssl with them
    from urllib.error import HTTPError, URLError

    try:
        body = _read(url, time.monotonic() + patience_s)
    except HTTPError as error:
        raise OSError(f"answered {error.code}") from None
    except TimeoutError:
        raise OSError(f"took longer than {patience_s:g} s") from None
    except URLError as error:
        raise OSError(f"does not answer: {error.reason}") from None
    except HTTPException:
        raise OSError("answers something that is not HTTP") from None
    return body.decode("utf-8", "replace")


def _read(url: str, end: float) -> bytes:
    """The body. urllib's own timeout begins anew with every byte, so each read gets what is left of the time."""
    from http.client import HTTPConnection, HTTPSConnection
    from urllib.error import URLError
    from urllib.request import FTPHandler, HTTPHandler, HTTPSHandler, Request, build_opener

    class Plain(HTTPHandler):
        def http_open(self, request: Request) -> Any:
            return self.do_open(_bounded(HTTPConnection, end), request)

    class Secure(HTTPSHandler):
        def https_open(self, request: Request) -> Any:
            return self.do_open(_bounded(HTTPSConnection, end), request)

    class Elsewhere(FTPHandler):
        def ftp_open(self, request: Request) -> Any:
            raise URLError("it redirects to ftp")  # which urllib would follow, without a bound on the whole

    with build_opener(Plain, Secure, Elsewhere).open(url, timeout=max(0.001, end - time.monotonic())) as response:
        body: bytes = response.read(LARGEST)
    return body


def _bounded(kind: type[HTTPConnection], end: float) -> Any:
    """Makes connections whose responses are read until `end` at the latest."""
    from http.client import HTTPResponse

    def answer(sock: Any, **about: Any) -> HTTPResponse:
        until: Any = _Until(sock, end)  # in place of the socket itself
        return HTTPResponse(until, **about)

    def made(host: str, **given: Any) -> HTTPConnection:
        connection = kind(host, **given)
        setattr(connection, "response_class", answer)  # noqa: B010  (it is typed as a class)
        return connection

    return made


class _Until:
    """As much of a socket as a response needs."""

    def __init__(self, sock: socket, end: float) -> None:
        self._sock = sock
        self._end = end

    def makefile(self, *_: object) -> io.BufferedReader:
        """Its bytes, as a file."""
        return io.BufferedReader(_Bytes(self._sock, self._end))


class _Bytes(io.RawIOBase):
    """A socket's bytes until a moment of the steady clock. Raises TimeoutError beyond it."""

    def __init__(self, sock: socket, end: float) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._end = end

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """The next bytes that come."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        read: Callable[[Any], int | None] = self._raw.readinto
        return read(buffer)

    def close(self) -> None:
        """Lets go of the socket."""
        self._raw.close()
        super().close()
