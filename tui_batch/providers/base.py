"""The two seams of this package: a wire format (`Provider`) and a way to send bytes (`Transport`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.outcome import Outcome
from tui_batch.domain.request import PromptRequest, Timeouts
from tui_batch.domain.values import immutable

Headers = tuple[tuple[str, str], ...]
"""Header lines to send, in order."""


class EncodeError(ValueError):
    """A request that this wire format cannot say. Its text is meant for a person and names the field."""


@immutable(frozen=True, slots=True)
class Encoded:
    """A request in a wire format, not yet bound to a server."""

    path: str
    """Appended to the endpoint's base URL, starting with a slash."""
    body: bytes
    """JSON. Equal requests are equal bytes, whatever order their parameters came in."""
    operation: Operation


class Assembler(Protocol):
    """Makes one body of a streamed answer, keeping the answer and not the stream. Serves one response."""

    def feed(self, piece: bytes) -> None:
        """Takes the next bytes, cut anywhere. Never raises, whatever they are."""
        ...

    def finish(self) -> bytes:
        """The body that the server would have sent unstreamed. Raises TransportFailure when the stream was cut."""
        ...


@immutable(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request. Its `repr` leaves headers and body out: they hold the key and the prompt."""

    method: str
    url: str
    headers: Headers
    body: bytes | None
    timeouts: Timeouts
    assembler: Assembler | None = None
    """Set for a streamed request: is fed the body of a 2xx as it arrives. A fresh one for every request."""

    def __repr__(self) -> str:
        return f"HttpRequest({self.method} {self.url})"


@immutable(frozen=True, slots=True)
class HttpResponse:
    """One HTTP response, read to the end."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case. Of a repeated header one value is kept."""
    body: bytes
    """Of a streamed answer: what the request's assembler made of it."""


class FailureKind(StrEnum):
    """Where a request failed when no whole response came back."""

    CONNECT = "connect"
    """No connection: refused, unreachable, unknown host."""
    TLS = "tls"
    """The certificate was not accepted, or the TLS handshake failed."""
    PROXY = "proxy"
    """The proxy refused or could not be reached."""
    READ = "read"
    """The connection broke before the response was whole."""
    PROTOCOL = "protocol"
    """What came back is not HTTP."""
    BODY = "body"
    """The body cannot be decompressed."""
    TOO_LARGE = "too_large"
    """The response is larger than the transport's bound."""
    REQUEST = "request"
    """The request could not be formed: a bad URL or header."""


class TransportTimeout(Exception):
    """No whole response within the timeouts. Its text says which one and how long, never a secret."""


class TransportFailure(Exception):
    """No whole response for another reason. Its text never holds a header or a body."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Transport(Protocol):
    """Sends requests. Tests and the simulator put their own in place of the network."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Returns the response, whatever its status; redirects are not followed.

        A request with an assembler is read piece by piece, within its `first_byte_s` and `stall_s`.
        Raises TransportTimeout or TransportFailure. Cancelling the awaiting task drops the request.
        """
        ...

    async def aclose(self) -> None:
        """Closes every connection. The transport cannot be used afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model as a server lists it."""

    id: str
    context_length: int | None = None
    """Tokens of prompt and answer together; None: the server does not say."""
    detail: str = ""
    """What else the server says in short: owner, parameter size, quantisation."""


class Provider(Protocol):
    """A wire format: pure functions between neutral values and HTTP bytes."""

    @property
    def api(self) -> Api:
        """The wire format's name."""
        ...

    @property
    def models_path(self) -> str:
        """Path of the list of models, appended to the base URL."""
        ...

    def encode(self, request: PromptRequest, model: str) -> Encoded:
        """Raises EncodeError when the format cannot say what is asked."""
        ...

    def decode(self, operation: Operation, response: HttpResponse) -> Outcome:
        """Says what came of a request. Never raises, whatever the response holds."""
        ...

    def stream(self, encoded: Encoded) -> Encoded | None:
        """The same request, to be answered piece by piece; None when its answer cannot be streamed."""
        ...

    def assembler(self, operation: Operation) -> Assembler:
        """Puts a streamed answer together into the body that `decode` reads."""
        ...

    def auth_headers(self, secret: str | None) -> Headers:
        """Headers that every request needs: the key, a protocol version."""
        ...

    def decode_models(self, response: HttpResponse) -> tuple[ModelInfo, ...]:
        """Reads a successful answer of `models_path`. Raises ValueError when it is not a list of models."""
        ...
