"""kill -9 between an answer and its verdict: what was answered is not bought again."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from contextlib import closing

import psutil
from engine_bench import ENDPOINT
from stress_yard import Child, Yard, add_job, wait_until

from tui_batch.domain.job import Knobs, ModelRef
from tui_batch.domain.quality import Check
from tui_batch.store.store import open_store

ROWS = 120
WAITING = "SELECT count(*) FROM item WHERE state = 'pending' AND judging > 0"
ANSWERED = "SELECT 'row ' || seq FROM item JOIN result ON result.item_id = item.id WHERE state = 'done' OR judging > 0"
SCORES = "SELECT count(*), count(score) FROM item WHERE state = 'done'"


def judged_job(yard: Yard) -> int:
    """A job whose every answer has a judge, on the simulator."""
    check = Check("judge", {"model": "gpt-4o", "rubric": "It is short.", "endpoint": ENDPOINT.name})

    async def make() -> int:
        async with open_store(yard.db) as store:
            judge = ModelRef("gpt-4o", (ENDPOINT.name,))
            return await add_job(store, ROWS, Knobs(concurrency=8), checks=(check,), judge=judge)

    return asyncio.run(make())


def query(yard: Yard, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{yard.db}?mode=ro", uri=True)) as conn:
        return conn.execute(sql).fetchall()


def stands_at_a_verdict(yard: Yard, child: Child) -> bool:
    """Stops the process where answers on the disk wait for their judge; elsewhere it goes on."""
    os.kill(child.pid, signal.SIGSTOP)
    wait_until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_STOPPED)
    waits = bool(query(yard, WAITING)[0][0])
    if not waits:
        os.kill(child.pid, signal.SIGCONT)
    return waits


def test_an_answer_on_the_disk_is_not_bought_again_when_its_judge_was_on_the_way(yard: Yard) -> None:
    job = judged_job(yard)
    first, second = yard.child(job, latency_s=0.3), yard.child(job)
    assert first.line() == second.line() == "ready"
    first.go()
    assert first.line() == "started"
    wait_until(lambda: yard.row()["done"] >= 8)
    wait_until(lambda: stands_at_a_verdict(yard, first))
    first.process.kill()
    first.process.wait()
    bought = {row for (row,) in query(yard, ANSWERED)}
    waiting = query(yard, WAITING)[0][0]
    second.go()
    assert second.line() == "started"
    assert list(iter(second.line, ""))[-1] == "ended: completed"
    asked = [prompt for pid, _, prompt in yard.requests() if pid == second.pid]
    assert waiting
    assert bought.isdisjoint(asked)
    assert sum(prompt.startswith("<question>") for prompt in asked) >= ROWS - len(bought)
    assert query(yard, SCORES) == [(ROWS, ROWS)]
    assert yard.states() == {"done": ROWS, "results": ROWS}
