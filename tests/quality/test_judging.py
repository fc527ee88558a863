"""What a judge is asked, and how its answer is read."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.quality import Check
from tui_batch.quality.judging import NoRuling, Ruling, judge_request, objection, ruling_of


@pytest.mark.parametrize(
    ("text", "ruling"),
    [
        ('{"reason": "fine", "score": 0.5}', Ruling(0.5, "fine")),
        ('```json\n{"score": 1, "reason": " yes "}\n```', Ruling(1.0, "yes")),
        ('{"score": 0}', Ruling(0.0)),
        ('{"score": 1, "reason": ["no text"]}', Ruling(1.0)),
    ],
)
def test_a_score_is_read(text: str, ruling: Ruling) -> None:
    assert ruling_of(text) == ruling


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("8 out of 10", "not JSON"),
        ("[0.5]", "no number"),
        ('{"score": "0.5"}', "no number"),
        ('{"score": true}', "no number"),
        ('{"score": 8}', "8, not from 0 to 1"),
        ('{"score": -0.1}', "not from 0 to 1"),
    ],
)
def test_what_is_no_score_is_not_taken_for_one(text: str, words: str) -> None:
    with pytest.raises(NoRuling, match=words):
        ruling_of(text)


@settings(max_examples=50)
@given(st.text())
def test_whatever_a_judge_says_is_a_score_or_none(text: str) -> None:
    with suppress(NoRuling):
        assert 0 <= ruling_of(text).score <= 1


def test_braces_in_rubric_and_answer_are_text() -> None:
    check = Check("judge", {"model": "m", "rubric": "r"})
    request = judge_request(check, 'as {"a": 1}', ["what is {x}?"], "{y}")
    system, user = (message.content for message in request.messages)
    assert 'as {"a": 1}' in system
    assert "what is {x}?" in user
    assert "{y}" in user
    assert request.params == {"max_tokens": 1_000}


def test_only_a_low_score_is_objected_to() -> None:
    check = Check("judge", {"model": "m", "rubric": "r"}, at_least=0.6)
    assert objection(check, Ruling(0.6)) == ""
    assert objection(check, Ruling(0.59, "rude")) == "judge 0.59 is below 0.6: rude"
    assert objection(Check("judge", {}), Ruling(0.0)) == ""
