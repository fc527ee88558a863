"""A simulator whose answers are now and then not what any wire format promises."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import orjson

from tui_batch.simulator.config import SimulatorConfig
from tui_batch.simulator.core import Simulator
from tui_batch.simulator.wire import Delivery, Headers, SimRequest, SimResponse

JSON: Headers = (("content-type", "application/json"),)
DEEP = b"[" * 50_000 + b"]" * 50_000
LOUD = "\x1b[31m\x1b]0;title\x07 <script>alert(1)</script> [bold]{0}%s \u202e \ud800"
"""An error message that would like to draw on a screen."""

STRANGE: tuple[tuple[int, Headers, bytes], ...] = (
    (200, JSON, b"{}"),
    (200, JSON, b"null"),
    (200, JSON, b"[]"),
    (200, JSON, b'"text"'),
    (200, JSON, b'{"choices": [], "content": [], "message": null}'),
    (200, JSON, b'{"choices": [{"message": null}], "content": [null], "message": 5}'),
    (200, JSON, b'{"choices": {"0": {}}, "content": {"text": 1}, "message": {"content": 5}}'),
    (200, JSON, b'{"error": null}'),
    (200, JSON, b'{"error": {"message": ["no"], "code": {"a": 1}}}'),
    (200, JSON, DEEP),
    (200, JSON, b"\xff\xfe\x00\x01" * 50),
    (200, (("content-type", "application/json; charset=utf-16"),), "{}".encode("utf-16")),
    (200, (*JSON, ("content-encoding", "gzip")), b"this is no gzip"),
    (200, (("content-type", "text/event-stream"),), b"data: {\n\ndata: [DONE\n\n: nothing\n\nevent: x\n\n"),
    (204, (), b""),
    (302, (("location", "http://127.0.0.1:9/elsewhere"),), b""),
    (429, JSON, b"{}"),
    (429, (*JSON, ("retry-after", "soon")), b"[]"),
    (429, (*JSON, ("retry-after", "-5")), b"null"),
    (429, (*JSON, ("retry-after", "1e400")), b""),
    (429, (*JSON, ("retry-after", "Thu, 99 Foo 2026 99:99:99 GMT")), b"slow down"),
    (500, JSON, orjson.dumps({"error": {"message": LOUD.replace("\ud800", "")}})),
    (503, JSON, b'{"error": "\\ud800 \\u001b[2J busy"}'),
    (500, JSON, b'{"error": {"message": "' + b"x" * 300_000 + b'"}}'),
    (599, JSON, b"%s%n"),
    (500, (*JSON, ("x-request-id", "\x1b[31m" * 3)), b"\x00\x01\x02"),
)
ODD_PIECES = (
    *(b": nothing\n\n", b'event: ping\ndata: {"type": "ping"}\n\n', b"id: 7\nretry: 1\n\n", b"data: {}\n\n", b"\n"),
    *(b"data: null\n\n", b"data: [1]\n\n", b"data: \xff\xfe{\n\n", b"{}\n", b"\x00\n", b"event: error\ndata: no\n\n"),
    *(b'data: {"choices": [{"delta": null}, 5]}\n\n', b'data: {"choices": {}, "usage": 5, "id": []}\n\n'),
    b'data: {"type": "content_block_delta", "index": {}, "delta": {"type": []}}\n\n',
)
"""What may come between two pieces of a streamed answer; none of it holds text, which could pass for the answer's."""
HOSTILE: tuple[Any, ...] = (None, -1, 2**63, 10**18, 1e300, True, [], {}, [[]], {"a": None})
"""What may stand in place of a figure or an object; no text, which could pass for an answer."""


class RogueServer(Simulator):
    """Replaces or disfigures a share of the answers; which ones depends on the seed alone."""

    def __init__(self, config: SimulatorConfig, rate: float) -> None:
        super().__init__(config)
        self._rate = rate
        self._rng = random.Random(config.seed)
        self.spoiled: Counter[str] = Counter()
        """Answers that the simulator counted and the client never saw as such."""

    async def handle(self, request: SimRequest) -> SimResponse:
        """See Simulator."""
        response = await super().handle(request)
        spoils = response.delivery in (Delivery.WHOLE, Delivery.STREAM) and self._rng.random() < self._rate
        if request.method != "POST" or not spoils:
            return response
        if response.status == 200:
            self.spoiled["answers"] += 1
        if response.status == 200 and len(response.chunks) == 1 and self._rng.random() < 0.5:
            return replace(response, chunks=(self._disfigured(response.body),))
        if response.delivery is Delivery.STREAM and self._rng.random() < 0.7:
            return replace(response, chunks=self._interrupted(response.chunks))
        status, headers, body = self._rng.choice(STRANGE)
        return replace(response, status=status, headers=headers, chunks=(body,), delivery=Delivery.WHOLE, pace_s=0.0)

    def _interrupted(self, chunks: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """A streamed answer that ends early, or with odd pieces in between."""
        at = self._rng.randrange(len(chunks) + 1)
        if self._rng.random() < 0.4:
            return chunks[:at]
        return (*chunks[:at], self._rng.choice(ODD_PIECES), *chunks[at:])

    def _disfigured(self, body: bytes) -> bytes:
        """A good answer with one of its values replaced."""
        try:
            whole = orjson.loads(body)
        except orjson.JSONDecodeError:
            return body
        at, keys = whole, []
        while isinstance(at, dict | list) and at:
            keys.append(self._rng.choice(sorted(at) if isinstance(at, dict) else range(len(at))))
            if self._rng.random() < 0.3:
                break
            at = at[keys[-1]]
        target = whole
        for key in keys[:-1]:
            target = target[key]
        if keys:
            target[keys[-1]] = self._rng.choice(HOSTILE)
        return orjson.dumps(whole)
