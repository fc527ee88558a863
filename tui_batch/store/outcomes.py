"""One transaction for a batch of outcomes: items, results, failed attempts, cache entries and the jobs' counters.

The usual batch, in which every item is still pending, goes through in a handful of executemany calls. When that does
not hold for some record (cancelled meanwhile, settled by another process, deleted, not storable), the transaction
starts over and takes the records one by one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tui_batch.domain.item import Attempt, CachedResponse, ItemFlag, ItemRecord, ItemState, Leg
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.store import ledger, recent
from tui_batch.store.connection import transaction
from tui_batch.store.events import insert_event
from tui_batch.store.failing import failing_text

_SETTLE = """
UPDATE item SET
  state = ?, attempts = ?, malformed = ?, available_at = ?, outcome = ?, cached = ?, flags = ?,
  endpoint = ?, model = ?, latency_ms = ?, started_at = ?, finished_at = ?, score = ?, invalid = ?, judging = ?,
  requests = requests + ?, unpriced = unpriced + ?, saved_nano = saved_nano + ?,
  tokens_in = coalesce(tokens_in + ?, tokens_in, ?), tokens_out = coalesce(tokens_out + ?, tokens_out, ?),
  cost_nano = coalesce(cost_nano + ?, cost_nano, ?)
WHERE id = ? AND job_id = ? AND state = ? AND judging = 0
"""
"""What a request for an answer came to. An answer that is there already, and waits for its judge, stays."""

_VERDICT = """
UPDATE item SET
  state = ?, attempts = ?, invalid = ?, available_at = ?, outcome = coalesce(?, outcome), flags = flags | ?,
  score = ?, finished_at = ?, judging = ?, cached = CASE WHEN ? THEN 0 ELSE cached END,
  requests = requests + ?, unpriced = unpriced + ?, saved_nano = saved_nano + ?,
  tokens_in = coalesce(tokens_in + ?, tokens_in, ?), tokens_out = coalesce(tokens_out + ?, tokens_out, ?),
  cost_nano = coalesce(cost_nano + ?, cost_nano, ?)
WHERE id = ? AND job_id = ? AND state = ? AND judging > 0
"""
"""What a judge's request came to: where the answer came from and how long it took is not touched."""

_HEARD_LATE = f"""
UPDATE item SET score = ?, flags = (flags & ~{ItemFlag.UNJUDGED.value}) | ?
WHERE id = ? AND job_id = ? AND state = 'done' AND flags & {ItemFlag.UNJUDGED.value}
"""

_RULED = "UPDATE result SET reason = ?, message = ?, checks = ? WHERE item_id = ?"

_TURNED_DOWN = "DELETE FROM result WHERE item_id = ?"

_SPEND = """
UPDATE item SET
  requests = requests + ?, unpriced = unpriced + ?,
  tokens_in = coalesce(tokens_in + ?, tokens_in, ?), tokens_out = coalesce(tokens_out + ?, tokens_out, ?),
  cost_nano = coalesce(cost_nano + ?, cost_nano, ?)
WHERE id = ? AND job_id = ?
"""

_RESULT = """
INSERT OR REPLACE INTO result(item_id, text, finish_reason, request_id, message, checks, raw)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""

_ATTEMPT = """
INSERT INTO attempt(item_id, number, at, endpoint, model, class, status, message, latency_ms,
                    tokens_in, tokens_out, cost_nano, checks)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_CACHE = """
INSERT INTO response_cache(key, model, text, finish_reason, tokens_in, tokens_out, cost_nano, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT(key) DO UPDATE SET
  model = excluded.model, text = excluded.text, finish_reason = excluded.finish_reason,
  tokens_in = excluded.tokens_in, tokens_out = excluded.tokens_out, cost_nano = excluded.cost_nano,
  created_at = excluded.created_at
"""

_HIT = "UPDATE response_cache SET hits = hits + 1, last_hit_at = ? WHERE key = ?"

_COUNT = """
UPDATE job SET
  pending = pending + ?, done = done + ?, dead = dead + ?, cancelled = cancelled + ?, cached = cached + ?,
  requests = requests + ?, tokens_in = tokens_in + ?, tokens_out = tokens_out + ?, cost_nano = cost_nano + ?,
  unpriced = unpriced + ?, saved_nano = saved_nano + ?
WHERE id = ?
"""


@dataclass(slots=True)
class _Delta:
    """What a batch adds to one job's counters."""

    states: dict[ItemState, int] = field(default_factory=lambda: dict.fromkeys(ItemState, 0))
    cached: int = 0
    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_nano: int = 0
    unpriced: int = 0
    saved_nano: int = 0

    def spend(self, r: ItemRecord) -> None:
        """Counts the request, which cost what it cost whatever becomes of the item."""
        if r.cached or r.deployment is None:
            return
        self.requests += 1
        self.tokens_in += r.outcome.usage.input_tokens or 0
        self.tokens_out += r.outcome.usage.output_tokens or 0
        if r.cost_nano is None:
            self.unpriced += 1
        else:
            self.cost_nano += r.cost_nano

    def settle(self, r: ItemRecord, before: ItemState) -> None:
        """Counts the item's way from one state to the next."""
        self.states[before] -= 1
        self.states[r.state] += 1
        self.cached += r.is_hit - r.recanted
        self.saved_nano += _saved(r)

    def row(self, job_id: int) -> tuple[int, ...]:
        states = self.states
        counts = (states[ItemState.PENDING], states[ItemState.DONE], states[ItemState.DEAD])
        spent = (self.requests, self.tokens_in, self.tokens_out, self.cost_nano, self.unpriced, self.saved_nano)
        return (*counts, states[ItemState.CANCELLED], self.cached, *spent, job_id)


_PASSING = (sqlite3.OperationalError, MemoryError)
"""Failures that are not the record's: the same statements may go through later."""


class _Unusual(Exception):
    """Some record of the batch is not for a pending item."""


def commit_batch(conn: sqlite3.Connection, records: Sequence[ItemRecord], now: float) -> None:
    """Writes all records in one transaction, in order. Raises what another time may cure: full disk, lock, memory.

    A record that cannot be stored, for whatever reason, is told in the log and keeps back no other; its item is dead.
    """
    try:
        with transaction(conn):
            _commit_usual(conn, records, now)
    except _PASSING:
        raise
    except Exception:  # the records one by one show whose fault it is
        with transaction(conn):
            _commit_one_by_one(conn, records, now)


def _commit_usual(conn: sqlite3.Connection, records: Sequence[ItemRecord], now: float) -> None:
    answers = [r for r in records if r.leg is Leg.ANSWER]
    verdicts = [r for r in records if r.leg is Leg.JUDGE]
    if verdicts and not {r.item_id for r in verdicts}.isdisjoint(r.item_id for r in answers):
        raise _Unusual  # an answer turned down and the next one: in order, one by one
    changed = conn.executemany(_SETTLE, [_settle_row(r, ItemState.PENDING) for r in answers]).rowcount if answers else 0
    if verdicts:
        changed += conn.executemany(_VERDICT, [_verdict_row(r, ItemState.PENDING) for r in verdicts]).rowcount
    if changed != len(records):
        raise _Unusual
    deltas: dict[int, _Delta] = {}
    for r in records:
        delta = deltas.get(r.job_id)
        if delta is None:
            delta = deltas[r.job_id] = _Delta()
        delta.spend(r)
        delta.settle(r, ItemState.PENDING)
    _write_beside(conn, records, now)
    _write_deltas(conn, deltas)
    ledger.enter(conn, records, now)
    recent.enter(conn, records, now)


def _write_beside(conn: sqlite3.Connection, records: Sequence[ItemRecord], now: float) -> None:
    """Results, attempts and cache: everything but the items' own rows."""
    conn.executemany(_RESULT, [_result_row(r) for r in records if r.keeps_answer])
    if verdicts := [r for r in records if r.leg is Leg.JUDGE and not r.judging]:
        _write_verdicts(conn, verdicts)
    if attempts := [_attempt_row(r.attempt) for r in records if r.attempt is not None]:
        conn.executemany(_ATTEMPT, attempts)
    if entries := [_cache_row(r.cache_entry, now) for r in records if r.cache_entry is not None]:
        conn.executemany(_CACHE, entries)
    if hits := [(now, r.cache_key) for r in records if r.cached and r.cache_key is not None]:
        conn.executemany(_HIT, hits)


def _write_verdicts(conn: sqlite3.Connection, verdicts: Sequence[ItemRecord]) -> None:
    """The judge's words beside the answers, and an end to answers that are asked for anew."""
    kept = [r for r in verdicts if r.state is not ItemState.PENDING]
    conn.executemany(_RULED, [(r.reason or None, _message(r), failing_text(r.failing), r.item_id) for r in kept])
    conn.executemany(_TURNED_DOWN, [(r.item_id,) for r in verdicts if r.state is ItemState.PENDING])


def _write_deltas(conn: sqlite3.Connection, deltas: dict[int, _Delta]) -> None:
    conn.executemany(_COUNT, [delta.row(job_id) for job_id, delta in deltas.items()])


def _commit_one_by_one(conn: sqlite3.Connection, records: Sequence[ItemRecord], now: float) -> None:
    for r in records:
        try:
            with _savepoint(conn):
                _commit_one(conn, r, now)
        except _PASSING:
            raise
        except Exception as error:  # a defect in one record must not stop all others
            _commit_cleaned(conn, r, now, error)


def _commit_cleaned(conn: sqlite3.Connection, r: ItemRecord, now: float, error: Exception) -> None:
    """A second try with text that SQLite takes."""
    try:
        with _savepoint(conn):
            _commit_one(conn, _cleaned(r), now)
    except _PASSING:
        raise
    except Exception:
        _commit_bare(conn, r, now, error)


def _commit_bare(conn: sqlite3.Connection, r: ItemRecord, now: float, error: Exception) -> None:
    """A last try with next to nothing of it, and a line in the log.

    An item that is settled in memory and stays pending here would be sent, and paid for, again and again without end.
    One that memory is to ask again anyway is left as it was.
    """
    words = f"its outcome ({r.outcome.cls}) could not be stored: {type(error).__name__}"
    insert_event(conn, None, now, "error", f"Item {r.item_id}: {words}")
    if r.state is ItemState.PENDING and not r.judging:
        return
    try:
        with _savepoint(conn):
            _commit_one(conn, _bare(r, words, now), now)
    except _PASSING:
        raise
    except Exception:
        insert_event(conn, None, now, "error", f"Item {r.item_id}: it stays pending")


def _bare(r: ItemRecord, words: str, now: float) -> ItemRecord:
    """Without figures, text or anything else that a server sent; what it cost is unknown. A judge was not heard."""
    judged = r.leg is Leg.JUDGE
    return ItemRecord(
        job_id=r.job_id,
        item_id=r.item_id,
        state=ItemState.DONE if judged else ItemState.DEAD,
        attempts=1,
        malformed=0,
        available_at=0.0,
        outcome=Outcome(OutcomeClass.MALFORMED, message="" if judged else words),
        deployment=None if r.cached else r.deployment,
        cost_nano=None,
        at=now,
        flags=ItemFlag.UNJUDGED if judged else ItemFlag.NONE,
        leg=r.leg,
    )


def _commit_one(conn: sqlite3.Connection, r: ItemRecord, now: float) -> None:
    recent.enter(conn, [r], now)
    found = conn.execute("SELECT state FROM item WHERE id = ? AND job_id = ?", (r.item_id, r.job_id)).fetchone()
    if found is None:
        _enter_paid(conn, r, now)
        insert_event(conn, None, now, "warning", f"An outcome came for item {r.item_id}, which was deleted.")
        return
    before = ItemState(found[0])
    if before is ItemState.CANCELLED and r.keeps_answer and r.judging:
        r = replace(r, state=ItemState.DONE, judging=0, flags=r.flags | ItemFlag.UNJUDGED)  # nobody will judge it
    delta = _Delta()
    delta.spend(r)
    # A paid answer is kept even for a cancelled item. Beyond that, what is settled stays as it is.
    takes = before is ItemState.PENDING or (before is ItemState.CANCELLED and r.state is ItemState.DONE)
    if takes and _changes_item(conn, r, before):
        delta.settle(r, before)
        _write_beside(conn, [r], now)
        ledger.enter(conn, [r], now)
    else:
        _enter_paid(conn, r, now)
        _keep_late(conn, r, before, now)
    _write_deltas(conn, {r.job_id: delta})


def _changes_item(conn: sqlite3.Connection, r: ItemRecord, before: ItemState) -> bool:
    """Writes the item's own row. False: another process was quicker, with its answer or with its verdict."""
    if r.leg is Leg.ANSWER:
        changed = conn.execute(_SETTLE, _settle_row(r, before))
    else:
        changed = conn.execute(_VERDICT, _verdict_row(r, before))
    return changed.rowcount == 1


def _enter_paid(conn: sqlite3.Connection, r: ItemRecord, now: float) -> None:
    """The ledger's share of an outcome that changes no item: money that was spent, but no cache hit."""
    if not r.cached:
        ledger.enter(conn, [replace(r, recanted=False)], now)


def _keep_late(conn: sqlite3.Connection, r: ItemRecord, before: ItemState, now: float) -> None:
    """An outcome for an item that is settled: its cost counts, its error is kept, the item's state is not touched."""
    conn.execute(_SPEND, (*_spent(r)[:2], *_spent(r)[3:], r.item_id, r.job_id))
    if r.attempt is not None:
        conn.execute(_ATTEMPT, _attempt_row(r.attempt))
        return
    if r.leg is Leg.JUDGE and r.state is ItemState.DONE and _heard_late(conn, r):
        return
    text = f"A late outcome ({r.outcome.cls}) came for item {r.item_id}, which is {before}; it was left as it is."
    insert_event(conn, r.job_id, now, "warning", text)


def _heard_late(conn: sqlite3.Connection, r: ItemRecord) -> bool:
    """Keeps a verdict on an answer that was taken without one as its job was cancelled. Whether there is such."""
    found = conn.execute(_HEARD_LATE, (r.score, r.flags.value, r.item_id, r.job_id)).rowcount == 1
    if found:
        _write_verdicts(conn, [r])
    return found


def _saved(r: ItemRecord) -> int:
    """Nano-dollars that a stored response saved, less what a hit was counted to have saved that a judge turns down."""
    return (r.saved_nano or 0) * r.saves - r.unsaved_nano


def _settle_row(r: ItemRecord, before: ItemState) -> tuple[object, ...]:
    outcome, deployment = r.outcome, r.deployment
    endpoint, model = deployment if deployment is not None else (None, outcome.model)
    return (
        *(r.state._value_, r.attempts, r.malformed, r.available_at, outcome.cls._value_, int(r.is_hit)),
        r.flags._value_,  # `value` itself is a function of Python's in 3.11, four times for every outcome
        *(endpoint, model, round(outcome.latency_s * 1000), outcome.started_at or None),
        *(None if r.state is ItemState.PENDING else r.at, r.score, r.invalid, r.judging),
        *_spent(r),
        *(r.item_id, r.job_id, before._value_),
    )


def _verdict_row(r: ItemRecord, before: ItemState) -> tuple[object, ...]:
    turned_down = r.outcome.cls.value if r.outcome.cls is OutcomeClass.INVALID else None
    return (
        *(r.state.value, r.attempts, r.invalid, r.available_at, turned_down, r.flags.value),
        *(r.score, None if r.state is ItemState.PENDING else r.at, r.judging, int(r.recanted)),
        *_spent(r),
        *(r.item_id, r.job_id, before.value),
    )


def _spent(r: ItemRecord) -> tuple[int | None, ...]:
    """Requests, unpriced, saved, then tokens in and out and cost, each twice, as the statements want them.

    A cache hit made no request: its answer's tokens were paid for elsewhere.
    """
    if r.cached or r.deployment is None:
        return (0, 0, _saved(r), None, None, None, None, None, None)
    tokens_in, tokens_out = r.outcome.usage.input_tokens, r.outcome.usage.output_tokens
    tokens = (tokens_in, tokens_in, tokens_out, tokens_out)
    return (1, int(r.cost_nano is None), _saved(r), *tokens, r.cost_nano, r.cost_nano)


def _result_row(r: ItemRecord) -> tuple[object, ...]:
    outcome = r.outcome
    raw = outcome.raw if r.keep_raw else None
    checks = failing_text(r.failing)
    return (r.item_id, outcome.text, outcome.finish_reason, outcome.request_id, _message(r), checks, raw)


def _message(r: ItemRecord) -> str | None:
    return r.outcome.message if r.state is ItemState.DEAD else None


def _attempt_row(a: Attempt) -> tuple[object, ...]:
    what = (a.item_id, a.number, a.at, a.deployment.endpoint, a.deployment.model, a.cls.value, a.status, a.message)
    return (*what, round(a.latency_s * 1000), a.input_tokens, a.output_tokens, a.cost_nano, failing_text(a.failing))


def _cache_row(entry: CachedResponse, now: float) -> tuple[object, ...]:
    tokens = (entry.input_tokens, entry.output_tokens)
    return (entry.key, entry.model, entry.text, entry.finish_reason, *tokens, entry.cost_nano, now)


def _cleaned(r: ItemRecord) -> ItemRecord:
    """The record with lone surrogates replaced: JSON can spell them, UTF-8 cannot."""
    outcome = replace(
        r.outcome,
        text=_clean(r.outcome.text),
        message=_clean(r.outcome.message) or "",
        finish_reason=_clean(r.outcome.finish_reason),
        request_id=_clean(r.outcome.request_id),
        model=_clean(r.outcome.model),
    )
    attempt = r.attempt and replace(r.attempt, message=_clean(r.attempt.message) or "")
    entry = r.cache_entry and replace(r.cache_entry, text=_clean(r.cache_entry.text) or "")
    return replace(r, outcome=outcome, attempt=attempt, cache_entry=entry, reason=_clean(r.reason) or "")


def _clean(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


@contextmanager
def _savepoint(conn: sqlite3.Connection) -> Iterator[None]:
    conn.execute("SAVEPOINT one")
    try:
        yield
    except BaseException:
        # A full disk may have ended the whole transaction, and the savepoint with it.
        if conn.in_transaction:
            conn.execute("ROLLBACK TO one")
            conn.execute("RELEASE one")
        raise
    conn.execute("RELEASE one")
