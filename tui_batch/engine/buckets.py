"""Lengths of prompts with a concurrency of their own, so that long ones never hold all of a job's places."""

from __future__ import annotations

from collections.abc import Sequence

from tui_batch.domain.job import LengthBucket


class BucketLoads:
    """Requests of one job in flight, by length bucket. Buckets are known by their index; a job without any has one."""

    def __init__(self, buckets: Sequence[LengthBucket]) -> None:
        self._limits: list[int | None] = [bucket.concurrency for bucket in buckets] or [None]
        self._in_flight = [0] * len(self._limits)

    @property
    def count(self) -> int:
        """How many buckets there are; at least one."""
        return len(self._limits)

    def is_full(self, index: int) -> bool:
        """Whether no further request of a bucket may go."""
        limit = self._limits[index]
        return limit is not None and self._in_flight[index] >= limit

    def launched(self, index: int) -> None:
        """A request of a bucket goes out."""
        self._in_flight[index] += 1

    def landed(self, index: int) -> None:
        """A request of a bucket is over."""
        self._in_flight[index] -= 1
