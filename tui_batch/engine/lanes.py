"""The deployments that this process talks to: a lane for each, opened when the first item needs it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from tui_batch.domain.endpoint import Deployment, DeploymentKey
from tui_batch.engine.allowance import Allowance
from tui_batch.engine.jobrun import JobRun
from tui_batch.engine.lane import Lane
from tui_batch.engine.memory import LimitsMemory
from tui_batch.engine.ratelimit import RateLimiter
from tui_batch.engine.recall import recent, remind
from tui_batch.engine.surroundings import Surroundings
from tui_batch.errors import UserError
from tui_batch.store.store import Store


class LaneOpener:
    """Opens lanes, with what the surroundings and the store know of each deployment. Belongs to the loop's thread."""

    def __init__(
        self,
        lanes: dict[DeploymentKey, Lane],
        runs: Mapping[int, JobRun],
        store: Store,
        around: Surroundings,
        *,
        memory: LimitsMemory,
        take_in: Callable[[Lane], Lane],
    ) -> None:
        """`lanes` is where they are put; `take_in` makes a new one what a person wants it to be."""
        self._lanes = lanes
        self._runs = runs
        self._store = store
        self._around = around
        self._memory = memory
        self._take_in = take_in
        self._loop = asyncio.get_running_loop()

    async def open(
        self, keys: Iterable[DeploymentKey], deployment_of: Callable[[DeploymentKey], Deployment], *, reopen: bool
    ) -> None:
        """Sees to it that there is a lane for each deployment.

        `reopen`: one that was closed (its key was refused, its model gone) gets another chance, and its key is read
        anew. Raises UserError for a key that is missing, and for a name that means another server in a running job.
        """
        for key in keys:
            lane = self._lanes.get(key)
            if lane is not None and not reopen:
                continue
            deployment = deployment_of(key)
            if lane is not None and not lane.deployment.endpoint.is_same_server(deployment.endpoint):
                self._retire(lane, deployment)
                lane = None
            await self._loop.run_in_executor(None, self._around.register, deployment)
            if lane is not None:
                lane.closed = None
                continue
            made = await self._make(deployment)
            if key not in self._lanes:  # else another job opened it meanwhile
                self._lanes[key] = self._take_in(made)

    async def recall(self, limiter: RateLimiter | Allowance, of: DeploymentKey | int, *, by_day: bool = False) -> None:
        """Tells a new limiter what was sent before it began, to a deployment or by a job, by whatever process."""
        now_unix = self._around.clock()
        sent = [one for one in await recent(self._store, now_unix, by_day=by_day) if of in (one.deployment, one.job_id)]
        remind(limiter, sent, now=self._loop.time(), now_unix=self._around.clock())

    async def _make(self, deployment: Deployment) -> Lane:
        endpoint, model = deployment.endpoint, deployment.key.model
        prices = await self._loop.run_in_executor(None, self._around.prices_for, endpoint, model)
        await self._around.learn_window(deployment)
        window = await self._loop.run_in_executor(None, self._around.window_for, endpoint, model)
        limiter = RateLimiter(rpm=endpoint.rpm, tpm=endpoint.tpm, rpd=endpoint.rpd)
        learned = await self._memory.of(deployment)
        by_day = endpoint.rpd is not None or (learned is not None and learned.rpd is not None)
        await self.recall(limiter, deployment.key, by_day=by_day)
        if learned is not None:
            now = self._loop.time()
            limiter.believe(replace(learned, at=now - max(0.0, self._around.clock() - learned.at)), now)
        return Lane(deployment, limiter, prices, window)

    def _retire(self, lane: Lane, deployment: Deployment) -> None:
        """Another server by a name that is known here takes its place, unless a running job still uses the old one."""
        name, old = deployment.endpoint.name, lane.deployment.endpoint
        for run in self._runs.values():
            if any(endpoint == old for endpoint in run.spec.endpoints):
                raise UserError(
                    f"endpoint {name} is {deployment.endpoint.base_url} here and {old.base_url} in job {run.id}",
                    remedy=f"Wait until job {run.id} has ended, or pause it first.",
                )
        del self._lanes[lane.key]
