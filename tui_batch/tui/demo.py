"""The demo: a temporary database, the simulator with a few faults, a sample job that runs at once."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui_batch import paths
from tui_batch.domain.job import InputSource, JobSpec, Knobs, ModelRef
from tui_batch.domain.quality import Check
from tui_batch.inputs import yaml_document
from tui_batch.money.prices import OwnPrice, UnitPrices
from tui_batch.settings import Settings
from tui_batch.tui.desk import Desk
from tui_batch.tui.start import Farewell, Opening, Signals, open_desk, show
from tui_batch.work.place import Where
from tui_batch.work.simulator import NAME, simulator_endpoint

if TYPE_CHECKING:
    from tui_batch.engine.workplace import Workplace

DEMO_FAULTS = "500=0.02,529=0.01,reset=0.01,malformed=0.01,filter=0.015,truncation=0.01"
"""So that there are errors and dead letters to play with."""
MODEL = "gpt-4o-mini"
PRICES = UnitPrices.per_mtok(0.15, 0.60, source="demo")
"""What OpenAI asks for the real model, so that the cost moves as it would; openai.com/api/pricing. Nobody is paid."""
KNOBS = Knobs(concurrency=8, rpm=2_000, budget_nano=50_000_000)
SAMPLE = "support_tickets"


async def run_demo(faults: str, signals: Signals) -> Farewell:
    """The app on a database that is gone when it ends."""
    with tempfile.TemporaryDirectory(prefix="llmbatch-demo-", ignore_cleanup_errors=True) as folder:
        settings = Settings(prices=(OwnPrice(MODEL, PRICES, NAME),))
        opening = Opening(place_in(Path(folder)), settings, faults, is_demo=True, begin=_play)
        async with open_desk(opening) as desk:
            ended = await show(desk, signals)
    return replace(ended, lines=(*ended.lines, "That was the demo: nothing was sent, nothing is kept."))


def place_in(folder: Path) -> Where:
    """The demo's files. Its commands name its database: pasted without, they would mean the person's own jobs."""
    db = folder / "demo.db"
    return Where(db, options=("--db", str(db)))


async def _play(workplace: Workplace, desk: Desk) -> None:
    await workplace.controller.start(await sample_job(desk))


async def sample_job(desk: Desk) -> int:
    """Reads the shipped support tickets in as a job for the simulator; returns its id."""
    from tui_batch.engine.importing import ImportPlan, create_job

    spec = await asyncio.to_thread(sample_spec, paths.shipped("sample_jobs"))
    plan = ImportPlan(spec, KNOBS, desk.where.db.parent / "rejects.jsonl")
    return (await create_job(desk.store, plan, now=desk.clock())).job_id


def sample_spec(folder: Path) -> JobSpec:
    """The sample's job file as a job for the simulator.

    What reads anybody's job files takes as long to load as all the rest of the demo, so this one, which is known to be
    in order, is read without it. A test holds it to what the command line makes of the same file.
    """
    said: Mapping[str, Any] = yaml_document.load(folder / f"{SAMPLE}.yaml").value
    return JobSpec(
        name=said["name"],
        source=InputSource(str(folder / said["input"]), ""),
        models=(ModelRef(said["model"], (NAME,)),),
        endpoints=(simulator_endpoint(),),
        prompt=said["prompt"],
        system=said["system"],
        params=said["params"],
        schema=said["schema"],
        checks=tuple(_check(**one) for one in said["checks"]),
    )


def _check(field: str, **kind: Any) -> Check:
    ((name, argument),) = kind.items()
    return Check(name, argument, field)
