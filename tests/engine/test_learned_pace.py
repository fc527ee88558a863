"""What a run teaches of how fast a server answers and how many it takes at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine_bench import ok, open_bench

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.job import Knobs
from tui_batch.domain.outcome import Outcome

KEY = DeploymentKey("one", "m")


def test_only_a_job_on_auto_teaches_how_many_are_taken_at_once(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        return 0.5, ok()

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            estimator = bench.engine._estimator
            await bench.run(await bench.add([f"row {n}" for n in range(40)], Knobs(concurrency=4)))
            learned = estimator.learned(KEY)
            assert learned is not None
            assert learned.in_flight is None
            await bench.run(await bench.add([f"other {n}" for n in range(600)], Knobs()))
            learned = estimator.learned(KEY)
            assert learned is not None
            assert learned.in_flight is not None
            assert learned.in_flight > 4, "it found more room than the first job used"

    virtually(main())
