"""Where results or a report go: what of the job, in which format, to which file."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Label, Select, Static

from tui_batch.domain.job import Job
from tui_batch.errors import UserError
from tui_batch.report.export import Shape
from tui_batch.report.formats import FORMATS, ResultFormat
from tui_batch.report.targets import Target, parse_target
from tui_batch.safe_text import safe_text
from tui_batch.tui.export_plan import ExportPlan, checked_report, checked_target, file_name, usual_format, with_ending
from tui_batch.tui.export_scopes import NamedScope, scopes_with
from tui_batch.tui.path_completion import PathSuggester
from tui_batch.tui.screens.confirm import Confirm
from tui_batch.tui.screens.dialog import Dialog, T, safe_content, words
from tui_batch.tui.widgets.entry import Entry

_SHAPES: list[tuple[str, Any]] = [
    ("as they are", Shape.NESTED),
    ("fields of JSON answers as columns", Shape.FLAT),
]


class _Options(Select[Any], inherit_bindings=False):
    """A closed list that enter or space opens: arrows go on to the next field, as in other dialogs."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "show_overlay", show=False)]


class _FileDialog(Dialog[T | None]):
    """A path with completion, what is wrong with it, and two buttons. Enter in the path writes."""

    DEFAULT_CSS = """
    _FileDialog .field { height: 1; }
    _FileDialog .fields { height: auto; margin: 1 0 0 0; }
    _FileDialog .field Label { width: 9; }
    _FileDialog .field Input { width: 1fr; border: none; height: 1; padding: 0; background: $panel; }
    _FileDialog .field Input:focus { background: $primary 25%; }
    _FileDialog .field Select { width: 1fr; height: 1; }
    _FileDialog SelectCurrent Static#label { text-wrap: nowrap; text-overflow: ellipsis; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "write", "Write", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def path_fields(self, write: str) -> ComposeResult:
        """The path, its trouble, the buttons."""
        with Horizontal(classes="field"):
            yield Label("File", markup=False)
            yield Entry(str(self._path), id="path", compact=True, suggester=PathSuggester(), select_on_focus=False)
        yield Static("", id="trouble", classes="trouble", markup=False)
        with Horizontal(classes="buttons"):
            yield Button(Content(f"{write} (enter)"), id="write", compact=True)
            yield Button(Content("Close (esc)"), id="close", compact=True)

    @property
    def path(self) -> Input:
        """The field."""
        return self.query_one("#path", Input)

    def trouble(self, text: str) -> None:
        """Says what is wrong; empty: nothing is."""
        self.query_one("#trouble", Static).update(safe_content(f"✗ {text}" if text else ""))

    def on_mount(self) -> None:
        """The path has the focus: enter writes what is offered."""
        self.path.focus()
        self.path.cursor_position = len(self.path.value)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "write":
            self.action_write()
        else:
            self.action_leave()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_write()

    def action_write(self) -> None:
        """Looks whether it can be, asks before it replaces a file, and closes."""
        self.run_worker(self._write(), group="write", exclusive=True)

    async def _write(self) -> None:
        try:
            result, replaces = await self.result()
        except UserError as error:
            self.trouble(str(error))
            self.path.focus()
            return
        name = self.path.value.strip()
        if not replaces or await self.app.push_screen_wait(Confirm(f"Replace {safe_text(name, 300)}?")):
            self.dismiss(result)

    async def result(self) -> tuple[T, bool]:
        """What the dialog gives, and whether a file would be replaced. Raises UserError."""
        raise NotImplementedError


class ExportDialog(_FileDialog[ExportPlan]):
    """Asks what to export. `scopes` are what the caller's list shows or has marked; they come first.

    `which` stands behind the title where several jobs are exported one after the other.
    """

    def __init__(self, job: Job, folder: Path, scopes: Sequence[NamedScope] = (), which: str = "") -> None:
        usual = usual_format(job)
        super().__init__(folder / file_name(job, FORMATS[usual].ending))
        self._format = usual
        """Of the path as last typed, or as chosen: the list tells of either a moment later."""
        self._which = which
        self._job = job
        self._scopes = scopes_with(job.counters, scopes)

    def compose(self) -> ComposeResult:
        """Scope, format, shape, path."""
        with VerticalScroll(classes="box", can_focus=False):
            yield words(f"Export job #{self._job.id} {self._job.spec.name}{self._which}", "title")
            with VerticalScroll(classes="fields", can_focus=False):
                scopes: list[tuple[str, Any]] = [(str(one), at) for at, one in enumerate(self._scopes)]
                yield from self._choice("Items", "scope", scopes, 0)
                formats = [(f"{known.words} ({known.ending})", form) for form, known in FORMATS.items()]
                yield from self._choice("Format", "format", formats, self._format)
                yield from self._choice("Answers", "shape", _SHAPES, Shape.NESTED)
                yield from self.path_fields("Export")

    def _choice(self, label: str, name: str, options: list[tuple[str, Any]], value: object) -> ComposeResult:
        safe = [(safe_content(text), value) for text, value in options]
        with Horizontal(classes="field"):
            yield Label(label, markup=False)
            yield _Options(safe, allow_blank=False, value=value, id=name, compact=True)

    @on(Select.Changed)
    def _chosen(self) -> None:
        """Back to the path, where enter writes, as the button says."""
        self.path.focus()

    @on(Select.Changed, "#format")
    def _format_chosen(self, event: Select.Changed) -> None:
        """The file's ending says the format, so that a path and a format never disagree."""
        is_news = event.value is event.select.value and event.value is not self._format
        if is_news and isinstance(event.value, ResultFormat):
            self._format = event.value
            self.path.value = with_ending(self.path.value, event.value)
            self.path.cursor_position = len(self.path.value)

    @on(Input.Changed, "#path")
    def _path_typed(self) -> None:
        self.trouble("")
        if (form := self._typed_format()) is not None:
            self._format = form
            self.query_one("#format", Select).value = form

    def _typed_format(self) -> ResultFormat | None:
        try:
            return parse_target(self.path.value.strip()).format
        except UserError:
            return None

    async def result(self) -> tuple[ExportPlan, bool]:
        """The plan."""
        target, replaces = await asyncio.to_thread(checked_target, self.path.value, self._job.spec.source.path)
        scope = self._scopes[int(str(self.query_one("#scope", Select).value))]
        shape = Shape(self.query_one("#shape", Select).value)
        return ExportPlan(self._job, target, scope, shape), replaces


class ReportDialog(_FileDialog[Path]):
    """Asks where a job's report goes; the ending says the format. `which`: of several jobs, one after the other."""

    def __init__(self, job: Job, folder: Path, which: str = "") -> None:
        super().__init__(folder / file_name(job, ".html"))
        self._which = which
        self._job = job

    def compose(self) -> ComposeResult:
        """Path and what endings mean."""
        with VerticalScroll(classes="box", can_focus=False):
            yield words(f"Report of job #{self._job.id} {self._job.spec.name}{self._which}", "title")
            yield words("Ends in .html: one page with charts that needs no network; .md: Markdown; .json", "detail")
            with VerticalScroll(classes="fields", can_focus=False):
                yield from self.path_fields("Write")

    @on(Input.Changed, "#path")
    def _path_typed(self) -> None:
        self.trouble("")

    async def result(self) -> tuple[Path, bool]:
        """The path."""
        return await asyncio.to_thread(checked_report, self.path.value)


class ComparisonDialog(_FileDialog[Target]):
    """Asks where the answers of a comparison go, side by side; the ending says the format."""

    def __init__(self, jobs: Sequence[Job], folder: Path) -> None:
        number = "-".join(str(job.id) for job in jobs)
        super().__init__(folder / f"comparison-{number}.csv")
        self._jobs = tuple(jobs)

    def compose(self) -> ComposeResult:
        """Path and what endings mean."""
        with VerticalScroll(classes="box", can_focus=False):
            yield words("Export the answers side by side", "title")
            yield words("A line a row. Ends in .csv, .tsv, .jsonl, .json (also .gz) or .parquet", "detail")
            with VerticalScroll(classes="fields", can_focus=False):
                yield from self.path_fields("Export")

    @on(Input.Changed, "#path")
    def _path_typed(self) -> None:
        self.trouble("")

    async def result(self) -> tuple[Target, bool]:
        """The target."""
        source = self._jobs[0].spec.source.path
        target, replaces = await asyncio.to_thread(checked_target, self.path.value, source)
        if target.format is ResultFormat.BATCH:
            raise UserError("OpenAI Batch output holds one answer a row", remedy="Name a .csv or .jsonl file.")
        return target, replaces
