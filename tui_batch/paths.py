"""Where files live on this platform, and the files that ship with the program."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from platformdirs import PlatformDirs

from tui_batch.errors import UserError

_DIRS = PlatformDirs("llmbatch-tui", appauthor=False)


def expanded(path: str | Path) -> Path:
    """The path with a leading `~` or `~name` as the home directory it means. Raises UserError where there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        user = Path(path).parts[0]
        raise UserError(f"{path}: there is no home directory {user} here", remedy="Write the path in full.") from None


def default_db() -> Path:
    """The job database: LLMBATCH_DB, or jobs.db in the platform's data directory."""
    named = os.environ.get("LLMBATCH_DB")
    return expanded(named) if named else Path(_DIRS.user_data_dir) / "jobs.db"


def settings_file() -> Path:
    """The user's settings: LLMBATCH_SETTINGS, or settings.yaml in the platform's configuration directory."""
    named = os.environ.get("LLMBATCH_SETTINGS")
    return expanded(named) if named else Path(_DIRS.user_config_dir) / "settings.yaml"


def is_there(path: Path, remedy: str) -> bool:
    """Whether there is such a file. Raises UserError where nobody can tell: a closed directory, a name too long."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", remedy=remedy) from None


def has_settings() -> bool:
    """Whether a settings file is in its usual place. Raises UserError where nobody can tell."""
    return is_there(settings_file(), "Open its directory to yourself, or name another file with --settings PATH.")


def user_themes() -> Path:
    """The user's own themes."""
    return settings_file().parent / "themes"


def user_keymap() -> Path:
    """The user's own keys."""
    return settings_file().with_name("keymap.yaml")


APP_LOG = "tui_batch.app"
"""The logger of what a person did in the app, as commands: all of it goes into the program's log."""


def working_folder() -> Path:
    """Where the program was started; where that is gone, the home directory."""
    try:
        return Path.cwd()
    except OSError:
        return Path.home()


def log_dir() -> Path:
    """Logs of detached runs and of the app."""
    return Path(_DIRS.user_log_dir)


def make_log_dir() -> Path:
    """The same, made where it is missing; nobody else may look into it. Raises OSError."""
    directory = log_dir()
    for made in (directory.parent, directory):
        made.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory


def for_owner_only(path: str, flags: int) -> int:
    """For `open(..., opener=for_owner_only)`: a file that is new can be read by its owner alone."""
    return os.open(path, flags, 0o600)


def shipped(kind: str) -> Path:
    """The directory of shipped `themes` or `sample_jobs`: inside the wheel, or the checkout's top level."""
    package = Path(__file__).resolve().parent
    inside = package / "_shipped" / kind
    return inside if inside.is_dir() else package.parent / kind


def state_dir() -> Path:
    """Where the app remembers its looks: LLMBATCH_STATE, or the platform's state directory."""
    named = os.environ.get("LLMBATCH_STATE")
    return expanded(named) if named else Path(_DIRS.user_state_dir)
