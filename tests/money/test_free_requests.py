"""What a request costs whose server said nothing of its tokens."""

from tui_batch.domain.outcome import Usage
from tui_batch.money.prices import FREE, UnitPrices, cost


def test_on_a_free_server_it_costs_nothing() -> None:
    assert cost(Usage(), FREE) == 0


def test_on_a_paid_one_nobody_knows() -> None:
    assert cost(Usage(), UnitPrices.per_mtok(1.0, 2.0, source="test")) is None
