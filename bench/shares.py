"""Two jobs on one deployment with one limit: equal shares at equal priority, the higher priority first otherwise.

Run: python -m bench.shares [--seconds 130]
"""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter

from bench.arena import Work, endpoint, office, run_for, site, table, verdict
from bench.strict_server import Rules
from tui_batch.domain.job import Knobs


async def measure(seconds: float, first: Work, second: Work, rules: Rules) -> Counter[str]:
    """Requests that the server took of each job, which start together and do not end."""
    with site(rules) as place:
        known = endpoint(place.url, rpm=rules.rpm)
        async with office() as here:
            works = [Work((known,), 3_000, work.word, work.knobs) for work in (first, second)]
            await run_for(here, seconds, *works)
            record = await asyncio.to_thread(place.record)
    return Counter(word for _, word, _ in record.accepted)


async def main_async(seconds: float) -> None:
    """Equal priorities with equal and with different concurrency, then a higher one."""
    rpm, slots = Rules(rpm=600), Rules(slots=8, latency_s=0.2)

    def work(word: str, in_flight: int, priority: int = 0) -> Work:
        return Work((), 0, word, Knobs(concurrency=in_flight, priority=priority))

    cases = (
        ("600 RPM, both 32 in flight", rpm, work("a", 32), work("b", 32), 0.5, 0.05),
        ("600 RPM, 64 and 16 in flight", rpm, work("a", 64), work("b", 16), 0.5, 0.05),
        ("600 RPM, b has priority 5", rpm, work("a", 32), work("b", 32, 5), 0.0, 0.05),
        ("8 slots, auto", slots, Work((), 0, "a", Knobs()), Work((), 0, "b", Knobs()), 0.5, 0.05),
    )
    taken = await asyncio.gather(*(measure(seconds, a, b, rules) for _, rules, a, b, _, _ in cases))
    rows = []
    for (name, _, _, _, goal, slack), counts in zip(cases, taken, strict=True):
        share = counts["a"] / max(1, counts["a"] + counts["b"])
        good = abs(share - goal) <= slack * (goal or 1.0)
        rows.append((name, str(counts["a"]), str(counts["b"]), f"{share:.1%}", f"{goal:.0%}", verdict(good)))
    table(f"Two jobs, one limit, {seconds:.0f} s", [("", "a", "b", "share of a", "goal", ""), *rows])


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=130.0)
    args = parser.parse_args()
    from tui_batch.engine.loop import run

    run(main_async(args.seconds))


if __name__ == "__main__":
    main()
