"""A judge from the command line: its score in the results, and slips of the pen before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Cli

JOB = """
input: rows.csv
model: gpt-4o-mini
prompt: "{{ question }}"
checks:
  - judge: {model: gpt-4o, rubric: "It is about {{ %s }}."}
    at_least: 0.9
on_invalid: flag
"""
ROWS = "question,topic\nWhat is a lever?,levers\nWhat is rust?,rust\nName a bird.,birds\n"


def job(cli: Cli, column: str) -> None:
    (cli.folder / "rows.csv").write_text(ROWS)
    (cli.folder / "job.yaml").write_text(JOB % column)


def test_the_simulator_judges_and_judges_the_same_again(cli: Cli) -> None:
    job(cli, "topic")
    said = []
    for _ in range(2):
        result = cli("run", cli.folder / "job.yaml", "--simulate", "--no-cache", "-o", cli.folder / "out.jsonl")
        assert result.code == 0, result.err
        said.append([(line["score"], line["flags"]) for line in cli.lines("out.jsonl")])
    assert said[0] == said[1]
    assert len({score for score, _ in said[0]}) == 3
    assert all(0.5 <= score <= 1 and flags == (None if score >= 0.9 else "check_failed") for score, flags in said[0])
    assert cli("show", "1", "--json").json["total"] == 3
    assert "judge model gpt-4o" in cli("show", "1").out


def test_a_rubric_that_names_no_column_is_an_error_before_anything_is_sent(cli: Cli) -> None:
    job(cli, "topics")
    result = cli("run", cli.folder / "job.yaml", "--simulate")
    assert result.code == 2
    assert "no row has the column `topics` that the job's template uses (did you mean `topic`?)" in result.err


def test_an_estimate_reckons_with_the_judge(cli: Cli) -> None:
    job(cli, "topic")
    result = cli("estimate", cli.folder / "job.yaml", "--base-url", "https://api.openai.com/v1")
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert "requests  6" in lines
    assert [line.split(" @ ")[0] for line in lines if " @ " in line] == ["gpt-4o-mini", "gpt-4o"]
