"""Events of a streamed message made whole. Source of the facts: Anthropic API reference, "Streaming messages"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tui_batch.providers.classify import parse_json
from tui_batch.providers.streams import EventAssembler, cut_off, text_in, written

STREAMED = {"stream": True}
_PIECES = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
"""Kinds of deltas, and the field of the block that each of them is a piece of."""


class MessageAssembler(EventAssembler):
    """message_start, blocks in pieces, message_delta with the stop reason and usage, message_stop. Pings in between."""

    def __init__(self) -> None:
        super().__init__()
        self._message: dict[str, Any] = {}
        self._blocks: dict[int, _Block] = {}
        self._usage: dict[str, Any] = {}
        self._done = False

    def _add(self, data: Mapping[str, Any]) -> None:
        match data.get("type"):
            case "message_start" if isinstance(message := data.get("message"), Mapping):
                self._message = dict(message)
                self._count(message)
            case "content_block_start" if isinstance(block := data.get("content_block"), Mapping):
                self._blocks[_index(data)] = _Block(block)
            case "content_block_delta" if isinstance(delta := data.get("delta"), Mapping):
                self._blocks.setdefault(_index(data), _Block({"type": "text", "text": ""})).add(delta)
            case "message_delta":
                if isinstance(delta := data.get("delta"), Mapping):
                    self._message |= delta
                self._count(data)
            case "message_stop":
                self._done = True

    def _count(self, data: Mapping[str, Any]) -> None:
        """Later counts replace earlier ones: those of message_delta are totals."""
        usage = data.get("usage")
        if isinstance(usage, Mapping):
            self._usage |= {name: value for name, value in usage.items() if value is not None}

    def _whole(self) -> bytes:
        if not self._done and not self._message.get("stop_reason"):
            raise cut_off()
        content = [block.whole() for _, block in sorted(self._blocks.items())]
        return written({**self._message, "content": content, "usage": self._usage})


def _index(data: Mapping[str, Any]) -> int:
    index = data.get("index")
    return index if isinstance(index, int) else 0


class _Block:
    """One block of the content."""

    def __init__(self, opening: Mapping[str, Any]) -> None:
        self._opening = opening
        self._pieces: dict[str, list[str]] = {}
        self._citations: list[Any] = []

    def add(self, delta: Mapping[str, Any]) -> None:
        """Takes one piece."""
        kind = delta.get("type")
        if kind == "input_json_delta":
            self._pieces.setdefault("input", []).append(text_in(delta, "partial_json"))
        elif kind == "citations_delta":
            self._citations.append(delta.get("citation"))
        elif (field := _PIECES.get(str(kind))) is not None:
            self._pieces.setdefault(field, []).append(text_in(delta, field))

    def whole(self) -> dict[str, Any]:
        """As it stands in a whole message."""
        block = dict(self._opening)
        for field, pieces in self._pieces.items():
            joined = "".join(pieces)
            if field == "input":
                block[field] = parse_json(joined.encode("utf-8", "surrogatepass")) if joined else block.get(field, {})
            else:
                block[field] = text_in(block, field) + joined
        return {**block, "citations": self._citations} if self._citations else block
