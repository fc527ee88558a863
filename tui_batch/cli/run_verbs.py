"""`run`, `add`, `resume`: jobs are made and run here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tui_batch.cli.arguments import JobArgument
from tui_batch.cli.console import put
from tui_batch.cli.flags import JobFlags, taking
from tui_batch.cli.opening import run as run_loop
from tui_batch.cli.where import DbOption, SettingsOption, leave, where
from tui_batch.errors import UserError

if TYPE_CHECKING:
    from tui_batch.headless import Display
    from tui_batch.report.targets import Target

_NOT_FOR_ADD = frozenset({"as_json", "detach", "yes", "output", "sample"})


@taking(JobFlags)
def run(ctx: typer.Context, flags: JobFlags) -> None:
    """Run a file of prompts, or a job file, to its end.

    Exit codes: 0 all done, 3 some items are dead, 4 paused or cancelled, 2 bad usage or input, 130 interrupted.
    """
    from tui_batch.cli import working

    order = working.ordered(flags, where(ctx, flags.db, flags.settings))
    display = make_display(flags.as_json, order.target)
    if flags.detach:
        run_loop(working.create_detached(order))
        return
    raise leave(run_loop(working.create_and_run(order, display)))


@taking(JobFlags, without=_NOT_FOR_ADD)
def add(ctx: typer.Context, flags: JobFlags) -> None:
    """Read a file into a job without starting it.

    Takes the options of run, and prints the job's number.
    """
    from tui_batch.cli import working

    order = working.ordered(flags, where(ctx, flags.db, flags.settings))
    put(str(run_loop(working.create_only(order))))


def resume(
    ctx: typer.Context,
    job: JobArgument,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="OUT", help="Write the results at the end, as run does.")
    ] = None,
    simulate_faults: Annotated[
        str, typer.Option("--simulate-faults", metavar="SPEC", help="Faults of the simulator, for a simulated job.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Progress as JSON lines on standard output.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Run in the background.")] = False,
    db: DbOption = None,
    settings: SettingsOption = None,
) -> None:
    """Go on with a job.

    The process that runs it does when there is one, else this one. What is asked, and of whom, is as it was made.
    """
    from tui_batch.cli import working
    from tui_batch.report.targets import check_target, parse_target

    place = where(ctx, db, settings)
    target = None if output is None else parse_target(output)
    if target is not None:
        check_target(target)
    display = make_display(as_json, target)
    order = working.Resumption(job, target, simulate_faults, place)
    if detach:
        run_loop(working.resume_detached(order))
        return
    raise leave(run_loop(working.resume(order, display)))


def make_display(as_json: bool, target: Target | None) -> Display:
    """JSON lines when asked for, a live bar on a terminal, plain lines elsewhere."""
    import os

    from tui_batch.headless import JsonDisplay, LiveDisplay, PlainDisplay

    if as_json:
        if target is not None and target.is_stdout:
            raise UserError(
                "--json and -o - both write to standard output", remedy="Write the results to a file: -o results.jsonl"
            )
        return JsonDisplay(sys.stdout)
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return LiveDisplay(sys.stderr)
    return PlainDisplay(sys.stderr)
