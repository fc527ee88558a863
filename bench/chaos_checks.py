"""Everything that must hold after a round of the campaign. Reads the database by SQL and the files that were written.

Shares nothing with the program but the file: what is checked is what a person would find.
"""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.chaos_stage import Stage
from tui_batch.domain.item import ItemFlag

PRICE_IN, PRICE_OUT = 150, 600
"""Nano-dollars a token."""
MOST_RSS = 250_000_000
"""Bytes of a process, whatever comes."""
MOST_BACK_S = 30.0
"""Seconds from a server's return to its tenth request. It is probed after at most 5, 10, 15 and 25 s; that all four
probes meet a fault of their own is one case in six hundred."""

COUNTED = (
    *("total", "done", "dead", "pending", "cancelled"),
    *("requests", "tokens_in", "tokens_out", "cost_nano", "unpriced"),
)

ITEMS = """
SELECT item.*, result.text, (SELECT count(*) FROM attempt WHERE item_id = item.id) AS failures,
  (SELECT count(DISTINCT number) FROM attempt WHERE item_id = item.id) AS numbers
FROM item LEFT JOIN result ON result.item_id = item.id WHERE job_id = ? ORDER BY seq
"""
LATE = re.compile(r"A late outcome \(.+\) came for item (\d+),")
LOADING = re.compile(r"Traceback \(most recent call last\):\n(?: .*\n)*KeyboardInterrupt\n")
UNSEEN = "SELECT count(*) AS number FROM attempt WHERE status IS NULL"


def read(db: Path, sql: str, *values: object) -> list[dict[str, Any]]:
    """Rows of a query."""
    with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as conn:
        conn.row_factory = sqlite3.Row
        return [dict(row) for row in conn.execute(sql, values).fetchall()]


def violations(stage: Stage, right: list[str]) -> Iterator[str]:
    """Everything that does not add up. `right`: what a server without faults answers to each row."""
    (job,) = read(stage.db, "SELECT * FROM job WHERE id = ?", stage.job_id)
    items = read(stage.db, ITEMS, stage.job_id)
    if (job["state"], job["owner_token"]) != ("completed", None):
        yield f"the job is {job['state']} ({job['reason']}: {job['message']}), owned by {job['owner_token']}"
    if [item["seq"] for item in items] != list(range(len(right))):
        yield "rows are missing or doubled"
    yield from wrong_items(items, right, {""} if any(host.simulator.spoiled for host in stage.hosts) else set())
    yield from wrong_attempts(items, late_outcomes(stage))
    yield from wrong_numbers(stage, items)
    yield from wrong_sums(job, items)
    yield from wrong_ledger(stage, job)
    yield from wrong_requests(stage, job)
    yield from wrong_files(stage, job, right)
    yield from wrong_story(stage)
    yield from wrong_manners(stage)
    if read(stage.db, "PRAGMA integrity_check") != [{"integrity_check": "ok"}]:
        yield "the database is damaged"


def wrong_items(items: list[dict[str, Any]], right: list[str], strange: set[str]) -> Iterator[str]:
    """Rows without a final state, or with another row's answer.

    `strange`: what a rogue server may have answered within the format: a message without any block is an empty one.
    """
    for item in items:
        name, text = f"row {item['seq']}", item["text"] or ""
        if item["state"] not in ("done", "dead"):
            yield f"{name} is {item['state']}"
        cut = item["flags"] & ItemFlag.TRUNCATED.value
        matches = right[item["seq"]].startswith(text) if cut else text == right[item["seq"]]
        if item["state"] == "done" and not (matches and text) and text not in strange:
            yield f"{name} has a wrong answer: {text[:80]!r}"


def late_outcomes(stage: Stage) -> Counter[int]:
    """How many answers the log says to have come when their items were settled: of a process that slept meanwhile."""
    texts = [event["text"] for event in read(stage.db, "SELECT text FROM event")]
    return Counter(int(found.group(1)) for text in texts if (found := LATE.match(text)))


def wrong_attempts(items: list[dict[str, Any]], late: Counter[int]) -> Iterator[str]:
    """Requests of which neither an answer nor a failed attempt nor a line in the log tells."""
    for item in items:
        told = item["failures"] + late[item["id"]] + (item["state"] == "done")
        if item["requests"] != told:
            yield (
                f"row {item['seq']}, {item['state']}: {item['requests']} requests, {item['failures']} failed attempts, "
                f"{late[item['id']]} late answers"
            )


def wrong_numbers(stage: Stage, items: list[dict[str, Any]]) -> Iterator[str]:
    """Attempts that share a number, but for those of a process that slept while another went on."""
    for item in items:
        if item["numbers"] != item["failures"] and not stage.slept:
            yield f"row {item['seq']}: attempts share a number"


def wrong_sums(job: dict[str, Any], items: list[dict[str, Any]]) -> Iterator[str]:
    """Counters that differ from the items, and money that differs from the tokens."""
    states = [item["state"] for item in items]
    sums = {name: sum(item[name] or 0 for item in items) for name in COUNTED[5:]}
    sums |= {name: states.count(name) for name in COUNTED[1:5]} | {"total": len(items)}
    for name in COUNTED:
        if job[name] != sums[name]:
            yield f"the counter {name} says {job[name]}, the items say {sums[name]}"
    cost = job["tokens_in"] * PRICE_IN + job["tokens_out"] * PRICE_OUT
    if job["cost_nano"] > cost or (not job["unpriced"] and job["cost_nano"] != cost):
        yield f"the cost is {job['cost_nano']}, the tokens cost {cost}, {job['unpriced']} requests without a price"


def wrong_ledger(stage: Stage, job: dict[str, Any]) -> Iterator[str]:
    """A ledger that says something else than the job, and money that is still set aside."""
    names = ("requests", "tokens_in", "tokens_out", "cost_nano", "unpriced")
    sums = ", ".join(f"sum({name}) AS {name}" for name in names)
    (spent,) = read(stage.db, f"SELECT {sums} FROM spending WHERE job_id = ?", stage.job_id)
    for name in names:
        if (spent[name] or 0) != job[name]:
            yield f"the ledger's {name} is {spent[name]}, the job's {job[name]}"
    if held := read(stage.db, "SELECT * FROM hold WHERE nano > 0"):
        yield f"money is set aside for a job that is over: {held}"


def wrong_requests(stage: Stage, job: dict[str, Any]) -> Iterator[str]:
    """Requests that were made and not counted, beyond what a kill excuses; and answers paid for twice."""
    unseen = read(stage.db, UNSEEN)[0]["number"]
    counted = stage.seen - job["requests"]
    if not -unseen <= counted <= stage.excused:
        yield f"the servers saw {stage.seen}, the database knows of {job['requests']}, excused are {stage.excused}"
    scores = [host.simulator.score for host in stage.hosts]
    spoiled = sum(host.simulator.spoiled.total() for host in stage.hosts)
    lost = sum(score.answered for score in scores) - job["done"]
    if lost > stage.excused + spoiled + unseen + job["dead"]:
        yield f"{lost} answers were given and not kept: excused {stage.excused}, spoiled {spoiled}, cut off {unseen}"


def wrong_files(stage: Stage, job: dict[str, Any], right: list[str]) -> Iterator[str]:
    """Results and report that differ from the database."""
    for words in (("export", "1", "-o", "again.jsonl"), ("report", "1", "-o", "report.json")):
        ended = subprocess.run(stage.words(*words), cwd=stage.folder, capture_output=True, text=True)
        if ended.returncode not in (0, 3):
            yield f"{words[0]} ends with {ended.returncode}: {ended.stderr[-300:]}"
            return
    report = json.loads((stage.folder / "report.json").read_text())
    said = (report["done_items"], report["failed_items"], report["requests"], report["tokens_in"])
    if said != (job["done"], job["dead"], job["requests"], job["tokens_in"]):
        yield f"the report says {said}"
    if round(report["known_cost_usd"] * 1e9) != job["cost_nano"]:
        yield f"the report's cost is {report['known_cost_usd']}"
    lines = [json.loads(line) for line in (stage.folder / "again.jsonl").read_text().splitlines()]
    if [line["prompt"] for line in lines] != [prompt(number) for number in range(len(right))]:
        yield "the results are not one line for each row in the input's order"
    for line, answer in zip(lines, right, strict=False):
        if line["status"] == "done" and not answer.startswith(line["response"]):
            yield f"the results have a wrong answer to {line['prompt']!r}"


def wrong_story(stage: Stage) -> Iterator[str]:
    """What happened and is not in the log."""
    texts = [event["text"] for event in read(stage.db, "SELECT text FROM event")]
    for needle, times in stage.expected.items():
        if (found := sum(needle in text for text in texts)) < times:
            yield f"the log has {needle!r} {found} times, not {times}: {texts[-20:]}"
    if not texts or not any(text.startswith("completed") for text in texts):
        yield "the log does not say that the job is completed"


def wrong_manners(stage: Stage) -> Iterator[str]:
    """Processes that end as none should, tracebacks, and too much memory."""
    odd = {code: number for code, number in stage.codes.items() if code not in (0, 2, 3, 4, 130, *stage.unheard)}
    if odd:
        yield f"exit codes {odd}"
    said = LOADING.sub(_unless_ours, (stage.folder / "said.log").read_text(errors="replace"))
    if "Traceback" in said or "unexpected" in said or "\x1b" in said:
        yield f"what was said holds a traceback or an escape sequence: {said[-600:]!r}"
    for log in stage.folder.rglob("llmbatch-tui.log"):
        yield f"the program's own log: {log.read_text(errors='replace')[-1_500:]}"
    if stage.longest_back > MOST_BACK_S:
        yield f"a server was back for {stage.longest_back:.0f} s before it was asked ten times"
    if stage.most_rss > MOST_RSS:
        yield f"a process took {stage.most_rss / 1e6:.0f} MB"


def _unless_ours(found: re.Match[str]) -> str:
    """Nothing, for a signal that met Python or the bench before there was anything of the program."""
    return found.group() if "tui_batch" in found.group() else ""


def prompt(number: int) -> str:
    """The prompt of a row, unlike any other's."""
    return f"What do you know about the number {number}?"
