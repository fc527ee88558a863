"""Chunks of a chat completion made whole. Source of the facts: OpenAI API reference, chat completions, streaming."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tui_batch.providers.streams import EventAssembler, cut_off, text_in, written

DONE = b"[DONE]"
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}
"""Usage comes in a last chunk without choices, and only when asked for."""
_TEXTS = ("reasoning_content", "reasoning", "refusal")
"""Texts beside the content that come in pieces; the first two are what DeepSeek and OpenRouter call the same thing."""


class ChatAssembler(EventAssembler):
    """Chunks with `choices[].delta`, then usage, then [DONE].

    Servers that leave [DONE] out are believed when every choice has its finish_reason.
    """

    def __init__(self) -> None:
        super().__init__()
        self._head: dict[str, Any] = {}
        self._usage: Any = None
        self._choices: dict[int, _Choice] = {}
        self._done = False

    def _is_end(self, data: bytes) -> bool:
        self._done = self._done or data.strip() == DONE
        return self._done

    def _add(self, data: Mapping[str, Any]) -> None:
        if self._done:
            return
        for name in ("id", "created", "model", "system_fingerprint", "service_tier"):
            if data.get(name) is not None:
                self._head.setdefault(name, data[name])
        self._usage = data.get("usage") or self._usage  # some servers send it with every chunk: the last one counts
        choices = data.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, Mapping):
                index = choice.get("index")
                self._choices.setdefault(index if isinstance(index, int) else 0, _Choice()).add(choice)

    def _whole(self) -> bytes:
        choices = [choice.whole(index) for index, choice in sorted(self._choices.items())]
        if not self._done and not (choices and all(_has_ended(choice) for choice in choices)):
            raise cut_off()
        body = {**self._head, "object": "chat.completion", "choices": choices}
        return written(body if self._usage is None else {**body, "usage": self._usage})


def _has_ended(choice: Mapping[str, Any]) -> bool:
    return bool(choice["finish_reason"] or choice.get("error"))


class _Choice:
    """One of the answers."""

    def __init__(self) -> None:
        self._content: list[Any] = []
        self._texts: dict[str, list[str]] = {}
        self._calls: list[_ToolCall] = []
        self._calls_by_index: dict[int, _ToolCall] = {}
        self._function: _Function | None = None
        self._finish: Any = None
        self._error: Any = None

    def add(self, choice: Mapping[str, Any]) -> None:
        """Takes one chunk's share."""
        self._finish = choice.get("finish_reason") or self._finish
        self._error = choice.get("error") or self._error
        delta = choice.get("delta") or choice.get("message")
        if not isinstance(delta, Mapping):
            delta = {"content": choice.get("text")}
        content = delta.get("content")
        if isinstance(content, str):
            self._content.append(content)
        elif isinstance(content, list):  # Mistral: parts, of which some are thinking
            self._content += content
        for name in _TEXTS:
            if text := text_in(delta, name):
                self._texts.setdefault(name, []).append(text)
        if isinstance(called := delta.get("function_call"), Mapping):
            self._function = self._function or _Function()
            self._function.add(called)
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, Mapping):
                self._call(call).add(call)

    def _call(self, piece: Mapping[str, Any]) -> _ToolCall:
        """The call that a piece belongs to. Gemini gives no index: there every piece with an id is a call."""
        index = piece.get("index")
        if isinstance(index, int):
            found = self._calls_by_index.get(index)
        else:
            found = self._calls[-1] if self._calls and not piece.get("id") else None
        if found is None:
            found = _ToolCall()
            self._calls.append(found)
            if isinstance(index, int):
                self._calls_by_index[index] = found
        return found

    def whole(self, index: int) -> dict[str, Any]:
        """As it stands in a whole answer."""
        message: dict[str, Any] = {"role": "assistant", "content": self._joined()}
        message |= {name: "".join(pieces) for name, pieces in self._texts.items()}
        if self._calls:
            message["tool_calls"] = [call.whole() for call in self._calls]
        if self._function is not None:
            message["function_call"] = self._function.whole()
        choice = {"index": index, "message": message, "finish_reason": self._finish}
        return choice if self._error is None else {**choice, "error": self._error}

    def _joined(self) -> Any:
        """None when there is nothing but calls or a refusal, as in a whole answer."""
        if any(not isinstance(piece, str) for piece in self._content):
            return [{"type": "text", "text": piece} if isinstance(piece, str) else piece for piece in self._content]
        beside = self._calls or self._function is not None or "refusal" in self._texts
        return "".join(self._content) or (None if beside or not self._content else "")


class _Function:
    """A function's name, which comes at once, and its arguments, which come in pieces."""

    def __init__(self) -> None:
        self._name = ""
        self._arguments: list[str] = []

    def add(self, piece: Mapping[str, Any]) -> None:
        """Takes one piece."""
        self._name = self._name or text_in(piece, "name")
        self._arguments.append(text_in(piece, "arguments"))

    def whole(self) -> dict[str, Any]:
        """As it stands in a whole answer."""
        return {"name": self._name, "arguments": "".join(self._arguments)}


class _ToolCall:
    """A call of a tool."""

    def __init__(self) -> None:
        self._id: Any = None
        self._kind = "function"
        self._function = _Function()

    def add(self, piece: Mapping[str, Any]) -> None:
        """Takes one piece."""
        self._id = self._id or piece.get("id")
        self._kind = text_in(piece, "type") or self._kind
        if isinstance(function := piece.get("function"), Mapping):
            self._function.add(function)

    def whole(self) -> dict[str, Any]:
        """As it stands in a whole answer."""
        return {"id": self._id, "type": self._kind, "function": self._function.whole()}
