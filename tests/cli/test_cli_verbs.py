"""Verbs over jobs, items and this machine: what they print, for people and for programs."""

from __future__ import annotations

import json
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tui_batch.cli.verbs import VERBS
from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.work.reach import Listing

if TYPE_CHECKING:
    from conftest import Cli

JOB_FIELDS = [
    *("id", "name", "state", "reason", "total", "done", "dead", "pending", "cancelled", "cached"),
    *("tokens_in", "tokens_out", "cost_usd", "created_at", "started_at", "finished_at"),
]


@pytest.fixture
def finished(cli: Cli) -> Cli:
    """A job with three done items and two dead ones."""
    path = cli.folder / "mixed.csv"
    path.write_text("custom_id,prompt,n\n" + "".join(f"c{n},Tell me about {n},{n}\n" for n in range(5)))
    assert cli("run", path, "--simulate").code == 0
    with closing(sqlite3.connect(cli.db)) as conn, conn:  # what two refused rows would have left behind
        conn.execute("UPDATE item SET state = 'dead', outcome = 'refused' WHERE seq IN (1, 3)")
        conn.execute("UPDATE result SET message = 'blocked by rule ' || item_id WHERE item_id IN (2, 4)")
        conn.execute("UPDATE job SET done = 3, dead = 2")
    return cli


def test_ls_and_show_have_exactly_the_public_fields(finished: Cli) -> None:
    listed = finished("ls", "--json").json
    assert [list(job) for job in listed] == [JOB_FIELDS]
    shown = finished("show", "mixed", "--json").json
    assert shown == {**listed[0], "score_mean": None, "alerts": []}
    assert (shown["state"], shown["done"], shown["dead"], shown["total"]) == ("completed", 3, 2, 5)
    assert shown["created_at"].endswith("Z")


def test_ls_without_jobs_names_the_next_command_and_makes_no_database(cli: Cli) -> None:
    result = cli("ls")
    assert (result.code, result.out) == (0, "")
    assert cli.pasted("run") in result.err
    assert cli("ls", "--json").json == []
    assert not cli.db.exists()


@pytest.mark.parametrize("words", [("show", "7"), ("items", "7"), ("export", "7", "-o", "-"), ("pause", "nobody")])
def test_an_unknown_job_is_exit_code_two_with_a_remedy(finished: Cli, words: tuple[str, ...]) -> None:
    result = finished(*words)
    assert result.code == 2
    assert finished.pasted("ls") in result.err


def test_items_are_filtered_by_state_class_and_text(finished: Cli) -> None:
    dead = finished("items", "1", "--state", "dead", "--json").json
    assert [item["custom_id"] for item in dead] == ["c1", "c3"]
    assert [item["class"] for item in dead] == ["refused", "refused"]
    assert [item["seq"] for item in finished("items", "1", "--text", "about 2", "--json").json] == [2]
    assert finished("items", "1", "--class", "timeout", "--json").json == []
    table = finished("items", "1", "--limit", "2")
    assert "c0" in table.out
    assert "c2" not in table.out
    assert "the first 2 only" in table.err
    assert "c3" in finished("items", "1", "--limit", "2k").out
    assert finished("items", "1", "--state", "lost").code == 2


def test_errors_are_grouped_with_an_example(finished: Cli) -> None:
    groups = finished("errors", "1", "--json").json
    assert [(group["class"], group["count"]) for group in groups] == [("refused", 2)]
    assert groups[0]["example"] == "blocked by rule 2"
    assert "blocked by rule 2" in finished("errors", "1").out


def test_export_takes_every_format_and_a_state(finished: Cli) -> None:
    for name in ("a.jsonl", "a.csv", "a.json", "a.tsv", "a.jsonl.gz", "a.parquet"):
        result = finished("export", "1", "-o", finished.folder / name)
        assert result.code == 0, result.err
        assert "5 rows" in result.err
    only = finished("export", "1", "-o", "-", "--state", "dead").out.splitlines()
    assert [json.loads(line)["custom_id"] for line in only] == ["c1", "c3"]


def test_retry_by_item_and_by_custom_id(finished: Cli) -> None:
    assert finished("retry", "1", "--item", "2").code == 0
    assert finished("retry", "1", "--custom-id", "c3").code == 0
    assert finished("show", "1", "--json").json["pending"] == 2
    assert finished("retry", "1", "--dead", "--item", "2").code == 2


def test_clone_makes_the_same_job_anew(finished: Cli) -> None:
    result = finished("clone", "1", "--name", "again")
    assert result.out == "2\n"
    copy = finished("show", "again", "--json").json
    assert (copy["state"], copy["total"], copy["pending"]) == ("draft", 5, 5)
    assert finished("resume", "again").code == 0


def test_clone_takes_other_prompts_and_models(finished: Cli) -> None:
    two = finished(
        "clone", "1", "-m", "gpt-4o", "-m", "gpt-4o-mini", "--system", "Be brief.", "--param", "max_tokens=9"
    )
    assert two.code == 0, two.err
    shown = finished("show", "2").out
    assert "gpt-4o @ simulator; gpt-4o-mini @ simulator" in shown
    assert "simulator: simulator://local/v1 (openai)" in shown, "the settings that reports tell, all of them"
    assert "Be brief." in shown
    assert "max_tokens=9" in shown
    assert finished("show", "2", "--json").json["total"] == 10, "both models answer every row"
    wrong = finished("clone", "1", "--prompt", "{{ text")
    assert wrong.code == 2
    slip = finished("clone", "1", "--prompt", "{{ promt }}")
    assert slip.code == 2
    assert "no row has the column `promt`" in slip.err
    assert "did you mean `prompt`?" in slip.err
    assert len(finished("ls", "--json").json) == 2, "nothing is left of a clone that cannot be"


def test_what_destroys_asks_first(finished: Cli) -> None:
    for words in (("delete", "1"), ("cache", "clear")):
        refused = finished(*words)
        assert refused.code == 2
        assert "5" in refused.err
        assert "--yes" in refused.err
    assert finished("show", "1").code == 0
    assert "forgotten: 5 answers" in finished("cache", "clear", "--yes").err
    assert finished("delete", "1", "--yes").code == 0
    assert finished("ls", "--json").json == []


def test_add_leaves_the_job_for_later_and_cancel_ends_it(cli: Cli) -> None:
    added = cli("add", cli.rows(3), "--simulate", "--name", "later")
    assert added.out == "1\n"
    assert cli("show", "later", "--json").json["state"] == "draft"
    assert cli("cancel", "later", "--yes").code == 0
    shown = cli("show", "later", "--json").json
    assert (shown["state"], shown["cancelled"], shown["pending"]) == ("cancelled", 3, 0)


def test_a_blank_name_is_none(cli: Cli) -> None:
    assert cli("add", cli.rows(1), "--simulate", "--name", " ").code == 0
    assert cli("ls", "--json").json[0]["name"] == "rows"


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel"])
def test_a_job_with_nothing_left_to_do_is_told_so_with_what_to_do(cli: Cli, verb: str) -> None:
    assert cli("run", cli.rows(1), "--simulate").code == 0
    result = cli(verb, "1")
    assert result.code == 2
    assert "completed" in result.err
    assert cli.pasted("export 1 -o results.jsonl") in result.err


def test_a_job_whose_input_was_not_read_to_its_end_is_told_so_and_has_no_copy(cli: Cli) -> None:
    """A copy would be taken for the whole, and nothing would say which rows it lacks."""
    assert cli("add", cli.rows(3), "--simulate").code == 0
    with closing(sqlite3.connect(cli.db)) as conn, conn:  # as a process that is killed while it reads leaves it
        conn.execute("UPDATE job SET imported = 0")
    shown = cli("show", "1")
    assert "input not read to its end" in shown.out
    assert cli.pasted("delete 1") in shown.err
    assert "resume" not in shown.err + cli("set", "1", "rpm=5").err
    for verb in ("clone", "resume"):
        refused = cli(verb, "1")
        assert refused.code == 2
        assert "was not read to its end" in refused.err
        assert cli.pasted("delete 1") in refused.err
    assert len(cli("ls", "--json").json) == 1


def test_the_commands_that_are_told_can_be_pasted(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever database and settings were named: not every verb has both options, so they stand before it."""
    monkeypatch.chdir(cli.folder)
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    settings = cli.folder / "settings.yaml"
    settings.write_text("default_model: gpt-4o-mini\n")
    run = cli("run", cli.rows(2), "--simulate", "--settings", settings, "--db", cli.folder / "my jobs.db")
    told = [line.partition(":")[2] for line in run.err.splitlines() if line.startswith(("Export:", "Report:"))]
    told.append(cli("pause", "1", "--db", cli.folder / "my jobs.db").err.partition("has:")[2])
    monkeypatch.delenv("LLMBATCH_DB")
    assert len(told) == 3
    for line in told:
        program, *words = shlex.split(line)
        assert program == "llmbatch-tui"
        result = cli(*words)
        assert result.code == 0, result.err
    monkeypatch.setenv("LLMBATCH_DB", "elsewhere.db")
    listed = cli("models", "--settings", settings)
    if "See what is known:" in listed.err:  # no server runs on this machine
        assert cli(*shlex.split(listed.err.partition("known:")[2])[1:]).code == 0


def test_a_log_that_cannot_be_written_is_told_before_anything_runs_in_the_background(cli: Cli) -> None:
    (cli.folder / "xdg_state_home" / "llmbatch-tui" / "log" / "job-1.log").mkdir(parents=True)
    result = cli("run", cli.rows(1), "--simulate", "--detach")
    assert result.code == 2
    assert "job-1.log: the log cannot be written" in result.err
    assert cli.pasted("resume 1") in result.err


def test_what_is_asked_of_dead_items_says_whether_there_are_any(finished: Cli) -> None:
    none = finished("retry", "1", "--class", "timeout")
    assert (none.code, finished.pasted("errors 1") in none.err) == (2, True)
    assert finished("retry", "1", "--dead").code == 0
    for verb in ("retry", "discard"):
        result = finished(verb, "1")
        assert result.code == 2
        assert "job 1 has no dead items" in result.err


def test_paths_and_endpoints_and_doctor_never_show_a_key(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-do-not-show-this-0123456789")
    for words in (("paths",), ("paths", "--json"), ("endpoints",), ("endpoints", "--json"), ("doctor",)):
        result = cli(*words)
        assert result.code == 0, result.err + result.out
        assert "do-not-show" not in result.out + result.err
    assert "OPENAI_API_KEY" in cli("doctor").out
    names = {entry["name"]: entry["status"] for entry in cli("endpoints", "--json").json}
    assert names["openai"] == "ready"
    assert names["anthropic"] == "key missing"
    assert cli("paths", "--json").json["database"] == str(cli.db)


def test_paths_tell_of_every_file_that_a_person_may_write(cli: Cli) -> None:
    assert list(cli("paths", "--json").json) == [
        *("database", "settings", "keymap", "themes", "state", "logs", "shipped_themes", "sample_jobs")
    ]


def test_doctor_finds_a_database_in_a_folder_of_any_name(cli: Cli) -> None:
    db = cli.folder / "a#b %41 c" / "jobs.db"
    assert cli("run", cli.rows(1), "--simulate", "--db", db).code == 0
    found = cli("doctor", "--db", db)
    assert found.code == 0, found.out
    assert ", 1 job, " in found.out


def test_a_server_that_names_no_models_is_told_of(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    async def empty(*_: object) -> list[Listing]:
        return [Listing(Endpoint("mine", Api.OPENAI, "http://10.0.0.9/v1"))]

    monkeypatch.setattr("tui_batch.work.reach.list_everything", empty)
    shown = cli("models", "--endpoint", "mine")
    assert (shown.code, shown.out) == (0, "")
    assert "mine (http://10.0.0.9/v1) answers, and names no models" in shown.err


def test_models_without_a_key_says_which(cli: Cli) -> None:
    result = cli("models", "--endpoint", "openai")
    assert result.code == 2
    assert "OPENAI_API_KEY" in result.err


def test_without_a_terminal_the_bare_program_says_what_to_run(cli: Cli) -> None:
    result = cli()
    assert result.code == 2
    assert "llmbatch-tui run" in result.err


def test_the_database_may_be_named_before_or_after_the_verb(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLMBATCH_DB")
    other = cli.folder / "other.db"
    assert cli("--db", other, "add", cli.rows(1), "--simulate").code == 0
    shown = cli("show", "1", "--db", other)
    assert shown.code == 0
    assert f"--db {other}" in shown.err


def test_settings_that_were_named_must_be_there(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may name another database: its jobs must not be looked for in the usual one."""
    monkeypatch.delenv("LLMBATCH_DB")
    result = cli("--settings", cli.folder / "setings.yaml", "ls")
    assert result.code == 2
    assert "setings.yaml: there is no such file" in result.err


def test_a_file_that_is_no_database_is_refused_in_words(cli: Cli) -> None:
    cli.db.write_text("this is not a database" * 100)
    result = cli("show", "1")
    assert result.code == 2
    assert "Traceback" not in result.err


def test_version_and_help(cli: Cli) -> None:
    assert cli("--version").out.startswith("llmbatch-tui ")
    assert "resume" in cli("--help").out
    assert cli("nonsense").code == 2


def test_an_unexpected_fault_is_one_line_and_a_log(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr("tui_batch.cli.job_verbs._jobs", broken)
    cli.db.touch()
    result = cli("ls")
    assert result.code == 1
    assert "unexpected ZeroDivisionError: surprise" in result.err
    assert "Traceback" not in result.err
    log = cli.folder / "xdg_state_home" / "llmbatch-tui" / "log" / "llmbatch-tui.log"
    assert "ZeroDivisionError" in log.read_text()


HEAVY = {"textual", "rich", "pydantic", "jinja2", "httpx", "aiosqlite", "asyncio", "tiktoken", "yaml", "psutil"}


def test_help_starts_without_the_heavy_parts() -> None:
    code = (
        "import sys; from tui_batch.cli.main import main;"
        "main(['--help']); main(['run', '--help']); main(['--version']);"
        f"print(sorted({HEAVY} & set(sys.modules)), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr.strip() == "[]"
    assert ran.stdout.count("Usage: llmbatch-tui") == 2


def test_every_verb_in_the_table_can_be_used(cli: Cli) -> None:
    listed = cli("--help").out
    for name, verb in VERBS.items():
        assert f"  {name} " in listed
        assert verb.summary in listed, "a summary that a narrow terminal cuts"
        helped = cli(name, "--help")
        assert helped.code == 0
        assert helped.out.startswith(f"Usage: llmbatch-tui {name} ")
        said = helped.out.partition("Options:")[0]
        assert not set("<{") & set(said), "types of Python, and braces around what is needed, are no words of a person"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("re", ["resume", "retry", "report"]), ("cache c", ["clear"]), ("run --simulate-", ["--simulate-faults"])],
)
def test_a_shell_completes_verbs_and_options(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, typed: str, offered: list[str]
) -> None:
    monkeypatch.setenv("_LLMBATCH_TUI_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"llmbatch-tui {typed}")
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split())))
    assert cli().out.split() == offered


def test_rows_go_where_the_job_file_says_and_show_says_so_too(cli: Cli) -> None:
    (cli.folder / "rows.csv").write_text("text,lang\nhello there,en\nguten Tag,DE\nI want a refund,en\n")
    (cli.folder / "job.yaml").write_text(
        "input: rows.csv\nendpoint: openai\nprompt: '{{ text }}'\n"
        "routes:\n"
        "  - {when: {column: lang, in: [de, fr]}, model: gpt-4o}\n"
        "  - {when: {matches: 'refund$'}, model: gpt-4.1}\n"
        "  - {model: gpt-4o-mini}\n"
        "buckets: [{up_to: 500, concurrency: 8}, {concurrency: 1}]\n"
    )
    job = cli.folder / "job.yaml"
    result = cli("run", job, "--simulate", "-o", cli.folder / "out.jsonl")
    assert result.code == 0, result.err
    assert [line["model"] for line in cli.lines("out.jsonl")] == ["gpt-4o-mini", "gpt-4o", "gpt-4.1"]
    shown = cli("show", "1").out
    assert "lang is de or fr: gpt-4o; prompt matches refund$: gpt-4.1; all others: gpt-4o-mini" in shown
    assert "up to 500 tokens: 8 in flight; longer: 1 in flight" in shown
    assert cli("clone", "1").code == 0
    assert "all others: gpt-4o-mini" in cli("show", "2").out
    assert cli("run", job, "--simulate", "-m", "gpt-4o", "--no-cache", "-o", cli.folder / "one.jsonl").code == 0
    assert {line["model"] for line in cli.lines("one.jsonl")} == {"gpt-4o"}
    refused = cli("run", job, "--simulate", "--mode", "route", "-m", "gpt-4o")
    assert refused.code == 2
    assert "route 2 goes to gpt-4.1" in refused.err


def test_a_damaged_job_hides_no_other_and_can_be_deleted(cli: Cli) -> None:
    for _ in range(2):
        assert cli("run", cli.rows(2), "--simulate").code == 0
    with closing(sqlite3.connect(cli.db)) as conn, conn:
        conn.execute("UPDATE job SET spec = '{}' WHERE id = 1")
    listed = cli("ls")
    assert listed.code == 0
    assert [line.split()[2] for line in listed.out.splitlines()[1:]] == ["unreadable", "completed"]
    assert "job 1: its stored spec cannot be read" in listed.err
    assert "delete 1" in listed.err
    assert [job["state"] for job in cli("ls", "--json").json] == ["unreadable", "completed"]
    assert cli("cost", "--by", "job").code == 0
    shown = cli("show", "1")
    assert shown.code == 2
    assert "delete the job" in shown.err
    assert cli("delete", "1", "--yes").code == 0
    assert [job["id"] for job in cli("ls", "--json").json] == [2]
