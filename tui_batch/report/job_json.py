"""Jobs and items as JSON objects. The names are public: they change only with a version."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson

from tui_batch.domain.item import Attempt
from tui_batch.domain.job import UNREADABLE, Counters, Job
from tui_batch.domain.quality import FailedCheck
from tui_batch.domain.request import Json, Message
from tui_batch.domain.stored import ErrorGroup, ItemDetail, ItemRow
from tui_batch.figures import usd, utc
from tui_batch.quality.alerts import ToldAlert


def job_json(job: Job) -> dict[str, Json]:
    """The fields of `ls --json`. Times are ISO 8601 in UTC; `cost_usd` is null once one price is unknown."""
    counters = job.counters
    return {
        "id": job.id,
        "name": job.spec.name,
        "state": UNREADABLE if job.trouble else job.state.value,
        "reason": None if job.reason is None else job.reason.value,
        **counters_json(counters),
        "created_at": utc(job.created_at),
        "started_at": utc(job.started_at),
        "finished_at": utc(job.finished_at),
    }


def watched_job_json(job: Job, scores: tuple[int, float], alerts: Sequence[ToldAlert]) -> dict[str, Json]:
    """`show --json`: a job with the mean of its scores, given how many there are and their sum, and its alerts."""
    count, total = scores
    mean = total / count if count else None
    return {**job_json(job), "score_mean": mean, "alerts": [alert_json(told) for told in alerts]}


def alert_json(told: ToldAlert) -> dict[str, Json]:
    """What was told when answers got worse: figures of the last window and of what it was compared with."""
    alert = told.alert
    return {
        "at": utc(told.at),
        "ended_at": utc(told.ended_at),
        "text": str(alert),
        "signal": alert.signal.value,
        "against": alert.against.value,
        "now": alert.now,
        "then": alert.then,
        "window": alert.window,
        "statistic": alert.statistic,
        "freedom": alert.freedom,
        "rows": list(alert.rows),
        "items": list(alert.item_ids),
    }


def counters_json(counters: Counters) -> dict[str, Json]:
    """A job's figures: items by state, tokens, money."""
    return {
        "total": counters.total,
        "done": counters.done,
        "dead": counters.dead,
        "pending": counters.pending,
        "cancelled": counters.cancelled,
        "cached": counters.cached,
        "tokens_in": counters.tokens_in,
        "tokens_out": counters.tokens_out,
        "cost_usd": None if counters.unpriced else usd(counters.cost_nano),
    }


def item_json(row: ItemRow) -> dict[str, Json]:
    """An item as `items --json` shows it; `excerpt` is the beginning of its answer or of its error's message."""
    return {
        "id": row.id,
        "seq": row.seq,
        "line": row.line,
        "custom_id": row.custom_id,
        "state": row.state.value,
        "class": None if row.cls is None else row.cls.value,
        "priority": row.priority,
        "attempts": row.attempts,
        "requests": row.requests,
        "model": row.model,
        "endpoint": row.endpoint,
        "tokens_in": row.tokens_in,
        "tokens_out": row.tokens_out,
        "cost_usd": usd(row.cost_nano),
        "latency_ms": row.latency_ms,
        "cached": row.cached,
        "started_at": utc(row.started_at),
        "finished_at": utc(row.finished_at),
        "score": row.score,
        "excerpt": row.excerpt,
    }


def item_detail_json(
    detail: ItemDetail, messages: Sequence[Message] | None, alerts: Sequence[ToldAlert]
) -> dict[str, Json]:
    """`item --json`: an item with its row, its prompt as sent, its answer, its failed requests and the job's alerts
    that name it. `messages` is None where no request can be made of the row.
    """
    return {
        **item_json(detail.row),
        "row": orjson.loads(detail.data),
        "messages": None if messages is None else [{"role": one.role, "content": one.content} for one in messages],
        "response": detail.text,
        "message": detail.message,
        "checks": failed_json(detail.failing),
        "reason": detail.reason or None,
        "alerts": [alert_json(told) for told in alerts],
        "attempts_failed": [attempt_json(one) for one in detail.attempts],
    }


def attempt_json(one: Attempt) -> dict[str, Json]:
    """A failed request of an item."""
    return {
        "number": one.number,
        "at": utc(one.at),
        "class": one.cls.value,
        "status": one.status,
        "model": one.deployment.model,
        "endpoint": one.deployment.endpoint,
        "message": one.message,
        "checks": failed_json(one.failing),
    }


def failed_json(failing: Iterable[FailedCheck]) -> list[Json] | None:
    """The checks that an answer fails; null where there are none."""
    return [{"check": one.check, "field": one.field, "message": one.message} for one in failing] or None


def error_json(group: ErrorGroup) -> dict[str, Json]:
    """A group of dead items as `errors --json` shows it."""
    return {
        "class": group.cls.value,
        "count": group.count,
        "message": group.message,
        "example_item": group.example_id,
        "example": group.example,
    }
