"""Before a job is made: will its budget hold? A parameter that nothing bounds is told here, and not by a pause."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tui_batch.domain.endpoint import Endpoint
from tui_batch.domain.job import Cap, JobSpec, Knobs
from tui_batch.domain.request import Message, PromptRequest
from tui_batch.errors import UserError
from tui_batch.money.ceiling import ceiling
from tui_batch.money.exposure import Exposure, exposure_of
from tui_batch.money.prices import lookup
from tui_batch.providers.base import EncodeError
from tui_batch.providers.registry import provider_for
from tui_batch.settings import Settings

REMEDY = "Leave it out, or accept that the budget may be passed by it: --cap loose (in a job file limits: cap: loose)."


def check_cap(spec: JobSpec, knobs: Knobs, settings: Settings) -> None:
    """Raises UserError naming the parameter when a job with a budget asks for what nothing bounds.

    Looks at the job's own parameters only: what a row brings along is looked at when it is sent. May block for the
    price table, and only where a parameter is in doubt.
    """
    guarded = knobs.budget_nano is not None or settings.day_budget_nano is not None
    if not guarded or knobs.cap is Cap.LOOSE:
        return
    for endpoint, model in _places(spec):
        use = _use(spec, endpoint, model)
        if use is None or not (use.unbounded or use.tier or use.speaks):
            continue
        prices = lookup(endpoint, model, settings.prices)
        if prices is not None and (why := ceiling(use, prices, window=0).why):
            raise UserError(f"a budget is set, but {why}", remedy=REMEDY)


def _places(spec: JobSpec) -> Iterable[tuple[Endpoint, str]]:
    return (
        (endpoint, ref.model) for ref in spec.models for endpoint in spec.endpoints if endpoint.name in ref.endpoints
    )


def _use(spec: JobSpec, endpoint: Endpoint, model: str) -> Exposure | None:
    """What a request of the job's parameters can use; None: they cannot be said in this wire format."""
    request = PromptRequest(spec.operation, (Message("user", "."),), spec.params, spec.schema)
    try:
        made = provider_for(endpoint.api).encode(request, model)
    except EncodeError:
        return None
    found = exposure_of(made.body, endpoint.api, made.operation, model)
    return replace(found, tokens_out=found.tokens_out or 0)
