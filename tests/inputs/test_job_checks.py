"""Checks in a job file: every kind, bare words, and mistakes named with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui_batch.domain.quality import Check, DriftRule, OnDrift, OnInvalid
from tui_batch.errors import InputError
from tui_batch.inputs.draft import JobDraft
from tui_batch.inputs.job_file import dump_job_file, json_schema, load_job_draft, validated
from tui_batch.inputs.yaml_document import load
from tui_batch.quality.kinds import KINDS

ALL = """
input: a.csv
checks:
  - {labels: [a, b], field: category}
  - regex: ^x
  - {length: {max: 200}}
  - not_empty
  - {not_refused: true, field: reply}
  - not_cut
  - {equals: answer}
  - {number: answer, tolerance: 0.01, at_least: 1}
  - {f1: reference, at_least: 0.5}
  - {judge: {model: wise, rubric: "Is {{ topic }} met?", endpoint: court, params: {max_tokens: 50}}, at_least: 0.7}
on_invalid: tell
retry: {max_invalid: 2}
drift: {window: 50, drop: 0.2}
on_drift: off
"""
JUDGE = {"model": "wise", "rubric": "Is {{ topic }} met?", "endpoint": "court", "params": {"max_tokens": 50}}


def draft(tmp_path: Path, text: str) -> JobDraft:
    path = tmp_path / "job.yaml"
    path.write_text(text, encoding="utf-8")
    return load_job_draft(path)


def test_every_kind_can_be_said(tmp_path: Path) -> None:
    found = draft(tmp_path, ALL)
    assert found.checks == (
        Check("labels", ["a", "b"], "category"),
        Check("regex", "^x"),
        Check("length", {"max": 200}),
        Check("not_empty"),
        Check("not_refused", field="reply"),
        Check("not_cut"),
        Check("equals", "answer"),
        Check("number", "answer", at_least=1.0, tolerance=0.01),
        Check("f1", "reference", at_least=0.5),
        Check("judge", JUDGE, at_least=0.7),
    )
    assert {check.kind for check in found.checks} == set(KINDS)
    assert (found.on_invalid, found.max_invalid) == (OnInvalid.TELL, 2)
    assert (found.drift, found.on_drift) == (DriftRule(window=50, minimum=0.6, drop=0.2), OnDrift.OFF)


def test_nothing_is_lost_on_the_way_to_a_file_and_back(tmp_path: Path) -> None:
    found = draft(tmp_path, ALL)
    text = dump_job_file(validated(load(tmp_path / "job.yaml")))
    assert draft(tmp_path, text) == found


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ("labls: [a]", "checks[0].labls: is not a known field; did you mean labels?"),
        ("labels: []", "checks[0].labels"),
        ("labels: [true]", "must be text; numbers and true or false need quotes"),
        ("{field: x}", "checks[0]: names no check"),
        ("{equals: a, f1: b}", "names 2 checks: equals, f1"),
        ("not_emtpy", "did you mean not_empty?"),
        ("regex", "not a check that stands alone"),
        ("regex: (", "checks[0].regex: cannot be used"),
        ("regex: (?=x)", "look-around"),
        ("length: {}", "give min, max or both"),
        ("length: {min: 5, max: 2}", "max 2 is below min 5"),
        ("{not_cut: true, field: x}", "checks[0].field: does not go with not_cut"),
        ("{labels: [a], at_least: 1}", "checks[0].at_least: does not go with labels"),
        ("{equals: a, tolerance: 1}", "checks[0].tolerance: does not go with equals"),
        ("{equals: a, at_least: 2}", "less than or equal to 1"),
        ("judge: {model: m}", "checks[0].judge.rubric"),
        ("judge: {model: m, rubric: '{{ x'}", "checks[0].judge.rubric: rubric template, line 1"),
        ("{judge: {model: m, rubric: r}, field: x}", "checks[0].field: does not go with judge"),
    ],
)
def test_mistakes_in_checks_are_named_with_line_and_field(tmp_path: Path, check: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        draft(tmp_path, f"input: a.csv\nchecks:\n  - {check}\n")
    assert words in str(caught.value)
    assert caught.value.line == 3


def test_a_job_has_one_judge(tmp_path: Path) -> None:
    judge = "{judge: {model: m, rubric: r%d}}"
    with pytest.raises(InputError, match=r"checks\[1\]\.judge: is the second judge"):
        draft(tmp_path, f"input: a.csv\nchecks: [{judge % 1}, {judge % 2}]\n")


def test_editors_are_told_what_each_kind_means() -> None:
    fields = json_schema()["$defs"]["CheckPart"]["properties"]
    assert {name: field["description"] for name, field in fields.items() if name in KINDS} == {
        kind.name: kind.meaning for kind in KINDS.values()
    }
