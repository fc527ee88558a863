"""The rate limiter's rules, one at a time. Clock values are made up."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.outcome import RateHeaders, Window
from tui_batch.engine.ratelimit import Admitted, RateLimiter, Ticket, Wait, What


def admit(limiter: RateLimiter, now: float, tokens: int = 10) -> Ticket:
    verdict = limiter.admit(now, tokens)
    assert isinstance(verdict, Admitted)
    return verdict.ticket


def waits(limiter: RateLimiter, now: float, tokens: int = 10) -> Wait:
    verdict = limiter.admit(now, tokens)
    assert isinstance(verdict, Wait)
    return verdict


def test_without_limits_everything_goes() -> None:
    limiter = RateLimiter()

    assert all(isinstance(limiter.admit(0.0, 10**6), Admitted) for _ in range(1_000))


def test_the_wait_names_the_limit_and_the_time() -> None:
    by_requests, by_tokens, by_day = RateLimiter(rpm=1), RateLimiter(tpm=15), RateLimiter(rpd=1)
    for limiter in (by_requests, by_tokens, by_day):
        admit(limiter, 0.0)

    assert waits(by_requests, 1.0) == Wait(60.25, What.RPM)
    assert waits(by_tokens, 1.0) == Wait(60.25, What.TPM)
    assert waits(by_day, 1.0) == Wait(86_400.25, What.RPD)


def test_admission_takes_all_or_nothing() -> None:
    limiter = RateLimiter(rpm=10, tpm=100)
    admit(limiter, 0.0, tokens=90)

    waits(limiter, 1.0, tokens=50)

    assert limiter.snapshot(1.0).rpm_used == 1
    assert limiter.snapshot(1.0).tpm_used == 90


def test_real_usage_replaces_the_estimate() -> None:
    limiter = RateLimiter(tpm=100)
    ticket = admit(limiter, 0.0, tokens=90)

    limiter.settle(ticket, 20)

    assert limiter.snapshot(1.0).tpm_used == 20
    admit(limiter, 1.0, tokens=80)


def test_unknown_usage_leaves_the_estimate() -> None:
    limiter = RateLimiter(tpm=100)

    limiter.settle(admit(limiter, 0.0, tokens=90), None)

    assert limiter.snapshot(1.0).tpm_used == 90


def test_a_cancelled_request_gives_everything_back_and_only_once() -> None:
    limiter = RateLimiter(rpm=1, tpm=100)
    ticket = admit(limiter, 0.0, tokens=90)

    limiter.cancel(ticket)
    limiter.cancel(ticket)
    limiter.settle(ticket, 50)

    assert limiter.snapshot(0.0).rpm_used == 0
    assert limiter.snapshot(0.0).tpm_used == 0


def test_retry_after_stops_the_deployment_until_then() -> None:
    limiter = RateLimiter(rpm=100)

    limiter.refused(5.0, 30.0, admit(limiter, 4.0))

    assert waits(limiter, 6.0) == Wait(35.0, What.RETRY_AFTER)
    assert limiter.snapshot(6.0).why == "Retry-After"
    admit(limiter, 35.0)


def test_a_shorter_stop_does_not_shorten_a_longer_one() -> None:
    limiter = RateLimiter()
    limiter.stop_until(100.0)
    limiter.stop_until(50.0)

    assert waits(limiter, 60.0).until == 100.0


def test_refusals_without_a_time_are_asked_again_ever_more_rarely() -> None:
    limiter, now, sent = RateLimiter(), 0.0, []
    while now < 120.0:
        verdict = limiter.admit(now, 1)
        if isinstance(verdict, Wait):
            now = verdict.until
            continue
        sent.append(now)
        limiter.refused(now + 0.1, None, verdict.ticket)
        now += 0.1

    assert 5 <= len(sent) <= 15
    assert sent[-1] - sent[-2] >= 15.0


def test_refusals_at_the_same_count_while_there_is_room_lead_to_an_even_pace() -> None:
    limiter = RateLimiter(rpm=60)
    for start in (0.0, 2.6):
        for number in range(12):
            limiter.settle(admit(limiter, start + 0.1 * number), 10)
        limiter.refused(start + 1.3, 1.0, admit(limiter, start + 1.25))
    limiter.settle(admit(limiter, 5.2), 10)

    wait = waits(limiter, 5.21)

    assert wait.what is What.PACE
    # Half of the known limit's pace: whether refusals depend on it is being tried.
    assert limiter.snapshot(5.21).pace_per_s == pytest.approx(0.5)


def test_the_first_refusal_that_soon_passes_sets_no_pace_for_it_may_be_chance() -> None:
    limiter = RateLimiter(rpm=60)
    for number in range(3):
        limiter.settle(admit(limiter, 0.1 * number), 10)
    limiter.refused(0.6, 1.0, admit(limiter, 0.5))
    limiter.settle(admit(limiter, 1.7), 10)

    admit(limiter, 1.8)

    assert limiter.snapshot(1.8).pace_per_s is None
    assert limiter.doubts == 1


def test_a_refusal_at_the_full_window_is_taken_for_jitter_and_widens_the_margin() -> None:
    limiter = RateLimiter(rpm=20)
    tickets = [admit(limiter, 0.0) for _ in range(20)]
    for ticket in tickets[:19]:
        limiter.settle(ticket, 10)
    limiter.refused(0.5, 0.1, tickets[19])

    admit(limiter, 1.0)

    assert not limiter.snapshot(1.0).pace_per_s
    assert waits(limiter, 2.0).until > 60.25


def test_limits_are_learned_from_headers_and_marked_as_learned() -> None:
    limiter = RateLimiter()

    limiter.learn(RateHeaders(Window(500, 499, 0.12), Window(30_000, 29_000, 2.0)), 0.0)

    snapshot = limiter.snapshot(0.0)
    assert (snapshot.rpm, snapshot.tpm, snapshot.learned) == (500, 30_000, True)


def test_a_persons_lower_limit_wins_over_the_servers() -> None:
    limiter = RateLimiter(rpm=50)

    limiter.learn(RateHeaders(Window(500, 499, 0.12)), 0.0)

    assert limiter.snapshot(0.0).rpm == 50
    limiter.set_limits(rpm=1_000)
    assert limiter.snapshot(0.0).rpm == 500


def test_headers_that_say_nothing_change_nothing() -> None:
    limiter = RateLimiter(rpm=50)

    limiter.learn(RateHeaders(Window(None, 0, None), Window(None, None, 3.0)), 0.0, admit(limiter, 0.0))

    assert limiter.snapshot(0.0).rpm_used == 1
    assert not limiter.snapshot(0.0).learned


def test_a_days_limit_in_the_request_headers_is_told_by_how_slowly_it_fills() -> None:
    limiter = RateLimiter()

    limiter.learn(RateHeaders(Window(14_400, 14_370, 179.56)), 0.0)

    assert (limiter.snapshot(0.0).rpm, limiter.snapshot(0.0).rpd) == (None, 14_400)


def test_a_window_of_a_minute_that_has_just_begun_is_not_taken_for_a_days() -> None:
    limiter = RateLimiter()

    limiter.learn(RateHeaders(Window(600, 599, 60.0)), 0.0)

    assert limiter.snapshot(0.0).rpm == 600


def test_what_others_use_with_the_same_key_is_counted_once() -> None:
    limiter = RateLimiter()
    limiter.learn(RateHeaders(Window(100, 99, 0.6)), 0.0)
    tickets = [admit(limiter, 1.0) for _ in range(5)]

    for number, ticket in enumerate(tickets):
        limiter.learn(RateHeaders(Window(100, 39 - number, 36.0)), 2.0, ticket)

    assert 60 <= limiter.snapshot(2.0).rpm_used <= 66


def test_an_answer_that_comes_late_does_not_count_its_old_remaining_as_use_by_others() -> None:
    limiter = RateLimiter()
    limiter.learn(RateHeaders(Window(10, 9, 6.0)), 0.0)
    tickets = [admit(limiter, 0.0) for _ in range(10)]

    limiter.learn(RateHeaders(Window(10, 0, 60.0)), 70.0, tickets[-1])

    assert limiter.snapshot(70.0).rpm_used == 0


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(st.floats(0, 5), st.integers(0, 50), st.sampled_from(["settle", "cancel", "refuse", "none"])),
        max_size=60,
    )
)
def test_whatever_happens_a_wait_lies_ahead_and_ends(events: list[tuple[float, int, str]]) -> None:
    limiter, now = RateLimiter(rpm=7, tpm=90), 0.0
    for pause, tokens, end in events:
        now += pause
        for _ in range(20):
            verdict = limiter.admit(now, tokens)
            if isinstance(verdict, Admitted):
                break
            assert verdict.until > now
            now = verdict.until
        assert isinstance(verdict, Admitted)
        now += 0.01
        if end == "settle":
            limiter.settle(verdict.ticket, tokens // 2)
        elif end == "cancel":
            limiter.cancel(verdict.ticket)
        elif end == "refuse":
            limiter.refused(now, None, verdict.ticket)


def test_a_request_that_the_server_counted_late_counts_from_its_answer_on() -> None:
    limiter = RateLimiter(rpm=1)

    limiter.settle(admit(limiter, 0.0), 10, now=0.5)

    assert waits(limiter, 1.0).until == 60.75


def test_once_connections_stand_a_request_is_late_by_what_it_took_longer_than_the_quickest() -> None:
    limiter = RateLimiter(rpm=100)
    for number in range(99):
        limiter.settle(admit(limiter, number / 100), 10, now=number / 100 + 0.25)

    limiter.settle(admit(limiter, 2.0), 10, now=2.5)

    for number in range(99):
        admit(limiter, 61.7 + number / 1_000)
    assert waits(limiter, 62.0).until == 62.5


def test_a_slow_answer_does_not_hold_the_window_for_as_long_as_it_took() -> None:
    limiter = RateLimiter(rpm=1)

    limiter.settle(admit(limiter, 0.0), 10, now=30.0)

    assert waits(limiter, 31.0).until == 61.0
