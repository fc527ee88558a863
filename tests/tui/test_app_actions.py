"""Every action is done by something, every key is documented as it is, and the mouse reaches what keys reach."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

from app_bench import add_job, open_app, open_test_desk, until
from item_yard import mixed_job
from textual.binding import Binding
from textual.dom import DOMNode
from textual.events import MouseScrollDown
from textual.widget import Widget

from tui_batch import tui
from tui_batch.tui.actions import REGISTRY
from tui_batch.tui.job_verbs import JobVerbs
from tui_batch.tui.place import NAMES
from tui_batch.tui.places.items import ItemsPlace
from tui_batch.tui.places.jobs import JobsPlace
from tui_batch.tui.screens.help import Help
from tui_batch.tui.screens.item_detail import ItemDetailScreen, PartBar
from tui_batch.tui.widgets.frame import Hints, PlaceBar


def homes() -> dict[str, list[type[DOMNode]]]:
    """By action, whatever binds it: the app, places and screens."""
    found: dict[str, list[type[DOMNode]]] = {}
    for module in pkgutil.walk_packages(tui.__path__, "tui_batch.tui."):
        for kind in vars(importlib.import_module(module.name)).values():
            if isinstance(kind, type) and issubclass(kind, DOMNode) and kind.__module__ == module.name:
                for binding in kind.__dict__.get("BINDINGS", ()):
                    if isinstance(binding, Binding) and binding.id:
                        found.setdefault(binding.id, []).append(kind)
    return found


def test_every_action_is_done_by_what_binds_it() -> None:
    bound = homes()
    assert bound.keys() >= {action.id for action in REGISTRY}
    for action in REGISTRY:
        name, _, given = action.method.partition("(")
        for kind in bound[action.id]:
            assert callable(getattr(kind, f"action_{name}", None)), (action.id, kind)
            assert {one.id: one.key for one in kind.BINDINGS if isinstance(one, Binding)}[action.id] == action.keys
        if action.context == "job":
            assert callable(getattr(JobVerbs, given.strip("')"), None)), action.id
        if name == "place":
            assert given.strip("')") in NAMES


def test_the_page_of_keys_says_what_the_app_does() -> None:
    page = (Path(__file__).parents[2] / "docs" / "keymap.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| (.*?) \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    told = {
        name: (keys.replace("`", "").replace(" ", ""), what, command.strip("`")) for name, keys, what, command in rows
    }
    assert told == {one.id: (one.keys, one.help, one.command) for one in REGISTRY}


def column(header: str, title: str) -> int:
    """Where a title stands in a header."""
    return header.index(title) + 1


def header(table: Widget) -> str:
    return table.render_line(0).text


async def test_the_mouse_sorts_chooses_opens_and_goes_everywhere(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        for name in ("pear", "apple"):
            await mixed_job(desk.store, name)
        for number in range(30):
            await add_job(desk, ["x"], name=f"more {number:02}")
        async with open_app(desk) as (app, pilot):
            table = app.query_one(JobsPlace).table
            await until(pilot, lambda: len(table.rows) == 32)
            await pilot.click(table, (column(header(table), "Job"), 0))
            await until(pilot, lambda: [job.name for job in table.rows][:2] == ["apple", "more 00"], "sorted")
            assert "Job▲" in header(table)
            await pilot.click(table, (column(header(table), "Job"), 0))
            await until(pilot, lambda: table.rows[0].name == "pear", "turned round")
            await pilot._post_mouse_events([MouseScrollDown], table, (5, 3), button=0)
            await until(pilot, lambda: table.scroll_offset.y > 0, "the wheel scrolls")
            table.scroll_home(animate=False)
            await pilot.pause()
            await pilot.click(table, (20, 2))
            await until(pilot, lambda: app.view.job is not None and app.view.job.name == "more 29", "chosen")
            await pilot.click(table, (20, 1), times=2)
            await until(pilot, lambda: app.place.NAME == "items", "opened")
            assert app.view.job is not None
            assert app.view.job.name == "pear"

            items = app.query_one(ItemsPlace).table
            await until(pilot, lambda: items.cursor_row is not None and "cost" in header(items), "read and laid out")
            await pilot.click(items, (column(header(items), "cost"), 0))
            await until(pilot, lambda: app.query_one(ItemsPlace).items.order.key == "cost", "sorted")  # type: ignore[union-attr]
            await until(pilot, lambda: items.cursor_row is not None, "read again")
            await pilot.click(items, (20, 3))
            await until(pilot, lambda: items.cursor == 2, "chosen")
            await pilot.click(items, (20, 3), times=2)
            await until(
                pilot, lambda: isinstance(app.screen, ItemDetailScreen) and app.screen.part is not None, "opened"
            )
            await pilot.click(PartBar, (3, 0))
            await until(pilot, lambda: app.screen.query_one(PartBar).current == 0, "its first part")
            await pilot.press("escape")

            for number, name in enumerate(NAMES):
                bar = app.query_one(PlaceBar).render().plain
                await pilot.click(PlaceBar, (bar.index(f"{number + 1} "), 0))
                await until(pilot, lambda wanted=name: wanted == app.place.NAME, name)
            hints = app.query_one(Hints).render().plain
            await pilot.click(Hints, (hints.index("help"), 0))
            await until(pilot, lambda: isinstance(app.screen, Help), "a hint is a button")
