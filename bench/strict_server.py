"""A small server with strict rules, which remembers every request: what limits, refusals and slots are measured on.

Run: python -m bench.strict_server PORT RULES, where RULES is a JSON object of the fields of `Rules`.
`GET /record` tells what it saw. It speaks just enough OpenAI chat completions to be taken for a real one.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from bench.lean_server import content_length

MINUTE_S = 60.0
CHARS_PER_TOKEN = 3.6
"""Not quite what the client assumes: an estimate must be made honest by what is reported."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How the server behaves. Times are seconds; None: no such limit."""

    rpm: int | None = None
    tpm: int | None = None
    span_s: float = MINUTE_S
    """What `rpm` is counted over, in proportion: 600 with a span of 1 is ten in any second."""
    states: bool = False
    """Whether answers carry rate-limit headers."""
    retry_after: bool = True
    """Whether refusals say how long to wait."""
    change: tuple[float, int] | None = None
    """(seconds after the first request, new rpm)."""
    latency_s: float = 0.3
    spread: float = 0.3
    """Latencies lie within this share of `latency_s`, up and down."""
    slots: int | None = None
    queue: int = 100_000
    """Requests that may wait for a slot; more are turned away with 503."""
    random_429: float = 0.0
    """Share of requests refused for no reason at all."""
    random_retry_after_s: float | None = 1.0
    down: tuple[float, float] | None = None
    """(from, to), seconds after the first request: connections are cut meanwhile."""
    answer_tokens: int = 40
    seed: int = 1


@dataclass(slots=True)
class Record:
    """What the server saw. Times are seconds after the first request."""

    accepted: list[tuple[float, str, int]] = field(default_factory=list)
    """(time, first word of the prompt, tokens)."""
    refused: list[tuple[float, int]] = field(default_factory=list)
    """(time, status)."""
    answered: int = 0


class StrictServer:
    """The rules at work."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.record = Record()
        self.rpm = rules.rpm
        self._rng = random.Random(rules.seed)
        self._started: float | None = None
        self._requests: deque[tuple[float, int]] = deque()
        self._minute: deque[tuple[float, int]] = deque()
        self._tokens = 0
        self._busy = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def now(self) -> float:
        """Seconds after the first request."""
        at = time.monotonic()
        if self._started is None:
            self._started = at
        return at - self._started

    @property
    def is_down(self) -> bool:
        """Whether connections are cut at this moment."""
        down = self.rules.down
        return down is not None and self._started is not None and down[0] <= self.now() < down[1]

    async def answer(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for one request."""
        request = json.loads(body)
        content = request["messages"][-1]["content"]
        read = max(1, round(len(content) / CHARS_PER_TOKEN))
        now = self.now()
        refusal = self._refusal(now, read + self.rules.answer_tokens)
        if refusal is not None:
            status, wait = refusal
            self.record.refused.append((now, status))
            return status, {**self._stated(now), **_retry_after(wait)}, _error(status)
        self.record.accepted.append((now, content.split(" ", 1)[0], read + self.rules.answer_tokens))
        stated = self._stated(now)
        await self._work()
        self.record.answered += 1
        return 200, stated, _answer(request["model"], read, self.rules.answer_tokens)

    def _refusal(self, now: float, tokens: int) -> tuple[int, float | None] | None:
        rules = self.rules
        if rules.random_429 and self._rng.random() < rules.random_429:
            return 429, rules.random_retry_after_s
        if rules.slots is not None and self._busy >= rules.slots and len(self._waiting) >= rules.queue:
            return 503, None
        if rules.change is not None and now >= rules.change[0]:
            self.rpm = rules.change[1]
        wait = max(self._requests_wait(now), self._tokens_wait(now, tokens))
        if wait > 0:
            return 429, wait if rules.retry_after else None
        self._requests.append((now, 1))
        self._minute.append((now, tokens))
        self._tokens += tokens
        return None

    def _requests_wait(self, now: float) -> float:
        if self.rpm is None:
            return 0.0
        span = self.rules.span_s
        while self._requests and self._requests[0][0] <= now - span:
            self._requests.popleft()
        room = max(1, int(self.rpm * span / MINUTE_S)) - len(self._requests)
        return 0.0 if room > 0 else self._requests[-room][0] + span - now

    def _tokens_wait(self, now: float, tokens: int) -> float:
        while self._minute and self._minute[0][0] <= now - MINUTE_S:
            self._tokens -= self._minute.popleft()[1]
        if self.rules.tpm is None or self._tokens + tokens <= self.rules.tpm:
            return 0.0
        return self._minute[0][0] + MINUTE_S - now

    def _stated(self, now: float) -> dict[str, str]:
        if not self.rules.states:
            return {}
        headers: dict[str, str] = {}
        if self.rpm is not None:
            reset = self._requests[-1][0] + self.rules.span_s - now if self._requests else 0.0
            headers["x-ratelimit-limit-requests"] = str(self.rpm)
            headers["x-ratelimit-remaining-requests"] = str(max(0, self.rpm - len(self._requests)))
            headers["x-ratelimit-reset-requests"] = f"{reset:.3f}s"
        if self.rules.tpm is not None:
            headers["x-ratelimit-limit-tokens"] = str(self.rules.tpm)
            headers["x-ratelimit-remaining-tokens"] = str(max(0, self.rules.tpm - self._tokens))
            headers["x-ratelimit-reset-tokens"] = "60s"
        return headers

    async def _work(self) -> None:
        """Holds a slot for as long as the answer takes."""
        slots = self.rules.slots
        if slots is not None and self._busy >= slots:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        else:
            self._busy += 1
        spread = self.rules.spread
        await asyncio.sleep(self.rules.latency_s * self._rng.uniform(1 - spread, 1 + spread))
        if self._waiting:
            self._waiting.popleft().set_result(None)
        else:
            self._busy -= 1

    def told(self) -> bytes:
        """The record as JSON."""
        record = self.record
        return json.dumps(
            {"accepted": record.accepted, "refused": record.refused, "answered": record.answered}
        ).encode()


def _retry_after(wait: float | None) -> dict[str, str]:
    return {} if wait is None else {"retry-after": f"{wait:.3f}"}


def _error(status: int) -> bytes:
    code = "rate_limit_exceeded" if status == 429 else "overloaded"
    return json.dumps({"error": {"message": "too many requests", "type": "requests", "code": code}}).encode()


def _answer(model: str, read: int, written: int) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "An answer."}, "finish_reason": "stop"}
    usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    return json.dumps({"object": "chat.completion", "model": model, "choices": [choice], "usage": usage}).encode()


class _Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, server: StrictServer) -> None:
        self._server = server
        self._buffer = b""
        self._transport: Any = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        if self._server.is_down:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            size = end + 4 + content_length(self._buffer[:end])
            if len(self._buffer) < size:
                return
            head, body = self._buffer[:end], self._buffer[end + 4 : size]
            self._buffer = self._buffer[size:]
            task = asyncio.get_running_loop().create_task(self._reply(head, body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _reply(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET /record"):
            self._write(200, {}, self._server.told())
        elif not head.startswith(b"POST"):
            # It is asked about its models, too: it knows nothing of that, and does not count it.
            self._write(404, {}, b"{}")
        elif self._server.is_down:
            self._transport.abort()
        else:
            self._write(*await self._server.answer(body))

    def _write(self, status: int, headers: dict[str, str], body: bytes) -> None:
        lines = [f"HTTP/1.1 {status} X", "content-type: application/json", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if not self._transport.is_closing():
            self._transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


async def main(port: int, rules: Rules) -> None:
    """Serves until it is ended."""
    server = StrictServer(rules)
    listener = await asyncio.get_running_loop().create_server(
        lambda: _Connection(server), "127.0.0.1", port, backlog=4096
    )
    await listener.serve_forever()


if __name__ == "__main__":
    try:
        import uvloop as runner
    except ImportError:
        runner = asyncio  # type: ignore[assignment]
    runner.run(main(int(sys.argv[1]), Rules(**json.loads(sys.argv[2]))))
