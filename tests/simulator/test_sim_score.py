"""What the simulator remembers of what it saw."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.simulator.score import Peak, Score, Tally


@given(st.lists(st.integers(0, 12), max_size=60))
@settings(deadline=None, max_examples=60)
def test_repeats_are_counted_exactly_while_all_is_remembered(keys: list[int]) -> None:
    tally, exact = Tally(1_000), Counter[int]()
    for key in keys:
        exact[key] += 1
        assert tally.count(key) == exact[key]
    assert (tally.keys, tally.repeated, tally.most) == (
        len(exact),
        sum(count > 1 for count in exact.values()),
        max(exact.values(), default=0),
    )


def test_a_million_prompts_take_no_more_memory_than_the_last_of_them() -> None:
    score = Score(remembered=100)
    for key in range(5_000):
        assert score.attempt(key) == 1
        assert score.attempt(key) == 2, "what is tried again while it is under way is known"
        score.answer(key, 1, 1)
    assert len(score._attempts) <= 100
    assert len(score._answers) <= 100
    told = score.as_json()
    assert (told["prompts"], told["repeated_prompts"], told["answered_twice"]) == (5_000, 5_000, 0)


def test_a_key_is_known_until_half_as_many_others_came() -> None:
    tally = Tally(10)
    tally.count(-1)
    for key in range(4):
        tally.count(key)
    assert tally.count(-1) == 2, "and being asked for makes it young again"
    for key in range(4, 8):
        tally.count(key)
    assert tally.count(-1) == 3


def test_the_most_in_a_minute_is_exact_to_the_edge() -> None:
    peak = Peak()
    for now, tokens in ((0.0, 5), (30.0, 7), (59.9, 1), (60.0, 1), (100.0, 2)):
        peak.add(now, tokens)
    assert (peak.requests, peak.tokens) == (3, 13)
