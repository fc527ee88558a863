"""The real command as a process: signals, other processes, kill -9, the background, pipes and terminals."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from listening import listening

if TYPE_CHECKING:
    from conftest import Cli

DEADLINE_S = 150.0
"""Ends a test that waits for what never comes; nothing takes so long on any machine."""
LONG = 400
"""Rows that keep a run with two in flight busy for longer than any test."""


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=DEADLINE_S)
    return process.returncode, out, err


def read_until(stream_fd: int, found: Callable[[str], bool]) -> str:
    """Reads a descriptor until the text so far is as wanted, or it ends."""
    text, end = "", time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        if select.select([stream_fd], [], [], 0.1)[0]:
            try:
                piece = os.read(stream_fd, 65536)
            except OSError:  # a pseudo-terminal whose other side was closed
                return text
            if not piece:
                return text
            text += piece.decode("utf-8", "replace")
        if found(text):
            return text
    pytest.fail(f"did not come: {text[-500:]}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_drains_and_keeps_everything_paid_for(cli: Cli, number: signal.Signals) -> None:
    process = cli.start("run", cli.rows(LONG), "--simulate", "-c", "2", "-o", "out.jsonl")
    before = cli.wait_for(lambda job: job["done"] >= 2)
    process.send_signal(number)
    code, _, err = ended(process)
    assert code == 130, err
    assert "no new requests, waiting for" in err
    assert cli.pasted("resume 1 -o") in err
    after = cli.job()
    assert after is not None
    assert after["state"] == "paused"
    assert before["done"] <= after["done"] < LONG
    assert after["requests"] == after["done"]
    statuses = [line["status"] for line in cli.lines("out.jsonl")]
    assert (len(statuses), statuses.count("done")) == (LONG, after["done"])


def test_the_second_ctrl_c_does_not_wait_for_a_server_that_hangs_and_leaves_nothing_on_the_wire(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(DEADLINE_S)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        process = cli.start("run", cli.rows(5), "--base-url", url, "-m", "m", "-c", "3")
        asked = [server.accept()[0] for _ in range(3)]
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        read_until(process.stderr.fileno(), lambda text: "waiting for 3 in flight" in text)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        code, _, err = ended(process)
        assert code == 130
        assert "stay pending" in err
        assert cli.pasted("resume 1") in err
        for connection in asked:  # their time would be over after a minute
            with connection:
                connection.settimeout(50.0)
                while connection.recv(65536):
                    pass
    job = cli.job()
    assert job is not None
    assert (job["state"], job["pending"], job["owner_pid"]) == ("paused", 5, None)


def test_a_killed_run_goes_on_without_losing_or_doubling_a_row(cli: Cli) -> None:
    process = cli.start("run", cli.rows(LONG), "--simulate", "-c", "4")
    cli.wait_for(lambda job: job["done"] >= 5)
    process.kill()
    process.wait()
    kept = cli.job()
    assert kept is not None
    listed = cli("ls", "--json").json[0]
    assert (listed["state"], listed["reason"]) == ("paused", "owner_lost")
    result = cli("resume", "1", "-o", cli.folder / "out.jsonl")
    assert result.code == 0, result.err
    lines = cli.lines("out.jsonl")
    assert [line["id"] for line in lines] == list(range(LONG))
    assert {line["status"] for line in lines} == {"done"}
    job = cli.job()
    assert job is not None
    assert job["requests"] == LONG
    assert kept["done"] >= 5


def test_another_process_pauses_a_run(cli: Cli) -> None:
    process = cli.start("run", cli.rows(LONG), "--simulate", "-c", "2")
    cli.wait_for(lambda job: job["done"] >= 1)
    assert cli("pause", "1").code == 0
    code, _, err = ended(process)
    assert code == 4
    assert "paused (user)" in err
    assert cli.pasted("resume 1") in err


def test_another_process_cancels_a_run(cli: Cli) -> None:
    process = cli.start("run", cli.rows(LONG), "--simulate", "-c", "2")
    cli.wait_for(lambda job: job["done"] >= 1)
    assert cli("cancel", "1", "--yes").code == 0
    assert ended(process)[0] == 4
    job = cli.job()
    assert job is not None
    assert (job["state"], job["pending"]) == ("cancelled", 0)
    assert job["done"] + job["cancelled"] == LONG


def test_a_process_whose_streams_are_closed_runs_a_job_all_the_same(cli: Cli) -> None:
    """As some schedulers start one: the program gave up, or its event loop aborted it."""
    words = [sys.executable, "-m", "tui_batch", "run", str(cli.rows(1)), "--simulate", "--name", "closed"]
    ran = subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *words], cwd=cli.folder, timeout=DEADLINE_S)
    assert ran.returncode == 0
    job = cli.job()
    assert job is not None
    assert (job["name"], job["done"]) == ("closed", 1)
    with closing(sqlite3.connect(cli.db)) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_standard_output_without_room_is_no_fault_of_the_program(cli: Cli) -> None:
    words = [sys.executable, "-m", "tui_batch", "paths"]
    full = 'ulimit -f 0; exec "$@" > full.txt'  # a file that may hold nothing, as on a full disk
    ran = subprocess.run(["sh", "-c", full, "sh", *words], cwd=cli.folder, timeout=DEADLINE_S, capture_output=True)
    assert ran.returncode == 1
    assert ran.stderr.decode().splitlines() == [
        "error: standard output cannot be written: File too large", "Make room, or write elsewhere."
    ]  # fmt: skip


def test_another_process_retries_and_resumes_through_the_owner(cli: Cli) -> None:
    faults = ("--simulate", "--simulate-faults", "filter=0.5")
    process = cli.start("run", cli.rows(LONG), *faults, "-c", "2")
    cli.wait_for(lambda job: job["dead"] >= 1 and job["done"] >= 1)
    retried = cli("retry", "1", "--dead")
    assert retried.code == 0, retried.err
    assert "pending again" in retried.err
    assert "Nobody runs" not in retried.err
    resumed = cli("resume", "1", "-o", "-")
    assert resumed.code == 0
    assert f"goes on in process {process.pid}" in resumed.err
    assert cli.pasted("export 1 -o -\n") in resumed.err
    deleted = cli("delete", "1", "--yes")
    assert deleted.code == 2
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 130


def test_a_run_in_the_background_outlives_its_parent(cli: Cli) -> None:
    process = cli.start("run", cli.rows(4), "--simulate", "--detach", "-o", "out.jsonl")
    code, out, err = ended(process)
    assert (code, out.strip()) == (0, "1"), err
    found = re.search(r"process (\d+), log (\S+)", err)
    assert found is not None
    cli.wait_for(lambda job: job["state"] == "completed")
    end = time.monotonic() + DEADLINE_S
    while not (cli.folder / "out.jsonl").exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert [line["status"] for line in cli.lines("out.jsonl")] == ["done"] * 4
    with open(found[2]) as log:
        assert "Resuming job 1 rows: gpt-4o-mini" in log.read()


def test_standard_input_is_an_input(cli: Cli) -> None:
    process = cli.start("run", "-", "--simulate", "-o", "-", stdin=subprocess.PIPE)
    out, err = process.communicate('{"prompt": "one"}\n{"prompt": "two"}\n', timeout=DEADLINE_S)
    assert process.returncode == 0, err
    assert [json.loads(line)["prompt"] for line in out.splitlines()] == ["one", "two"]


def test_a_reader_that_goes_away_is_no_error(cli: Cli) -> None:
    assert cli("add", cli.rows(20_000), "--simulate").code == 0
    process = cli.start("export", "1", "-o", "-")
    assert process.stdout is not None
    assert process.stdout.readline().startswith('{"id":0')
    process.stdout.close()
    process.stdout = None
    code, _, err = ended(process)
    assert (code, err) == (141, "")


class Terminal:
    """A command on a pseudo-terminal that is its controlling terminal, 80 columns wide."""

    _LAUNCH = (
        "import os, sys; os.setsid(); fd = os.open(sys.argv[1], os.O_RDWR);"
        "[os.dup2(fd, n) for n in (0, 1, 2)];"
        "os.execv(sys.executable, [sys.executable, '-m', 'tui_batch', *sys.argv[2:]])"
    )

    def __init__(self, cli: Cli, *words: str) -> None:
        self.main, self._other = os.openpty()
        import fcntl
        import struct
        import termios

        fcntl.ioctl(self._other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        command = [sys.executable, "-c", self._LAUNCH, os.ttyname(self._other), *words]
        environment = {**os.environ, "TERM": "xterm-256color"}
        self.process = subprocess.Popen(command, text=True, cwd=cli.folder, env=environment)
        cli.processes.append(self.process)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.main)

    def until(self, pattern: str) -> str:
        return read_until(self.main, lambda text: re.search(pattern, text) is not None)

    def rest(self) -> str:
        """Everything to the end of the process."""
        text = read_until(self.main, lambda _: self.process.poll() is not None)
        with contextlib.suppress(OSError):
            while select.select([self.main], [], [], 0)[0]:
                text += os.read(self.main, 65536).decode("utf-8", "replace")
        os.close(self._other)
        return text


def test_a_terminal_gets_a_live_bar_and_ctrl_c_drains(cli: Cli) -> None:
    cli.rows(LONG)
    with Terminal(cli, "run", "rows.jsonl", "--simulate", "-c", "2") as terminal:
        seen = terminal.until(rf"/{LONG} \([1-9]\d* %\)")
        assert "\x1b[" in seen
        assert "tokens" in seen
        os.write(terminal.main, b"\x03")
        seen = terminal.rest()
        assert terminal.process.returncode == 130
        assert "no new requests" in seen
        assert "paused (user)" in seen
        assert "\x1b[?25h" in seen  # the cursor is back


def test_ctrl_c_ends_an_import_and_leaves_no_job(cli: Cli) -> None:
    process = cli.start("add", "-", "--simulate", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write('{"prompt": "one"}\n')
    process.stdin.flush()
    cli.wait_for(lambda job: job["state"] == "draft")
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    read_until(process.stderr.fileno(), lambda text: "again: leave at once" in text)
    code, _, _ = ended(process)
    assert code == 130
    assert cli("ls", "--json").json == []


@pytest.mark.parametrize("typed", [b"", b'{"prompt": "one"}\n'])
def test_ctrl_c_ends_a_run_whose_standard_input_says_nothing_more(cli: Cli, typed: bytes) -> None:
    with Terminal(cli, "run", "-", "--simulate") as terminal:
        cli.wait_for_database()
        os.write(terminal.main, typed)
        os.write(terminal.main, b"\x03")
        terminal.until("again: leave at once")
        os.write(terminal.main, b"\x03")
        terminal.rest()
    assert terminal.process.returncode == 130


def test_no_color_is_honoured(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    cli.rows(4)
    with Terminal(cli, "run", "rows.jsonl", "--simulate") as terminal:
        seen = terminal.rest()
    assert terminal.process.returncode == 0
    assert "4/4 (100 %)" in seen
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", seen)


def test_the_bare_program_without_a_terminal_names_run(cli: Cli) -> None:
    result = cli()
    assert result.code == 2
    assert "llmbatch-tui run" in result.err


def test_a_terminal_is_asked_before_something_is_deleted(cli: Cli) -> None:
    cli("add", cli.rows(3), "--simulate")
    with Terminal(cli, "delete", "1") as terminal:
        terminal.until(r"\[y/N\]")
        os.write(terminal.main, b"\n")
        assert "nothing was changed" in terminal.rest()
    assert cli.job() is not None
    with Terminal(cli, "delete", "1") as terminal:
        assert "3 items" in terminal.until(r"\[y/N\]")
        os.write(terminal.main, b"y\n")
        terminal.rest()
    assert terminal.process.returncode == 0
    assert cli.job() is None


def test_simulate_serves_until_ctrl_c(cli: Cli) -> None:
    server = cli.start("simulate", "--port", "0", "--profile", "instant")
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", url)
    assert listening(server.pid) == ["127.0.0.1"]
    result = cli("run", cli.rows(5), "--base-url", url, "-m", "gpt-4o-mini", "-o", cli.folder / "out.jsonl")
    assert result.code == 0, result.err
    assert "gpt-4o-mini" in cli("models", "--base-url", url).out
    server.send_signal(signal.SIGINT)
    code, _, err = ended(server)
    assert code == 0
    assert "5 requests answered" in err
