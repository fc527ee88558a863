"""Lines of a streamed answer made whole. Source of the facts: Ollama API documentation, streaming responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tui_batch.providers.classify import parse_json
from tui_batch.providers.sse import Lines
from tui_batch.providers.streams import cut_off, text_in, written

STREAMED = {"stream": True}
_TEXTS = ("content", "thinking")


class LineAssembler:
    """One JSON object a line; the last has `done: true`, the reason and the counts.

    An error in mid-stream is a line of its own. A body that is no such stream is passed on as it is.
    """

    def __init__(self) -> None:
        self._lines = Lines()
        self._pieces: dict[str, list[str]] = {}
        self._calls: list[Any] = []
        self._last: Mapping[str, Any] | None = None
        self._verdict: list[bytes] = []
        """What came in place of the answer, from its first line on."""

    def feed(self, piece: bytes) -> None:
        """Takes the next bytes. Never raises, whatever they are."""
        for line in self._lines.feed(piece):
            self._take(line)

    def finish(self) -> bytes:
        """The body of the equivalent whole answer. Raises TransportFailure when the stream was cut."""
        for line in self._lines.finish():
            self._take(line, is_last=True)
        if self._verdict:
            return b"\n".join(self._verdict)
        if self._last is None:
            raise cut_off()
        return written(self._whole(self._last))

    def _take(self, line: bytes, *, is_last: bool = False) -> None:
        if self._last is not None or not line.strip():
            return
        if self._verdict:
            self._verdict.append(line)
            return
        data = parse_json(line)
        if not isinstance(data, Mapping):
            if not (is_last and line.startswith(b"{")):  # the last line may simply have been cut
                self._verdict.append(line)
            return
        if data.get("error") or not self._add(data):
            self._verdict.append(line)
        elif data.get("done") is True:
            self._last = data

    def _add(self, data: Mapping[str, Any]) -> bool:
        """Takes one line of the answer; False when it is none."""
        message = data.get("message")
        if not isinstance(message, Mapping):
            if "response" not in data:
                return False
            self._keep("response", text_in(data, "response"))
            self._keep("thinking", text_in(data, "thinking"))
            return True
        for name in _TEXTS:
            self._keep(name, text_in(message, name))
        calls = message.get("tool_calls")
        self._calls += calls if isinstance(calls, list) else []
        return True

    def _keep(self, name: str, text: str) -> None:
        self._pieces.setdefault(name, [])
        if text:
            self._pieces[name].append(text)

    def _whole(self, last: Mapping[str, Any]) -> dict[str, Any]:
        texts = {name: "".join(pieces) for name, pieces in self._pieces.items() if pieces or name != "thinking"}
        message = last.get("message")
        if not isinstance(message, Mapping):
            return {**last, **texts}
        calls = {"tool_calls": self._calls} if self._calls else {}
        return {**last, "message": {**message, **texts, **calls}}
