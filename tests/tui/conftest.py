"""What holds for all tests of the app: no animation, short waits, nothing of the person's own is read or written."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

LOOK_S, BUSY_S, MOST_S = 0.004, 0.001, 0.1


async def rest(min_sleep: float = 0.0, max_sleep: float = MOST_S) -> None:
    """Until the process rests, in place of Textual's wait of 20 ms twice a key, which with a job running is seconds."""
    end = time.monotonic() + min(max_sleep, MOST_S)
    while True:
        before = time.process_time()
        await asyncio.sleep(LOOK_S)
        if time.process_time() - before < BUSY_S or time.monotonic() > end:
            return


@pytest.fixture(scope="package", autouse=True)
def _parsed_once() -> Iterator[None]:
    """The same style sheets with the same colours are the same rules in every app: they are parsed for the first."""
    parse = Stylesheet._parse_rules
    known: dict[Any, list[RuleSet]] = {}

    def once(sheet: Stylesheet, *about: Any, **named: Any) -> list[RuleSet]:
        key = (about, tuple(named.items()), tuple(sheet._variables.items()))
        if key not in known:
            known[key] = parse(sheet, *about, **named)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", once)
        yield


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textual.pilot.wait_for_idle", rest)
    monkeypatch.setattr("textual.app.wait_for_idle", rest)
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("LLMBATCH_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("LLMBATCH_SETTINGS", str(tmp_path / "settings.yaml"))
    monkeypatch.delenv("LLMBATCH_DB", raising=False)
