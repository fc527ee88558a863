"""The demo's sample job is read by a short cut; it must be the job that the command line makes of the same file."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tui_batch import paths
from tui_batch.engine.compose import compose
from tui_batch.inputs.job_file import load_job_draft
from tui_batch.settings import Settings
from tui_batch.tui.demo import DEMO_FAULTS, SAMPLE, place_in, sample_spec
from tui_batch.work.simulated import simulated
from tui_batch.work.transports import make_transport

FOLDER = paths.shipped("sample_jobs")


async def test_the_short_cut_makes_the_same_job() -> None:
    draft, settings = simulated(load_job_draft(FOLDER / f"{SAMPLE}.yaml"), Settings())
    transport = make_transport(None, DEMO_FAULTS)
    try:
        assert sample_spec(FOLDER) == (await compose(draft, settings, transport)).spec
    finally:
        await transport.aclose()


def test_a_command_of_the_demo_leaves_the_persons_own_jobs_alone(tmp_path: Path) -> None:
    command = place_in(tmp_path).command("delete", "1")
    assert re.search(r"--db \S+demo\.db delete 1$", command)


def test_the_demo_waits_for_no_library_that_it_does_not_use() -> None:
    """Pydantic builds the schema of job files as long as all the rest of the demo takes."""
    words = "import sys, tui_batch.tui.demo, tui_batch.engine.workplace, tui_batch.engine.importing"
    told = subprocess.run(
        [sys.executable, "-c", f"{words}; print('pydantic' in sys.modules, 'tui_batch.engine.compose' in sys.modules)"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert told.stdout.split() == ["False", "False"]
