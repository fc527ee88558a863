"""Seeded faults: what goes wrong, how often, and for which request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tui_batch.errors import UserError
from tui_batch.simulator.chance import draw


class Fault(StrEnum):
    """What can go wrong. The value is the name used in `--faults`."""

    RATE_LIMITED = "429"
    SERVER_ERROR = "500"
    UNAVAILABLE = "503"
    OVERLOADED = "529"
    QUOTA = "quota"
    AUTH = "auth"
    RESET = "reset"
    """The connection is cut instead of an answer."""
    HANG = "hang"
    """No byte ever comes."""
    STALL = "stall"
    """The answer begins, then nothing more comes."""
    MALFORMED = "malformed"
    """HTTP 200 with JSON that ends in the middle."""
    EMPTY = "empty"
    """HTTP 200 without a body."""
    HTML = "html"
    """A proxy's 502 page."""
    TRUNCATION = "truncation"
    """The answer ends half way, as if its length limit had been reached."""
    FILTER = "filter"
    """The answer is withheld by a content filter, or refused."""
    SLOW = "slow"
    """The body comes in dribbles."""


STICKY = frozenset({Fault.TRUNCATION, Fault.FILTER})
"""Faults that belong to the prompt: asking again meets them again."""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Rates of faults, each a probability between 0 and 1."""

    rates: tuple[tuple[Fault, float], ...] = ()

    def decide(self, seed: int, key: int, attempt: int) -> Fault | None:
        """The fault that this attempt (from 1) at this prompt meets. A retry draws anew, but for sticky faults."""
        if not self.rates:
            return None
        lasting = self._pick(draw(seed, key, "sticky"), sticky=True)
        return lasting or self._pick(draw(seed, key, attempt, "fault"), sticky=False)

    def _pick(self, chance: float, *, sticky: bool) -> Fault | None:
        for fault, rate in self.rates:
            if (fault in STICKY) is not sticky:
                continue
            if chance < rate:
                return fault
            chance -= rate
        return None

    def __str__(self) -> str:
        return ",".join(f"{fault.value}={rate:g}" for fault, rate in self.rates)


def parse_faults(text: str) -> FaultPlan:
    """Reads `429=0.05,500=0.02,hang=1%`; empty text is no faults. Raises UserError that names the bad part."""
    rates: dict[Fault, float] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        fault, rate = _parse_one(part)
        if fault in rates:
            raise UserError(f"faults: {fault.value} is given twice", remedy="Leave one of them out.")
        rates[fault] = rate
    for group, name in ((STICKY, "truncation and filter"), (frozenset(Fault) - STICKY, "the faults of a request")):
        if sum(rate for fault, rate in rates.items() if fault in group) > 1 + 1e-9:
            raise UserError(f"faults: the rates of {name} add up to more than 1", remedy="Lower some of them.")
    return FaultPlan(tuple(rates.items()))


def _parse_one(part: str) -> tuple[Fault, float]:
    name, separator, value = part.partition("=")
    names = ", ".join(fault.value for fault in Fault)
    if not separator:
        raise UserError(f"faults: {part!r} has no rate", remedy=f"Write it as {name.strip()}=0.05")
    try:
        fault = Fault(name.strip().lower())
    except ValueError:
        raise UserError(f"faults: unknown fault {name.strip()!r}", remedy=f"Known faults: {names}") from None
    return fault, _parse_rate(fault, value.strip())


def _parse_rate(fault: Fault, value: str) -> float:
    try:
        rate = float(value[:-1]) / 100 if value.endswith("%") else float(value)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1:
        raise UserError(
            f"faults: {fault.value}={value} is not a rate", remedy="A rate is a number from 0 to 1, or a percentage."
        )
    return rate
