"""Jobs and items as JSON objects. The names are public: they change only with a version."""

from __future__ import annotations

from tui_batch.domain.job import NANO, Counters, Job
from tui_batch.domain.request import Json
from tui_batch.domain.stored import ErrorGroup, ItemRow
from tui_batch.figures import utc


def job_json(job: Job) -> dict[str, Json]:
    """The fields of `ls --json`. Times are ISO 8601 in UTC; `cost_usd` is null once one price is unknown."""
    counters = job.counters
    return {
        "id": job.id,
        "name": job.spec.name,
        "state": job.state.value,
        "reason": None if job.reason is None else job.reason.value,
        **counters_json(counters),
        "created_at": utc(job.created_at),
        "started_at": utc(job.started_at),
        "finished_at": utc(job.finished_at),
    }


def scored_job_json(job: Job, scores: tuple[int, float]) -> dict[str, Json]:
    """`show --json`: a job with the mean of its scores, given how many there are and their sum."""
    count, total = scores
    return {**job_json(job), "score_mean": total / count if count else None}


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
        "cost_usd": None if counters.unpriced else counters.cost_nano / NANO,
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
        "cost_usd": None if row.cost_nano is None else row.cost_nano / NANO,
        "latency_ms": row.latency_ms,
        "cached": row.cached,
        "started_at": utc(row.started_at),
        "finished_at": utc(row.finished_at),
        "score": row.score,
        "excerpt": row.excerpt,
    }


def error_json(group: ErrorGroup) -> dict[str, Json]:
    """A group of dead items as `errors --json` shows it."""
    return {
        "class": group.cls.value,
        "count": group.count,
        "message": group.message,
        "example_item": group.example_id,
        "example": group.example,
    }
