"""Letters of a field in which a cursor stands: as many as there were, and all of them visible."""

from __future__ import annotations

import unicodedata

from app_bench import until
from hypothesis import given, settings
from hypothesis import strategies as st
from textual import events
from textual.app import App, ComposeResult

from tui_batch.safe_text import safe_letters
from tui_batch.tui.widgets.area import Area
from tui_batch.tui.widgets.entry import Entry


@settings(max_examples=50)
@given(st.text(st.characters(codec=None) | st.sampled_from("\x00\x1b\x7f\x9b\u200b\u202e\ufeff\ud800"), max_size=20))
def test_every_place_stays_and_nothing_can_act(text: str) -> None:
    shown = safe_letters(text)
    assert len(shown) == len(text)
    assert not {char for char in shown if unicodedata.category(char) in ("Cc", "Cs")}
    assert "\u202e" not in shown


def test_a_field_of_lines_keeps_its_tabs() -> None:
    assert safe_letters("a\tb\x1b\x7f\u202e", keep="\t") == "a\tb␛␡\ufffd"


class Fields(App[None]):
    def compose(self) -> ComposeResult:
        yield Entry(value="8")
        yield Area("8")


async def test_what_is_typed_quicker_than_the_app_works_is_done_in_its_order() -> None:
    app = Fields()
    async with app.run_test() as pilot:
        assert app._driver is not None
        entry, area = app.query_one(Entry), app.query_one(Area)
        for field, text in ((entry, lambda: entry.value), (area, lambda: area.text)):
            field.focus()
            await until(pilot, lambda one=field: one.has_focus)
            # All of it is there before the first is looked at, as when a person types ahead of a busy machine.
            for key in ("end", "ctrl+u", "0", "x", "5", "1", "backspace", "home", "1"):
                event = events.Key(key, key if len(key) == 1 else None)
                event.set_sender(app)
                app._driver.send_message(event)
            await until(pilot, lambda one=text: one() == "10x5", "in order")
