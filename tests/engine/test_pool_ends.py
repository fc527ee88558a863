"""The end of a job on a pool: its last rows do not queue at the slowest server while the others stand idle."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from engine_bench import ok, open_bench

from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.domain.job import Knobs, ModelRef
from tui_batch.domain.outcome import Outcome

FAST = Endpoint("fast", Api.OPENAI, "http://fast.test/v1", max_in_flight=4)
SLOW = Endpoint("slow", Api.OPENAI, "http://slow.test/v1", max_in_flight=4)


async def run(path: Path, rows: int) -> tuple[float, list[float]]:
    """Seconds that a job takes on a server of 0.2 s and one of 20 s, and when the slow one was asked."""
    async with open_bench(path) as bench:

        def script(prompt: str, before: int) -> tuple[float, Outcome]:
            return (0.2 if bench.executor.sent[-1][1] == "fast" else 20.0), ok()

        bench.executor.script = script
        job_id = await bench.add(
            [f"row {n}" for n in range(rows)],
            Knobs(concurrency=8),
            endpoints=(FAST, SLOW),
            models=(ModelRef("m", ("fast", "slow")),),
        )
        start = asyncio.get_running_loop().time()
        job = await bench.run(job_id)
        assert job.counters.done == rows
        took = asyncio.get_running_loop().time() - start
        return took, [at - start for at, endpoint, _ in bench.executor.sent if endpoint == "slow"]


def test_the_last_rows_wait_for_the_faster_server(tmp_path: Path, virtually: Any) -> None:
    took, slow = virtually(run(tmp_path / "jobs.db", 600))

    assert len(slow) == 4
    assert took < 32.0


def test_a_slow_server_works_as_long_as_it_helps(tmp_path: Path, virtually: Any) -> None:
    took, slow = virtually(run(tmp_path / "jobs.db", 1500))

    assert len(slow) >= 8
    assert took < 1500 / 20
