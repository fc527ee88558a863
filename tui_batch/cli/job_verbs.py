"""Verbs over whole jobs: ls, show, pause, cancel, retry, delete."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeAlias

import typer

from tui_batch import figures
from tui_batch.cli.arguments import ClassOption, CustomIdOption, ItemOption, JobArgument, JsonOption, YesOption
from tui_batch.cli.console import RIGHT, confirm, put_json, put_pairs, put_table, say
from tui_batch.cli.opening import Desk, desk, run
from tui_batch.cli.parsing import parse_selection
from tui_batch.cli.where import DbOption, Where, where
from tui_batch.domain.item_scope import Selection
from tui_batch.domain.job import UNREADABLE, Job, JobState
from tui_batch.errors import UserError
from tui_batch.quality.alerts import ToldAlert

Order: TypeAlias = Callable[[Desk], Awaitable[object]]
ALERTS_SHOWN = 5
"""Alerts that `show` lists, the newest."""
SETTING_SHOWN = 500
"""Characters of a prompt or another setting that `show` prints."""


def ls(ctx: typer.Context, as_json: JsonOption = False, db: DbOption = None) -> None:
    """List the jobs."""
    place = where(ctx, db, None)
    jobs = run(_jobs(place)) if place.db.exists() else []
    if as_json:
        from tui_batch.report.job_json import job_json

        put_json([job_json(job) for job in jobs])
    elif not jobs:
        say(f"no jobs yet. Run one: {place.command('run', 'prompts.txt', '--model', 'MODEL')}")
    else:
        put_table(
            ("ID", "NAME", "STATE", f"{RIGHT}DONE", f"{RIGHT}TOTAL", f"{RIGHT}DEAD", f"{RIGHT}COST", "CREATED"),
            [_job_row(job) for job in jobs],
        )
    for job in jobs:
        if job.trouble:
            say(job.trouble)
            say(f"Delete it: {place.command('delete', str(job.id))}")


async def _jobs(place: Where) -> list[Job]:
    async with desk(place) as at:
        return await at.store.jobs.list()


def state_words(job: Job) -> str:
    """The state, and for a paused job why."""
    if job.trouble:
        return UNREADABLE
    if not job.imported and job.state is JobState.DRAFT:
        return "draft (input not read to its end)"
    return f"{job.state.value} ({job.reason.value})" if job.reason is not None else job.state.value


def _job_row(job: Job) -> tuple[str, ...]:
    counters = job.counters
    return (
        str(job.id),
        job.spec.name,
        state_words(job),
        figures.count(counters.done),
        figures.count(counters.total),
        figures.count(counters.dead),
        figures.cost(counters),
        figures.local_time(job.created_at),
    )


def show(ctx: typer.Context, job: JobArgument, as_json: JsonOption = False, db: DbOption = None) -> None:
    """Show one job: its figures and settings.

    Says why the job stands still, if it does, and what to do next.
    """
    from tui_batch.report.job_words import settings_of

    place = where(ctx, db, None)
    found, scores, alerts = run(_watched(place, job))
    if as_json:
        from tui_batch.report.job_json import watched_job_json

        put_json(watched_job_json(found, scores, alerts))
        return
    mean = [("score", f"{scores[1] / scores[0]:.3f} mean of {figures.count(scores[0])}")] if scores[0] else []
    settings = [(name, value[:SETTING_SHOWN]) for name, value in settings_of(found)]
    put_pairs([*_state_pairs(found), *_figure_pairs(found), *mean, *_alert_pairs(alerts), *settings])
    for line in next_commands(found, place):
        say(line)


async def _watched(place: Where, ref: str) -> tuple[Job, tuple[int, float], tuple[ToldAlert, ...]]:
    """The job, with how many scores its answers have, their sum, and what was told when answers got worse."""
    async with desk(place) as at:
        found = await at.store.jobs.find(ref)
        return found, await at.store.items.scores(found.id), await at.store.alerts.of(found.id)


def _alert_pairs(alerts: Sequence[ToldAlert]) -> list[tuple[str, str]]:
    """The newest alerts, with when they were told."""
    older = len(alerts) - ALERTS_SHOWN
    lines = [f"{figures.local_time(told.at)}  {told.alert}{_over(told)}" for told in alerts[-ALERTS_SHOWN:]]
    lines += [f"and {figures.count(older)} before: in the report"] if older > 0 else []
    return [("got worse" if not number else "", line) for number, line in enumerate(lines)]


def _over(told: ToldAlert) -> str:
    return "" if told.ended_at is None else f" (over by {figures.local_time(told.ended_at)})"


async def find(place: Where, ref: str) -> Job:
    """The job meant by a number or a name. Raises UserError when there is none."""
    async with desk(place) as at:
        return await at.store.jobs.find(ref)


async def _find_listed(place: Where, ref: str) -> Job:
    """As `find`; what cannot be read can be deleted all the same."""
    async with desk(place) as at:
        return await at.store.jobs.find_listed(ref)


def _state_pairs(job: Job) -> list[tuple[str, str]]:
    owner = job.owner
    return [
        ("job", f"{job.id} {job.spec.name}"),
        ("state", state_words(job)),
        ("why", job.message),
        ("run by", f"process {owner.pid} on {owner.host}" if owner else ""),
        ("created", figures.local_time(job.created_at)),
        ("started", figures.local_time(job.started_at)),
        ("finished", figures.local_time(job.finished_at)),
    ]


def _figure_pairs(job: Job) -> list[tuple[str, str]]:
    counters = job.counters
    return [
        ("items", f"{figures.count(counters.done)} done, {figures.count(counters.dead)} dead, "
                  f"{figures.count(counters.pending)} pending, {figures.count(counters.cancelled)} cancelled, "
                  f"{figures.count(counters.total)} in all"),
        ("cache", f"{figures.count(counters.cached)} from the cache" if counters.cached else ""),
        ("requests", figures.count(counters.requests)),
        ("tokens", f"{figures.count(counters.tokens_in)} in, {figures.count(counters.tokens_out)} out"),
        ("cost", figures.cost(counters)),
    ]  # fmt: skip


def next_commands(job: Job, place: Where) -> list[str]:
    """What a person may want to do with this job now, as commands to paste."""
    ref = str(job.id)
    if not job.imported:
        return [f"Delete: {place.command('delete', ref)}"]
    lines = []
    if job.counters.dead:
        lines.append(f"Errors: {place.command('errors', ref)}")
        lines.append(f"Retry:  {place.command('retry', ref, '--dead')}")
    if job.owner is not None:
        lines.append(f"Pause:  {place.command('pause', ref)}")
    elif job.counters.pending and job.state is not JobState.CANCELLED:
        lines.append(f"Resume: {place.command('resume', ref)}")
    if job.counters.done:
        lines.append(f"Export: {place.command('export', ref, '-o', 'results.jsonl')}")
    return lines


def pause(ctx: typer.Context, job: JobArgument, db: DbOption = None) -> None:
    """Pause a running job, whichever process runs it.

    What is in flight is finished and kept.
    """
    place = where(ctx, db, None)
    found = run(_pause(place, job))
    say(f"job {found.id} is paused. Resume: {place.command('resume', str(found.id))}")


async def _pause(place: Where, ref: str) -> Job:
    async with desk(place) as at:
        found = await at.store.jobs.find(ref)
        if found.state is not JobState.PAUSED:
            await at.controller.pause(found.id)
        return found


def cancel(ctx: typer.Context, job: JobArgument, yes: YesOption = False, db: DbOption = None) -> None:
    """End a job and cancel its pending items.

    Answers on their way are kept.
    """
    place = where(ctx, db, None)
    found = run(find(place, job))
    if found.state in (JobState.CANCELLED, JobState.COMPLETED):
        raise UserError(
            f"job {found.id} is {found.state.value} already",
            remedy=f"What it has: {place.command('export', str(found.id), '-o', 'results.jsonl')}",
        )
    confirm(f"Cancel job {found.id} with {figures.things(found.counters.pending, 'pending item')}?", yes=yes)
    run(_order(place, lambda at: at.controller.cancel(found.id)))
    say(f"job {found.id} is cancelled. What it has: {place.command('export', str(found.id), '-o', 'results.jsonl')}")


async def _order(place: Where, order: Order) -> object:
    async with desk(place) as at:
        return await order(at)


def retry(
    ctx: typer.Context,
    job: JobArgument,
    dead: Annotated[bool, typer.Option("--dead", help="All dead items (the default when nothing is named).")] = False,
    cls: ClassOption = None,
    item: ItemOption = None,
    custom_id: CustomIdOption = None,
    db: DbOption = None,
) -> None:
    """Make dead items pending again."""
    place = where(ctx, db, None)
    if dead and (cls or item or custom_id):
        raise UserError("--dead means all dead items: it goes with no other choice", remedy="Leave --dead out.")
    found, count, running = run(_retry(place, job, parse_selection(cls, item, custom_id)))
    if not count:
        raise no_such_dead(found, place)
    say(f"pending again: {figures.things(count, 'item')} of job {found.id}")
    if not running:
        say(f"Nobody runs the job. Resume: {place.command('resume', str(found.id))}")


def no_such_dead(job: Job, place: Where) -> UserError:
    """None of the items that were named is dead."""
    if not job.counters.dead:
        return UserError(
            f"job {job.id} has no dead items", remedy=f"See how it is: {place.command('show', str(job.id))}"
        )
    return UserError(f"job {job.id} has no such dead item", remedy=f"See them: {place.command('errors', str(job.id))}")


async def _retry(place: Where, ref: str, chosen: Selection) -> tuple[Job, int, bool]:
    async with desk(place) as at:
        found = await at.store.jobs.find(ref)
        running = await at.controller.owned_elsewhere(found)
        return found, await at.controller.retry(found.id, chosen), running


def delete(ctx: typer.Context, job: JobArgument, yes: YesOption = False, db: DbOption = None) -> None:
    """Delete a job with everything it holds. Answers in the response cache stay."""
    place = where(ctx, db, None)
    found = run(_find_listed(place, job))
    items = figures.things(found.counters.total, "item")
    confirm(f"Delete job {found.id} {found.spec.name} with {items} and their answers?", yes=yes)
    run(_order(place, lambda at: at.controller.delete(found.id)))
    say(f"job {found.id} is deleted.")
