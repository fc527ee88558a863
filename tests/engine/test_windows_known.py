"""Which context window counts: a person's own, the published one, the server's; and what it keeps from being sent."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from engine_bench import ok, open_bench

from tui_batch.domain.endpoint import SIMULATED, Api, Deployment, Endpoint
from tui_batch.domain.job import Knobs
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.engine.windows import Windows
from tui_batch.money.prices import OwnWindow

OPENAI = Endpoint("openai", Api.OPENAI, "https://api.openai.com/v1")
VLLM = Endpoint("vllm", Api.OPENAI, "http://localhost:8000/v1")


async def test_ones_own_word_wins_then_what_is_published_then_the_server_which_is_asked_once() -> None:
    asked: list[str] = []

    async def ask(endpoint: Endpoint, model: str) -> int | None:
        asked.append(f"{model} @ {endpoint.name}")
        return 32_768

    windows = Windows((OwnWindow("my-*", 9_000, "vllm"),), ask)
    simulated = Endpoint("simulator", Api.OPENAI, f"{SIMULATED}v1")
    for endpoint, model in ((OPENAI, "gpt-4o-mini"), (VLLM, "my-model"), (VLLM, "m"), (VLLM, "m"), (simulated, "m")):
        await windows.learn(Deployment(endpoint, model))

    assert asked == ["m @ vllm"]
    assert windows.of(OPENAI, "gpt-4o-mini") == 128_000
    assert windows.of(VLLM, "my-model") == 9_000
    assert windows.of(VLLM, "m") == 32_768
    assert windows.of(simulated, "m") is None


async def test_the_table_of_published_windows_is_loaded_off_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def look(endpoint: Endpoint, model: str, own: object) -> int | None:
        threads.append(threading.get_ident())
        return 4_096

    async def ask(endpoint: Endpoint, model: str) -> int | None:
        raise AssertionError("what is published is not asked for")

    monkeypatch.setattr("tui_batch.engine.windows.context_window", look)
    await Windows((), ask).learn(Deployment(VLLM, "m"))
    assert threads
    assert threading.get_ident() not in threads


def test_a_prompt_longer_than_the_window_ollama_is_asked_for_is_not_sent(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        return 0.1, ok()

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            own = Endpoint("one", Api.OLLAMA, "http://localhost:11434")
            rows = ["short", "long " * 2_000]
            job = await bench.run(
                await bench.add(rows, Knobs(concurrency=2), endpoints=(own,), params={"num_ctx": 512})
            )
            assert (job.counters.done, job.counters.dead, job.counters.requests) == (1, 1, 1)
            (dead,) = [row for row in await bench.store.items.page(job.id, limit=9) if row.state == "dead"]
            assert dead.cls is OutcomeClass.CONTEXT_LENGTH

    virtually(main())
