"""Results as OpenAI Batch output, so that what reads a batch's result file reads ours. Pure functions.

Source: OpenAI API reference, Batch, "the request output object": id, custom_id, response {status_code, request_id,
body} or error {code, message}; the bodies are a chat completion object and a list of embedding objects.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from tui_batch.domain.endpoint import Operation
from tui_batch.domain.item import ItemState
from tui_batch.domain.request import Json
from tui_batch.domain.stored import ExportRow

_FINISH: Mapping[str, str] = {
    # Anthropic's words and Ollama's, where they differ from OpenAI's.
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def batch_line(row: ExportRow, operation: Operation) -> dict[str, Json] | None:
    """One line of a Batch output file; None for an item without an outcome, which such a file does not name."""
    if row.state not in (ItemState.DONE, ItemState.DEAD):
        return None
    done = row.state is ItemState.DONE
    return {
        "id": f"batch_req_{row.id}",
        "custom_id": row.custom_id if row.custom_id is not None else f"row-{row.seq + 1}",
        "response": _response(row, operation) if done else None,
        "error": None if done else {"code": row.cls.value if row.cls else "error", "message": row.message},
    }


def _response(row: ExportRow, operation: Operation) -> dict[str, Json]:
    body = _embeddings(row) if operation is Operation.EMBED else _completion(row)
    return {"status_code": 200, "request_id": row.request_id, "body": body}


def _completion(row: ExportRow) -> dict[str, Json]:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": row.text, "refusal": None},
        "logprobs": None,
        "finish_reason": _FINISH.get(row.finish_reason or "", row.finish_reason),
    }
    return {
        "id": row.request_id or f"item-{row.id}",
        "object": "chat.completion",
        "created": int(row.finished_at or 0),
        "model": row.model,
        "choices": [choice],
        "usage": _usage(row, {"completion_tokens": row.tokens_out or 0}),
    }


def _embeddings(row: ExportRow) -> dict[str, Json]:
    vector: Json = orjson.loads(row.text) if row.text else []
    one = {"object": "embedding", "index": 0, "embedding": vector}
    return {"object": "list", "data": [one], "model": row.model, "usage": _usage(row, {})}


def _usage(row: ExportRow, answered: Mapping[str, int]) -> dict[str, Json] | None:
    """What the server counted; None where it said nothing."""
    if row.tokens_in is None and row.tokens_out is None:
        return None
    tokens_in = row.tokens_in or 0
    return {"prompt_tokens": tokens_in, **answered, "total_tokens": tokens_in + sum(answered.values())}
