"""The console script: assembles the verbs, and turns every error into a line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tui_batch import __version__
from tui_batch.cli.console import put, say, show_error
from tui_batch.cli.exits import Exit
from tui_batch.cli.verbs import Verbs
from tui_batch.cli.where import PROGRAM, DbOption, Globals, SettingsOption, leave, where
from tui_batch.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


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
    """Run prompts through LLMs by the thousand: rate limits, retries, cache, resume, cost."""
    ctx.obj = Globals(db, settings)
    if ctx.invoked_subcommand is None:
        from tui_batch.cli import app_verbs

        app_verbs.open_app(where(ctx, None, None))


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
    try:
        build()(args=None if argv is None else list(argv), prog_name=PROGRAM)
    except SystemExit as ending:
        return _flushed(ending.code if isinstance(ending.code, int) else Exit.OK)
    except UserError as error:
        show_error(error)
        return Exit.USAGE
    except KeyboardInterrupt:
        say("interrupted")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        return _broken_pipe()
    except Exception as error:
        from tui_batch.safe_text import safe_text

        say(f"error: unexpected {type(error).__name__}: {safe_text(str(error), 300)}")
        say(f"This is a fault of {PROGRAM}. What happened where is in {_keep_traceback()}")
        return Exit.UNEXPECTED
    return _flushed(Exit.OK)


def _flushed(code: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _broken_pipe()
    return code


def _broken_pipe() -> int:
    """Quiet, as cat and grep are. Standard output is replaced, or Python would complain about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Exit.BROKEN_PIPE


def _keep_traceback() -> Path:
    """Writes the current traceback to the program's log, or to a temporary file when that cannot be written."""
    import tempfile
    import traceback
    from pathlib import Path

    from tui_batch.cli.opening import log_file

    try:
        path = log_file()
        with path.open("a", encoding="utf-8") as log:
            log.write(traceback.format_exc())
    except OSError:
        with tempfile.NamedTemporaryFile("w", suffix=".log", delete=False, encoding="utf-8") as log:
            log.write(traceback.format_exc())
            path = Path(log.name)
    return path
