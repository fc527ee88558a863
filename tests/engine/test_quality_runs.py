"""Checks in a running job: failing answers are asked for again, told, kept or flagged; scores and drift are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from engine_bench import Script, ok, open_bench, until

from tui_batch.domain.item import ItemFlag, ItemState
from tui_batch.domain.item_scope import Selection
from tui_batch.domain.job import CacheMode, JobState, Knobs, Owner, PauseReason
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.domain.quality import Check, DriftRule, FailedCheck, OnDrift, OnInvalid
from tui_batch.domain.request import WireRequest
from tui_batch.engine.landing import LONG_ANSWER
from tui_batch.quality.checks import Checks
from tui_batch.quality.drift import Alert, Signal
from tui_batch.store.alerts import WatchState
from tui_batch.store.store import open_store

YES_NO = (Check("labels", ["yes", "no"]),)
ONE = Knobs(concurrency=1)


def answering(*answers: str) -> Script:
    """The answers to one prompt in turn, the last one for ever."""
    return lambda _, before: (0.1, ok(answers[min(before, len(answers) - 1)]))


@pytest.mark.parametrize(
    ("spec", "state", "requests"),
    [
        ({"max_attempts": 4}, ItemState.DEAD, 4),
        ({"max_invalid": 2}, ItemState.DEAD, 2),
        ({"on_invalid": OnInvalid.DEAD}, ItemState.DEAD, 1),
        ({"on_invalid": OnInvalid.FLAG}, ItemState.DONE, 1),
    ],
)
def test_a_failing_answer_is_kept_as_the_job_says(
    tmp_path: Path, virtually: Any, spec: dict[str, Any], state: ItemState, requests: int
) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", answering("maybe")) as bench:
            job = await bench.run(await bench.add(["row"], ONE, checks=YES_NO, **spec))
            (row,) = await bench.store.items.page(job.id, limit=5)
            assert (row.state, row.cls, row.requests) == (state, OutcomeClass.INVALID, requests)
            assert (ItemFlag.CHECK_FAILED in row.flags) == (state is ItemState.DONE)
            detail = await bench.store.items.detail(row.id)
            assert detail.text == "maybe"
            assert len(detail.attempts) == (requests if state is ItemState.DEAD else 0)
            wrong = (FailedCheck("labels", "", '"maybe" is not one of: yes, no'),)
            assert detail.failing == wrong
            assert all(one.failing == wrong for one in detail.attempts)
            (line,) = [row async for page in bench.store.items.export(job.id) for row in page]
            assert (line.failing, line.reason) == (wrong, None)

    virtually(main())


def test_the_next_answer_may_pass(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", answering("maybe", "yes")) as bench:
            job = await bench.run(await bench.add(["row"], ONE, checks=YES_NO, max_invalid=2))
            assert (job.counters.done, job.counters.requests, await bench.texts(job.id)) == (1, 2, ["yes"])
            (row,) = await bench.store.items.page(job.id, limit=5)
            detail = await bench.store.items.detail(row.id)
            assert (detail.failing, [one.failing[0].check for one in detail.attempts]) == ((), ["labels"])

    virtually(main())


def test_a_model_is_told_what_was_wrong_but_never_the_reference(
    tmp_path: Path, virtually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with open_bench(
            tmp_path / "jobs.db", lambda p, n: (0.1, ok("yes" if "not accepted" in p else "Lyon"))
        ) as b:
            bodies: list[Any] = []
            execute = b.executor.execute

            async def spy(request: WireRequest) -> Outcome:
                bodies.append(orjson.loads(request.body))
                return await execute(request)

            monkeypatch.setattr(b.executor, "execute", spy)
            checks = (*YES_NO, Check("equals", "right", at_least=1.0))
            rows = [{"prompt": "Is it so?", "right": "no way"}]
            job = await b.run(
                await b.add(rows, ONE, checks=checks, on_invalid=OnInvalid.TELL, max_invalid=2, system="S")
            )
            assert job.counters.requests == 2
            first, second = (body["messages"] for body in bodies)
            assert second[: len(first)] == first
            assert [turn["role"] for turn in second[len(first) :]] == ["assistant", "user"]
            assert second[-2]["content"] == "Lyon"
            assert '"Lyon" is not one of: yes, no' in second[-1]["content"]
            assert "no way" not in str(bodies)

    virtually(main())


def test_an_answer_won_by_telling_is_not_the_answer_to_the_first_question(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        script: Script = lambda prompt, before: (0.1, ok("yes" if "not accepted" in prompt else "maybe"))  # noqa: E731
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            told = await bench.run(await bench.add(["row"], ONE, checks=YES_NO, on_invalid=OnInvalid.TELL))
            assert (told.counters.done, told.counters.requests) == (1, 2)
            plain = await bench.run(await bench.add(["row"], ONE))
            assert (plain.counters.cached, await bench.texts(plain.id)) == (0, ["maybe"])

    virtually(main())


def test_a_stored_answer_that_fails_the_checks_of_this_job_is_not_taken(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", answering("maybe", "yes")) as bench:
            loose = await bench.run(await bench.add(["row"], ONE))
            strict = await bench.run(await bench.add(["row"], ONE, checks=YES_NO))
            again = await bench.run(await bench.add(["row", "row"], ONE, checks=YES_NO))
            assert (await bench.texts(loose.id), await bench.texts(strict.id)) == (["maybe"], ["yes"])
            assert (strict.counters.cached, strict.counters.requests) == (0, 1)
            assert (again.counters.cached, again.counters.requests) == (2, 0)

    virtually(main())


def test_equal_prompts_with_other_references_are_each_held_to_their_own(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", answering("4")) as bench:
            rows = [{"prompt": "2 + 2", "right": right} for right in ("4", "5", "four")]
            score = (Check("equals", "right"),)
            scored = await bench.run(await bench.add(rows, Knobs(concurrency=3), checks=score))
            assert [row.score for row in await bench.store.items.page(scored.id, limit=5)] == [1.0, 0.0, 0.0]
            assert scored.counters.requests == 1
            must = (Check("equals", "right", at_least=1.0),)
            held = await bench.run(await bench.add(rows, Knobs(concurrency=3), checks=must, max_invalid=2))
            assert (held.counters.done, held.counters.dead) == (1, 2)

    virtually(main())


def test_scores_are_stored_shown_and_counted_on_when_a_job_resumes(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", lambda p, _: (1.0, ok(p))) as bench:
            rows = [{"prompt": f"{n}", "right": f"{n if n % 4 else 'x'}"} for n in range(1, 9)]
            job_id = await bench.add(rows, ONE, checks=(Check("equals", "right"),))
            run = await bench.controller.start(job_id)
            await until(bench, requests=4)
            await bench.controller.pause(job_id)
            await run
            assert await bench.store.items.scores(job_id) == (4, 3.0)
            finished = await bench.controller.start(job_id)
            assert bench.engine.snapshot().jobs[0].score_mean == 0.75
            await finished
            assert await bench.store.items.scores(job_id) == (8, 6.0)
            lines = [row.score async for page in bench.store.items.export(job_id) for row in page]
            assert lines == [1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0]

    virtually(main())


def test_dead_answers_that_are_tried_again_in_a_running_job_count_once(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        wrong = prompt in ("0", "1") and not before
        return (60.0 if prompt == "9" else 0.1), ok("no" if wrong else prompt)

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            rows = [{"prompt": f"{n}", "right": f"{n}"} for n in range(10)]
            checks = (Check("equals", "right", at_least=1.0),)
            job_id = await bench.add(rows, ONE, checks=checks, on_invalid=OnInvalid.DEAD, cache=CacheMode.OFF)
            end = await bench.controller.start(job_id)
            await until(bench, requests=10)
            await bench.store.writer.drain()
            assert bench.engine.snapshot().jobs[0].score_mean == pytest.approx(7 / 9)
            assert await bench.controller.retry(job_id, Selection()) == 2
            assert bench.engine.snapshot().jobs[0].score_mean == 1.0
            while bench.engine.snapshot().jobs[0].counters.done < 9:
                await asyncio.sleep(0.1)
            assert bench.engine.snapshot().jobs[0].score_mean == 1.0
            assert (await end).counters.done == 10
            assert await bench.store.items.scores(job_id) == (10, 10.0)

    virtually(main())


def falling(prompts: Sequence[str]) -> Script:
    """Right answers, and wrong ones after the first three hundred."""
    order = {prompt: n for n, prompt in enumerate(prompts)}
    return lambda prompt, _: (0.01, ok(prompt if order[prompt] < 300 else f"wrong {prompt}"))


@pytest.mark.parametrize("action", [OnDrift.WARN, OnDrift.PAUSE, OnDrift.OFF])
def test_drift_is_logged_with_its_rows_and_may_pause_the_job(tmp_path: Path, virtually: Any, action: OnDrift) -> None:
    prompts = [f"prompt {n}" for n in range(600)]
    rows = [{"prompt": prompt, "right": prompt} for prompt in prompts]

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", falling(prompts)) as bench:
            spec = {"checks": (Check("equals", "right"),), "on_drift": action, "drift": DriftRule(window=50)}
            job_id = await bench.add(rows, Knobs(concurrency=4), **spec)
            job = await bench.run(job_id)
            await bench.engine.journal.flush()
            lines = [event for event in await bench.store.events.tail(job_id=job_id) if event.level == "warning"]
            told = [event.text for event in lines if "score" in event.text and "rows 3" in event.text]
            assert bool(told) is (action is not OnDrift.OFF)
            if action is OnDrift.PAUSE:
                assert (job.state, job.reason) == (JobState.PAUSED, PauseReason.QUALITY)
                assert "score: " in job.message
                assert 300 < job.counters.done < 400
                ended = await bench.run(job_id)
                assert ended.counters.done > job.counters.done
            else:
                assert (job.state, job.counters.done) == (JobState.COMPLETED, 600)

    virtually(main())


def test_a_job_stopped_and_resumed_is_watched_as_one_that_ran_through(tmp_path: Path, virtually: Any) -> None:
    prompts = [f"prompt {n}" for n in range(500)]
    rows = [{"prompt": prompt, "right": prompt} for prompt in prompts]
    spec = {"checks": (Check("equals", "right"),), "drift": DriftRule(window=50)}

    async def alerts(path: Path, stops: Sequence[int]) -> list[Alert]:
        async with open_bench(path, falling(prompts)) as bench:
            job_id = await bench.add(rows, ONE, **spec)
        for stop in (*stops, len(rows)):
            async with open_bench(path, falling(prompts), token=f"process {stop}") as bench:  # another process
                run = await bench.controller.start(job_id)
                while not run.done() and bench.engine.snapshot().jobs[0].counters.done < stop:
                    await asyncio.sleep(0.005)
                if stop < len(rows):
                    await bench.controller.pause(job_id)
                await run
        async with open_store(path) as store:
            told = await store.alerts.of(job_id)
            logged = [event.text for event in await store.events.tail(job_id=job_id) if event.level == "warning"]
        assert logged == [f"job {job_id}: {one.alert}" for one in told]
        assert all(one.ended_at is None for one in told if one.alert.signal is Signal.SCORE)
        return [one.alert for one in told]

    async def main() -> None:
        whole = await alerts(tmp_path / "whole.db", [])
        assert {Signal.SCORE} <= {alert.signal for alert in whole}
        assert all(row > 300 for alert in whole if alert.signal is Signal.SCORE for row in alert.rows)
        assert await alerts(tmp_path / "parts.db", [120, 305, 340]) == whole

    virtually(main())


def test_a_watch_that_cannot_be_read_begins_anew_and_says_so(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", answering("yes")) as bench:
            job_id = await bench.add([f"row {n}" for n in range(30)], ONE, checks=YES_NO)
            await bench.store.alerts.save([WatchState(job_id, {"version": 99}, at=0.0)])
            job = await bench.run(job_id)
            assert job.counters.done == 30
            await bench.engine.journal.flush()
            (line,) = [one.text for one in await bench.store.events.tail(job_id=job_id) if one.level == "warning"]
            assert line.endswith("the watch of its answers begins anew: version 99")
            assert (await bench.store.alerts.watch_state(job_id))["count"] == 30

    virtually(main())


def test_a_job_that_another_process_took_is_left_its_watch(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", answering("yes")) as bench:
            job_id = await bench.add([f"row {n}" for n in range(200)], ONE, checks=YES_NO, cache=CacheMode.OFF)
            end = await bench.controller.start(job_id)
            await until(bench, requests=25)
            await bench.store.jobs.acquire(
                job_id, Owner("elsewhere", 2, "thief"), now=1e12, expiry_s=15.0, alive=lambda _: True
            )
            await bench.store.alerts.save([WatchState(job_id, {"version": 1, "count": 999}, at=0.0)])
            await end
            await asyncio.sleep(5.0)
        async with open_store(tmp_path / "jobs.db") as store:
            assert (await store.alerts.watch_state(job_id))["count"] == 999

    virtually(main())


def test_a_row_without_the_reference_column_is_dead_before_it_is_sent(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", answering("yes")) as bench:
            rows = [{"prompt": "a", "right": "yes"}, {"prompt": "b"}]
            job = await bench.run(await bench.add(rows, ONE, checks=(Check("equals", "right"),)))
            assert (job.counters.done, job.counters.dead, job.counters.requests) == (1, 1, 1)
            (dead,) = [row for row in await bench.store.items.page(job.id, limit=5) if row.state is ItemState.DEAD]
            assert "column `right`" in dead.excerpt

    virtually(main())


def test_long_answers_are_read_in_a_thread_and_judged_alike(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        script: Script = lambda prompt, _: (0.1, ok(prompt * LONG_ANSWER))  # noqa: E731
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            rows = [{"prompt": letter, "right": letter * LONG_ANSWER} for letter in "ab"]
            checks = (Check("regex", "^a+$"), Check("equals", "right"))
            job = await bench.run(await bench.add(rows, Knobs(concurrency=2), checks=checks, max_invalid=1))
            page = await bench.store.items.page(job.id, limit=5)
            assert [(row.state, row.score) for row in page] == [(ItemState.DONE, 1.0), (ItemState.DEAD, 1.0)]

    virtually(main())


@pytest.mark.parametrize("length", [1, LONG_ANSWER])
def test_a_defect_in_a_check_ends_the_job_with_words(
    tmp_path: Path, virtually: Any, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", answering("x" * length)) as bench:
            monkeypatch.setattr(Checks, "examine", broken)
            job = await bench.run(await bench.add(["row"], ONE, checks=YES_NO))
            assert (job.state, job.message) == (JobState.FAILED, "ZeroDivisionError: a defect")
            assert job.counters.pending == 1

    virtually(main())
