"""How long short commands take to start, beside a bare Python: `python -m bench.start [--rounds N]`.

Commands take turns, so that a busy machine is as unfair to each. Told are medians: wall clock, processor time, and the
processor time above a bare Python, which is what the program adds. Modules are compiled first, as installed ones are.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BARE = "bare Python"
COMMANDS = {
    BARE: ("-c", "pass"),
    "typer alone": ("-c", "import typer.main"),
    "--version": ("-m", "tui_batch", "--version"),
    "--help": ("-m", "tui_batch", "--help"),
    "run --help": ("-m", "tui_batch", "run", "--help"),
    "ls": ("-m", "tui_batch", "ls"),
    "show 1": ("-m", "tui_batch", "show", "1"),
}


def once(words: tuple[str, ...], environment: dict[str, str]) -> tuple[float, float]:
    """Wall-clock and processor seconds of one start."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *words], env=environment, check=True, capture_output=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="starts of each command")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "LLMBATCH_DB": str(Path(folder) / "jobs.db")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        once(("-m", "tui_batch", "run", "sample:prompts", "--simulate", "--yes", "--no-cache"), environment)
        for words in COMMANDS.values():  # compiles what is not yet compiled
            once(words, environment)
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
        for _ in range(rounds):
            for name, words in COMMANDS.items():
                times[name].append(once(words, environment))
    bare = statistics.median(used for _, used in times[BARE])
    print(f"{'':<14}{'wall ms':>9}{'CPU ms':>9}{'above bare':>12}")
    for name, taken in times.items():
        wall, used = (statistics.median(column) for column in zip(*taken, strict=True))
        print(f"{name:<14}{wall * 1e3:>9.0f}{used * 1e3:>9.0f}{(used - bare) * 1e3:>12.0f}")


if __name__ == "__main__":
    main()
