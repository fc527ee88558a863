"""Verbs over single items and dead ones: item, edit, discard."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from tui_batch import figures
from tui_batch.cli.arguments import ClassOption, CustomIdOption, ItemOption, JobArgument, JsonOption, YesOption
from tui_batch.cli.console import confirm, put, put_json, put_pairs, say
from tui_batch.cli.job_verbs import no_such_dead
from tui_batch.cli.opening import desk, run
from tui_batch.cli.parsing import parse_selection
from tui_batch.cli.where import DbOption, Where, where
from tui_batch.domain.item import ItemState
from tui_batch.domain.item_scope import Selection
from tui_batch.domain.job import Job
from tui_batch.domain.request import Json
from tui_batch.domain.stored import ItemDetail
from tui_batch.errors import UserError
from tui_batch.paths import expanded
from tui_batch.quality.alerts import ToldAlert
from tui_batch.safe_text import safe_lines, safe_text

if TYPE_CHECKING:
    from tui_batch.work.item_request import AsSent

ItemArgument = Annotated[int, typer.Argument(metavar="ITEM", help="An item's id, as `items` shows it.")]
STDIN = "-"


def item(ctx: typer.Context, item_id: ItemArgument, as_json: JsonOption = False, db: DbOption = None) -> None:
    """Show one item: its prompt as sent, its answer, its failed attempts."""
    place = where(ctx, db, None)
    found = run(_item(place, item_id))
    detail, sent = found.detail, found.sent
    if as_json:
        from tui_batch.report.job_json import item_detail_json

        put_json(item_detail_json(detail, None if sent is None else sent.messages, found.alerts))
        return
    from tui_batch.work.item_request import message_text

    row = detail.row
    put_pairs(
        [
            ("item", f"{row.id} of job {detail.job_id}, row {row.seq + 1}"),
            ("custom_id", row.custom_id or ""),
            ("state", row.state.value + (f" ({row.cls.value})" if row.cls is not None else "")),
            ("sent to", str(sent.deployment) if sent is not None else ""),
            ("why", detail.message),
            *_quality_pairs(found),
            *_attempt_pairs(detail),
        ]
    )
    for message in sent.messages if sent is not None else ():
        put(f"\n[{message.role}]\n{safe_lines(message_text(message))}")
    if detail.text is not None:
        put(f"\n[answer]\n{safe_lines(detail.text)}")


def _attempt_pairs(detail: ItemDetail) -> list[tuple[str, str]]:
    return [
        (f"attempt {one.number}", f"{one.cls.value} at {one.deployment}: {safe_text(one.message, 300)}")
        for one in detail.attempts
    ]


def _quality_pairs(found: _Found) -> list[tuple[str, str]]:
    """What checks and a judge said of the answer, and the alerts that name it."""
    detail = found.detail
    failed = [("fails" if not number else "", str(one)) for number, one in enumerate(detail.failing)]
    alerts = [("got worse" if not number else "", told.alert.finding) for number, told in enumerate(found.alerts)]
    score = "" if detail.row.score is None else f"{detail.row.score:.3f}"
    return [("score", score), *failed, ("judge", detail.reason), *alerts]


@dataclass(frozen=True, slots=True)
class _Found:
    """What `item` shows."""

    detail: ItemDetail
    sent: AsSent | None
    """None: no request can be made of the row; its own words are the item's message."""
    alerts: tuple[ToldAlert, ...]
    """Those that name the item."""


async def _item(place: Where, item_id: int) -> _Found:
    import asyncio

    from tui_batch.work.item_request import as_sent

    async with desk(place) as at:
        detail = await at.store.items.detail(item_id)
        spec = (await at.store.jobs.get(detail.job_id)).spec
        alerts = tuple(one for one in await at.store.alerts.of(detail.job_id) if item_id in one.alert.item_ids)
        try:
            return _Found(detail, await asyncio.to_thread(as_sent, spec, detail), alerts)
        except UserError:
            return _Found(detail, None, alerts)


def edit(
    ctx: typer.Context,
    item_id: ItemArgument,
    row: Annotated[str, typer.Option("--row", metavar="FILE", help="The new row, a JSON object; - reads it here.")],
    db: DbOption = None,
) -> None:
    """Give one dead or pending item another row.

    Other items that had the same row keep it. Retry sends a dead one, resume a pending one.
    """
    place = where(ctx, db, None)
    found = run(_edit(place, item_id, _read_row(row)))
    job = str(found.job_id)
    dead = found.row.state is ItemState.DEAD
    send = place.command("retry", job, "--item", str(item_id)) if dead else place.command("resume", job)
    say(f"item {item_id} has a new row. Send it: {send}")


def _read_row(source: str) -> dict[str, Json]:
    from tui_batch.work.edited_row import read_row

    try:
        data = sys.stdin.buffer.read() if source == STDIN else expanded(source).read_bytes()
        text = data.decode("utf-8-sig")  # as all input is, whatever the terminal speaks
    except UnicodeDecodeError:
        raise UserError(f"{source}: is not valid UTF-8", remedy="Save the row as UTF-8.") from None
    except OSError as error:
        raise UserError(f"{source}: cannot be read: {error.strerror or error}", remedy="Check the path.") from error
    return read_row(text, source)


async def _edit(place: Where, item_id: int, row: dict[str, Json]) -> ItemDetail:
    """Returns the item as it was before."""
    async with desk(place) as at:
        detail = await at.store.items.detail(item_id)
        await at.controller.edit(item_id, row)
        return detail


def discard(
    ctx: typer.Context,
    job: JobArgument,
    cls: ClassOption = None,
    item: ItemOption = None,
    custom_id: CustomIdOption = None,
    yes: YesOption = False,
    db: DbOption = None,
) -> None:
    """Give dead items up: they become cancelled.

    All dead items of the job when nothing is named. Their errors stay to be read.
    """
    place = where(ctx, db, None)
    chosen = parse_selection(cls, item, custom_id)
    found, count = run(_dead(place, job, chosen))
    ref = str(found.id)
    if not count:
        raise no_such_dead(found, place)
    confirm(f"Discard {figures.things(count, 'dead item')} of job {ref} {found.spec.name}?", yes=yes)
    gone = run(_discard(place, found.id, chosen))
    say(f"job {ref}: {figures.things(gone, 'dead item')} discarded")


async def _dead(place: Where, ref: str, chosen: Selection) -> tuple[Job, int]:
    """The job, and how many dead items are meant."""
    async with desk(place) as at:
        found = await at.store.jobs.find(ref)
        return found, await at.controller.count_dead(found.id, chosen)


async def _discard(place: Where, job_id: int, chosen: Selection) -> int:
    async with desk(place) as at:
        return await at.controller.discard(job_id, chosen)
