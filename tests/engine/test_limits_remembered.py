"""A limit that a server taught by refusals is not run into again by the next process."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine_bench import ENDPOINT, failed, ok, open_bench

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.job import Knobs
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.engine.memory import EVERY_S, server_of

KEY = DeploymentKey("one", "m")
LIMIT = 30


class Strict:
    """Takes so many requests in a minute, says nothing of it, and refuses the rest."""

    def __init__(self) -> None:
        self.taken = deque[float]()
        self.refused = 0

    def __call__(self, prompt: str, before: int) -> tuple[float, Outcome]:
        now = asyncio.get_running_loop().time()
        while self.taken and self.taken[0] <= now - 60.0:
            self.taken.popleft()
        if len(self.taken) >= LIMIT:
            self.refused += 1
            return 0.02, failed(OutcomeClass.RATE_LIMITED, status=429)
        self.taken.append(now)
        return 0.2, ok()


def test_a_job_resumed_in_another_process_keeps_to_what_the_first_one_learned(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        server, path = Strict(), tmp_path / "jobs.db"
        async with open_bench(path, server) as bench:
            job_id = await bench.add([f"row {n}" for n in range(150)], Knobs(concurrency=16))
            await bench.controller.start(job_id)
            await asyncio.sleep(65.0 + EVERY_S)
            assert server.refused
            kept = await bench.store.limits.of(KEY, server_of(ENDPOINT))
            assert kept is not None, "written while it runs: a process that is killed writes nothing at its end"
            assert kept.per_minute == LIMIT
        server.refused = 0
        async with open_bench(path, server, token="later") as bench:
            await bench.controller.start(job_id)
            await asyncio.sleep(1.0)
            lane = bench.engine.snapshot().lanes[0]
            assert (lane.rpm, lane.learned) == (LIMIT, True)
            await asyncio.sleep(65.0)
            assert not server.refused

    virtually(main())


def test_another_server_by_the_same_name_is_not_held_to_it(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        server, path = Strict(), tmp_path / "jobs.db"
        async with open_bench(path, server) as bench:
            job_id = await bench.add([f"row {n}" for n in range(40)], Knobs(concurrency=16))
            await bench.run(job_id)
        moved = replace(ENDPOINT, base_url="http://other.test/v1")
        async with open_bench(path, lambda prompt, before: (0.2, ok()), token="later") as bench:
            job_id = await bench.add([f"row {n}" for n in range(100)], Knobs(concurrency=16), endpoints=(moved,))
            await bench.controller.start(job_id)
            await asyncio.sleep(30.0)
            assert len(bench.executor.sent) == 100

    virtually(main())
