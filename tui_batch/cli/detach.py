"""A run in the background: a process of its own that outlives the terminal."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from tui_batch import paths
from tui_batch.cli.console import put, say
from tui_batch.cli.where import Where
from tui_batch.errors import UserError


def detach(job_id: int, where: Where, words: Sequence[str]) -> None:
    """Starts `resume JOB` with these further words, prints the process's id and how to watch and stop it."""
    log = _log_path(job_id)
    command = [sys.executable, "-m", "tui_batch", "resume", str(job_id), "--db", str(where.db.absolute())]
    command += [] if where.settings is None else ["--settings", str(where.settings.absolute())]
    command += words
    with log.open("ab") as out:
        process = _start_apart(command, out)
    put(str(job_id))
    say(f"job {job_id} runs in the background, process {process.pid}, log {log}")
    say(f"Watch:  {where.command('show', str(job_id))}")
    say(f"Pause:  {where.command('pause', str(job_id))}")
    process.returncode = 0  # it is meant to outlive this process: nothing is left to wait for


def _log_path(job_id: int) -> Path:
    directory = paths.log_dir()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{directory}: the log's directory cannot be made: {error.strerror}") from error
    return directory / f"job-{job_id}.log"


def _start_apart(command: Sequence[str], out: BinaryIO) -> subprocess.Popen[bytes]:
    """Starts a process that stays alive when the terminal closes, and that no Ctrl-C of this one reaches."""
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, creationflags=flags)
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
