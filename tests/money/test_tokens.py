"""Token estimates: cheap, never zero, and drawn to what servers report."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.money.tokens import DEFAULT_OUTPUT, RATIO_LIMIT, TokenEstimator, estimate, load_counter


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
        guess = estimator.input_tokens("m", size * 4)
        estimator.observe("m", guess, max(1, round((size + 8) * truth)))

    assert estimator.input_tokens("m", 4_000) == pytest.approx(1_008 * truth, rel=0.1)


def test_models_do_not_share_what_was_learned() -> None:
    estimator = TokenEstimator()
    estimator.observe("a", 100, 200)

    assert estimator.ratio("a") == pytest.approx(2.0)
    assert estimator.ratio("b") == 1.0


def test_one_odd_report_does_not_rule() -> None:
    estimator = TokenEstimator({"m": 1.0})

    estimator.observe("m", 100, 10**9)

    assert estimator.ratio("m") <= RATIO_LIMIT**0.2
    estimator.observe("m", 100, 0)
    estimator.observe("m", 0, 100)
    assert estimator.ratio("m") <= RATIO_LIMIT**0.2


def test_what_was_learned_survives_a_restart() -> None:
    estimator = TokenEstimator()
    estimator.observe("m", 100, 150)
    estimator.learn_output("m", 40)

    ratios, outputs = estimator.export()
    again = TokenEstimator(ratios, outputs)

    assert again.ratio("m") == pytest.approx(1.5)
    assert again.output_tokens("m", None) == 40


def test_expected_answers_follow_the_limit_first_and_then_experience() -> None:
    estimator = TokenEstimator()
    assert estimator.output_tokens("m", None) == DEFAULT_OUTPUT
    assert estimator.output_tokens("m", 1_000) == 1_000

    for _ in range(50):
        estimator.learn_output("m", 30)

    assert estimator.output_tokens("m", 1_000) == 30
    assert estimator.output_tokens("m", 10) == 10


def test_an_exact_counter_replaces_the_estimate_where_there_is_a_text() -> None:
    estimator = TokenEstimator()
    estimator.use_counter("m", lambda text: len(text.split()))

    assert estimator.input_tokens("m", "four words of text") == 4 + 8
    assert estimator.input_tokens("m", 400) == 108


def test_no_vocabulary_in_the_cache_means_no_counter_and_no_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))

    assert load_counter("gpt-4o-mini") is None
    assert load_counter("llama3.2") is None


def test_a_vocabulary_in_the_cache_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"
    (tmp_path / hashlib.sha1(address.encode()).hexdigest()).write_bytes(b"")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    asked: list[str] = []

    class Words:
        def encode_ordinary(self, text: str) -> list[str]:
            return text.split()

    def get_encoding(name: str) -> Words:
        asked.append(name)
        return Words()

    monkeypatch.setattr("tiktoken.get_encoding", get_encoding)

    counter = load_counter("gpt-4o-mini")

    assert counter is not None
    assert counter("three little words") == 3
    assert asked == ["o200k_base"]
