"""What is typed ahead of the app goes where it would have gone, had it been typed slowly: no key outruns another.

All that a person does is there before the app looks at the first of it, as on a machine that is busy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from app_bench import until
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, Input, OptionList, Static

from tui_batch.tui.quick_keys import QuickKeys
from tui_batch.tui.screens.menu import Choice, Switches
from tui_batch.tui.widgets.area import Area
from tui_batch.tui.widgets.entry import Entry


class Boxed(Vertical):
    """A field that tells of itself by a message of its own, as those of a form do."""

    class Entered(Message):
        """Enter was pressed in it."""

        def __init__(self, box: Boxed) -> None:
            super().__init__()
            self.box = box

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Entry(id=f"in-{self.id}")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Entered(self))


class Form(QuickKeys[None]):
    """Fields, a text, a list and a button, in that order."""

    CSS = "Entry, Area, OptionList { height: 3; } Boxed { height: 3; }"
    BINDINGS = [  # noqa: RUF012
        Binding("down", "focus_next", show=False),
        Binding("up", "focus_previous", show=False),
        Binding("escape", "first", show=False),
    ]

    def compose(self) -> ComposeResult:
        yield Boxed(id="one")
        yield Boxed(id="two")
        yield Area(id="in-text", tab_behavior="focus")
        yield OptionList("a", "b", "c", id="list")
        yield Button("Go", id="go")

    def clear(self) -> None:
        """As at the beginning."""
        for entry in self.query(Entry):
            entry.value = ""
        self.query_one(Area).load_text("")
        self.query_one(OptionList).highlighted = None
        self.action_first()

    def action_first(self) -> None:
        """As a place does that leaves its filter: the focus comes by the app's queue."""
        self.query_one("#in-one").focus()

    @on(Boxed.Entered)
    def _entered(self) -> None:
        self.screen.focus_next()

    @on(OptionList.OptionSelected)
    def _picked(self) -> None:
        self.query_one("#in-two").focus()

    @on(Button.Pressed)
    def _pressed(self) -> None:
        self.query_one("#in-text").focus()

    @property
    def typed(self) -> tuple[str, str, str]:
        """What stands in the fields and in the text."""
        one, two = (self.query_one(f"#in-{name}", Entry).value for name in ("one", "two"))
        return one, two, self.query_one(Area).text


def key(name: str) -> events.Key:
    return events.Key(name, name if len(name) == 1 else None)


def do_at_once(app: QuickKeys[None], *doings: events.Event) -> None:
    assert app._driver is not None
    for event in doings:
        event.set_sender(app)
        app._driver.send_message(event)


def clicked(app: Form, selector: str) -> Iterable[events.Event]:
    x, y = app.query_one(selector).region.offset
    for kind in (events.MouseDown, events.MouseUp):
        yield kind(None, x + 1, y, 0, 0, 1, shift=False, meta=False, ctrl=False, screen_x=x + 1, screen_y=y)


WAYS = (
    ("a tab b", ("a", "b", "")),
    ("a enter b", ("a", "b", "")),
    ("a down b up end c", ("ac", "b", "")),
    ("a tab b shift+tab end c", ("ac", "b", "")),
    ("tab b escape a", ("a", "b", "")),
    ("tab tab x enter y shift+tab b", ("", "b", "x\ny")),
    ("tab b ctrl+u c home d tab x", ("", "dc", "x")),
    ("down down down down up up x", ("", "", "x")),
    ("tab tab tab down enter b", ("", "b", "")),
)
"""What is pressed in the first field, and what stands in all of them then."""


async def test_every_way_of_leaving_a_field_comes_before_what_is_typed_after_it() -> None:
    app = Form()
    async with app.run_test(size=(60, 24)) as pilot:
        for keys, typed in WAYS:
            app.clear()
            await until(pilot, lambda: app.query_one("#in-one").has_focus and not any(app.typed))
            do_at_once(app, *map(key, keys.split()))
            await until(pilot, lambda typed=typed: sum(map(len, app.typed)) == sum(map(len, typed)), keys)
            assert app.typed == typed, keys


class Stuck(Static, can_focus=True):
    """A part that waits for something that does not come."""

    def __init__(self) -> None:
        super().__init__("stuck")
        self.heard, self.end = asyncio.Event(), asyncio.Event()

    async def on_key(self) -> None:
        self.heard.set()
        await self.end.wait()


class WithStuck(QuickKeys[None]):
    """Beside a field."""

    def compose(self) -> ComposeResult:
        yield Stuck()
        yield Entry()


async def test_a_part_that_answers_nothing_keeps_no_key_from_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_batch.tui.way_home.LONGEST_S", 0.05)
    app = WithStuck()
    async with app.run_test(size=(60, 24)) as pilot:
        stuck, entry = app.query_one(Stuck), app.query_one(Entry)
        stuck.focus()
        await until(pilot, lambda: stuck.has_focus)
        try:
            do_at_once(app, key("x"))
            await stuck.heard.wait()
            entry.focus()
            do_at_once(app, key("a"), key("b"))
            while entry.value != "ab":  # the pilot would wait for the part that is stuck
                await asyncio.sleep(0.01)
        finally:
            stuck.end.set()


async def test_a_click_is_no_quicker_than_a_key_and_no_slower() -> None:
    app = Form()
    async with app.run_test(size=(60, 24)) as pilot:
        app.action_first()
        await until(pilot, lambda: app.query_one("#in-one").has_focus)
        into_two, on_button = clicked(app, "#in-two"), clicked(app, "#go")
        do_at_once(app, key("a"), key("enter"), key("b"), *into_two, key("c"), *on_button, key("x"))
        await until(pilot, lambda: sum(map(len, app.typed)) == 4, "all of it came somewhere")
        assert app.typed == ("a", "cb", "x"), "a click before the text puts the cursor there"


async def test_space_switches_what_the_cursor_went_to() -> None:
    app = Form()
    async with app.run_test(size=(60, 24)) as pilot:
        switched: list[str] = []

        def switch(name: str) -> list[Choice[str]]:
            switched.append(name)
            return choices

        choices = [Choice("", name, name) for name in ("state", "model", "cost")]
        await app.push_screen(Switches("Columns", choices, switch))
        await until(pilot, lambda: isinstance(app.focused, OptionList))
        do_at_once(app, *map(key, ("down", "down", "space", "up", "space")))
        await until(pilot, lambda: len(switched) == 2, "both")
        assert switched == ["cost", "model"]


async def test_a_key_that_comes_home_once_the_app_is_closed_looks_for_no_screen() -> None:
    app = Form()
    async with app.run_test(size=(60, 24)):
        before = app.screen
    assert not app.screen_stack
    await app._follow(before, frozenset())
