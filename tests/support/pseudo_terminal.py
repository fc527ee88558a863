"""The real command on a pseudo-terminal of its own, as a person has it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

_LAUNCH = (
    "import os, sys; os.setsid(); fd = os.open(sys.argv[1], os.O_RDWR);"
    "[os.dup2(fd, n) for n in (0, 1, 2)];"
    "os.execv(sys.executable, [sys.executable, '-m', 'tui_batch', *sys.argv[2:]])"
)


class PseudoTerminal:
    """`with PseudoTerminal(["demo"], folder) as terminal`. A process that is left over is killed.

    `before`: Python that the process runs first.
    """

    def __init__(self, words: list[str], folder: Path, size: tuple[int, int] = (80, 24), before: str = "") -> None:
        self.main, self._other = os.openpty()
        self.resize(size)
        command = [sys.executable, "-c", before + _LAUNCH, os.ttyname(self._other), *words]
        self.process = subprocess.Popen(command, cwd=folder, env={**os.environ, "TERM": "xterm-256color"})
        self.seen = ""
        self._open = True

    def __enter__(self) -> PseudoTerminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.hang_up()

    def resize(self, size: tuple[int, int]) -> None:
        """Columns and rows."""
        fcntl.ioctl(self._other, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))

    def modes(self) -> list[object]:
        """How the terminal is set: whether it echoes, waits for whole lines, turns keys into signals."""
        return list(termios.tcgetattr(self._other))

    def press(self, keys: str) -> None:
        """What the keys send."""
        os.write(self.main, keys.encode())

    def until(self, words: str, seconds: float = 150.0) -> None:
        """Takes in what is drawn until the words are among what was drawn since the last call."""
        end = time.monotonic() + seconds
        fresh = ""
        while words not in fresh:
            if time.monotonic() > end or (self.process.poll() is not None and not self._ready()):
                raise AssertionError(f"{words!r} was not drawn; last: {fresh[-2000:]!r}")
            fresh += self._read(0.1)

    def end(self, seconds: float = 150.0) -> int:
        """The exit code, once everything was taken in."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise AssertionError(f"it did not end; last: {self.seen[-2000:]!r}")
            self._read(0.1)
        while self._ready():
            self._read(0.0)
        return self.process.returncode

    def hang_up(self) -> None:
        """The window is closed: the kernel sends SIGHUP."""
        if self._open:
            self._open = False
            os.close(self._other)
            os.close(self.main)

    def _ready(self) -> bool:
        return bool(select.select([self.main], [], [], 0)[0])

    def _read(self, seconds: float) -> str:
        if not select.select([self.main], [], [], seconds)[0]:
            return ""
        text = ""
        with contextlib.suppress(OSError):
            text = os.read(self.main, 1 << 16).decode("utf-8", "replace")
        self.seen += text
        return text
