"""How many requests are let out while the machine itself is what is slow."""

from __future__ import annotations

import asyncio
import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from tui_batch.engine.courtesy import FEWEST, LOOK_S, WATCHED_S, Courtesy, eased, turn_clock

limits = st.none() | st.integers(FEWEST, 100_000)


@given(limits, st.floats(WATCHED_S * 1.01, 10.0), st.integers(0, 100_000))
def test_long_turns_bound_what_is_in_flight_but_never_below_the_fewest(
    limit: int | None, turn: float, in_flight: int
) -> None:
    bound = eased(limit, turn, in_flight, WATCHED_S)
    assert bound is not None
    assert bound >= FEWEST
    assert bound <= max(FEWEST, in_flight)


@given(limits, st.floats(0.0, WATCHED_S / 2), st.integers(0, 100_000))
def test_short_turns_never_tighten_the_bound(limit: int | None, turn: float, in_flight: int) -> None:
    bound = eased(limit, turn, in_flight, WATCHED_S)
    assert bound is None or (limit is not None and bound > limit)


@given(st.integers(FEWEST, 100_000))
def test_a_bound_that_no_longer_binds_is_lifted(limit: int) -> None:
    assert eased(limit, 0.0, limit // 2 - 1, WATCHED_S) is None


def test_turns_in_between_leave_it_alone() -> None:
    assert eased(100, WATCHED_S * 0.75, 100, WATCHED_S) == 100


def test_a_turn_that_waits_for_the_processor_or_the_disk_costs_nothing_where_work_is_counted() -> None:
    began = turn_clock()
    threading.Event().wait(5 * WATCHED_S)
    if time.get_clock_info("thread_time").resolution < WATCHED_S / 5:
        assert turn_clock() - began < WATCHED_S
    else:
        assert turn_clock() - began >= WATCHED_S


async def test_a_crowded_loop_lowers_the_bound_and_a_free_one_lifts_it() -> None:
    now = 0.0
    courtesy = Courtesy(asyncio.get_running_loop(), WATCHED_S, lambda: now)

    async def look(turn_s: float, in_flight: int) -> None:
        nonlocal now
        now += LOOK_S
        courtesy.allows(in_flight)
        await asyncio.sleep(0)
        now += turn_s
        await asyncio.sleep(0)

    await look(WATCHED_S * 5, 256)
    assert courtesy.limit is not None
    assert courtesy.limit < 256
    assert not courtesy.allows(256)
    for _ in range(60):
        await look(0.0, courtesy.limit // 3 if courtesy.limit else FEWEST)
    assert courtesy.limit is None
