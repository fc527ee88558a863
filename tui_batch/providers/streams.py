"""Streamed answers put together again: the body that the server would have sent in one piece.

An assembler is fed bytes in whatever pieces they come and keeps only the answer, not the stream. Its result is read
by the wire format's ordinary `decode`, so that a streamed answer cannot mean anything else than a whole one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import orjson

from tui_batch.domain.outcome import Outcome
from tui_batch.domain.request import Json
from tui_batch.providers.base import Encoded, FailureKind, TransportFailure
from tui_batch.providers.classify import parse_json
from tui_batch.providers.sse import Event, Events

_FIELDS = (b":", b"data", b"event", b"id", b"retry")
OPTIONS = "stream_options"
CUT = "the stream ended before the answer was whole"


def with_stream(encoded: Encoded, fields: Mapping[str, Json]) -> Encoded:
    """The same request, streamed: `fields` are added to its body. The order of all other fields stays."""
    return Encoded(encoded.path, orjson.dumps({**orjson.loads(encoded.body), **fields}), encoded.operation)


def refuses_options(outcome: Outcome) -> bool:
    """Whether a server takes no stream_options: Mistral's answers 422 and sends usage unasked."""
    return outcome.status in (400, 422) and OPTIONS.encode() in (outcome.raw or b"")


def without_options(body: bytes) -> bytes:
    """A streamed request's body as such a server takes it."""
    fields = orjson.loads(body)
    fields.pop(OPTIONS, None)
    return orjson.dumps(fields)


def cut_off() -> TransportFailure:
    """A stream that ended in the middle; to the item it is a broken connection."""
    return TransportFailure(FailureKind.READ, CUT)


class EventAssembler(ABC):
    """Assembles server-sent events that hold JSON.

    A body that is no stream after all (a server that knows no streaming, a proxy's page) is passed on as it is.
    """

    def __init__(self) -> None:
        self._events = Events()
        self._plain: list[bytes] | None = []
        """What has come before the first event; None: it is a stream."""
        self._verdict: bytes | None = None
        """An error in place of the answer, or an event that is no JSON; nothing after it counts."""

    def feed(self, piece: bytes) -> None:
        """Takes the next bytes. Never raises, whatever they are."""
        if self._plain is not None:
            self._plain.append(piece)
        for event in self._events.feed(piece):
            self._take(event)

    def finish(self) -> bytes:
        """The body of the equivalent whole answer. Raises TransportFailure when the stream was cut."""
        plain = b"".join(self._plain or ()).lstrip()
        if plain[:1] in (b"{", b"[", b"<"):
            return plain
        for event in self._events.finish():
            self._take(event, is_last=True)
        if self._verdict is not None:
            return self._verdict
        if self._plain is not None:
            if any(field.startswith(plain) or plain.startswith(field) for field in _FIELDS if plain):
                raise cut_off()
            return plain
        return self._whole()

    def _take(self, event: Event, *, is_last: bool = False) -> None:
        self._plain = None
        if self._verdict is not None:
            return
        data = parse_json(event.data)
        if isinstance(data, Mapping):
            self._verdict = self._error(event, data)
            if self._verdict is None:
                self._add(data)
        elif event.name == "error":
            self._verdict = written({"error": {"message": event.data.decode("utf-8", "replace")}})
        elif not self._is_end(event.data) and not is_last:  # the last one may simply have been cut
            self._verdict = event.data

    def _error(self, event: Event, data: Mapping[str, Any]) -> bytes | None:
        """The error's body as a whole answer has it; None when the event is none."""
        if data.get("error"):
            return event.data
        if event.name == "error" or data.get("object") == "error":  # vLLM before 0.10 wraps nothing
            return written({"error": data})
        return None

    def _is_end(self, data: bytes) -> bool:
        """Whether this event, which is not JSON, says that the answer is whole."""
        return False

    @abstractmethod
    def _add(self, data: Mapping[str, Any]) -> None:
        """Takes one event of the answer."""

    @abstractmethod
    def _whole(self) -> bytes:
        """The whole answer's body. Raises TransportFailure when the stream was cut."""


def text_in(data: Mapping[str, Any], name: str) -> str:
    """A piece of text; empty when there is none."""
    value = data.get(name)
    return value if isinstance(value, str) else ""


def written(body: Mapping[str, Any]) -> bytes:
    """The body as JSON; `null`, which is no answer, when it is nested too deep to be written."""
    try:
        return orjson.dumps(body)
    except TypeError:
        return b"null"
