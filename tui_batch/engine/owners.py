"""Which process owns a job, and whether it still lives."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from pathlib import Path

import psutil

from tui_batch.domain.job import Owner


def this_process() -> Owner:
    """A new owner token for this process. The pid is paired with the process's start time, as pids come again."""
    return Owner(socket.gethostname(), os.getpid(), f"{_started(psutil.Process()):.2f}-{secrets.token_hex(8)}")


def _started(process: psutil.Process) -> float:
    """When a process began, in seconds that nothing moves: whoever looks, whenever, gets the same.

    psutil's Unix time will not do on Linux. It adds the machine's start to the ticks in /proc (proc_pid_stat(5),
    field 22), and that start moves whenever the clock is set: every owner would look like another process.
    """
    if not sys.platform.startswith("linux"):
        return process.create_time()
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_bytes().rpartition(b")")[2].split()
    except FileNotFoundError:
        raise psutil.NoSuchProcess(process.pid) from None
    return int(fields[22 - 3]) / os.sysconf("SC_CLK_TCK")


def is_alive(owner: Owner) -> bool:
    """Whether the owner may still be running. Owners on other hosts count as alive until their lease expires."""
    if owner.host != socket.gethostname():
        return True
    try:
        process = psutil.Process(owner.pid)
        started = float(owner.token.partition("-")[0])
        return abs(_started(process) - started) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ValueError):
        return False
    except psutil.AccessDenied:
        return True
