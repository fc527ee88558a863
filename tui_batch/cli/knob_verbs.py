"""`set`: what may change while a job runs, from any terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from tui_batch import figures
from tui_batch.cli.arguments import JobArgument
from tui_batch.cli.console import say
from tui_batch.cli.opening import desk, run
from tui_batch.cli.parsing import parse_pairs
from tui_batch.cli.where import DbOption, Where, where
from tui_batch.domain.job import Job, Knobs
from tui_batch.domain.request import Json
from tui_batch.errors import UserError
from tui_batch.work.knob_words import AUTO, KNOBS, NONE
from tui_batch.work.tag_words import tag_words


def set_knobs(
    ctx: typer.Context,
    job: JobArgument,
    changes: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=VALUE",
            help="concurrency=32 or auto, rpm=600 or none, tpm=90k or none, budget=2.50 or none, "
            "cap=binding or loose, priority=5, tags=team=red,quarter=q3 or none",
        ),
    ],
    db: DbOption = None,
) -> None:
    """Change a job's limits, budget, priority or tags. A running job obeys at once, whichever process runs it."""
    place = where(ctx, db, None)
    found, running = run(_turn(place, job, parse_changes(changes)))
    say(f"job {found.id}: {in_words(found.knobs)}")
    if not running and found.counters.pending and found.imported:
        say(f"Nobody runs the job. Resume: {place.command('resume', str(found.id))}")


async def _turn(place: Where, ref: str, changes: dict[str, Json]) -> tuple[Job, bool]:
    async with desk(place) as at:
        found = await at.store.jobs.find(ref)
        running = await at.controller.owned_elsewhere(found)
        await at.controller.turn(found.id, changes)
        return await at.store.jobs.get(found.id), running


def parse_changes(pairs: Iterable[str]) -> dict[str, Json]:
    """`name=value` words as changes of domain.Knobs. Raises UserError naming the bad one."""
    return dict(_parse(name, value) for name, value in parse_pairs("set", pairs).items())


def _parse(name: str, value: str) -> tuple[str, Json]:
    knob = KNOBS.get(name)
    if knob is None:
        raise UserError(f"{name} cannot be set", remedy=f"What can: {', '.join(KNOBS)}")
    try:
        return knob.field, knob.read(value)
    except ValueError as error:
        examples = " or ".join(f"{name}={example}" for example in knob.examples)
        raise UserError(f"{name}={value}: {error}", remedy=f"For example: {examples}") from None


def in_words(knobs: Knobs) -> str:
    """All knobs in one line."""
    limits = [
        f"{name} {NONE if value is None else f'{value:,}'}" for name, value in (("RPM", knobs.rpm), ("TPM", knobs.tpm))
    ]
    budget = figures.budget(knobs)
    tags = [f"tags {tag_words(knobs.tags)}"] if knobs.tags else []
    return ", ".join(
        [f"concurrency {knobs.concurrency or AUTO}", *limits, f"budget {budget}", f"priority {knobs.priority}", *tags]
    )
