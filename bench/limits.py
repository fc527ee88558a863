"""Rate limits as a strict server sees them: refusals, and how much of what is allowed is used.

Run: python -m bench.limits [--seconds 240] [--only NAME ...]
Every case has a server of its own, in a process of its own, and the program's whole engine; all cases run at once
(each is a few dozen requests a second), so the whole takes one case's time. Goals are printed beside the figures.

Beside the servers that count by the second runs an oracle: a client that knows the limit and sends evenly by a fixed
timetable, at several paces, of which the best with at most 1 % refused counts. How far an even pace can go depends on
how unevenly this machine lets requests arrive; the goal is 98 % of what the oracle uses.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench.arena import Work, add, endpoint, most_in, office, run, site, table, verdict, with_limits
from bench.strict_server import Record, Rules
from tui_batch.domain.job import JobState, Knobs
from tui_batch.engine.workplace import Workplace

ENDLESS = 6_000
"""Rows of a job that is not meant to end."""
APART_S = 0.7
TEN_A_SECOND = Rules(rpm=600, span_s=1)
ORACLE_PACES = (0.96, 0.98, 0.99, 1.0)
"""Shares of what is allowed."""


@dataclass(frozen=True, slots=True)
class Case:
    """A server, what the person says of it, and the goals."""

    name: str
    rules: Rules
    rpm: int | None = None
    tpm: int | None = None
    """What the person says of the limits."""
    refused: float = 0.0
    """Goal: at most this share of requests refused."""
    used: float = 0.98
    """Goal: at least this share of what is allowed used, from `since_s` on."""
    since_s: float = 0.0
    seconds: float | None = None
    """How long to run; None: as long as the command line says."""
    filler: int = 0
    in_flight: int = 64


CASES = (
    Case("RPM 600, known", Rules(rpm=600), rpm=600),
    Case("RPM 60, known", Rules(rpm=60), rpm=60),
    Case("TPM 60k, known", Rules(tpm=60_000), tpm=60_000, filler=400),
    Case("RPM 600 + TPM 60k, known", Rules(rpm=600, tpm=60_000), rpm=600, tpm=60_000, filler=400),
    Case("RPM 600, from headers", Rules(rpm=600, states=True), refused=0.01),
    Case("RPM 60, from headers", Rules(rpm=60, states=True), refused=0.01),
    Case("RPM 60, headers, 200 at once", Rules(rpm=60, states=True), refused=0.01, in_flight=200),
    Case("TPM 60k, from headers", Rules(tpm=60_000, states=True), refused=0.01, filler=400),
    Case("RPM 600, never stated", Rules(rpm=600), refused=0.01, since_s=120),
    Case("RPM 600, unstated, no Retry-After", Rules(rpm=600, retry_after=False), refused=0.01, since_s=120),
    Case("RPM 60, never stated", Rules(rpm=60), refused=0.01, since_s=120),
    Case("RPM 60, unstated, no Retry-After", Rules(rpm=60, retry_after=False), refused=0.01, since_s=120),
    Case("TPM 60k, never stated", Rules(tpm=60_000), refused=0.01, since_s=120, filler=400),
    Case("600 as 10 a second, RPM known", TEN_A_SECOND, rpm=600, refused=0.01, since_s=120),
    Case("600 as 10 a second, unknown", TEN_A_SECOND, refused=0.01, since_s=120),
    Case("600, then 300 at 90 s, headers", Rules(rpm=600, states=True, change=(90, 300)), refused=0.02, since_s=120),
    Case("600, then 300 at 90 s, unstated", Rules(rpm=600, change=(90, 300)), refused=0.02, since_s=120),
    Case("300, then 600 at 90 s, headers", Rules(rpm=300, states=True, change=(90, 600)), refused=0.01, since_s=120),
)


@dataclass(frozen=True, slots=True)
class Played:
    """A case and what its server saw."""

    case: Case
    record: Record
    seconds: float

    @property
    def refused(self) -> float:
        """Share of requests refused."""
        return len(self.record.refused) / max(1, len(self.record.accepted))

    @property
    def allowed(self) -> float:
        """Requests that a perfect client would have got through from `since_s` on."""
        rules, first = self.case.rules, self.case.since_s
        per_minute = rules.rpm if rules.change is None else rules.change[1]
        if per_minute is not None and rules.tpm is None:
            return bursts(per_minute, self.seconds, first, burst=first == 0 and rules.span_s >= 60)
        tokens = self.record.accepted[-1][2]
        by_tokens = (rules.tpm or 0) // tokens
        return bursts(min(by_tokens, rules.rpm or by_tokens), self.seconds, first, burst=first == 0)

    @property
    def used(self) -> float:
        """Share of what was allowed that was used."""
        taken = sum(self.case.since_s <= at < self.seconds for at, _, _ in self.record.accepted)
        return taken / self.allowed

    def row(self, oracle: Played | None) -> tuple[str, ...]:
        """For the table. `oracle`: how the best played that can be had where the server counts by the second."""
        case = self.case
        goal = case.used * (oracle.used if oracle is not None and case.rules == TEN_A_SECOND else 1.0)
        good = self.refused <= case.refused and self.used >= goal
        return (
            case.name,
            str(len(self.record.accepted)),
            str(len(self.record.refused)),
            f"{self.refused:.2%}",
            f"{case.refused:.0%}",
            f"{self.used:.1%}",
            f"{goal:.1%}",
            str(most_in([(at, 1) for at, _, _ in self.record.accepted])),
            verdict(good),
        )


def bursts(per_minute: int, seconds: float, first: float, *, burst: bool) -> float:
    """What a window of a minute lets through: all of it at once, again and again; or, once spread, evenly."""
    return per_minute * (seconds // 60) if burst else per_minute * (seconds - first) / 60


async def play(case: Case, seconds: float, imported: asyncio.Barrier, place_in_row: int) -> Played:
    """Runs a job that never ends for a time. Cases begin one after another, so that their first bursts do not meet."""
    seconds = case.seconds or seconds
    with site(case.rules) as place:
        target = with_limits(endpoint(place.url), case.rpm, case.tpm)
        work = Work((target,), ENDLESS, knobs=Knobs(concurrency=case.in_flight), filler=case.filler)
        async with office() as here:
            job_id = await add(here, work)
            await imported.wait()
            await asyncio.sleep(place_in_row * APART_S)
            await here.controller.start(job_id)
            await asyncio.sleep(seconds + 1)
            record = await asyncio.to_thread(place.record)
    return Played(case, record, seconds)


async def keep_time(pace: float, seconds: float) -> Played:
    """Sends at a share of ten a second by an absolute timetable, to a server of its own."""
    per_s, loop = pace * 10.0, asyncio.get_running_loop()
    with site(TEN_A_SECOND) as place:
        async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
            start = loop.time()
            for number in range(int(per_s * seconds)):
                await asyncio.sleep(max(0.0, start + number / per_s - loop.time()))
                group.create_task(post(http, place.url, number))
        record = await asyncio.to_thread(place.record)
    return Played(Case(f"the same, an oracle at {pace:.0%}", TEN_A_SECOND, since_s=120), record, seconds)


async def post(http: aiohttp.ClientSession, url: str, number: int) -> None:
    """One request, whatever comes of it."""
    message = {"role": "user", "content": f"row {number}"}
    async with http.post(f"{url}/chat/completions", json={"model": "bench", "messages": [message]}) as answer:
        await answer.read()


async def best_possible(seconds: float) -> Played:
    """The oracle: the best of its paces that has at most 1 % refused."""
    played = await asyncio.gather(*(keep_time(pace, seconds) for pace in ORACLE_PACES))
    return max(played, key=lambda one: (one.refused <= 0.01, one.used))


async def nine_hundred() -> tuple[str, ...]:
    """900 rows at a known 600 a minute: the ideal is a little more than 60 s."""
    with site(Rules(rpm=600)) as place:
        async with office() as here:
            start = time.perf_counter()
            (job,) = await run(here, Work((endpoint(place.url, rpm=600),), 900))
            took = time.perf_counter() - start
            record = await asyncio.to_thread(place.record)
    lost = 900 - job.counters.done
    good = job.state is JobState.COMPLETED and took <= 63 and not record.refused and not lost
    return (
        "900 rows at 600 RPM",
        f"{took:.1f} s",
        str(len(record.refused)),
        str(lost),
        "61 to 63 s, 0, 0",
        verdict(good),
    )


async def restarted() -> tuple[str, ...]:
    """The same job in the real program, killed in the middle of its first burst and resumed at once."""
    with site(Rules(rpm=600)) as place, tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.jsonl"
        rows.write_text("".join(f'{{"prompt": "row {n}"}}\n' for n in range(900)), encoding="utf-8")
        db, out = f"--db={folder}/jobs.db", f"--output={folder}/out.jsonl"
        first = await program(
            "run",
            str(rows),
            db,
            "--model=bench",
            f"--base-url={place.url}",
            "--rpm=600",
            "--concurrency=64",
            "--yes",
            out,
        )
        while first.returncode is None and len((await asyncio.to_thread(place.record)).accepted) < 300:
            await asyncio.sleep(0.05)
        if first.returncode is None:
            first.kill()
        await first.wait()
        start = time.perf_counter()
        second = await program("resume", "1", db, out)
        code, took = await second.wait(), time.perf_counter() - start
        record = await asyncio.to_thread(place.record)
        answers = await asyncio.to_thread(count_lines, Path(folder, "out.jsonl")) if code == 0 else 0
    most = most_in([(at, 1) for at, _, _ in record.accepted])
    lost = 900 - answers
    good = not record.refused and most <= 600 and not lost
    return ("the same, killed and resumed", f"{took:.1f} s", str(len(record.refused)), str(lost), "0, 0", verdict(good))


def count_lines(path: Path) -> int:
    """Lines of a results file: one a row."""
    return len(path.read_text(encoding="utf-8").splitlines())


async def program(*words: str) -> asyncio.subprocess.Process:
    """The command line as a process of its own, silent."""
    command = (sys.executable, "-m", "tui_batch", *words)
    quiet = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(*command, stdin=quiet, stdout=quiet, stderr=quiet)


async def waiting(items: int = 10_000, seconds: float = 10.0) -> tuple[str, ...]:
    """CPU of this process while all items of a job wait for a limit."""
    with site(Rules(rpm=1)) as place:
        async with office() as here:
            job_id = await add_waiting(here, place.url, items)
            before = time.process_time()
            await asyncio.sleep(seconds)
            share = (time.process_time() - before) / seconds
            run_ = here.engine.find(job_id)
            held = 0 if run_ is None else len(run_.queue)
    return (f"{held} of {items} items in memory wait", f"{share:.2%} of a core", "under 1%", verdict(share < 0.01))


async def add_waiting(here: Workplace, url: str, items: int) -> int:
    """A job whose items were all refused once and wait in memory for their time."""
    job_id = await add(here, Work((endpoint(url, rpm=1),), items, knobs=Knobs(concurrency=items)))
    await here.controller.start(job_id)
    await asyncio.sleep(5)
    return job_id


async def measure(seconds: float, only: list[str]) -> None:
    """Runs the cases at once, then the one that measures CPU alone."""
    cases = [case for case in CASES if not only or any(word in case.name for word in only)]
    imported = asyncio.Barrier(max(1, len(cases)))
    by_the_second = any(case.rules == TEN_A_SECOND for case in cases)
    oracle = asyncio.create_task(best_possible(seconds)) if by_the_second else None
    played = await asyncio.gather(*(play(case, seconds, imported, place) for place, case in enumerate(cases)))
    best = None if oracle is None else await oracle
    head = ("server and what is known", "taken", "refused", "share", "goal", "used", "goal", "most in 60 s", "")
    table(f"Rate limits, {seconds:.0f} s each", [head, *(one.row(best) for one in played)])
    if best is not None:
        print(f"{best.case.name}: {best.used:.1%} used, {best.refused:.2%} refused")
    if only and only != ["job"]:
        return
    jobs = await asyncio.gather(nine_hundred(), restarted())
    table("A job", [("", "took", "refused", "lost", "goal", ""), *jobs])
    table("Waiting for a limit", [("", "CPU", "goal", ""), await waiting()])


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=240.0)
    parser.add_argument("--only", nargs="*", default=[], help="words that a case's name must have one of")
    args = parser.parse_args()
    from tui_batch.engine.loop import run as run_loop

    run_loop(measure(args.seconds, args.only))


if __name__ == "__main__":
    main()
