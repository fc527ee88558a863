"""Token estimates: cheap, never zero, and drawn to what servers report."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.learned import Learned
from tui_batch.money.tokens import DEFAULT_OUTPUT, NO_SIZE, RATIO_LIMIT, Size, TokenEstimator, estimate

M = DeploymentKey("here", "m")
ELSEWHERE = DeploymentKey("there", "m")


def test_english_prose_comes_to_about_four_characters_a_token() -> None:
    assert estimate("The quick brown fox jumps over the lazy dog. " * 10) == 113


def test_a_bare_number_of_characters_will_do() -> None:
    assert estimate(400) == estimate("x" * 400) == 100


@pytest.mark.parametrize(("text", "low", "high"), [("你好世界" * 25, 60, 140), ("Привет, мир! " * 10, 20, 90)])
def test_other_scripts_have_more_tokens_a_character(text: str, low: int, high: int) -> None:
    assert low <= estimate(text) <= high
    assert estimate(text) > estimate("x" * len(text))


@settings(deadline=None, max_examples=150)
@given(st.text(), st.text())
def test_estimates_are_never_negative_and_grow_with_the_text(one: str, other: str) -> None:
    assert 0 <= estimate(one) <= estimate(one + other) + 1


def test_half_a_surrogate_pair_is_no_reason_to_fail() -> None:
    assert estimate("broken \ud83d") > 0


@settings(deadline=None, max_examples=60)
@given(st.floats(0.3, 3.5), st.lists(st.integers(20, 5_000), min_size=60, max_size=120))
def test_after_some_answers_estimates_meet_what_the_server_counts(truth: float, sizes: list[int]) -> None:
    estimator = TokenEstimator()
    for size in sizes:
        estimator.learn_input(M, estimator.size("m", size * 4), max(1, round((size + 8) * truth)))

    assert estimator.input_tokens(M, estimator.size("m", 4_000)) == pytest.approx(1_008 * truth, rel=0.1)


def test_prompts_that_were_measured_long_before_their_answers_teach_the_same() -> None:
    """A thousand prompts are prepared before the first answer comes."""
    estimator = TokenEstimator()
    measured = [estimator.size("m", 4_000) for _ in range(1_000)]
    for size in measured:
        estimator.learn_input(M, size, 1_512)

    assert estimator.ratio(M) == pytest.approx(1.5)


def test_the_same_model_elsewhere_is_another_matter() -> None:
    estimator = TokenEstimator()
    estimator.learn_input(M, Size(100), 200)

    assert estimator.ratio(M) == pytest.approx(2.0)
    assert estimator.ratio(ELSEWHERE) == 1.0


def test_one_odd_report_does_not_rule() -> None:
    estimator = TokenEstimator({M: Learned(1.0, answers=10)})

    estimator.learn_input(M, Size(100), 10**9)

    assert estimator.ratio(M) <= RATIO_LIMIT**0.2
    estimator.learn_input(M, Size(100), 0)
    estimator.learn_input(M, NO_SIZE, 100)
    assert estimator.ratio(M) <= RATIO_LIMIT**0.2


def test_what_no_server_reported_is_not_taken_for_learned_after_a_restart() -> None:
    before = TokenEstimator()
    before.learn_input(M, Size(100), 150)
    before.learn_answer(M, 20, 1.0)

    later = TokenEstimator(before.take_fresh())
    later.learn_input(M, Size(100, exact=True), 120)
    assert (later.ratio(M), later.ratio(M, exact=True)) == (pytest.approx(1.5), pytest.approx(1.2))


def test_a_model_that_gives_no_answer_tokens_keeps_its_ratio() -> None:
    before = TokenEstimator()
    before.learn_input(M, Size(100), 150)  # embeddings

    assert TokenEstimator(before.take_fresh()).ratio(M) == pytest.approx(1.5)


def test_what_was_learned_survives_a_restart_and_is_given_out_once() -> None:
    estimator = TokenEstimator()
    estimator.learn_input(M, Size(100), 150)
    estimator.learn_answer(M, 40, 2.0)

    fresh = estimator.take_fresh()
    again = TokenEstimator(fresh)

    assert again.ratio(M) == pytest.approx(1.5)
    assert again.output_tokens(M, None) == 40
    assert estimator.take_fresh() == {} == again.take_fresh()
    estimator.put_back(fresh)
    assert estimator.take_fresh() == fresh


def test_expected_answers_follow_the_limit_first_and_then_experience() -> None:
    estimator = TokenEstimator()
    assert estimator.output_tokens(M, None) == DEFAULT_OUTPUT
    assert estimator.output_tokens(M, 1_000) == 1_000

    for _ in range(50):
        estimator.learn_answer(M, 30, 1.0)

    assert estimator.output_tokens(M, 1_000) == 30
    assert estimator.output_tokens(M, 10) == 10


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 500), min_size=200, max_size=200))
def test_the_spread_of_answers_is_about_their_standard_deviation(lengths: list[int]) -> None:
    estimator = TokenEstimator()
    for length in lengths:
        estimator.learn_answer(M, length, 1.0)
    found = estimator.learned(M)

    assert found is not None
    assert found.tokens_out is not None
    assert 0 <= found.spread_out <= 500
    assert min(lengths) <= found.tokens_out <= max(lengths)


def test_a_vocabulary_counts_where_there_is_a_text_and_has_a_ratio_of_its_own() -> None:
    estimator = TokenEstimator()
    estimator.learn_input(M, estimator.size("m", 400), 216)
    estimator.use_counter("m", lambda text: len(text.split()))

    counted = estimator.size("m", ["be brief", "four words of text"])

    assert counted == Size(2 + 4 + 2 * 4 + 3, exact=True)
    assert estimator.input_tokens(M, counted) == 17
    assert estimator.input_tokens(M, estimator.size("m", 400)) == 216
    estimator.learn_input(M, counted, 34)
    assert estimator.input_tokens(M, counted) == 34


def test_only_a_prompt_that_is_certainly_too_long_is_refused_unsent() -> None:
    estimator = TokenEstimator()

    assert not estimator.surely_above(M, Size(1_999), 1_000)
    assert estimator.surely_above(M, Size(2_001), 1_000)
    assert estimator.surely_above(M, Size(1_001, exact=True), 1_000)
    assert not estimator.surely_above(M, Size(1_000, exact=True), 1_000)


def test_how_many_a_server_took_at_once_is_kept() -> None:
    estimator = TokenEstimator()
    for count in (40, 40, 20):
        estimator.learn_in_flight(M, count)
    again = TokenEstimator(estimator.take_fresh()).learned(M)

    assert again is not None
    assert again.in_flight is not None
    assert 38 < again.in_flight < 40
