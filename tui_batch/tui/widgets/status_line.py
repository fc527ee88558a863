"""The line under a list: whose rows these are, how many, and what is worth knowing besides."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.widget import Widget

from tui_batch.tui.tones import Span, Spans, Styles, Tone, styled, styles_of

LEAST_HEAD = 14
"""Cells of the name that are shown before parts are left out for it."""
AFTER_HEAD = ": "


def fitted(head: str, parts: Sequence[Span], width: int, styles: Styles) -> Text:
    """One line of at most `width` cells. The name gives way first, then the last parts, each left out whole."""
    name = styled(((head, Tone.MUTED),), styles)
    drawn = [styled((part,), styles) for part in parts]
    least = min(name.cell_len, LEAST_HEAD) + len(AFTER_HEAD) if head else 0
    while len(drawn) > 1 and least + sum(part.cell_len for part in drawn) > width:
        drawn.pop()
    line = Text(no_wrap=True, end="")
    if head:
        name.truncate(max(least, width - sum(part.cell_len for part in drawn)) - len(AFTER_HEAD), overflow="ellipsis")
        line.append_text(name).append(AFTER_HEAD, styles[Tone.MUTED])
    for part in drawn:
        line.append_text(part)
    line.truncate(width, overflow="ellipsis")
    return line


class StatusLine(Widget):
    """Draws itself again only when it says something else."""

    DEFAULT_CSS = "StatusLine { height: 1; padding: 0 1; background: $panel; color: $foreground; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._said: tuple[str, Spans] = ("", ())

    def say(self, head: str, parts: Sequence[Span]) -> None:
        """Whose rows, without the colon after it, or nothing; then the parts, the most important first."""
        if (said := (head, tuple(parts))) != self._said:
            self._said = said
            self.refresh()

    def render(self) -> Text:
        """What was said last, as much of it as there is room for."""
        head, parts = self._said
        return fitted(head, parts, self.content_size.width, styles_of(self.app.theme_variables))
