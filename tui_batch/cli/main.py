"""The command line: assembles the verbs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from tui_batch import __version__
from tui_batch.cli.console import put
from tui_batch.cli.ending import code_of
from tui_batch.cli.exits import Exit
from tui_batch.cli.verbs import Verbs
from tui_batch.cli.where import PROGRAM, DbOption, Globals, SettingsOption, leave, where


def _version(wanted: bool) -> None:
    if wanted:
        put(f"{PROGRAM} {__version__}")
        raise leave(Exit.OK)


def root(
    ctx: typer.Context,
    db: DbOption = None,
    settings: SettingsOption = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Run prompts through LLMs by the thousand: rate limits, retries, cache, resume, cost.

    Without a command it opens the app.
    """
    ctx.obj = Globals(db, settings)
    if ctx.invoked_subcommand is None:
        from tui_batch.cli.app import open_app

        open_app(where(ctx, None, None))


def build() -> typer.Typer:
    """The whole command line. Help is plain text: it starts quicker, and reads well in a pipe."""
    app = typer.Typer(
        name=PROGRAM,
        cls=Verbs,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"max_content_width": 100},
    )
    app.callback(invoke_without_command=True)(root)
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code. `argv` is without the program's name; None: the process's own."""
    return code_of(lambda: build()(args=None if argv is None else list(argv), prog_name=PROGRAM))
