"""The answers of one job as the rows of the next."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from report_yard import Ended, Plan, ended, record

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.item import Duplicate, NewRow
from tui_batch.domain.job import Job, JobSpec, JobState, Knobs, Mode
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.stored import ExportRow
from tui_batch.engine.chaining import chained_source
from tui_batch.engine.importing import Imported, ImportPlan, ImportProgress, create_job
from tui_batch.errors import UserError
from tui_batch.inputs.templates import compile_prompt
from tui_batch.store.importer import Importer
from tui_batch.store.store import Store, open_store

DEAD = Ended(None, OutcomeClass.REFUSED, "no")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "jobs.db") as opened:
        yield opened


def next_spec(job: Job, prompt: str = "{{ response }}") -> JobSpec:
    return replace(job.spec, name="next", source=chained_source(job.id), prompt=prompt, mode=Mode.SINGLE)


async def chained(store: Store, job: Job, tmp_path: Path, sample: int | None = None) -> Imported:
    seen: list[ImportProgress] = []
    plan = ImportPlan(next_spec(job), Knobs(), tmp_path / "rejects.jsonl", sample=sample)
    imported = await create_job(store, plan, now=2_000.0, progress=seen.append)
    assert seen[-1].part is not None
    return imported


async def items(store: Store, job_id: int) -> list[ExportRow]:
    return [row async for page in store.items.export(job_id) for row in page]


async def test_answered_rows_are_the_next_jobs_rows(store: Store, tmp_path: Path) -> None:
    rows = [{"text": "a", "custom_id": "x1"}, {"text": "b", "custom_id": "x2"}, {"text": "c", "custom_id": "x3"}]
    job = await ended(store, Plan(rows, [[Ended('{"k": 1}', score=0.5)], [DEAD], [Ended("plain")]]))
    imported = await chained(store, job, tmp_path)
    assert (imported.rows, imported.rejected) == (2, 0)
    made = await store.jobs.get(imported.job_id)
    assert (made.spec.source.path, made.spec.source.format) == (f"job:{job.id}", "job")
    first, second = await items(store, imported.job_id)
    assert orjson.loads(first.data) == {
        "text": "a", "response": '{"k": 1}', "response_fields": {"k": 1}, "model": "tiny", "score": 0.5,
        "custom_id": "x1",
    }  # fmt: skip
    assert (first.custom_id, second.custom_id, second.line) == ("x1", "x3", 3)
    prompt = compile_prompt(replace(made.spec, prompt="{{ response_fields.k }} of {{ text }}"))
    rendered = prompt.render(first.data)
    assert rendered.request.messages[-1].content == "1 of a"
    assert rendered.model is None  # the model that answered before is no wish for this job


async def test_steps_chain_and_older_answers_stay(store: Store, tmp_path: Path) -> None:
    job = await ended(store, Plan([{"text": "a"}], [[Ended("one")]]))
    second = await store.jobs.get((await chained(store, job, tmp_path)).job_id)
    (item,) = await store.items.pending_page(second.id, limit=10)
    store.writer.record(record(second.id, item.id, DeploymentKey("local", "tiny"), Ended("two"), 3_000.0))
    await store.writer.drain()
    third = await chained(store, await store.jobs.get(second.id), tmp_path)
    (row,) = await items(store, third.job_id)
    data = orjson.loads(row.data)
    assert (data["text"], data["response"], data["input_response"]) == ("a", "two", "one")


async def test_every_model_of_mode_each_gives_a_row(store: Store, tmp_path: Path) -> None:
    plan = Plan([{"custom_id": "x"}], [[Ended("1"), Ended("2")]], ("small", "large"), Mode.EACH)
    imported = await chained(store, await ended(store, plan), tmp_path)
    found = await items(store, imported.job_id)
    assert [(row.custom_id, orjson.loads(row.data)["response"]) for row in found] == [
        ("x:small", "1"),
        ("x:large", "2"),
    ]


async def test_one_model_on_two_servers_gives_two_rows(store: Store, tmp_path: Path) -> None:
    """Their names are told apart, else the second answer would be refused as a row that was there already."""
    ends = [[Ended("1"), Ended("2")]]
    plan = Plan([{"custom_id": "x"}], ends, ("tiny", "tiny"), Mode.EACH, served_by=("left", "right"))
    imported = await chained(store, await ended(store, plan), tmp_path)
    assert (imported.rows, imported.rejected) == (2, 0)
    assert [row.custom_id for row in await items(store, imported.job_id)] == ["x:tiny @ left", "x:tiny @ right"]


async def test_a_large_job_is_read_page_by_page(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_batch.engine.chaining.PAGE", 2)
    job = await ended(store, Plan([{"n": n} for n in range(7)], [[Ended(str(n))] for n in range(7)]))
    found = await items(store, (await chained(store, job, tmp_path)).job_id)
    assert [orjson.loads(row.data)["n"] for row in found] == list(range(7))
    spread = await chained(store, job, tmp_path, sample=3)
    assert spread.rows == 3


async def test_a_job_without_answers_is_no_input(store: Store, tmp_path: Path) -> None:
    job = await ended(store, Plan([{"text": "a"}], [[None]]))
    with pytest.raises(UserError, match=rf"job {job.id} has no answers[\s\S]*resume {job.id}"):
        await chained(store, job, tmp_path)
    plan = ImportPlan(replace(next_spec(job), source=chained_source(9)), Knobs(), tmp_path / "r")
    with pytest.raises(UserError, match="There is no job 9"):
        await create_job(store, plan, now=0.0)
    assert [one.state for one in await store.jobs.list()] == [JobState.RUNNING]


async def test_a_template_with_a_wrong_column_is_told_with_the_columns_there_are(store: Store, tmp_path: Path) -> None:
    job = await ended(store, Plan([{"text": "a"}], [[Ended("one")]]))
    plan = ImportPlan(next_spec(job, "{{ respons }}"), Knobs(), tmp_path / "r")
    with pytest.raises(UserError, match=r"job:1[\s\S]*did you mean `response`"):
        await create_job(store, plan, now=0.0)


async def test_a_job_that_is_deleted_while_its_rows_are_read_in_is_said_to_be(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await ended(store, Plan([{"text": str(n)} for n in range(6)], [[Ended(str(n))] for n in range(6)]))
    monkeypatch.setattr("tui_batch.engine.importing.BATCH_ROWS", 2)
    add = Importer.add

    async def added(importer: Importer, rows: Sequence[NewRow]) -> list[Duplicate]:
        doubles = await add(importer, rows)
        if importer.rows == 4:  # another process does so
            await store.jobs.delete(job.id + 1)
        return doubles

    monkeypatch.setattr(Importer, "add", added)
    with pytest.raises(UserError, match=f"job {job.id + 1} was deleted while its rows were read in"):
        await chained(store, job, tmp_path)
    assert [one.id for one in await store.jobs.list()] == [job.id]
