"""Real disks and real processes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from stress_yard import SmallDisk, Yard, mounted

collect_ignore = ["test_judge_kills.py", "test_processes.py"] if sys.platform == "win32" else []
"""SIGSTOP and SIGKILL."""


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    made = Yard(tmp_path)
    yield made
    for child in made.children:
        if child.process.poll() is None:
            child.process.kill()
        child.process.communicate()


@pytest.fixture
def disk() -> Iterator[SmallDisk | None]:
    """A small disk of its own; None where this user cannot mount one."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "disk"
        if not mounted(place):
            yield None
            return
        try:
            yield SmallDisk(place)
        finally:
            subprocess.run(["umount", "--lazy", str(place)], check=True)
