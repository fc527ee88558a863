"""The bare command: which words open the app at once, and that nothing of the command line is loaded for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tui_batch.cli import app
from tui_batch.work.place import Where


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Where | str]:
    """What was opened."""
    seen: list[Where | str] = []
    monkeypatch.delenv("LLMBATCH_DB", raising=False)
    monkeypatch.delenv("LLMBATCH_SETTINGS", raising=False)
    monkeypatch.setattr(app, "open_app", seen.append)
    return seen


@pytest.mark.parametrize("words", [["--db", "/x/jobs.db"], ["--db=/x/jobs.db"], ["--db", "/y", "--db", "/x/jobs.db"]])
def test_a_database_may_be_named(words: list[str], opened: list[Where | str]) -> None:
    opens = app.bare(words)
    assert opens is not None
    opens()
    assert opened == [Where(Path("/x/jobs.db"), None, ("--db", "/x/jobs.db"))]


def test_the_demo_is_opened_too() -> None:
    assert app.bare(["demo"]) is app.open_demo


@pytest.mark.parametrize(
    "words",
    [["ls"], ["--help"], ["--db"], ["--db="], ["--db", "--help"], ["--dbx", "y"], ["demo", "--faults", "500=1"]],
)
def test_everything_else_is_left_to_the_command_line(words: list[str]) -> None:
    assert app.bare(words) is None


def test_a_shell_that_asks_for_completions_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_LLMBATCH_TUI_COMPLETE", "complete_bash")
    assert app.bare([]) is None


def test_neither_the_command_line_nor_the_engine_is_loaded_before_the_list_is_drawn() -> None:
    slow = ("typer", "pydantic", "psutil", "jinja2", "pyreqwest", "tui_batch.engine.engine", "tui_batch.report.model")
    script = f"""
import sys
from tui_batch.cli.app import bare
import tui_batch.tui.start, tui_batch.tui.desk
print([name for name in {slow!r} if name in sys.modules], file=sys.stderr)
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stderr.strip() == "[]"
