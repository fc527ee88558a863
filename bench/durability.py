"""Kills the real program at random moments, again and again, and counts what was lost, repeated or mixed up.

Run: python -m bench.durability [--kills 50] [--rows 4000] [--in-flight 32]
A server in this process answers every row with its own number and notes when. The program runs as a child; it is
ended by SIGKILL, the database is read, and the job is resumed, until the kills are used up; then it may finish.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.lean_server import content_length

LATENCY_S = (0.02, 0.2)
GRACE_S = 0.05
"""An answer older than this when the process was killed must be in the database."""


@dataclass(slots=True)
class Score:
    """What the server saw."""

    requests: Counter[int] = field(default_factory=Counter)
    answered_at: dict[int, float] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    """Rows whose request is being answered."""
    excused: set[int] = field(default_factory=set)
    """Rows that may be asked for again: open or just answered when the process was killed."""
    unexcused: int = 0


class ScoringProtocol(asyncio.Protocol):
    """Answers `row N` with `answer N` after a random latency."""

    def __init__(self, score: Score, rng: random.Random) -> None:
        self._score = score
        self._rng = rng
        self._buffer = b""
        self._open: set[int] = set()
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        # What was still on its way through the socket when its sender was killed is read after that.
        self._score.excused |= self._open

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            size = end + 4 + content_length(self._buffer[:end])
            if len(self._buffer) < size:
                return
            request, self._buffer = self._buffer[end + 4 : size], self._buffer[size:]
            if request:
                self._take(int(json.loads(request)["messages"][-1]["content"].split()[-1]))
            else:  # the model's window is asked for
                self._transport.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")

    def _take(self, row: int) -> None:
        score = self._score
        if score.requests[row] and row not in score.excused:
            score.unexcused += 1
        score.excused.discard(row)
        score.requests[row] += 1
        score.open.add(row)
        self._open.add(row)
        asyncio.get_running_loop().call_later(self._rng.uniform(*LATENCY_S), self._answer, row)

    def _answer(self, row: int) -> None:
        self._score.open.discard(row)
        self._open.discard(row)
        if self._transport.is_closing():
            return
        choice = {"index": 0, "message": {"role": "assistant", "content": f"answer {row}"}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
        body = json.dumps({"object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)
        self._score.answered_at[row] = time.time()


@dataclass(slots=True)
class Findings:
    """What a person would complain about."""

    kills: int = 0
    lost: int = 0
    wrong: int = 0
    doubled: int = 0
    repeats: int = 0
    unexcused: int = 0
    oldest_missing_s: float = 0.0

    def __str__(self) -> str:
        grace = f"{GRACE_S * 1e3:.0f} ms"
        return (
            f"runs ended by kill -9: {self.kills}\n"
            f"results lost that were older than {grace}: {self.lost} "
            f"(the oldest one lost was {self.oldest_missing_s * 1e3:.0f} ms old)\n"
            f"requests repeated: {self.repeats}, of which neither in flight nor answered in the last {grace}: "
            f"{self.unexcused}\n"
            f"rows doubled: {self.doubled}\n"
            f"answers on the wrong row: {self.wrong}"
        )


def answers(db: Path) -> dict[int, str]:
    """What the database holds, by row."""
    with closing(sqlite3.connect(db)) as conn:
        sql = """SELECT payload.data, result.text FROM item JOIN payload ON payload.id = item.payload_id
            JOIN result ON result.item_id = item.id WHERE item.state = 'done'"""
        return {int(json.loads(data)["prompt"].split()[-1]): text for data, text in conn.execute(sql)}


async def run_child(arguments: list[str], kill_after_s: float | None, score: Score) -> float:
    """Runs the program; kills it after a while. Returns the Unix time of its end and notes what was in flight."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tui_batch", *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        _, words = await asyncio.wait_for(child.communicate(), kill_after_s)
        if child.returncode:
            raise RuntimeError(f"{' '.join(arguments)} ended with {child.returncode}: {words.decode()}")
    except TimeoutError:
        child.kill()
    score.excused |= score.open
    ended = time.time()
    await child.wait()
    return ended


async def campaign(kills: int, rows: int, in_flight: int, seed: int) -> Findings:
    """Jobs of `rows` rows, killed until the kills are used up."""
    rng, findings = random.Random(seed), Findings()
    while findings.kills < kills:
        with tempfile.TemporaryDirectory() as folder:
            await one_job(Path(folder), kills, rows, in_flight, rng, findings)
    return findings


async def one_job(folder: Path, kills: int, rows: int, in_flight: int, rng: random.Random, findings: Findings) -> None:
    """Runs one job, kill by kill, to its end."""
    score, db, out = Score(), folder / "jobs.db", folder / "out.jsonl"
    (folder / "rows.txt").write_text("".join(f"row {n}\n" for n in range(rows)), encoding="utf-8")
    server = await asyncio.get_running_loop().create_server(lambda: ScoringProtocol(score, rng), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    start = ["run", str(folder / "rows.txt"), "-m", "m", "--base-url", url, "-c", str(in_flight), "--no-cache"]
    common = ["--db", str(db), "-o", str(out)]
    await run_child(["add", *start[1:], "--db", str(db)], None, score)
    while findings.kills < kills and len(answers(db)) < rows:
        ended = await run_child(["resume", "1", *common], rng.uniform(0.6, 2.5), score)
        stored = answers(db)
        if len(stored) < rows:
            findings.kills += 1
        missing = {row: ended - at for row, at in score.answered_at.items() if row not in stored}
        for row in missing:
            # Counted once; what is negative was answered to a process that was dead already.
            del score.answered_at[row]
        findings.lost += sum(age > GRACE_S for age in missing.values())
        findings.oldest_missing_s = max(findings.oldest_missing_s, *missing.values(), 0.0)
        score.excused |= {row for row, age in missing.items() if age <= GRACE_S}
    if len(answers(db)) < rows:
        await run_child(["resume", "1", *common], None, score)
    server.close()
    findings.repeats += sum(score.requests.values()) - len(score.requests)
    findings.unexcused += score.unexcused
    check_output(out if out.exists() else None, answers(db), rows, findings)


def check_output(out: Path | None, stored: dict[int, str], rows: int, findings: Findings) -> None:
    """Every row once, with its own answer."""
    findings.wrong += sum(text != f"answer {row}" for row, text in stored.items())
    findings.lost += rows - len(stored)
    if out is not None:
        lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        findings.doubled += len(lines) - len({line["prompt"] for line in lines})
        findings.wrong += sum(line["response"].split()[-1] != line["prompt"].split()[-1] for line in lines)


def main() -> None:
    """Parses the command line and prints the findings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print(asyncio.run(campaign(args.kills, args.rows, args.in_flight, args.seed)))


if __name__ == "__main__":
    main()
