"""From a stored item to a line of a result file. Pure functions.

A line has the row's own columns first, then RESULT_FIELDS. These names are public: they change only with a version.
"""

from __future__ import annotations

import orjson

from tui_batch import figures
from tui_batch.domain.columns import own_columns
from tui_batch.domain.endpoint import Operation
from tui_batch.domain.item import ItemFlag, ItemState
from tui_batch.domain.request import Json
from tui_batch.domain.stored import ExportRow
from tui_batch.report.job_json import failed_json

RESULT_FIELDS = (
    "response",
    "status",
    "error",
    "model",
    "usage",
    "cost_usd",
    "latency_ms",
    "cached",
    "finish_reason",
    "custom_id",
    "flags",
    "score",
    "checks",
    "reason",
)
"""Added to the row's own columns, always all of them and in this order."""


def result_line(row: ExportRow, operation: Operation) -> dict[str, Json]:
    """One line of a result file.

    `response` is the answer's text; for embeddings a list of numbers. `status` is done, dead, pending or cancelled.
    `error` is `class: message` of a dead item, else null. `usage` is `{input_tokens, output_tokens}`, null where
    the server did not say. `cost_usd` is null when unknown, never 0 for unknown. `flags` is a remark on the answer,
    null for most: truncated (a length limit cut it), prompt_cut (the server read only a part of the prompt),
    check_failed or unjudged; several with a space between them. `score` is what the job's checks gave the answer, 0
    to 1; null where none gives one. `checks` are those that the answer fails, each with `check`, `field` and
    `message`; null where it fails none. `reason` is in the judge's words; null where none spoke.

    An own column that has the name of one of RESULT_FIELDS is kept as `input_<name>`, but for a `custom_id` that says
    the same.
    """
    line = own_columns(orjson.loads(row.data), row.custom_id, RESULT_FIELDS)
    line.update(_outcome(row, operation))
    return line


def _outcome(row: ExportRow, operation: Operation) -> dict[str, Json]:
    known = row.tokens_in is not None or row.tokens_out is not None
    return {
        "response": _response(row, operation),
        "status": row.state.value,
        "error": error_words(row),
        "model": row.model,
        "usage": {"input_tokens": row.tokens_in, "output_tokens": row.tokens_out} if known else None,
        "cost_usd": figures.usd(cost_nano(row)),
        "latency_ms": row.latency_ms,
        "cached": row.cached,
        "finish_reason": row.finish_reason,
        "custom_id": row.custom_id,
        "flags": _flags(row.flags),
        "score": row.score,
        "checks": failed_json(row.failing),
        "reason": row.reason,
    }


def cost_nano(row: ExportRow) -> int | None:
    """Nano-dollars an item cost; None: unknown, or not ended. What was never sent, and a cache hit, cost nothing."""
    if row.state not in (ItemState.DONE, ItemState.DEAD):
        return None
    unsent = row.attempts == 0 and (row.cached or row.endpoint is None)
    return 0 if row.cost_nano is None and unsent else row.cost_nano


def error_words(row: ExportRow) -> str | None:
    """Why an item is dead, beginning with the error's class; None for every other item."""
    if row.state is not ItemState.DEAD:
        return None
    name = row.cls.value if row.cls is not None else "error"
    return f"{name}: {row.message}" if row.message else name


def _flags(flags: ItemFlag) -> str | None:
    return " ".join(flag.word for flag in ItemFlag if flag in flags) or None


_FLAGS = {
    ItemFlag.TRUNCATED: ("answer", "cut by a length limit"),
    ItemFlag.PROMPT_CUT: ("prompt", "cut by the server, which read only a part"),
    ItemFlag.CHECK_FAILED: ("answer", "taken although a check fails"),
    ItemFlag.UNJUDGED: ("answer", "without a score of the judge, which could not be had"),
}


def flag_words(flag: ItemFlag, number: int) -> str:
    """How many answers have a remark: `3 answers cut by a length limit`."""
    thing, words = _FLAGS[flag]
    return f"{figures.things(number, thing)} {words}"


def _response(row: ExportRow, operation: Operation) -> Json:
    if row.text is None or operation is not Operation.EMBED:
        return row.text
    try:
        return orjson.loads(row.text)
    except orjson.JSONDecodeError:
        return row.text
