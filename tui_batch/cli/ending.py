"""How a command ends, whatever ends it: a line for a person where something went wrong, and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from tui_batch.cli.console import say, show_error
from tui_batch.cli.exits import Exit
from tui_batch.errors import UserError
from tui_batch.text_streams import be_lenient
from tui_batch.work.place import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path


def code_of(command: Callable[[], object]) -> int:
    """Runs a command and returns its exit code."""
    be_lenient(sys.stdout)
    try:
        command()
        sys.stdout.flush()  # where what was printed meets a full disk
    except SystemExit as ending:
        return _flushed(ending.code if isinstance(ending.code, int) else Exit.OK)
    except UserError as error:
        show_error(error)
        return Exit.USAGE
    except KeyboardInterrupt:
        say("interrupted")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        return _let_go(Exit.BROKEN_PIPE)  # quiet, as cat and grep are
    except UnicodeEncodeError as error:
        if not any("\ud800" <= char <= "\udfff" for char in error.object):
            return _unexpected(error)
        words = "an argument, or a name, holds bytes that are not UTF-8 text"  # Python makes surrogates of them
        show_error(UserError(f"{error.object[:100]}: {words}", remedy="Write it again, by hand."))
        return Exit.USAGE
    except OSError as error:
        return _no_room(error) if error.errno in _FULL else _unexpected(error)
    except Exception as error:
        return _unexpected(error)
    return Exit.OK


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def _no_room(error: OSError) -> int:
    """Tells that what is written, to standard output as a rule, has no room."""
    where = error.filename or "standard output"
    show_error(UserError(f"{where} cannot be written: {error.strerror}", remedy="Make room, or write elsewhere."))
    return _let_go(Exit.UNEXPECTED)


def _unexpected(error: Exception) -> int:
    """Tells of a fault of the program's own, while it is being handled."""
    from tui_batch.safe_text import safe_text

    say(f"error: unexpected {type(error).__name__}: {safe_text(str(error), 300)}")
    say(f"This is a fault of {PROGRAM}. What happened where is in {_keep_traceback()}")
    return Exit.UNEXPECTED


def _flushed(code: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _let_go(Exit.BROKEN_PIPE)
    except OSError as error:
        return _no_room(error) if error.errno in _FULL else _unexpected(error)
    return code


def _let_go(code: int) -> int:
    """Standard output is replaced, or Python would complain at exit that the rest cannot be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _keep_traceback() -> Path:
    """Writes the current traceback to the program's log, or to a temporary file when that cannot be written."""
    import tempfile
    import traceback
    from pathlib import Path

    from tui_batch import paths
    from tui_batch.cli.opening import log_file

    try:
        path = log_file()
        with open(path, "a", encoding="utf-8", opener=paths.for_owner_only) as log:
            log.write(traceback.format_exc())
    except OSError:
        with tempfile.NamedTemporaryFile("w", suffix=".log", delete=False, encoding="utf-8") as log:
            log.write(traceback.format_exc())
            path = Path(log.name)
    return path
