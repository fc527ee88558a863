"""The options that say which database and settings a command works with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from tui_batch.cli.exits import Exit
from tui_batch.cli.files import Globals as Globals
from tui_batch.cli.files import files_of
from tui_batch.work.place import PROGRAM as PROGRAM
from tui_batch.work.place import Where as Where

DbOption: TypeAlias = Annotated[
    Path | None, typer.Option("--db", metavar="PATH", help="The job database. Also: LLMBATCH_DB.")
]
SettingsOption: TypeAlias = Annotated[
    Path | None, typer.Option("--settings", metavar="PATH", help="The settings file. Also: LLMBATCH_SETTINGS.")
]


def where(ctx: typer.Context, db: Path | None, settings: Path | None) -> Where:
    """The files meant: by an option after the verb, before it, the environment, or the platform's own place."""
    before = ctx.find_root().obj
    if isinstance(before, Globals):
        db, settings = db or before.db, settings or before.settings
    return files_of(Globals(db, settings))


def leave(code: Exit) -> typer.Exit:
    """To be raised: ends the command with this code."""
    return typer.Exit(int(code))
