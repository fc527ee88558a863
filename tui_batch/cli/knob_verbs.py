"""`set`: what may change while a job runs, from any terminal."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated

import typer

from tui_batch import figures
from tui_batch.cli.arguments import JobArgument
from tui_batch.cli.console import say
from tui_batch.cli.opening import desk, need_database, run
from tui_batch.cli.parsing import AUTO, parse_concurrency, parse_pairs
from tui_batch.cli.where import DbOption, Where, where
from tui_batch.domain.job import Cap, Job, Knobs
from tui_batch.domain.request import Json
from tui_batch.errors import UserError
from tui_batch.work.amounts import read_dollars
from tui_batch.work.tag_words import read_tags, tag_words

NONE = "none"
NAMES = ("concurrency", "rpm", "tpm", "budget", "cap", "priority", "tags")


def set_knobs(
    ctx: typer.Context,
    job: JobArgument,
    changes: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=VALUE ...",
            help="concurrency=32 or auto, rpm=600 or none, tpm=90000 or none, budget=2.50 or none, "
            "cap=binding or loose, priority=5, tags=team=red,quarter=q3 or none",
        ),
    ],
    db: DbOption = None,
) -> None:
    """Change a job's limits, budget, priority or tags. A running job obeys at once, whichever process runs it."""
    place = where(ctx, db, None)
    found, running = run(_turn(place, job, parse_changes(changes)))
    say(f"job {found.id}: {in_words(found.knobs)}")
    if not running and found.counters.pending:
        say(f"Nobody runs the job. Resume: {place.command('resume', str(found.id))}")


async def _turn(place: Where, ref: str, changes: dict[str, Json]) -> tuple[Job, bool]:
    need_database(place)
    async with desk(place) as at:
        found = await at.store.jobs.find(ref)
        running = await at.controller.owned_elsewhere(found)
        await at.controller.turn(found.id, changes)
        return await at.store.jobs.get(found.id), running


def parse_changes(pairs: Iterable[str]) -> dict[str, Json]:
    """`name=value` words as changes of domain.Knobs. Raises UserError naming the bad one."""
    found = {name: value.strip() for name, value in parse_pairs("set", pairs).items()}
    return dict(_parse(name, value if name == "tags" else value.lower()) for name, value in found.items())


def _parse(name: str, value: str) -> tuple[str, Json]:
    match name:
        case "concurrency":
            with suppress(UserError):
                number = parse_concurrency(value)
                return name, None if number == AUTO else number
            raise _no_value(name, value)
        case "budget":
            with suppress(ValueError):
                return "budget_nano", None if value == NONE else read_dollars(value)
            raise _no_value(name, value)
        case "cap" if value in frozenset(Cap):
            return name, value
        case "rpm" | "tpm" if value == NONE:
            return name, None
        case "rpm" | "tpm" if value.isascii() and value.isdigit() and 0 < int(value) < 10**12:
            return name, int(value)
        case "priority" if value.removeprefix("-").isdigit() and value.isascii() and len(value) < 8:
            return name, int(value)
        case "tags":
            with suppress(ValueError):
                return name, read_tags(value)
            raise _no_value(name, value)
        case _ if name in NAMES:
            raise _no_value(name, value)
    raise UserError(f"{name} cannot be set", remedy=f"What can: {', '.join(NAMES)}")


_EXAMPLES = {
    "concurrency": "concurrency=32 or concurrency=auto",
    "budget": "budget=2.50 or budget=none",
    "rpm": "rpm=600 or rpm=none",
    "cap": "cap=binding or cap=loose",
    "tpm": "tpm=90000 or tpm=none",
    "priority": "priority=5",
    "tags": "tags=team=red,quarter=q3 or tags=none",
}


def _no_value(name: str, value: str) -> UserError:
    return UserError(f"{name}={value}: is no value for {name}", remedy=f"For example: {_EXAMPLES[name]}")


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
