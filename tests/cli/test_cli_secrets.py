"""A key is used and never kept: a server that echoes it in every way cannot bring it into a file or onto a screen."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Cli

KEY = "sk-made-up-0123456789abcdef"


class Echo(BaseHTTPRequestHandler):
    """Answers every request with its headers: first as errors of several kinds, then as an answer."""

    seen: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append(self.headers.get("authorization", ""))  # type: ignore[attr-defined]
        status = {1: 500, 2: 429, 3: 400}.get(len(self.server.seen), 200)  # type: ignore[attr-defined]
        words = " ".join(f"{name}: {value}" for name, value in self.headers.items())
        message = {"role": "assistant", "content": words}
        body = {"choices": [{"message": message, "finish_reason": "stop"}]} if status == 200 else {}
        answer = json.dumps(body or {"error": {"message": words, "type": words, "code": "x"}}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("x-request-id", words)
        self.send_header("retry-after", "0")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def echo() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.seen = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_key_is_sent_and_found_nowhere(
    cli: Cli, echo: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMBATCH_API_KEY", KEY)
    url = f"http://127.0.0.1:{echo.server_port}/v1"
    said = [
        cli("run", cli.rows(4), "-m", "m", "--base-url", url, "--keep-raw", "-c", "1", "-o", cli.folder / "a.jsonl")
    ]
    said += [cli("export", "1", "-o", cli.folder / f"a.{ending}") for ending in ("csv", "json", "tsv")]
    said += [cli("show", "1"), cli("items", "1", "--json"), cli("errors", "1"), cli("show", "1", "--json")]
    said += [cli("endpoints"), cli("models", "--base-url", url), cli("doctor")]
    assert f"Bearer {KEY}" in echo.seen, "the key was sent"  # type: ignore[attr-defined]
    assert len(cli.lines("a.jsonl")) == 4
    for one in said:
        assert KEY not in one.out + one.err
    assert [path for path in files(cli.folder) if KEY.encode() in path.read_bytes()] == []


def test_a_traceback_in_the_log_holds_no_key(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMBATCH_API_KEY", KEY)

    def fail(*_: object) -> None:
        raise RuntimeError("unexpected")

    monkeypatch.setattr("tui_batch.cli.working.compose", fail)
    result = cli("run", cli.rows(1), "-m", "m", "--base-url", "http://127.0.0.1:9/v1")
    assert result.code == 1
    assert [path for path in files(cli.folder) if KEY.encode() in path.read_bytes()] == []


def files(folder: Path) -> list[Path]:
    """Every file under a folder: database, its log (-wal), logs, results."""
    return [path for path in folder.rglob("*") if path.is_file()]
