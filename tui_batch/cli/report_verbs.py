"""`report` and `compare`: what a job came to, and which model did better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tui_batch import figures
from tui_batch.cli.arguments import JobArgument, JsonOption
from tui_batch.cli.console import RIGHT, Long, put, put_json, put_table, say
from tui_batch.cli.opening import desk, run
from tui_batch.cli.where import DbOption, Where, where
from tui_batch.paths import expanded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tui_batch.report.comparing import Comparison
    from tui_batch.report.model import Report
    from tui_batch.report.shapes import Column
    from tui_batch.report.targets import Target

EXAMPLES_SHOWN = 3


def report(
    ctx: typer.Context,
    job: JobArgument,
    output: Annotated[str, typer.Option("--output", "-o", metavar="FILE", help=".html, .md or .json.")],
    db: DbOption = None,
) -> None:
    """Write a job's report to a file.

    HTML is one file with charts that opens without a network. Works while the job runs.
    """
    place = where(ctx, db, None)
    path = expanded(output)
    made = run(_report(place, job, path))
    say(f"report of job {made.job.id} to {path}: {figures.things(made.processed, 'item')} processed")


async def _report(place: Where, ref: str, path: Path) -> Report:
    from tui_batch.report.write import report_format, write_report

    report_format(path)  # a wrong ending is told before anything is read
    async with desk(place) as at:
        found = await at.store.jobs.find(ref)
        return await write_report(at.store, found.id, path)


def compare(
    ctx: typer.Context,
    job: JobArgument,
    other: Annotated[
        str | None, typer.Argument(metavar="OTHER", help="A second job over the same file.", show_default=False)
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="All answers side by side, a line a row.")
    ] = None,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Compare the models of a job in mode each, or two jobs over the same file.

    Says by score, answered rows, cost, latency and tokens which did better, and how often they agree. A difference
    that chance could have made is none.
    """
    from tui_batch.report.targets import check_target, parse_target

    place = where(ctx, db, None)
    target = None if output is None else parse_target(output)
    if target is not None:
        check_target(target)
    refs = [job] if other is None else [job, other]
    found = run(_compare(place, refs, target))
    if as_json:
        from tui_batch.report.comparison_json import comparison_json

        put_json(comparison_json(found))
    elif target is None or not target.is_stdout:
        _show(found)
    if target is not None:
        say(f"{figures.things(found.rows, 'row')} side by side to {target}")


async def _compare(place: Where, refs: Sequence[str], target: Target | None) -> Comparison:
    from tui_batch.report.compare import compare_jobs

    async with desk(place) as at:
        jobs = [await at.store.jobs.find(ref) for ref in refs]
        return await compare_jobs(at.store, jobs, target)


def _show(comparison: Comparison) -> None:
    from tui_batch.report import comparison_words as words

    put(words.rows_words(comparison))
    for columns, rows in (
        (words.STANDING_COLUMNS, map(words.standing_row, comparison.standings)),
        (words.VERDICT_COLUMNS, map(words.verdict_row, comparison.verdicts)),
        (words.AGREEMENT_COLUMNS, map(words.agreement_row, comparison.agreements)),
    ):
        put("")
        _put(columns, rows)
    labels = [one.contender.label for one in comparison.standings]
    for example in comparison.examples[:EXAMPLES_SHOWN]:
        put("")
        put(words.example_title(example))
        for line in words.example_words(example, labels).split("\n"):
            put(f"  {line}")


def _put(columns: Sequence[Column], rows: Iterable[tuple[str, ...]]) -> None:
    put_table([f"{RIGHT if one.right else ''}{one.name.upper()}" for one in columns], list(rows), Long.WRAP)
