"""When answers get worse it is said once, with numbers and rows; noise is not worth a word."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Iterable
from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.quality import DriftRule
from tui_batch.quality.drift import ALPHA, Against, Alert, DriftWatch, Reading, Signal
from tui_batch.quality.welch import Sums, critical, is_beyond, welch

WELL = Reading(1, 1, 0.9, failed=False, refused=False, chars=100, latency_s=1.0, digest=0)


def reading(number: int, **changes: object) -> Reading:
    """An answer unlike the others."""
    return replace(WELL, item_id=1000 + number, row=number, digest=number, **changes)  # type: ignore[arg-type]


def told(watch: DriftWatch, readings: Iterable[Reading]) -> list[Alert]:
    return [alert for one in readings for alert in watch.add(one)]


def test_a_lower_score_is_told_once_with_its_worst_rows() -> None:
    rng, watch = random.Random(1), DriftWatch(DriftRule())
    steady = [reading(n, score=rng.uniform(0.8, 1.0)) for n in range(1, 501)]
    assert told(watch, steady) == []
    worse = [reading(n, score=0.1 if n == 520 else rng.uniform(0.6, 0.8)) for n in range(501, 801)]
    (alert,) = told(watch, worse)
    assert alert.signal is Signal.SCORE
    assert alert.then == pytest.approx(0.9, abs=0.02)
    assert alert.now < alert.then - 0.1
    assert (alert.rows[0], alert.item_ids[0]) == (520, 1520)
    assert str(alert).startswith("score: 0.80 in the last 100 answers, after 0.90 at the start; rows 520, ")
    assert [one.signal for one in watch.alerts] == [Signal.SCORE]


def test_an_alert_ends_when_answers_are_as_good_as_before() -> None:
    rng, watch = random.Random(2), DriftWatch(DriftRule())
    told(watch, (reading(n, score=rng.uniform(0.8, 1.0)) for n in range(500)))
    told(watch, (reading(n, score=rng.uniform(0.5, 0.7)) for n in range(300)))
    assert watch.alerts
    told(watch, (reading(n, score=rng.uniform(0.8, 1.0)) for n in range(300)))
    assert watch.alerts == ()


def test_a_second_fall_is_told_again() -> None:
    rng, watch = random.Random(3), DriftWatch(DriftRule(minimum=0.0))
    levels = [0.9] * 500 + [0.7] * 400 + [0.4] * 400
    alerts = told(watch, (reading(n, score=rng.gauss(level, 0.05)) for n, level in enumerate(levels)))
    assert [alert.signal for alert in alerts] == [Signal.SCORE] * 2
    assert alerts[1].against is Against.BEFORE


def test_a_job_that_is_bad_from_the_start_is_below_the_minimum() -> None:
    rng, watch = random.Random(4), DriftWatch(DriftRule(minimum=0.6))
    (alert,) = told(watch, (reading(n, score=float(rng.random() < 0.3)) for n in range(1000)))
    assert alert.against is Against.MINIMUM
    assert "below the minimum of 0.60" in str(alert)


def test_slow_decline_is_seen_against_the_start() -> None:
    rng, watch = random.Random(5), DriftWatch(DriftRule(minimum=0.0))
    alerts = told(watch, (reading(n, score=rng.gauss(0.9 - n * 0.0001, 0.05)) for n in range(4000)))
    assert Against.START in {alert.against for alert in alerts}


SIGNALS = [
    (Signal.FAILURES, {"failed": True}, "failed checks: "),
    (Signal.REFUSALS, {"refused": True}, "refusals: "),
    (Signal.REPEATS, {"digest": 7}, "repeated answers: "),
    (Signal.LENGTH, {"chars": 900}, "answer length: "),
    (Signal.LENGTH, {"chars": 3}, "answer length: "),
    (Signal.LATENCY, {"latency_s": 9.0}, "latency: "),
]


@pytest.mark.parametrize(("signal", "bad", "words"), SIGNALS)
def test_signals_need_no_score(signal: Signal, bad: dict[str, object], words: str) -> None:
    rng, watch = random.Random(6), DriftWatch(DriftRule())
    usual = [reading(n, score=None, chars=rng.randint(80, 120), latency_s=rng.uniform(0.8, 1.2)) for n in range(500)]
    assert told(watch, usual) == []
    alerts = told(watch, (replace(reading(500 + n, score=None), **bad) for n in range(300)))  # type: ignore[arg-type]
    assert {alert.signal for alert in alerts} == {signal}
    assert all(row >= 500 for alert in alerts[-1:] for row in alert.rows)
    assert words in " ".join(map(str, alerts + list(watch.alerts)))
    assert alerts[0].concerns_answers is (signal is not Signal.LATENCY)


@pytest.mark.parametrize("kinds", [3, 15, 30, 60])
def test_labels_repeat_and_that_is_no_news(kinds: int) -> None:
    rng, watch = random.Random(7), DriftWatch(DriftRule())
    assert told(watch, (replace(reading(n), digest=rng.randrange(kinds)) for n in range(3000))) == []


@pytest.mark.parametrize("mean", [0.95, 0.75])
def test_noise_is_seldom_taken_for_drift_and_a_drop_is_seen_soon(mean: float) -> None:
    seen = []
    for seed in range(4):
        rng, watch = random.Random(seed), DriftWatch(DriftRule(minimum=0.0))
        steady = told(watch, (reading(n, score=float(rng.random() < mean)) for n in range(2000)))
        assert len(steady) <= 1
        after = 0
        while not watch.add(reading(after, score=float(rng.random() < mean - 0.3))):
            after += 1
        seen.append(after)
    assert statistics.median(seen) < 120


def test_a_row_that_several_models_answer_is_named_once() -> None:
    watch = DriftWatch(DriftRule())
    told(watch, (reading(n, score=0.9) for n in range(500)))
    (alert, *_) = told(watch, (replace(reading(500 + n, score=0.1), row=7) for n in range(100)))
    assert (alert.rows, len(alert.item_ids)) == ((7,), 5)


def test_memory_does_not_grow() -> None:
    watch = DriftWatch(DriftRule(window=50))
    told(watch, (reading(n) for n in range(2000)))
    assert len(watch._recent) == len(watch._digests) == 50
    assert all(len(track.last) + len(track.before) <= 20 for track in watch._tracks.values())


def test_a_watch_that_is_stored_and_taken_up_again_says_what_one_that_went_on_says() -> None:
    levels = [0.9] * 500 + [0.7] * 400 + [0.4] * 400 + [0.9] * 300
    rng = random.Random(8)
    readings = [
        reading(n, score=rng.gauss(level, 0.05), refused=n > 1000, chars=50 + n, latency_s=1 + n / 300)
        for n, level in enumerate(levels)
    ]
    whole, parts = DriftWatch(DriftRule()), DriftWatch(DriftRule())
    expected, told_by_parts = [], []
    for number, one in enumerate(readings):
        if number % 137 == 0:
            stored, parts = orjson.dumps(parts.state()), DriftWatch(DriftRule())
            parts.restore(orjson.loads(stored))
        expected += whole.add(one)
        told_by_parts += parts.add(one)
        assert parts.alerts == whole.alerts
    assert told_by_parts == expected
    assert [alert.number for alert in expected] == list(range(1, len(expected) + 1))
    assert len({alert.signal for alert in expected}) > 2


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        {"version": 9},
        {"version": 1, "tracks": 5},
        [],
        {**DriftWatch(DriftRule()).state(), "told_at": [["score", 7, 1]]},
    ],
)
def test_a_state_that_cannot_be_read_is_refused(state: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        DriftWatch(DriftRule()).restore(state)


def test_an_alert_holds_the_test_s_figures() -> None:
    rng, watch = random.Random(4), DriftWatch(DriftRule(minimum=0.6))
    (alert,) = told(watch, (reading(n, score=float(rng.random() < 0.3)) for n in range(200)))
    sums = Sums()
    for n in range(100):
        sums.add(float(n < round(alert.now * 100)))
    # One sample against a fixed value: Student's t with n - 1 degrees of freedom.
    assert alert.statistic == pytest.approx((0.6 - sums.mean) / math.sqrt(sums.variance / 100))
    assert alert.freedom == 99
    assert alert.statistic > critical(ALPHA, 99)


def test_critical_values_are_student_s() -> None:
    # Tables of Student's t: upper tail 0.0005.
    for freedom, value in ((10, 4.587), (30, 3.646), (100, 3.390), (1000, 3.300)):
        assert critical(0.0005, freedom) == pytest.approx(value, rel=0.01)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=50), st.lists(st.floats(0, 1), min_size=2, max_size=50))
def test_sums_know_mean_and_variance_and_can_be_added_up(one: list[float], other: list[float]) -> None:
    first, second = Sums(), Sums()
    for value in one:
        first.add(value)
    for value in other:
        second.add(value)
    there, back = first.mean - second.mean, second.mean - first.mean
    assert (
        is_beyond(there, welch(there, (first, second)), 0.001) + is_beyond(back, welch(back, (first, second)), 0.001)
        <= 1
    )
    first.merge(second)
    assert first.mean == pytest.approx(statistics.fmean(one + other))
    assert first.variance == pytest.approx(statistics.variance(one + other), abs=1e-9)
