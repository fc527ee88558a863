"""The projected cost: what is spent and what is left, with a band that is honest about both."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.job import Counters
from tui_batch.engine.projection import CostTally, project


def run_part(costs: list[int], done: int) -> tuple[CostTally, Counters]:
    tally = CostTally()
    for cost in costs[:done]:
        tally.add(cost, ended=True)
    return tally, Counters(total=len(costs), done=done, pending=len(costs) - done, cost_nano=sum(costs[:done]))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60), st.data())
def test_a_projection_is_never_below_what_is_spent_and_exact_at_the_end(costs: list[int], data: st.DataObject) -> None:
    tally, counters = run_part(costs, data.draw(st.integers(1, len(costs))))
    found = project(tally, counters)

    assert found is not None
    assert counters.cost_nano <= found.low <= found.likely <= found.high
    if not counters.pending:
        assert found.low == found.likely == found.high == sum(costs)


def test_the_band_holds_the_truth_nearly_always_and_narrows() -> None:
    rng = random.Random(3)
    hits, widths = 0, []
    for _ in range(200):
        costs = [round(rng.expovariate(1e-6)) for _ in range(1_000)]
        early, late = (project(*run_part(costs, done)) for done in (50, 500))
        assert early is not None
        assert late is not None
        hits += early.low <= sum(costs) <= early.high
        widths.append((late.high - late.low) / (early.high - early.low))
    assert hits >= 180
    assert max(widths) < 0.5


def test_nothing_is_projected_from_nothing_or_from_unknown_prices() -> None:
    tally, counters = run_part([5, 5], 1)

    assert project(CostTally(), Counters(total=3, pending=3)) is None
    cached = Counters(total=3, done=1, cached=1, pending=2)
    assert project(CostTally.of(cached), cached) is None, "what the cache had says nothing about the rest"
    assert project(tally, Counters(total=2, done=1, pending=1, cost_nano=5, unpriced=1)) is None
    assert project(tally, counters) is not None


def test_retries_raise_what_an_item_costs() -> None:
    tally = CostTally()
    tally.add(100, ended=False)
    tally.add(100, ended=True)

    assert tally.mean == 200


def test_a_resumed_job_projects_from_what_it_spent_before() -> None:
    counters = Counters(total=10, done=5, pending=5, cost_nano=500)
    found = project(CostTally.of(counters), counters)

    assert found is not None
    assert found.likely == 1_000
    assert found.low < 1_000 < found.high
