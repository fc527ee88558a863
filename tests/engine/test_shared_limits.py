"""Two jobs on one deployment whose rate limit is scarce: shares go by priority and turns, not by who is wider."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine_bench import ENDPOINT, ok, open_bench

from tui_batch.domain.job import Knobs

SCARCE = replace(ENDPOINT, rpm=120)
TOKENS = replace(ENDPOINT, tpm=120 * 15)


def play(path: Path, virtually: Any, first: Knobs, second: Knobs, seconds: float = 185.0, **spec: Any) -> Counter[str]:
    """How many requests each of two endless jobs sent."""

    async def main() -> Counter[str]:
        async with open_bench(path, lambda p, n: (0.3, ok())) as bench:
            for name, knobs in (("a", first), ("b", second)):
                job_id = await bench.add([f"{name} {n}" for n in range(500)], knobs, **spec)
                await bench.controller.start(job_id)
            await asyncio.sleep(seconds)
            return Counter(prompt[0] for prompt in bench.executor.prompts)

    counts: Counter[str] = virtually(main())
    return counts


@pytest.mark.parametrize("endpoint", [SCARCE, TOKENS], ids=["RPM", "TPM"])
def test_a_wide_and_a_narrow_job_share_a_scarce_limit_equally(tmp_path: Path, virtually: Any, endpoint: Any) -> None:
    counts = play(tmp_path / "j.db", virtually, Knobs(concurrency=32), Knobs(concurrency=4), endpoints=(endpoint,))

    # The first one sent 32 before the other began; fair shares count from then on.
    assert abs(counts["a"] - 32 - counts["b"]) <= 32
    assert counts.total() >= 0.85 * 3 * 120


def test_the_higher_priority_gets_the_limit_although_it_is_narrow(tmp_path: Path, virtually: Any) -> None:
    high = Knobs(concurrency=4, priority=5)

    counts = play(tmp_path / "j.db", virtually, Knobs(concurrency=32), high, endpoints=(SCARCE,))

    assert counts["a"] <= 40  # what it sent before the other began
    assert counts["b"] >= 0.95 * 3 * 120 - counts["a"]


def test_what_the_first_cannot_use_goes_to_the_other(tmp_path: Path, virtually: Any) -> None:
    plenty = replace(ENDPOINT, rpm=6_000)
    high = Knobs(concurrency=4, priority=5)

    counts = play(tmp_path / "j.db", virtually, Knobs(concurrency=8), high, seconds=10.0, endpoints=(plenty,))

    assert counts["a"] >= 0.9 * 8 / 0.3 * 10
    assert counts["b"] >= 0.9 * 4 / 0.3 * 10
