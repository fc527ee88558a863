"""From what a person asked for to a job that can run: endpoints resolved, models found, defaults filled in."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from tui_batch.domain.endpoint import Endpoint, KeyKind
from tui_batch.domain.job import (
    Cap,
    Job,
    JobSpec,
    Knobs,
    Mode,
    ModelRef,
    RouteRule,
)
from tui_batch.domain.quality import Check
from tui_batch.errors import UserError
from tui_batch.inputs.draft import AUTO, Auto, JobDraft, ModelChoice
from tui_batch.providers.base import Transport
from tui_batch.providers.catalog import from_url, in_environment, is_loopback, known, names, owner_of
from tui_batch.providers.discovery import FoundServer, find_local_servers, list_models
from tui_batch.providers.keys import is_available, resolve_key
from tui_batch.quality.checks import check_operation
from tui_batch.quality.judging import JUDGE, judge_of
from tui_batch.settings import Settings

_SAME = (
    *("operation", "prompt", "system", "max_attempts", "max_invalid", "on_truncated", "on_invalid", "cache"),
    *("keep_raw", "stream", "first_byte_s", "stall_s", "timeout_base_s", "timeout_per_1k_tokens_s"),
    *("drift", "on_drift"),
)
"""Fields of a job that stand under the same names in a draft; what is None there has the job's own default."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A job ready to be created."""

    spec: JobSpec
    knobs: Knobs
    notes: tuple[str, ...] = ()
    """What was decided for the person, in words."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The models of a job and the endpoints that answer for them."""

    endpoints: tuple[Endpoint, ...]
    models: tuple[ModelRef, ...]
    notes: tuple[str, ...] = ()


async def compose(draft: JobDraft, settings: Settings, transport: Transport) -> Composed:
    """Completes a draft. Asks servers only for what the draft and the settings do not say.

    Raises UserError when no endpoint or model can be decided on; its remedy says what to add.
    """
    knobs = knobs_of(draft)
    placed = lifted(await place(draft, settings, transport), knobs, settings)
    bench = await _place_judge(draft, settings, transport)
    mode = draft.mode or (Mode.ROUTE if draft.routes else default_mode(placed.models))
    check_rules(mode, draft.routes, placed.models)
    spec = JobSpec(
        name=draft.name,
        source=draft.source,
        models=placed.models,
        # Of a server that answers and judges, the entry that a person's number may have lifted.
        endpoints=tuple({one.name: one for one in (*placed.endpoints, *bench.endpoints, *placed.endpoints)}.values()),
        mode=mode,
        params=draft.params,
        schema=draft.schema,
        routes=draft.routes,
        buckets=draft.buckets,
        checks=tuple(_pinned(check, bench) for check in draft.checks),
        judge=next(iter(bench.models), None),
        **{name: value for name in _SAME if (value := getattr(draft, name)) is not None},
    )
    check_operation(spec)
    return Composed(
        spec, knobs, (*placed.notes, *bench.notes, *held_back(knobs, placed.endpoints), *in_the_clear(placed.endpoints))
    )


def lifted(placed: Placed, knobs: Knobs, settings: Settings) -> Placed:
    """A number in flight that a person asked for of one server goes before the bound that is only assumed for Ollama.

    A bound in the settings stays, and so do those of several servers: a number for all of them says nothing of each.
    """
    if knobs.concurrency is None or len(placed.endpoints) != 1:
        return placed
    (endpoint,) = placed.endpoints
    bound, is_configured = endpoint.max_in_flight, endpoint.name in {one.name for one in settings.endpoints}
    if bound is None or bound >= knobs.concurrency or is_configured:
        return placed
    words = (
        f"{endpoint.name}: {knobs.concurrency} in flight, as asked; Ollama answers OLLAMA_NUM_PARALLEL requests at a "
        f"time (usually 1) and queues the others, {bound} keep it busy"
    )
    return replace(placed, endpoints=(replace(endpoint, max_in_flight=None),), notes=(*placed.notes, words))


def held_back(knobs: Knobs, endpoints: tuple[Endpoint, ...]) -> tuple[str, ...]:
    """Says so when the servers' own bounds keep a job below the concurrency that was asked for."""
    bounds = [endpoint.max_in_flight for endpoint in endpoints if endpoint.max_in_flight is not None]
    if knobs.concurrency is None or len(bounds) < len(endpoints) or sum(bounds) >= knobs.concurrency:
        return ()
    names = ", ".join(endpoint.name for endpoint in endpoints)
    return (
        f"{names}: {sum(bounds)} in flight at most, not {knobs.concurrency}; "
        "set OLLAMA_NUM_PARALLEL as the server has it, or max_in_flight in the settings",
    )


def in_the_clear(endpoints: tuple[Endpoint, ...]) -> tuple[str, ...]:
    """Says so when a key goes unencrypted over a network."""
    return tuple(
        f"{endpoint.name}: the key goes unencrypted to {endpoint.base_url}; use https unless you trust the way there"
        for endpoint in endpoints
        if endpoint.key.kind is not KeyKind.NONE
        and endpoint.base_url.startswith("http://")
        and not is_loopback(endpoint.base_url)
    )


def knobs_of(draft: JobDraft) -> Knobs:
    """What may be turned later; concurrency that was not said is auto."""
    return Knobs(
        concurrency=None if isinstance(draft.concurrency, Auto) else draft.concurrency,
        rpm=draft.rpm,
        tpm=draft.tpm,
        budget_nano=draft.budget_nano,
        cap=draft.cap or Cap.BINDING,
        priority=draft.priority or 0,
        tags=draft.tags,
    )


def default_mode(models: tuple[ModelRef, ...]) -> Mode:
    """One model answers alone; several answer every row each."""
    return Mode.SINGLE if len(models) == 1 else Mode.EACH


def check_rules(mode: Mode, routes: tuple[RouteRule, ...], models: tuple[ModelRef, ...]) -> None:
    """Raises UserError when the rules, the mode and the models of a job do not belong together."""
    if mode is Mode.ROUTE and not routes:
        raise UserError("mode route needs rules", remedy="Give them in a job file, under routes.")
    if mode is not Mode.ROUTE and routes:
        raise UserError(f"the job has routes, but its mode is {mode}", remedy="Use the mode route, or no routes.")
    names = {ref.model for ref in models}
    for number, rule in enumerate(routes, 1):
        if rule.model not in names:
            raise UserError(
                f"route {number} goes to {rule.model}, which is not among the job's models: {', '.join(sorted(names))}",
                remedy="Name every model of the routes, or give another mode, such as --mode single.",
            )


async def place(draft: JobDraft, settings: Settings, transport: Transport) -> Placed:
    """Decides which endpoints answer for which models."""
    choices = draft.models or ((ModelChoice(settings.default_model),) if settings.default_model else ())
    common = common_endpoint(draft, settings)
    if common is None and not any(choice.endpoints for choice in choices):
        return await _find(choices, transport)
    if not choices and common is not None:
        return await _only_model(common, transport)
    by_name: dict[str, Endpoint] = {} if common is None else {common.name: common}
    refs: list[ModelRef] = []
    for choice in choices:
        for name in choice.endpoints:
            by_name.setdefault(name, named_endpoint(name, settings))
        served_by = choice.endpoints or ((common.name,) if common is not None else ())
        if not served_by:
            raise UserError(f"model {choice.model}: no endpoint is named for it", remedy="Add --endpoint NAME.")
        refs.append(ModelRef(choice.model, served_by, choice.weight))
    used = {name for ref in refs for name in ref.endpoints}
    return Placed(tuple(endpoint for endpoint in by_name.values() if endpoint.name in used), tuple(refs))


async def _place_judge(draft: JobDraft, settings: Settings, transport: Transport) -> Placed:
    """The judge's model and where it is asked; nothing for a draft that has no judge."""
    check = judge_of(draft.checks)
    if check is None:
        return Placed((), ())
    named = check.argument.get("endpoint")
    choice = ModelChoice(check.argument["model"], (named,) if named else ())
    # An endpoint that only the judge has says nothing about the job's own address, nor the other way round.
    asked = (
        replace(draft, models=(choice,), endpoint=None, base_url=None) if named else replace(draft, models=(choice,))
    )
    return await place(asked, settings, transport)


def _pinned(check: Check, bench: Placed) -> Check:
    """The judge's check with the endpoint that was found for it, so that copies of the job ask there too."""
    if check.kind != JUDGE or len(bench.endpoints) != 1:
        return check
    return replace(check, argument={**check.argument, "endpoint": bench.endpoints[0].name})


def common_endpoint(draft: JobDraft, settings: Settings) -> Endpoint | None:
    """The endpoint that the draft, or else the settings, name for all models."""
    if draft.base_url:
        return from_url(draft.base_url, draft.api)
    name = draft.endpoint or ("" if any(choice.endpoints for choice in draft.models) else settings.default_endpoint)
    return named_endpoint(name, settings) if name else None


def named_endpoint(name: str, settings: Settings) -> Endpoint:
    """A configured or known endpoint. Raises UserError that lists those there are."""
    endpoint = settings.endpoint(name)
    if endpoint is None:
        there_are = sorted({*names(), *(entry.name for entry in settings.endpoints)})
        raise UserError(
            f"there is no endpoint named {name}",
            remedy=f"Use one of: {', '.join(there_are)}.\n"
            "Another server: name it in the settings (endpoints:), or run with --base-url URL.",
        )
    return endpoint


async def _only_model(endpoint: Endpoint, transport: Transport) -> Placed:
    """The model of an endpoint that serves just one."""
    secret = await asyncio.to_thread(resolve_key, endpoint.key)  # a keyring may ask its owner
    served = await list_models(endpoint, transport, secret)
    if len(served) == 1:
        name = served[0].id
        return Placed((endpoint,), (ModelRef(name, (endpoint.name,)),), (f"{endpoint.name} serves one model: {name}",))
    raise UserError(
        f"no model is named, and {endpoint.name} serves {len(served) or 'none'}",
        remedy=f"Add -m MODEL. To see them: llmbatch-tui models --endpoint {endpoint.name}",
    )


async def _find(choices: tuple[ModelChoice, ...], transport: Transport) -> Placed:
    """Finds a home for models whose endpoint nobody named: by the model's name, or on this machine."""
    endpoints: dict[str, Endpoint] = {}
    refs: list[ModelRef] = []
    notes: list[str] = []
    found: tuple[FoundServer, ...] | None = None
    for choice in choices:
        owner = owner_of(choice.model)
        hosted = known(owner.name) if owner is not None else None
        if hosted is not None and is_available(hosted.key):
            homes: tuple[Endpoint, ...] = (hosted,)
        else:
            found = await find_local_servers(transport) if found is None else found
            homes = serving(choice.model, found)
            if not homes and hosted is not None:
                homes = (hosted,)  # its key is missing; starting the job says so in words
        if not homes:
            raise _homeless(choice.model, found or ())
        endpoints.update({home.name: home for home in homes})
        refs.append(ModelRef(choice.model, tuple(home.name for home in homes), choice.weight))
        notes.append(f"{choice.model} is served by {', '.join(home.name for home in homes)}")
    if not choices:
        return _only_server(await find_local_servers(transport))
    return Placed(tuple(endpoints.values()), tuple(refs), tuple(notes))


def serving(model: str, found: tuple[FoundServer, ...]) -> tuple[Endpoint, ...]:
    """The servers that list a model; Ollama lists `name:latest` for what people call `name`."""
    wanted = {model, f"{model}:latest"}
    return tuple(server.endpoint for server in found if any(info.id in wanted for info in server.models))


def _only_server(found: tuple[FoundServer, ...]) -> Placed:
    """The only model of the only server, when there is nothing to choose."""
    offers = [(server.endpoint, info.id) for server in found for info in server.models]
    if len(offers) == 1:
        endpoint, model = offers[0]
        return Placed((endpoint,), (ModelRef(model, (endpoint.name,)),), (f"found {model} on {endpoint.name}",))
    raise _homeless("", found)


def _homeless(model: str, found: tuple[FoundServer, ...]) -> UserError:
    keys = ", ".join(entry.name for entry in in_environment()) or "none"
    servers = ", ".join(f"{server.endpoint.name} ({len(server.models)} models)" for server in found) or "none"
    what = f"no endpoint is known to serve the model {model}" if model else "no model is named"
    return UserError(
        f"{what}; servers found on this machine: {servers}; keys in the environment: {keys}",
        remedy="Say where: -m MODEL --endpoint NAME, or -m MODEL --base-url http://localhost:8000/v1\n"
        "To try without any server: --simulate",
    )


def draft_of(job: Job) -> JobDraft:
    """What a job asks for, as a draft that options may change; its copy is named after it.

    Raises UserError for a job that cannot be read.
    """
    if job.trouble:
        raise UserError(job.trouble)
    spec, knobs = job.spec, job.knobs
    return JobDraft(
        source=spec.source,
        name=f"{spec.name} (copy)",
        endpoint=spec.endpoints[0].name,
        models=tuple(ModelChoice(ref.model, ref.endpoints, ref.weight) for ref in spec.models),
        mode=spec.mode,
        params=spec.params,
        schema=spec.schema,
        concurrency=AUTO if knobs.concurrency is None else knobs.concurrency,
        rpm=knobs.rpm,
        tpm=knobs.tpm,
        budget_nano=knobs.budget_nano,
        cap=knobs.cap,
        priority=knobs.priority,
        tags=knobs.tags,
        routes=spec.routes,
        buckets=spec.buckets,
        checks=spec.checks,
        **{name: getattr(spec, name) for name in _SAME},
    )


def with_endpoints(settings: Settings, endpoints: tuple[Endpoint, ...]) -> Settings:
    """Settings in which a job's own endpoints are known by their names, as the job knew them."""
    names = {endpoint.name for endpoint in endpoints}
    return replace(
        settings, endpoints=(*endpoints, *(other for other in settings.endpoints if other.name not in names))
    )
