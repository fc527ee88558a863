"""Checks from the command line: a job file with a reference column, its score at the end and in the results."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING

from tui_batch.cli.running import _show
from tui_batch.domain.job import Counters, JobState, Knobs
from tui_batch.engine.snapshot import EngineSnapshot, JobSnapshot, Latency
from tui_batch.quality.alerts import Against, Alert, Signal, ToldAlert
from tui_batch.store.alerts import WatchState
from tui_batch.store.store import open_store

if TYPE_CHECKING:
    from conftest import Cli

JOB = """
input: messages.jsonl
model: gpt-4o-mini
prompt: "{{ text }}"
system: "Answer with one of: positive, negative, neutral"
checks:
  - {equals: %s}
"""
MESSAGES = (
    ("Somebody stole my card, this is terrible!", "negative"),
    ("Thank you, that was a great help", "positive"),
    ("Which countries do you operate in?", "neutral"),
    ("My transfer failed again and I am still waiting", "positive"),
)
"""What the simulator says, but for the last one."""


def messages(cli: Cli, column: str) -> None:
    rows = [{"text": text, "mood": mood} for text, mood in MESSAGES]
    (cli.folder / "messages.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (cli.folder / "job.yaml").write_text(JOB % column)


def test_answers_are_scored_by_a_column_and_the_mean_is_told(cli: Cli) -> None:
    messages(cli, "mood")
    result = cli("run", cli.folder / "job.yaml", "--simulate", "-o", cli.folder / "out.jsonl")
    assert result.code == 0, result.err
    assert [line["score"] for line in cli.lines("out.jsonl")] == [1.0, 1.0, 1.0, 0.0]
    assert "score   0.750, mean of 4 answers" in result.err
    assert [item["score"] for item in cli("items", "1", "--json").json] == [1.0, 1.0, 1.0, 0.0]
    assert "equals mood" in cli("show", "1").out
    assert cli("show", "1", "--json").json["score_mean"] == 0.75
    assert "mean of" in cli("show", "1").out
    assert "score_mean" not in cli("ls", "--json").json[0]


def test_a_reference_column_that_is_not_there_is_an_error_before_anything_is_sent(cli: Cli) -> None:
    messages(cli, "moot")
    result = cli("run", cli.folder / "job.yaml", "--simulate")
    assert result.code == 2
    assert "no row has the column `moot` that a check compares answers with" in result.err


def test_show_and_item_tell_when_answers_got_worse(cli: Cli) -> None:
    messages(cli, "mood")
    assert cli("run", cli.folder / "job.yaml", "--simulate").code == 0
    alert = Alert(Signal.SCORE, Against.START, 0.5, 0.9, 100, rows=(4, 2), item_ids=(4, 2), statistic=-4.0, number=1)

    async def tell() -> None:
        async with open_store(cli.db) as store:
            await store.alerts.save([WatchState(1, {}, 5.0, (ToldAlert(alert, 4.0),), (1,))])

    asyncio.run(tell())
    assert str(alert) in cli("show", "1").out
    (told,) = cli("show", "1", "--json").json["alerts"]
    assert (told["signal"], told["now"], told["items"]) == ("score", 0.5, [4, 2])
    assert alert.finding in cli("item", "4").out
    assert alert.finding not in cli("item", "3").out
    assert cli("item", "4", "--json").json["alerts"] == [told]


class Notes:
    """A display that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def update(self, engine: EngineSnapshot, job: JobSnapshot) -> None:
        pass

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_answers_that_got_worse_are_told_once_in_a_live_run() -> None:
    alert = Alert(Signal.SCORE, Against.START, now=0.5, then=0.9, window=100, rows=(7, 9), item_ids=(70, 90))
    job = JobSnapshot(
        *(3, "job", JobState.RUNNING, None, "", Knobs(), Counters(), 0, 0, 0.0, None, Latency()), drift=(alert,)
    )
    engine = SimpleNamespace(snapshot=lambda: EngineSnapshot((job,), (), ""))
    display, told = Notes(), set[Alert]()
    for _ in range(3):
        _show(engine, 3, display, told)  # type: ignore[arg-type]
    assert display.notes == ["score: 0.50 in the last 100 answers, after 0.90 at the start; rows 7, 9"]
