"""Estimates, endpoints and their models as JSON objects. The names are public: they change only with a version."""

from __future__ import annotations

from tui_batch.domain.request import Json
from tui_batch.report.money_json import cost_range_json
from tui_batch.work.estimating import Estimate, ModelShare, TokenRange
from tui_batch.work.reach import Listing, Reachable
from tui_batch.work.strategies import Strategy


def estimate_json(found: Estimate) -> dict[str, Json]:
    """`estimate --json`: all of an estimate; money in dollars, null where unknown."""
    return {
        "rows": found.rows,
        "counted": found.counted,
        "requests": found.requests,
        "unsendable": found.unsendable,
        "models": [_share(share) for share in found.shares],
        "cost_usd": cost_range_json(found.cost),
        "strategies": [_way(way) for way in found.strategies],
    }


def _share(share: ModelShare) -> dict[str, Json]:
    return {
        "model": share.key.model,
        "endpoint": share.key.endpoint,
        "requests": share.requests,
        "tokens_in": _tokens(share.tokens_in),
        "tokens_out": _tokens(share.tokens_out),
        "cost_usd": cost_range_json(share.cost),
        "basis": share.basis,
    }


def _tokens(found: TokenRange) -> dict[str, Json]:
    return {"low": found.low, "likely": found.likely, "high": found.high}


def _way(way: Strategy) -> dict[str, Json]:
    return {
        "name": way.name,
        "cost_usd": cost_range_json(way.cost),
        "seconds": way.seconds,
        "expected_429": way.refusals,
        "reason": way.reason,
    }


def listing_json(listing: Listing) -> dict[str, Json]:
    """An entry of `models --json`; `error` says why an endpoint lists none."""
    return {
        "endpoint": listing.endpoint.name,
        "base_url": listing.endpoint.base_url,
        "models": [
            {"id": model.id, "context_length": model.context_length, "detail": model.detail} for model in listing.models
        ],
        "error": listing.trouble or None,
    }


def endpoint_json(entry: Reachable) -> dict[str, Json]:
    """An entry of `endpoints --json`; `key` says where the key is kept, never what it is."""
    return {
        "name": entry.endpoint.name,
        "api": entry.endpoint.api.value,
        "base_url": entry.endpoint.base_url,
        "key": str(entry.endpoint.key),
        "status": entry.status,
        "origin": entry.origin,
    }
