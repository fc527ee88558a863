"""Reading a response piece by piece, never waiting longer than a stall's bound. Both transports read streams so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from tui_batch.domain.request import Timeouts
from tui_batch.providers.base import Assembler, FailureKind, TransportFailure, TransportTimeout


class Verbatim:
    """An assembler for what is no stream: errors, answers in one piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def feed(self, piece: bytes) -> None:
        """See Assembler."""
        self._pieces.append(piece)

    def finish(self) -> bytes:
        """See Assembler."""
        return b"".join(self._pieces)


class Patience:
    """The bound on silence: first until a byte of the body has come, then between two pieces."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._has_begun = False
        self._cancelling = 0
        self._bound = asyncio.timeout(timeouts.first_byte_s)

    async def __aenter__(self) -> Patience:
        self._cancelling = _cancelling()
        await self._bound.__aenter__()
        return self

    async def __aexit__(self, *about: object) -> None:
        """Raises TransportTimeout when the silence was too long."""
        try:
            await self._bound.__aexit__(*about)  # type: ignore[arg-type]
        except TimeoutError:
            raise TransportTimeout(self._words()) from None

    def heard(self) -> None:
        """A piece has come: the time of the next one begins.

        A cancellation that met a piece on its way (pyreqwest then hands over the piece) is made good here.
        """
        if _cancelling() > self._cancelling:
            raise asyncio.CancelledError
        self._has_begun = True
        stall_s = self._timeouts.stall_s
        self._bound.reschedule(None if stall_s is None else asyncio.get_running_loop().time() + stall_s)

    def _words(self) -> str:
        if self._has_begun:
            return f"the answer stalled: nothing more came for {self._timeouts.stall_s:g} s"
        return f"no first byte of an answer within {self._timeouts.first_byte_s:g} s"


def _cancelling() -> int:
    """How many cancellations of this task are under way."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


async def read_pieces(pieces: AsyncIterator[bytes], assembler: Assembler, patience: Patience, limit: int) -> bytes:
    """The whole body. Raises TransportFailure for one larger than `limit` bytes, and what the assembler raises."""
    size = 0
    async for piece in pieces:
        patience.heard()
        size += len(piece)
        if size > limit:
            raise too_large(limit)
        assembler.feed(piece)
    return assembler.finish()


def too_large(limit: int) -> TransportFailure:
    """The response is beyond the transport's bound."""
    return TransportFailure(FailureKind.TOO_LARGE, f"the response is larger than {limit:,} bytes")


def reader_of(status: int, assembler: Assembler) -> Assembler:
    """The request's assembler for an answer; errors come whole, whatever was asked for."""
    return assembler if 200 <= status < 300 else Verbatim()
