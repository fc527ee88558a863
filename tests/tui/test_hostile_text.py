"""Foreign text everywhere at once: nothing crashes, nothing is read as markup, no control character is drawn."""

from __future__ import annotations

import asyncio
import os
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
from app_bench import SIMULATOR, until
from fake_cards import CARD, FakeSampler
from item_yard import dead, done
from still import LANES, NOW, SECONDS, open_still, open_still_desk, running
from textual.pilot import Pilot

from tui_batch.domain.item import NewRow
from tui_batch.domain.job import InputSource, JobSpec, Knobs, ModelRef, PauseReason
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.engine.snapshot import EngineSnapshot
from tui_batch.errors import UserError
from tui_batch.gpu.sample import Reading
from tui_batch.gpu.watch import GpuWatch
from tui_batch.tui.app import BatchApp
from tui_batch.tui.desk import Desk
from tui_batch.tui.history import History
from tui_batch.tui.places.errors import ErrorsPlace
from tui_batch.tui.places.gpu import GpuPlace
from tui_batch.tui.places.items import ItemsPlace
from tui_batch.tui.screens.item_detail import ItemDetailScreen
from tui_batch.tui.screens.new_job import NewJobScreen
from tui_batch.tui.screens.new_job.fields import Field
from tui_batch.tui.view import JobView, View

MARKUP = "[/foo] [bold]x[/bold] [link=http://x]y[/link] [@click=app.quit]z[/] [$primary"
ESCAPES = "\x1b[31mred\x1b[2J\x1b]0;title\x07\x1b]8;;http://x\x1b\\ \x9b31m \x00\x08\x7f\r\n\t \x9d52;c;eA==\x9c"
INVISIBLE = "a\u200bb\u202eevil\u2066x\u2069\ufeff\u00ad\u2028 \U000e0041 👩‍👩‍👧‍👦 日本\u0301\u3099 e\u0301"
FIELDS = ("models", "system", "name", "checks")
HALVES = "\ud800 half \udcff"
KINDS = f"{MARKUP} {ESCAPES} {INVISIBLE}"
LONG = KINDS + "x" * 200_000


def clean(text: str) -> str:
    """As far as JSON and SQLite can hold it."""
    return text.encode("utf-8", "replace").decode()


@dataclass
class Walk:
    """Goes through the app, and looks at every screen that it comes to."""

    app: BatchApp
    pilot: Pilot[Any]

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            self.look()

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        await until(self.pilot, condition, what)
        self.look()

    async def aside(self, *keys: str) -> None:
        """Opens a dialog, looks, and leaves it."""
        depth = len(self.app.screen_stack)
        await self.press(keys[0])
        await self.until(lambda: len(self.app.screen_stack) > depth, f"a dialog by {keys[0]}")
        await self.press(*keys[1:])
        while len(self.app.screen_stack) > depth:
            await self.pilot.press("escape")

    def look(self) -> None:
        """No character that could do anything but be seen."""
        for strip in self.app.screen._compositor.render_strips():
            bad = {char for char in strip.text if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
            assert not bad, (self.app.screen, bad)


async def hostile_job(desk: Desk, text: str) -> JobView:
    """A job of which everything that comes from outside is the text."""
    text = clean(text)
    source = InputSource(f"{text[:200]}.csv", "csv")
    endpoint = replace(SIMULATOR, base_url=f"http://host/{text[:300]}")
    made = JobSpec(
        text, source, (ModelRef(text, (SIMULATOR.name,)),), (endpoint,), prompt="{{ text }}", system="{{ text }}"
    )
    job_id = await desk.store.jobs.create(made, Knobs(tags={text[:300]: text[:300]}), now=NOW)
    row = orjson.dumps({"text": text, text[:300]: [text[:300]]})
    async with desk.store.importing(job_id) as importer:
        await importer.add([NewRow(number, f"{number}{text}"[:2_000], 0, row) for number in (1, 2, 3)])
    first = (await desk.store.items.page(job_id, limit=1))[0].id
    desk.store.writer.record(done(job_id, first, text + HALVES, at=NOW))
    desk.store.writer.record(dead(job_id, first + 1, OutcomeClass.BAD_REQUEST, text + HALVES, at=NOW))
    desk.store.writer.record(dead(job_id, first + 2, OutcomeClass.REFUSED, HALVES, at=NOW))
    await desk.store.writer.drain()
    await desk.store.events.log(job_id, "error", text + HALVES)
    return JobView(await desk.store.jobs.get(job_id))


def hostile_view(stored: JobView, text: str) -> View:
    """The job paused with such words, and another that runs on deployments so named."""
    shown = running()
    assert shown.live is not None
    live = replace(shown.live, id=0, name=text, message=text)
    job = replace(stored.job, reason=PauseReason.QUOTA, message=text)
    away = replace(shown, job=replace(shown.job, id=0, spec=job.spec), live=live)
    lanes = tuple(
        replace(lane, endpoint=f"{n}{text}", model=text, trouble=text, closed=text) for n, lane in enumerate(LANES)
    )
    history = History()
    for second in range(SECONDS):
        history.add(NOW - SECONDS + second, live)
    return View(NOW, (JobView(job), away), job.id, EngineSnapshot((live,), lanes, ""), {0: history}, "")


async def test_every_place_and_dialog_shows_any_text_safely(tmp_path: Path) -> None:
    text = LONG
    async with open_still_desk(tmp_path) as desk:
        stored = await hostile_job(desk, text)
        async with open_still(desk, hostile_view(stored, text), (80, 24)) as (app, pilot):
            walk = Walk(app, pilot)
            app.query_one(GpuPlace).gpus = GpuWatch(
                (FakeSampler(Reading((replace(CARD, name=text),))), FakeSampler(Reading(trouble=text), where=text)),
                lambda: 0.0,
            )
            await places(walk)
            await dialogs(walk)
            app.say(text + HALVES)
            app.say_trouble(UserError(text + HALVES, remedy=text))
            app.record("retry", text)
            with app.long_work(text, 10):
                await walk.press("6", "enter", "escape", "1")
            app.bridge.shown = replace(app.bridge.shown, trouble=text)  # type: ignore[attr-defined]
            await app._tick()
            await walk.press("down", "up")


async def places(walk: Walk) -> None:
    """All six, with what can be opened in them."""
    app = walk.app
    await walk.press("down", "up", "slash", "x", "escape", "2")
    items = app.query_one(ItemsPlace).table
    await walk.until(lambda: items.cursor_row is not None, "items")
    for number in range(3):
        await walk.press("enter")
        await walk.until(lambda: isinstance(app.screen, ItemDetailScreen) and app.screen.part is not None, "an item")
        await walk.press(*"123456") if number < 2 else None
        await walk.press("escape", "down")
    await walk.press("3")
    await walk.until(lambda: len(app.query_one(ErrorsPlace).table.rows) == 2, "groups")
    await walk.press("down", "4", "down", "5")
    await walk.until(lambda: len(app.query_one(GpuPlace).gpus.cards) == 1, "the card")
    await walk.press("6")
    await walk.until(lambda: len(app.log_place.table.rows) > 0, "lines")
    await walk.aside("enter")


async def dialogs(walk: Walk) -> None:
    """All that are opened from the jobs, the items and the errors."""
    await walk.press("1")
    for key in ("D", "s", "x", "R", "y", "colon", "question_mark", "T"):
        await walk.aside(key)
    await walk.press("2")
    for key in ("y", "o", "w", "x"):
        await walk.aside(key)
    await walk.press("3")
    for key in ("A", "y"):
        await walk.aside(key)
    await walk.press("1")


async def test_the_new_job_screen_shows_any_text_safely(tmp_path: Path) -> None:
    text = LONG
    path = await asyncio.to_thread(hostile_file, tmp_path, text)
    async with (
        open_still_desk(tmp_path) as desk,
        open_still(replace(desk, is_demo=True), View(NOW), (80, 24)) as (app, pilot),
    ):
        walk = Walk(app, pilot)
        await walk.press("n")
        await walk.until(lambda: isinstance(app.screen, NewJobScreen), "opened")
        screen = app.screen
        assert isinstance(screen, NewJobScreen)
        screen.query_one("#field-path", Field).text = str(path)
        await walk.until(lambda: screen.facts.drawn is not None, "the file is read")
        for name in FIELDS:
            screen.query_one(f"#field-{name}", Field).text = KINDS
        screen.query_one("#field-system", Field).text = text
        await walk.press("f8", "f9", "f8", "f8", "f8", "f8", "f5", "f6")
        for key in ("f4", "f2", "f3", "f1"):
            await walk.press(key, "escape")


def hostile_file(folder: Path, text: str) -> Path:
    """A file whose name, columns and rows are the text, with bytes that are no UTF-8 in its name where that can be."""
    base = "".join(char for char in clean(text)[:60] if char not in '/\0<>:"\\|?*\r\n\t')
    rows = [{"text": clean(text), clean(text)[:300]: number} for number in range(3)]
    data = b"\n".join(orjson.dumps(row) for row in rows) + b'\n{"text": "\xff\xfe bad"}\n{"text": "\\ud800"}\n'
    for name in (base + HALVES[-1], base, "plain"):
        path = folder / f"{name}.jsonl"
        try:
            path.write_bytes(data)
        except (OSError, UnicodeError):
            continue
        return path
    raise AssertionError(os.listdir(folder))
