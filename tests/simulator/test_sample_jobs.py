"""The sample jobs that ship: they load, their data is whole, and nothing but the prompt's columns is sent."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tui_batch import paths
from tui_batch.inputs.job_file import load_job_draft

JOBS = paths.shipped("sample_jobs")


@pytest.mark.parametrize("path", sorted(JOBS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_sample_job_loads_and_finds_its_data(path: Path) -> None:
    draft = load_job_draft(path)
    assert Path(draft.source.path).is_file()
    assert draft.models
    assert draft.output is None


def test_support_tickets_are_a_thousand_with_the_urgent_ones_marked() -> None:
    with (JOBS / "support_tickets.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["custom_id"] for row in rows}) == 1000
    urgent = {row["intent"] for row in rows if row["priority"] == "urgent"}
    assert "lost_or_stolen_card" in urgent
    assert "age_limit" not in urgent
    draft = load_job_draft(JOBS / "support_tickets.yaml")
    assert (draft.rpm, draft.tpm) == (60, 90_000)
    sent = (draft.prompt or "") + (draft.system or "")
    assert not any(column in sent for column in ("intent", "{{ topic"))
    (category, _) = draft.checks
    assert {row[category.argument] for row in rows} == set(draft.schema["properties"]["category"]["enum"])


def test_every_data_file_is_attributed() -> None:
    words = (JOBS / "ATTRIBUTION.md").read_text(encoding="utf-8")
    data = [path.name for path in JOBS.iterdir() if path.suffix in {".csv", ".jsonl", ".txt"}]
    assert all(f"**{name}**" in words for name in data)


def test_maths_problems_have_a_number_to_compare_with() -> None:
    lines = (JOBS / "grade_school_math.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 200
    assert all(float(json.loads(line)["expected"]) is not None for line in lines)
