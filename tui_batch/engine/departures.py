"""Sends what was admitted, each request in a task of its own, and hands what comes of it to the landing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.outcome import Outcome
from tui_batch.engine.arrival import received
from tui_batch.engine.endings import broken
from tui_batch.engine.executor import Executor
from tui_batch.engine.jobrun import JobRun
from tui_batch.engine.landing import Landing
from tui_batch.engine.lane import Halt, Lane, Pass
from tui_batch.engine.queue import Prepared
from tui_batch.quality.checks import Examined


class Departures:
    """The requests in flight, of all jobs. Belongs to the loop's thread."""

    def __init__(
        self,
        lanes: Mapping[DeploymentKey, Lane],
        landing: Landing,
        executor: Executor,
        *,
        leased: Callable[[], bool],
        halt: Callable[[JobRun, Halt], None],
        settled: Callable[[JobRun], None],
    ) -> None:
        """`leased`: whether the jobs are still this process's; `settled` is called when a request of a run is over."""
        self._lanes = lanes
        self._landing = landing
        self._executor = executor
        self._leased = leased
        self._halt = halt
        self._settled = settled
        self._loop = asyncio.get_running_loop()
        self._flying: set[asyncio.Task[None]] = set()

    def launch(self, run: JobRun, item: Prepared, index: int, granted: Pass) -> None:
        """Sends an item's request to the deployment at `index` of its route."""
        call = item.calls[index]
        run.launched(item)
        self._lanes[call.wire.deployment].launched(self._loop.time())
        if run.uses_cache:
            self._landing.flights.lead(call.cache_key)
        task = self._loop.create_task(self._fly(run, item, index, granted))
        self._flying.add(task)

    def cancel(self) -> None:
        """Breaks off all that is in flight; those items stay pending."""
        for task in list(self._flying):
            task.cancel()

    async def _fly(self, run: JobRun, item: Prepared, index: int, granted: Pass) -> None:
        try:
            if not self._leased():  # this process slept since the request was admitted: it may be another's by now
                return self._landing.unsent(run, item, index, granted)
            outcome = received(item, index, await self._executor.execute(item.calls[index].wire))
            examined = await self._landing.examined(run, item, outcome)
        except asyncio.CancelledError:
            self._landing.withdraw(run, item, index, granted)
            raise
        except Exception as error:  # a defect in an executor or a check must not leave the job hanging
            self._landing.withdraw(run, item, index, granted)
            self._halt(run, broken(error))
        else:
            self._take_in(run, item, index, granted, outcome, examined)
        finally:
            if (me := asyncio.current_task()) is not None:  # cheaper than a callback, which is a turn of the loop
                self._flying.discard(me)
            self._settled(run)

    def _take_in(
        self, run: JobRun, item: Prepared, index: int, granted: Pass, outcome: Outcome, examined: Examined
    ) -> None:
        try:
            self._landing.land(run, item, index, granted, outcome, examined)
        except Exception as error:  # nor must a defect of our own
            self._halt(run, broken(error))
