"""Answers that do not meet the job's schema: asked for again, then dead with the answer kept, never cached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine_bench import ok, open_bench

from tui_batch.domain.item import ItemState
from tui_batch.domain.job import Knobs
from tui_batch.domain.outcome import Outcome, OutcomeClass

SCHEMA = {
    "type": "object",
    "properties": {"mood": {"enum": ["good", "bad"]}, "score": {"type": "integer"}},
    "required": ["mood"],
}
GOOD = '{"mood": "good", "score": 3}'


def test_invalid_answers_are_asked_for_again_then_dead_and_never_shared(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        return 0.1, ok(GOOD if prompt == "mends" and before == 1 else "nonsense")

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            rows = ["mends", "never", "never"]
            job = await bench.run(await bench.add(rows, Knobs(concurrency=1), schema=SCHEMA, max_attempts=3))
            assert (job.counters.done, job.counters.dead, job.counters.requests) == (1, 2, 2 + 3 + 3)
            dead = [row for row in await bench.store.items.page(job.id, limit=5) if row.state is ItemState.DEAD]
            assert {row.cls for row in dead} == {OutcomeClass.INVALID}
            detail = await bench.store.items.detail(dead[0].id)
            assert (detail.text, "not JSON" in detail.message) == ("nonsense", True)
            again = await bench.run(await bench.add(["mends"], Knobs(concurrency=1), schema=SCHEMA))
            assert again.counters.cached == 1

    virtually(main())


def test_the_schema_is_part_of_the_request(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", lambda p, n: (0.1, ok(GOOD))) as bench:
            loose = await bench.run(await bench.add(["row"], Knobs(concurrency=1)))
            strict = await bench.run(await bench.add(["row"], Knobs(concurrency=1), schema=SCHEMA))
            assert (loose.counters.cached, strict.counters.cached) == (0, 0)

    virtually(main())
