"""What a screen sees of the engine: frozen values, made on demand. Screens render these and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tui_batch.domain.job import Counters, JobState, Knobs, PauseReason
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.spending import CostRange

if TYPE_CHECKING:
    from tui_batch.quality.drift import Alert

LONG_S = 120.0
"""A longer wait is told by its end, not by its length."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from sending to the last byte; None: nothing answered yet."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """What limits a job or deployment now."""

    what: str
    """RPM, TPM, Retry-After, concurrency, breaker, budget, disk, ..."""
    seconds: float | None = None
    """How long it still holds; None: until something ends."""

    def __str__(self) -> str:
        return f"waiting for {self.what}" + (f", {self.seconds:.0f} s" if self.seconds is not None else "")

    def words(self, now: datetime) -> str:
        """As a screen says it: above LONG_S with the time at which it ends, by the clock that `now` is read from."""
        if self.seconds is None or self.seconds <= LONG_S:
            return str(self)
        end = now + timedelta(seconds=self.seconds)
        day = "" if end.date() == now.date() else f"{end:%a} "
        return f"waiting for {self.what} until {day}{end:%H:%M}"


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """A running job, as it is this moment."""

    id: int
    name: str
    state: JobState
    reason: PauseReason | None
    message: str
    knobs: Knobs
    counters: Counters
    """What the store will say once everything recorded is committed."""
    in_flight: int
    waiting: int
    """Items that wait for their retry time."""
    rate: float
    """Items finished per second over the last 10 seconds."""
    eta_s: float | None
    """Seconds to the end at the present rate; None: no rate yet."""
    latency: Latency
    failures: Mapping[OutcomeClass, int] = field(default_factory=dict)
    """Failed requests by class since the job was started in this process."""
    hold: Hold | None = None
    recent: Latency = Latency()
    """As `latency`, of the answers of the last minute only: what a chart over time is made of."""
    rpm_used: int = 0
    """Of the job's own limit of requests a minute."""
    tpm_used: int = 0
    """Of its own limit of tokens a minute."""
    score_mean: float | None = None
    """Mean score of the job's answers so far, 0 to 1; None: no check gives one."""
    drift: tuple[Alert, ...] = ()
    """In what way answers got worse in this run, as far as it still holds."""
    projected: CostRange | None = None
    """What it will have cost at its end; None: nothing ended yet, or the price of a request is unknown."""


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """What a person allows a deployment, in the settings or while it runs. None: no limit of theirs."""

    rpm: int | None = None
    """Requests in any 60 seconds."""
    tpm: int | None = None
    """Tokens in any 60 seconds."""
    max_in_flight: int | None = None

    def __str__(self) -> str:
        """In words."""
        named = ((self.rpm, "RPM"), (self.tpm, "TPM"), (self.max_in_flight, "in flight"))
        return ", ".join(f"{value:,} {unit}" for value, unit in named if value is not None) or "no limits"


@dataclass(frozen=True, slots=True)
class LaneSnapshot:
    """A deployment, as it is this moment."""

    endpoint: str
    model: str
    in_flight: int
    limit: int | None
    """Requests allowed in flight; None: only the jobs' own concurrency bounds."""
    breaker: str
    rpm: int | None
    rpm_used: int
    tpm: int | None
    tpm_used: int
    rpd: int | None
    rpd_used: int
    learned: bool
    """Whether any of the limits came from the server rather than from a person."""
    pace_per_s: float | None
    """Requests a second while spread evenly, because the server refused bursts; None: not paced."""
    latency: Latency
    tokens_per_s: float
    closed: str
    """Why no request goes there any more; empty while it is in use."""
    hold: Hold | None = None
    is_off: bool = False
    """A person switched its endpoint off: nothing is sent there until it is switched on again."""
    breaker_s: float | None = None
    """Seconds until an open breaker lets a probe through; None: it is not open, or the probe is on its way."""
    own: LaneLimits = LaneLimits()
    """What a person allows; `rpm`, `tpm` and `limit` above are what holds, lower where the server said so."""
    requests: int = 0
    """Requests that came to an outcome in this process."""
    failed: int = 0
    """Those of them that failed by the server's doing, as far as can be told."""
    trouble: str = ""
    """The last failure in words; empty: there was none."""
    trouble_s: float | None = None
    """Seconds since then."""


@dataclass(frozen=True, slots=True)
class EngineSnapshot:
    """The whole engine."""

    jobs: tuple[JobSnapshot, ...]
    lanes: tuple[LaneSnapshot, ...]
    trouble: str
    """Words of a database that cannot be written; empty when all is well."""
    off: frozenset[str] = frozenset()
    """Names of the endpoints that a person switched off in this process, used or not."""
