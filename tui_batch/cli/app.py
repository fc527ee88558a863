"""Opens the app. The bare command, which only does that, comes here without the command line being loaded."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tui_batch.cli.console import say
from tui_batch.cli.exits import Exit
from tui_batch.cli.files import Globals, files_of
from tui_batch.cli.opening import run
from tui_batch.work.place import PROGRAM, Where

if TYPE_CHECKING:
    from tui_batch.tui.desk import Wish
    from tui_batch.tui.start import Farewell, Signals

NO_TERMINAL = f"""The app needs a terminal. Without one:
  {PROGRAM} run INPUT -m MODEL -o results.jsonl    run a file of prompts
  {PROGRAM} ls                                     list the jobs
  {PROGRAM} --help                                 every command"""
_COMPLETION = f"_{PROGRAM.replace('-', '_').upper()}_COMPLETE"
"""The environment variable by which a shell asks for completions."""


def bare(argv: Sequence[str]) -> Callable[[], None] | None:
    """What opens the app, where the words ask for nothing else; None: the command line must say what they mean.

    Only `--db PATH` and `--settings PATH` before an optional `demo` are known here: loading the command line for those
    takes as long as drawing the app.
    """
    words, given = list(argv), Globals()
    while words and words[0].startswith("-"):
        name, joined, value = words.pop(0).partition("=")
        if not joined:
            value = words.pop(0) if words else ""
        if name not in ("--db", "--settings") or not value or value.startswith("-"):
            return None
        path = Path(value)
        given = Globals(path, given.settings) if name == "--db" else Globals(given.db, path)
    if _COMPLETION in os.environ or words not in ([], ["demo"]):
        return None
    return open_demo if words else lambda: open_app(files_of(given))


def open_app(place: Where) -> None:
    """The app over a person's own jobs.

    While it is loaded no garbage is looked for: there is little, and the looking takes a tenth of the start. The app
    switches that on again once it is at work.
    """
    need_terminal()
    gc.disable()
    from tui_batch.tui.desk import Wish
    from tui_batch.tui.start import run_app

    if _show(partial(run_app, place)) is Wish.DEMO:
        open_demo()


def open_demo(faults: str | None = None) -> None:
    """The app on a temporary database. `faults` as in `simulate --faults`; None: the usual few."""
    need_terminal()
    gc.disable()
    from tui_batch.tui.demo import DEMO_FAULTS, run_demo

    _show(partial(run_demo, DEMO_FAULTS if faults is None else faults))


def need_terminal() -> None:
    """Without one the app would write escapes into a file: says what to run instead, and ends with 2."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        say(NO_TERMINAL)
        raise SystemExit(int(Exit.USAGE))


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
