"""A server that does almost nothing: a fixed chat completion after a fixed latency, as fast as a loop can write it.

Run: python -m bench.lean_server PORT LATENCY_SECONDS
It stands for the network and the provider, so it must never be the slower side: pin it to a core of its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

BODY = json.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "model": "bench",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "An answer."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25},
    }
).encode()
RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY


class LeanProtocol(asyncio.Protocol):
    """Reads requests by Content-Length and answers each after the latency."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            length = content_length(self._buffer[:end])
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._loop.call_later(self._latency_s, self._transport.write, RESPONSE)


def content_length(head: bytes) -> int:
    """The body's length that a request head announces; 0 when it announces none."""
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length:")
    if at < 0:
        return 0
    line_end = lower.find(b"\r\n", at + 2)
    return int(lower[at + 17 : line_end if line_end > 0 else None])


async def main(port: int, latency_s: float) -> None:
    """Serves until it is ended."""
    server = await asyncio.get_running_loop().create_server(
        lambda: LeanProtocol(latency_s), "127.0.0.1", port, backlog=4096
    )
    await server.serve_forever()


if __name__ == "__main__":
    try:
        import uvloop as runner
    except ImportError:
        runner = asyncio  # type: ignore[assignment]
    runner.run(main(int(sys.argv[1]), float(sys.argv[2])))
