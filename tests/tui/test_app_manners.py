"""Help, palette, themes, keys, size and leaving, as a person presses the keys."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from app_bench import add_job, open_app, open_test_desk, until
from textual.widgets import Static

from tui_batch import paths
from tui_batch.domain.job import JobState, Knobs
from tui_batch.tui.app import BatchApp
from tui_batch.tui.places.jobs import JobsPlace
from tui_batch.tui.screens.help import Help
from tui_batch.tui.screens.menu import Menu
from tui_batch.tui.screens.palette import Palette
from tui_batch.tui.screens.quit import farewell
from tui_batch.tui.screens.theme_chooser import ThemeChooser
from tui_batch.tui.screens.too_small import TooSmall
from tui_batch.tui.widgets.item_table import ItemTable
from tui_batch.tui.widgets.live_panel import LivePanel
from tui_batch.tui.widgets.table import Table
from tui_batch.tui.widgets.welcome import Welcome
from tui_batch.work.detach import Detached
from tui_batch.work.place import Where


async def leaves_by(app: BatchApp, key: str) -> None:
    """Presses a key that ends the app. A pilot would wait for the screen that goes away."""
    app.simulate_key(key)
    async with asyncio.timeout(150):
        while app.is_running:
            await asyncio.sleep(0.01)


NIGHT = paths.shipped("themes") / "night.yaml"


async def test_help_finds_an_action_by_a_word_and_shows_its_keys_and_command(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk, open_app(desk) as (app, pilot):
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, Help) and bool(app.screen.table.rows))
        assert isinstance(app.screen, Help)
        assert app.screen.table.rows[0].where == "in jobs", "those of the place come first"
        await pilot.press(*"dead retry")
        await pilot.pause()
        rows = app.screen.table.rows
        assert ("r", "retry JOB --dead") in [(row.keys, row.command) for row in rows]
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, Help))


async def test_the_palette_does_what_its_entry_says(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        await add_job(desk, ["a"], name="[/red] apples")
        async with open_app(desk) as (app, pilot):
            await pilot.press("colon")
            await until(pilot, lambda: isinstance(app.screen, Palette))
            await pilot.press(*"what happened", "enter")
            await until(pilot, lambda: app.place.NAME == "log", "the log")
            await pilot.press("ctrl+p")
            await until(pilot, lambda: isinstance(app.screen, Palette))
            await pilot.press(*"apples", "enter")
            await until(pilot, lambda: app.place.NAME == "jobs", "the job")
            await pilot.press("colon")
            await until(pilot, lambda: isinstance(app.screen, Palette))
            await pilot.press(*"theme day", "enter")
            await until(pilot, lambda: app.theme == "day", "the theme")
            assert app.manners.prefs.value.theme == "day"


async def test_a_theme_is_worn_while_choosing_and_taken_back_by_escape(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk, open_app(desk) as (app, pilot):
        assert app.theme == "night"
        await pilot.press("T")
        await until(pilot, lambda: isinstance(app.screen, ThemeChooser))
        await pilot.press("down")
        await until(pilot, lambda: app.theme != "night")
        await pilot.press("escape")
        await until(pilot, lambda: app.theme == "night")


async def test_every_shipped_theme_can_be_worn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "linux")
    monkeypatch.delenv("COLORTERM", raising=False)
    async with open_test_desk(tmp_path) as desk:
        await add_job(desk, ["a"])
        async with open_app(desk) as (app, pilot):
            assert app.theme == "terminal", "sixteen colours, and nothing chosen yet"
            for name in app.manners.themes.names:
                app.manners.wear(name)
                await pilot.press("6", "1")
                await until(pilot, lambda: app.place.NAME == "jobs")
                assert app.theme == name
                assert app.native_ansi_color is (name == "terminal")
            app.manners.wear("terminal")
            marked = ((app.query(Table).first(), "table--marked"), (app.query(ItemTable).first(), "item-table--marked"))
            await until(
                pilot,
                lambda: all(table.get_component_styles(part).background.ansi == -1 for table, part in marked),
                "words of any colour can be read on a marked row",
            )


async def test_a_broken_theme_is_named_and_skipped_and_a_good_one_is_taken_live(tmp_path: Path) -> None:
    folder = paths.user_themes()
    folder.mkdir(parents=True)
    (folder / "broken.yaml").write_text(NIGHT.read_text().replace("name: night", "name: broken") + 'boost: "#fff"\n')
    async with open_test_desk(tmp_path) as desk, open_app(desk) as (app, _pilot):
        lines = [line.text for line in app.log_place.lines]
        assert any("broken.yaml" in line and "boost" in line for line in lines)
        assert "broken" not in app.available_themes
        mine = NIGHT.read_text().replace("name: night", "name: mine")
        (folder / "mine.yaml").write_text(mine)
        await app.manners.look()
        app.manners.keep_theme("mine")
        (folder / "mine.yaml").write_text(mine.replace("#6cb6ff", "#ff00ff"))
        await app.manners.look()
        assert app.theme == "mine"
        assert app.theme_variables["primary"].lower() == "#ff00ff"


async def test_the_app_is_put_aside_only_while_no_job_runs_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside: list[bool] = []
    monkeypatch.setattr(BatchApp, "action_suspend_process", lambda _: aside.append(True))
    async with open_test_desk(tmp_path) as desk:
        job_id = await add_job(desk, [f"number {n}" for n in range(2_000)], knobs=Knobs(concurrency=1))
        async with open_app(desk) as (app, pilot):
            assert app._driver is not None
            monkeypatch.setattr(type(app._driver), "can_suspend", True)
            await desk.controller.start(job_id)
            await until(pilot, lambda: bool(app.view.engine.jobs), "it runs")
            await pilot.press("ctrl+z")
            await until(pilot, lambda: any("1 job runs here" in one.message for one in app._notifications), "told")
            await desk.controller.pause(job_id)
            await until(pilot, lambda: not app.view.engine.jobs, "it rests")
            assert not aside
            await pilot.press("ctrl+z")
            await until(pilot, lambda: aside == [True], "put aside")
            drawn: list[dict[str, bool]] = []
            monkeypatch.setattr(app, "refresh", lambda **how: drawn.append(how))
            app.app_resume_signal.publish(app)
            await until(pilot, lambda: {"layout": True} in drawn, "drawn anew: the terminal comes back empty")


@pytest.mark.parametrize("size", [(59, 24), (80, 14)])
async def test_a_small_terminal_is_told_and_takes_no_keys_but_quit(tmp_path: Path, size: tuple[int, int]) -> None:
    async with open_test_desk(tmp_path) as desk:
        await add_job(desk, ["a"])
        async with open_app(desk) as (app, pilot):
            await pilot.resize_terminal(*size)
            await until(pilot, lambda: isinstance(app.screen, TooSmall))
            await pilot.press("D", "6", "n")
            assert isinstance(app.screen, TooSmall)
            await pilot.resize_terminal(80, 24)
            await until(pilot, lambda: not isinstance(app.screen, TooSmall))
            assert app.place.NAME == "jobs"
            await pilot.resize_terminal(*size)
            await until(pilot, lambda: isinstance(app.screen, TooSmall))
            await leaves_by(app, "q")


async def test_own_keys_do_what_the_usual_ones_did(tmp_path: Path) -> None:
    paths.settings_file().with_name("keymap.yaml").write_text("app.log: L\n")
    async with open_test_desk(tmp_path) as desk, open_app(desk) as (app, pilot):
        await pilot.press("6")
        await pilot.pause()
        assert app.place.NAME == "jobs"
        await pilot.press("L")
        await until(pilot, lambda: app.place.NAME == "log")


async def test_leaving_asks_while_a_job_runs_and_drains_it(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        job_id = await add_job(desk, [f"number {n}" for n in range(2_000)], knobs=Knobs(concurrency=2))
        await desk.controller.start(job_id)
        async with open_app(desk) as (app, pilot):
            await pilot.press("q")
            await until(pilot, lambda: isinstance(app.screen, Menu))
            await pilot.press("escape")
            await until(pilot, lambda: not isinstance(app.screen, Menu))
            assert (await desk.store.jobs.get(job_id)).state is JobState.RUNNING
            await pilot.press("q")
            await until(pilot, lambda: isinstance(app.screen, Menu))
            await leaves_by(app, "d")
        job = await desk.store.jobs.get(job_id)
        assert (job.state, job.message) == (JobState.PAUSED, "the app was closed")
        assert job.owner is None


async def test_words_name_the_keys_that_the_person_gave(tmp_path: Path) -> None:
    paths.settings_file().with_name("keymap.yaml").write_text("app.new_job: ctrl+g\njob.pause: f9, p\n")
    async with open_test_desk(tmp_path) as desk:
        async with open_app(desk) as (app, pilot):
            words = app.query_one(Welcome).query_one(Static)
            await until(pilot, lambda: "^g  new job" in str(words.content))
        await add_job(desk, ["a"])
        async with open_app(desk) as (app, pilot):
            panel = app.query_one(LivePanel)
            await until(pilot, lambda: "not started  ·  f9 starts it" in panel.render().plain)


async def test_with_nothing_running_q_leaves_at_once(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        await add_job(desk, ["a"])
        async with open_app(desk) as (app, _pilot):
            await leaves_by(app, "q")


async def test_the_order_the_panel_and_the_theme_are_there_the_next_time(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        for name in ("b", "a"):
            await add_job(desk, ["x"], name=name)
        async with open_app(desk) as (app, pilot):
            table = app.query_one(JobsPlace).table
            table.post_message(Table.Sorted(table, "name"))
            await pilot.press("greater_than_sign")
            app.manners.keep_theme("day")
            await until(pilot, lambda: "jobs" in app.manners.prefs.value.sort)
            panel = app.manners.prefs.value.panes["jobs"]
            await app.manners.close()
        async with open_app(desk) as (app, pilot):
            assert [job.name for job in app.query_one(JobsPlace).table.rows] == ["a", "b"]
            assert app.query_one(JobsPlace).table.sorted_by == "name"
            assert app.theme == "day"
            await pilot.press("less_than_sign")
            await until(pilot, lambda: app.manners.prefs.value.panes["jobs"] == panel - 1)


async def test_a_job_kept_running_is_handed_to_a_process_that_finds_its_lease_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    def detach(job_id: int, where: Where, words: tuple[str, ...]) -> Detached:
        started.append(job_id)
        return Detached(4711, where.db.with_suffix(".log"))

    monkeypatch.setattr("tui_batch.tui.screens.quit.detach", detach)
    async with open_test_desk(tmp_path) as desk:
        job_id = await add_job(desk, [f"number {n}" for n in range(2_000)], knobs=Knobs(concurrency=2))
        await desk.controller.start(job_id)
        async with open_app(desk) as (app, pilot):
            await pilot.press("q")
            await until(pilot, lambda: isinstance(app.screen, Menu))
            await leaves_by(app, "b")
        assert started == [job_id]
        assert (await desk.store.jobs.get(job_id)).owner is None
        assert any("4711" in line for line in farewell(app.manners.handed, "llmbatch-tui"))
