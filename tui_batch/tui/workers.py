"""Workers whose work may end before it began, without a word of Python's."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from textual.worker_manager import WorkerManager

if TYPE_CHECKING:
    from textual.worker import Worker


class Workers(WorkerManager):
    """As Textual's, for workers that are given coroutines.

    A worker that is cancelled in the turn in which it was made never begins: its screen closes, or a newer one of its
    group replaces it. Python warns of its coroutine then, at some later moment, on the terminal that the app draws on.
    """

    def _remove_worker(self, worker: Worker[Any]) -> None:
        """Textual's hook for the end of a worker."""
        super()._remove_worker(worker)
        let_go(worker._work)


def let_go(work: object) -> None:
    """Ends a coroutine that never began, and those that it was handed. Anything else is left alone."""
    if inspect.iscoroutine(work) and inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
        handed = list(inspect.getcoroutinelocals(work).values())
        work.close()
        for one in handed:
            let_go(one)
