"""From a draft to a job and back: nothing that was said is lost, and what was not said is the job's own default."""

from __future__ import annotations

from dataclasses import fields, replace

from tui_batch.domain.job import (
    CacheMode,
    Counters,
    InputSource,
    Job,
    JobSpec,
    JobState,
    LengthBucket,
    OnTruncated,
)
from tui_batch.domain.quality import Check, DriftRule, OnDrift, OnInvalid
from tui_batch.engine.compose import Composed, compose, draft_of
from tui_batch.inputs.draft import AUTO, JobDraft, ModelChoice
from tui_batch.settings import Settings

PLAIN = JobDraft(InputSource("/rows.csv", "csv"), "rows", endpoint="openai", models=(ModelChoice("m", ("openai",)),))
SAID = replace(
    PLAIN,
    params={"temperature": 0},
    schema={"type": "object"},
    concurrency=AUTO,
    rpm=9,
    tpm=900,
    budget_nano=5,
    max_attempts=2,
    cache=CacheMode.REFRESH,
    priority=3,
    tags={"a": "b"},
    on_truncated=OnTruncated.RETRY,
    keep_raw=True,
    timeout_base_s=1.0,
    timeout_per_1k_tokens_s=2.0,
    stream=True,
    first_byte_s=3.0,
    stall_s=4.0,
    system="Be kind.",
    prompt="{{ a }}",
    buckets=(LengthBucket(4, 10), LengthBucket(1)),
    checks=(Check("not_empty"),),
    on_invalid=OnInvalid.TELL,
    max_invalid=2,
    drift=DriftRule(window=30),
    on_drift=OnDrift.PAUSE,
)


class Nowhere:
    """No server is asked for what the draft says."""

    async def send(self, request: object) -> None:
        raise AssertionError(request)

    async def aclose(self) -> None:
        """Nothing is open."""


async def made(draft: JobDraft) -> Composed:
    return await compose(draft, Settings(), Nowhere())


def stored(found: Composed) -> Job:
    return Job(
        1, found.spec, found.knobs, JobState.DRAFT, None, "", Counters(), None, None, created_at=0.0, started_at=None,
        finished_at=None,
    )  # fmt: skip


async def test_what_a_draft_leaves_out_is_the_jobs_own_default() -> None:
    spec = (await made(PLAIN)).spec
    assert spec == JobSpec(PLAIN.name, PLAIN.source, spec.models, spec.endpoints)


async def test_a_copy_of_a_job_asks_for_all_that_the_job_does() -> None:
    first = await made(SAID)
    draft = draft_of(stored(first))
    again = await made(draft)
    assert again.spec == replace(first.spec, name="rows (copy)")
    assert again.knobs == first.knobs
    plain = (await made(PLAIN)).spec
    alike = {one.name for one in fields(JobSpec) if getattr(plain, one.name) == getattr(first.spec, one.name)}
    # What no draft can say, or what needs other models.
    assert alike == {"name", "source", "models", "endpoints", "mode", "operation", "max_malformed", "routes", "judge"}
