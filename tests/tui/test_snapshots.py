"""Pictures of the app, each looked at by a person before it was kept. What a screen does is tested elsewhere.

After a change that is meant: `pytest tests/tui/test_snapshots.py --snapshot-update`, and look at what changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from app_bench import spec, until
from fake_cards import CARD, FakeSampler
from item_yard import mixed_job
from pytest_textual_snapshot import SVGImageExtension, normalize_svg
from still import NOW, jobs, open_still, open_still_desk, picture, view
from syrupy.assertion import SnapshotAssertion
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from tui_batch.gpu.sample import GpuSample, Reading
from tui_batch.gpu.watch import GpuWatch
from tui_batch.tui.app import BatchApp
from tui_batch.tui.places.endpoints import EndpointsPlace
from tui_batch.tui.places.gpu import GpuPlace
from tui_batch.tui.places.items import ItemsPlace
from tui_batch.tui.screens.item_detail import ItemDetailScreen
from tui_batch.tui.screens.new_job import NewJobScreen
from tui_batch.tui.screens.too_small import TooSmall
from tui_batch.tui.view import JobView, View
from tui_batch.tui.widgets.text_pane import TextPane
from tui_batch.tui.widgets.welcome import Welcome
from tui_batch.work.reach import Reachable

KEPT = Path(__file__).with_name("__snapshots__") / Path(__file__).stem
REPAINT_S = 60.0
REST_S = 1.0
SMALL, DESIGN, LARGE = (80, 24), (120, 40), (200, 60)


class Album:
    """Compares pictures with the kept ones; says at the end which differ, so that all of them are looked at once."""

    def __init__(self, snapshot: SnapshotAssertion, test: str, *, updates: bool) -> None:
        self._kept = snapshot.use_extension(SVGImageExtension)
        self._updates = updates
        self._test = test
        self._other: list[str] = []

    async def add(self, app: BatchApp, pilot: Pilot[Any], name: str) -> None:
        """The screen as it is now, or as it comes to be: on a busy machine the last repaint may be on its way."""
        kept = KEPT / f"{self._test}[{name}].svg"
        text = normalize_svg(kept.read_text(encoding="utf-8")) if kept.is_file() else None
        end = time.monotonic() + (REST_S if self._other else REPAINT_S)  # one that differs is enough to fail
        if text is None or self._updates:
            await pilot.pause(REST_S)  # a new picture is of a screen at rest
        drawn = picture(app)
        while text is not None and not self._updates and normalize_svg(drawn) != text and time.monotonic() < end:
            await pilot.pause(0.05)
            drawn = picture(app)
        if drawn != self._kept(name=name):
            self._other.append(name)

    def close(self) -> None:
        """Fails when any differs."""
        assert not self._other, f"other pictures: {', '.join(self._other)}; look at them, then --snapshot-update"


@pytest.fixture
def album(snapshot: SnapshotAssertion, request: pytest.FixtureRequest) -> Iterable[Album]:
    made = Album(snapshot, request.node.name, updates=bool(request.config.getoption("--snapshot-update")))
    yield made
    made.close()


async def settled(pilot: Pilot[Any], condition: Callable[[], bool], what: str) -> None:
    """Once it holds and everything is drawn."""
    await until(pilot, condition, what)
    await pilot.pause()


async def resized(app: BatchApp, pilot: Pilot[Any], size: tuple[int, int]) -> None:
    await pilot.resize_terminal(*size)
    await app._tick()
    await pilot.pause()


async def test_jobs(tmp_path: Path, album: Album) -> None:
    async with open_still_desk(tmp_path) as desk, open_still(desk, view(), SMALL) as (app, pilot):
        await album.add(app, pilot, "80x24")
        for size in (DESIGN, LARGE):
            await resized(app, pilot, size)
            await album.add(app, pilot, "x".join(map(str, size)))
        await resized(app, pilot, DESIGN)
        for theme in ("day", "terminal"):
            app.manners.wear(theme)
            await resized(app, pilot, SMALL)
            await album.add(app, pilot, f"theme-{theme}")


async def test_jobs_without_colours(tmp_path: Path, album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_still_desk(tmp_path) as desk, open_still(desk, view(*jobs()[2:]), SMALL) as (app, pilot):
        await album.add(app, pilot, "no-color")


async def test_welcome(tmp_path: Path, album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    async def found(*_: object) -> list[Reachable]:
        return [
            Reachable(replace(spec().endpoints[0], name="ollama", base_url="http://127.0.0.1:11434"), "running", "")
        ]

    monkeypatch.setattr("tui_batch.work.reach.reachable", found)
    async with open_still_desk(tmp_path) as desk, open_still(desk, View(NOW), SMALL) as (app, pilot):
        await settled(pilot, lambda: "Found" in str(app.query_one(Welcome)._text.content), "looked around")
        await album.add(app, pilot, "80x24")
        await pilot.resize_terminal(50, 12)
        await settled(pilot, lambda: isinstance(app.screen, TooSmall), "too small")
        await album.add(app, pilot, "too-small")


async def test_items_and_errors(tmp_path: Path, album: Album) -> None:
    async with open_still_desk(tmp_path) as desk:
        job = await desk.store.jobs.get(await mixed_job(desk.store, at=NOW - 600))
        async with open_still(desk, view(JobView(job)), SMALL) as (app, pilot):
            await pilot.press("2")
            table = app.query_one(ItemsPlace).table
            await settled(pilot, lambda: table.cursor_row is not None, "read")
            await pilot.press("space", "space", "down")
            await album.add(app, pilot, "items-80x24")
            await pilot.press("slash", *"state:dead")
            await pilot.press("enter")
            await settled(pilot, lambda: len(app.query_one(ItemsPlace).items or ()) == 4, "found")
            await settled(pilot, lambda: table.cursor_row is not None, "read")
            await resized(app, pilot, DESIGN)
            await pilot.press("enter")
            await settled(pilot, lambda: isinstance(app.screen, ItemDetailScreen) and bool(app.screen.part), "opened")
            await album.add(app, pilot, "item-attempts-120x40")
            await pilot.press("escape", "3")
            await resized(app, pilot, SMALL)
            await settled(pilot, lambda: bool(app.place.table.rows), "grouped")  # type: ignore[attr-defined]
            await album.add(app, pilot, "errors-80x24")


async def test_one_item(tmp_path: Path, album: Album) -> None:
    async with open_still_desk(tmp_path) as desk:
        job = await desk.store.jobs.get(await mixed_job(desk.store, at=NOW - 600))
        async with open_still(desk, view(JobView(job)), SMALL) as (app, pilot):
            await pilot.press("2")
            await settled(pilot, lambda: app.query_one(ItemsPlace).table.cursor_row is not None, "read")
            await pilot.press("enter")
            await settled(pilot, lambda: isinstance(app.screen, ItemDetailScreen) and bool(app.screen.part), "opened")
            await pilot.press("1", "slash", *"kind")
            await settled(pilot, lambda: app.screen.query_one(TextPane).hits == 2, "found")
            await album.add(app, pilot, "prompt-searched-80x24")


async def test_endpoints(tmp_path: Path, album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    async def found(*_: object) -> list[Reachable]:
        return [
            Reachable(replace(spec().endpoints[0], name="groq", base_url="https://api.groq.com/openai/v1"), "ready", "")
        ]

    monkeypatch.setattr("tui_batch.tui.places.endpoints.reachable", found)
    async with open_still_desk(tmp_path) as desk, open_still(desk, view(), SMALL) as (app, pilot):
        await pilot.press("4")
        place = app.query_one(EndpointsPlace)
        await settled(pilot, lambda: len(place.table.rows) == 4, "found")
        await pilot.press("down", "down")
        await resized(app, pilot, DESIGN)
        await album.add(app, pilot, "120x40")


async def test_gpu(tmp_path: Path, album: Album) -> None:
    async with open_still_desk(tmp_path) as desk, open_still(desk, view(), SMALL) as (app, pilot):
        app.query_one(GpuPlace).gpus = await watched()
        await pilot.press("5")
        await resized(app, pilot, DESIGN)
        await album.add(app, pilot, "cards-120x40")


async def watched() -> GpuWatch:
    """Two cards, watched for a while; the second is hot and its memory full."""
    now = [0.0]
    sampler = FakeSampler(Reading(()))
    watch = GpuWatch((sampler,), lambda: now[0])
    for second in range(0, 300, 5):
        now[0] = float(second)
        load = 20.0 + second * 7 % 60
        busy = replace(CARD, name="NVIDIA H100 80GB HBM3", utilisation=load, power_w=150.0 + 5 * load)
        hot = GpuSample(
            1, "GPU-1", "NVIDIA H100 80GB HBM3", utilisation=97.0, memory_used=79 * 2**30, memory_total=80 * 2**30,
            power_w=690.0, power_limit_w=700.0, temperature_c=70.0 + second / 14, processes=2,
        )  # fmt: skip
        sampler.reading = Reading((busy, hot))
        await watch.look(watch.sources[0])
    return watch


async def test_log(tmp_path: Path, album: Album) -> None:
    async with open_still_desk(tmp_path) as desk:
        log = desk.store.events.log
        for second, level, text in (
            (0, "info", "started: 12,000 items, 48 at once"),
            (40, "warning", "openai: 429, rate limit reached for tokens per minute; waiting 12 s"),
            (95, "error", "spare: connection refused [/b] \x1b[31m; the breaker is open"),
        ):
            await log(None, level, text, at=NOW - 300 + second)
        async with open_still(desk, view(), SMALL) as (app, pilot):
            app.log_place.record("llmbatch-tui set 6 concurrency=60")
            await pilot.press("6")
            await settled(pilot, lambda: len(app.log_place.table.rows) == 4, "read")
            await album.add(app, pilot, "80x24")


async def test_dialogs(tmp_path: Path, album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_still_desk(tmp_path) as desk, open_still(desk, view(), SMALL) as (app, pilot):
        for key, name in (
            ("D", "confirm"),
            ("s", "knobs"),
            ("x", "export"),
            ("question_mark", "help"),
        ):
            await pilot.press(key)
            await settled(pilot, lambda: len(app.screen_stack) == 2, name)
            if name == "export":
                app.screen.query_one("#path", Input).value = "support-tickets-6.jsonl"
                await pilot.pause()
            await album.add(app, pilot, name)
            await pilot.press("escape")
            await settled(pilot, lambda: len(app.screen_stack) == 1, "closed")


async def test_new_job(tmp_path: Path, album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    rows = [f"{n},{'my parcel has not come' if n % 2 else 'how do I cancel?'},mail" for n in range(240)]
    (tmp_path / "data" / "tickets.csv").write_text(
        "\n".join(["id,text,channel", *rows, "240,cut off"]) + "\n", encoding="utf-8"
    )
    async with (
        open_still_desk(tmp_path) as desk,
        open_still(replace(desk, is_demo=True), view(), SMALL) as (app, pilot),
    ):
        await pilot.press("n")
        await settled(pilot, lambda: isinstance(app.screen, NewJobScreen), "opened")
        screen = app.screen
        assert isinstance(screen, NewJobScreen)
        await fill(screen, pilot)
        await album.add(app, pilot, "file-80x24")
        for name in ("prompt", "models", "limits", "checks", "run"):
            await pilot.press("f8")
            await settled(pilot, lambda: True, name)
            if name != "prompt":
                await album.add(app, pilot, f"{name}-80x24")
        await pilot.press("f7", "f7", "f7", "f7")
        await resized(app, pilot, DESIGN)
        await album.add(app, pilot, "prompt-120x40")


BUSY = ("list", "offers", "making", "files", "facts", "reckon", "look", "draw", "check")
"""Groups of work that a form goes through before it rests."""


async def fill(screen: NewJobScreen, pilot: Pilot[Any]) -> None:
    """A form that can be run."""
    from tui_batch.tui.screens.new_job.fields import Field

    values = {
        "path": "data/tickets.csv",
        "models": "gpt-4o-mini @ simulator",
        "system": "You sort tickets.",
        "prompt": "Which team? One word.\n\n{{ text }}",
        "budget": "0.50",
    }
    for name, text in values.items():
        screen.query_one(f"#field-{name}", Field).text = text
        await until(pilot, lambda name=name, text=text: getattr(screen.form, name) == text, name)
    await until(pilot, lambda: screen.expected is not None, "reckoned")
    await until(pilot, lambda: bool(screen.query_one("#models OptionList", OptionList).option_count), "offered")
    await until(pilot, lambda: not any(work.group in BUSY and work.is_running for work in screen.workers), "worked off")
    await pilot.pause(0.2)  # what the last of them changed is laid out and drawn
