"""A job's own limits: nothing is held back without any, and one that is set live knows what went before."""

from tui_batch.engine.allowance import Allowance, Used
from tui_batch.engine.lane import Wait
from tui_batch.engine.ratelimit import Ticket


def send(allowance: Allowance, now: float, tokens: int = 10) -> Ticket | None:
    """Admits one, which must be possible."""
    granted = allowance.admit(now, tokens)
    assert not isinstance(granted, Wait)
    return granted


def test_without_limits_everything_goes_and_is_added_up_for_a_minute() -> None:
    allowance = Allowance()
    for number in range(5_000):
        allowance.settle(send(allowance, number / 100), 7, number / 100)
    assert allowance.used(50.0) == Used(5_000, 35_000)
    assert allowance.used(104.5) == Used(500, 3_500)  # the sums of a second leave together
    assert allowance.used(200.0) == Used(0, 0)


def test_a_limit_set_while_it_runs_counts_the_minute_before() -> None:
    allowance = Allowance()
    for number in range(10):
        allowance.settle(send(allowance, 100.0 + number), 10, 100.5 + number)
    allowance.set_limits(rpm=12, tpm=None)
    send(allowance, 110.0)
    send(allowance, 110.0)
    refused = allowance.admit(110.0, 10)
    assert isinstance(refused, Wait)
    assert refused.until is not None
    assert 160.0 <= refused.until <= 161.5, "the first of them leaves the minute then, known to a second"
    assert not isinstance(allowance.admit(refused.until, 10), Wait)


def test_tokens_of_requests_from_before_the_limit_count_when_they_are_known() -> None:
    allowance = Allowance()
    before = send(allowance, 0.0)
    allowance.set_limits(rpm=None, tpm=100)
    allowance.settle(before, 95, 5.0)
    assert allowance.used(5.0).tokens == 95
    assert isinstance(allowance.admit(5.0, 10), Wait)


def test_a_limit_taken_away_holds_nothing_back() -> None:
    allowance = Allowance(rpm=1)
    send(allowance, 0.0)
    assert isinstance(allowance.admit(0.0, 10), Wait)
    allowance.set_limits(None, None)
    send(allowance, 0.0)


def test_what_was_not_sent_or_not_counted_takes_nothing() -> None:
    for allowance in (Allowance(), Allowance(rpm=2, tpm=100)):
        allowance.cancel(send(allowance, 1.0), 1.0)
        assert allowance.used(1.0) == Used(0, 0)


def test_a_request_broken_off_counts_with_its_estimate() -> None:
    for allowance in (Allowance(), Allowance(rpm=2, tpm=100)):
        allowance.withdraw(send(allowance, 1.0), 10, 2.0)
        assert allowance.used(2.0) == Used(1, 10)
