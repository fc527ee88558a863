"""Keeps caps true on the disk: money is set aside there before a request starts, for a job's cap and for the day's.

A request that is in flight when the process is killed may be billed, and nobody will hear of it. So its worst case is
in the database before it starts; the next run of the job counts what is left there as spent (see store.ledger).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable

from tui_batch.domain.item import ItemRecord
from tui_batch.domain.job import JobState, Owner, PauseReason
from tui_batch.engine.endings import broken
from tui_batch.engine.jobrun import JobRun
from tui_batch.engine.lane import Halt, Wait
from tui_batch.store.connection import StoreTrouble
from tui_batch.store.ledger import Demand, Ledger, charged

AGAIN_S = 1.0
"""When another job may give back some of the day's budget, or the disk may be well again: time until another look."""
DAY_S = 86_400
DAY_WORDS = "the next request could pass the day's budget for all jobs; a new day begins at 00:00 UTC"


class Purse:
    """The accounts of the jobs that this process runs."""

    def __init__(
        self,
        ledger: Ledger,
        owner: Owner,
        *,
        day_cap: int | None,
        clock: Callable[[], float],
        kick: Callable[[], None],
        halt: Callable[[JobRun, Halt], None],
        in_background: Callable[[Coroutine[None, None, None]], object],
    ) -> None:
        self._ledger = ledger
        self._owner = owner
        self._day_cap = day_cap
        self._clock = clock
        self._kick = kick
        self._halt = halt
        self._in_background = in_background
        self._asking: set[int] = set()
        """Jobs for which money is being set aside at this moment."""
        self._short: set[int] = set()
        """Jobs that got less than they asked for, while they had requests in flight."""
        self._days: dict[int, int] = {}
        """The day, as a number, for which a job's money is set aside."""

    async def open(self, run: JobRun) -> None:
        """Begins a run. What a process that died had set aside counts as spent."""
        run.budget.day_cap = self._day_cap
        run.budget.spent += await self._ledger.open_account(run.id, by=self._owner)

    def hold(self, run: JobRun, worst: int) -> Wait | None:
        """Why a request of this worst case may not start yet; None when the disk knows of it."""
        budget = run.budget
        if not budget.guarded:
            return None
        if self._days.get(run.id) != self._today():
            budget.secured = 0
        if not budget.is_secured(worst):
            return self._wait(run, worst)
        if budget.runs_low(worst) and budget.wanted(worst) > budget.secured and run.id not in self._short:
            self._ask(run, worst)
        return None

    def _wait(self, run: JobRun, worst: int) -> Wait:
        if run.id in self._short and run.in_flight:  # what they do not need comes back when they land
            return Wait("the day's budget")
        # Nothing smaller slips through meanwhile, and what is too little for this is left to other jobs.
        run.budget.secured = min(run.budget.secured, run.budget.at_risk)
        self._ask(run, worst)
        return Wait("budget")

    def _ask(self, run: JobRun, worst: int) -> None:
        if run.id not in self._asking:
            self._asking.add(run.id)
            self._in_background(self._secure(run, worst))

    async def _secure(self, run: JobRun, worst: int) -> None:
        budget, today = run.budget, self._today()
        # More may start until the answer comes, as far as what is set aside already reaches.
        least = max(budget.at_risk, budget.secured)
        asked = max(least, budget.wanted(worst))
        try:
            demand = Demand(least, max(least, budget.at_risk + worst), asked)
            got = await self._ledger.secure(run.id, demand, day_cap=budget.day_cap, now=self._clock(), by=self._owner)
        except StoreTrouble:
            asyncio.get_running_loop().call_later(AGAIN_S, self._kick)
            return
        except Exception as error:  # a damaged database: the job would wait for its budget without end
            self._halt(run, broken(error))
            return
        finally:
            self._asking.discard(run.id)
        if got is None:  # the lease is lost, which the next heartbeat tells
            return
        self._days[run.id] = today
        budget.secured = got.nano
        if budget.is_secured(worst):
            self._short.discard(run.id)
            self._kick()
        elif got.nano >= asked:
            self._kick()
        elif run.in_flight:
            self._short.add(run.id)
            self._kick()
        elif got.others_nano:
            asyncio.get_running_loop().call_later(AGAIN_S, self._kick)
        else:
            self._halt(run, Halt(JobState.PAUSED, PauseReason.BUDGET, DAY_WORDS))

    def committed(self, run: JobRun, records: Iterable[ItemRecord]) -> None:
        """Outcomes of a job are on the disk, with what they cost."""
        run.budget.written(sum(map(charged, records)))

    async def close(self, run: JobRun) -> None:
        """Ends a run. What requests that were cancelled on their way may have cost counts as spent from now on."""
        self._short.discard(run.id)
        if run.budget.secured or run.budget.reserved or run.id in self._days:
            await self._ledger.close_account(run.id, presumed=run.budget.reserved, now=self._clock(), by=self._owner)
            self._days.pop(run.id, None)
            run.budget.secured = 0

    def _today(self) -> int:
        return int(self._clock() // DAY_S)
