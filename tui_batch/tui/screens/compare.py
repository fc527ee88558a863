"""Models of a job, or two jobs over the same file, side by side: read in the background, stopped by leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_batch.domain.job import Job
from tui_batch.errors import UserError
from tui_batch.report.compare import compare_jobs
from tui_batch.report.comparing import Comparison
from tui_batch.tui.actions import bindings
from tui_batch.tui.comparison import comparison_lines
from tui_batch.tui.tones import Spans, Tone, plain, styled, styles_of
from tui_batch.tui.widgets.frame import Hints

if TYPE_CHECKING:
    from tui_batch.tui.app import BatchApp

EXAMPLES = 100
"""Rows that differ which are shown."""


class _Lines(VerticalScroll, can_focus=True):
    """The comparison, to be scrolled."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("k", "scroll_up", "up"),
        ("j", "scroll_down", "down"),
        ("space", "page_down", "page down"),
        ("g", "scroll_home", "top"),
        ("G", "scroll_end", "end"),
    ]


class CompareScreen(ModalScreen[None]):
    """Shows a comparison of one job in mode each, or of two jobs. Verbs over jobs wait until it is closed."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("compare")
    DEFAULT_CSS = """
    CompareScreen { background: $background; }
    CompareScreen #compare-title { height: 1; padding: 0 1; background: $panel; }
    CompareScreen _Lines { height: 1fr; padding: 0 1; background: $surface; color: $foreground; overflow-x: hidden; }
    CompareScreen #compare-text { height: auto; width: 1fr; }
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        super().__init__()
        self._jobs = tuple(jobs)
        self._found: Comparison | None = None
        self._title = ""

    def compose(self) -> ComposeResult:
        """Title, lines, hints."""
        yield Static(id="compare-title", markup=False)
        with _Lines():
            yield Static(id="compare-text", markup=False)
        yield Hints()

    def on_mount(self) -> None:
        """Reads the jobs side by side; a million rows take a while."""
        self._title = "Comparison of " + " and ".join(f"#{job.id} {job.spec.name}" for job in self._jobs)
        self._say(plain(self._title, Tone.STRONG))
        self.query_one(_Lines).focus()
        self.run_worker(self._compare(), group="compare")

    @property
    def found(self) -> Comparison | None:
        """What came of it; None: not read yet."""
        return self._found

    async def _compare(self) -> None:
        app = cast("BatchApp", self.app)
        loop = asyncio.get_running_loop()

        def tell(part: float) -> None:
            loop.call_soon_threadsafe(self._say, ((self._title, Tone.STRONG), (f"  {part:.0%} read", Tone.ACCENT)))

        try:
            self._found = await compare_jobs(app.desk.store, self._jobs, progress=tell, examples=EXAMPLES)
        except UserError as error:
            self._write([plain(f"✗ {error}", Tone.BAD)])
            return
        await asyncio.sleep(0)  # what was told of the progress is drawn before the last word
        self._say(plain(self._title, Tone.STRONG))
        self._draw()

    def _say(self, spans: Spans) -> None:
        if self.is_attached:
            self.query_one("#compare-title", Static).update(styled(spans, styles_of(self.app.theme_variables)))

    def _draw(self) -> None:
        if self._found is not None:
            self._write(comparison_lines(self._found, max(20, self.query_one(_Lines).size.width - 2)))

    def _write(self, lines: Sequence[Spans]) -> None:
        styles = styles_of(self.app.theme_variables)
        text = Text("\n").join(styled(line, styles) for line in lines)
        text.no_wrap = len(lines) > 1  # lines of a comparison are made for the width; an error's words are not
        self.query_one("#compare-text", Static).update(text)

    def on_resize(self) -> None:
        """Another width, other columns."""
        self.call_after_refresh(self._draw)

    def action_compare_export(self) -> None:
        """Asks for a file, and writes it in the background: the comparison may be left meanwhile."""
        self.run_worker(self._export(), group="export", exclusive=True)

    async def _export(self) -> None:
        from tui_batch.tui.export_plan import write_comparison
        from tui_batch.tui.screens.export import ComparisonDialog

        app = cast("BatchApp", self.app)
        folder = await asyncio.to_thread(lambda: app.manners.folder)
        target = await app.push_screen_wait(ComparisonDialog(self._jobs, folder))
        if target is not None:
            app.manners.remember_folder(target.path)
            app.manners.start_work(write_comparison(app, self._jobs, target))

    def action_compare_close(self) -> None:
        """Back; what is still being read is given up."""
        self.dismiss(None)
