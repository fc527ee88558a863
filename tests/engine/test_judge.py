"""A judge scores answers: what it costs, what becomes of answers it turns down, and that no answer is bought twice."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import orjson
from engine_bench import ENDPOINT, Bench, Script, failed, ok, open_bench
from recount import counters_by_items
from refusing import refusing

from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.domain.item import ItemFlag, ItemState
from tui_batch.domain.job import CacheMode, Counters, Job, JobState, Knobs, ModelRef, PauseReason
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.domain.quality import Check, FailedCheck, OnInvalid
from tui_batch.money.prices import UnitPrices

COURT = Endpoint("court", Api.OPENAI, "http://court.test/v1")
PRICES = UnitPrices(input=100, output=1_000)
ONE = Knobs(concurrency=1)


def judged(**changes: Any) -> dict[str, Any]:
    """What makes a job one with a judge."""
    argument = {"model": "wise", "rubric": "It answers {{ prompt }}.", "endpoint": "court"}
    check = Check("judge", argument, at_least=changes.pop("at_least", 0.6))
    return {
        "checks": (*changes.pop("checks", ()), check),
        "endpoints": (ENDPOINT, COURT),
        "judge": ModelRef("wise", ("court",)),
        **changes,
    }


def says(score: float, reason: str = "so it is") -> Outcome:
    return ok(orjson.dumps({"reason": reason, "score": score}).decode(), tokens_in=100, tokens_out=20)


def is_case(prompt: str) -> bool:
    return prompt.startswith("<question>")


def court(score: float = 0.9) -> Script:
    """Answers every row after a second; its judge needs two."""
    return lambda prompt, n: (2.0, says(score)) if is_case(prompt) else (1.0, ok(f"answer to {prompt}"))


def asked(bench: Bench, endpoint: str) -> int:
    return sum(name == endpoint for _, name, _ in bench.executor.sent)


async def rows_of(bench: Bench, job: Job) -> list[Any]:
    return await bench.store.items.page(job.id, limit=100)


def test_answers_are_scored_by_another_model_and_its_cost_is_the_items(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", court(), prices=PRICES) as bench:
            job = await bench.run(await bench.add(["a", "b", "c"], ONE, **judged()))
            assert (job.state, job.counters.done, job.counters.requests) == (JobState.COMPLETED, 3, 6)
            row = (await rows_of(bench, job))[0]
            assert (row.score, row.state, row.model, row.latency_ms) == (0.9, ItemState.DONE, "m", 1_000)
            assert (row.tokens_in, row.tokens_out, row.requests, row.attempts) == (110, 25, 2, 1)
            assert row.cost_nano == 110 * 100 + 25 * 1_000
            assert job.counters.cost_nano == 3 * row.cost_nano
            assert await bench.texts(job.id) == ["answer to a", "answer to b", "answer to c"]
            assert (await bench.store.items.detail(row.id)).reason == "so it is"
            lines = [line async for page in bench.store.items.export(job.id) for line in page]
            assert [(line.reason, line.failing) for line in lines] == [("so it is", ())] * 3
            case = next(prompt for prompt in bench.executor.prompts if is_case(prompt))
            assert "<question>\na\n</question>" in case
            assert "<answer>\nanswer to a\n</answer>" in case

    virtually(main())


def test_an_answer_below_the_bound_is_asked_for_again_then_dead_with_the_answer_kept(
    tmp_path: Path, virtually: Any
) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        if is_case(prompt):
            return 0.1, says(0.8 if "better" in prompt else 0.2, "it is rude")
        return 0.1, ok("better" if prompt == "mends" and before else f"rude {before}")

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            job = await bench.run(await bench.add(["mends", "never"], ONE, **judged(max_invalid=2)))
            mended, never = await rows_of(bench, job)
            assert (mended.state, mended.score, mended.cls) == (ItemState.DONE, 0.8, OutcomeClass.OK)
            assert (never.state, never.score, never.cls) == (ItemState.DEAD, 0.2, OutcomeClass.INVALID)
            detail = await bench.store.items.detail(never.id)
            assert (detail.text, detail.message) == ("rude 1", "judge 0.20 is below 0.6: it is rude")
            assert [attempt.cls for attempt in detail.attempts] == [OutcomeClass.INVALID] * 2
            wrong = (FailedCheck("judge", "", detail.message),)
            assert (detail.failing, detail.reason) == (wrong, "it is rude")
            assert [attempt.failing for attempt in detail.attempts] == [wrong] * 2
            assert {attempt.deployment.endpoint for attempt in detail.attempts} == {"court"}
            assert (asked(bench, "one"), asked(bench, "court")) == (4, 4)

    virtually(main())


def test_the_model_is_told_what_the_judge_said(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        if is_case(prompt):
            return 0.1, says(1.0 if "polite" in prompt else 0.0, "it is rude")
        return 0.1, ok("polite" if "it is rude" in prompt else "rude")

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            job = await bench.run(await bench.add(["row"], ONE, **judged(on_invalid=OnInvalid.TELL)))
            assert (job.counters.done, await bench.texts(job.id)) == (1, ["polite"])

    virtually(main())


def test_an_answer_that_the_judge_dislikes_may_be_kept_with_a_flag(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", court(0.1)) as bench:
            job = await bench.run(await bench.add(["row"], ONE, **judged(on_invalid=OnInvalid.FLAG)))
            (row,) = await rows_of(bench, job)
            assert (row.state, row.flags, row.score) == (ItemState.DONE, ItemFlag.CHECK_FAILED, 0.1)
            (wrong,) = (await bench.store.items.detail(row.id)).failing
            assert str(wrong) == "judge 0.10 is below 0.6: so it is"

    virtually(main())


def test_a_judge_that_fails_for_good_leaves_the_answer_with_a_flag(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, _: int) -> tuple[float, Outcome]:
        if not is_case(prompt):
            return 0.1, ok("paid for")
        return 0.1, ok("ten out of ten") if "babbles" in prompt else failed(OutcomeClass.BAD_REQUEST, "no such thing")

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            spec = judged(max_attempts=2)
            job = await bench.run(await bench.add(["babbles", "refused"], ONE, **spec))
            assert (job.state, job.counters.done, job.counters.dead) == (JobState.COMPLETED, 2, 0)
            babbles, refused = await rows_of(bench, job)
            assert {babbles.flags, refused.flags} == {ItemFlag.UNJUDGED}
            assert (babbles.score, refused.score, babbles.cls) == (None, None, OutcomeClass.OK)
            assert await bench.texts(job.id) == ["paid for"] * 2
            tries = (await bench.store.items.detail(babbles.id)).attempts
            assert [attempt.cls for attempt in tries] == [OutcomeClass.MALFORMED] * 2
            assert asked(bench, "one") == 2

    virtually(main())


def test_a_judge_without_a_key_pauses_the_job_and_the_answer_is_not_bought_again(
    tmp_path: Path, virtually: Any
) -> None:
    def script(prompt: str, _: int) -> tuple[float, Outcome]:
        return 0.1, failed(OutcomeClass.AUTH, "wrong key", 401) if is_case(prompt) else ok("paid for")

    async def main() -> None:
        path = tmp_path / "jobs.db"
        async with open_bench(path, script) as bench:
            job = await bench.run(await bench.add(["row"], ONE, **judged()))
            assert (job.state, job.reason) == (JobState.PAUSED, PauseReason.AUTH)
            assert (job.counters.pending, await bench.texts(job.id)) == (1, ["paid for"])
        async with open_bench(path, court(0.7), token="later") as bench:
            job = await bench.run(job.id)
            assert (job.state, asked(bench, "one"), asked(bench, "court")) == (JobState.COMPLETED, 0, 1)
            (row,) = await rows_of(bench, job)
            assert (row.score, row.requests, row.flags) == (0.7, 3, ItemFlag.NONE)

    virtually(main())


def test_stopped_between_answer_and_verdict_only_the_judge_is_asked_again(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        path = tmp_path / "jobs.db"
        async with open_bench(path, court()) as bench:
            job_id = await bench.add(["a", "b", "c"], Knobs(concurrency=3), **judged())
            running = await bench.controller.start(job_id)
            while asked(bench, "court") < 3:
                await asyncio.sleep(0.05)
            await bench.engine.stop()
            assert (await running).counters.pending == 3
        async with open_bench(path, court(), token="later") as bench:
            job = await bench.run(job_id)
            assert (job.counters.done, asked(bench, "one"), asked(bench, "court")) == (3, 0, 3)

    virtually(main())


def test_the_judge_is_asked_only_when_the_answer_is_on_the_disk(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        stored: list[int] = []

        def script(prompt: str, _: int) -> tuple[float, Outcome]:
            if is_case(prompt):
                stored.append(bench.store.writer.backlog)
                return 0.1, says(1.0)
            return 0.1, ok("fine")

        async with open_bench(tmp_path / "jobs.db", script) as bench:
            await bench.run(await bench.add(["a"], ONE, **judged()))
            assert stored == [0]

    virtually(main())


def test_judges_and_answers_come_from_the_cache(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", court(), prices=PRICES) as bench:
            first = await bench.run(await bench.add(["a", "b"], ONE, **judged()))
            again = await bench.run(await bench.add(["a", "b"], ONE, **judged()))
            assert (again.counters.done, again.counters.cached, again.counters.requests) == (2, 2, 0)
            assert (again.counters.cost_nano, again.counters.saved_nano) == (0, first.counters.cost_nano)
            assert {row.score for row in await rows_of(bench, again)} == {0.9}

    virtually(main())


def test_a_cached_answer_that_the_judge_turns_down_is_asked_for_anew(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        if is_case(prompt):
            return 0.1, says(0.1 if "answer 0" in prompt else 0.9)
        return 0.1, ok(f"answer {before}")

    async def main() -> None:
        path = tmp_path / "jobs.db"
        async with open_bench(path, script, prices=PRICES) as bench:
            await bench.run(await bench.add(["a"], ONE))
            job_id = await bench.add(["a", "a"], ONE, **judged())
            end = await bench.controller.start(job_id)
            run = bench.engine.find(job_id)
            assert run is not None
            job = await end
            assert (job.state, job.counters.done) == (JobState.COMPLETED, 2)
            with closing(sqlite3.connect(path)) as conn:
                assert run.stats.counters == job.counters == Counters(**counters_by_items(conn, job_id))
                sums = "SELECT sum(cached), sum(saved_nano) FROM spending WHERE job_id = ?"
                assert conn.execute(sums, (job_id,)).fetchone() == (0, job.counters.saved_nano)
            assert job.counters.saved_nano == 100 * 100 + 20 * 1_000  # one verdict came from the cache
            assert await bench.texts(job.id) == ["answer 1", "answer 2"]
            assert (job.counters.cached, {row.cached for row in await rows_of(bench, job)}) == (0, {False})

    virtually(main())


def test_other_checks_count_beside_the_judge_and_spare_it_bad_answers(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        if is_case(prompt):
            return 0.1, says(0.8)
        return 0.1, ok("no" if before == 0 else "yes")

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            spec = judged(checks=(Check("equals", "expected"), Check("labels", ["yes"])))
            job = await bench.run(await bench.add([{"prompt": "p", "expected": "yes"}], ONE, **spec))
            (row,) = await rows_of(bench, job)
            assert (row.state, asked(bench, "one"), asked(bench, "court")) == (ItemState.DONE, 2, 1)
            assert row.score == (1.0 + 0.8) / 2

    virtually(main())


def test_cancelling_keeps_answers_whose_judge_was_not_heard(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        path = tmp_path / "jobs.db"
        async with open_bench(path, court()) as bench:
            job_id = await bench.add(["a"], ONE, **judged())
            await bench.controller.start(job_id)
            while asked(bench, "court") < 1:
                await asyncio.sleep(0.05)
            await bench.engine.stop()
            await bench.controller.cancel(job_id)
            job = await bench.store.jobs.get(job_id)
            (row,) = await rows_of(bench, job)
            assert (row.state, row.flags, job.counters.done) == (ItemState.DONE, ItemFlag.UNJUDGED, 1)

    virtually(main())


def test_cancelling_keeps_answers_that_were_on_their_way_before_their_judge(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", court()) as bench:
            job_id = await bench.add(["a", "b"], ONE, **judged())
            end = await bench.controller.start(job_id)
            while not asked(bench, "one"):
                await asyncio.sleep(0.05)
            await bench.controller.cancel(job_id)
            job = await end
            row, other = await rows_of(bench, job)
            assert (row.state, row.flags, other.state) == (ItemState.DONE, ItemFlag.UNJUDGED, ItemState.CANCELLED)
            assert (await bench.texts(job_id))[0] == "answer to a"
            assert asked(bench, "court") == 0

    virtually(main())


def test_the_judge_is_asked_once_though_the_disk_refuses_for_a_while(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, _: int) -> tuple[float, Outcome]:
        return (2.0, says(0.9)) if is_case(prompt) else (1.0 + 0.1 * int(prompt), ok(f"answer to {prompt}"))

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            wrap, refusals = refusing(1)
            bench.store.items.unjudged = wrap(bench.store.items.unjudged)  # type: ignore[method-assign]
            job_id = await bench.add([str(n) for n in range(4)], Knobs(concurrency=8), **judged(cache=CacheMode.OFF))
            job = await bench.run(job_id)
            assert (job.state, job.counters.done, len(refusals)) == (JobState.COMPLETED, 4, 1)
            assert asked(bench, "court") == 4

    virtually(main())


def test_a_budget_counts_the_judge(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", court(), prices=PRICES) as bench:
            worst = 1_000 * 1_000 + 2_000 * 100
            knobs = replace(ONE, budget_nano=3 * worst)
            job = await bench.run(
                await bench.add([f"row {n}" for n in range(200)], knobs, params={"max_tokens": 10}, **judged())
            )
            assert (job.state, job.reason) == (JobState.PAUSED, PauseReason.BUDGET)
            assert 0 < job.counters.cost_nano <= knobs.budget_nano

    virtually(main())


def test_many_rows_and_no_cache(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, _: int) -> tuple[float, Outcome]:
        return (0.05, says(0.9)) if is_case(prompt) else (0.01, ok(f"answer to {prompt}"))

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            spec = judged(cache=CacheMode.OFF)
            job = await bench.run(await bench.add([f"row {n}" for n in range(700)], Knobs(concurrency=50), **spec))
            assert (job.counters.done, job.counters.requests) == (700, 1_400)
            assert bench.engine.find(job.id) is None

    virtually(main())


def test_with_troubles_of_every_kind_the_books_balance(tmp_path: Path, virtually: Any) -> None:
    """Servers that fail, babble and refuse, equal rows, answers turned down, two pauses: nothing is counted twice."""
    chance = random.Random(11)

    def script(prompt: str, _: int) -> tuple[float, Outcome]:
        draw, seconds = chance.random(), chance.uniform(0.01, 2.0)
        if draw < 0.1:
            return seconds, failed(chance.choice((OutcomeClass.SERVER_ERROR, OutcomeClass.RATE_LIMITED)))
        if draw < 0.13:
            return seconds, failed(OutcomeClass.BAD_REQUEST, status=400)
        if is_case(prompt):
            return seconds, ok("no verdict") if draw < 0.16 else says(chance.choice((0.2, 0.7, 1.0)))
        return seconds, ok(f"answer {chance.randrange(40)}", 10, 5)

    async def main() -> None:
        path = tmp_path / "jobs.db"
        async with open_bench(path, script, prices=PRICES) as bench:
            await bench.run(await bench.add([f"row {n}" for n in range(30)], Knobs(concurrency=8)))
            job_id = await bench.add([f"row {n % 90}" for n in range(240)], Knobs(concurrency=8), **judged())
            for _ in range(2):
                end = await bench.controller.start(job_id)
                await asyncio.sleep(12)
                await bench.engine.stop()
                assert (await end).state is JobState.PAUSED
            end = await bench.controller.start(job_id)
            run = bench.engine.find(job_id)
            assert run is not None
            job = await end
            assert (job.state, job.counters.pending) == (JobState.COMPLETED, 0)
            assert run.stats.counters == job.counters
            with closing(sqlite3.connect(path)) as conn:
                assert counters_by_items(conn, job_id) == asdict(job.counters)
                sums = "SELECT sum(cost_nano), sum(cached), sum(saved_nano) FROM spending WHERE job_id = ?"
                spent = conn.execute(sums, (job_id,)).fetchone()
                assert conn.execute("SELECT count(*) FROM item WHERE judging > 0").fetchone() == (0,)
                kept = (
                    "SELECT count(*) FROM item JOIN result ON item_id = item.id WHERE job_id = ? AND text IS NOT NULL"
                )
                assert conn.execute(f"{kept} AND state = 'done'", (job_id,)).fetchone() == (job.counters.done,)
            assert spent == (job.counters.cost_nano, job.counters.cached, job.counters.saved_nano)
            assert (run.budget.reserved, job.counters.cached > 0, job.counters.dead > 0) == (0, True, True)
            flags = {row.flags for row in await rows_of(bench, job)}
            assert flags == {ItemFlag.NONE, ItemFlag.UNJUDGED}

    virtually(main())


def test_a_row_that_the_rubric_cannot_be_told_of_costs_nothing(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", court()) as bench:
            spec = judged()
            check = replace(spec["checks"][0], argument={"model": "wise", "rubric": "It is about {{ topic }}."})
            rows = [{"prompt": "a", "topic": "b"}, {"prompt": "no topic"}]
            job = await bench.run(await bench.add(rows, ONE, **{**spec, "checks": (check,)}))
            assert (job.counters.done, job.counters.dead, job.counters.requests) == (1, 1, 2)
            assert "rubric template uses `topic`" in (await rows_of(bench, job))[1].excerpt

    virtually(main())


def test_an_answer_too_long_for_its_judge_is_kept(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, _: int) -> tuple[float, Outcome]:
        return 0.1, ok("word " * 50_000)

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            windows = {"wise": 1_000}
            bench.engine._around = replace(bench.engine._around, window_for=lambda _, model: windows.get(model))
            job = await bench.run(await bench.add(["a"], ONE, **judged()))
            (row,) = await rows_of(bench, job)
            assert (row.state, row.flags, row.cls) == (ItemState.DONE, ItemFlag.UNJUDGED, OutcomeClass.OK)
            (attempt,) = (await bench.store.items.detail(row.id)).attempts
            assert (attempt.cls, job.counters.requests) == (OutcomeClass.CONTEXT_LENGTH, 1)

    virtually(main())


def test_a_trial_waits_for_its_judge(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", court()) as bench:
            job_id = await bench.add(["a", "b", "c", "d"], Knobs(concurrency=4), **judged())
            job = await (await bench.controller.start(job_id, trial=(0, 2)))
            assert (job.state, job.counters.done, job.counters.pending) == (JobState.PAUSED, 2, 2)
            assert [row.score for row in await rows_of(bench, job)] == [0.9, None, 0.9, None]

    virtually(main())
