"""A key in a list acts at once, in the order of typing, and what is typed elsewhere goes its usual way."""

from __future__ import annotations

from pathlib import Path

from app_bench import add_job, open_app, open_test_desk, until
from textual import events
from textual.widgets import Input

from tui_batch.tui.places.jobs import JobsPlace
from tui_batch.tui.screens.palette import Palette


async def test_a_key_moves_the_cursor_of_a_list_before_the_loop_turns(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        for name in "abc":
            await add_job(desk, ["a"], name=name)
        async with open_app(desk) as (app, _):
            table = app.query_one(JobsPlace).table
            before = table.cursor_row
            moved = app.on_event(events.Key("j", "j"))
            try:
                moved.send(None)
            except StopIteration:
                pass
            else:
                moved.close()
                raise AssertionError("the key waited for something")
            assert table.cursor_row is not before


async def test_keys_typed_faster_than_drawn_act_in_their_order(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        for name in "abc":
            await add_job(desk, ["a"], name=name)
        async with open_app(desk) as (app, pilot):
            place = app.query_one(JobsPlace)
            for key in ("j", "space", "slash"):
                app.post_message(events.Key(key, None))
            found = place.query_one("#jobs-filter", Input)
            await until(pilot, lambda: app.focused is found, "the filter is open")
            assert [job.name for job in place.chosen()] == ["b"], "the cursor moved, then the job under it was marked"
            await pilot.press("j", "b")
            await until(pilot, lambda: found.value == "jb", "in a field keys are letters")
            await pilot.press("escape")
            await until(pilot, lambda: not found.value, "escape takes the filter away")


async def test_what_is_typed_at_once_goes_into_what_its_first_key_opens(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        for name in "abc":
            await add_job(desk, ["a"], name=name)
        async with open_app(desk) as (app, pilot):

            def typed(text: str) -> None:
                for letter in text:
                    app.post_message(events.Key({":": "colon", "/": "slash"}.get(letter, letter), letter))

            typed(":report")
            await until(pilot, lambda: isinstance(app.screen, Palette), "the palette is open")
            await until(pilot, lambda: app.screen.query_one(Input).value == "report", "all of it came there")
            await pilot.press("escape")
            await until(pilot, lambda: len(app.screen_stack) == 1, "closed")
            typed("2/dry")
            found = app.query_one("#items-filter", Input)
            await until(pilot, lambda: found.value == "dry", "the filter of another place")
            assert len(app.view.jobs) == 3, "no letter was taken for a verb"
