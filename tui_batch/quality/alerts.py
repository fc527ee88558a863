"""What is said when answers get worse: plain values, with the figures and the rows behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tui_batch.domain.request import Json


class Signal(StrEnum):
    """What is watched."""

    SCORE = "score"
    FAILURES = "failed checks"
    REFUSALS = "refusals"
    REPEATS = "repeated answers"
    LENGTH = "answer length"
    LATENCY = "latency"


class Against(StrEnum):
    """What the last window is compared with."""

    MINIMUM = "the minimum"
    START = "the job's start"
    BEFORE = "the window before"


@dataclass(frozen=True, slots=True)
class Alert:
    """Answers got worse."""

    signal: Signal
    against: Against
    now: float
    """Mean over the last window: a score or share from 0 to 1, characters, or seconds."""
    then: float
    """The same of what it is compared with; the minimum itself for MINIMUM."""
    window: int
    rows: tuple[int, ...]
    """The worst rows of the window, numbered from 1, the newest first among equals."""
    item_ids: tuple[int, ...]
    """The items behind them: several of one row where several models answer it."""
    statistic: float | None = None
    """Welch's t; None: the values do not vary, so that chance has no part in it."""
    freedom: int | None = None
    """Its degrees of freedom (Welch-Satterthwaite); None as above."""
    number: int = 0
    """Which of the job's alerts it is, from 1."""

    @property
    def concerns_answers(self) -> bool:
        """Whether it is about what models say and not about how fast."""
        return self.signal is not Signal.LATENCY

    def __str__(self) -> str:
        """In words."""
        rows = ", ".join(map(str, self.rows))
        return f"{self.finding}; rows {rows}" if rows else self.finding

    @property
    def finding(self) -> str:
        """In words, without the rows."""
        show = _SHOW[self.signal]
        against = "below the minimum of" if self.against is Against.MINIMUM else "after"
        when = {Against.START: " at the start", Against.BEFORE: " just before"}.get(self.against, "")
        return f"{self.signal}: {show(self.now)} in the last {self.window} answers, {against} {show(self.then)}{when}"


def alert_of(plain: Mapping[str, Json]) -> Alert:
    """An alert from its fields as JSON has them. Raises TypeError, KeyError or ValueError for what is none."""
    values = {**plain, "signal": Signal(plain["signal"]), "against": Against(plain["against"])}
    return Alert(**{**values, "rows": tuple(plain["rows"]), "item_ids": tuple(plain["item_ids"])})


@dataclass(frozen=True, slots=True)
class ToldAlert:
    """An alert as it is kept with its job."""

    alert: Alert
    at: float
    """Unix time at which it was told."""
    ended_at: float | None = None
    """Unix time from which on it was seen to hold no more; None: it still holds, or did when the job last ran."""


def _share(value: float) -> str:
    return f"{value:.0%}"


_SHOW: dict[Signal, Callable[[float], str]] = {
    Signal.SCORE: lambda value: f"{value:.2f}",
    Signal.FAILURES: _share,
    Signal.REFUSALS: _share,
    Signal.REPEATS: _share,
    Signal.LENGTH: lambda value: f"{value:,.0f} characters",
    Signal.LATENCY: lambda value: f"{value:.3g} s",
}
