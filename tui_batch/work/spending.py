"""What was spent, over all jobs, and what models cost: for the command line and the app."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tui_batch.domain.endpoint import Endpoint
from tui_batch.domain.job import Job
from tui_batch.domain.spending import Spent
from tui_batch.engine.compose import named_endpoint
from tui_batch.errors import UserError
from tui_batch.money.prices import UnitPrices, context_window, lookup
from tui_batch.providers.catalog import known, owner_of
from tui_batch.settings import Settings
from tui_batch.store.store import Store

COLUMNS = {"model": "model", "endpoint": "endpoint", "day": "day", "job": "job_id"}
"""What a sum can be split by, besides `tag.NAME`, and its column in the ledger."""
TAG = "tag."
LAST_DAY = "9999-12-31"
UNTAGGED = "(no tag)"
DELETED = "(deleted jobs)"
UNPLACED = "(ended by a crash)"
"""Instead of a model or endpoint: what a process that died had set aside."""


@dataclass(frozen=True, slots=True)
class CostLine:
    """One line of a cost report."""

    name: str
    spent: Spent


async def cost_by(store: Store, by: str, since: str = "", until: str = LAST_DAY) -> list[CostLine]:
    """Sums over all jobs by model, endpoint, day, job or tag.NAME; days by date, all else dearest first.

    `since` and `until` are days in UTC (2026-11-21), both included. Raises UserError for another word.
    """
    if by.startswith(TAG) and len(by) > len(TAG):
        return await _by_job(store, since, until, by.removeprefix(TAG))
    if by not in COLUMNS:
        raise UserError(f"a cost cannot be split by {by!r}", remedy=f"Use one of: {', '.join(COLUMNS)}, tag.NAME")
    if by == "job":
        return await _by_job(store, since, until, None)
    sums = await store.ledger.sums((COLUMNS[by],), since, until)
    lines = [CostLine(str(key) or UNPLACED, spent) for (key,), spent in sums.items()]
    return lines if by == "day" else dearest_first(lines)


async def _by_job(store: Store, since: str, until: str, tag: str | None) -> list[CostLine]:
    sums = await store.ledger.sums(("job_id",), since, until)
    jobs = {job.id: job for job in await store.jobs.list()} if sums else {}
    found: dict[str, Spent] = {}
    for (job_id,), spent in sums.items():
        name = _name(jobs.get(int(job_id)), int(job_id), tag)
        found[name] = found.get(name, Spent()) + spent
    return dearest_first(CostLine(name, spent) for name, spent in found.items())


def _name(job: Job | None, job_id: int, tag: str | None) -> str:
    if tag is None:
        return f"{job_id} (deleted)" if job is None else f"{job_id} {job.spec.name}"
    return DELETED if job is None else job.knobs.tags.get(tag, UNTAGGED)


def dearest_first(lines: Iterable[CostLine]) -> list[CostLine]:
    """The lines by falling cost."""
    return sorted(lines, key=lambda line: (-line.spent.cost_nano, line.name))


def total(lines: list[CostLine]) -> Spent:
    """All lines together."""
    return sum((line.spent for line in lines), Spent())


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """What a model costs on an endpoint, as this program bills it."""

    model: str
    endpoint: Endpoint
    prices: UnitPrices | None
    """None: unknown."""
    window: int | None
    """Context window in tokens; None: unknown."""


def price_of(model: str, endpoint: str | None, settings: Settings) -> ModelPrice:
    """Looks a model's prices up as a run does. Blocks for some 0.3 s. Raises UserError when no endpoint is known."""
    place = _place(model, endpoint, settings)
    return ModelPrice(
        model, place, lookup(place, model, settings.prices), context_window(place, model, settings.windows)
    )


def _place(model: str, endpoint: str | None, settings: Settings) -> Endpoint:
    name = endpoint or settings.default_endpoint
    if name:
        return named_endpoint(name, settings)
    owner = owner_of(model)
    found = None if owner is None else known(owner.name)
    if found is None:
        raise UserError(f"it is not known who serves {model}", remedy="Say where: --endpoint NAME")
    return found
