"""What the screens render: frozen values, made once a tick by the bridge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tui_batch import figures
from tui_batch.domain.job import ACTIVE, Counters, Job, JobState, Knobs, PauseReason
from tui_batch.engine.snapshot import EngineSnapshot, JobSnapshot
from tui_batch.quality.alerts import ToldAlert
from tui_batch.tui.history import History

EMPTY = EngineSnapshot((), (), "")


@dataclass(frozen=True, slots=True)
class JobView:
    """A job: as stored, and as it is this moment where this process runs it."""

    job: Job
    live: JobSnapshot | None = None
    """None: this process does not run it."""
    elsewhere: bool = False
    """Whether another live process runs it."""
    rate: float = 0.0
    """Items finished a second."""
    eta_s: float | None = None
    """Seconds to the end at that rate; None: unknown."""

    @property
    def id(self) -> int:
        """The job's number."""
        return self.job.id

    @property
    def name(self) -> str:
        """As given; foreign text."""
        return self.job.spec.name

    @property
    def state(self) -> JobState:
        """Where it stands now."""
        return self.live.state if self.live is not None else self.job.state

    @property
    def reason(self) -> PauseReason | None:
        """Why it stands still."""
        return self.live.reason if self.live is not None else self.job.reason

    @property
    def message(self) -> str:
        """The words behind a pause or a failure; foreign text."""
        return self.live.message if self.live is not None else self.job.message

    @property
    def counters(self) -> Counters:
        """Its figures now."""
        return self.live.counters if self.live is not None else self.job.counters

    @property
    def knobs(self) -> Knobs:
        """Its knobs now."""
        return self.live.knobs if self.live is not None else self.job.knobs

    @property
    def in_flight(self) -> int:
        """Requests on their way; 0 where another process runs it, which alone knows."""
        return self.live.in_flight if self.live is not None else 0

    @property
    def is_active(self) -> bool:
        """Whether it runs, here or elsewhere."""
        return self.state in ACTIVE


@dataclass(frozen=True, slots=True)
class DayBudget:
    """What all jobs together may spend on a day (UTC), and have spent today, in nano-dollars."""

    cap: int
    spent: int

    def __str__(self) -> str:
        """In words."""
        return f"{figures.dollars(self.spent)} of {figures.dollars(self.cap)} today"


@dataclass(frozen=True, slots=True)
class View:
    """Everything there is to draw, at one moment."""

    now: float
    """Unix time."""
    jobs: tuple[JobView, ...] = ()
    """Newest first."""
    selected: int | None = None
    """The job that items, errors and the live panel are about; None: there is none."""
    engine: EngineSnapshot = EMPTY
    history: Mapping[int, History] = field(default_factory=dict)
    """Per job that runs or ran while the app was open."""
    trouble: str = ""
    """Why the database cannot be read or written; empty when all is well."""
    day: DayBudget | None = None
    """None: there is no cap for a day."""
    alerts: Mapping[int, tuple[ToldAlert, ...]] = field(default_factory=dict)
    """What is stored of answers that got worse, of the selected job where it does not run here."""

    @property
    def job(self) -> JobView | None:
        """The selected job."""
        return next((job for job in self.jobs if job.id == self.selected), None)

    @property
    def active(self) -> tuple[JobView, ...]:
        """The jobs that run."""
        return tuple(one for one in self.jobs if (one.live or one.job).state in ACTIVE)  # is_active, for thousands
