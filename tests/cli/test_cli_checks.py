"""Checks from the command line: a job file with a reference column, its score at the end and in the results."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

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


def test_a_reference_column_that_is_not_there_is_an_error_before_anything_is_sent(cli: Cli) -> None:
    messages(cli, "moot")
    result = cli("run", cli.folder / "job.yaml", "--simulate")
    assert result.code == 2
    assert "no row has the column `moot` that a check compares answers with" in result.err
