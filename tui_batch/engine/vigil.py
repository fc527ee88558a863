"""Keeps in the database what the watches of running jobs know and told, so that a resumed job is watched on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tui_batch.domain.job import Owner
from tui_batch.engine.jobrun import JobRun
from tui_batch.engine.journal import Journal
from tui_batch.quality.alerts import Alert, ToldAlert
from tui_batch.quality.drift import BLOCKS, DriftWatch
from tui_batch.store.alerts import Alerts, WatchState


@dataclass(slots=True)
class _Watched:
    """A running job's watch, and what of it is not stored yet."""

    watch: DriftWatch
    pace: int
    """Answers between two looks: in between there is nothing that would be worth a write."""
    saved: int
    """Answers it had seen when it was last stored."""
    told: list[ToldAlert] = field(default_factory=list)

    @property
    def is_due(self) -> bool:
        return bool(self.told) or self.watch.count - self.saved >= self.pace


class Vigil:
    """The watches of this process's jobs. All methods belong to the loop's thread."""

    def __init__(self, alerts: Alerts, journal: Journal, owner: Owner, clock: Callable[[], float]) -> None:
        self._alerts = alerts
        self._journal = journal
        self._owner = owner
        self._clock = clock
        self._watched: dict[int, _Watched] = {}

    async def open(self, run: JobRun) -> None:
        """Lets a run's watch go on from what was known when the job was last stopped."""
        if (watch := run.drift) is None:
            return
        try:
            if (state := await self._alerts.watch_state(run.id)) is not None:
                watch.restore(state)
        except ValueError as error:
            run.drift = watch = DriftWatch(run.spec.drift)
            self._journal.note("warning", f"job {run.id}: the watch of its answers begins anew: {error}", run.id)
        self._watched[run.id] = _Watched(watch, run.spec.drift.window // BLOCKS, watch.count)

    def tell(self, run: JobRun, alert: Alert) -> None:
        """Takes an alert for the log and for the database. Never waits."""
        self._journal.note("warning", f"job {run.id}: {alert}", run.id)
        self._watched[run.id].told.append(ToldAlert(alert, self._clock()))

    async def flush(self) -> None:
        """Stores what is new and worth it. Raises StoreTrouble while the disk refuses; nothing is lost by that."""
        await self._save([job_id for job_id, one in self._watched.items() if one.is_due])

    async def close(self, run: JobRun) -> None:
        """Stores the last of a run that ends, unless another process has its job. Raises StoreTrouble as above."""
        await self._save([run.id] if run.id in self._watched else [])
        self._watched.pop(run.id, None)

    async def _save(self, job_ids: list[int]) -> None:
        now = self._clock()
        states = [self._state(job_id, now) for job_id in job_ids]
        counts = [self._watched[job_id].watch.count for job_id in job_ids]
        await self._alerts.save(states)
        for state, count in zip(states, counts, strict=True):
            if (one := self._watched.get(state.job_id)) is not None:
                one.saved = count
                one.told = [told for told in one.told if told not in state.told]

    def _state(self, job_id: int, now: float) -> WatchState:
        one = self._watched[job_id]
        holding = tuple(alert.number for alert in one.watch.alerts)
        return WatchState(job_id, one.watch.state(), now, tuple(one.told), holding, self._owner)
