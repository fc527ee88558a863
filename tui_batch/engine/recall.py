"""What limiters must know of the time before this process: the server's windows do not begin anew with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from tui_batch.domain.stored import RecentRequests
from tui_batch.engine.allowance import Allowance
from tui_batch.engine.ratelimit import DAY_S, MINUTE_S, RateLimiter
from tui_batch.store.recent import MINUTE
from tui_batch.store.store import Store

SPARE = 8
"""Requests that may have been on their way when a process ended, beside twice the mean number."""
AFTER_S = 1.0
"""How long after its last known outcome a process may have sent them."""
UNWRITTEN_S = 0.25
"""Outcomes that came in the last moments before a process was killed may not have reached the disk."""


async def recent(store: Store, now_unix: float, *, by_day: bool) -> list[RecentRequests]:
    """What the store knows to have been sent in the last minute or, for daily limits, the last day."""
    if by_day:
        return await store.items.recent_requests(now_unix - DAY_S, MINUTE)
    return await store.items.recent_requests(now_unix - MINUTE_S)


def remind(limiter: RateLimiter | Allowance, sent: Sequence[RecentRequests], *, now: float, now_unix: float) -> None:
    """Counts these requests, and what was probably in flight when their process ended, in a limiter that is new.

    `now`: the limiter's clock; `now_unix`: Unix time at the same moment.
    """
    entries = [(one.at, one.requests, one.tokens) for one in sent]
    entries += [lost for _, own in groupby(sorted(sent, key=_owner), key=_owner) if (lost := in_flight(list(own)))]
    for at, requests, tokens in sorted(entries):
        limiter.recall(now - max(0.0, now_unix - at), requests, tokens)


def in_flight(sent: list[RecentRequests]) -> tuple[float, int, int]:
    """When, how many and how large: requests of one job that were sent but of which nothing is known.

    By Little's law over the last minute of what is known, doubled, and never more than the job's own concurrency;
    with what may have ended but was not written.
    """
    ended_at = max(one.ended_at for one in sent)
    lately = [one for one in sent if one.at > ended_at - MINUTE_S]
    requests = sum(one.requests for one in lately)
    seconds = sum(one.seconds for one in lately)
    span = max(1.0, ended_at - min(one.at for one in lately))
    count = math.ceil(2 * seconds / span) + SPARE
    cap = sent[0].concurrency
    count = count if cap is None else min(count, cap)
    count += math.ceil(UNWRITTEN_S * requests / span)
    return ended_at + AFTER_S, count, count * round(sum(one.tokens for one in lately) / max(1, requests))


def _owner(one: RecentRequests) -> int:
    return one.job_id
