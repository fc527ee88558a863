"""A list that runs draws the rows that changed, not all of them, and always what is true."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from app_bench import until
from textual.app import App, ComposeResult

from tui_batch.tui.tones import Spans, plain
from tui_batch.tui.widgets.table import Column, Table


@dataclass(frozen=True, slots=True)
class Row:
    id: int
    words: str


class Listing(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[int] = Counter()

    def compose(self) -> ComposeResult:
        yield Table[Row]([Column("words", "Words", self.cell, 8, stretches=True)], lambda row: row.id, can_mark=True)

    def cell(self, row: Row) -> Spans:
        self.asked[row.id] += 1
        return plain(row.words)

    @property
    def table(self) -> Table[Row]:
        return self.query_one(Table)

    def text(self, line: int) -> str:
        return self.table.render_line(line).text.strip()


async def test_only_the_row_that_changed_is_put_together_anew() -> None:
    app = Listing()
    async with app.run_test(size=(30, 12)) as pilot:
        rows = [Row(number, f"row {number}") for number in range(8)]
        app.table.set_rows(rows)
        await pilot.pause()
        app.asked.clear()
        app.table.set_rows([*rows[:3], Row(3, "changed"), *rows[4:]])
        app.table.refresh()
        await pilot.pause()
        assert app.text(4) == "changed"
        assert set(app.asked) == {3}


async def test_a_mark_is_seen_without_colours_under_the_cursor_too_and_set_by_a_click_before_the_row() -> None:
    app = Listing()
    async with app.run_test(size=(30, 12)) as pilot:
        app.table.set_rows([Row(0, "a"), Row(1, "b"), Row(2, "c")])
        app.table.focus()
        await pilot.pause()
        app.table.toggle_mark()
        app.table.action_cursor(-1)
        await until(pilot, lambda: app.text(1) == "▌a", "marked, with the cursor on it")
        assert app.table.render_line(2).text.startswith(" b")
        await pilot.click(app.table, (0, 3))
        await until(pilot, lambda: app.text(3) == "▌c" and app.table.cursor_row == Row(2, "c"), "marked by a click")
        await pilot.click(app.table, (0, 3))
        await until(pilot, lambda: app.text(3) == "c", "and the mark is taken away")
        await pilot.click(app.table, (1, 2))
        await until(pilot, lambda: app.table.cursor_row == Row(1, "b"), "a click into the row")
        assert app.table.marks == {0}


async def test_a_line_follows_marks_the_cursor_the_width_and_the_theme() -> None:
    app = Listing()
    async with app.run_test(size=(30, 12)) as pilot:
        app.table.set_rows([Row(0, "a row that is wider than the list will be"), Row(1, "b")])
        await pilot.pause()
        looks = {str(app.table.render_line(1))}
        app.table.action_end(1)
        looks.add(str(app.table.render_line(1)))
        app.table.marks.add(0)
        looks.add(str(app.table.render_line(1)))
        await pilot.resize_terminal(20, 12)
        await until(pilot, lambda: str(app.table.render_line(1)) not in looks, "another width")
        looks.add(str(app.table.render_line(1)))
        assert app.table.render_line(1).cell_length == app.table.size.width
        app.theme = "textual-light"
        await until(pilot, lambda: str(app.table.render_line(1)) not in looks, "the colours are the new theme's")
        looks.add(str(app.table.render_line(1)))
        assert len(looks) == 5
