"""The retry table of docs/outcomes.md, row by row."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.item import ItemFlag
from tui_batch.domain.job import OnTruncated, PauseReason
from tui_batch.domain.outcome import FREE_RETRY, JOB_WIDE, Outcome, OutcomeClass
from tui_batch.engine.retry import (
    PROMPT_CUT_CODE,
    Dead,
    Decision,
    Done,
    History,
    PauseJob,
    RetryAt,
    RetryPolicy,
    backoff,
    decide,
)

NOW = 1_000_000.0
C = OutcomeClass


def verdict(outcome: Outcome, history: History = History(), policy: RetryPolicy = RetryPolicy()) -> Decision:
    return decide(outcome, history, policy, now_unix=NOW, rng=random.Random(7))


def test_an_answer_is_done() -> None:
    assert verdict(Outcome(C.OK, text="yes")) == Done()


@pytest.mark.parametrize("cls", [C.CONTEXT_LENGTH, C.BAD_REQUEST, C.REFUSED])
def test_permanent_errors_are_dead_at_once(cls: OutcomeClass) -> None:
    assert verdict(Outcome(cls)) == Dead(cls)


@pytest.mark.parametrize(
    ("cls", "reason"),
    [(C.QUOTA, PauseReason.QUOTA), (C.AUTH, PauseReason.AUTH), (C.NOT_FOUND, PauseReason.NOT_FOUND)],
)
def test_errors_of_the_whole_job_pause_it_in_the_providers_words(cls: OutcomeClass, reason: PauseReason) -> None:
    assert verdict(Outcome(cls, message="You exceeded your current quota")) == PauseJob(
        reason, "You exceeded your current quota"
    )
    silent = verdict(Outcome(cls))
    assert isinstance(silent, PauseJob)
    assert silent.message


@pytest.mark.parametrize("cls", [C.TIMEOUT, C.CONNECTION, C.SERVER_ERROR])
def test_passing_trouble_costs_attempts_until_they_are_spent(cls: OutcomeClass) -> None:
    first = verdict(Outcome(cls), History(attempts=0))
    assert isinstance(first, RetryAt)
    assert first.attempts == 1
    assert first.at_unix > NOW
    assert isinstance(verdict(Outcome(cls), History(attempts=3)), RetryAt)
    assert verdict(Outcome(cls), History(attempts=4)) == Dead(cls)


@pytest.mark.parametrize("cls", sorted(FREE_RETRY))
def test_a_server_that_declines_costs_no_attempt_however_often(cls: OutcomeClass) -> None:
    again = verdict(Outcome(cls, status=429), History(attempts=4, requests=1_000))

    assert isinstance(again, RetryAt)
    assert again.attempts == 4


@pytest.mark.parametrize("retry_after", [None, 0.0, 0.001])
def test_a_server_that_declines_for_ever_is_not_asked_in_a_tight_loop(retry_after: float | None) -> None:
    waits = []
    for requests in range(1, 30):
        again = verdict(Outcome(C.OVERLOADED, retry_after_s=retry_after), History(requests=requests))
        assert isinstance(again, RetryAt)
        waits.append(again.at_unix - NOW)

    assert min(waits[10:]) >= 2.0


@pytest.mark.parametrize("seconds", [0.02, 1.0, 20.0, 119.0, 3_600.0])
def test_retry_after_is_kept_to_the_second_and_never_cut_short(seconds: float) -> None:
    again = verdict(Outcome(C.RATE_LIMITED, status=429, retry_after_s=seconds))

    assert isinstance(again, RetryAt)
    assert seconds <= again.at_unix - NOW <= seconds + 1.0


@pytest.mark.parametrize("nonsense", [-5.0, float("nan"), float("inf")])
def test_a_retry_after_that_makes_no_sense_is_ignored(nonsense: float) -> None:
    again = verdict(Outcome(C.RATE_LIMITED, retry_after_s=nonsense))

    assert isinstance(again, RetryAt)
    assert 0 < again.at_unix - NOW <= 1.0


def test_malformed_answers_have_a_limit_of_their_own() -> None:
    first = verdict(Outcome(C.MALFORMED), History())
    assert isinstance(first, RetryAt)
    assert (first.attempts, first.malformed) == (1, 1)
    assert verdict(Outcome(C.MALFORMED), History(attempts=2, malformed=2)) == Dead(C.MALFORMED)


def test_an_invalid_answer_is_asked_for_again_at_once() -> None:
    again = verdict(Outcome(C.INVALID), History(attempts=1))

    assert again == RetryAt(NOW, 2, 0, 1)
    assert verdict(Outcome(C.INVALID), History(attempts=4)) == Dead(C.INVALID)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (OnTruncated.FLAG, Done(ItemFlag.TRUNCATED)),
        (OnTruncated.DEAD, Dead(C.TRUNCATED)),
        (OnTruncated.RETRY, RetryAt(NOW, 1, 0)),
    ],
)
def test_a_cut_answer_is_what_the_job_wants_it_to_be(wish: OnTruncated, expected: Decision) -> None:
    assert verdict(Outcome(C.TRUNCATED), policy=RetryPolicy(on_truncated=wish)) == expected


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (OnTruncated.FLAG, Done(ItemFlag.PROMPT_CUT)),
        (OnTruncated.DEAD, Dead(C.TRUNCATED)),
        (OnTruncated.RETRY, Dead(C.TRUNCATED)),
    ],
)
def test_a_cut_prompt_is_flagged_and_never_sent_again_to_be_cut_again(wish: OnTruncated, expected: Decision) -> None:
    assert verdict(Outcome(C.TRUNCATED, code=PROMPT_CUT_CODE), policy=RetryPolicy(on_truncated=wish)) == expected


@pytest.mark.parametrize("cls", [C.BAD_REQUEST, C.CONTEXT_LENGTH, C.NOT_FOUND, C.REFUSED])
def test_the_servers_yes_wins_within_the_attempts(cls: OutcomeClass) -> None:
    assert isinstance(verdict(Outcome(cls, status=400, should_retry=True)), RetryAt)
    assert verdict(Outcome(cls, status=400, should_retry=True), History(attempts=4)) == Dead(cls)


@pytest.mark.parametrize("cls", [C.RATE_LIMITED, C.OVERLOADED, C.TIMEOUT, C.SERVER_ERROR])
def test_the_servers_no_wins(cls: OutcomeClass) -> None:
    assert verdict(Outcome(cls, status=500, should_retry=False)) == Dead(cls)


@pytest.mark.parametrize("cls", [C.QUOTA, C.AUTH])
@pytest.mark.parametrize("word", [True, False])
def test_no_word_of_the_server_retries_without_money_or_key(cls: OutcomeClass, word: bool) -> None:
    assert isinstance(verdict(Outcome(cls, status=429, should_retry=word)), PauseJob)


outcomes = st.builds(
    Outcome,
    cls=st.sampled_from(OutcomeClass),
    should_retry=st.none() | st.booleans(),
    retry_after_s=st.none() | st.floats(allow_nan=True, allow_infinity=True),
)
histories = st.builds(History, st.integers(0, 8), st.integers(0, 8), st.integers(1, 2_000))


@settings(deadline=None, max_examples=120)
@given(outcomes, histories, st.sampled_from(OnTruncated), st.integers(0, 2**32))
def test_over_the_whole_table(outcome: Outcome, history: History, wish: OnTruncated, seed: int) -> None:
    policy = RetryPolicy(on_truncated=wish)
    decision = decide(outcome, history, policy, now_unix=NOW, rng=random.Random(seed))

    assert decision == decide(outcome, history, policy, now_unix=NOW, rng=random.Random(seed))
    if isinstance(decision, RetryAt):
        assert decision.at_unix >= NOW
        assert decision.attempts - history.attempts == (outcome.cls not in FREE_RETRY)
        assert outcome.cls in FREE_RETRY or decision.attempts < policy.max_attempts
        assert decision.malformed < policy.max_malformed or outcome.cls is not C.MALFORMED
    if isinstance(decision, PauseJob):
        assert outcome.cls in JOB_WIDE
    if isinstance(decision, Dead):
        assert decision.cls is outcome.cls


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 100_000), st.integers(0, 2**32))
def test_backoff_doubles_up_to_its_cap_and_is_never_below_half_of_it(number: int, seed: int) -> None:
    policy = RetryPolicy(base_s=0.5, cap_s=60.0)
    envelope = min(60.0, 0.5 * 2 ** min(number - 1, 50))

    assert envelope / 2 <= backoff(number, policy, random.Random(seed)) <= envelope
