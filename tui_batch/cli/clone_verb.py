"""`clone`: the rows of a job, asked something else."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from tui_batch.cli.arguments import JobArgument
from tui_batch.cli.console import put, say
from tui_batch.cli.flags import JobFlags, taking
from tui_batch.cli.opening import desk, run
from tui_batch.cli.where import Where, where
from tui_batch.domain.item import NewRow

if TYPE_CHECKING:
    from tui_batch.store.store import Store

_NOT_FOR_CLONE = frozenset(
    {
        *("output", "from_job", "sample", "format", "custom_id_column", "priority_column", "strict"),
        *("simulate", "simulate_faults", "as_json", "detach", "yes"),
    }
)
"""Options of run that say how to read the rows or what to do with the job at once."""

ROWS_LOOKED_AT = 50
"""Rows of the job that are looked at for a column that a template names."""


_Name = Annotated[str | None, typer.Option("--name", metavar="NAME", help="Its name; else the old one with (copy).")]
_Prompt = Annotated[
    str | None,
    typer.Option("--prompt", metavar="TEMPLATE", help="Another prompt; {{ column }} is filled in."),
]


@taking(JobFlags, without=_NOT_FOR_CLONE, instead={"input": JobArgument, "name": _Name, "prompt": _Prompt})
def clone(ctx: typer.Context, flags: JobFlags) -> None:
    """Make a new job with the same rows; options change what is asked of them.

    It is not started. Prints its number.
    """
    place = where(ctx, flags.db, flags.settings)
    copy = run(_clone(place, flags))
    put(str(copy))
    say(f"job {copy} is made. Start it: {place.command('resume', str(copy))}")


async def _clone(place: Where, flags: JobFlags) -> int:
    from tui_batch.cli.asking import over
    from tui_batch.engine.compose import draft_of, with_endpoints
    from tui_batch.engine.importing import check_columns
    from tui_batch.settings import load_settings
    from tui_batch.work.making import checked
    from tui_batch.work.transports import make_transport

    async with desk(place) as at:
        found = await at.store.jobs.find(flags.input)
        settings = with_endpoints(load_settings(place.settings), found.spec.endpoints)
        async with aclosing(make_transport(settings.ca_file, "")) as transport:
            composed = await checked(over(draft_of(found), flags), settings, transport)
        rows = await _first_rows(at.store, found.id)
        if rows:
            await asyncio.to_thread(check_columns, composed.spec, found.spec.source, rows)
        return await at.controller.clone(found.id, composed.spec, composed.knobs)


async def _first_rows(store: Store, job_id: int) -> list[NewRow]:
    """Rows of the job, for a look at whether they have the columns that are asked for."""
    items = await store.items.page(job_id, limit=ROWS_LOOKED_AT)
    return [
        NewRow(item.line, item.custom_id, item.priority, (await store.items.detail(item.id)).data) for item in items
    ]
