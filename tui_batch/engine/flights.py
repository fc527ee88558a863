"""Equal requests in flight share one call, and answers of this run are found again without the disk."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tui_batch.domain.item import CachedResponse

T = TypeVar("T")

RECENT_ENTRIES = 16_384
RECENT_BYTES = 32 * 1024 * 1024


@dataclass(slots=True)
class SingleFlight(Generic[T]):
    """Requests in flight by cache key, each with those that wait for its answer."""

    _followers: dict[bytes, list[T]] = field(default_factory=dict)

    def lead(self, key: bytes) -> None:
        """Marks a request as in flight."""
        self._followers[key] = []

    def __contains__(self, key: bytes) -> bool:
        """Whether such a request is in flight."""
        return key in self._followers

    def follow(self, key: bytes, item: T) -> None:
        """Hangs an item on an equal request, which is in flight."""
        self._followers[key].append(item)

    def land(self, key: bytes) -> list[T]:
        """The request is over: returns those that waited for it."""
        return self._followers.pop(key, [])


class RecentAnswers:
    """The newest cacheable answers, by key, bounded in number and bytes.

    Items are looked up in the stored cache when they are prepared; what was answered between then and their
    turn is found here.
    """

    def __init__(self, entries: int = RECENT_ENTRIES, size: int = RECENT_BYTES) -> None:
        self._entries = entries
        self._size = size
        self._held: OrderedDict[bytes, CachedResponse] = OrderedDict()
        self._bytes = 0

    def get(self, key: bytes) -> CachedResponse | None:
        """The answer to an equal request, if it is still held."""
        return self._held.get(key)

    def put(self, answer: CachedResponse) -> None:
        """Remembers an answer, forgetting the oldest ones where there is no room."""
        old = self._held.pop(answer.key, None)
        if old is not None:
            self._bytes -= len(old.text)
        self._held[answer.key] = answer
        self._bytes += len(answer.text)
        while self._held and (len(self._held) > self._entries or self._bytes > self._size):
            _, dropped = self._held.popitem(last=False)
            self._bytes -= len(dropped.text)
