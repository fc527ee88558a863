"""A comparison as JSON. The names are public, listed in docs/reports.md."""

from __future__ import annotations

import orjson

from tui_batch.domain.request import Json
from tui_batch.figures import usd
from tui_batch.report.comparing import Agreement, Comparison, Contender, Example, Standing, Verdict
from tui_batch.report.intervals import Interval


def comparison_json(comparison: Comparison) -> dict[str, Json]:
    """The whole comparison as plain values."""
    return {
        "rows": comparison.rows,
        "unmatched": comparison.unmatched,
        "contenders": [_standing(one) for one in comparison.standings],
        "agreement": [_agreement(one) for one in comparison.agreements],
        "winners": [_verdict(one) for one in comparison.verdicts],
        "examples": [_example(one, comparison) for one in comparison.examples],
    }


def _label(contender: Contender | None) -> str | None:
    return None if contender is None else contender.label


def _interval(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def _standing(one: Standing) -> dict[str, Json]:
    return {
        "label": one.contender.label,
        "job": one.contender.job_id,
        "model": one.contender.model,
        "done": one.done,
        "dead": one.dead,
        "cached": one.cached,
        "score": one.score,
        "score_95": _interval(one.score_interval),
        "scored": one.scored,
        "cost_usd": usd(one.cost_nano),
        "latency_ms": one.latency_ms,
        "latency_mean_ms": one.latency_mean_ms,
        "tokens_in": one.tokens_in,
        "tokens_out": one.tokens_out,
    }


def _agreement(one: Agreement) -> dict[str, Json]:
    return {
        "left": one.left.label,
        "right": one.right.label,
        "rows": one.rows,
        "same": one.same,
        "share": one.same / one.rows if one.rows else None,
        "share_95": _interval(one.interval),
        "kappa": one.kappa,
    }


def _verdict(one: Verdict) -> dict[str, Json]:
    return {"criterion": one.criterion.value, "winner": _label(one.winner), "reason": one.reason}


def _example(one: Example, comparison: Comparison) -> dict[str, Json]:
    labels = [standing.contender.label for standing in comparison.standings]
    return {
        "line": one.line,
        "custom_id": one.custom_id,
        "row": orjson.loads(one.row),
        "answers": dict(zip(labels, one.answers, strict=True)),
    }
