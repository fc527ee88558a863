"""What a job will take, before it runs: tokens, cost as a range, time under the limits, and which way to run it.

Rows of the very file are rendered and measured, with what was learned from earlier answers. Nothing is sent.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean

from tui_batch.domain.endpoint import DeploymentKey, Operation
from tui_batch.domain.item import Answered, ItemFlag, NewRow, PendingItem
from tui_batch.domain.job import JobSpec, Knobs
from tui_batch.domain.learned import Learned
from tui_batch.domain.outcome import OutcomeClass, Usage
from tui_batch.domain.spending import CostRange
from tui_batch.engine.chaining import ChainedRows
from tui_batch.engine.prepare import Preparer
from tui_batch.engine.queue import Prepared
from tui_batch.engine.router import variants
from tui_batch.errors import UserError
from tui_batch.inputs.byte_source import STDIN
from tui_batch.inputs.reading import Rows, open_input
from tui_batch.inputs.templates import compile_prompt
from tui_batch.money.prices import OwnPrice, OwnWindow, UnitPrices, context_window, cost, lookup
from tui_batch.money.tokens import DEFAULT_OUTPUT, TokenEstimator
from tui_batch.money.vocabulary import load_counter
from tui_batch.providers.registry import provider_for
from tui_batch.store.store import Store
from tui_batch.work.strategies import Pace, Strategy, strategies

READ_ROWS = 200_000
"""Rows read at most, about a second's work; of a longer file the rest is reckoned from how far that is."""
SAMPLE_ROWS = 400
"""Rows rendered and measured, drawn from all that were read."""
VERDICT_TOKENS = 60.0
"""A judge's answer that was never seen: a reason of a sentence or two, and a score."""
UNSEEN_S = 1.0
"""Seconds of an answer before its first token, and"""
UNSEEN_TOKENS_PER_S = 60.0
"""tokens of it a second, for a model that never answered here."""
INPUT_ERROR = {"exact": 0.02, "learned": 0.1, "rule": 0.4}
"""By how much a count of prompt tokens may be off: with the vocabulary, after answers, by rule of thumb."""
OUTPUT_ERROR = 0.3
"""By how much the mean answer of another job of the same model may be off."""


@dataclass(frozen=True, slots=True)
class TokenRange:
    """Tokens of all requests together."""

    low: int
    likely: int
    high: int


@dataclass(frozen=True, slots=True)
class ModelShare:
    """The part of a job that one model on one endpoint answers."""

    key: DeploymentKey
    requests: int
    tokens_in: TokenRange
    tokens_out: TokenRange
    cost: CostRange | None
    """None: the price is unknown."""
    prices: UnitPrices | None
    basis: str
    """Where the token figures come from, in words."""
    latency_s: float
    """Of one request."""
    is_measured: bool = False
    """The latency is what the model took before."""
    usual_cost: CostRange | None = None
    """At the usual service tier, whichever is asked for; None: the price is unknown."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a job will take."""

    rows: int
    counted: bool
    """False: the file is longer than was read, and the rows are reckoned."""
    requests: int
    unsendable: int
    """Rows that no request can be made of, as far as can be told from the sample."""
    problem: str
    """Why the first of these; empty when there is none."""
    shares: tuple[ModelShare, ...]
    strategies: tuple[Strategy, ...]

    @property
    def cost(self) -> CostRange | None:
        """Of the whole job; None: the price of a model is unknown."""
        return _sum([share.cost for share in self.shares])


def _sum(costs: Sequence[CostRange | None]) -> CostRange | None:
    """All costs together; None: one is unknown."""
    return None if None in costs else sum(filter(None, costs), CostRange(0, 0, 0))


@dataclass(frozen=True, slots=True)
class Known:
    """What an estimate goes by besides the file."""

    estimator: TokenEstimator
    prices: dict[DeploymentKey, UnitPrices | None]
    windows: tuple[OwnWindow, ...] = ()
    """Context windows of a person's own."""


async def estimate(spec: JobSpec, knobs: Knobs, known: Known) -> Estimate:
    """Reads and measures in a worker thread. Raises UserError when the input cannot be read."""
    return await asyncio.to_thread(estimated, spec, knobs, known)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Rows drawn from an input."""

    spec: JobSpec
    """With the format that was found."""
    rows: tuple[NewRow, ...]
    total: int
    counted: bool


def draw(spec: JobSpec, rng: random.Random, read: int = READ_ROWS, wanted: int = SAMPLE_ROWS) -> Drawn:
    """Up to `wanted` rows, each of the first `read` with the same chance (reservoir sampling). Blocks."""
    if spec.source.path == STDIN:
        raise UserError("standard input can be read only once", remedy="Save it to a file to estimate it.")
    with open_input(spec.source) as opened:
        return draw_from(opened, spec, rng, read, wanted)


def draw_from(
    opened: Rows | ChainedRows, spec: JobSpec, rng: random.Random, read: int = READ_ROWS, wanted: int = SAMPLE_ROWS
) -> Drawn:
    """As `draw`, from an input that is open."""
    kept: list[NewRow] = []
    total = 0
    for one in opened:
        if not isinstance(one, NewRow):
            continue
        total += 1
        if len(kept) < wanted:
            kept.append(one)
        elif (place := rng.randrange(total)) < wanted:
            kept[place] = one
        if total >= read:
            break
    part = opened.progress or 1.0
    whole = total < read
    spec = replace(spec, source=opened.source)
    if not kept:
        raise UserError(f"{spec.source.path}: there is no usable row", remedy="Look at the file.")
    return Drawn(spec, tuple(kept), total if whole else max(total, round(total / part)), whole)


def estimated(spec: JobSpec, knobs: Knobs, known: Known) -> Estimate:
    """As `estimate`. Blocks: a second for a long file."""
    return measured(draw(spec, random.Random(0)), knobs, known)


def measured(drawn: Drawn, knobs: Knobs, known: Known) -> Estimate:
    """What `drawn.spec` will take, by rows that were drawn before. Raises UserError for a bad template. Blocks."""
    spec = drawn.spec
    window_for = partial(context_window, own=known.windows)
    preparer = Preparer(spec, compile_prompt(spec), known.estimator, provider_for, window_for)
    each = variants(spec)
    items = [
        PendingItem(n, n, variant, row.custom_id, row.priority, 0, 0, 0.0, row.data)
        for n, row in enumerate(drawn.rows)
        for variant in range(each)
    ]
    answered, dead = preparer.prepare(items)
    ready = [*answered, *_judged(spec, preparer, items, answered)]
    scale = drawn.total / len(drawn.rows)
    shares = tuple(_share(key, items, scale, known) for key, items in _by_place(ready).items())
    requests = round(len(ready) * scale)
    pace = Pace(
        requests=requests,
        tokens=sum(share.tokens_in.likely + share.tokens_out.likely for share in shares),
        latency_s=_mean([(share.latency_s, share.requests) for share in shares]),
        in_flight=_in_flight(known.estimator.learned(share.key) for share in shares),
        is_measured=all(share.is_measured for share in shares),
    )
    whole = _sum([share.cost for share in shares])
    usual = _sum([share.usual_cost for share in shares])
    used = [endpoint for endpoint in spec.endpoints if any(share.key.endpoint == endpoint.name for share in shares)]
    ways = strategies(pace, whole, knobs, used or list(spec.endpoints), [share.prices for share in shares], usual)
    problem = dead[0].outcome.message if dead else ""
    return Estimate(drawn.total, drawn.counted, requests, round(len(dead) * scale), problem, shares, ways)


def _judged(
    spec: JobSpec, preparer: Preparer, items: Sequence[PendingItem], answered: Iterable[Prepared]
) -> list[Prepared]:
    """The requests to the job's judge, about answers as long as they are expected to be."""
    if spec.judge is None:
        return []
    by_row = {(item.seq, item.variant): item for item in items}
    waiting = [
        replace(
            by_row[item.order[1:]],
            answered=Answered("word " * item.tokens_out, OutcomeClass.OK, ItemFlag.NONE, False, 0.0, 0),
        )
        for item in answered
    ]
    return preparer.prepare(waiting)[0]


def _by_place(ready: Iterable[Prepared]) -> dict[DeploymentKey, list[Prepared]]:
    """Items by the deployment that is asked first."""
    found: dict[DeploymentKey, list[Prepared]] = {}
    for item in ready:
        found.setdefault(item.route[0], []).append(item)
    return found


def _share(key: DeploymentKey, items: Sequence[Prepared], scale: float, known: Known) -> ModelShare:
    estimator, prices = known.estimator, known.prices.get(key)
    learned = estimator.learned(key)
    exact = all(item.prompt_size.exact for item in items)
    how = "exact" if exact else "learned" if learned is not None else "rule"
    error = INPUT_ERROR[how]
    lengths = [_answer(item, known, key) for item in items]
    low, likely, high = ([length[n] for length in lengths] for n in range(3))
    requests = round(len(items) * scale)
    tokens_in = _tokens([item.tokens_in for item in items], scale, error)
    mean_out = fmean(likely)
    seen = None if learned is None else learned.latency_s
    latency = UNSEEN_S + mean_out / UNSEEN_TOKENS_PER_S if seen is None else seen
    return ModelShare(
        key,
        requests,
        tokens_in,
        TokenRange(*(round(sum(part) * scale) for part in (low, likely, high))),
        None if prices is None else _costs(items, lengths, error, scale, prices, latency, _tier),
        prices,
        _basis(how, learned.answers if learned is not None else 0),
        latency,
        seen is not None,
        None if prices is None else _costs(items, lengths, error, scale, prices, latency, lambda _: None),
    )


def _tier(item: Prepared) -> str | None:
    """The service tier that a request asks for; None: the usual one."""
    return item.calls[0].use.tier or None


def _answer(item: Prepared, known: Known, key: DeploymentKey) -> tuple[float, float, float]:
    """Tokens of an answer: low, likely, high."""
    if item.calls[0].wire.operation is Operation.EMBED:
        return (0.0, 0.0, 0.0)
    learned, limit = known.estimator.learned(key), item.max_out
    if learned is not None and learned.tokens_out is not None:
        mean = learned.tokens_out
        # Of many answers the mean is sure for that job; another job's answers may be shorter or longer.
        error = OUTPUT_ERROR * mean + learned.spread_out / math.sqrt(max(1, learned.answers))
        found = (max(0.0, mean - error), mean, mean + error)
    elif item.judging is not None:
        found = (VERDICT_TOKENS / 2, VERDICT_TOKENS, 4 * VERDICT_TOKENS)
    else:
        likely = DEFAULT_OUTPUT / 2 if limit is None else limit / 2
        # A label may be a single token, whatever the request allows.
        found = (1.0, likely, float(4 * DEFAULT_OUTPUT if limit is None else limit))
    if limit is None:
        return found
    return (min(found[0], limit), min(found[1], limit), min(found[2], limit))


def _tokens(counts: Sequence[int], scale: float, error: float) -> TokenRange:
    likely = sum(counts) * scale
    return TokenRange(round(likely * (1 - error)), round(likely), round(likely * (1 + error)))


def _costs(
    items: Sequence[Prepared],
    lengths: Sequence[tuple[float, float, float]],
    error: float,
    scale: float,
    prices: UnitPrices,
    latency_s: float,
    tier: Callable[[Prepared], str | None],
) -> CostRange | None:
    """Row by row, because long prompts may have other prices.

    None: the price of a service tier is unknown, or there are fees that no answer will tell of.
    """
    if prices.costs_tokens and any(item.calls[0].use.untold for item in items):
        return None
    bounds = []
    for n, factor in enumerate((1 - error, 1.0, 1 + error)):
        usages = (
            Usage(round(item.tokens_in * factor), round(answer[n]), tier=tier(item))
            for item, answer in zip(items, lengths, strict=True)
        )
        costs = [cost(usage, prices, busy_s=latency_s) for usage in usages]
        if None in costs:
            return None
        bounds.append(round(sum(filter(None, costs)) * scale))
    return CostRange(*bounds)


def _basis(how: str, answers: int) -> str:
    prompts = {
        "exact": "prompts counted with the model's vocabulary",
        "learned": "prompts by rule of thumb, corrected by what the server counted",
        "rule": "prompts by rule of thumb",
    }[how]
    seen = f"answers as {answers:,} before" if answers else "answer lengths guessed, as this model gave none yet"
    return f"{prompts}; {seen}"


def _in_flight(learned: Iterable[Learned | None]) -> int | None:
    """Requests that all servers together took at once; None where one of them was never asked so."""
    counts = [None if one is None else one.in_flight for one in learned]
    known = [count for count in counts if count is not None]
    return max(1, round(sum(known))) if known and len(known) == len(counts) else None


def _mean(weighted: Sequence[tuple[float, int]]) -> float:
    weight = sum(count for _, count in weighted)
    return sum(value * count for value, count in weighted) / weight if weight else UNSEEN_S


async def known_about(
    spec: JobSpec, store: Store | None, own: Sequence[OwnPrice], windows: tuple[OwnWindow, ...] = ()
) -> Known:
    """What an estimate of a job goes by: experience from the database, prices, vocabularies that are there already."""
    estimator = TokenEstimator(await store.calibration.load() if store is not None else {})
    return replace(await asyncio.to_thread(_looked_up, spec, estimator, own), windows=windows)


def _looked_up(spec: JobSpec, estimator: TokenEstimator, own: Sequence[OwnPrice]) -> Known:
    prices: dict[DeploymentKey, UnitPrices | None] = {}
    models = (*spec.models, *filter(None, [spec.judge]))
    for endpoint in spec.endpoints:
        for ref in models:
            if endpoint.name in ref.endpoints:
                prices[DeploymentKey(endpoint.name, ref.model)] = lookup(endpoint, ref.model, own)
    for model in {ref.model for ref in models}:
        if (counter := load_counter(model)) is not None:
            estimator.use_counter(model, counter)
    return Known(estimator, prices)
