"""What is taken for chance is watched: a limit that shows later is noticed within a hundred requests."""

from __future__ import annotations

from tui_batch.engine.chance import BLOCK_REQUESTS, ChanceTest, Verdict

QUICK_S = 0.004


def believing() -> ChanceTest:
    """After a thousand requests of which twenty were refused for no reason."""
    test = ChanceTest()
    for n in range(1_000):
        test.sent(0.1 * n)
        test.refused(0.1 * n + QUICK_S, 0.1 * n, QUICK_S) if n % 50 == 0 else test.accepted()
    assert test.believe(100.0)
    return test


def test_a_storm_of_quick_refusals_ends_the_belief_after_as_many_requests_as_tell_not_after_seconds() -> None:
    """Some are under way, and all are sent too close together to know which came first: no row is seen in them."""
    test = believing()
    sent = 0
    while test.believed:
        at = 100.0 + 0.0001 * sent
        test.sent(at)
        if sent % 10:
            test.refused(at + QUICK_S, at, QUICK_S)
        sent += 1
        assert sent <= BLOCK_REQUESTS


def test_as_few_as_before_do_not_end_it() -> None:
    test = believing()
    for n in range(20_000):
        at = 100.0 + 0.0001 * n
        test.sent(at)
        test.refused(at + QUICK_S, at, QUICK_S) if n % 50 == 0 else test.accepted()
    assert test.believed


def test_two_of_three_that_are_refused_are_no_share_to_be_believed_in() -> None:
    """At half the pace two came and were refused at once: most of what follows must not be taken for chance."""
    test = ChanceTest()
    for n in range(20):
        test.sent(0.1 * n)
        test.refused(0.1 * n + QUICK_S, 0.1 * n, QUICK_S) if n in {5, 15} else test.accepted()
    test.begin()
    for n in range(3):
        test.sent(3.0 + n)
        test.refused(3.0 + n + QUICK_S, 3.0 + n, QUICK_S) if n else test.accepted()
    assert test.verdict(6.0) is Verdict.CHANCE
    refused = 0
    for n in range(10 * BLOCK_REQUESTS):
        at = 6.0 + 0.2 * n
        test.sent(at)
        if n % 5:
            test.refused(at + QUICK_S, at, QUICK_S)
            refused += 1
        else:
            test.accepted()
        if not test.believed:
            break
    assert refused <= BLOCK_REQUESTS
