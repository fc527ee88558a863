"""The form on the screen: its sections, what is wrong with it, and what comes of it, always up to date.

What is slow (files, templates, counting, servers) happens in threads and workers; a newer wish replaces an older one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import ContentSwitcher, Static, Tab, Tabs

from tui_batch.domain.job import InputSource
from tui_batch.engine.chaining import chained_job
from tui_batch.errors import UserError
from tui_batch.inputs.draft import JobDraft
from tui_batch.inputs.templates import MissingColumn, RowError
from tui_batch.paths import expanded
from tui_batch.safe_text import safe_text
from tui_batch.tui.desk import Desk
from tui_batch.tui.screens.new_job.browser import FileBrowser
from tui_batch.tui.screens.new_job.checks_section import ChecksSection
from tui_batch.tui.screens.new_job.fields import Entered, Field, Typed, fill, tell
from tui_batch.tui.screens.new_job.files import Entry, recent_files
from tui_batch.tui.screens.new_job.more_sections import ExpectedView, LimitsSection, ModelsSection, RunSection
from tui_batch.tui.screens.new_job.sections import FileFacts, FileSection, PromptSection, RowView, Section, rows_of
from tui_batch.tui.widgets.frame import Hints
from tui_batch.work.drafting import Form, check, column_words, draft_of_form, preview_draft, source_of, with_schema
from tui_batch.work.estimating import Estimate
from tui_batch.work.model_words import models_line, toggled
from tui_batch.work.new_job import (
    Workshop,
    asked_column,
    drawn,
    everywhere,
    expect,
    find_offers,
    first_rows,
    lacking,
    nowhere,
    show_row,
)
from tui_batch.work.row_models import with_row_model

PREVIEW_ROWS = 50
PAUSE_S = 0.2
"""Silence after a keystroke before anything is read or rendered."""
WIDE = 110
"""Columns from which on form and preview stand side by side."""
_FILE_FIELDS = frozenset({"path", "format"})
_PLAIN_FORMATS = frozenset({"batch", "bodies"})


class FormScreen(ModalScreen[int | None]):
    """A form in sections. Knows what is typed; what to do with it is a subclass's business."""

    BINDINGS: ClassVar[list[BindingType]] = [  # lists and texts have a use of their own for them
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    DEFAULT_CSS = """
    FormScreen {
        background: $background;
        #title { height: 1; background: $panel; padding: 0 1; text-style: bold; }
        Tabs { height: 2; }
        ContentSwitcher { height: 1fr; }
        #status { height: auto; max-height: 4; padding: 0 1; display: none; }
        #status.-shown { display: block; }
        #status.-bad { color: $text-error; }
    }
    """
    SECTIONS: ClassVar[tuple[type[Section], ...]] = (
        FileSection,
        PromptSection,
        ModelsSection,
        LimitsSection,
        ChecksSection,
        RunSection,
    )

    def __init__(self, desk: Desk, workshop: Workshop, form: Form) -> None:
        super().__init__()
        self.desk = desk
        self.workshop = workshop
        self.form = form
        """What is typed at this moment."""
        self.begun = form
        """What stood there before anything was typed."""
        self.facts = FileFacts()
        self.expected: Estimate | None = None
        self.row = 0
        """The row that is previewed, from 0."""
        self._touched: set[str] = set()
        self._found: dict[str, str] = {}
        """Problems that only a look at files and servers shows, by field."""
        self._unfilled: dict[str, str] = {}
        """Templates that no row of the file can fill, by field."""
        self._pauses: dict[str, Any] = {}

    def compose(self) -> ComposeResult:
        """Title, sections, status, key hints."""
        yield Static(id="title", markup=False)
        yield Tabs(
            *(Tab(f"{number} {kind.TITLE}", id=f"tab-{kind.NAME}") for number, kind in enumerate(self.SECTIONS, 1))
        )
        with ContentSwitcher(initial=FileSection.NAME):
            yield FileSection(self._recent)
            yield PromptSection()
            yield ModelsSection()
            yield LimitsSection()
            yield ChecksSection()
            yield RunSection()
        yield Static(id="status", markup=False)
        yield Hints()

    def on_mount(self) -> None:
        """Shows the form that was brought along, and asks the servers."""
        self.take(self.form)
        self.run_worker(self._ask_servers(), group="offers")
        self.query_one(FileSection).first()

    def on_resize(self) -> None:
        """Side by side where there is room."""
        for section in self.query(Section):
            section.set_class(self.size.width >= WIDE, "-side")

    # The form

    def take(self, form: Form) -> None:
        """Puts another form on the screen."""
        self.form = form
        self._touched.clear()
        self._found.clear()
        self._unfilled.clear()
        fill(self, form)
        self._judge()
        self._later("look", self._look, 0.01)

    @property
    def problems(self) -> dict[str, str]:
        """What is wrong, by field, in the order of the sections."""
        found = {**self._unfilled, **check(self.form), **self._found}
        order = [field for section in self.SECTIONS for field in section.FIELDS]
        return dict(sorted(found.items(), key=lambda entry: order.index(entry[0])))

    @on(Typed)
    def _typed(self, event: Typed) -> None:
        event.stop()
        # As it stands by now: a choice tells its first word once it is there, when it may have been filled in already.
        self.change(event.field, self.query_one(f"#field-{event.field}", Field).text)

    @on(Entered)
    def _entered(self, event: Entered) -> None:
        """Enter goes on, after it has made a whole of half a name."""
        event.stop()
        halves = {"path": self.query_one(FileBrowser).take_half, "models": self.query_one(ModelsSection).take_half}
        if event.field in halves and halves[event.field]():
            return
        if event.field == "path" and self.facts.preview is not None:
            self.step(1)  # nothing is left to choose here
        else:
            self.focus_next()

    def change(self, field: str, text: str) -> None:
        """A field has another text: everything that hangs on it follows."""
        if getattr(self.form, field) == text:
            return
        changed: dict[str, Any] = {field: text}
        self.form = replace(self.form, **changed)
        self._touched.add(field)
        self._found.pop(field, None)
        self._unfilled.pop(field, None)
        self.say("")
        self._judge()
        if field in _FILE_FIELDS:
            self._later("look", self._look)
        else:
            self._later("reckon", self._reckon)

    @on(ModelsSection.Toggled)
    def _toggled(self, event: ModelsSection.Toggled) -> None:
        event.stop()
        chosen = toggled(event.others, event.choice, self.form.endpoint.strip())
        self.query_one("#field-models", Field).text = models_line(chosen)

    def _judge(self) -> None:
        """Shows what is wrong with the fields a person has been at, and the state of every section."""
        problems = self.problems
        tell(self, {field: words for field, words in problems.items() if field in self._touched})
        self.query_one(ModelsSection).show_models(self.form.models, self.form.endpoint.strip())
        self.query_one(ModelsSection).show_mode(self.form.mode)
        for number, section in enumerate(self.SECTIONS, 1):
            mark = "" if not section.FIELDS else "✗" if problems.keys() & set(section.FIELDS) else "✓"
            self.query_one(f"#tab-{section.NAME}", Tab).label = f"{number} {section.TITLE} {mark}".rstrip()
        name = self.form.name or Path(self.form.path).name or "no file yet"
        self.query_one("#title", Static).update(f"New job  {safe_text(name, 60)}")

    def insist(self) -> bool:
        """Shows every problem and goes to the first; whether there is none."""
        problems = self.problems
        self._touched.update(problems)
        self._judge()
        if not problems:
            return True
        field = next(iter(problems))
        section = next(kind for kind in self.SECTIONS if field in kind.FIELDS)
        self.go(section.NAME)
        self._focus_field(field)
        self.say("")
        return False

    def _focus_field(self, field: str) -> None:
        for widget in self.query(f"#input-{field}"):
            self.set_focus(widget)

    def blame(self, field: str, words: str) -> None:
        """Something was found wrong that the form alone does not show."""
        self._found[field] = words
        self._touched.add(field)
        self.insist()

    def say(self, words: str, *, is_bad: bool = False) -> None:
        """A line above the key hints; empty: none."""
        status = self.query_one("#status", Static)
        status.update("\n".join(safe_text(line, 300) for line in words.splitlines()))
        status.set_class(bool(words), "-shown")
        status.set_class(is_bad, "-bad")

    # Sections

    def go(self, name: str) -> None:
        """Shows a section, ready to be typed into: the next key may be on its way already."""
        self.query_one(ContentSwitcher).current = name
        self.query_one(Tabs).active = f"tab-{name}"
        self.query_one(f"#{name}", Section).first()

    @on(Tabs.TabActivated)
    def _activated(self, event: Tabs.TabActivated) -> None:
        event.stop()
        name = self.query_one(Tabs).active.removeprefix("tab-")
        self.query_one(ContentSwitcher).current = name

    def step(self, by: int) -> None:
        """The next section, or the one before."""
        names = [kind.NAME for kind in self.SECTIONS]
        at = names.index(str(self.query_one(ContentSwitcher).current))
        self.go(names[(at + by) % len(names)])

    def step_row(self, by: int) -> None:
        """The next row of the preview, or the one before."""
        rows = rows_of(self.facts)
        if rows:
            self.row = (self.row + by) % len(rows)
            self._later("reckon", self._reckon, 0.01)

    # What comes of it

    def _later(self, what: str, do: Callable[[], Coroutine[Any, Any, None]], pause_s: float = PAUSE_S) -> None:
        """Does it once nothing more was typed for a moment; a newer wish replaces one that still waits or runs."""
        if (waiting := self._pauses.pop(what, None)) is not None:
            waiting.stop()
        self._pauses[what] = self.set_timer(pause_s, lambda: self.run_worker(do(), group=what, exclusive=True))

    async def _recent(self) -> tuple[Entry, ...]:
        return await asyncio.to_thread(recent_files, await self.desk.store.jobs.list())

    async def _ask_servers(self) -> None:
        elsewhere = nowhere if self.desk.is_demo else partial(everywhere, self.desk.where.settings)
        offers = await find_offers(self.workshop, elsewhere)
        self.query_one(ModelsSection).show_offers(offers)

    def source(self) -> InputSource | None:
        """The input as it is typed; None: there is no such file."""
        if chained_job(self.form.path) is not None:
            return source_of(self.form, self.form.path)
        with contextlib.suppress(OSError, UserError):
            if self.form.path.strip() and (path := expanded(self.form.path)).is_file():
                return source_of(self.form, str(path.absolute()))
        return None

    async def _look(self) -> None:
        """Reads the file's beginning, then counts its rows."""
        self.facts, self.row, self.expected = FileFacts(), 0, None
        self._unfilled.clear()
        source = await asyncio.to_thread(self.source)
        try:
            if source is not None:
                await self._read(source)
            elif self.form.path.strip():
                self._found["path"] = "there is no such file"
                self._touched.discard("path")  # not to be told at every letter of a path that is being typed
                self.facts = FileFacts(note="There is no such file. The list shows what is there.")
        except UserError as error:
            self._found["path"] = error.message
            self.facts = FileFacts(note=str(error))
        await self._show_facts()
        await self._reckon()
        if source is not None and self.facts.preview is not None:
            await self._count(source)

    async def _read(self, source: InputSource) -> None:
        self.facts = FileFacts(await first_rows(self.desk.store, source, PREVIEW_ROWS))
        self._found.pop("path", None)
        self._suggest_prompt()
        if not self.form.models:
            named = await asyncio.to_thread(with_row_model, replace(self.form.rest, source=source, models=()))
            self._suggest("models", models_line(named.models))

    def _suggest_prompt(self) -> None:
        """A prompt over the column that is likely asked about, where there is none and the file has no `prompt`."""
        seen = self.facts.preview
        if seen is None or self.form.prompt or seen.format in _PLAIN_FORMATS:
            return
        if (column := asked_column(seen)) is not None:
            self._suggest("prompt", column_words(column))

    def _suggest(self, field: str, words: str) -> None:
        """Fills an empty field. The form alone does not tell: a letter typed at this moment is on its way to it."""
        box = self.query_one(f"#field-{field}", Field)
        if not box.text:
            box.text = words

    async def _count(self, source: InputSource) -> None:
        try:
            counted = await drawn(self.desk.store, self.form.rest, source)
        except UserError as error:
            self._found["path"] = error.message
            self._judge()
            return
        self.facts = replace(self.facts, drawn=counted)
        await self._show_facts()
        await self._reckon()

    async def _show_facts(self) -> None:
        self._judge()
        self.query_one(FileSection).show_facts(self.facts)
        seen = self.facts.preview
        columns = () if seen is None else seen.columns
        await self.query_one(PromptSection).show_columns(columns)
        self.query_one(ChecksSection).show_columns(columns)

    async def _reckon(self) -> None:
        """Fills a row in, and says what the whole will take."""
        row, unfilled = await self._row_view()
        if unfilled != self._unfilled:
            self._unfilled = unfilled
            self._touched.update(unfilled)
            self._judge()
        self.query_one(PromptSection).show_row(row)
        self.expected, why = await self._expected()
        for view in self.query(ExpectedView):
            view.show(self.expected, why)
        self.query_one(RunSection).show_ways(self.expected)

    async def _row_view(self) -> tuple[RowView, dict[str, str]]:
        """The row filled in, and what is wrong with a template that no row can fill, by field."""
        rows, seen, counted = rows_of(self.facts), self.facts.preview, self.facts.drawn
        if seen is None or not rows:
            return RowView(0, 0), {}
        try:
            draft, source = preview_draft(self.form), replace(self.form.rest.source, format=seen.format)
            shown = await asyncio.to_thread(show_row, draft, source, rows[self.row])
        except (UserError, RowError) as error:
            wrong = {}
            if isinstance(error, MissingColumn) and counted is not None:
                wrong = {error.which: await asyncio.to_thread(lacking, error, counted)}
            return RowView(self.row, len(rows), trouble=str(error)), {name: why for name, why in wrong.items() if why}
        return RowView(self.row, len(rows), shown), {}

    async def _expected(self) -> tuple[Estimate | None, str]:
        """The figures, or why there are none."""
        if self.facts.drawn is None:
            return None, "Rows, tokens, cost and time are shown here once a file is chosen and counted."
        if problems := self.problems:
            return None, "Cost and time are shown here once nothing is wrong: " + self._labels(problems)
        try:
            draft = await self.draft()
            return await expect(self.workshop, draft, self.facts.drawn), ""
        except UserError as error:
            return None, error.message

    def _labels(self, fields: Iterable[str]) -> str:
        return ", ".join(self.query_one(f"#field-{field}", Field).label for field in fields)

    async def draft(self) -> JobDraft:
        """The job that the form asks for. Raises FormError."""
        return draft_of_form(await asyncio.to_thread(with_schema, self.form))
