"""`run` in this process against the simulator in memory: results, exit codes, errors."""

from __future__ import annotations

import csv
import gzip
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Cli

FIELDS = [
    "response",
    "status",
    "error",
    "model",
    "usage",
    "cost_usd",
    "latency_ms",
    "cached",
    "finish_reason",
    "custom_id",
    "flags",
    "score",
    "checks",
    "reason",
]


def test_every_row_comes_back_in_order_with_its_own_columns(cli: Cli) -> None:
    result = cli("run", cli.rows(12), "--simulate", "-o", cli.folder / "out.jsonl", "-c", "12")
    assert result.code == 0, result.err
    lines = cli.lines("out.jsonl")
    assert [line["id"] for line in lines] == list(range(12))
    assert list(lines[0]) == ["id", "prompt", *FIELDS]
    assert all(line["status"] == "done" and line["response"] for line in lines)
    assert all(line["usage"]["input_tokens"] > 0 for line in lines)
    assert result.out == ""
    assert "12 of 12 done" in result.err
    assert "gpt-4o-mini @ simulator" in result.err


def test_the_same_input_again_costs_nothing_and_asks_nobody(cli: Cli) -> None:
    cli("run", cli.rows(5), "--simulate")
    result = cli("run", cli.rows(5), "--simulate", "-o", cli.folder / "out.csv")
    assert result.code == 0
    assert "5 from the cache" in result.err
    with (cli.folder / "out.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert {row["cached"] for row in rows} == {"true"}
    assert {row["cost_usd"] for row in rows} == {"0.0"}
    assert cli("cache", "stats", "--json").json["hits"] == 5


def test_no_cache_asks_again(cli: Cli) -> None:
    cli("run", cli.rows(3), "--simulate")
    assert "from the cache" not in cli("run", cli.rows(3), "--simulate", "--no-cache").err
    assert cli("cache", "stats", "--json").json["hits"] == 0


def test_results_on_standard_output_are_only_results(cli: Cli) -> None:
    result = cli("run", cli.rows(3), "--simulate", "-o", "-")
    assert [json.loads(line)["id"] for line in result.out.splitlines()] == [0, 1, 2]


def test_the_simulator_is_an_endpoint_by_its_name(cli: Cli) -> None:
    result = cli("run", cli.rows(2), "-m", "gpt-4o-mini", "--endpoint", "simulator", "-o", "-")
    assert [json.loads(line)["status"] for line in result.out.splitlines()] == ["done", "done"]


def test_json_progress_is_lines_of_events(cli: Cli) -> None:
    result = cli("run", cli.rows(3), "--simulate", "--json", "-o", cli.folder / "out.json.gz")
    events = [json.loads(line) for line in result.out.splitlines()]
    assert events[0]["event"] == "start"
    assert events[-1]["event"] == "end"
    assert (events[-1]["done"], events[-1]["exit_code"], events[-1]["state"]) == (3, 0, "completed")
    assert events[-1]["results"] == str(cli.folder / "out.json.gz")
    assert len(json.loads(gzip.decompress((cli.folder / "out.json.gz").read_bytes()))) == 3


def test_json_and_results_cannot_share_standard_output(cli: Cli) -> None:
    result = cli("run", cli.rows(1), "--simulate", "--json", "-o", "-")
    assert result.code == 2
    assert "both write to standard output" in result.err


def test_dead_items_make_exit_code_three_and_say_why(cli: Cli) -> None:
    faults = ("--simulate", "--simulate-faults", "filter=1")
    result = cli("run", cli.rows(4), *faults, "-o", cli.folder / "out.jsonl")
    assert result.code == 3, result.err
    assert {line["status"] for line in cli.lines("out.jsonl")} == {"dead"}
    assert all(line["error"].startswith("refused") for line in cli.lines("out.jsonl"))
    assert "4 x refused" in result.err
    assert "retry 1 --dead" in result.err


def test_out_of_money_pauses_with_the_providers_words(cli: Cli) -> None:
    result = cli("run", cli.rows(6), "--simulate", "--simulate-faults", "quota=1", "-o", cli.folder / "out.jsonl")
    assert result.code == 4, result.err
    assert "paused (quota)" in result.err
    assert "exceeded your current quota" in result.err
    assert cli.pasted("resume 1 -o") in result.err
    assert "6 of them pending" in result.err
    assert cli("show", "1", "--json").json["reason"] == "quota"


def test_a_paused_job_goes_on_where_it_stood(cli: Cli) -> None:
    cli("run", cli.rows(6), "--simulate", "--simulate-faults", "quota=1")
    result = cli("resume", "1", "-o", cli.folder / "out.jsonl")
    assert result.code == 0, result.err
    assert [line["id"] for line in cli.lines("out.jsonl")] == list(range(6))


def test_resuming_a_finished_job_writes_its_results_again(cli: Cli) -> None:
    cli("run", cli.rows(2), "--simulate")
    assert cli("resume", "1", "-o", cli.folder / "out.jsonl").code == 0
    assert len(cli.lines("out.jsonl")) == 2
    told = cli("resume", "1", "-o", cli.folder / "out.jsonl", "--json")
    (event,) = [json.loads(line) for line in told.out.splitlines()]
    assert (event["event"], event["done"], event["exit_code"]) == ("end", 2, 0)
    assert event["results"] == str(cli.folder / "out.jsonl")


def test_a_run_killed_after_its_last_answer_is_complete_when_resumed(cli: Cli) -> None:
    cli("run", cli.rows(2), "--simulate")
    with closing(sqlite3.connect(cli.db)) as conn, conn:
        conn.execute("UPDATE job SET state = 'running', finished_at = NULL")
    assert cli("show", "1", "--json").json["reason"] == "owner_lost"
    assert cli("resume", "1").code == 0
    assert cli("show", "1", "--json").json["state"] == "completed"


def test_retried_items_run_to_their_end(cli: Cli) -> None:
    cli("run", cli.rows(3), "--simulate", "--simulate-faults", "filter=1", "--name", "first")
    assert cli("retry", "first", "--class", "timeout").code == 2
    retried = cli("retry", "first", "--dead")
    assert retried.code == 0
    assert "pending again: 3 items of job 1" in retried.err
    assert cli("resume", "first").code == 0
    assert cli("show", "first", "--json").json["done"] == 3


def test_a_bad_row_is_reported_and_the_rest_runs(cli: Cli) -> None:
    path = cli.folder / "in.jsonl"
    path.write_text('{"prompt": "one"}\n{broken\n{"prompt": "three"}\n')
    result = cli("run", path, "--simulate", "-o", cli.folder / "out.jsonl")
    assert result.code == 0
    assert "Rejected rows: 1" in result.err
    assert "in.jsonl:2" in result.err
    rejects = cli.lines("out.rejects.jsonl")
    assert [reject["line"] for reject in rejects] == [2]
    strict = cli("run", path, "--simulate", "--strict")
    assert strict.code == 2
    assert "in.jsonl:2" in strict.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere.jsonl",), "nowhere.jsonl"),
        (("rows.jsonl", "-o", "out.xlsx"), "does not say in which format"),
        (("rows.jsonl", "-o", "no/such/out.csv"), "there is no directory"),
        (("rows.jsonl", "-o", "rows.jsonl"), "is the input itself"),
        (("rows.jsonl", "-c", "many"), "--concurrency many"),
        (("rows.jsonl", "--budget", "lots"), "--budget lots"),
        (("rows.jsonl", "--param", "temperature"), "--param temperature"),
        (("rows.jsonl", "--mode", "all"), "--mode all"),
        (("rows.jsonl", "--no-cache", "--refresh"), "two things"),
        (("rows.jsonl", "--simulate-faults", "429=7"), "429=7"),
        (("rows.jsonl", "--rpm", "0"), "--rpm"),
        (("rows.jsonl", "--prompt", "{{ absent"), "line 1"),
        (("rows.jsonl", "--no-such-option"), "--no-such-option"),
        (("rows.jsonl", "--format", "docx"), "docx"),
    ],
)
def test_bad_usage_is_said_in_words_with_exit_code_two(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(cli.folder)
    cli.rows(1)
    result = cli("run", *words, "--simulate")
    assert result.code == 2, result.err
    assert said in result.err
    assert "Traceback" not in result.err
    assert (cli.job() or {}).get("state") is None


def test_a_missing_key_is_named_and_nothing_is_sent(cli: Cli) -> None:
    result = cli("run", cli.rows(2), "-m", "gpt-4o-mini", "--endpoint", "openai")
    assert result.code == 2
    assert "OPENAI_API_KEY" in result.err


def test_a_job_file_runs_and_options_win_over_it(cli: Cli) -> None:
    cli.rows(4)
    job = cli.folder / "job.yaml"
    job.write_text(
        "name: from the file\ninput: rows.jsonl\nendpoint: openai\nmodel: gpt-4o\n"
        "prompt: 'Say {{ id }}'\nlimits: {rpm: 60, tpm: 1000}\noutput: answers.jsonl\n"
    )
    result = cli("run", job, "--simulate", "-m", "gpt-4o-mini", "--tag", "a=b", "--param", "temperature=0.5")
    assert result.code == 0, result.err
    assert "limits (60 RPM, 1,000 TPM) are lifted" in result.err
    assert {line["model"] for line in cli.lines("answers.jsonl")} == {"gpt-4o-mini"}
    shown = cli("show", "from the file").out
    assert "temperature=0.5" in shown
    assert "a=b" in shown


def test_a_sample_is_spread_over_the_file(cli: Cli) -> None:
    result = cli("run", cli.rows(100), "--simulate", "--sample", "4", "-o", cli.folder / "out.jsonl")
    assert result.code == 4, result.err
    assert [line["id"] for line in cli.lines("out.jsonl") if line["status"] == "done"] == [12, 37, 62, 87]
    assert "All 100: cost" in result.err
    assert "resume 1" in result.err


def test_the_rest_of_a_sample_is_asked_with_a_yes_or_by_resume(cli: Cli) -> None:
    rows = cli.rows(30)
    assert cli("run", rows, "--simulate", "--sample", "4", "--yes", "-o", cli.folder / "one.jsonl").code == 0
    assert cli("run", rows, "--simulate", "--no-cache", "--sample", "4").code == 4
    assert cli("resume", "2", "-o", cli.folder / "two.jsonl").code == 0
    for name in ("one.jsonl", "two.jsonl"):
        assert {line["status"] for line in cli.lines(name)} == {"done"}


def test_a_sample_as_large_as_the_file_is_the_whole_job(cli: Cli) -> None:
    result = cli("run", cli.rows(3), "--simulate", "--sample", "9k")
    assert result.code == 0
    assert "3 rows, " in result.err, "and not: 9,000 of them first"


@pytest.mark.parametrize(
    "words",
    [
        "run rows.csv --sample none",
        "run --from-job mine",
        "items 1 --limit 0",
        "simulate --slots 0",
        "simulate --rpm 5z",
    ],
)
def test_a_number_that_is_none_is_told_with_its_option_and_an_example(cli: Cli, words: str) -> None:
    """All numbers of things are read alike: 500, 20,000 or 20k."""
    result = cli(*words.split())
    option = words.split()[-2]
    assert result.code == 2
    assert f"error: {option} {words.split()[-1]}: must be a whole number of at least 1" in result.err
    assert f"For example: {option} 5" in result.err


def test_embeddings_are_lists_of_numbers(cli: Cli) -> None:
    result = cli("run", cli.rows(2), "--simulate", "--operation", "embed", "-o", cli.folder / "out.jsonl")
    assert result.code == 0, result.err
    vector = cli.lines("out.jsonl")[0]["response"]
    assert len(vector) > 100
    assert all(isinstance(number, float) for number in vector)


@pytest.mark.parametrize("api", ["openai", "anthropic", "ollama"])
def test_the_simulator_speaks_every_wire_format(cli: Cli, api: str) -> None:
    result = cli("run", cli.rows(2), "--simulate", "--api", api, "-o", cli.folder / "out.jsonl")
    assert result.code == 0, result.err
    assert all(line["response"] for line in cli.lines("out.jsonl"))


def test_several_models_answer_every_row(cli: Cli) -> None:
    models = ("-m", "gpt-4o", "-m", "gpt-4o-mini")
    result = cli("run", cli.rows(2), "--simulate", *models, "-o", cli.folder / "out.jsonl")
    assert result.code == 0, result.err
    lines = cli.lines("out.jsonl")
    assert [(line["id"], line["model"]) for line in lines] == [
        (n, m) for n in (0, 1) for m in ("gpt-4o", "gpt-4o-mini")
    ]


def test_results_that_cannot_be_written_leave_the_earlier_ones_alone(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    out = cli.folder / "out.jsonl"
    out.write_text("earlier\n")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    result = cli("run", cli.rows(2), "--simulate", "-o", out)
    monkeypatch.undo()
    assert result.code == 1
    assert "No space left on device" in result.err
    assert out.read_text() == "earlier\n"
    assert sorted(path.name for path in Path(cli.folder).glob(".*.part")) == []


def test_foreign_text_cannot_draw_on_the_screen(cli: Cli) -> None:
    path = cli.folder / "in.jsonl"
    path.write_text(json.dumps({"prompt": "x", "custom_id": "[bold]\x1b[2J\u202e"}) + "\n")
    cli("run", path, "--simulate", "--name", "evil\x1b]0;t\x07[red]")
    for words in (("items", "1"), ("show", "1"), ("ls",), ("set", "1", "tags=of=\x1b[2J\u202e"), ("delete", "1")):
        shown = cli(*words)
        assert "\x1b" not in shown.out + shown.err
        assert "\u202e" not in shown.out + shown.err
    assert "[bold]" in cli("items", "1").out


def test_streamed_answers_are_the_same_answers(cli: Cli) -> None:
    assert cli("run", cli.rows(4), "--simulate", "--no-cache", "-o", cli.folder / "whole.jsonl").code == 0
    result = cli("run", cli.rows(4), "--simulate", "--no-cache", "--stream", "-o", cli.folder / "streamed.jsonl")
    assert result.code == 0, result.err
    kept = ("id", "response", "usage", "finish_reason", "model", "status")
    whole, streamed = ([{n: line[n] for n in kept} for line in cli.lines(f)] for f in ("whole.jsonl", "streamed.jsonl"))
    assert streamed == whole


def test_answers_that_stall_are_asked_for_again_long_before_their_time_is_over(cli: Cli) -> None:
    cli.rows(8)
    job = "input: rows.jsonl\nmodel: gpt-4o-mini\nstream: true\ntimeouts: {base: 600, first_byte: 100, stall: 0.15}\n"
    # A busy machine is silent for so long itself now and then.
    (cli.folder / "job.yaml").write_text(job + "retry: {max_attempts: 30}\n")
    result = cli("run", cli.folder / "job.yaml", "--simulate", "--simulate-faults", "stall=0.4", "-o", "-")
    assert result.code == 0, result.err
    assert len(result.out.splitlines()) == 8
    with closing(sqlite3.connect(cli.db)) as conn, conn:
        failed = conn.execute("SELECT class, latency_ms FROM attempt").fetchall()
    assert failed
    assert {cls for cls, _ in failed} == {"timeout"}
    assert all(latency_ms < 600_000 for _, latency_ms in failed)


def test_answers_that_a_length_limit_cut_are_told_at_the_end_and_in_the_results(cli: Cli) -> None:
    result = cli("run", cli.rows(6), "--simulate", "--param", "max_tokens=3", "-o", cli.folder / "out.jsonl")
    assert result.code == 0, result.err
    assert "6 answers cut by a length limit (flags: truncated)" in result.err
    assert {line["flags"] for line in cli.lines("out.jsonl")} == {"truncated"}
