"""Errors in groups, and dead letters: listed, tried again, edited, discarded."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from app_bench import add_job, open_app, open_test_desk
from hypothesis import given
from hypothesis import strategies as st
from item_yard import Yard, open_yard
from rich.cells import cell_len

from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.stored import ErrorGroup
from tui_batch.store.items import OTHERS
from tui_batch.tui.alike import CUT, told_apart
from tui_batch.tui.places.errors import ErrorsPlace, advice, filter_of
from tui_batch.tui.places.items import ItemsPlace
from tui_batch.tui.screens.confirm import Confirm
from tui_batch.tui.screens.item_detail import ItemDetailScreen
from tui_batch.work.filter_words import parse_filter, text_of


async def at_errors(yard: Yard) -> ErrorsPlace:
    await yard.press("3")
    place = yard.app.query_one(ErrorsPlace)
    await yard.until(lambda: len(place.table.rows) == 2, "groups")
    return place


async def asked(yard: Yard, key: str, words: str, answer: str) -> None:
    """Presses a key that asks, checks the question, answers it."""
    await yard.press(key)
    await yard.until(lambda: isinstance(yard.app.screen, Confirm))
    await yard.until(lambda: words in yard.text())
    await yard.press(answer)


async def test_errors_are_grouped_and_lead_to_their_items(tmp_path: Path) -> None:
    async with open_yard(tmp_path, size=(80, 24)) as yard:
        place = await at_errors(yard)
        assert [(one.group.count, one.group.cls) for one in place.table.rows] == [
            (3, OutcomeClass.TIMEOUT),
            (1, OutcomeClass.BAD_REQUEST),
        ]
        await yard.press("j")
        await yard.until(lambda: "then edit the row" in yard.text())
        assert all(cell_len(line) == 80 for line in yard.text().split("\n"))
        await yard.press("k", "e")
        await yard.until(lambda: isinstance(yard.app.screen, ItemDetailScreen) and "no byte after 7 s" in yard.text())
        await yard.press("escape", "slash", *"odd", "enter")
        await yard.until(lambda: len(place.table.rows) == 1)
        await yard.press("escape", "k", "enter")
        items = yard.app.query_one(ItemsPlace)
        await yard.until(lambda: items.items is not None and len(items.items) == 3 and items.items.row(2) is not None)
        await yard.until(lambda: "3 of 12 match" in yard.text())


async def test_an_empty_list_never_says_what_was_true_before(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk, open_app(desk) as (app, pilot):
        yard = Yard(app, desk, pilot)
        await yard.press("3")
        await yard.until(lambda: "No job yet. n makes one" in yard.text())
        await add_job(desk, ["a"])
        await yard.until(lambda: "No dead items. All is well." in yard.text())
        await yard.press("6")
        await yard.until(lambda: "Nothing has happened yet." in yard.text() or "#1" in yard.text())


async def test_a_list_that_is_still_being_read_does_not_say_that_all_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_yard(tmp_path) as yard:
        read, may_go_on = yard.desk.store.items.errors, asyncio.Event()

        async def slow(job_id: int) -> list[ErrorGroup]:
            await may_go_on.wait()
            return await read(job_id)

        monkeypatch.setattr(yard.desk.store.items, "errors", slow)
        await yard.press("3")
        await yard.until(lambda: "4 dead" in yard.text() and "Reading why they are dead …" in yard.text())
        may_go_on.set()
        await yard.until(lambda: len(yard.app.query_one(ErrorsPlace).table.rows) == 2, "read")


async def test_the_key_that_edits_a_dead_item_makes_no_job_where_there_is_none(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        await add_job(desk, ["a"])
        async with open_app(desk) as (app, pilot):
            yard = Yard(app, desk, pilot)
            await yard.press("3", "E")
            await yard.until(lambda: "There is no dead item to edit." in yard.text(), "words")
            assert len(app.screen_stack) == 1
            assert "edit" not in yard.text().splitlines()[-1], "no hint says that there is something to edit"


async def test_dead_letters_are_discarded_and_tried_again_by_group(tmp_path: Path) -> None:
    async with open_yard(tmp_path) as yard:
        place = await at_errors(yard)
        jobs = yard.desk.store.jobs
        await asked(yard, "d", "Discard 3 dead timeout items of job #1?", "n")
        assert (await jobs.get(1)).counters.cancelled == 0
        await yard.press("j")
        await asked(yard, "d", "Discard 1 dead bad_request item of job #1?", "y")
        await yard.until(lambda: len(place.table.rows) == 1, "one group is left")
        assert (await jobs.get(1)).counters.cancelled == 1
        await asked(yard, "A", "Try 3 dead items of job #1 again?", "y")
        await yard.until(lambda: (job := yard.app.view.job) is not None and job.counters.pending == 5)
        await yard.press("p")
        await yard.until(lambda: (job := yard.app.view.job) is not None and job.counters.done == 11)
        await yard.until(lambda: "No dead items. All is well." in yard.text())


async def test_a_part_of_a_class_is_named_by_its_items(tmp_path: Path) -> None:
    async with open_yard(tmp_path) as yard:
        with closing(sqlite3.connect(tmp_path / "jobs.db")) as conn, conn:  # another message of the same class
            conn.execute("UPDATE result SET message = 'slow tunnel' WHERE item_id = 9")
            conn.execute("UPDATE item SET outcome = 'timeout' WHERE id = 10")
        await yard.press("3")
        place = yard.app.query_one(ErrorsPlace)
        await yard.until(lambda: len(place.table.rows) == 3)
        await asked(yard, "d", "Discard 2 dead items of job #1?", "y")
        await yard.until(lambda: len(place.table.rows) == 2)
        assert (await yard.desk.store.search.states([7, 8, 9, 10])) == {"cancelled": 2, "dead": 2}


@pytest.mark.parametrize("cls", list(OutcomeClass))
def test_there_is_advice_for_every_class(cls: OutcomeClass) -> None:
    assert advice(cls).endswith(".")


def test_a_group_is_a_filter_that_can_be_typed() -> None:
    one = ErrorGroup(OutcomeClass.TIMEOUT, "no byte after … s", 3, 7, "no byte after 7 s")
    rest = ErrorGroup(OutcomeClass.TIMEOUT, OTHERS, 3, 7, "whatever")
    assert text_of(filter_of(one)) == "like:7"
    assert text_of(filter_of(rest)) == "state:dead class:timeout"
    assert parse_filter(text_of(filter_of(rest))) == filter_of(rest)


def test_messages_that_differ_far_right_are_told_apart() -> None:
    start = "400 Bad Request: the response format is not a schema that can be met: "
    told = told_apart([f"{start}a is missing", "busy", f"{start}b is missing", f"{start}b is empty"], 40)
    assert [text[:40] for text in told] == [
        "400 Bad Reque … can be met: a is missing",
        "busy",
        "400 Bad Reque … can be met: b is missing",
        "400 Bad Reque … can be met: b is empty",
    ]


@given(st.lists(st.text("ab ", max_size=60), max_size=6), st.integers(20, 50))
def test_telling_apart_cuts_only_what_is_alike(texts: list[str], room: int) -> None:
    told = told_apart(texts, room)
    for text, other in zip(texts, told, strict=True):
        assert text == other or (CUT in other and text.startswith(other[: room // 3]) and len(text) > len(other))
    seen = [text[: room - 1] if len(text) > room else text for text in texts]
    told_as = [text[: room - 1] if len(text) > room else text for text in told]
    assert len(set(told_as)) >= len(set(seen)), "never fewer than could be told apart before"
