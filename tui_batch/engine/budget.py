"""What a job may spend: the worst case is reserved before a call, the real cost is settled after.

Pure bookkeeping in nano-dollars; `purse` keeps the database's part.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Budget:
    """Spending of one job's run. Never lets spent + reserved pass the job's cap."""

    cap: int | None
    """What the job may spend in all; None: no cap of its own."""
    spent: int = 0
    """Settled: real costs, and the worst case of requests whose cost nobody will know."""
    reserved: int = 0
    """Worst cases of the requests in flight."""
    unwritten: int = 0
    """The part of `spent` that is not on the disk yet."""
    secured: int = 0
    """Set aside on the disk. Whatever happens to this process, so much counts as spent."""
    day_cap: int | None = None
    """What all jobs together may spend on a day; None: no such cap."""

    @property
    def guarded(self) -> bool:
        """Whether any cap holds."""
        return self.cap is not None or self.day_cap is not None

    @property
    def at_risk(self) -> int:
        """What may be billed, or was, and is not on the disk as spent."""
        return self.reserved + self.unwritten

    def fits(self, worst_case: int | None) -> bool:
        """Whether a call that costs at most `worst_case` keeps to the job's cap. None, unknown, fits no cap."""
        if worst_case is None:
            return not self.guarded
        return self.cap is None or self.spent + self.reserved + worst_case <= self.cap

    def is_secured(self, worst_case: int) -> bool:
        """Whether so much more may be at risk without the disk being told first."""
        return not self.guarded or self.at_risk + worst_case <= self.secured

    def runs_low(self, worst_case: int) -> bool:
        """Whether only a few more calls like this one are secured: time to secure more."""
        return self.guarded and self.secured - self.at_risk < LOW * worst_case

    def wanted(self, worst_case: int) -> int:
        """How much to secure for some more calls like this one: a quarter more than what is at risk, within the cap.

        More would make fewer writes; but what is secured when a process is killed counts as spent.
        """
        wanted = self.at_risk + worst_case + max(2 * LOW * worst_case, self.at_risk // 4)
        return wanted if self.cap is None else min(wanted, self.cap - self.spent + self.unwritten)

    def reserve(self, worst_case: int | None) -> int:
        """Sets the worst case aside; returns what to hand to `settle`."""
        amount = worst_case or 0
        self.reserved += amount
        return amount

    def settle(self, reserved: int, cost: int | None) -> None:
        """Replaces a reservation by the real cost; one that stays unknown is presumed to be the whole reservation."""
        charge = reserved if cost is None else cost
        self.reserved -= reserved
        self.spent += charge
        self.unwritten += charge

    def written(self, charge: int) -> None:
        """So much of `spent` reached the disk, which took it out of what is set aside."""
        self.unwritten -= charge
        self.secured = max(0, self.secured - charge)


LOW = 4
"""Calls of the last one's worst case that must be secured before it is time to secure more."""
