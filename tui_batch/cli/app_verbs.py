"""The app: without a verb over the person's own jobs, with `demo` over a temporary database."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from tui_batch.cli.console import say
from tui_batch.cli.exits import Exit
from tui_batch.cli.opening import run
from tui_batch.cli.where import leave
from tui_batch.work.place import PROGRAM, Where

if TYPE_CHECKING:
    from tui_batch.tui.desk import Wish
    from tui_batch.tui.start import Farewell, Signals

NO_TERMINAL = f"""{PROGRAM} without a command opens the app, which needs a terminal. Without one:
  {PROGRAM} run INPUT -m MODEL -o results.jsonl    run a file of prompts
  {PROGRAM} ls                                     list the jobs
  {PROGRAM} --help                                 every command"""


def demo(
    faults: Annotated[
        str | None, typer.Option("--faults", metavar="NAME=RATE,...", help="What goes wrong, as in simulate --faults.")
    ] = None,
) -> None:
    """Open the app on a temporary database with the simulator and a sample job: no key, no network."""
    need_terminal()
    from tui_batch.tui.demo import DEMO_FAULTS, run_demo

    _show(partial(run_demo, DEMO_FAULTS if faults is None else faults))


def open_app(place: Where) -> None:
    """The app over a person's own jobs."""
    need_terminal()
    from tui_batch.tui.desk import Wish
    from tui_batch.tui.start import run_app

    if _show(partial(run_app, place)) is Wish.DEMO:
        demo()


def need_terminal() -> None:
    """Without one the app would write escapes into a file: says what to run instead, and ends with 2."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        say(NO_TERMINAL)
        raise leave(Exit.USAGE)


def _show(app: Callable[[Signals], Awaitable[Farewell]]) -> Wish | None:
    """Runs the app, then says what is left to be said; returns what the person wants next."""
    from tui_batch.cli.interrupts import listening

    async def listened() -> Farewell:
        with listening() as interrupts:
            return await app(interrupts.handled_by)

    farewell = run(listened())
    for line in farewell.lines:
        say(line)
    return farewell.wish
