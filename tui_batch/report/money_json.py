"""Money as JSON objects, in US dollars: what was spent, what models cost, what a job may come to.

The names are public: they change only with a version.
"""

from __future__ import annotations

from tui_batch.domain.job import NANO
from tui_batch.domain.request import Json
from tui_batch.domain.spending import CostRange, Spent
from tui_batch.domain.stored import CacheStats
from tui_batch.figures import usd
from tui_batch.money.prices import UnitPrices


def spent_json(spent: Spent) -> dict[str, Json]:
    """The fields of a line of `cost --json`; cost_usd is null once the price of one request is unknown."""
    return {
        "requests": spent.requests,
        "cached": spent.cached,
        "tokens_in": spent.tokens_in,
        "tokens_out": spent.tokens_out,
        "cost_usd": None if spent.unpriced else usd(spent.cost_nano),
        "known_cost_usd": usd(spent.cost_nano),
        "unpriced": spent.unpriced,
        "presumed_usd": usd(spent.presumed_nano),
        "saved_usd": usd(spent.saved_nano),
    }


def prices_json(held: UnitPrices) -> dict[str, Json]:
    """Dollars for a million tokens each; `above` lists the prices of longer prompts."""
    per_mtok = {
        **{"input": held.input, "output": held.output, "cached": held.cached, "cache_write": held.cache_write},
        **{"long_write": held.long_write, "sound": held.sound, "speech": held.speech},
    }
    return {
        **{name: None if price is None else float(price / 1_000) for name, price in per_mtok.items()},
        "gpu_hour": float(held.per_second * 3_600 / NANO),
        "batch": float(held.batch),
        "request": float(held.per_request / NANO),
        "web_search": None if held.web_search is None else float(held.web_search / NANO),
        "tiers": {name: float(factor) for name, factor in held.tiers},
        "source": held.source,
        "above": [{"tokens": tier.tokens, **prices_json(tier.prices)} for tier in held.above],
    }


def cost_range_json(cost: CostRange | None) -> dict[str, Json] | None:
    """Dollars between which a cost most likely lies; null: unknown."""
    return None if cost is None else {"low": usd(cost.low), "likely": usd(cost.likely), "high": usd(cost.high)}


def cache_json(stats: CacheStats) -> dict[str, Json]:
    """The fields of `cache stats --json`."""
    return {"entries": stats.entries, "bytes": stats.bytes, "hits": stats.hits, "saved_usd": usd(stats.saved_nano)}
