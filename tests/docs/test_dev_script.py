"""dev.py, by which a newcomer sets everything up."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script over a folder of its own. Nothing is run; what would be is in `dev.ran`."""
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    ran: list[list[str]] = []

    def run(command: list[str], cwd: Path) -> int:
        ran.append(command)
        return 0

    def create(folder: Path, *, with_pip: bool) -> None:
        ran.append(["venv", str(with_pip)])
        made.PYTHON.touch()
        made.PIP.touch()

    monkeypatch.setattr(made.subprocess, "call", run)
    monkeypatch.setattr(made.venv, "create", create)
    monkeypatch.setattr(made, "VENV", tmp_path)
    monkeypatch.setattr(made, "PYTHON", tmp_path / "python")
    monkeypatch.setattr(made, "PIP", tmp_path / "pip")
    made.ran = ran  # type: ignore[attr-defined]
    return made


def test_everything_is_installed_once(dev: ModuleType) -> None:
    dev.install("dev")
    assert dev.ran[0] == ["venv", "True"]
    assert dev.ran[1][-2:] == ["--editable", ".[dev]"]
    dev.install("dev")
    assert len(dev.ran) == 2


def test_an_environment_that_was_left_without_pip_gets_it(dev: ModuleType) -> None:
    """So Debian leaves it where python3-venv is missing; once that is there the same command must go on."""
    dev.PYTHON.touch()
    dev.install("")
    assert dev.ran[0][1:3] == ["-m", "ensurepip"]
    assert dev.ran[1][-2:] == ["--editable", "."]
