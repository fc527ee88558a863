"""A fifth of all requests goes wrong, the program is killed, and everything adds up: the bench in small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[2]


def test_everything_adds_up_after_faults_and_kills() -> None:
    scale = ("--rows", "60", "--kills", "1", "--in-flight", "8", "--seed", "1")
    command = [sys.executable, "-m", "bench.chaos", *scale]
    result = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=55)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "60 rows, 1 kills" in result.stdout
    assert "violations: 0" in result.stdout
