"""Ctrl-C before the command line is even loaded: quiet, as at any other time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tui_batch.__main__ import main

if TYPE_CHECKING:
    from conftest import Cli


def interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


class Impatient:
    """Somebody who presses Ctrl-C as soon as anything is loaded."""

    @staticmethod
    def find_spec(name: str, *_: Any) -> None:
        if name.startswith("tui_batch"):
            interrupt()


def test_while_it_is_loaded(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["llmbatch-tui", "ls"])  # the bare command takes another way
    monkeypatch.delitem(sys.modules, "tui_batch.cli.main", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Impatient(), *sys.meta_path])
    assert main() == 130
    assert capsys.readouterr() == ("", "")


def test_before_the_work_begins(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_batch.engine.loop.run", interrupt)
    result = cli("show", "1")
    assert (result.code, result.out, result.err) == (130, "", "")
