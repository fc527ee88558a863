"""What a drafted job will take: rows, requests, tokens, cost and time, each as a range, before anything is sent."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tui_batch.domain.endpoint import Endpoint
from tui_batch.domain.job import Mode
from tui_batch.domain.outcome import Usage
from tui_batch.errors import UserError
from tui_batch.inputs.draft import JobDraft, ModelChoice
from tui_batch.money.prices import cost, lookup
from tui_batch.providers.catalog import from_url, known, owner_of
from tui_batch.settings import Settings
from tui_batch.work.new_job import Survey, lengths, mode_of

SHORT_ANSWER = 16
"""Tokens of the answers that the low end is reckoned with: a label, a number."""
LONG_ANSWER = 1_024
"""Tokens of the answers that the high end is reckoned with where the request sets no bound."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Before the first request; all of it is an estimate."""

    rows: int
    is_exact: bool
    """Whether the rows were counted to their end."""
    requests: int
    tokens_in: int
    """Of all requests."""
    answers: tuple[int, int]
    """Tokens of one answer: low and high."""
    cost_nano: tuple[int, int] | None
    """Low and high; None: the price of a model is not known."""
    least_s: float | None
    """Seconds that the job's own limits make it take; None: they do not bound it."""
    unusable: int
    """Rows of the sample that no request can be made of."""
    sampled: int


def expect(draft: JobDraft, seen: Survey, settings: Settings) -> Expected:
    """Reckons from a sample of the rows. Raises UserError for a bad template. Blocks: call it in a thread."""
    sample = lengths(draft, seen)
    mode = mode_of(draft)
    usable = seen.rows * (sample.seen - sample.unusable) // sample.seen if sample.seen else 0
    requests = usable * (max(1, len(draft.models)) if mode is Mode.EACH else 1)
    short = SHORT_ANSWER if sample.max_out is None else min(SHORT_ANSWER, sample.max_out)
    long = sample.max_out or LONG_ANSWER
    tokens_in = round(requests * sample.tokens_in)
    per_row = [_range(choice, draft, settings, sample.tokens_in, (short, long)) for choice in draft.models]
    return Expected(
        rows=seen.rows,
        is_exact=seen.is_exact,
        requests=requests,
        tokens_in=tokens_in,
        answers=(short, long),
        cost_nano=_total(per_row, usable, mode),
        least_s=_least_seconds(draft, requests, tokens_in + requests * short),
        unusable=sample.unusable,
        sampled=sample.seen,
    )


def endpoint_for(choice: ModelChoice, draft: JobDraft, settings: Settings) -> Endpoint | None:
    """Where a model would be asked, as far as that can be told without asking; None: it cannot."""
    try:
        if choice.endpoints:
            return settings.endpoint(choice.endpoints[0])
        if draft.base_url:
            return from_url(draft.base_url, draft.api)
        if draft.endpoint:
            return settings.endpoint(draft.endpoint)
    except UserError:
        return None
    owner = owner_of(choice.model)
    return (
        settings.endpoint(settings.default_endpoint)
        if settings.default_endpoint
        else known(owner.name if owner else "")
    )


Range = tuple[int, int]


def _range(
    choice: ModelChoice, draft: JobDraft, settings: Settings, tokens_in: float, answers: tuple[int, int]
) -> Range | None:
    """Nano-dollars of one request: low and high; None: its price is not known."""
    endpoint = endpoint_for(choice, draft, settings)
    prices = None if endpoint is None else lookup(endpoint, choice.model, settings.prices)
    if prices is None:
        return None
    low, high = (cost(Usage(math.ceil(tokens_in), tokens_out), prices) or 0 for tokens_out in answers)
    return low, high


def _total(per_row: list[Range | None], rows: int, mode: Mode) -> Range | None:
    """All rows: every model answers each of them, or any one of the models."""
    known_ranges = [one for one in per_row if one is not None]
    if not known_ranges or len(known_ranges) < len(per_row):
        return None
    lows, highs = [low for low, _ in known_ranges], [high for _, high in known_ranges]
    if mode is Mode.EACH:
        return rows * sum(lows), rows * sum(highs)
    return rows * min(lows), rows * max(highs)


def _least_seconds(draft: JobDraft, requests: int, tokens: int) -> float | None:
    """A limit lets its own number through at once; what is more waits for further minutes."""
    bounds = [
        60.0 * (math.ceil(amount / limit) - 1)
        for amount, limit in ((requests, draft.rpm), (tokens, draft.tpm))
        if limit is not None and amount
    ]
    return max(bounds) if bounds else None
