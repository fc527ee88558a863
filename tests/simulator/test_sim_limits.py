"""Windows, slots and the queue before them."""

from __future__ import annotations

import asyncio
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.simulator.limits import Exceeded, ModelLimits, QueueFull, SlidingWindow, Slots


@given(
    limit=st.integers(1, 20),
    steps=st.lists(st.tuples(st.floats(0, 30), st.integers(1, 8)), max_size=40),
)
@settings(deadline=None, max_examples=60)
def test_no_sixty_seconds_hold_more_than_the_limit(limit: int, steps: list[tuple[float, int]]) -> None:
    window, now, entries = SlidingWindow(limit), 0.0, list[tuple[float, int]]()
    for pause, amount in steps:
        now += pause
        if window.wait_s(now, amount) == 0.0:
            window.add(now, amount)
            entries.append((now, amount))
    for end, _ in entries:
        assert sum(amount for at, amount in entries if end - 60 < at <= end) <= limit


@given(limit=st.integers(1, 20), amounts=st.lists(st.integers(1, 8), max_size=30), wanted=st.integers(1, 20))
@settings(deadline=None, max_examples=60)
def test_the_wait_it_tells_is_enough_and_not_more(limit: int, amounts: list[int], wanted: int) -> None:
    window = SlidingWindow(limit)
    for second, amount in enumerate(amounts):
        if window.wait_s(second, amount) == 0.0:
            window.add(second, amount)
    now = float(len(amounts))
    wait = window.wait_s(now, wanted)
    if math.isinf(wait):
        assert wanted > limit
        return
    assert window.wait_s(now + wait, wanted) == 0.0
    if wait:
        window_again = SlidingWindow(limit)
        for second, amount in enumerate(amounts):
            if window_again.wait_s(second, amount) == 0.0:
                window_again.add(second, amount)
        assert window_again.wait_s(now + wait - 0.001, wanted) > 0.0


def test_a_refused_request_is_not_counted() -> None:
    limits = ModelLimits(rpm=2, tpm=100, span_s=60.0)
    assert limits.admit(0.0, 40).exceeded is None
    refused = limits.admit(1.0, 70)
    assert (refused.exceeded, refused.wait_s) == (Exceeded.TOKENS, 59.0)
    assert limits.admit(2.0, 60).exceeded is None
    full = limits.admit(3.0, 1)
    assert full.exceeded is Exceeded.TOKENS
    assert full.wait_s == 57.0


def test_counting_by_the_second_paces_within_the_minute() -> None:
    limits = ModelLimits(rpm=120, tpm=None, span_s=1.0)
    assert [limits.admit(0.1 * step, 1).exceeded for step in range(4)] == [
        None,
        None,
        Exceeded.REQUESTS,
        Exceeded.REQUESTS,
    ]
    assert limits.admit(1.0, 1).exceeded is None


def test_a_request_above_the_second_but_below_the_minute_gets_in_alone() -> None:
    limits = ModelLimits(rpm=None, tpm=6000, span_s=1.0)
    assert limits.admit(0.0, 500).exceeded is None
    assert limits.admit(0.5, 1).exceeded is Exceeded.TOKENS
    assert limits.admit(1.0, 1).exceeded is None


async def test_slots_are_given_in_arrival_order_and_the_queue_ends() -> None:
    slots, order = Slots(1, 2), list[int]()

    async def work(number: int) -> None:
        await slots.acquire()
        order.append(number)

    await work(0)
    waiting = [asyncio.create_task(work(number)) for number in (1, 2)]
    await asyncio.sleep(0)
    assert slots.full
    with pytest.raises(QueueFull):
        await slots.acquire()
    slots.release()
    slots.release()
    await asyncio.gather(*waiting)
    assert order == [0, 1, 2]
    assert (slots.most_busy, slots.most_waiting) == (1, 2)


async def test_one_who_stops_waiting_keeps_no_slot() -> None:
    slots = Slots(1, 5)
    await slots.acquire()
    gone, just_served = asyncio.create_task(slots.acquire()), asyncio.create_task(slots.acquire())
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    slots.release()
    just_served.cancel()
    await asyncio.gather(just_served, return_exceptions=True)
    assert slots.busy == 0
    await slots.acquire()
    assert slots.busy == 1
