"""What a person meets in the first minutes: sample jobs, slips of the pen, servers that are not there."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tui_batch.work import preflight
from tui_batch.work.place import started_as
from tui_batch.work.samples import sample_names

if TYPE_CHECKING:
    from conftest import Cli


@pytest.fixture
def closed_port() -> int:
    """A port where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "SECOND_LOOK_S", 0)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_the_sample_jobs_run_by_their_names(cli: Cli) -> None:
    assert sample_names() == ["embeddings", "grade_school_math", "ollama", "prompts", "support_tickets"]
    result = cli("run", "sample:prompts", "--simulate", "-o", cli.folder / "out.jsonl")
    assert result.code == 0, result.err
    assert len(cli.lines("out.jsonl")) == 20


def test_a_job_file_among_the_samples_brings_its_settings(cli: Cli) -> None:
    result = cli("run", "sample:ollama", "--simulate", "--sample", "3", "--yes")
    assert result.code == 0, result.err
    assert "llama3.2:3b @ simulator, concurrency 4" in result.err


def test_an_unknown_sample_names_those_there_are(cli: Cli) -> None:
    result = cli("run", "sample:tickets", "--simulate")
    assert result.code == 2
    assert "support_tickets" in result.err


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_a_column_that_no_row_has_is_told_before_anything_is_made(cli: Cli, name: str) -> None:
    rows = "text,n\nhello,1\nhi,2\n" if name.endswith("csv") else '{"text": "hello", "n": 1}\n{"text": "hi", "n": 2}\n'
    (cli.folder / name).write_text(rows)
    result = cli("run", cli.folder / name, "--simulate", "--prompt", "Say {{ txt }}")
    assert result.code == 2
    assert "`txt`" in result.err
    assert "did you mean `text`" in result.err
    assert cli("ls", "--json").json == []


@pytest.mark.parametrize("option", ["--custom-id-column", "--priority-column"])
def test_a_column_named_for_ids_that_no_row_has_is_told_before_anything_is_made(cli: Cli, option: str) -> None:
    """Else every row would be without an id, and that would be seen after all was paid for."""
    (cli.folder / "rows.csv").write_text("text,nr\nhello,1\nhi,2\n")
    words = ("run", cli.folder / "rows.csv", "--simulate", "--prompt", "Say {{ text }}")
    slip = cli(*words, option, "number")
    assert slip.code == 2
    assert "no row has the column `number`" in slip.err
    assert "it has: text, nr" in slip.err
    assert cli("ls", "--json").json == []
    assert cli(*words, option, "nr").code == 0
    assert cli(*words, option, "").code == 0


def test_a_column_that_only_some_rows_have_costs_those_without_it(cli: Cli) -> None:
    (cli.folder / "rows.jsonl").write_text('{"a": "x"}\n{"text": "hello"}\n')
    result = cli("run", cli.folder / "rows.jsonl", "--simulate", "--prompt", "Say {{ text }}")
    assert result.code == 3
    assert "1 of 2 done, 1 dead" in result.err


@pytest.mark.parametrize("more", [(), ("--detach",)])
def test_nothing_listening_is_told_at_once_with_the_address(cli: Cli, closed_port: int, more: tuple[str, ...]) -> None:
    url = f"http://127.0.0.1:{closed_port}/v1"
    result = cli("run", cli.rows(2), "-m", "x", "--base-url", url, *more)
    assert result.code == 2
    assert f"({url}): nothing listens on port {closed_port}" in result.err
    assert "Start the server" in result.err
    assert cli("ls", "--json").json == []


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "two..dots.example"])
def test_what_can_be_no_host_is_told_in_words(cli: Cli, host: str) -> None:
    result = cli("run", cli.rows(1), "-m", "x", "--base-url", f"http://{host}/v1")
    assert result.code == 2
    assert f"{host} can be no host's name" in result.err
    assert "check the address" in result.err


def test_of_several_servers_one_may_be_down(cli: Cli, closed_port: int) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        up = f"http://127.0.0.1:{listening.getsockname()[1]}"
        (cli.folder / "settings.yaml").write_text(
            f"endpoints:\n- {{name: up, base_url: '{up}'}}\n- {{name: down, base_url: 'http://127.0.0.1:{closed_port}'}}\n"
        )
        (cli.folder / "job.yaml").write_text("input: rows.jsonl\nmodels:\n- {model: m, endpoints: [up, down]}\n")
        cli.rows(1)
        process = cli.start("run", "job.yaml", "--settings", "settings.yaml")
        told = [process.stderr.readline() for _ in range(2)] if process.stderr else []
    assert f"down (http://127.0.0.1:{closed_port}/v1): nothing listens" in told[1]


@pytest.mark.parametrize("url", ["htp:/foo", "ftp://host/v1", "http://"])
def test_what_is_no_address_is_refused(cli: Cli, url: str) -> None:
    result = cli("run", cli.rows(1), "-m", "x", "--base-url", url)
    assert result.code == 2
    assert "is not a base URL" in result.err


def test_commands_to_paste_start_where_the_program_is_not_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    command = started_as()
    assert subprocess.run([*command, "--version"], capture_output=True, check=False).returncode == 0


BODY = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}
BATCH_LINE = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": BODY}


@pytest.mark.parametrize("line", [BATCH_LINE, BODY, {"prompt": "Hello", "model": "gpt-4o-mini"}])
def test_rows_that_name_their_model_need_no_other(cli: Cli, line: dict[str, object]) -> None:
    (cli.folder / "rows.jsonl").write_text(json.dumps(line) + "\n")
    result = cli("add", cli.folder / "rows.jsonl", "--endpoint", "openai")
    assert result.code == 0, result.err
    assert "gpt-4o-mini @ openai" in result.err


CARS = [{"prompt": "Is it fast?", "model": "Golf"}, {"prompt": "Is it small?", "model": 208}]
MODELS = [{"prompt": "Hello", "model": "gpt-4o-mini"}, {"prompt": "Hello again", "model": "gpt-4o"}]
NAMED = "input: {path: rows.jsonl, columns: {model: model}}\nmodel: m\nmode: single\n"


@pytest.mark.parametrize(
    ("rows", "words", "asked"),
    [
        (CARS, ("rows.jsonl", "-m", "gpt-4o"), ["gpt-4o", "gpt-4o"]),
        (MODELS, ("rows.jsonl", "-m", "small"), ["small", "small"]),
        (MODELS, ("rows.jsonl",), ["gpt-4o-mini", "gpt-4o"]),
        (MODELS, ("job.yaml",), ["gpt-4o-mini", "gpt-4o"]),
    ],
)
def test_a_column_model_is_data_where_the_models_are_named(
    cli: Cli, rows: list[object], words: tuple[str, ...], asked: list[str]
) -> None:
    """Else a table of cars would be sent to models that are called like cars, at whatever price."""
    (cli.folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (cli.folder / "job.yaml").write_text(NAMED)
    result = cli("run", cli.folder / words[0], *words[1:], "--simulate", "-o", cli.folder / "out.jsonl")
    assert result.code == 0, result.err
    assert [line["model"] for line in cli.lines("out.jsonl")] == asked


def test_embeddings_of_a_batch_file_are_lists_beside_chats(cli: Cli) -> None:
    embed = {"custom_id": "b", "method": "POST", "url": "/v1/embeddings", "body": {"model": "e", "input": "hi"}}
    (cli.folder / "rows.jsonl").write_text(json.dumps(BATCH_LINE) + "\n" + json.dumps(embed) + "\n")
    result = cli("run", cli.folder / "rows.jsonl", "--simulate", "-o", cli.folder / "out.jsonl")
    assert result.code == 0, result.err
    assert [type(line["response"]) for line in cli.lines("out.jsonl")] == [str, list]


@pytest.mark.parametrize("more", [(), ("--detach",)])
def test_a_finished_job_has_nothing_to_resume_and_nothing_to_retry(cli: Cli, more: tuple[str, ...]) -> None:
    cli("run", cli.rows(1), "--simulate")
    result = cli("resume", "1", *more)
    assert result.code == 2
    assert "has nothing left to do: it is completed" in result.err
    assert "retry" not in result.err
