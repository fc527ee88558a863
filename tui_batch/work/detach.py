"""A run in the background: a process of its own that outlives the terminal."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tui_batch import paths
from tui_batch.errors import UserError
from tui_batch.work.place import Where


@dataclass(frozen=True, slots=True)
class Detached:
    """A process that runs a job in the background."""

    pid: int
    log: Path


def detach(job_id: int, where: Where, words: Sequence[str]) -> Detached:
    """Starts `resume JOB` with these further words. Raises UserError when its log cannot be written."""
    command = [sys.executable, "-m", "tui_batch", "resume", str(job_id), "--db", str(where.db.absolute())]
    command += [] if where.settings is None else ["--settings", str(where.settings.absolute())]
    command += words
    with _log(job_id) as out:
        process = _start_apart(command, out)
    process.returncode = 0  # it is meant to outlive this process: nothing is left to wait for
    return Detached(process.pid, Path(out.name))


def _log(job_id: int) -> BinaryIO:
    """The log of a job's runs in the background, to be written on."""
    log = paths.log_dir() / f"job-{job_id}.log"
    try:
        paths.make_log_dir()
        return open(log, "ab", opener=paths.for_owner_only)
    except OSError as error:
        raise UserError(
            f"{log}: the log cannot be written: {error.strerror}",
            remedy=f"Mend that, or run the job in the foreground: llmbatch-tui resume {job_id}",
        ) from error


def _start_apart(command: Sequence[str], out: BinaryIO) -> subprocess.Popen[bytes]:
    """Starts a process that stays alive when the terminal closes, and that no Ctrl-C of this one reaches."""
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, creationflags=flags)
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
