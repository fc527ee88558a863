"""Verbs over a job's items: items, errors, export."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

import typer

from tui_batch import figures
from tui_batch.cli.arguments import JobArgument, JsonOption
from tui_batch.cli.console import RIGHT, Long, put, put_json, put_table, say
from tui_batch.cli.opening import desk, run
from tui_batch.cli.parsing import parse_class, parse_whole
from tui_batch.cli.where import DbOption, Where, where
from tui_batch.domain.item import ItemState
from tui_batch.domain.item_filter import Choice, ItemFilter, OneOf, Term, Words
from tui_batch.domain.item_scope import ItemScope
from tui_batch.domain.job import Job
from tui_batch.domain.stored import ErrorGroup, ItemRow
from tui_batch.errors import UserError
from tui_batch.report.formats import ResultFormat, endings
from tui_batch.safe_text import safe_text
from tui_batch.text_streams import json_for
from tui_batch.work.filter_words import parse_filter

if TYPE_CHECKING:
    from tui_batch.report.export import Exported
    from tui_batch.report.targets import Target

PAGE = 500
SHOWN = 50
"""Items that a table shows unless --limit says otherwise; JSON has all."""
FilterOption = Annotated[
    str | None, typer.Option("--filter", metavar="FILTER", help="As typed in the app: 'attempts>2 cost>0.01'.")
]
StateOption = Annotated[str | None, typer.Option("--state", metavar="STATE", help="pending, done, dead or cancelled.")]


def parse_state(name: str | None) -> ItemState | None:
    """An item's state by its name. Raises UserError with the names there are."""
    if name is None:
        return None
    try:
        return ItemState(name.strip().lower())
    except ValueError:
        raise UserError(f"{name!r} is no item state", remedy=f"The states: {', '.join(ItemState)}") from None


def items(
    ctx: typer.Context,
    job: JobArgument,
    state: StateOption = None,
    cls: Annotated[str | None, typer.Option("--class", metavar="CLASS", help="Class of the last outcome.")] = None,
    text: Annotated[
        str | None, typer.Option("--text", metavar="TEXT", help="Found in the row, the answer or the message.")
    ] = None,
    words: FilterOption = None,
    limit: Annotated[
        str | None, typer.Option("--limit", metavar="N", help=f"At most so many items; in a table else {SHOWN}.")
    ] = None,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """List a job's items in input order.

    The filter is the app's: state:dead class:timeout model:gpt attempts>2 field.category:cards "free text" -word.
    """
    place = where(ctx, db, None)
    found, one = parse_state(state), None if cls is None else parse_class(cls)
    most = parse_whole("--limit", limit)
    wanted = ItemFilter(
        _terms((found.value,) if found else (), (one.value,) if one else (), (), text or "") + _typed(words)
    )
    if as_json:
        run(_items_json(place, job, wanted, most))
        return
    rows = run(_items(place, job, wanted, (most or SHOWN) + 1))
    if not rows:
        say("no item is like that" if wanted else "the job has no items")
        return
    shown = rows[: most or SHOWN]
    titles = (
        f"{RIGHT}ID",
        f"{RIGHT}LINE",
        "CUSTOM_ID",
        "STATE",
        "CLASS",
        f"{RIGHT}TRIES",
        "MODEL",
        f"{RIGHT}MS",
        "ANSWER",
    )
    put_table(titles, [_item_cells(row) for row in shown], Long.CUT)
    if len(rows) > len(shown):
        say(f"the first {len(shown)} only; more with --limit N, all with --json")


async def _rows(place: Where, ref: str, wanted: ItemFilter, limit: int | None) -> AsyncIterator[ItemRow]:
    """The items that meet the filter, in input order, read a page at a time."""
    from tui_batch.store.item_view import ItemQuery

    async with desk(place) as at:
        job = await at.store.jobs.find(ref)
        left = sys.maxsize if limit is None else limit
        async for piece in at.store.search.find(ItemQuery(job.id, wanted)):
            for start in range(0, min(left, len(piece.ids)), PAGE):
                ids = piece.ids[start : min(left, start + PAGE)].tolist()
                rows = await at.store.items.rows(ids)
                for item_id in ids:
                    if item_id in rows:
                        yield rows[item_id]
            left -= len(piece.ids)
            if left <= 0:
                return


async def _items(place: Where, ref: str, wanted: ItemFilter, limit: int) -> list[ItemRow]:
    return [row async for row in _rows(place, ref, wanted, limit)]


async def _items_json(place: Where, ref: str, wanted: ItemFilter, limit: int | None) -> None:
    """A JSON list, an item a line, written as it is read."""
    from tui_batch.report.job_json import item_json

    lead = "["
    async for row in _rows(place, ref, wanted, limit):
        put(lead + json_for(sys.stdout, item_json(row)))
        lead = ","
    put("]" if lead == "," else "[]")


def _item_cells(row: ItemRow) -> tuple[str, ...]:
    return (
        str(row.id),
        "-" if row.line is None else str(row.line),
        safe_text(row.custom_id or "-", 24),
        row.state.value + (" (cached)" if row.cached else ""),
        "-" if row.cls is None else row.cls.value,
        str(row.attempts),
        row.model or "-",
        "-" if row.latency_ms is None else str(row.latency_ms),
        safe_text(row.excerpt, 60),
    )


def errors(ctx: typer.Context, job: JobArgument, as_json: JsonOption = False, db: DbOption = None) -> None:
    """Group a job's dead items by class and message."""
    place = where(ctx, db, None)
    found, groups = run(_errors(place, job))
    if as_json:
        from tui_batch.report.job_json import error_json

        put_json([error_json(group) for group in groups])
        return
    if not groups:
        say(f"job {found.id} has no dead items")
        return
    rows = [(figures.count(group.count), group.cls.value, str(group.example_id), group.example) for group in groups]
    put_table((f"{RIGHT}COUNT", "CLASS", f"{RIGHT}EXAMPLE", "MESSAGE"), rows)
    ref = str(found.id)
    say(f"Retry a class: {place.command('retry', ref, '--class', groups[0].cls.value)}")
    say(f"Retry all:     {place.command('retry', ref, '--dead')}")


async def _errors(place: Where, ref: str) -> tuple[Job, list[ErrorGroup]]:
    async with desk(place) as at:
        found = await at.store.jobs.find(ref)
        return found, await at.store.items.errors(found.id)


def export(
    ctx: typer.Context,
    job: JobArgument,
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FILE", help=f"{endings()}, or -"),
    ],
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--state", metavar="STATE", help="Only pending, done, dead or cancelled items. May be given again."
        ),
    ] = None,
    cls: Annotated[
        list[str] | None,
        typer.Option("--class", metavar="CLASS", help="Only this class of the last outcome. May be given again."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", metavar="MODEL", help="Only models with this in their name. May be given again."),
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", metavar="TEXT", help="Only with this in the row, the answer or the message.")
    ] = None,
    item: Annotated[
        list[int] | None, typer.Option("--item", metavar="ID", help="Only this item, by its id. May be given again.")
    ] = None,
    words: FilterOption = None,
    flatten: Annotated[
        bool, typer.Option("--flatten", help="The fields of JSON answers as columns: response.NAME.")
    ] = False,
    form: Annotated[
        str | None, typer.Option("--format", metavar="FORMAT", help=f"{figures.listed(ResultFormat)}.")
    ] = None,
    db: DbOption = None,
) -> None:
    """Write a job's results to a file.

    One line per input row, in input order: the row's own columns, then response, status, error, model, usage,
    cost_usd, latency_ms, cached, finish_reason, custom_id and more. An own column of such a name becomes input_NAME.
    Works while the job runs, and says how many rows are still pending.
    """
    from tui_batch.cli.parsing import parse_ids, parse_word
    from tui_batch.report.targets import check_target, parse_target

    place = where(ctx, db, None)
    target = parse_target(output, parse_word("--format", form, ResultFormat))
    check_target(target)
    states = tuple(found.value for name in state or () if (found := parse_state(name)))
    classes = tuple(parse_class(name).value for name in cls or ())
    chosen = _terms(states, classes, tuple(model or ()), text or "") + _typed(words)
    scope = ItemScope(ItemFilter(chosen), parse_ids(item))
    exported = run(_export(place, job, target, scope, flatten=flatten))
    pending = f", {figures.count(exported.pending)} of them still pending" if exported.pending else ""
    say(f"{figures.things(exported.rows, 'row')} to {target}{pending}.")


def _terms(states: tuple[str, ...], classes: tuple[str, ...], models: tuple[str, ...], text: str) -> tuple[Term, ...]:
    """The items that meet every option given; an option given twice means either."""
    chosen = ((Choice.STATE, states), (Choice.CLASS, classes), (Choice.MODEL, models))
    terms: list[Term] = [OneOf(choice, values) for choice, values in chosen if values]
    return (*terms, *((Words(text),) if text else ()))


def _typed(words: str | None) -> tuple[Term, ...]:
    """The app's own filter words."""
    return parse_filter(words).terms if words else ()


async def _export(place: Where, ref: str, target: Target, scope: ItemScope, *, flatten: bool) -> Exported:
    from tui_batch.report.export import Shape, export_results

    async with desk(place) as at:
        found = await at.store.jobs.find(ref)
        shape = Shape.FLAT if flatten else Shape.NESTED
        return await export_results(at.store, found, target, scope=scope, shape=shape)
