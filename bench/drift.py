"""Drift: false alarms per 10,000 stationary answers, answers until a real drop of 0.15 is seen, and time an answer.

Run: python -m bench.drift [--runs 100]
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator

from bench.arena import table, verdict
from tui_batch.domain.quality import DriftRule
from tui_batch.quality.drift import Alert, DriftWatch, Reading, Signal

ITEMS = 10_000
"""Answers of one stationary run."""
BEFORE = 1_000
"""Answers before a drop."""
DROP = 0.15
MISSED = 5_000
"""Answers after which a drop that was not seen counts as missed."""

Score = Callable[[random.Random, float], float]
"""A score whose expectation is given."""


def coin(rng: random.Random, mean: float) -> float:
    """Right or wrong."""
    return float(rng.random() < mean)


def graded(rng: random.Random, mean: float) -> float:
    """A spread of marks (beta distribution with 10 as the sum of its parameters)."""
    return rng.betavariate(10 * mean, 10 * (1 - mean))


def answers(rng: random.Random, score: Score, means: Iterator[float]) -> Iterator[Reading]:
    """Answers of a steady model: lengths and times log-normal, times correlated as load makes them."""
    load = 0.0
    for number, mean in enumerate(means):
        load = 0.9 * load + rng.gauss(0.0, 0.15)
        yield Reading(
            item_id=number,
            row=number + 1,
            score=score(rng, mean),
            failed=rng.random() < 0.05,
            refused=rng.random() < 0.02,
            chars=round(math.exp(rng.gauss(5.0, 0.8))),
            latency_s=math.exp(rng.gauss(0.0, 0.3) + load),
            digest=rng.randrange(2_000),
        )


def stationary(seed: int, score: Score, mean: float) -> list[Alert]:
    """The alerts of a run in which nothing changes."""
    watch = DriftWatch(DriftRule())
    readings = answers(random.Random(seed), score, iter([mean] * ITEMS))
    return [alert for reading in readings for alert in watch.add(reading)]


def until_seen(seed: int, score: Score, mean: float) -> int | None:
    """Answers from a drop to its first alert; None: missed."""
    watch = DriftWatch(DriftRule())
    means = iter([mean] * BEFORE + [mean - DROP] * MISSED)
    for number, reading in enumerate(answers(random.Random(seed), score, means), 1):
        if any(alert.signal is Signal.SCORE for alert in watch.add(reading)) and number > BEFORE:
            return number - BEFORE
    return None


CASES: tuple[tuple[str, Score, float], ...] = (
    ("right or wrong, 0.95", coin, 0.95),
    ("right or wrong, 0.85", coin, 0.85),
    ("right or wrong, 0.75", coin, 0.75),
    ("marks, 0.85", graded, 0.85),
    ("marks, 0.75", graded, 0.75),
)


def false_alarms(runs: int) -> None:
    """Prints how often nothing was taken for something."""
    rows: list[tuple[str, ...]] = [("", "score", "all signals", "goal", "")]
    for name, score, mean in CASES:
        found = Counter(alert.signal for seed in range(runs) for alert in stationary(seed, score, mean))
        scores, every = found[Signal.SCORE] / runs, sum(found.values()) / runs
        rows.append((name, f"{scores:.2f}", f"{every:.2f}", "below 0.5", verdict(every < 0.5)))
    table(f"False alarms per {ITEMS:,} stationary answers ({runs} runs)", rows)


def detection(runs: int) -> None:
    """Prints how soon a drop is seen."""
    rows: list[tuple[str, ...]] = [("", "median", "p90", "missed", "goal for the median", "")]
    for name, score, mean in CASES:
        seen = [until_seen(seed, score, mean) for seed in range(runs)]
        waits = sorted(MISSED if one is None else one for one in seen)
        median, p90 = statistics.median(waits), waits[int(0.9 * (runs - 1))]
        rows.append((name, f"{median:.0f}", str(p90), str(seen.count(None)), "200", verdict(median <= 200)))
    table(f"Answers until a drop of {DROP} is seen (after {BEFORE:,} steady ones, {runs} runs)", rows)


def cost() -> None:
    """Prints what watching an answer takes."""
    readings = list(answers(random.Random(1), coin, iter([0.85] * 20_000)))
    watch = DriftWatch(DriftRule())
    began = time.perf_counter()
    for reading in readings:
        watch.add(reading)
    print(f"\n{(time.perf_counter() - began) / len(readings) * 1e6:.1f} us an answer")


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=20)
    args = parser.parse_args()
    false_alarms(args.runs)
    detection(args.runs)
    cost()


if __name__ == "__main__":
    main()
