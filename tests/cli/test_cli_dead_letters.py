"""Single items and dead ones on the command line: shown, edited, discarded."""

from __future__ import annotations

import io
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Cli


@pytest.fixture
def failed(cli: Cli) -> Cli:
    """A job of four items, of which two are dead."""
    path = cli.folder / "letters.csv"
    path.write_text("custom_id,prompt\n" + "".join(f"c{n},Letter {n}\n" for n in range(4)))
    assert cli("run", path, "--simulate", "--system", "Be kind.").code == 0
    with closing(sqlite3.connect(cli.db)) as conn, conn:
        conn.execute("UPDATE item SET state = 'dead', outcome = 'refused' WHERE seq = 1")
        conn.execute("UPDATE item SET state = 'dead', outcome = 'bad_request' WHERE seq = 3")
        conn.execute("UPDATE result SET message = 'blocked' WHERE item_id IN (2, 4)")
        conn.execute("UPDATE job SET done = 2, dead = 2")
    return cli


def test_an_item_is_shown_with_its_prompt_as_sent(failed: Cli) -> None:
    shown = failed("item", "2", "--json").json
    assert [message["role"] for message in shown["messages"]] == ["system", "user"]
    assert shown["messages"][1]["content"] == "Letter 1"
    assert (shown["state"], shown["message"], shown["row"]["custom_id"]) == ("dead", "blocked", "c1")
    text = failed("item", "1")
    assert "[system]\nBe kind." in text.out
    assert "[answer]" in text.out
    assert failed("item", "99").code == 2


def test_an_items_failed_attempts_are_data_like_the_rest_of_it(failed: Cli) -> None:
    with closing(sqlite3.connect(failed.db)) as conn, conn:
        conn.execute(
            """INSERT INTO attempt(item_id, number, at, endpoint, model, class, status, message, latency_ms)
            VALUES (2, 1, 0, 'simulator', 'gpt-4o-mini', 'server_error', 500, 'boom' || char(27), 7)"""
        )
    shown = failed("item", "2")
    assert "attempt 1" in shown.out
    assert "server_error at gpt-4o-mini @ simulator: boom␛" in shown.out
    assert shown.err == ""
    (attempt,) = failed("item", "2", "--json").json["attempts_failed"]
    assert (attempt["class"], attempt["status"], attempt["at"]) == ("server_error", 500, "1970-01-01T00:00:00.000Z")


def test_the_words_of_the_app_choose_items(failed: Cli) -> None:
    assert [one["id"] for one in failed("items", "1", "--filter", "state:dead -class:refused", "--json").json] == [4]
    assert [one["id"] for one in failed("items", "1", "--state", "dead", "--filter", "row<3", "--json").json] == [2]
    assert [one["id"] for one in failed("items", "1", "--limit", "2", "--json").json] == [1, 2]
    assert "c1" in failed("items", "1", "--filter", "id:c1").out
    none = failed("items", "1", "--filter", "field.tone:kind")
    assert "no item is like that" in none.err
    wrong = failed("items", "1", "--filter", "state:dad")
    assert wrong.code == 2
    assert "state:dad is no state" in wrong.err
    out = failed.folder / "dead.jsonl"
    assert failed("export", "1", "-o", out, "--filter", "state:dead row>2").code == 0
    assert [json.loads(line)["custom_id"] for line in out.read_text().splitlines()] == ["c3"]


def test_an_edited_item_is_asked_anew(failed: Cli) -> None:
    row = failed.folder / "row.json"
    row.write_text(json.dumps({"custom_id": "c1", "prompt": "A nicer letter"}), encoding="utf-8-sig")
    edited = failed("edit", "2", "--row", row)
    assert edited.code == 0, "as editors on Windows save it, with a mark in front"
    assert "retry 1 --item 2" in edited.err
    assert failed("retry", "1", "--item", "2").code == 0
    assert failed("item", "2", "--json").json["messages"][1]["content"] == "A nicer letter"
    assert failed("item", "3", "--json").json["messages"][1]["content"] == "Letter 2"


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "no JSON"), ("[1]", "JSON object"), ('{"prompt": NaN}', "column 12: is no JSON"), ("[" * 5_000, "no JSON")],
)
def test_a_bad_row_is_refused_with_its_place(failed: Cli, text: str, words: str) -> None:
    row = failed.folder / "row.json"
    row.write_text(text)
    result = failed("edit", "2", "--row", row)
    assert result.code == 2
    assert words in result.err
    assert "row.json" in result.err
    assert failed("edit", "1", "--row", row).code == 2


def test_an_edited_item_that_waits_is_sent_by_resume(cli: Cli) -> None:
    """It is not dead: retry would find nothing."""
    assert cli("add", cli.rows(2), "--simulate").code == 0
    row = cli.folder / "row.json"
    row.write_text('{"prompt": "other"}')
    edited = cli("edit", "1", "--row", row)
    assert edited.code == 0, edited.err
    assert cli.pasted("resume 1") in edited.err


def test_a_row_from_standard_input_is_utf_8_whatever_the_terminal_speaks(
    failed: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = json.dumps({"custom_id": "c1", "prompt": "caf\u00e9"}, ensure_ascii=False).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(row), "cp1252"))
    assert failed("edit", "2", "--row", "-").code == 0
    assert failed("item", "2", "--json").json["row"]["prompt"] == "caf\u00e9"


def test_dead_items_are_discarded_by_class_and_only_when_told_to(failed: Cli) -> None:
    asked = failed("discard", "1", "--class", "refused")
    assert asked.code == 2  # nobody is there to say yes
    assert failed("discard", "1", "--class", "timeout", "--yes").code == 2
    assert failed("discard", "1", "--class", "refused", "--yes").code == 0
    shown = failed("show", "1", "--json").json
    assert (shown["dead"], shown["cancelled"], shown["done"]) == (1, 1, 2)
    assert "1 dead item discarded" in failed("discard", "1", "--yes").err
    assert failed("show", "1", "--json").json["dead"] == 0
