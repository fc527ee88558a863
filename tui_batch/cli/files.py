"""Which database and settings the options before a verb mean. Knows nothing of how they are parsed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tui_batch import paths
from tui_batch.work.place import Where


@dataclass(frozen=True, slots=True)
class Globals:
    """Options given before the verb."""

    db: Path | None = None
    settings: Path | None = None


def files_of(given: Globals) -> Where:
    """The files meant: by an option, by the environment, by the settings file, or the platform's own place."""
    db, settings = given.db, given.settings
    options: list[str] = []
    if db is not None or "LLMBATCH_DB" in os.environ:
        options += ["--db", str(db or paths.default_db())]
    if settings is not None or "LLMBATCH_SETTINGS" in os.environ:
        options += ["--settings", str(settings or paths.settings_file())]
    named = None if settings is None else _to_be_seen("--settings", paths.expanded(settings))
    return Where(_to_be_seen("--db", paths.expanded(db or _usual_db(named))), named, tuple(options))


def _to_be_seen(option: str, path: Path) -> Path:
    """The path, which need not be there. Raises UserError where it cannot even be told whether it is."""
    paths.is_there(path, f"Choose another place with {option} PATH.")
    return path


def _usual_db(settings: Path | None) -> Path:
    """The environment's database, or the settings file's, or the platform's own place.

    A settings file that was named must be there: it may name another database.
    """
    if "LLMBATCH_DB" in os.environ or (settings is None and not paths.has_settings()):
        return paths.default_db()
    from tui_batch.settings import load_settings

    return load_settings(settings).db
