"""The command line as the campaign starts it: its wall clock and its disk obey from outside, and its lease is short.

Run: python -m bench.chaos_child ORDERS LEASE_S WORD...; ORDERS is a file of two doubles, both in seconds: by how much
the clock is off, and how long the disk takes for each commit.
"""

from __future__ import annotations

import mmap
import sqlite3
import struct
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ORDERS = struct.Struct("dd")


def orders_of(file: Path) -> Callable[[], tuple[float, float]]:
    """What the file says at every moment: how far the clock is off, how long a commit takes."""
    with file.open("rb") as opened:
        shared = mmap.mmap(opened.fileno(), ORDERS.size, access=mmap.ACCESS_READ)

    def read() -> tuple[float, float]:
        off, commit = ORDERS.unpack_from(shared)
        return off, commit

    return read


def set_clock(orders: Callable[[], tuple[float, float]]) -> None:
    """From now on the wall clock of this process is off by as much as it is told."""
    real = time.time

    def wall() -> float:
        return real() + orders()[0]

    time.time = wall


def set_disk(orders: Callable[[], tuple[float, float]]) -> None:
    """From now on a commit takes as long as it is told; the lock is held meanwhile, as it is on a slow disk."""

    class Slow(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql == "COMMIT":
                time.sleep(orders()[1])
            return super().execute(sql, *values)

    sqlite3.connect = partial(sqlite3.connect, factory=Slow)


def set_lease(seconds: float) -> None:
    """A lease of so many seconds, for everything that is imported later."""
    from tui_batch.engine import lease

    lease.LEASE_S = seconds
    lease.USUAL = lease.LeaseTimes(seconds, seconds / 8, seconds / 2)


def main() -> int:
    """Sets the stage, then runs the command line with the words that are left."""
    file, seconds, *words = sys.argv[1:]
    orders = orders_of(Path(file))
    set_clock(orders)
    set_disk(orders)
    try:
        set_lease(float(seconds))
    except KeyboardInterrupt:
        return 130  # as the program says that is being loaded
    from tui_batch.__main__ import main as program

    sys.argv[1:] = words
    return program()


if __name__ == "__main__":
    sys.exit(main())
