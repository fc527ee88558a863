"""Arguments that no program should be given."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from tui_batch.cli.main import main

if TYPE_CHECKING:
    from conftest import Cli


@pytest.mark.parametrize(
    "words", [("items", "1", "--filter", "\udcff"), ("show", "\udcff"), ("errors", "\ud800\x1b[31m")]
)
def test_bytes_that_are_no_text_are_told_in_words(cli: Cli, words: tuple[str, ...]) -> None:
    assert cli("run", cli.rows(1), "--simulate").code == 0
    result = cli(*words)
    assert result.code == 2
    assert "not UTF-8" in result.err
    assert "Traceback" not in result.err
    assert "\x1b" not in result.err


@pytest.mark.parametrize(
    "words",
    [
        ("run", "~nobody-here/rows.csv", "--simulate"),
        ("run", "rows.csv", "--simulate", "-o", "~nobody-here/out.csv"),
        ("report", "1", "-o", "~nobody-here/out.html"),
        ("ls", "--db", "~nobody-here/jobs.db"),
        ("--settings", "~nobody-here/settings.yaml", "ls"),
    ],
)
def test_a_home_directory_that_is_not_there_is_told_in_words(cli: Cli, words: tuple[str, ...]) -> None:
    result = cli(*words)
    assert result.code == 2
    assert "there is no home directory ~nobody-here here" in result.err


@pytest.mark.parametrize("words", [("--db", "x" * 300, "ls"), ("--settings", "x" * 300, "paths")])
def test_a_path_that_cannot_be_looked_at_is_told_in_words(cli: Cli, words: tuple[str, ...]) -> None:
    result = cli(*words)
    assert result.code == 2
    assert "File name too long" in result.err
    assert f"{words[0]} PATH" in result.err


def test_a_usual_place_of_settings_that_cannot_be_looked_at_is_told_in_words(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may hold a budget for the day: to go on as if there were none would be dear."""
    monkeypatch.setenv("LLMBATCH_SETTINGS", str(cli.folder / ("x" * 300)))
    monkeypatch.delenv("LLMBATCH_DB")
    for words in (("ls",), ("run", cli.rows(1), "--simulate")):
        result = cli(*words)
        assert result.code == 2
        assert "File name too long" in result.err
        assert "--settings PATH" in result.err


@pytest.mark.parametrize(
    "words",
    [
        ("export", "1", "-o", "x" * 300 + ".csv"),
        ("report", "1", "-o", "x" * 300 + ".md"),
        ("run", "rows.jsonl", "--simulate", "-o", "x" * 300 + ".csv"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_before_anything_is_asked(cli: Cli, words: tuple[str, ...]) -> None:
    """As it is with a directory that is closed to this person."""
    assert cli("run", cli.rows(1), "--simulate").code == 0
    result = cli(*words)
    assert result.code == 2
    assert "File name too long" in result.err
    assert len(cli("ls", "--json").json) == 1


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437"])
def test_what_a_stream_cannot_say_is_escaped_and_no_fault(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """As behind a pipe on Windows, where standard output is not in UTF-8."""
    name = "\u4f60\u597d \U0001f600 caf\u00e9"
    out = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr("sys.stdout", out)
    for words, wanted in (
        (("run", cli.rows(1), "--simulate", "--name", name, "--json"), "completed"),
        (("ls",), "\\u4f60\\u597d"),
        (("show", "1", "--json"), "name"),
        (("items", "1", "--json"), "excerpt"),
        (("items", "1"), "gpt-4o-mini"),
    ):
        start = out.buffer.seek(0, io.SEEK_END)
        assert main([str(word) for word in words]) == 0
        out.flush()
        out.buffer.seek(start)
        told = out.buffer.read().decode(encoding)
        assert wanted in told
        if "--json" in words:
            values = [json.loads(line) for line in told.splitlines() if not told.startswith("[")]
            assert all(value.get("name", name) == name for value in values)


def test_more_dollars_than_there_are_is_no_budget(cli: Cli) -> None:
    result = cli("run", cli.rows(1), "--simulate", "--budget", "9e999999")
    assert result.code == 2
    assert "--budget 9e999999: must be an amount in US dollars, from 0 to 1,000,000,000" in result.err


@pytest.mark.parametrize("item", ["0", "-1", "9" * 30])
def test_an_item_that_no_database_can_hold_is_told_by_its_number(cli: Cli, item: str) -> None:
    assert cli("run", cli.rows(1), "--simulate").code == 0
    result = cli("export", "1", "-o", "-", "--item", item)
    assert (result.code, result.out) == (2, "")
    assert f"--item {item}: there is no such item" in result.err


@pytest.mark.parametrize(
    ("param", "words"),
    [
        ("temperature=1e999", "--param temperature: 1e999 is too large a number"),
        ("seed=" + "9" * 40, "--param seed: 99999999999999999999... is too large a whole number"),
        ("stop=" + "[" * 20_000, "--param stop: is nested too deeply"),
    ],
)
def test_a_parameter_that_no_request_can_hold_is_refused_by_name(cli: Cli, param: str, words: str) -> None:
    result = cli("run", cli.rows(1), "--simulate", "--param", param)
    assert result.code == 2
    assert words in result.err
    assert not cli.db.exists()


def test_names_of_files_cannot_act_on_the_terminal(cli: Cli) -> None:
    """A job file of a stranger names the file of results."""
    (cli.folder / "job.yaml").write_text(f'input: {cli.rows(1).name}\noutput: "out\\x9b2J.jsonl"\n')
    result = cli("run", cli.folder / "job.yaml", "--simulate")
    assert result.code == 0, result.err
    assert "out<U+009B>2J.jsonl (1 row)" in result.err
    assert "\x9b" not in result.err


MISTAKES = (
    "run . --simulate",
    "run missing.csv --simulate",
    "run latin.csv --simulate",
    "run empty.csv --simulate",
    "run rows.jsonl --simulate --operation generate -m gpt-4o",
    "run rows.jsonl --simulate --operation embed -m claude-haiku-4-5",
    "cost --since 2026-11-02 --until 2026-11-01",
    "run rows.jsonl --simulate --tag red",
    "run rows.jsonl --simulate --rpm fast",
    "run rows.jsonl --simulate -c 0",
    "run rows.jsonl --simulate --simulate-faults 429=0.1,429=0.2",
    "run latin.yaml --simulate",
    "edit 1 --row missing.json",
    "cancel 1 --yes",
    "show 99",
)


def test_a_mistake_is_told_with_what_to_do_about_it(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    (cli.folder / "latin.yaml").write_bytes(b"input: caf\xe9.csv\n")
    (cli.folder / "latin.csv").write_bytes(b"prompt\ncaf\xe9\n")
    (cli.folder / "empty.csv").write_bytes(b"")
    assert cli("run", cli.rows(1), "--simulate").code == 0
    monkeypatch.chdir(cli.folder)
    for mistake in MISTAKES:
        result = cli(*mistake.split())
        told = result.err.splitlines()
        assert result.code == 2, mistake
        assert told[0].startswith("error: "), mistake
        assert len(told) > 1, mistake
    many = cli("items", "1", "--filter", " ".join(["word"] * 1_500))
    assert (many.code, "a filter has at most 100 words" in many.err, "commas" in many.err) == (2, True, True)
