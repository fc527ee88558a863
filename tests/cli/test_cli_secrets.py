"""A key is used and never kept: a server that echoes it in every way cannot bring it into a file or onto a screen."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from listening import listening
from spellings import spellings

if TYPE_CHECKING:
    from conftest import Cli

KEY = "made/up+0123456789_abcdef=~Z"
"""Looks like no vendor's, and has what JSON, URLs, HTML and base64 write otherwise."""
SPELT = spellings(KEY)


class Echo(BaseHTTPRequestHandler):
    """Answers every request with its headers: first as errors of several kinds, then as an answer in any format."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        seen: list[str] = self.server.seen  # type: ignore[attr-defined]
        seen.append(self.headers.get("authorization") or self.headers.get("x-api-key") or "")
        self.server.watched |= set(files(self.server.folder))  # type: ignore[attr-defined]
        self.server.leaks += leaks(self.server.folder)  # type: ignore[attr-defined]
        status = {1: 500, 2: 429, 3: 400, 4: 302}.get(len(seen), 200)
        words = " ".join(f"{name}: {value}" for name, value in self.headers.items())
        words = " ".join((words, *(spelt for how, spelt in SPELT.items() if not how.startswith("over lines"))))
        if status == 200:
            kind, answer = answer_of(self.path, words, bool(asked.get("stream")))
        else:
            message = f"{words} {SPELT['over lines']}"
            error = {"message": message, "type": message, "code": message}
            kind, answer = "application/json", json.dumps({"type": "error", "error": error}).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("x-request-id", words)
        self.send_header("location", f"http://127.0.0.1:{self.server.server_port}/moved?{words}")  # type: ignore[attr-defined]
        self.send_header("retry-after", "0")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        self.server.moved.append(self.path)  # type: ignore[attr-defined]
        self.send_error(404, "no", " ".join(f"{name}: {value}" for name, value in self.headers.items()))

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def answer_of(path: str, words: str, stream: bool) -> tuple[str, bytes]:
    """Content type and body of a good answer with these words."""
    if path.endswith("/messages"):
        usage = {"input_tokens": 1, "output_tokens": 1}
        whole = {"type": "message", "content": [{"type": "text", "text": words}], "stop_reason": "end_turn"}
        return "application/json", json.dumps({**whole, "model": words, "usage": usage}).encode()
    if path.endswith("/api/chat"):
        whole = {"message": {"role": "assistant", "content": words}, "done": True, "done_reason": "stop"}
        return "application/x-ndjson", json.dumps({**whole, "model": words}).encode() + b"\n"
    if not stream:
        choice = {"message": {"role": "assistant", "content": words}, "finish_reason": "stop"}
        return "application/json", json.dumps({"choices": [choice], "model": words}).encode()
    parts = [words[at : at + 5] for at in range(0, len(words), 5)]  # no piece holds the whole key
    pieces = [{"choices": [{"delta": {"content": part}, "finish_reason": None}]} for part in parts]
    pieces.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    events = b"".join(b"data: " + json.dumps(piece).encode() + b"\n\n" for piece in pieces)
    return "text/event-stream", events + b"data: [DONE]\n\n"


@pytest.fixture
def echo(cli: Cli) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.folder = cli.folder  # type: ignore[attr-defined]
    server.leaks = []  # type: ignore[attr-defined]
    server.watched = set()  # type: ignore[attr-defined]
    server.seen = []  # type: ignore[attr-defined]
    server.moved = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("api", "path", "further"),
    [
        ("openai", "/v1", ()),
        ("openai", "/v1", ("--stream",)),
        ("anthropic", "", ()),
        ("ollama", "", ()),
    ],
)
def test_the_key_is_sent_and_found_nowhere(
    cli: Cli,
    echo: ThreadingHTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    api: str,
    path: str,
    further: tuple[str, ...],
) -> None:
    monkeypatch.setenv("LLMBATCH_API_KEY", KEY)
    url = f"http://127.0.0.1:{echo.server_port}{path}"
    to = ("--base-url", url, "--api", api)
    said = [
        cli("run", cli.rows(6), "-m", "m", *to, "--keep-raw", "-c", "1", "-o", cli.folder / "a.jsonl", *further),
    ]
    if api == "openai" and not further:  # what is in the database is the same way out for all of them
        said += [cli("export", "1", "-o", cli.folder / f"a.{ending}") for ending in ("csv", "json", "tsv")]
        said += [cli("report", "1", "-o", cli.folder / f"r.{ending}") for ending in ("html", "md", "json")]
        said += [cli("show", "1"), cli("items", "1", "--json"), cli("errors", "1"), cli("item", "1", "1")]
        said += [cli("endpoints"), cli("models", "--base-url", url)]
    assert any(KEY in sent for sent in echo.seen), "the key was sent"  # type: ignore[attr-defined]
    assert not any("moved" in got for got in echo.moved), "a redirect is not followed"  # type: ignore[attr-defined]
    assert len(cli.lines("a.jsonl")) == 6
    assert "[key removed]" in (cli.folder / "a.jsonl").read_text()
    for one in said:
        assert found_in(one.out + one.err) == []
    assert leaks(cli.folder) == []
    assert echo.leaks == [], "in the database and its log (-wal) while the job ran"  # type: ignore[attr-defined]
    assert any(path.name.endswith("-wal") for path in echo.watched)  # type: ignore[attr-defined]


def leaks(folder: Path) -> list[tuple[Path, str]]:
    """Every file under a folder that holds the key, and how."""
    found = []
    for path in files(folder):
        with suppress(FileNotFoundError):  # SQLite takes its log away when it is done
            found += [(path, how) for how in found_in(path.read_bytes().decode("latin-1"))]
    return found


def found_in(text: str) -> list[str]:
    """How the key is written in a text, if it is."""
    return [how for how, spelt in SPELT.items() if spelt in text]


def test_what_the_program_keeps_is_its_owners_alone(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database and its log (-wal) in use, the logs and their directories. Nor is anyone let in by the network."""
    before = os.umask(0)
    try:
        monkeypatch.setenv("LLMBATCH_DB", str(cli.folder / "data" / "jobs.db"))
        monkeypatch.setenv("LLMBATCH_API_KEY", KEY)
        started = cli("run", cli.rows(12), "--simulate", "--detach")
        (pid,) = map(int, re.findall(r"process ([0-9]+)", started.err))
        with suppress(psutil.Error):  # it has ended already
            assert KEY not in " ".join(psutil.Process(pid).cmdline())
        end = time.monotonic() + 150
        while (shown := cli("show", "1", "--json").json)["state"] != "completed":
            assert time.monotonic() < end, shown
            modes(cli.folder)
            assert listening(pid) == []
            time.sleep(0.05)
        monkeypatch.setattr("tui_batch.work.making.compose", fail)
        assert cli("run", cli.rows(1), "-m", "m", "--base-url", "http://127.0.0.1:9/v1").code == 1
    finally:
        os.umask(before)
    logs = [path.name for path in files(cli.folder) if path.suffix == ".log"]
    assert sorted(logs) == ["job-1.log", "llmbatch-tui.log"]
    modes(cli.folder)


def modes(folder: Path) -> None:
    """Looks at everything but what the test itself wrote."""
    for path in folder.rglob("*"):
        if os.name == "posix" and path.name != "rows.jsonl" and not path.name.startswith("xdg_"):
            with suppress(FileNotFoundError):  # SQLite takes its log away when it is done
                assert path.stat().st_mode & 0o077 == 0, path


def fail(*_: object) -> None:
    raise RuntimeError("unexpected")


def test_a_key_in_the_clear_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMBATCH_API_KEY", KEY)
    told = cli("add", cli.rows(1), "-m", "m", "--base-url", "http://models.test/v1")
    assert "the key goes unencrypted to http://models.test/v1" in told.err
    for url in ("https://models.test/v1", "http://localhost:9/v1"):
        assert "unencrypted" not in cli("add", cli.rows(1), "-m", "m", "--base-url", url).err


def test_a_traceback_in_the_log_holds_no_key(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMBATCH_API_KEY", KEY)

    monkeypatch.setattr("tui_batch.work.making.compose", fail)
    result = cli("run", cli.rows(1), "-m", "m", "--base-url", "http://127.0.0.1:9/v1")
    assert result.code == 1
    assert [path for path in files(cli.folder) if KEY.encode() in path.read_bytes()] == []


def files(folder: Path) -> list[Path]:
    """Every file under a folder: database, its log (-wal), logs, results."""
    return [path for path in folder.rglob("*") if path.is_file()]
