"""Estimate against actual on three sample jobs: by rule of thumb, and after an earlier run of the same model taught it.

Run: python -m bench.estimate
The simulator answers at once, in memory, and counts tokens as it does; gpt-4o-mini's prices are put on it. The first
estimate knows nothing of the model; the job runs; the second estimate begins with what that run taught.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from bench.arena import table, verdict
from tui_batch.domain.job import CacheMode
from tui_batch.engine.compose import compose
from tui_batch.engine.importing import ImportPlan, create_job
from tui_batch.engine.workplace import open_workplace
from tui_batch.inputs.job_file import load_job_draft
from tui_batch.money.prices import OwnPrice, UnitPrices
from tui_batch.settings import Settings
from tui_batch.simulator.config import SimulatorConfig
from tui_batch.simulator.core import Simulator
from tui_batch.simulator.latency import Latency
from tui_batch.simulator.transport import SimulatorTransport
from tui_batch.work.estimating import Estimate, estimate, known_about
from tui_batch.work.samples import resolved
from tui_batch.work.simulated import lifted, simulated

JOBS = ("support_tickets", "grade_school_math", "embeddings")
OWN = (OwnPrice("*", UnitPrices.per_mtok("0.15", "0.60")),)
GOAL = 0.1
"""After calibration the likely cost is at most so far from the real one."""


async def measure(name: str) -> list[tuple[str, ...]]:
    """Two lines: the estimate before, and after."""
    draft, settings = simulated(load_job_draft(Path(resolved(f"sample:{name}"))), Settings())
    transport = SimulatorTransport(Simulator(SimulatorConfig(latency=Latency(0.0))))
    with tempfile.TemporaryDirectory() as folder:
        composed = lifted(await compose(draft, settings, transport))
        spec, knobs = composed.spec, composed.knobs
        async with open_workplace(Path(folder) / "jobs.db", transport, Settings(prices=OWN)) as place:
            before = await estimate(spec, knobs, await known_about(spec, None, OWN))
            made = await create_job(place.store, ImportPlan(spec, knobs, Path(folder) / "rejects.jsonl"), now=0.0)
            job = await (await place.controller.start(made.job_id))
        async with open_workplace(Path(folder) / "jobs.db", transport, Settings(prices=OWN)) as place:
            after = await estimate(spec, knobs, await known_about(spec, place.store, OWN))
    assert spec.cache is not CacheMode.OFF
    real = job.counters.cost_nano + job.counters.saved_nano
    return [line(name, "before", before, real, goal=None), line(name, "after", after, real, goal=GOAL)]


def line(name: str, when: str, found: Estimate, real: int, *, goal: float | None) -> tuple[str, ...]:
    """A line of the table."""
    cost = found.cost
    assert cost is not None
    off = cost.likely / real - 1.0
    inside = "yes" if cost.low <= real <= cost.high else "no"
    good = "" if goal is None else verdict(abs(off) <= goal and inside == "yes")
    bounds = f"{cost.low / 1e9:.4f} to {cost.high / 1e9:.4f}"
    return (f"{name}, {when}", f"{cost.likely / 1e9:.4f}", bounds, f"{real / 1e9:.4f}", f"{off:+.1%}", inside, good)


async def main_async() -> None:
    """All three."""
    rows = [entry for name in JOBS for entry in await measure(name)]
    table("Estimated and real cost in dollars", [("", "likely", "range", "real", "off", "in range", ""), *rows])


def main() -> None:
    """Parses the command line."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None).parse_args()
    asyncio.run(main_async())


if __name__ == "__main__":
    main()
