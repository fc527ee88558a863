"""The guard that stops a job from burying its rows, and timeouts that grow with the prompt."""

from __future__ import annotations

import pytest

from tui_batch.domain.job import PauseReason
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.engine.guard import Guard
from tui_batch.engine.timeouts import timeouts_for

C = OutcomeClass


def feed(guard: Guard, cls: OutcomeClass, times: int, message: str = "") -> None:
    for _ in range(times):
        guard.record(cls, permanent=cls not in (C.OK, C.TRUNCATED), message=message)


def test_twenty_permanent_errors_from_the_start_pause_the_job_and_say_which() -> None:
    guard = Guard()
    feed(guard, C.BAD_REQUEST, 19, "Unknown parameter: 'temprature'.")
    assert guard.verdict() is None

    feed(guard, C.BAD_REQUEST, 1, "Unknown parameter: 'temprature'.")

    verdict = guard.verdict()
    assert verdict is not None
    assert verdict.reason is PauseReason.ERROR_RATE
    assert "first 20" in verdict.message
    assert "bad_request" in verdict.message
    assert "temprature" in verdict.message


def test_one_answer_among_the_first_lets_the_job_go_on() -> None:
    guard = Guard()
    feed(guard, C.BAD_REQUEST, 10)
    feed(guard, C.OK, 1)
    feed(guard, C.BAD_REQUEST, 50)

    assert guard.verdict() is None


def test_refused_rows_of_a_job_that_was_answered_before_are_tried_again_without_a_pause() -> None:
    guard = Guard(answered=900)
    feed(guard, C.REFUSED, 60)
    assert guard.verdict() is None

    guard.reset()
    feed(guard, C.REFUSED, 199)
    assert guard.verdict() is None

    feed(guard, C.REFUSED, 1, "I cannot help with that")
    assert guard.verdict() is not None


def test_half_of_the_last_two_hundred_pause_the_job() -> None:
    guard = Guard()
    feed(guard, C.OK, 5_000)
    feed(guard, C.REFUSED, 40)
    feed(guard, C.CONTEXT_LENGTH, 59)
    assert guard.verdict() is None

    feed(guard, C.CONTEXT_LENGTH, 1, "too long")

    verdict = guard.verdict()
    assert verdict is not None
    assert "100 of the last 200" in verdict.message
    assert "60 are context_length" in verdict.message


def test_old_errors_are_forgotten() -> None:
    guard = Guard()
    feed(guard, C.OK, 200)
    for _ in range(20):
        feed(guard, C.REFUSED, 9)
        feed(guard, C.OK, 11)

    assert guard.verdict() is None


def test_retries_that_are_still_open_count_neither_way() -> None:
    guard = Guard()
    for _ in range(500):
        guard.record(C.TIMEOUT, permanent=False)
    feed(guard, C.TIMEOUT, 20)

    assert guard.verdict() is not None


def test_a_resumed_job_gets_its_chances_anew() -> None:
    guard = Guard()
    feed(guard, C.BAD_REQUEST, 20)

    guard.reset()

    assert guard.verdict() is None
    feed(guard, C.BAD_REQUEST, 19)
    assert guard.verdict() is None


@pytest.mark.parametrize(("tokens", "total"), [(0, 60.0), (1_000, 80.0), (128_000, 2_620.0), (-5, 60.0)])
def test_long_prompts_get_long_timeouts_but_connecting_does_not(tokens: int, total: float) -> None:
    timeouts = timeouts_for(tokens, 60.0, 20.0)

    assert timeouts.total_s == total
    assert timeouts.connect_s == 10.0
