"""Text that is drawn line by line looks as if all of it were drawn at once, whatever changed."""

from __future__ import annotations

from app_bench import until
from textual.app import App, ComposeResult
from textual.content import Content
from textual.selection import SELECT_ALL

from tui_batch.tui.widgets.lines import Lines, takes_other_room


class Showing(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[int] = []

    def compose(self) -> ComposeResult:
        app = self

        class Watched(Lines):
            DEFAULT_CSS = "Watched { height: 1fr; }"

            def _drawn_line(self, y: int) -> object:  # type: ignore[override]
                app.drawn.append(y)
                return super()._drawn_line(y)

        yield Watched(id="lines")

    @property
    def lines(self) -> Lines:
        return self.query_one(Lines)

    def text(self) -> list[str]:
        return [strip.text.strip() for strip in self.screen._compositor.render_strips()][:5]


async def test_only_lines_that_changed_are_drawn_and_those_that_are_gone_are_blank() -> None:
    app = Showing()
    async with app.run_test(size=(20, 5)) as pilot:
        app.lines.put([Content(word) for word in ("one", "two", "three", "four")])
        await until(pilot, lambda: app.text() == ["one", "two", "three", "four", ""])
        await pilot.pause()  # whatever the start still has to style is styled
        app.drawn.clear()
        app.lines.put([Content("one"), Content("other"), Content.styled("three", "bold")])
        await until(pilot, lambda: app.text() == ["one", "other", "three", "", ""])
        assert sorted(set(app.drawn)) == [1, 2, 3], "words, a style, and a line that is gone"
        app.drawn.clear()
        app.lines.put([Content("one"), Content("other"), Content.styled("three", "bold")])
        await pilot.pause()
        assert app.drawn == []


async def test_another_width_and_a_selection_are_drawn() -> None:
    app = Showing()
    async with app.run_test(size=(20, 5)) as pilot:
        app.lines.put([Content("a line that is longer than the screen is")])
        await until(pilot, lambda: app.text()[0] == "a line that is")
        await pilot.resize_terminal(60, 5)
        await until(pilot, lambda: app.text()[0].endswith("than the screen is"))
        plain = str(app.lines.render_line(0))
        app.screen.selections = {app.lines: SELECT_ALL}
        await until(pilot, lambda: str(app.lines.render_line(0)) != plain, "the selection is marked")
        assert app.screen.get_selected_text() == "a line that is longer than the screen is"
        app.screen.clear_selection()
        await until(pilot, lambda: str(app.lines.render_line(0)) == plain, "and is no more")


def test_a_text_takes_other_room_when_it_has_more_lines_or_one_that_wraps() -> None:
    short, long = Content("short"), Content("a rather long line")
    assert not takes_other_room([short], [Content("other")], 10)
    assert takes_other_room([short], [short, short], 10)
    assert takes_other_room([short], [long], 10)
    assert takes_other_room([long], [short], 10)
