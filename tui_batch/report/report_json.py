"""A report as JSON. The names are public, listed in docs/reports.md: they change only with VERSION."""

from __future__ import annotations

import orjson

from tui_batch.domain.request import Json
from tui_batch.figures import usd, utc
from tui_batch.report.comparison_json import comparison_json
from tui_batch.report.job_json import alert_json, error_json, failed_json
from tui_batch.report.model import Report
from tui_batch.report.spread import Spread
from tui_batch.store.failing_queries import FailingItem
from tui_batch.store.report_queries import DeadItem, ModelFigures, Slice

VERSION = 1
"""Raised when a field changes its meaning or goes away."""
FIRST_ERRORS = 10


def report_json(report: Report) -> bytes:
    """The whole report, indented."""
    return orjson.dumps(report_object(report), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def report_object(report: Report) -> dict[str, Json]:
    """The whole report as plain values."""
    return {"report_version": VERSION, **_job(report), **_counts(report), **_rates(report), **_parts(report)}


def _job(report: Report) -> dict[str, Json]:
    job = report.job
    return {
        "made_at": utc(report.made_at),
        "job_id": job.id,
        "name": job.spec.name,
        "status": job.state.value,
        "reason": None if job.reason is None else job.reason.value,
        "message": job.message,
        "created_at": utc(job.created_at),
        "started_at": utc(job.started_at),
        "finished_at": utc(job.finished_at),
    }


def _counts(report: Report) -> dict[str, Json]:
    counters = report.job.counters
    return {
        "total_items": counters.total,
        "processed_items": report.processed,
        "done_items": counters.done,
        "failed_items": counters.dead,
        "pending_items": counters.pending,
        "cancelled_items": counters.cancelled,
        "cached_items": counters.cached,
        "requests": counters.requests,
        "tokens_in": counters.tokens_in,
        "tokens_out": counters.tokens_out,
        "tokens_total": counters.tokens_in + counters.tokens_out,
        "cost_usd": None if counters.unpriced else usd(counters.cost_nano),
        "known_cost_usd": usd(counters.cost_nano),
        "unpriced_requests": counters.unpriced,
        "saved_usd": usd(counters.saved_nano),
    }


def _rates(report: Report) -> dict[str, Json]:
    return {
        "elapsed_s": report.elapsed_s,
        "items_per_s": report.items_per_s,
        "success_rate": report.success_rate,
        "cache_hit_rate": report.cache_hit_rate,
        "latency_ms": spread_json(report.latency),
    }


def _parts(report: Report) -> dict[str, Json]:
    figures = report.figures
    line = figures.timeline
    compared = report.comparison
    return {
        "models": [_model(one, report) for one in figures.models],
        "dead_by_class": {cls.value: number for cls, number in figures.dead_by_class.items()},
        "failed_requests_by_class": {cls.value: number for cls, number in figures.failed_requests.items()},
        "errors": [error_json(group) for group in figures.groups],
        "first_errors": [_dead(item) for item in figures.dead[:FIRST_ERRORS]],
        "dead_letters": [_dead(item) for item in figures.dead],
        "flags": {flag.word: number for flag, number in figures.flags.items()},
        "score": _score(report),
        "failing_checks": [
            {"check": one.check, "field": one.field, "taken": one.taken, "dead": one.dead} for one in figures.failing
        ],
        "failing_answers": [_failing(one) for one in figures.failing_items],
        "alerts": [alert_json(told) for told in figures.alerts],
        "timeline": None if line is None else {"slice_s": line.width_s, "slices": [_slice(one) for one in line.slices]},
        "comparison": None if compared is None else comparison_json(compared),
        "settings": dict(report.settings),
        "environment": dict(report.environment),
        "log": [{"at": utc(event.at), "level": event.level, "text": event.text} for event in figures.events],
    }


def spread_json(spread: Spread | None) -> Json:
    """Latencies in milliseconds; null without answers."""
    if spread is None:
        return None
    bins = [{"from": one.low_ms, "to": one.high_ms, "count": one.count} for one in spread.bins]
    return {
        "count": spread.count,
        "mean": spread.mean,
        "p50": spread.p50,
        "p95": spread.p95,
        "p99": spread.p99,
        "max": spread.longest,
        "bins": bins,
    }


def _model(one: ModelFigures, report: Report) -> dict[str, Json]:
    latency = report.latency_by_deployment.get((one.model or "", one.endpoint)) if one.endpoint is not None else None
    return {
        "model": one.model,
        "endpoint": one.endpoint,
        "items": one.items,
        "done": one.done,
        "failed": one.dead,
        "cached": one.cached,
        "requests": one.requests,
        "tokens_in": one.tokens_in,
        "tokens_out": one.tokens_out,
        "cost_usd": None if one.unpriced else usd(one.cost_nano),
        "saved_usd": usd(one.saved_nano),
        "latency_p50_ms": None if latency is None else latency.p50,
        "latency_p95_ms": None if latency is None else latency.p95,
        "score": None if one.scores is None else one.scores.mean,
    }


def _dead(item: DeadItem) -> dict[str, Json]:
    return {
        "item": item.id,
        "line": item.line,
        "custom_id": item.custom_id,
        "class": None if item.cls is None else item.cls.value,
        "message": item.message,
        "requests": item.requests,
        "model": item.model,
        "row": item.row,
        "answer": item.answer,
    }


def _score(report: Report) -> Json:
    """Null when no item has a score."""
    summary = report.score
    if summary is None:
        return None
    interval = summary.interval
    return {
        "count": summary.count,
        "mean": summary.mean,
        "low_95": None if interval is None else interval.low,
        "high_95": None if interval is None else interval.high,
        "bins": list(report.figures.score_bins),
        "lowest": [
            {
                "item": one.id,
                "line": one.line,
                "custom_id": one.custom_id,
                "score": one.score,
                "answer": one.answer,
                "reason": one.reason or None,
                "model": one.model,
            }
            for one in report.figures.lowest
        ],
    }


def _failing(one: FailingItem) -> dict[str, Json]:
    return {
        "item": one.id,
        "line": one.line,
        "custom_id": one.custom_id,
        "state": one.state.value,
        "checks": failed_json(one.failing),
        "reason": one.reason or None,
        "model": one.model,
        "answer": one.answer,
    }


def _slice(one: Slice) -> dict[str, Json]:
    return {
        "start_s": one.start_s,
        "done": one.done,
        "failed": one.dead,
        "cached": one.cached,
        "tokens": one.tokens,
        "cost_usd": usd(one.cost_nano),
        "score": one.score,
    }
