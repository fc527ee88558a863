"""What is written about an item: every record of the request for its answer is built here (see `judging` for others').

Three things are written down: what a request came to, an answer that was there already, and an item of which no
request can be made.
"""

from __future__ import annotations

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.item import Attempt, CachedResponse, ItemFlag, ItemRecord, ItemState, PendingItem
from tui_batch.domain.outcome import Outcome
from tui_batch.engine.arrival import Arrival, source_of
from tui_batch.engine.queue import Prepared
from tui_batch.quality.checks import Examined


def arrival_record(
    arrival: Arrival,
    state: ItemState,
    *,
    attempts: int,
    at: float,
    available_at: float = 0.0,
    flags: ItemFlag = ItemFlag.NONE,
    attempt: Attempt | None = None,
    entry: CachedResponse | None = None,
    judging: int = 0,
) -> ItemRecord:
    """What a request came to. `attempts`: the item's own, this one included where it counts; `at`: Unix time now.

    An item that stays pending has no score: its answer is asked for anew, or its judge has yet to give one.
    """
    run, item = arrival.run, arrival.item
    return ItemRecord(
        job_id=run.id,
        item_id=item.id,
        state=state,
        attempts=attempts,
        malformed=item.malformed,
        available_at=available_at,
        outcome=arrival.outcome,
        deployment=arrival.lane.key,
        cost_nano=arrival.cost_nano,
        at=at,
        flags=flags,
        attempt=attempt,
        cache_entry=entry,
        keep_raw=run.spec.keep_raw,
        invalid=item.invalid,
        score=None if state is ItemState.PENDING else arrival.score,
        presumed_nano=arrival.presumed_nano,
        judging=judging,
        failing=arrival.failing,
    )


def hit_record(
    job_id: int, item: Prepared, answer: CachedResponse, examined: Examined, *, flags: ItemFlag, judging: int, at: float
) -> ItemRecord:
    """An item answered by a stored response, without a request and at no cost."""
    return ItemRecord(
        job_id=job_id,
        item_id=item.id,
        state=ItemState.PENDING if judging else ItemState.DONE,
        attempts=item.attempts,
        malformed=item.malformed,
        available_at=0.0,
        outcome=examined.outcome,
        deployment=source_of(item, answer),
        cost_nano=0,
        at=at,
        cached=True,
        flags=flags,
        cache_key=answer.key,
        saved_nano=answer.cost_nano,
        invalid=item.invalid,
        score=None if judging else examined.score,
        judging=judging,
        failing=examined.failing,
    )


def unsent_attempt(item: PendingItem, outcome: Outcome, at: float) -> Attempt:
    """What is kept of a request that could not even be made."""
    return Attempt(
        item_id=item.id,
        number=item.requests + 1,
        at=at,
        deployment=DeploymentKey("", ""),
        cls=outcome.cls,
        status=None,
        message=outcome.message,
        latency_s=0.0,
        cost_nano=0,
    )


def unsendable_record(job_id: int, item: PendingItem, outcome: Outcome, at: float) -> ItemRecord:
    """A row of which no request can be made: its item is dead."""
    return ItemRecord(
        job_id=job_id,
        item_id=item.id,
        state=ItemState.DEAD,
        attempts=item.attempts,
        malformed=item.malformed,
        available_at=0.0,
        outcome=outcome,
        deployment=None,
        cost_nano=0,
        at=at,
        attempt=unsent_attempt(item, outcome, at),
    )
