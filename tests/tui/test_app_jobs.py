"""The list of jobs and the verbs over them, as a person presses the keys."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from app_bench import add_job, open_app, open_test_desk, toasts, until
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import Static

from tui_batch.domain.job import JobState, Knobs
from tui_batch.tui.actions import by_id
from tui_batch.tui.app import BatchApp
from tui_batch.tui.places.items import ItemsPlace
from tui_batch.tui.places.jobs import COLUMNS, JobsPlace, list_height, part_below
from tui_batch.tui.screens.menu import Menu
from tui_batch.tui.tones import plain
from tui_batch.tui.view import View
from tui_batch.tui.widgets.frame import HINTS, Hint, Hints, fitting_hints, rank_among
from tui_batch.tui.widgets.live_panel import LivePanel
from tui_batch.tui.widgets.table import Column, Table, fitting


def jobs(app: BatchApp) -> JobsPlace:
    return app.query_one(JobsPlace)


async def test_a_job_is_paused_and_goes_on_by_one_key(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        job_id = await add_job(desk, [f"number {n}" for n in range(200)], knobs=Knobs(concurrency=2))
        await desk.controller.start(job_id)
        async with open_app(desk) as (app, pilot):
            await pilot.press("p")
            await until(pilot, lambda: app.view.jobs[0].state is JobState.PAUSED, "paused")
            assert (await desk.store.jobs.get(job_id)).state is JobState.PAUSED
            await pilot.press("p")
            await until(pilot, lambda: app.view.jobs[0].state is JobState.RUNNING, "running")


async def test_plus_and_minus_turn_the_concurrency(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        job_id = await add_job(desk, ["a"], knobs=Knobs(concurrency=8))
        async with open_app(desk) as (app, pilot):
            await pilot.press("plus")
            await until(pilot, lambda: app.view.jobs[0].knobs.concurrency == 10)
            await pilot.press("minus", "minus")
            await until(pilot, lambda: app.view.jobs[0].knobs.concurrency == 6)
            assert (await desk.store.jobs.get(job_id)).knobs.concurrency == 6


async def test_a_step_from_a_concurrency_that_nobody_knows_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may have two hundred in flight: one step more made two of them."""
    async with open_test_desk(tmp_path) as desk:
        job_id = await add_job(desk, ["a"], knobs=Knobs())
        async with open_app(desk) as (app, pilot):
            heard = toasts(app, monkeypatch)
            await pilot.press("plus")
            await until(pilot, lambda: heard == [f"#{job_id} finds its concurrency by itself. s gives it a number."])
            assert (await desk.store.jobs.get(job_id)).knobs.concurrency is None


async def test_a_look_that_is_under_way_as_the_app_closes_is_let_go(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        await add_job(desk, ["one"])
        closed = asyncio.Event()
        async with open_app(desk) as (app, _):
            read = app.bridge.tick

            async def slow() -> View:
                view = await read()
                await closed.wait()
                return view

            app.bridge.tick = slow  # type: ignore[method-assign]
            look = asyncio.create_task(app._tick())
        closed.set()
        await look
        assert app.fault is None


async def test_deleting_asks_and_no_is_the_default(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        await add_job(desk, ["a"])
        async with open_app(desk) as (app, pilot):
            await pilot.press("D")
            await until(pilot, lambda: len(app.screen_stack) == 2)
            said = [str(words.render()) for words in app.screen.query(Static)]
            assert "What is lost: 1 item, none of which was asked about." in said
            await pilot.press("enter")
            await until(pilot, lambda: len(app.screen_stack) == 1)
            assert len(await desk.store.jobs.list()) == 1
            await pilot.press("D")
            await until(pilot, lambda: len(app.screen_stack) == 2)
            await pilot.press("y")
            await until(pilot, lambda: not app.view.jobs, "deleted")
            assert await desk.store.jobs.list() == []


async def test_the_filter_shows_the_jobs_that_have_all_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_test_desk(tmp_path) as desk:
        for name in ("red apples", "green apples", "green pears"):
            await add_job(desk, ["a"], name=name)
        async with open_app(desk) as (app, pilot):
            await pilot.press("slash", *"green apples", "enter")
            await until(pilot, lambda: [job.name for job in jobs(app).table.rows] == ["green apples"])
            await pilot.press("space", "escape")
            await until(pilot, lambda: len(jobs(app).table.rows) == 3)
            assert [job.name for job in jobs(app).chosen()] == ["green apples"], "marked as it was found"
            await pilot.press("j", "escape")
            await until(pilot, lambda: not jobs(app).table.marks, "the second one takes the marks away")
            heard = toasts(app, monkeypatch)
            await pilot.press("slash", *"plums", "enter", "p")
            await until(pilot, lambda: heard == ["No job is listed. Escape takes the filter away."])


async def test_the_panel_and_the_items_are_those_of_the_job_that_a_filter_left_under_the_cursor(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        found, other = [await add_job(desk, ["a"], name=name) for name in ("apples", "pears")]
        async with open_app(desk) as (app, pilot):
            await until(pilot, lambda: app.view.selected == other, "the newest")
            await pilot.press("slash", *"apples")
            await until(pilot, lambda: [job.id for job in jobs(app).table.rows] == [found])
            await until(pilot, lambda: app.view.selected == found, "the one that verbs would mean")
            await pilot.press("x")
            await until(pilot, lambda: not jobs(app).table.rows)
            await pilot.press("escape")
            await until(pilot, lambda: len(jobs(app).table.rows) == 2)
            row = jobs(app).table.cursor_row
            assert row is not None
            assert row.id == app.view.selected == found, "where the cursor was before the filter hid all"
            await pilot.press("enter")
            await until(pilot, lambda: (items := app.query_one(ItemsPlace).items) is not None
                        and items.whole.job_id == found)  # fmt: skip


async def test_a_job_that_is_made_or_found_is_under_the_cursor_though_a_filter_would_hide_it(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        hidden = await add_job(desk, ["a"], name="pears")
        await add_job(desk, ["a"], name="apples")
        async with open_app(desk) as (app, pilot):
            for by_palette in (True, False):
                await pilot.press("slash", *"apples", "enter")
                await until(pilot, lambda: [job.name for job in jobs(app).table.rows] == ["apples"])
                if by_palette:
                    await pilot.press("colon", *"pears", "enter")
                else:
                    await app.show_job(hidden)
                await until(pilot, lambda: app.view.selected == hidden and len(jobs(app).table.rows) == 2)
                assert [job.id for job in jobs(app).chosen()] == [hidden], "what keys mean is what the panel shows"
                await pilot.press("home")


async def test_marked_jobs_are_meant_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_test_desk(tmp_path) as desk:
        ids = [await add_job(desk, [str(n)]) for n in range(3)]
        async with open_app(desk) as (app, pilot):
            await pilot.press("space", "space", "plus")
            await until(pilot, lambda: sum(job.knobs.concurrency == 10 for job in app.view.jobs) == 2)
            assert (await desk.store.jobs.get(ids[0])).knobs.concurrency == 8
            heard = toasts(app, monkeypatch)
            for number, key in enumerate("ENW", 1):
                await pilot.press(key)
                await until(pilot, lambda number=number: len(heard) == number, "not done with one of them")
                assert "2 jobs are marked" in heard[-1]
                assert len(app.screen_stack) == 1


async def test_the_list_is_ordered_by_keys_too(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        for name in ("pear", "apple", "plum"):
            await add_job(desk, ["x"], name=name)
        async with open_app(desk) as (app, pilot):
            table = app.query_one(JobsPlace).table

            def names() -> list[str]:
                return [job.name for job in table.rows]

            await until(pilot, lambda: names() == ["plum", "apple", "pear"])
            for expected in (["apple", "pear", "plum"], ["plum", "pear", "apple"]):
                await pilot.press("o")
                await until(pilot, lambda: isinstance(app.screen, Menu))
                await pilot.press("1")  # Job: j moves
                await until(pilot, lambda wanted=expected: names() == wanted, f"{expected}")


async def test_the_hints_are_at_most_eight_and_end_with_help_and_quit(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        await add_job(desk, ["a"])
        async with open_app(desk) as (app, _pilot):
            hints = app.query_one(Hints).hints()
            labels = [hint.label for hint in hints]
            assert len(labels) <= 8
            assert labels[-3:] == ["help", "palette", "quit"]
            assert hints[-1].shown == "q"


@given(
    st.lists(st.tuples(st.integers(1, 99), st.text("ab", min_size=1, max_size=12)), max_size=15), st.integers(1, 200)
)
def test_hints_fit_and_the_general_ones_go_last(given_hints: list[tuple[int, str]], width: int) -> None:
    hints = sorted(Hint(rank, "k", label, "k") for rank, label in given_hints)
    general = [hint for hint in hints if hint.rank >= 90]
    kept = fitting_hints(hints, width)
    assert len([hint for hint in kept if hint.rank < 90]) <= max(0, HINTS - len(general))
    assert sum(hint.width for hint in kept) <= width or len(kept) <= 1
    if any(hint.rank < 90 for hint in kept):
        assert [hint for hint in kept if hint.rank >= 90] == general


@given(st.integers(0, 2_000), st.integers(1, 80), st.integers(1, 9))
def test_the_list_is_as_tall_as_its_rows_up_to_its_part(rows: int, room: int, panel: int) -> None:
    height = list_height(rows, room, panel)
    assert height >= 4
    assert height == 4 or height <= room * (10 - panel) // 10
    assert height <= max(4, rows + 2)


@given(st.integers(4, 80), st.integers(20, 80))
def test_the_line_stays_where_it_is_drawn_to_within_a_tenth(lines: int, room: int) -> None:
    height = list_height(1_000, room, part_below(lines, room))
    assert abs(height - min(max(4, lines), room * 9 // 10)) <= room / 20 + 1


async def test_the_line_between_list_and_panel_is_drawn_with_the_mouse(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        for n in range(16):
            await add_job(desk, ["x"], name=f"job {n}")
        async with open_app(desk, size=(80, 24)) as (app, pilot):
            await until(pilot, lambda: len(app.query_one(JobsPlace).table.rows) == 16, "listed")
            panel = app.query_one(LivePanel)
            before = panel.region.y
            await pilot.mouse_down(offset=(40, before))
            await pilot.hover(offset=(40, before + 5))
            await until(pilot, lambda: abs(panel.region.y - (before + 5)) <= 2, "drawn")
            await pilot.mouse_up(offset=(40, before + 5))
            await until(pilot, lambda: app.mouse_captured is None, "let go")
            await until(pilot, lambda: app.manners.prefs.value.panes.get("jobs", 6) < 6, "remembered")
            await pilot.mouse_down(offset=(40, before + 1))
            assert app.mouse_captured is None, "only the line can be taken"


def test_a_place_with_keys_of_its_own_hints_at_them_before_what_is_about_jobs() -> None:
    new_job, retry, quit_ = (by_id(name) for name in ("app.new_job", "items.retry", "app.quit"))
    assert new_job
    assert retry
    assert quit_
    assert rank_among(new_job, {"jobs", "app"}) == new_job.rank
    assert rank_among(new_job, {"items", "app"}) > rank_among(retry, {"items", "app"})
    assert rank_among(quit_, {"items", "app"}) == quit_.rank


async def test_the_cursor_leads_while_keys_come_quicker_than_the_app_can_draw(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        for n in range(6):
            await add_job(desk, ["a"], name=f"job {n}")
        async with open_app(desk) as (app, pilot):
            drawn: list[int] = []
            select = app.select

            def selected(job_id: int) -> None:
                drawn.append(job_id)
                select(job_id)

            app.select = selected  # type: ignore[method-assign]
            listed = jobs(app).table
            for _ in range(4):
                listed.action_cursor(1)
                app._draw(app.view)  # a tick comes before the app has heard of the key
            assert listed.cursor_row is listed.rows[4], "no key is lost"
            await until(pilot, lambda: app.view.selected == listed.rows[4].id, "selected")
            assert drawn == [listed.rows[4].id], "only where the cursor came to rest is anything drawn"
            app.select(listed.rows[1].id)
            assert listed.cursor_row is listed.rows[1], "what is chosen elsewhere moves the cursor"


async def test_a_view_drawn_between_a_key_and_what_it_selects_moves_no_cursor_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hear = BatchApp.on_table_moved

    def later(app: BatchApp, event: Table.Moved) -> None:
        app._draw(app.view)  # the list's place has heard of the key, the app is about to
        hear(app, event)

    monkeypatch.setattr(BatchApp, "on_table_moved", later)
    async with open_test_desk(tmp_path) as desk:
        for n in range(6):
            await add_job(desk, ["a"], name=f"job {n}")
        async with open_app(desk) as (app, pilot):
            listed = jobs(app).table
            for _ in range(4):
                listed.action_cursor(1)
            await until(pilot, lambda: app.view.selected == listed.rows[4].id, "selected")
            assert listed.cursor_row is listed.rows[4], "no key is lost"


@given(st.integers(1, 140))
def test_columns_fit_whatever_the_width(width: int) -> None:
    columns = (Column("key", "Key", plain, 10), Column("what", "What", plain, 40, stretches=True))
    more = Column("more", "More", plain, 20, drop=1, beside=50, most=30)
    widths = [cells for _, cells in fitting((*columns, more), width)]
    assert sum(widths) + len(widths) - 1 <= max(width, 15), "15: the key, a gap, and the least of what stretches"
    if width >= 15:
        assert sum(widths) + len(widths) - 1 == width


def test_a_name_is_not_cut_for_an_empty_end_of_the_row() -> None:
    """`Support tickets`, the demo's, has 15 letters; models stand there only where names have more room than that."""
    for width in range(80, 220):
        found = {column.id: cells for column, cells in fitting(COLUMNS, width - 2)}
        assert found["name"] >= 15
        assert found["name"] >= 20 or "models" not in found
    assert found["models"] == 40, "as many names of models as anybody reads"
