"""The app: first paint beside an empty Textual app, key to paint under full load, throughput, idle CPU, memory.

Run: python -m bench.screen [--items 1000000] [--jobs 1000] [--rounds 5] [PART ...]
The parts are first, demo, keys, speed, idle and memory; each runs the real app in a pseudo-terminal of its own. Goals:
first paint at most 2 times that of an empty Textual app; the demo's job within a second; key to paint p95 under 100 ms;
0.9 of the headless throughput; under 1 % of a core idle; no growth.
"""

from __future__ import annotations

import argparse
import fcntl
import itertools
import json
import os
import pty
import re
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

PARTS = ("first", "demo", "keys", "speed", "idle", "memory")
MARK = "ready-mark"
ESCAPE = re.compile(rb"\x1b(\[[0-9;?<>=]*[ -/]*[@-~]|[()].|[=>]|P[^\x1b]*\x1b\\\\|\][^\x07\x1b]*(\x07|\x1b\\\\))")
AT_WORK = re.compile(rb"[1-9][0-9,]* done")
EMPTY_APP = f"""
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static({MARK!r})
Empty().run()
"""


@dataclass
class Terminal:
    """A program in a pseudo-terminal."""

    command: Sequence[str]
    rows: int = 40
    columns: int = 120
    seen: bytearray = field(default_factory=bytearray)

    def __enter__(self) -> Terminal:
        self.started = time.monotonic()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
            os.execvp(self.command[0], list(self.command))
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, 0, 0))
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self.fd)
        for sign in (signal.SIGHUP, signal.SIGKILL):
            for _ in range(100):
                if os.waitpid(self.pid, os.WNOHANG)[0]:
                    return
                time.sleep(0.05)
            os.kill(self.pid, sign)
        os.waitpid(self.pid, 0)

    def drain(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Takes in what is drawn, for so long or until something holds; False when the time ran out first."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if until():
                return True
            if select.select([self.fd], [], [], 0.005)[0]:
                try:
                    self.seen += os.read(self.fd, 1 << 16)
                except OSError:
                    return until()
        return until()

    def wait_for(self, text: str, seconds: float = 120.0) -> float:
        """Seconds from the start until the text was drawn."""
        if not self.drain(seconds, lambda: text.encode() in self.seen):
            raise SystemExit(f"{text!r} was not drawn in {seconds:.0f} s")
        return time.monotonic() - self.started

    def wait_for_pattern(self, pattern: re.Pattern[bytes], seconds: float = 60.0) -> float:
        """Seconds from the start until text of that form was drawn, whatever its colours."""
        if not self.drain(seconds, lambda: pattern.search(ESCAPE.sub(b"", bytes(self.seen))) is not None):
            raise SystemExit(f"nothing like {pattern.pattern!r} was drawn in {seconds:.0f} s")
        return time.monotonic() - self.started

    def press(self, key: str) -> None:
        """Sends what the key sends."""
        os.write(self.fd, key.encode())


def python(*words: str) -> list[str]:
    """A command in this Python."""
    return [sys.executable, *words]


# The parts


def first_paint(db: Path, rounds: int) -> None:
    """Until the list of jobs stands, and until an empty app's word does; by turns. Both start from compiled modules."""
    ours, theirs = [], []
    for turn in range(rounds + 1):
        with Terminal(python("-c", EMPTY_APP)) as terminal:
            theirs.append(terminal.wait_for(MARK))
        with Terminal(python("-m", "tui_batch", "--db", str(db))) as terminal:
            ours.append(terminal.wait_for("million"))
        if turn == 0:  # this one compiled what was not compiled yet, as installing does
            ours.clear()
            theirs.clear()
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(
        f"first paint: {statistics.median(ours):.2f} s, an empty Textual app {statistics.median(theirs):.2f} s, "
        f"ratio {ratio:.2f} (goal 2 or less)"
    )


def demo(rounds: int) -> None:
    """From the command to the first frame of the demo, to its job, and to the first answer; beside an empty app."""
    found: dict[str, list[float]] = {"an empty Textual app": [], "frame": [], "job": [], "answers": []}
    for turn in range(rounds + 1):
        with Terminal(python("-c", EMPTY_APP)) as terminal:
            times = [terminal.wait_for(MARK)]
        with Terminal(python("-m", "tui_batch", "demo")) as terminal:
            times.append(terminal.wait_for("llmbatch-tui"))
            times.append(terminal.wait_for("Support tickets"))
            times.append(terminal.wait_for_pattern(AT_WORK))
            terminal.press("q")
            terminal.drain(0.5)
            terminal.press("y")
            terminal.drain(1.0)
        if turn:  # the first one compiled what was not compiled yet, as installing does
            for into, taken in zip(found.values(), times, strict=True):
                into.append(taken)
    empty, frame, job, answers = (statistics.median(taken) for taken in found.values())
    print(
        f"demo: frame {frame:.2f} s, its job {job:.2f} s, answers {answers:.2f} s; an empty Textual app {empty:.2f} s, "
        f"ratios {frame / empty:.2f}, {job / empty:.2f}, {answers / empty:.2f} (goal: the job under a second)"
    )


def keys(db: Path, place: str) -> None:
    """From the arrival of a key to the end of the repaint it caused, while the engine runs flat out."""
    result = db.with_suffix(f".keys-{place}.json")
    result.unlink(missing_ok=True)
    with Terminal(python("-m", "bench.screen_child", "keys", str(db), str(result))) as terminal:
        terminal.wait_for("million")
        terminal.press(place)
        terminal.drain(3.0)
        for n in range(150):
            terminal.press("j" if n % 50 < 40 else "k")
            terminal.drain(0.06)
        terminal.press("\x11")
        terminal.drain(20.0, result.exists)
    found = json.loads(result.read_text())
    times = sorted(found["paint_ms"])
    p50, p95 = times[len(times) // 2], times[int(len(times) * 0.95)]
    print(
        f"key to paint in place {place}: p50 {p50:.0f} ms, p95 {p95:.0f} ms, worst {times[-1]:.0f} ms "
        f"over {len(times)} keys at {found['rate']:.0f} items/s (goal: p95 under 100 ms)"
    )


def speed(db: Path, seconds: float = 12.0) -> None:
    """Items a second with the app open against the same process without it, by turns, and what an item takes of CPU.

    On a machine that does other things too the CPU tells more: a thread that waits for a core delays all the others.
    """
    found: dict[str, list[dict[str, float]]] = {"open": [], "headless": []}
    for _ in range(3):
        for how, into in found.items():
            result = db.with_suffix(f".{how}.json")
            result.unlink(missing_ok=True)
            command = python("-m", "bench.screen_child", how, str(db), str(result), str(seconds))
            with Terminal(command) as terminal:
                terminal.drain(seconds + 60, result.exists)
            into.append(json.loads(result.read_text()))
    for what, unit, goal in (("rate", "items/s", "goal 0.9"), ("cpu_us", "µs of CPU an item", "goal 1.1")):
        shown, bare = (statistics.median(one[what] for one in found[how]) for how in ("open", "headless"))
        print(f"throughput: {shown:.0f} {unit} with the app open, {bare:.0f} headless, {shown / bare:.2f} ({goal})")


def idle(db: Path, seconds: float = 30.0) -> None:
    """CPU of the app with nothing running."""
    with Terminal(python("-m", "tui_batch", "--db", str(db))) as terminal:
        terminal.wait_for("million")
        terminal.drain(3.0)
        process = psutil.Process(terminal.pid)
        before = sum(process.cpu_times()[:2])
        terminal.drain(seconds)
        used = (sum(process.cpu_times()[:2]) - before) / seconds
    print(f"idle: {used:.2%} of a core (goal under 1 %)")


def memory(db: Path) -> None:
    """How much resident memory grew with each hundred thousand answers that were drawn."""
    result = db.with_suffix(".memory.json")
    with Terminal(python("-m", "bench.screen_child", "memory", str(db), str(result))) as terminal:
        finished = terminal.drain(400.0, result.exists)
    if not finished:
        raise SystemExit("memory: the job had too few rows, or the machine was too slow")
    sizes = {int(mark): size for mark, size in json.loads(result.read_text())["mb"].items()}
    (first, begun), *_ = sizes.items()
    grown = [f"{late - early:+.1f}" for early, late in itertools.pairwise(sizes.values())]
    print(
        f"memory: {begun:.0f} MB after {first:,} answers; with each hundred thousand more {', '.join(grown)} MB "
        "(goal: caches fill, then no growth)"
    )


def main() -> None:
    """Makes the database once; every part works on it or on a copy of its job."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=[], help=f"of {', '.join(PARTS)}; none: all")
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    parts = given.parts or PARTS
    with tempfile.TemporaryDirectory(prefix="bench-screen-") as folder:
        os.environ.update(
            LLMBATCH_STATE=folder, LLMBATCH_SETTINGS=f"{folder}/settings.yaml", PYTHONPYCACHEPREFIX=f"{folder}/compiled"
        )
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        db = Path(folder) / "jobs.db"
        made = python("-m", "bench.screen_child", "make", str(db), str(given.items), str(given.jobs))
        subprocess.run(made, check=True)
        print(f"{given.jobs} jobs, one of them with {given.items:,} items")
        if "first" in parts:
            first_paint(db, given.rounds)
        if "demo" in parts:
            demo(given.rounds)
        if "idle" in parts:
            idle(db)
        if "keys" in parts:
            keys(db, "1")
            keys(db, "2")
        if "speed" in parts:
            speed(db)
        if "memory" in parts:
            memory(db)


if __name__ == "__main__":
    main()
