"""Where a judge is asked: at its own endpoint, at the job's, at the simulator; and copies of a job ask there too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.domain.job import InputSource, Job, ModelRef
from tui_batch.domain.quality import Check
from tui_batch.engine.compose import compose, draft_of
from tui_batch.errors import UserError
from tui_batch.inputs.draft import JobDraft, ModelChoice
from tui_batch.providers.base import HttpRequest, HttpResponse
from tui_batch.settings import Settings
from tui_batch.work.simulated import simulated

HOME = Endpoint("home", Api.OLLAMA, "http://home.test:11434")
COURT = Endpoint("court", Api.OPENAI, "http://court.test/v1")
SETTINGS = Settings(endpoints=(HOME, COURT))


class Silent:
    """A transport that must not be needed."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        raise AssertionError(f"nobody should be asked: {request.url}")

    async def aclose(self) -> None: ...


def draft(**judge: Any) -> JobDraft:
    check = Check("judge", {"model": "wise", "rubric": "It is short.", **judge}, at_least=0.5)
    source = InputSource("rows.txt", "txt")
    return JobDraft(source, "job", endpoint="home", models=(ModelChoice("tiny"),), checks=(check,))


async def test_at_its_own_endpoint() -> None:
    spec = (await compose(draft(endpoint="court"), SETTINGS, Silent())).spec
    assert (spec.endpoints, spec.judge) == ((HOME, COURT), ModelRef("wise", ("court",)))
    assert spec.models == (ModelRef("tiny", ("home",)),)


async def test_at_the_jobs_endpoint_where_none_is_named() -> None:
    spec = (await compose(draft(), SETTINGS, Silent())).spec
    assert (spec.endpoints, spec.judge) == ((HOME,), ModelRef("wise", ("home",)))


async def test_an_endpoint_that_is_none_is_named() -> None:
    with pytest.raises(UserError, match="there is no endpoint named bench"):
        await compose(draft(endpoint="bench"), SETTINGS, Silent())


async def test_at_the_simulator_with_the_job() -> None:
    asked, settings = simulated(draft(endpoint="court"), SETTINGS)
    spec = (await compose(asked, settings, Silent())).spec
    assert {endpoint.name for endpoint in spec.endpoints} == {"simulator"}
    assert spec.judge == ModelRef("wise", ("simulator",))


async def test_a_copy_asks_the_same_judge() -> None:
    composed = await compose(draft(), SETTINGS, Silent())
    job = Job(1, composed.spec, composed.knobs, *([None] * 10))  # type: ignore[arg-type]
    again = await compose(replace(draft_of(job), endpoint="court", models=(ModelChoice("m"),)), SETTINGS, Silent())
    assert (again.spec.judge, again.spec.models) == (ModelRef("wise", ("home",)), (ModelRef("m", ("court",)),))


async def test_no_judge_is_no_judge() -> None:
    assert (await compose(replace(draft(), checks=()), SETTINGS, Silent())).spec.judge is None
