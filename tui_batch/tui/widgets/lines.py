"""Lines of styled text of which only those that changed are drawn anew."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.visual import Visual
from textual.widget import Widget


class Lines(Widget):
    """Shows one content a line. What stays the same from one `put` to the next costs nothing."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.auto_links = False  # looking for links is a good part of drawing a line, and none is here
        self._lines: list[Content] = []
        self._strips: dict[int, Strip] = {}
        """Lines as drawn, by their number."""
        self._width = 0
        """Cells that they were drawn for."""

    def put(self, lines: Sequence[Content]) -> None:
        """Replaces the lines, and draws those that look other than before."""
        before, self._lines = self._lines, list(lines)
        if self.text_selection is not None:
            self.refresh()  # what is selected is marked by drawing all of it
            return
        most = max(len(before), len(self._lines))
        changed = [y for y in range(most) if not _same(before, self._lines, y)]
        for y in changed:
            self._strips.pop(y, None)
        if changed:
            self.refresh(*(Region(0, first, self.size.width, count) for first, count in _runs(changed)))

    def render(self) -> Content:
        """All lines, for what needs them as one: a selection, the width of the whole."""
        return Content("\n").join(self._lines)

    def render_line(self, y: int) -> Strip:
        """A line as it was drawn before, where it is still the same."""
        if self.text_selection is not None:
            return super().render_line(y)
        if self._width != self.size.width:
            self._width = self.size.width
            self._strips.clear()
        if y not in self._strips:
            self._strips[y] = self._drawn_line(y)
        return self._strips[y]

    def _drawn_line(self, y: int) -> Strip:
        style = self.visual_style
        strips = [] if y >= len(self._lines) else Visual.to_strips(self, self._lines[y], self._width, 1, style)
        return strips[0].apply_offsets(0, y) if strips else Strip.blank(self._width, style.rich_style)

    def notify_style_update(self) -> None:
        """Another theme has other colours."""
        super().notify_style_update()
        self._strips.clear()


def same_lines(before: Sequence[Content], now: Sequence[Content]) -> bool:
    """Whether two texts look alike."""
    return len(before) == len(now) and all(map(Content.is_same, before, now))


def takes_other_room(before: Sequence[Content], now: Sequence[Content], width: int) -> bool:
    """Whether a text of that width may be of another height than the one before: then all must be laid out anew."""
    return len(before) != len(now) or any(line.cell_length > width for line in (*before, *now))


def _same(before: Sequence[Content], now: Sequence[Content], y: int) -> bool:
    return y < len(before) and y < len(now) and before[y].is_same(now[y])


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Rising numbers as runs: the first of each and how many there are."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and sum(runs[-1]) == number:
            runs[-1] = runs[-1][0], runs[-1][1] + 1
        else:
            runs.append((number, 1))
    return runs
