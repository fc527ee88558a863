"""Which checks a job's answers fail, for reports. Functions of a connection: they block."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from tui_batch.domain.item import ItemFlag, ItemState
from tui_batch.domain.quality import FailedCheck
from tui_batch.store.failing import failing_of

EXAMPLES = 10
"""Failing answers that a report shows."""
EXCERPT = 1_000
"""Characters of an answer that a report shows."""

# Only these can have failed: the answers of all others need not be looked up.
_FAILING = f"""job_id = ? AND (flags & {ItemFlag.CHECK_FAILED.value} OR (state = 'dead' AND outcome = 'invalid'))
  AND result.checks IS NOT NULL"""

_COUNTS = f"""SELECT one.value ->> '$.check', one.value ->> '$.field', sum(state = 'done'), sum(state = 'dead')
  FROM item JOIN result ON result.item_id = item.id, json_each(result.checks) AS one
  WHERE {_FAILING} GROUP BY 1, 2 ORDER BY count(*) DESC, 1, 2"""

_EXAMPLES = f"""SELECT item.id, line, custom_id, state, result.checks, coalesce(result.reason, ''),
    substr(coalesce(result.text, ''), 1, {EXCERPT + 1}), model
  FROM item JOIN result ON result.item_id = item.id WHERE {_FAILING} ORDER BY seq, variant LIMIT {EXAMPLES}"""


@dataclass(frozen=True, slots=True)
class FailingCheck:
    """How many answers one check fails."""

    check: str
    field: str
    taken: int
    """Items that are done all the same."""
    dead: int


@dataclass(frozen=True, slots=True)
class FailingItem:
    """An item whose answer fails."""

    id: int
    line: int | None
    custom_id: str | None
    state: ItemState
    failing: tuple[FailedCheck, ...]
    reason: str
    """The judge's words; empty: none spoke."""
    answer: str
    """Its beginning."""
    model: str | None


def failing_checks(conn: sqlite3.Connection, job_id: int) -> tuple[FailingCheck, ...]:
    """The checks that answers fail, the most frequent first."""
    return tuple(FailingCheck(*row) for row in conn.execute(_COUNTS, (job_id,)))


def failing_items(conn: sqlite3.Connection, job_id: int) -> tuple[FailingItem, ...]:
    """The first EXAMPLES items whose answer fails, in input order."""
    return tuple(
        FailingItem(item_id, line, custom_id, ItemState(state), failing_of(checks), *rest)
        for item_id, line, custom_id, state, checks, *rest in conn.execute(_EXAMPLES, (job_id,))
    )
