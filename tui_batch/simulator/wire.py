"""The values that pass between the core, the wire formats and the server. No transport in here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import Protocol

import orjson

from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.outcome import RateHeaders
from tui_batch.domain.request import Json

Headers = tuple[tuple[str, str], ...]
JSON_TYPE = ("content-type", "application/json")


@dataclass(frozen=True, slots=True)
class SimRequest:
    """An HTTP request, wherever it came from."""

    method: str
    path: str
    """With its query, if there is one."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""


class Delivery(StrEnum):
    """How a response reaches the client."""

    WHOLE = "whole"
    STREAM = "stream"
    """Chunk by chunk, as the chunks stand."""
    DRIBBLE = "dribble"
    """The announced length, but in small pieces spread over `slow_body_s`."""
    RESET = "reset"
    """Not at all: the connection is cut."""
    HANG = "hang"
    """Not at all: the connection stays open in silence."""
    STALL = "stall"
    """The first half, then silence on an open connection."""


def _nothing() -> None:
    """A response that holds nothing."""


@dataclass(frozen=True, slots=True)
class SimResponse:
    """An HTTP response and how it is to be delivered."""

    status: int
    headers: Headers = ()
    chunks: tuple[bytes, ...] = ()
    delivery: Delivery = Delivery.WHOLE
    pace_s: float = 0.0
    """Seconds over which the chunks of a stream are spread."""
    done: Callable[[], None] = _nothing
    """To be called when the delivery has ended, however it did: what it held is free again."""

    @property
    def body(self) -> bytes:
        """All chunks as one."""
        return self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request wants, whatever its wire format."""

    api: Api
    operation: Operation
    model: str
    system: str = ""
    prompt: str = ""
    """The last thing the user said."""
    inputs: tuple[str, ...] = ()
    """Texts to embed."""
    input_tokens: int = 0
    max_tokens: int | None = None
    context_window: int | None = None
    """Asked for in the request itself (num_ctx)."""
    schema: Json = None
    """JSON Schema the answer must meet."""
    json_mode: bool = False
    """JSON is asked for without a schema."""
    tool: str | None = None
    """Name of the tool the answer must call, with the schema as its arguments."""
    stream: bool = False
    truncate: bool = False
    """Cut an over-long prompt instead of refusing it."""
    dimensions: int | None = None
    details: Mapping[str, Json] = field(default_factory=dict)
    """What only the wire format itself reads again: n, stop, encoding_format, ..."""


class Finish(Enum):
    """Why an answer ended."""

    STOP = auto()
    LENGTH = auto()
    FILTER = auto()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer before it is put into a wire format."""

    text: str = ""
    vectors: tuple[list[float], ...] = ()
    finish: Finish = Finish.STOP
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What surrounds an answer: identity, time, limits."""

    request_id: str
    """Sixteen hexadecimal digits; the same request and attempt get the same."""
    created: float
    """Unix time."""
    limits: RateHeaders | None = None
    read_s: float = 0.0
    write_s: float = 0.0
    total_s: float = 0.0


class Trouble(Enum):
    """Why a request was turned away; each wire format has its own status and words for it."""

    BAD_JSON = auto()
    INVALID = auto()
    AUTH = auto()
    QUOTA = auto()
    NO_ROUTE = auto()
    NO_MODEL = auto()
    CONTEXT = auto()
    REQUESTS = auto()
    TOKENS = auto()
    TOO_LARGE = auto()
    BUSY = auto()
    """The queue is full, or the service says that it is overloaded."""
    UNAVAILABLE = auto()
    SERVER_ERROR = auto()


class Problem(Exception):
    """A request that gets an error instead of an answer."""

    def __init__(
        self,
        trouble: Trouble,
        message: str = "",
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.message = message
        """Empty: the wire format's own words."""
        self.param = param
        self.retry_after_s = retry_after_s
        self.status = status
        """Overrides the status that goes with the trouble."""


class WireFormat(Protocol):
    """One provider's way of writing requests, answers and errors."""

    api: Api

    def parse(self, operation: Operation, body: Mapping[str, Json], headers: Mapping[str, str]) -> Ask:
        """Reads a request. Raises Problem for what the real service refuses."""
        ...

    def answer(self, ask: Ask, answer: Answer, facts: Facts) -> SimResponse:
        """Writes an answer, streamed if the request asked for that."""
        ...

    def error(self, problem: Problem, facts: Facts) -> SimResponse:
        """Writes an error."""
        ...


def json_response(status: int, value: Json, headers: Headers = ()) -> SimResponse:
    """A whole response with a JSON body."""
    return SimResponse(status, (JSON_TYPE, *headers), (orjson.dumps(value),))


def read_json(body: bytes) -> Mapping[str, Json]:
    """The request body as an object. Raises Problem."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Problem(Trouble.BAD_JSON) from None
    if not isinstance(value, dict):
        raise Problem(Trouble.BAD_JSON)
    return value


def pieces(text: str, size: int = 12) -> list[str]:
    """The text in pieces of some characters, as a stream delivers it; always at least one."""
    return [text[start : start + size] for start in range(0, len(text), size)] or [""]
