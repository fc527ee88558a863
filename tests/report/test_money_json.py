"""Money as JSON objects."""

from __future__ import annotations

from tui_batch.domain.job import NANO
from tui_batch.domain.spending import Spent
from tui_batch.report.money_json import spent_json


def test_a_cost_that_is_not_known_is_null_and_what_is_known_of_it_stands_beside() -> None:
    whole = spent_json(Spent(requests=3, cost_nano=2 * NANO))
    part = spent_json(Spent(requests=3, cost_nano=2 * NANO, unpriced=1))
    assert (whole["cost_usd"], whole["known_cost_usd"], whole["unpriced"]) == (2.0, 2.0, 0)
    assert (part["cost_usd"], part["known_cost_usd"], part["unpriced"]) == (None, 2.0, 1)
