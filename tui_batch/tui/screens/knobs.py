"""The knobs of one or several jobs, to be changed while they run, whichever process runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Label, Static

from tui_batch.errors import UserError
from tui_batch.tui.desk import Desk
from tui_batch.tui.knob_form import FIELDS, KnobField, Reading, consequences, read, texts_of
from tui_batch.tui.screens.dialog import Dialog, safe_content, words
from tui_batch.tui.view import JobView
from tui_batch.tui.widgets.entry import Entry


class KnobsDialog(Dialog[bool]):
    """Dismissed with True once the knobs are turned, with False when nothing was changed."""

    DEFAULT_CSS = """
    KnobsDialog .field { height: auto; }
    KnobsDialog #fields { height: auto; margin: 1 0 0 0; }
    KnobsDialog .field Label { width: 13; }
    KnobsDialog .field Input { width: 20; border: none; height: 1; padding: 0 1; background: $panel; }
    KnobsDialog .field Input:focus { background: $primary 25%; }
    KnobsDialog .hint { width: 1fr; height: auto; padding: 0 0 0 1; }
    KnobsDialog .warning { color: $warning; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(self, desk: Desk, jobs: Sequence[JobView], record: Callable[..., None]) -> None:
        super().__init__()
        self._desk = desk
        self._jobs = tuple(jobs)
        self._record = record
        self._before = texts_of([job.knobs for job in jobs])

    def compose(self) -> ComposeResult:
        """A field a line, each with its hint, which gives way to what is wrong."""
        with VerticalScroll(classes="box", can_focus=False):
            yield words(f"Settings of {_names(self._jobs)}", "title")
            with VerticalScroll(id="fields", can_focus=False):
                for field in FIELDS:
                    yield from self._field(field)
            yield Static("", id="knobs-trouble", classes="trouble", markup=False)
            with Horizontal(classes="buttons"):
                yield Button(Content("Apply (enter)"), id="apply", compact=True)
                yield Button(Content("Close (esc)"), id="close", compact=True)

    def _field(self, field: KnobField) -> ComposeResult:
        text = self._before[field.name]
        with Horizontal(classes="field"):
            yield Label(field.label, markup=False)
            yield Entry(
                text or "", placeholder="they differ" if text is None else "", id=f"knob-{field.name}", compact=True
            )
            yield Static(field.hint, id=f"hint-{field.name}", classes="hint muted", markup=False)

    def on_mount(self) -> None:
        """The first field has the focus."""
        self.query_one(f"#knob-{FIELDS[0].name}").focus()

    def _read(self) -> Reading:
        return read(self._before, {field.name: self.query_one(f"#knob-{field.name}", Input).value for field in FIELDS})

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self._explain(self._read())

    def _explain(self, reading: Reading) -> None:
        """What is wrong, or not what one may expect, stands beside the field."""
        warnings = consequences(reading.changes, self._jobs)
        for field in FIELDS:
            hint = self.query_one(f"#hint-{field.name}", Static)
            problem, warning = reading.problems.get(field.name), warnings.get(field.name)
            hint.update(safe_content(f"✗ {problem}" if problem else f"! {warning}" if warning else field.hint))
            hint.set_class(problem is not None, "trouble")
            hint.set_class(warning is not None, "warning")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._apply()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "apply":
            self._apply()
        else:
            self.dismiss(False)

    def _apply(self) -> None:
        reading = self._read()
        if reading.problems:
            self._explain(reading)
            self.query_one(f"#knob-{next(iter(reading.problems))}").focus()
        elif not reading.changes:
            self.dismiss(False)
        else:
            self.run_worker(self._turn(reading), group="turn", exclusive=True)

    async def _turn(self, reading: Reading) -> None:
        """Turns them job by job; the first refusal is shown, and the dialog stays."""
        for job in self._jobs:
            try:
                await self._desk.controller.turn(job.id, reading.changes)
            except UserError as error:
                trouble = f"#{job.id}: {error}"
                self.query_one("#knobs-trouble", Static).update(safe_content(trouble))
                return
            if reading.words:
                self._record("set", str(job.id), *reading.words)
        self.dismiss(True)

    def action_leave(self) -> None:
        """Nothing is changed."""
        self.dismiss(False)


def _names(jobs: Sequence[JobView]) -> str:
    return f"job #{jobs[0].id} {jobs[0].name}" if len(jobs) == 1 else f"{len(jobs)} jobs"
