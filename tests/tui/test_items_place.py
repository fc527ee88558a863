"""The items of a job in the app: listed, filtered, ordered, marked, opened, and acted on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from app_bench import open_app, open_test_desk, toasts
from item_yard import HOSTILE, Yard, add_letters, mixed_job, open_yard
from rich.cells import cell_len
from textual.app import App

from tui_batch.domain.item import ItemState
from tui_batch.domain.item_filter import ALL_ITEMS, ItemOrder, SortKey
from tui_batch.domain.item_scope import Selection
from tui_batch.domain.job import JobState
from tui_batch.errors import UserError
from tui_batch.store.item_view import ItemQuery, ItemSearch, Piece
from tui_batch.tui import editor, item_verbs
from tui_batch.tui.item_list import ItemList, Whole
from tui_batch.tui.item_parts import Part
from tui_batch.tui.places.items import ItemsPlace
from tui_batch.tui.screens import item_detail
from tui_batch.tui.screens.confirm import Confirm
from tui_batch.tui.screens.item_detail import ItemDetailScreen
from tui_batch.tui.widgets.frame import Hints
from tui_batch.tui.widgets.item_table import ItemTable
from tui_batch.tui.widgets.text_pane import TextPane


async def at_items(yard: Yard) -> ItemsPlace:
    """Goes there and waits for the rows."""
    await yard.press("2")
    place = yard.app.query_one(ItemsPlace)
    await yard.until(lambda: place.table.cursor_row is not None, "rows")
    return place


def listed(place: ItemsPlace) -> list[int]:
    """Row numbers of what is listed, from 1."""
    items = place.items
    assert items is not None
    return [row.seq + 1 for n in range(len(items)) if (row := items.row(n)) is not None]


async def shows(yard: Yard, place: ItemsPlace, rows: list[int]) -> None:
    await yard.until(lambda: listed(place) == rows, f"rows {rows}, not {listed(place)}")


async def test_items_are_listed_filtered_and_ordered(tmp_path: Path) -> None:
    async with open_yard(tmp_path, jobs=2) as yard:
        place = await at_items(yard)
        await shows(yard, place, list(range(1, 13)))
        await yard.until(lambda: "12 items" in yard.text())
        await yard.press("slash", *"state:dead")
        await shows(yard, place, [7, 8, 9, 10])
        await yard.press("space", *"-timeou", "enter")
        await yard.until(lambda: place.table.has_focus)
        await shows(yard, place, [7, 8, 9, 10])  # the class is no text of the item
        await yard.press("slash", *[*["backspace"] * 7], *"after", "enter")
        await shows(yard, place, [7, 8, 9])
        await yard.until(lambda: "3 of 12 match" in yard.text())
        assert [str(one) for one in place.export_scopes()] == ["what is listed (3): state:dead after"]
        await yard.press("escape")
        await shows(yard, place, list(range(1, 13)))
        await yard.press("o", "c")
        await yard.until(lambda: place.items is not None and place.items.order == ItemOrder(SortKey.COST))
        await yard.until(lambda: listed(place)[:4] == [7, 8, 9, 10])
        await yard.press("o", "c")
        await yard.until(lambda: listed(place)[:6] == [6, 5, 4, 3, 2, 1])
        first_job = place.items
        await yard.press("1", "j", "2")  # another job: a list of its own, in the order that was chosen
        await yard.until(lambda: place.items is not first_job and listed(place)[:6] == [6, 5, 4, 3, 2, 1])
        assert place.export_scopes() == ()


async def test_escape_in_the_list_takes_a_filter_away_that_means_nothing(tmp_path: Path) -> None:
    async with open_yard(tmp_path) as yard:
        place = await at_items(yard)
        await yard.press("slash", *"state:odd", "enter")
        await yard.until(lambda: "✗" in yard.text().splitlines()[-2], "it is refused")
        place.table.focus()  # as by a click
        await yard.until(lambda: place.table.has_focus)
        await yard.press("escape")
        await yard.until(lambda: not place.line.value and "12 items" in yard.text(), "as before")


async def test_an_empty_list_says_why_and_hints_at_no_key_that_is_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_yard(tmp_path) as yard:
        place = await at_items(yard)
        find, go_on = ItemSearch.find, asyncio.Event()

        async def held(reader: ItemSearch, query: ItemQuery) -> AsyncIterator[Piece]:
            await go_on.wait()
            async for piece in find(reader, query):
                yield piece

        monkeypatch.setattr(ItemSearch, "find", held)
        await yard.press("slash", *"state:cancelled", "enter")
        await yard.until(lambda: "Looking …" in yard.text() and "0 % looked through" in yard.text(), "not known yet")
        assert "No item is like that" not in yard.text()
        go_on.set()
        await yard.until(lambda: "No item is like that. Escape takes the filter away." in yard.text(), "known")
        await yard.until(lambda: not {"open", "mark", "retry", "copy"} & hinted(yard), "no dead key is hinted at")
        assert {"filter", "order"} <= hinted(yard)
        await yard.press("r")
        await yard.until(lambda: "No item is listed." in yard.text(), "not all dead items of the job")
        assert len(yard.app.screen_stack) == 1
        await yard.press("escape")
        await shows(yard, place, list(range(1, 13)))
        await yard.until(lambda: {"open", "mark", "retry", "copy"} <= hinted(yard))
        await yard.press("6", "slash", *"nowhere", "enter")
        await yard.until(lambda: "No line matches." in yard.text())
        await yard.until(lambda: not {"whole line", "follow", "copy"} & hinted(yard), "nor in the log")


def hinted(yard: Yard) -> set[str]:
    """What the bottom line says that keys do."""
    return {hint.label for hint in yard.app.query_one(Hints).hints()}


async def test_a_mistake_in_the_filter_is_named_and_the_list_stays(tmp_path: Path) -> None:
    async with open_yard(tmp_path, size=(80, 24)) as yard:
        place = await at_items(yard)
        await yard.press("slash", *"state:")
        await yard.until(lambda: "tab: pending  done  dead  cancelled" in yard.text())
        await yard.until(lambda: listed(place) == list(range(1, 13)))  # what is half typed hides nothing
        await yard.press(*"dad", "enter")
        await yard.until(lambda: "state:dad is no state (at 1). One of: pending" in yard.text())
        place.table.post_message(ItemTable.Moved())  # rows are read, as at every look while the job runs
        await yard.press("home")
        await yard.until(lambda: place.line.cursor_position == 0)
        await yard.until(lambda: "state:dad is no state (at 1)" in yard.text())
        await yard.press("end")
        assert listed(place) == list(range(1, 13))
        await yard.press("backspace", "backspace", *"ea", "tab", "enter")
        await shows(yard, place, [7, 8, 9, 10])
        assert place.line.value == "state:dead"
        await yard.press("slash", *"x")
        await yard.until(lambda: place.line.value == "state:deadx")
        await yard.press("escape")  # takes back what was typed
        await yard.until(lambda: place.line.value == "state:dead")


async def test_marks_are_about_items_and_outlive_filter_and_order(tmp_path: Path) -> None:
    async with open_yard(tmp_path) as yard:
        place = await at_items(yard)
        first = place.items.id_at(0) if place.items else None
        assert first is not None
        await yard.press("space", "j", "v", "j", "j", "v", "k")
        await yard.until(lambda: place.marked == {first, first + 2, first + 3, first + 4})
        await yard.press("shift+down", "shift+down")
        await yard.until(lambda: len(place.marked) == 5)
        (scope,) = place.export_scopes()
        assert str(scope) == "the marked items (5)"
        assert scope.options == ("--filter", f"item:{','.join(str(first + n) for n in (0, 2, 3, 4, 5))}")
        await yard.press("slash", *"state:dead", "enter")
        await shows(yard, place, [7, 8, 9, 10])
        await yard.press("a")
        await yard.until(lambda: len(place.marked) == 9)
        await yard.until(lambda: "marked" in yard.text())
        await yard.press("u")
        await yard.until(lambda: not place.marked)
        await yard.press("escape", "a")
        await yard.until(lambda: len(place.marked) == 12)


async def test_hostile_text_is_shown_and_never_acts_and_columns_stay_aligned(tmp_path: Path) -> None:
    async with open_yard(tmp_path, size=(120, 40)) as yard:
        await at_items(yard)
        await yard.until(lambda: "[/red]␛[31m<U+202E>evil" in yard.text(), "the row drawn")
        assert all(cell_len(line) == 120 for line in yard.text().split("\n"))
        assert HOSTILE not in yard.text()
        for width in (60, 80, 200):
            await yard.pilot.resize_terminal(width, 24)
            await yard.until(lambda w=width: all(cell_len(line) == w for line in yard.text().split("\n")), "redrawn")


async def test_an_item_is_read_part_by_part(tmp_path: Path) -> None:
    async with open_yard(tmp_path, size=(80, 24)) as yard:
        place = await at_items(yard)
        await yard.press("j", "enter")
        await yard.until(lambda: isinstance(yard.app.screen, ItemDetailScreen) and yard.app.screen.detail is not None)
        screen = yard.app.screen
        assert isinstance(screen, ItemDetailScreen)
        await yard.until(lambda: '{"tone": "kind", "ok": true}' in yard.text())
        await yard.press("1")
        await yard.until(lambda: "── system" in yard.text())
        await yard.until(lambda: "Say it kindly: letter 2" in yard.text())
        await yard.press("3")
        await yard.until(lambda: '  "tone": "kind",' in yard.text())
        await yard.press("n", "n", "n", "n", "n", "4")
        await yard.until(lambda: "no byte after 7 s" in yard.text())
        await yard.until(lambda: "timeout  HTTP 500" in yard.text())
        assert screen.part is Part.ATTEMPTS
        await yard.press("left_square_bracket", "slash", *"there")
        await yard.until(lambda: screen.query_one(TextPane).hits == 1)
        await yard.press("escape", "escape")
        await yard.until(lambda: not isinstance(yard.app.screen, ItemDetailScreen))
        assert place.table.cursor == 6


async def test_a_look_at_an_item_does_not_end_the_way_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, asked, free = 0, asyncio.Event(), asyncio.Event()
    look_again = ItemDetailScreen._look_again

    def counted(screen: ItemDetailScreen) -> None:
        nonlocal looks
        looks += 1
        look_again(screen)

    async def slow(_by: int) -> int:
        asked.set()
        await free.wait()
        return 2

    monkeypatch.setattr(item_detail, "LOOK_S", 0.005)
    monkeypatch.setattr(ItemDetailScreen, "_look_again", counted)
    async with open_yard(tmp_path, size=(80, 24)) as yard:
        place = await at_items(yard)
        assert place.job is not None
        screen = ItemDetailScreen(place.job, 7, slow)  # a dead one: it may change at any moment
        await yard.app.push_screen(screen)
        await yard.until(lambda: screen.detail is not None)
        await yard.press("n")
        await asked.wait()
        before = looks
        await yard.until(lambda: looks > before + 1, "looked again")
        free.set()
        await yard.until(lambda: screen.detail is not None and screen.detail.row.id == 2, "the next item")


async def test_a_megabyte_in_one_line_is_read_like_any_text(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        await add_letters(desk.store, ["x" * 1_000_000 + " needle"])
        async with open_app(desk, (80, 24)) as (app, pilot):
            yard = Yard(app, desk, pilot)
            await at_items(yard)
            await yard.press("enter")
            await yard.until(lambda: isinstance(app.screen, ItemDetailScreen) and "Say it" in yard.text())
            pane = app.screen.query_one(TextPane)
            assert pane.virtual_size.height > 10_000
            await yard.press("slash", *"needle")
            await yard.until(lambda: pane.hits == 1 and "needle" in yard.text().split("\n", 3)[3])


async def test_marked_dead_items_are_tried_again_when_the_person_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_yard(tmp_path) as yard:
        heard = toasts(yard.app, monkeypatch)
        place = await at_items(yard)
        await yard.press("a")
        await yard.until(lambda: len(place.marked) == 12)
        await yard.press("r")
        await yard.until(lambda: isinstance(yard.app.screen, Confirm))
        await yard.until(lambda: "Try 4 dead items of job #1 again?" in yard.text())
        await yard.press("enter")  # no is what enter means
        assert (await yard.desk.store.jobs.get(1)).counters.dead == 4
        await yard.press("r")
        await yard.until(lambda: isinstance(yard.app.screen, Confirm))
        await yard.press("y")
        await yard.until(lambda: (job := yard.app.view.job) is not None and job.counters.pending == 6, "pending again")
        await yard.until(lambda: any("lets it go on" in words for words in heard), "it is told")
        assert (await yard.desk.store.jobs.get(1)).state is JobState.DRAFT, "nobody said to pay for what was left"
        await yard.press("p")

        def answered() -> bool:
            job = yard.app.view.job
            return job is not None and job.counters.done == 12

        await yard.until(answered, "the simulator answers all that were dead or pending")
        items = place.items
        assert items is not None
        await yard.until(lambda: all((row := items.row(n)) and row.state is ItemState.DONE for n in range(12)))


async def test_a_discarded_item_is_cancelled(tmp_path: Path) -> None:
    async with open_yard(tmp_path) as yard:
        place = await at_items(yard)
        await yard.press(*["j"] * 6, "d")
        await yard.until(lambda: isinstance(yard.app.screen, Confirm))
        await yard.press("y")
        row = lambda: place.items.row(6) if place.items else None  # noqa: E731
        await yard.until(lambda: row() is not None and row().state is ItemState.CANCELLED)  # type: ignore[union-attr]
        assert (await yard.desk.store.jobs.get(1)).counters.cancelled == 1


async def test_an_edited_row_is_stored_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def edited(_app: Any, text: str, _suffix: str) -> str:
        return text.replace("letter 7", "a better letter")

    monkeypatch.setattr(item_verbs, "edit_text", edited)
    async with open_yard(tmp_path) as yard:
        place = await at_items(yard)
        await yard.press(*["j"] * 6, "E")
        await yard.until(lambda: (job := yard.app.view.job) is not None and job.counters.pending == 3, "pending again")
        await yard.press("p")
        await yard.until(lambda: (row := place.items.row(6) if place.items else None) and row.state is ItemState.DONE)
        detail = await yard.desk.store.items.detail(7)
        assert detail.data == b'{"text": "a better letter"}'


async def test_what_is_asked_for_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []

    async def keep(text: str, _by_terminal: object) -> str:
        copied.append(text)
        return "a test"

    monkeypatch.setattr(item_verbs, "copy", keep)
    async with open_yard(tmp_path) as yard:
        await at_items(yard)
        for key in "ipacl":
            await yard.press("y")
            await yard.until(lambda: len(yard.app.screen_stack) == 2)
            await yard.press(key)
            await yard.until(lambda: len(yard.app.screen_stack) == 1)
        await yard.until(lambda: len(copied) == 5)
        assert copied[0] == "letter-1"
        assert copied[1] == "[system]\nYou are kind.\n\n[user]\nSay it kindly: letter 1"
        assert copied[2] == HOSTILE
        assert copied[3].startswith("curl simulator://local/v1/chat/completions")
        assert "item 1" in copied[4]


async def test_another_jobs_items_and_no_job_at_all(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk, open_app(desk, (80, 24)) as (app, pilot):
        yard = Yard(app, desk, pilot)
        await yard.press("2")
        await yard.until(lambda: "No job yet. n makes one from a file." in yard.text())
        await mixed_job(desk.store)
        place = app.query_one(ItemsPlace)
        await yard.until(lambda: place.items is not None and len(place.items) == 12)


def test_the_editor_is_the_persons_own() -> None:
    assert editor.editor_command({"EDITOR": "code --wait"}, "linux", lambda _: None) == ["code", "--wait"]
    assert editor.editor_command({}, "linux", lambda name: name if name == "vi" else None) == ["vi"]
    assert editor.editor_command({}, "win32", lambda name: name) == ["notepad"]
    quoted = r'"C:\Program Files\Ed\ed.exe" -w'
    assert editor.editor_command({"EDITOR": quoted}, "win32", str) == [r"C:\Program Files\Ed\ed.exe", "-w"]
    with pytest.raises(UserError, match="EDITOR cannot be read: No closing quotation"):
        editor.editor_command({"EDITOR": "vim -c 'set"}, "linux", lambda _: None)


async def test_an_editor_that_leaves_no_file_and_a_full_disk_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def removed(_app: object, command: list[str]) -> None:
        os.unlink(command[-1])

    def full(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    app: App[None] = App()
    monkeypatch.setenv("EDITOR", "ed")
    monkeypatch.setattr(editor, "_suspended", removed)
    with pytest.raises(UserError, match="ed left no file behind"):
        await editor.edit_text(app, "words")
    monkeypatch.setattr(editor, "_write", full)
    with pytest.raises(UserError, match="No space left on device"):
        await editor.edit_text(app, "words")


async def test_a_list_that_is_turned_round_while_it_is_read_shows_what_it_is_then(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        items = ItemList(desk.store, Whole(await add_letters(desk.store, ["x"] * 250), 250))
        reading = asyncio.create_task(items.read(0, 100))
        await asyncio.sleep(0)
        items.turn(ALL_ITEMS, ItemOrder(SortKey.ROW, descending=True))
        assert not await reading, "rows of the list that it was"
        assert items.row(0) is None
        assert await items.read(0, 100)
        assert [row.seq for n in range(3) if (row := items.row(n)) is not None] == [249, 248, 247]


async def test_an_item_of_a_job_that_ended_while_it_was_looked_at_is_tried_again_for_good(tmp_path: Path) -> None:
    async with open_yard(tmp_path) as yard:
        place = await at_items(yard)
        job = place.job
        assert job is not None
        jobs = yard.desk.store.jobs
        await (await yard.desk.controller.start(1))
        assert (await jobs.get(1)).state is JobState.COMPLETED, "with four dead"
        seen = replace(job, job=replace(job.job, state=JobState.RUNNING))
        count = await yard.desk.controller.retry(1, Selection(item_ids=(7,)))
        assert await item_verbs.ItemVerbs(yard.app).go_on(seen, count) == "1 item is tried again"
        await yard.until(lambda: (now := yard.app.view.job) is not None and now.counters.done == 9, "and answered")
