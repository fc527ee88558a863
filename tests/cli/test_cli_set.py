"""`set`: every knob, on jobs at rest and on jobs that other processes run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tui_batch.cli.knob_verbs import parse_changes
from tui_batch.errors import UserError

if TYPE_CHECKING:
    from conftest import Cli


@pytest.mark.parametrize(
    ("word", "change"),
    [
        ("concurrency=32", {"concurrency": 32}),
        ("concurrency=auto", {"concurrency": None}),
        ("rpm=600", {"rpm": 600}),
        ("rpm=20k", {"rpm": 20_000}),
        ("tpm=1,500,000", {"tpm": 1_500_000}),
        ("tpm=1.5M", {"tpm": 1_500_000}),
        ("concurrency=1k", {"concurrency": 1_000}),
        ("cap=LOOSE", {"cap": "loose"}),
        ("tpm=none", {"tpm": None}),
        ("budget=2.50", {"budget_nano": 2_500_000_000}),
        ("budget=$1,000", {"budget_nano": 10**12}),
        ("budget=0", {"budget_nano": 0}),
        ("budget=none", {"budget_nano": None}),
        ("priority=-3", {"priority": -3}),
        ("tags=Team=Red, quarter=q3", {"tags": {"Team": "Red", "quarter": "q3"}}),
        ("tags=none", {"tags": {}}),
    ],
)
def test_each_knob_is_read(word: str, change: dict[str, Any]) -> None:
    assert parse_changes([word]) == change


@pytest.mark.parametrize(
    "word",
    [
        "concurrency=0",
        "concurrency=none",
        "rpm=fast",
        "rpm=0",
        "rpm=1e3",
        "rpm=9999999999999",
        "rpm=" + "9" * 5_000,
        "rpm=",
        "concurrency=100001",
        "priority=-1000001",
        "tpm=1.5",
        "budget=-1",
        "priority=high",
        "tags=red",
        "model=x",
        "rpm",
    ],
)
def test_nonsense_is_refused_by_name(word: str) -> None:
    with pytest.raises(UserError, match=word.partition("=")[0]):
        parse_changes([word])


def test_a_job_at_rest_keeps_what_was_set(cli: Cli) -> None:
    assert cli("add", cli.rows(3), "--simulate").code == 0
    result = cli("set", "1", "concurrency=7", "rpm=600", "budget=1")
    assert result.code == 0, result.err
    assert "concurrency 7, RPM 600, TPM none, budget $1.00, priority 0" in result.err
    assert "resume 1" in result.err
    job = cli.job()
    assert job is not None
    assert {"concurrency": 7, "rpm": 600, "budget_nano": 10**9}.items() <= json.loads(job["knobs"]).items()
    assert cli("set", "1", "speed=9").code == 2


def test_a_running_job_obeys_at_once(cli: Cli) -> None:
    assert cli("add", cli.rows(4), "--simulate").code == 0
    assert cli("set", "1", "rpm=1").code == 0
    process = cli.start("resume", "1")
    cli.wait_for(lambda job: job["done"] >= 1)
    result = cli("set", "1", "rpm=none")
    assert result.code == 0, result.err
    assert "Nobody" not in result.err
    # One a minute, four rows take longer than this waits.
    cli.wait_for(lambda job: job["state"] == "completed")
    process.communicate(timeout=150)
    assert process.returncode == 0
