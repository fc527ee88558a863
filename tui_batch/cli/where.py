"""Which database and settings a command works with."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from tui_batch import paths
from tui_batch.cli.exits import Exit
from tui_batch.work.place import PROGRAM as PROGRAM
from tui_batch.work.place import Where as Where

DbOption: TypeAlias = Annotated[
    Path | None, typer.Option("--db", metavar="PATH", help="The job database. Also: LLMBATCH_DB.")
]
SettingsOption: TypeAlias = Annotated[
    Path | None, typer.Option("--settings", metavar="PATH", help="The settings file. Also: LLMBATCH_SETTINGS.")
]


@dataclass(frozen=True, slots=True)
class Globals:
    """Options given before the verb."""

    db: Path | None = None
    settings: Path | None = None


def where(ctx: typer.Context, db: Path | None, settings: Path | None) -> Where:
    """The files meant: by an option after the verb, before it, the environment, or the platform's own place."""
    before = ctx.find_root().obj
    if isinstance(before, Globals):
        db, settings = db or before.db, settings or before.settings
    options: list[str] = []
    if db is not None or "LLMBATCH_DB" in os.environ:
        options += ["--db", str(db or paths.default_db())]
    if settings is not None or "LLMBATCH_SETTINGS" in os.environ:
        options += ["--settings", str(settings or paths.settings_file())]
    named = None if settings is None else settings.expanduser()
    return Where((db or _usual_db(named)).expanduser(), named, tuple(options))


def _usual_db(settings: Path | None) -> Path:
    """The environment's database, or the settings file's, or the platform's own place."""
    if "LLMBATCH_DB" in os.environ or not (settings or paths.settings_file()).is_file():
        return paths.default_db()
    from tui_batch.settings import load_settings

    return load_settings(settings).db


def leave(code: Exit) -> typer.Exit:
    """To be raised: ends the command with this code."""
    return typer.Exit(int(code))
