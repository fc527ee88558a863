"""Keeps a shared rate limit for the jobs whose turn it is.

A job that has as many requests in flight as it may have lets others pass. Where a rate limit is what is scarce,
those would use up in seconds what the first one needs for the rest of the minute: a lower priority would get as much
as a higher one, and a wide job more than a narrow one. So what the first can use of a minute is kept for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.engine.jobrun import JobRun
from tui_batch.engine.lane import Lane, Wait
from tui_batch.engine.ratelimit import MINUTE_S

ANOTHER_JOB = Wait("another job")
"""A job's own limit of requests in flight keeps it from using what is kept for it; it goes on when one of them ends."""


class Reserve:
    """Requests of a minute's limit kept for jobs earlier in order. Made anew at every dispatch."""

    def __init__(self, lanes: Mapping[DeploymentKey, Lane]) -> None:
        self._lanes = lanes
        self._kept: dict[DeploymentKey, int] = {}

    def keep_for(self, run: JobRun) -> None:
        """A job stays behind because of its own limit of requests in flight: keeps what it can use in a minute."""
        concurrency = run.knobs.concurrency
        if concurrency is None or run.in_flight < concurrency:
            return
        pending = run.stats.counters.pending - run.in_flight
        for key in {key for item in run.queue.heads() for key in item.route}:
            per_minute = math.ceil(concurrency * MINUTE_S / max(0.01, self._lanes[key].seconds_per_item))
            self._kept[key] = self._kept.get(key, 0) + min(pending, per_minute)

    def admits(self, lane: Lane, now: float, tokens: int) -> bool:
        """Whether a request of a later job leaves enough of the deployment's limit."""
        kept = self._kept.get(lane.key)
        if not kept:
            return True
        left = lane.limiter.requests_left(now, tokens)
        return left is None or left > kept
