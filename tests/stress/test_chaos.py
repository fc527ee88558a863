"""A fifth of all requests goes wrong, the program is killed, and everything adds up: the bench in small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[2]


def test_everything_adds_up_after_faults_kills_and_a_clock_that_jumps() -> None:
    scale = ("--rows", "50", "--seed", "301", "--only", "clock-", "kill", "clock+")
    command = [sys.executable, "-m", "bench.chaos", *scale]
    result = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=170)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "of 50 rows" in result.stdout
    assert "1 rounds, violations: 0" in result.stdout
