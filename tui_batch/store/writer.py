"""The batched writer of outcomes: record() never waits, the disk has it at most 50 ms later."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tui_batch.domain.item import ItemRecord
from tui_batch.store.connection import Connection, StoreTrouble, trouble_words
from tui_batch.store.outcomes import commit_batch


@dataclass(frozen=True, slots=True)
class CommitPolicy:
    """When outcomes are committed, and how a failed commit is repeated."""

    delay_s: float = 0.004
    """An outcome waits at most so long for company; the commit itself comes on top."""
    batch: int = 500
    """This many waiting outcomes are committed at once, and no transaction holds more."""
    backoff_s: float = 0.1
    """Wait after the first failure; it doubles."""
    backoff_max_s: float = 2.0
    slow_s: float = 1.0
    """A commit that takes longer is trouble already, although it may succeed."""


class Writer:
    """Gathers outcomes and commits them in order, a batch at a time, on the writing connection.

    A commit that fails (disk full, database locked) is repeated until it succeeds. The outcomes stay in memory
    meanwhile, and `trouble` says why. All methods and hooks belong to the event loop's thread.
    """

    def __init__(
        self, connection: Connection, clock: Callable[[], float], policy: CommitPolicy = CommitPolicy()
    ) -> None:
        self.on_commit: Callable[[list[ItemRecord]], None] | None = None
        """Called with the records of each batch as soon as they are on the disk."""
        self.on_trouble: Callable[[str | None], None] | None = None
        """Called with the words when commits begin to fail or fail otherwise, and with None when they work again."""
        self._connection = connection
        self._clock = clock
        self._policy = policy
        self._waiting: list[ItemRecord] = []
        self._committing = 0
        self._first_at = 0.0
        self._not_before = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._flush: asyncio.Task[None] | None = None
        self._trouble: str | None = None

    @property
    def backlog(self) -> int:
        """Outcomes that are not on the disk yet."""
        return len(self._waiting) + self._committing

    @property
    def trouble(self) -> str | None:
        """Why commits fail at this moment; None while they work."""
        return self._trouble

    def record(self, r: ItemRecord) -> None:
        """Takes an outcome. Never waits; call it on the event loop's thread."""
        self._waiting.append(r)
        if self._flush is not None:
            return
        if len(self._waiting) == 1:
            self._first_at = asyncio.get_running_loop().time()
            self._wake_at(self._first_at + self._policy.delay_s)
        elif len(self._waiting) >= self._policy.batch:
            self._wake_at(0.0)

    def give_way(self, seconds: float) -> None:
        """Begins no commit for so long, unless someone drains: a person's verb goes to the disk before the outcomes.

        A commit under way goes on. Outcomes wait in memory meanwhile, as they do for their company.
        """
        self._not_before = asyncio.get_running_loop().time() + seconds

    async def drain(self) -> None:
        """Commits everything recorded so far and returns when the disk has it.

        A caller that is cancelled goes away; the commit does not. While there is trouble this waits for its end.
        """
        while self.backlog:
            self._start()
            if self._flush is not None:
                await asyncio.shield(self._flush)

    async def close(self, patience_s: float) -> int:
        """Commits what it can within that time, then gives up, and returns how many outcomes were lost."""
        try:
            await asyncio.wait_for(self.drain(), patience_s)
        except TimeoutError:
            if self._flush is not None:
                self._flush.cancel()
                await asyncio.gather(self._flush, return_exceptions=True)
        return self.backlog

    def _start(self) -> None:
        self._stop_timer()
        if self._flush is None and self._waiting:
            self._flush = asyncio.get_running_loop().create_task(self._commit_next(), name="store-commit")

    async def _commit_next(self) -> None:
        batch, self._waiting = self._waiting[: self._policy.batch], self._waiting[self._policy.batch :]
        self._committing = len(batch)
        self._first_at = asyncio.get_running_loop().time()
        try:
            await self._repeat(batch)
        except BaseException as error:
            self._put_back(batch, go_on=isinstance(error, Exception))
            raise
        self._committing = 0
        # Before the hooks: at no moment may a finished commit pass for one that goes on, or drain() would spin.
        self._flush = None
        self._arm()
        self._say(None)
        if self.on_commit is not None:
            self.on_commit(batch)

    async def _repeat(self, batch: Sequence[ItemRecord]) -> None:
        """Tries to commit the batch until it is on the disk."""
        wait = self._policy.backoff_s
        while not await self._try(batch):
            await asyncio.sleep(wait)
            wait = min(wait * 2, self._policy.backoff_max_s)

    def _put_back(self, batch: list[ItemRecord], *, go_on: bool) -> None:
        """The commit's task ends with its batch unstored: given up (`close`), or a hook failed (`go_on`).

        A task that is gone may not pass for one that works, or the outcomes to come would wait for it for ever.
        """
        self._waiting = batch + self._waiting
        self._committing = 0
        self._flush = None
        if go_on:
            self._arm()

    async def _try(self, batch: Sequence[ItemRecord]) -> bool:
        words = self._trouble or "the disk is slow, or another program holds the database"
        patience = asyncio.get_running_loop().call_later(self._policy.slow_s, self._say, words)
        try:
            await self._connection.run(partial(commit_batch, records=batch, now=self._clock()))
        except StoreTrouble as error:
            self._say(error.message)
            return False
        except sqlite3.Error as error:
            self._say(trouble_words(error))
            return False
        except Exception as error:  # whatever it is, the outcomes are kept, a person is told, and it is tried again
            self._say(f"outcomes cannot be stored ({type(error).__name__})")
            return False
        finally:
            patience.cancel()
        return True

    def _arm(self) -> None:
        """Prepares the next commit: at once for a full batch, else when the first outcome has waited its time."""
        if len(self._waiting) >= self._policy.batch:
            self._wake_at(0.0)
        elif self._waiting:
            self._wake_at(self._first_at + self._policy.delay_s)

    def _wake_at(self, at: float) -> None:
        """Commits at that time, or when it has given way for long enough."""
        loop = asyncio.get_running_loop()
        at = max(at, self._not_before)
        if at <= loop.time():
            self._start()
        elif self._timer is None or self._timer.when() > at:
            self._stop_timer()
            self._timer = loop.call_at(at, self._due)

    def _due(self) -> None:
        self._timer = None
        self._wake_at(self._not_before)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _say(self, words: str | None) -> None:
        if words == self._trouble:
            return
        self._trouble = words
        if self.on_trouble is not None:
            self.on_trouble(words)
