"""Four servers with the same model as one pool: a fast one, a slow one, one that dies and comes back, one that refuses.

Run: python -m bench.pool [--seconds 90]
The ideal is the sum of what each can do in the time. The job is sized to it, so that it ends: the time to its last
answer is compared with the ideal's, and every row must have its answer.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack

from bench.arena import Work, endpoint, office, run, site, table, verdict
from bench.strict_server import Rules
from tui_batch.domain.job import JobState, Knobs

GOAL = 0.85


def servers(seconds: float) -> dict[str, Rules]:
    """The pool."""
    return {
        "fast": Rules(slots=16, latency_s=0.2),
        "slow": Rules(slots=2, latency_s=2.0),
        "dying": Rules(slots=8, latency_s=0.4, down=(seconds / 3, 2 * seconds / 3)),
        "refusing": Rules(slots=16, latency_s=0.2, rpm=600, span_s=10),
    }


def capacity(rules: Rules, seconds: float) -> float:
    """Answers that a server can give in the time."""
    up = seconds - (rules.down[1] - rules.down[0] if rules.down else 0.0)
    by_slots = (rules.slots or 1) / rules.latency_s * up
    return by_slots if rules.rpm is None else min(by_slots, rules.rpm / 60 * up)


async def measure(seconds: float, in_flight: int | None) -> Sequence[tuple[str, ...]]:
    """Runs the job; returns a line for each server, and the whole."""
    pool = servers(seconds)
    ideal = {name: capacity(rules, seconds) for name, rules in pool.items()}
    rows = round(sum(ideal.values()))
    with ExitStack() as stack:
        places = {name: stack.enter_context(site(rules)) for name, rules in pool.items()}
        async with office() as here:
            ends = tuple(endpoint(place.url, name) for name, place in places.items())
            start = time.perf_counter()
            (job,) = await run(here, Work(ends, rows, knobs=Knobs(concurrency=in_flight)))
            took = time.perf_counter() - start
            records = {name: await asyncio.to_thread(place.record) for name, place in places.items()}
    lines = [
        (name, f"{ideal[name]:.0f}", str(record.answered), str(len(record.refused)), "", "", "")
        for name, record in records.items()
    ]
    lost = rows - job.counters.done
    good = job.state is JobState.COMPLETED and not lost and seconds / took >= GOAL
    whole = ("all", str(rows), str(job.counters.done), "", f"{took:.1f} s", f"{seconds / took:.0%}", verdict(good))
    return [*lines, whole]


async def main_async(seconds: float) -> None:
    """Once with a fixed number in flight, once with `auto`."""
    head = ("server", "ideal", "answered", "refused", "took", f"of ideal, goal {GOAL:.0%}", "")
    for in_flight in (64, None):
        rows = await measure(seconds, in_flight)
        table(f"A pool of four for {seconds:.0f} s, {in_flight or 'auto'} in flight", [head, *rows])


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=90.0)
    args = parser.parse_args()
    from tui_batch.engine.loop import run as run_loop

    run_loop(main_async(args.seconds))


if __name__ == "__main__":
    main()
