"""The most that a request can cost: what a budget sets aside before it is sent."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from tui_batch.domain.values import immutable
from tui_batch.money.exposure import Exposure
from tui_batch.money.prices import IN_REGION, UnitPrices, summed

REGION = max(IN_REGION.values())
"""Where a request is worked on may be a setting of the account: it is reckoned to be where that costs most."""


@immutable(frozen=True, slots=True)
class Ceiling:
    """The most that a request can cost."""

    nano: int | None
    """Nano-dollars, rounded up; None: nothing bounds it."""
    why: str = ""
    """Why nothing does, naming the parameter."""


def ceiling(use: Exposure, prices: UnitPrices, window: int | None, seconds: float = 0.0) -> Ceiling:
    """The most that a request can cost on a deployment.

    `window`: tokens of the model's context, where that is known: neither a prompt nor an answer is longer.
    `seconds`: the longest that the request may take, for servers that are paid by the hour.
    """
    besides = prices.per_request
    if prices.per_second:
        besides += prices.per_second * Fraction(seconds)
    if not prices.costs_tokens:
        return Ceiling(math.ceil(besides))
    factor = prices.factor(use.tier)
    if why := use.unbounded or _missing(use, prices, window, factor):
        return Ceiling(None, why)
    tokens_in = max(use.tokens_in, window or 0) if use.files else use.tokens_in
    one = use.tokens_out if use.tokens_out is not None else window or 0
    tokens_out = one * use.answers + use.more_out
    levels = [prices, *(tier.prices for tier in prices.above if tokens_in > tier.tokens)]
    total, per = summed(((tokens_in, _dearest_in(use, levels)), (tokens_out, _dearest_out(use, levels))))
    assert factor is not None  # else it is missing
    total *= factor.numerator * REGION.numerator
    per *= factor.denominator * REGION.denominator
    return Ceiling(-(-total // per) + math.ceil(besides))


def floor_of(use: Exposure, prices: UnitPrices, window: int | None, seconds: float = 0.0) -> int:
    """As `ceiling`, leaving out all that nothing bounds: what is set aside where a cap need not hold."""
    known = replace(
        use,
        tokens_out=use.tokens_out if use.tokens_out is not None or window is not None else 0,
        files=use.files if window is not None else "",
        hears=use.hears and prices.sound is not None,
        speaks=use.speaks and prices.speech is not None,
        tier=use.tier if prices.factor(use.tier) is not None else "",
        unbounded="",
    )
    return ceiling(known, prices, window, seconds).nano or 0


def _missing(use: Exposure, prices: UnitPrices, window: int | None, factor: Fraction | None) -> str:
    """What would have to be known to bound a request."""
    if factor is None:
        return (
            f"service_tier: what `{use.tier}` costs for this model is not known; leave it out, or give prices[].tiers"
        )
    if (use.hears and prices.sound is None) or (use.speaks and prices.speech is None):
        return "messages or modalities: what sound costs for this model is not known"
    if window is None and use.files:
        return f"messages: {use.files} have no known size, nor has the context; give it in the settings (windows:)"
    if window is None and use.tokens_out is None and (prices.output or prices.speech):
        return "nothing bounds the answers; set the parameter max_tokens"
    return ""


def _dearest_in(use: Exposure, levels: Iterable[UnitPrices]) -> Fraction:
    """The highest price that a token of the prompt can have."""
    kinds: list[Fraction | None] = []
    for level in levels:
        kinds += [level.input, level.cached, level.cache_write]
        kinds += [level.for_long_write] if use.long_write else []
        kinds += [level.sound] if use.hears else []
    return max(price for price in kinds if price is not None)


def _dearest_out(use: Exposure, levels: Iterable[UnitPrices]) -> Fraction:
    return max(max(level.output, level.speech or level.output) if use.speaks else level.output for level in levels)
