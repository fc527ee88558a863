"""A command line with a database, settings and logs of its own, in this process and as real processes."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tui_batch.cli.main import main
from tui_batch.simulator import config

DEADLINE_S = 150.0
"""Ends a test that waits for what never comes; nothing takes so long on any machine."""

collect_ignore = ["test_cli_processes.py", "test_cli_screens.py"] if sys.platform == "win32" else []
"""POSIX signals and pseudo-terminals."""


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Cli:
    folder: Path
    capture: pytest.CaptureFixture[str]
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def db(self) -> Path:
        return self.folder / "jobs.db"

    def __call__(self, *words: str | Path) -> Result:
        """Runs a command in this process."""
        self.capture.readouterr()
        code = main([str(word) for word in words])
        out, err = self.capture.readouterr()
        return Result(code, out, err)

    def pasted(self, words: str) -> str:
        """A command as it is told to a person: it names the database, which the environment names here."""
        return f"llmbatch-tui --db {self.db} {words}"

    def start(self, *words: str | Path, **options: Any) -> subprocess.Popen[str]:
        """Starts a command as a process of its own."""
        command = [sys.executable, "-m", "tui_batch", *map(str, words)]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, text=True, cwd=self.folder, **{**streams, **options})
        self.processes.append(process)
        return process

    def rows(self, number: int, name: str = "rows.jsonl") -> Path:
        path = self.folder / name
        path.write_text("".join(f'{{"id": {n}, "prompt": "Tell me about number {n}"}}\n' for n in range(number)))
        return path

    def job(self, job_id: int = 1) -> dict[str, Any] | None:
        """A job's row in the database; None while there is none."""
        if not self.db.exists():
            return None
        with closing(sqlite3.connect(f"file:{self.db}?mode=ro", uri=True)) as conn:
            conn.row_factory = sqlite3.Row
            try:
                row = conn.execute("SELECT * FROM job WHERE id = ?", (job_id,)).fetchone()
            except sqlite3.OperationalError:
                return None
        return dict(row) if row is not None else None

    def wait_for(self, what: Callable[[dict[str, Any]], bool], job_id: int = 1) -> dict[str, Any]:
        """Looks at a job until it is so; fails after a while."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            job = self.job(job_id)
            if job is not None and what(job):
                return job
            time.sleep(0.02)
        pytest.fail(f"did not come true: {self.job(job_id)}")

    def wait_for_database(self) -> None:
        """Waits until the database is there: a command has got past reading its options."""
        end = time.monotonic() + DEADLINE_S
        while not self.db.exists():
            assert time.monotonic() < end
            time.sleep(0.02)

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    monkeypatch.setitem(config._PROFILES, config.Profile.HOSTED, {})  # no waiting in this process
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_BASE_URL")) or name in ("OLLAMA_HOST", "NO_COLOR", "LLMBATCH_SETTINGS"):
            monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("LLMBATCH_DB", str(tmp_path / "jobs.db"))
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    # Tests started with & or nohup: a run would inherit that the signal is ignored.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    made = Cli(tmp_path, capsys)
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.kill()
        process.communicate()
