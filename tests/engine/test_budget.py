"""A cap is never passed, whatever the order of reservations and settlements."""

from hypothesis import given
from hypothesis import strategies as st

from tui_batch.engine.budget import Budget


@given(
    st.integers(0, 1000),
    st.lists(st.tuples(st.integers(0, 100), st.floats(0, 1), st.booleans()), max_size=80),
)
def test_spending_never_passes_the_cap(cap: int, calls: list[tuple[int, float, bool]]) -> None:
    budget = Budget(cap)
    open_calls: list[tuple[int, int | None]] = []
    for worst, part, unknown in calls:
        if budget.fits(worst):
            open_calls.append((budget.reserve(worst), None if unknown else int(worst * part)))
        elif open_calls:
            budget.settle(*open_calls.pop(0))
        assert budget.spent + budget.reserved <= cap
    for reserved, cost in open_calls:
        budget.settle(reserved, cost)
    assert budget.reserved == 0
    assert budget.spent <= cap


def test_an_unknown_price_fits_no_cap_but_runs_without_one() -> None:
    assert not Budget(1_000).fits(None)
    assert Budget(None).fits(None)
