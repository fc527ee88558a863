"""A job that asks the built-in simulator in place of its own endpoints."""

from __future__ import annotations

from dataclasses import replace

from tui_batch.domain.endpoint import Api, Endpoint, Operation
from tui_batch.domain.quality import Check
from tui_batch.engine.compose import Composed
from tui_batch.inputs.draft import JobDraft, ModelChoice
from tui_batch.providers.catalog import guess_api, owner_of
from tui_batch.quality.judging import JUDGE
from tui_batch.settings import Settings
from tui_batch.work.knob_words import rates
from tui_batch.work.simulator import BASE, NAME, simulator_endpoint

_MODELS = {Operation.EMBED: "text-embedding-3-small"}
_MODEL = "gpt-4o-mini"


def simulated(draft: JobDraft, settings: Settings) -> tuple[JobDraft, Settings]:
    """The draft with the simulator as its only endpoint, and settings that know it. Nothing else changes."""
    api = _api(draft, settings)
    endpoint = Endpoint(NAME, api, f"{BASE}/v1" if api is Api.OPENAI else BASE)
    default = ModelChoice(_MODELS.get(draft.operation or Operation.CHAT, _MODEL))
    models = tuple(replace(choice, endpoints=()) for choice in draft.models) or (default,)
    others = tuple(other for other in settings.endpoints if other.name != NAME)
    checks = tuple(_at_simulator(check) for check in draft.checks)
    draft = replace(draft, endpoint=NAME, base_url=None, api=None, models=models, checks=checks)
    return draft, replace(settings, endpoints=(*others, endpoint))


def _at_simulator(check: Check) -> Check:
    return replace(check, argument={**check.argument, "endpoint": NAME}) if check.kind == JUDGE else check


def with_simulator(settings: Settings) -> Settings:
    """Settings that know the simulator by its name, unless a person has given that name to a server."""
    if any(endpoint.name == NAME for endpoint in settings.endpoints):
        return settings
    return replace(settings, endpoints=(*settings.endpoints, simulator_endpoint()))


def _api(draft: JobDraft, settings: Settings) -> Api:
    """The wire format that the job would speak, so that a dry run is like the real one."""
    if draft.api is not None:
        return draft.api
    if draft.base_url:
        return guess_api(draft.base_url)
    names = (draft.endpoint, *(name for choice in draft.models for name in choice.endpoints))
    named = [endpoint for name in names if name and (endpoint := settings.endpoint(name)) is not None]
    owners = [owner for choice in draft.models if (owner := owner_of(choice.model)) is not None]
    if named or owners:
        return named[0].api if named else owners[0].api
    return Api.OLLAMA if draft.operation is Operation.GENERATE else Api.OPENAI


def lifted(composed: Composed) -> Composed:
    """The simulator has no limits to keep to: requests and tokens a minute are lifted, and that is said."""
    knobs = composed.knobs
    if knobs.rpm is None and knobs.tpm is None:
        return composed
    note = f"Simulated: the job's limits ({', '.join(rates(knobs))}) are lifted."
    return replace(composed, knobs=replace(knobs, rpm=None, tpm=None), notes=(*composed.notes, note))
