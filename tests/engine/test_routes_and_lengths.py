"""The engine sends rows where the rules say, and long prompts hold up no short ones."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from engine_bench import ENDPOINT, make_spec, ok, open_bench

from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.domain.item import PendingItem
from tui_batch.domain.job import Condition, InputSource, JobState, Knobs, LengthBucket, Mode, ModelRef, RouteRule
from tui_batch.engine.prepare import Preparer
from tui_batch.engine.queue import Prepared
from tui_batch.inputs.templates import compile_prompt
from tui_batch.money.tokens import TokenEstimator
from tui_batch.providers.registry import provider_for
from tui_batch.store.codec import dump_spec, load_spec

TWO = Endpoint("two", Api.OPENAI, "http://two.test/v1")
LONG = "word " * 800
"""A prompt of 1,000 tokens."""
ROUTED: dict[str, Any] = {
    "endpoints": (ENDPOINT, TWO),
    "models": (ModelRef("small", ("one",)), ModelRef("large", ("two",))),
    "mode": Mode.ROUTE,
    "routes": (
        RouteRule("large", Condition(longer_than=500)),
        RouteRule("large", Condition(column="lang", equals=("de",))),
        RouteRule("small"),
    ),
}
BUCKETS = (LengthBucket(8, 500), LengthBucket(2))


def prepared(**changes: Any) -> Prepared:
    data = changes.pop("data", {"prompt": "hello"})
    spec = make_spec(**changes)
    preparer = Preparer(spec, compile_prompt(spec), TokenEstimator(), provider_for)
    (ready,), dead = preparer.prepare([PendingItem(1, 0, 0, None, 0, 0, 0, 0.0, orjson.dumps(data))])
    assert dead == []
    return ready


def test_each_row_goes_to_the_model_its_rule_names(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            rows = [
                {"prompt": "short", "lang": "en"},
                {"prompt": LONG, "lang": "en"},
                {"prompt": "kurz", "lang": "DE"},
                {"prompt": "its own choice", "lang": "de", "model": "small"},
            ]
            source = InputSource("rows.jsonl", "jsonl", model_column="model")
            job = await bench.run(await bench.add(rows, Knobs(concurrency=4), source=source, **ROUTED))
            assert (job.state, job.counters.done) == (JobState.COMPLETED, 4)
            exported = [row async for page in bench.store.items.export(job.id) for row in page]
            assert [row.model for row in exported] == ["small", "large", "large", "small"]

    virtually(main())


def test_rows_that_no_rule_fits_go_to_the_last_model() -> None:
    changes = {**ROUTED, "routes": (RouteRule("small", Condition(contains=("x",))),)}
    assert [key.model for key in prepared(**changes).route] == ["large"]


def test_a_model_that_waits_does_not_hold_up_the_other_however_many_rows_are_before(
    tmp_path: Path, virtually: Any
) -> None:
    slow = Endpoint("two", Api.OPENAI, "http://two.test/v1", rpm=1)

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", lambda p, n: (0.1, ok())) as bench:
            rows = [{"prompt": f"de {n}", "lang": "de"} for n in range(1500)]
            rows += [{"prompt": f"en {n}", "lang": "en"} for n in range(50)]
            changes = {**ROUTED, "endpoints": (ENDPOINT, slow)}
            ended = await bench.controller.start(await bench.add(rows, Knobs(concurrency=4), **changes))
            await asyncio.sleep(30.0)
            assert sum(endpoint == "one" for _, endpoint, _ in bench.executor.sent) == 50
            await bench.engine.stop()
            assert (await ended).counters.done >= 51

    virtually(main())


def test_long_prompts_have_places_of_their_own(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Any]:
        return (60.0, ok()) if prompt.startswith("word") else (1.0, ok())

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            loop = asyncio.get_running_loop()
            start = loop.time()
            rows = [f"{LONG}{n}" for n in range(1500)] + [f"short {n}" for n in range(80)]
            ended = await bench.controller.start(await bench.add(rows, Knobs(concurrency=10), buckets=BUCKETS))
            await asyncio.sleep(59.0)
            long = [at for at, _, prompt in bench.executor.sent if prompt.startswith("word")]
            short = [at for at, _, prompt in bench.executor.sent if prompt.startswith("short")]
            assert len(long) == 2
            assert len(short) == 80
            assert max(short) - start < 11.0
            assert bench.executor.most_in_flight == 10
            await bench.engine.stop()
            await ended

    virtually(main())


def test_without_buckets_long_prompts_take_every_place(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Any]:
        return (60.0, ok()) if prompt.startswith("word") else (1.0, ok())

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            rows = [f"{LONG}{n}" for n in range(20)] + [f"short {n}" for n in range(80)]
            ended = await bench.controller.start(await bench.add(rows, Knobs(concurrency=10)))
            await asyncio.sleep(59.0)
            assert not any(prompt.startswith("short") for prompt in bench.executor.prompts)
            await bench.engine.stop()
            await ended

    virtually(main())


def test_a_long_prompt_that_waits_for_tokens_is_not_overtaken_for_ever(tmp_path: Path, virtually: Any) -> None:
    """1,300 tokens never come free in one piece as long as short prompts may take what there is."""

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", lambda p, n: (0.1, ok(tokens_in=100))) as bench:
            rows = [{"prompt": f"short {n}"} for n in range(120)]
            rows.insert(20, {"prompt": LONG})
            await bench.run(await bench.add(rows, Knobs(concurrency=4, tpm=2000), buckets=BUCKETS))
            place = next(n for n, prompt in enumerate(bench.executor.prompts) if prompt == LONG)
            assert place <= 21

    virtually(main())


def test_every_bucket_empties_and_a_failed_long_prompt_gives_its_place_back(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            rows = [f"{LONG}{n}" for n in range(9)] + [f"short {n}" for n in range(30)]
            start = asyncio.get_running_loop().time()
            job = await bench.run(await bench.add(rows, Knobs(concurrency=10), buckets=BUCKETS))
            assert (job.state, job.counters.done) == (JobState.COMPLETED, 39)
            assert asyncio.get_running_loop().time() - start < 6.0

    virtually(main())


def test_timeouts_grow_with_the_prompt_and_with_the_answer_asked_for() -> None:
    def seconds(**changes: Any) -> float:
        return prepared(**changes).calls[0].wire.timeouts.total_s

    short = seconds(params={"max_tokens": 100})
    assert short < 70.0
    longer_prompt = seconds(params={"max_tokens": 100}, data={"prompt": "word " * 8_000})
    assert 195.0 < longer_prompt - short < 205.0  # 10,000 tokens more at 20 s a thousand
    longer_answer = seconds(params={"max_tokens": 10_100})
    assert longer_answer - short == pytest.approx(200.0)
    assert seconds(params={"max_tokens": 100}, timeout_base_s=10.0) == pytest.approx(short - 50.0)
    assert seconds(params={"max_tokens": 10_100}, timeout_per_1k_tokens_s=0.0) == 60.0


def test_rules_and_buckets_are_stored_with_the_job() -> None:
    spec = make_spec(**ROUTED, buckets=BUCKETS)
    assert load_spec(dump_spec(spec)) == spec
