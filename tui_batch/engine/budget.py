"""A job's cap: the worst case is reserved before a call, the real cost is settled after."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Budget:
    """Spending against a cap, in nano-dollars. Never lets spent + reserved pass the cap."""

    cap: int | None
    """None: no cap."""
    spent: int = 0
    reserved: int = 0

    def fits(self, worst_case: int | None) -> bool:
        """Whether a call that costs at most `worst_case` may start. None, an unknown price, fits no cap."""
        if self.cap is None:
            return True
        return worst_case is not None and self.spent + self.reserved + worst_case <= self.cap

    def reserve(self, worst_case: int | None) -> int:
        """Sets the worst case aside; returns what to hand to `settle`."""
        amount = worst_case or 0
        self.reserved += amount
        return amount

    def settle(self, reserved: int, cost: int | None) -> None:
        """Replaces a reservation by the real cost.

        A cost that stays unknown although a cap stands is counted as the whole reservation: the cap must hold.
        """
        self.reserved -= reserved
        if cost is not None:
            self.spent += cost
        elif self.cap is not None:
            self.spent += reserved
