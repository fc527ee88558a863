"""Workers whose work may end before it began, and may find that nobody looks at it any more."""

from __future__ import annotations

import inspect
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from textual.css.query import NoMatches
from textual.worker_manager import WorkerManager

if TYPE_CHECKING:
    from textual.dom import DOMNode
    from textual.worker import Worker, WorkType

R = TypeVar("R")


class Workers(WorkerManager):
    """As Textual's, for workers that are given coroutines.

    A worker that is cancelled in the turn in which it was made never begins: its screen closes, or a newer one of its
    group replaces it. Python warns of its coroutine then, at some later moment, on the terminal that the app draws on.
    One that is at work while its screen closes may find the parts gone that it is about to fill; that is no fault.
    """

    def _new_worker(self, work: WorkType[Any], node: DOMNode, **options: Any) -> Worker[Any]:
        """Textual's hook for a new worker."""
        return super()._new_worker(while_open(work, node) if inspect.iscoroutine(work) else work, node, **options)

    def _remove_worker(self, worker: Worker[Any]) -> None:
        """Textual's hook for the end of a worker."""
        super()._remove_worker(worker)
        let_go(worker._work)


async def while_open(work: Coroutine[Any, Any, R], node: DOMNode) -> R | None:
    """Does it; when the node is taken down meanwhile and its parts are gone, nobody looks any more."""
    try:
        return await work
    except NoMatches:
        if not is_going(node):
            raise
        return None


def is_going(node: DOMNode) -> bool:
    """Whether the node, or the whole app, is being taken down."""
    return not (node.is_attached and node.app.is_running) or node._pruning or node._closing


def let_go(work: object) -> None:
    """Ends a coroutine that never began, and those that it was handed. Anything else is left alone."""
    if inspect.iscoroutine(work) and inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
        handed = list(inspect.getcoroutinelocals(work).values())
        work.close()
        for one in handed:
            let_go(one)
