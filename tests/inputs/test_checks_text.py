"""Checks that are edited as text: the same list as in a job file, with mistakes named at their line."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.quality import Check
from tui_batch.inputs.checks_text import checks_text, example_of, read_checks
from tui_batch.quality.kinds import KINDS, Kind

NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(str.strip)


@given(st.lists(NAMES, min_size=1, max_size=3), NAMES, st.sampled_from([None, 0.25, 1.0]))
@settings(max_examples=30, deadline=None)
def test_what_is_written_is_read_back(labels: list[str], field: str, least: float | None) -> None:
    checks = (Check("labels", labels, field), Check("equals", field, "", least), Check("not_empty"))
    assert read_checks(checks_text(checks)) == checks


def test_no_text_is_no_check() -> None:
    assert checks_text(()) == ""
    assert read_checks(" \n") == ()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("column", ["label", "a: [b"])
def test_each_example_can_be_used_as_it_stands(kind: Kind, column: str) -> None:
    (check,) = read_checks(example_of(kind, column))
    assert check.kind == kind.name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not_empty", "each check begins with a dash, such as: - not_empty"),
        ("- not_empty\n- lables: [a]", "line 2: lables is not a known field; did you mean labels?"),
        ("- not_empty\n\n- regex: '('", "line 3: regex cannot be used: unclosed group"),
        ("- judge: {model: x}", "line 1: judge.rubric is missing"),
        ("- not_emty", "line 1: not_emty is not a check that stands alone; did you mean not_empty?"),
        ("- labels: [", "line 1: is not valid YAML: expected the node content, but found '<stream end>'"),
    ],
)
def test_a_mistake_is_named_at_its_line(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(words)}"):
        read_checks(text)
