"""`report`, `compare`, `export` with its choices, and jobs that go on from a job, as a person types them."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest

Cli = Any


@pytest.fixture
def ran(cli: Cli) -> Cli:
    """Job 1: six rows answered by two models each."""
    result = cli(
        *("run", cli.rows(6), "--simulate", "--mode", "each", "-m", "gpt-4o-mini", "-m", "claude-haiku-4-5", "-c", "8"),
    )
    assert result.code == 0
    return cli


@pytest.mark.parametrize("ending", ["html", "md", "json"])
def test_a_report_is_written_and_said(ran: Cli, ending: str) -> None:
    result = ran("report", "1", "-o", ran.folder / f"r.{ending}")
    assert (result.code, result.out) == (0, "")
    assert "report of job 1 to" in result.err
    assert "12 items processed" in result.err
    text = (ran.folder / f"r.{ending}").read_text()
    assert (json.loads(text)["processed_items"] == 12) if ending == "json" else ("claude" in text)


def test_a_report_needs_a_known_ending_and_a_job(cli: Cli) -> None:
    result = cli("report", "1", "-o", "r.pdf")
    assert result.code == 2
    assert "End it in .html, .md or .json" in result.err
    assert cli("report", "1", "-o", "r.html").code == 2
    assert not cli.db.exists()


def test_models_of_a_job_are_compared(ran: Cli) -> None:
    shown = ran("compare", "1")
    assert shown.code == 0
    assert "6 rows compared" in shown.out
    assert all(word in shown.out for word in ("CRITERION", "KAPPA", "claude-haiku-4-5", "gpt-4o-mini"))
    found = ran("compare", "1", "--json", "-o", ran.folder / "sides.csv")
    assert {one["label"] for one in found.json["contenders"]} == {"gpt-4o-mini", "claude-haiku-4-5"}
    assert {one["criterion"] for one in found.json["winners"]} == {"score", "answered", "cost", "latency", "tokens"}
    with (ran.folder / "sides.csv").open(newline="") as file:
        sides = list(csv.DictReader(file))
    assert len(sides) == 6
    assert "response: gpt-4o-mini" in sides[0]


def test_a_job_is_compared_with_its_clone(ran: Cli) -> None:
    assert ran("clone", "1", "-m", "gpt-4o-mini", "--endpoint", "simulator").code == 0
    assert ran("resume", "2").code == 0
    found = ran("compare", "1", "2", "--json").json
    assert (found["rows"], found["unmatched"], len(found["contenders"])) == (6, 0, 3)
    same = {(one["left"], one["right"]): one["share"] for one in found["agreement"]}
    assert same["gpt-4o-mini (job 1)", "gpt-4o-mini (job 2)"] == 1.0


def test_one_model_cannot_be_compared_with_itself(cli: Cli) -> None:
    assert cli("run", cli.rows(2), "--simulate").code == 0
    result = cli("compare", "1")
    assert result.code == 2
    assert "Name a second job" in result.err


def test_an_export_takes_what_is_asked_for(ran: Cli) -> None:
    assert ran("export", "1", "-o", ran.folder / "a.jsonl", "--model", "claude", "--state", "done").code == 0
    assert [line["model"] for line in ran.lines("a.jsonl")] == ["claude-haiku-4-5"] * 6
    assert ran("export", "1", "-o", ran.folder / "b.jsonl", "--item", "3", "--item", "1").code == 0
    assert len(ran.lines("b.jsonl")) == 2
    assert ran("export", "1", "-o", ran.folder / "c.jsonl", "--text", "number 5").code == 0
    assert {line["id"] for line in ran.lines("c.jsonl")} == {5}
    assert ran("export", "1", "-o", ran.folder / "d.jsonl", "--flatten").code == 0
    assert "usage.input_tokens" in ran.lines("d.jsonl")[0]
    assert ran("export", "1", "-o", ran.folder / "e.txt", "--format", "batch").code == 0
    assert ran.lines("e.txt")[0]["response"]["status_code"] == 200
    assert ran("export", "1", "-o", ran.folder / "f.jsonl", "--filter", 'row>4 model:gpt "number"').code == 0
    assert {line["id"] for line in ran.lines("f.jsonl")} == {4, 5}
    assert ran("export", "1", "-o", ran.folder / "g.jsonl", "--state", "gone").code == 2
    assert ran("export", "1", "-o", ran.folder / "g.jsonl", "--filter", "state:gone").code == 2


def test_the_next_job_starts_from_the_answers(cli: Cli) -> None:
    assert cli("run", cli.rows(3), "--simulate").code == 0
    step = cli.folder / "step.yaml"
    step.write_text("input: unused.csv\nmodel: gpt-4o-mini\nprompt: 'Shorter: {{ response }}'\n")
    result = cli("run", step, "--from-job", "1", "--simulate", "-o", cli.folder / "next.jsonl")
    assert result.code == 0, result.err
    lines = cli.lines("next.jsonl")
    assert [line["id"] for line in lines] == [0, 1, 2]
    assert all(line["input_response"] and line["response"] != line["input_response"] for line in lines)
    assert json.loads(cli.job(2)["spec"])["source"]["path"] == "job:1"
    assert cli("add", "--from-job", "2", "--simulate").out == "3\n"
    assert "job:2" in cli("show", "3").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run",), "INPUT is missing"),
        (("run", "rows.csv", "--from-job", "1"), "say two things"),
        (("run", "--from-job", "1", "--format", "csv"), "Leave --format out"),
        (("run", "--from-job", "7", "--simulate"), "There is no job 7"),
    ],
)
def test_what_cannot_be_an_input_is_said(cli: Cli, words: tuple[str, ...], said: str) -> None:
    result = cli(*words)
    assert result.code == 2
    assert said in result.err
