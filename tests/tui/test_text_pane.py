"""Words that are looked for while they are typed."""

from __future__ import annotations

import asyncio
import threading

import pytest
from textual.app import App, ComposeResult

from tui_batch.tui.widgets.text_pane import TextPane
from tui_batch.tui.wrapping import Block, Wrapped


class Reading(App[None]):
    def compose(self) -> ComposeResult:
        yield TextPane()


async def test_a_slow_look_for_fewer_letters_does_not_undo_the_look_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    looking, free, find = threading.Event(), threading.Event(), Wrapped.find

    def slow(text: Wrapped, words: str) -> tuple[tuple[int, int], ...]:
        if words == "o":
            looking.set()
            free.wait()
        return find(text, words)

    monkeypatch.setattr(Wrapped, "find", slow)
    app = Reading()
    async with app.run_test():
        pane = app.query_one(TextPane)
        await pane.put([Block("one, two, one")])
        before = asyncio.create_task(pane.look_for("o"))
        await asyncio.to_thread(looking.wait)
        await pane.look_for("one")
        free.set()
        await before
        assert (pane.hits, pane.hit) == (2, 1)


async def test_a_long_text_says_which_of_its_lines_are_seen() -> None:
    app = Reading()
    async with app.run_test(size=(80, 24)) as pilot:
        pane = app.query_one(TextPane)
        await pane.put([Block("short")])
        assert pane.at == ""
        await pane.put([Block("\n".join(f"line {number}" for number in range(2_000)))])
        assert pane.at == "1-24 of 2,000"
        pane.scroll_to(y=1_000, animate=False, force=True)
        await pilot.pause()
        assert pane.at == "1,001-1,024 of 2,000"
