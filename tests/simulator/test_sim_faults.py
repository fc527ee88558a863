"""Faults: how they are written, and whom they meet."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.errors import UserError
from tui_batch.simulator.faults import Fault, FaultPlan, parse_faults


def test_rates_are_read_as_numbers_and_percentages() -> None:
    plan = parse_faults(" 429=0.05, 500=2%,hang=.001,")
    assert plan.rates == ((Fault.RATE_LIMITED, 0.05), (Fault.SERVER_ERROR, 0.02), (Fault.HANG, 0.001))
    assert parse_faults(str(plan)) == plan


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("418=0.1", "'418'"),
        ("500", "'500' has no rate"),
        ("500=often", "500=often"),
        ("500=1.5", "500=1.5"),
        ("500=nan", "500=nan"),
        ("500=0.1,500=0.2", "given twice"),
        ("500=0.6,429=0.6", "more than 1"),
        ("filter=0.6,truncation=0.6", "more than 1"),
    ],
)
def test_a_bad_part_is_named(text: str, named: str) -> None:
    with pytest.raises(UserError, match=r"^faults: ") as caught:
        parse_faults(text)
    assert named in str(caught.value)


@given(seed=st.integers(0, 9), rate=st.sampled_from([0.05, 0.2, 0.5]))
@settings(deadline=None, max_examples=15)
def test_faults_come_at_their_rate(seed: int, rate: float) -> None:
    plan = FaultPlan(((Fault.RESET, rate),))
    met = sum(plan.decide(seed, key, 1) is Fault.RESET for key in range(3000))
    assert abs(met / 3000 - rate) < 0.05


def test_a_retry_draws_anew_but_a_filter_stays() -> None:
    plan = parse_faults("500=0.5,filter=0.5")
    keys = range(200)
    filtered = {key for key in keys if plan.decide(1, key, 1) is Fault.FILTER}
    assert filtered == {key for key in keys if plan.decide(1, key, 2) is Fault.FILTER}
    failed = [key for key in keys if plan.decide(1, key, 1) is Fault.SERVER_ERROR]
    assert failed
    assert all(any(plan.decide(1, key, attempt) is None for attempt in range(2, 20)) for key in failed)
