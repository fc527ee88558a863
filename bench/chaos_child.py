"""The command line as the campaign starts it: its wall clock can be set from outside, and its lease is short.

Run: python -m bench.chaos_child CLOCK LEASE_S WORD...; CLOCK is a file of eight bytes, seconds as a double.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from pathlib import Path


def set_clock(file: Path) -> None:
    """From now on the wall clock of this process is off by as much as the file says, at every moment."""
    with file.open("rb") as opened:
        shared = mmap.mmap(opened.fileno(), 8, access=mmap.ACCESS_READ)
    real = time.time

    def wall() -> float:
        return real() + float(struct.unpack_from("d", shared)[0])

    time.time = wall


def set_lease(seconds: float) -> None:
    """A lease of so many seconds, for everything that is imported later."""
    from tui_batch.engine import lease

    lease.LEASE_S = seconds
    lease.USUAL = lease.LeaseTimes(seconds, seconds / 8, seconds / 2)


def main() -> int:
    """Sets the stage, then runs the command line with the words that are left."""
    clock, seconds, *words = sys.argv[1:]
    set_clock(Path(clock))
    set_lease(float(seconds))
    from tui_batch.cli.main import main as command_line

    return command_line(words)


if __name__ == "__main__":
    sys.exit(main())
