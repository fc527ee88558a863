"""Which deployments may answer an item, and which of them to try first. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.job import JobSpec, Mode, ModelRef
from tui_batch.domain.values import immutable
from tui_batch.engine.queue import Route


def variants(spec: JobSpec) -> int:
    """How many items a row becomes: one for every model in mode `each`, otherwise one."""
    return len(spec.models) if spec.mode is Mode.EACH else 1


def origins(source: JobSpec, copy: JobSpec) -> tuple[int, ...]:
    """For each variant of a job's copy, the variant of the job whose rows it takes.

    A row may have been edited for one model only, so the same model's rows are taken; for a model that the job did not
    ask, those of its first.
    """
    models = [one.model for one in source.models[: variants(source)]]
    wanted = [one.model for one in copy.models[: variants(copy)]]
    if models == wanted:
        return tuple(range(len(models)))
    return tuple(models.index(model) if model in models else 0 for model in wanted)


def route(spec: JobSpec, variant: int, model: str | None) -> Route:
    """The deployments that may answer an item.

    `model` is the row's own choice or that of a rule; one that the job does not name is sent to the first model's
    endpoints. In mode `route` the last model answers what no rule fits.
    """
    return tuple(
        DeploymentKey(endpoint, ref.model) for ref in _refs(spec, variant, model) for endpoint in ref.endpoints
    )


def routes_of(spec: JobSpec) -> tuple[Route, ...]:
    """Every route that the rows of a job may take, but for models that only a row names."""
    if spec.mode is Mode.ROUTE:
        return tuple(dict.fromkeys(route(spec, 0, ref.model) for ref in spec.models))
    return tuple(dict.fromkeys(route(spec, variant, None) for variant in range(variants(spec))))


def judge_route(spec: JobSpec) -> Route:
    """The deployments that may judge an answer; none without a judge."""
    ref = spec.judge
    return () if ref is None else tuple(DeploymentKey(endpoint, ref.model) for endpoint in ref.endpoints)


def _refs(spec: JobSpec, variant: int, model: str | None) -> Iterable[ModelRef]:
    if model is not None:
        named = [ref for ref in spec.models if ref.model == model]
        return named or [ModelRef(model, spec.models[0].endpoints)]
    if spec.mode is Mode.EACH:
        return [spec.models[variant]]
    if spec.mode is Mode.SINGLE:
        return spec.models[:1]
    return spec.models[-1:] if spec.mode is Mode.ROUTE else spec.models


@immutable(frozen=True, slots=True)
class LaneLoad:
    """What choosing among deployments needs to know of one."""

    in_flight: int
    weight: float
    seconds_per_item: float | None
    """Mean latency lately; None: nothing answered yet."""
    health: float = 1.0
    """Share of its last requests that did not fail; above 0."""


def preference(
    mode: Mode, candidates: Route, load: Callable[[DeploymentKey], LaneLoad], spent: int = 0
) -> tuple[int, ...]:
    """Indices of `candidates` in the order in which to try them.

    `fallback` keeps the models' own order and balances only among servers of the same model; `spent` of its models
    have had their attempts and come last. All other modes try first the deployment expected to finish an additional
    item soonest: (in flight + 1) x latency / (weight x health). One that fails fast is not fast. A deployment that
    has not answered yet counts as fast as the fastest, so that it is tried.
    """
    if len(candidates) == 1:
        return (0,)
    loads = [load(key) for key in candidates]
    known = [entry.seconds_per_item for entry in loads if entry.seconds_per_item is not None]
    fastest = min(known, default=1.0)
    expected = [
        (entry.in_flight + 1)
        * (fastest if entry.seconds_per_item is None else entry.seconds_per_item)
        / (entry.weight * entry.health)
        for entry in loads
    ]
    order = sorted(range(len(candidates)), key=expected.__getitem__)
    if mode is Mode.FALLBACK:  # sorting keeps the order of equals, here within a model
        order.sort(key=_ranks(candidates, spent).__getitem__)
    return tuple(order)


def _ranks(candidates: Route, spent: int) -> list[int]:
    """Each candidate's model by its place in the row, where those that have had their attempts come last."""
    rank = {model: index for index, model in enumerate(dict.fromkeys(key.model for key in candidates))}
    return [(rank[key.model] - spent) % len(rank) for key in candidates]
