"""The New job screen: what can be done with the form. Tried, run, saved, loaded, left."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Button
from textual.worker import Worker, WorkerCancelled, WorkerFailed

from tui_batch import figures
from tui_batch.domain.endpoint import Endpoint
from tui_batch.domain.job import TERMINAL, CacheMode, Job, JobState
from tui_batch.engine.chaining import FORMAT
from tui_batch.engine.compose import Composed
from tui_batch.engine.importing import Imported, ImportProgress
from tui_batch.errors import UserError
from tui_batch.inputs.draft import JobDraft
from tui_batch.paths import expanded
from tui_batch.tui.actions import NEW_JOB, bindings
from tui_batch.tui.desk import Desk
from tui_batch.tui.screens.confirm import Confirm
from tui_batch.tui.screens.help import Help, help_rows
from tui_batch.tui.screens.new_job.asking import ColumnScreen, PathQuestion, PathScreen
from tui_batch.tui.screens.new_job.browser import FileBrowser
from tui_batch.tui.screens.new_job.files import Kind
from tui_batch.tui.screens.new_job.form_screen import FormScreen
from tui_batch.tui.screens.new_job.more_sections import RunSection, Trial, cost_words
from tui_batch.tui.screens.new_job.sections import ColumnBar, PromptSection, rows_of
from tui_batch.tui.telling import Telling
from tui_batch.work.command_words import run_words
from tui_batch.work.drafting import Form, FormError, form_of_draft
from tui_batch.work.new_job import TRY_ROWS, Workshop, answers, composed, make

LOOK_S = 0.3
"""How often the answers of a trial are looked at."""
FREE_TO_TRY_NANO = 250_000_000
"""Ten rows that may cost more than this are asked for first: a quarter of a dollar."""
JOB_SUFFIX = ".yaml"


class NewJobScreen(FormScreen):
    """Dismissed with the number of the job that was made and started, or None."""

    # Before the text areas' own: in them F6 and F7 would select text. No letter is among them.
    BINDINGS: ClassVar[list[BindingType]] = [
        replace(binding, priority=binding.key.startswith("f")) if isinstance(binding, Binding) else binding
        for binding in bindings("new_job")
    ]

    def __init__(self, desk: Desk, draft: JobDraft | None = None, *, endpoints: tuple[Endpoint, ...] = ()) -> None:
        """`draft` fills the form in; `endpoints` are those of the job that it was taken from."""
        settings = desk.settings
        form = Form(models=settings.default_model, endpoint=settings.default_endpoint)
        workshop = Workshop(desk.store, settings, desk.transport, desk.where.db, desk.clock, endpoints)
        super().__init__(desk, workshop, form if draft is None else form_of_draft(draft))
        self.tried: int | None = None
        """The job of the ten rows that were tried last."""

    # Long work: one at a time, and escape stops it

    def _begin(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        if self.busy is not None:
            work.close()
            self.say("✗ Something is under way; escape stops it.", is_bad=True)
            return
        self.say(f"{what} …")
        self.run_worker(self._guarded(work), group="making", exclusive=True)
        self.refresh_bindings()

    def on_worker_state_changed(self) -> None:
        """While something is under way escape stops it, and the hints say so."""
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape stops what is under way, else it leaves."""
        if action in ("new_job_stop", "new_job_leave"):
            return (self.busy is not None) == (action == "new_job_stop")
        return super().check_action(action, parameters)

    @property
    def busy(self) -> Worker[Any] | None:
        """What is being tried or made."""
        return next(
            (one for one in self.workers if one.group == "making" and one.node is self and one.is_running), None
        )

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except FormError as error:
            self.blame(error.field, error.message)
        except UserError as error:
            self.say(f"✗ {error}", is_bad=True)

    # Trying and running

    def action_new_job_try(self) -> None:
        """Ten rows, spread over the file, as a job of their own."""
        if self.insist():
            self.go(RunSection.NAME)
            self._begin("Trying ten rows", self._try())

    def action_new_job_run(self) -> None:
        """All rows."""
        if self.insist():
            self._begin("Making the job", self._run_all())

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "try":
            self.action_new_job_try()
        elif event.button.id == "all":
            self.action_new_job_run()

    async def _try(self) -> None:
        made = await self._composed()
        if not await self._may_try():
            self.say("Nothing was sent.")
            return
        imported = await make(self.workshop, made, sample=TRY_ROWS, progress=self._progress)
        self.tried = imported.job_id
        await self._record(sample=TRY_ROWS)
        ended = await self.desk.controller.start(imported.job_id)
        self.say(f"Ten rows are being answered: job {imported.job_id}.")
        while not ended.done():
            await self._show_answers(imported.job_id)
            await asyncio.wait([ended], timeout=LOOK_S)
        self.say(_tried_words(await self._show_answers(imported.job_id), made))

    async def _show_answers(self, job_id: int) -> Job:
        job = await self.desk.store.jobs.get(job_id)
        found = await answers(self.desk.store, job_id)
        self.query_one(RunSection).show_trial(Trial(job_id, job.state.value, found))
        return job

    async def _run_all(self) -> None:
        made = await self._composed()
        if not await self._may_run(made):
            self.say("Nothing was made.")
            return
        imported = await make(self.workshop, made, progress=self._progress)
        await self._record()
        try:
            await self.desk.controller.start(imported.job_id)
        except UserError as error:
            self.app.notify(f"Job {imported.job_id} is made, but does not run: {error}", severity="error", markup=False)
        self._say_rejects(imported)
        self.dismiss(imported.job_id)

    async def _composed(self) -> Composed:
        """The form as a job that can be made; what is wrong with the endpoints is told at the models."""
        draft = await self.draft()
        try:
            return await composed(self.workshop, draft)
        except FormError:
            raise
        except UserError as error:
            if "template" in error.message:
                raise FormError("prompt", error.message) from None
            # The remedies that come along are options of the command line.
            raise FormError("models", error.message) from None

    async def _may_try(self) -> bool:
        """Only where ten rows are dear."""
        expected = self.expected
        if expected is None or expected.cost is None or not expected.rows:
            return True
        dear = expected.cost.high * TRY_ROWS // expected.rows
        if dear <= FREE_TO_TRY_NANO:
            return True
        return await self._ask(f"Try {TRY_ROWS} rows?", f"They may cost up to {figures.dollars(dear)}.", "Try")

    async def _may_run(self, made: Composed) -> bool:
        """Asked wherever it costs money, or may."""
        expected = self.expected
        if expected is None:
            return await self._ask("Run all rows?", "What they will cost could not be reckoned.", "Run")
        if expected.cost is not None and expected.cost.high == 0:
            return True
        about = "" if expected.counted else "about "
        question = f"Run {about}{figures.count(expected.requests)} requests?"
        capped = made.knobs.budget_nano is not None
        budget = f" The budget is {figures.budget(made.knobs)}." if capped else " There is no budget."
        return await self._ask(question, f"Cost: {cost_words(expected)}.{budget}", "Run")

    async def _ask(self, question: str, detail: str, yes: str) -> bool:
        answer: bool = await self.app.push_screen_wait(Confirm(question, detail, yes=yes))
        return answer

    def _progress(self, at: ImportProgress) -> None:
        part = "" if at.part is None else f"  {at.part:.0%}"
        self.say(f"Reading: {figures.things(at.rows, 'row')}{part}")

    def _say_rejects(self, imported: Imported) -> None:
        if imported.rejected:
            words = f"{figures.things(imported.rejected, 'row')} rejected, see {imported.rejects_path}"
            self.app.notify(f"{words} (first: {imported.first_reject[:200]})", severity="warning", markup=False)

    async def _record(self, sample: int | None = None) -> None:
        """Notes what was done, as the command that does the same."""
        draft, schema = await self.draft(), self.form.schema.strip()
        path = "" if schema.startswith("{") else schema
        if (app := self._noting_app) is not None:
            app.record(*run_words(draft, schema=path, sample=sample))

    @property
    def _noting_app(self) -> Telling[Any] | None:
        """The app with its log; None: the screen stands in another."""
        return self.app if isinstance(self.app, Telling) else None

    # Job files

    def action_new_job_save(self) -> None:
        """As a job file, which the command line runs too."""
        if self.insist():
            self.run_worker(self._guarded(self._save()), group="files")

    async def _save(self) -> None:
        from tui_batch.inputs.job_writer import replace_file, save_new

        draft = await self.draft()
        if draft.source.format == FORMAT:
            raise UserError("a job file names a file of rows, so answers of a job cannot be saved in one")
        question = PathQuestion("Save as a job file", _offered_path(draft), "enter saves · esc leaves")
        text = await self.app.push_screen_wait(PathScreen(question, self._recent))
        if text is None:
            return
        path = _job_path(text)
        try:
            await asyncio.to_thread(save_new, draft, path)
        except FileExistsError:
            if not await self._ask(f"Overwrite {path.name}?", str(path), "Overwrite"):
                self.say("Nothing was saved.")
                return
            await asyncio.to_thread(replace_file, draft, path)
        self.begun = self.form
        said = f"Saved: {self.desk.where.command('run', str(path))}"
        if (app := self._noting_app) is not None:
            app.log_place.note("info", said)
        self.say(f"✓ {said}")

    def action_new_job_load(self) -> None:
        """A job file in place of what is typed."""
        self.run_worker(self._guarded(self._load_asked()), group="files")

    async def _load_asked(self) -> None:
        question = PathQuestion("Load a job file", _folder_of(self.form.path), "enter loads · esc leaves")
        text = await self.app.push_screen_wait(PathScreen(question, self._recent))
        if text is not None:
            await self._load(text)

    async def _load(self, text: str) -> None:
        from tui_batch.inputs.job_file import load_job_draft

        path = _job_path(text)
        draft = await asyncio.to_thread(load_job_draft, path)
        if not await self._may_lose("Load it in place of what is typed?"):
            return
        self.take(form_of_draft(draft))
        self.begun = self.form
        self.say(f"✓ Loaded {path}")

    @on(FileBrowser.Picked)
    def _picked(self, event: FileBrowser.Picked) -> None:
        event.stop()
        if event.entry.kind is Kind.JOB_FILE:
            self.change("path", self.begun.path)
            self.query_one(FileBrowser).path = self.form.path
            self.run_worker(self._guarded(self._load(event.text)), group="files")
        elif event.text == self.form.path and self.facts.preview is not None:
            self.step(1)  # chosen a second time: that is meant
        else:
            self.change("path", event.text)

    async def _may_lose(self, question: str) -> bool:
        return self.form == self.begun or await self._ask(question, "What was typed is not saved.", "Yes")

    # Small keys

    def action_new_job_next(self) -> None:
        """The next section."""
        self.step(1)

    def action_new_job_back(self) -> None:
        """The section before."""
        self.step(-1)

    def action_new_job_row_next(self) -> None:
        """Another row in the preview."""
        self.step_row(1)

    def action_new_job_row_back(self) -> None:
        """The row before."""
        self.step_row(-1)

    def action_new_job_column(self) -> None:
        """A column at the cursor of the prompt."""
        seen = self.facts.preview
        if seen is None or not rows_of(self.facts):
            self.say("✗ Choose a file first: its columns can be inserted then.", is_bad=True)
            return
        self.go(PromptSection.NAME)
        self.app.push_screen(ColumnScreen(seen.columns), self._insert)

    def _insert(self, column: str | None) -> None:
        if column is not None:
            self.query_one(PromptSection).insert(column)

    @on(ColumnBar.Wanted)
    def _wanted(self, event: ColumnBar.Wanted) -> None:
        self.query_one(PromptSection).insert(event.column)

    def action_new_job_help(self) -> None:
        """What the keys of this screen do, as the person has them."""
        found = [active.binding for active in self.active_bindings.values()]
        keys = {binding.id: self.app.get_key_display(binding) for binding in reversed(found)}
        self.app.push_screen(Help(help_rows("new_job", lambda action: keys.get(action.id, action.keys), NEW_JOB)))

    def action_new_job_stop(self) -> None:
        """Stops what is under way."""
        if (busy := self.busy) is not None:
            self.run_worker(self._stop(busy), group="stopping", exclusive=True)

    def action_new_job_leave(self) -> None:
        """Leaves, and asks when something was typed."""
        self.run_worker(self._leave(), group="files")

    async def _stop(self, busy: Worker[Any]) -> None:
        """Ends what is being made, of which nothing is left behind, or the trial, whose answers are kept."""
        self.say("Stopping …")
        busy.cancel()
        with suppress(WorkerCancelled, WorkerFailed):
            await busy.wait()
        if self.tried is not None:
            with suppress(UserError):  # it had ended before
                await self.desk.controller.cancel(self.tried)
        self.say("Stopped.")

    async def _leave(self) -> None:
        if await self._may_lose("Leave without making a job?"):
            self.dismiss(None)


def _tried_words(job: Job, made: Composed) -> str:
    """How the trial went, and what the next key is."""
    counters = job.counters
    if job.state not in TERMINAL or job.state is JobState.FAILED:
        return f"✗ The trial is {job.state.value}: {job.message or job.reason or 'no reason is known'}"
    spent = figures.cost(counters)
    again = (
        "the cache is off, so they are asked anew"
        if made.spec.cache is CacheMode.OFF
        else "these rows are then answered from the cache"
        if made.spec.cache is CacheMode.USE
        else "the cache is refreshed, so they are asked anew"
    )
    dead = f", {counters.dead} dead" if counters.dead else ""
    return f"✓ {counters.done} answered{dead}, {spent}. F6 runs all rows; {again}."


def _offered_path(draft: JobDraft) -> str:
    """Beside the file of rows, or where the draft came from."""
    if draft.origin is not None:
        return str(draft.origin)
    source = Path(draft.source.path)
    return str(source.with_name(source.name.partition(".")[0] + JOB_SUFFIX))


def _folder_of(path: str) -> str:
    """Where a file lies, with a separator at its end; empty for no file."""
    return os.path.join(os.path.dirname(path), "") if os.path.dirname(path) else ""


def _job_path(text: str) -> Path:
    """A path that the program takes for a job file. Raises UserError for what names none."""
    path = expanded(text)
    if not path.name:
        raise UserError(f"{text} names no file", remedy="Add a file's name, such as job.yaml.")
    return path if path.suffix.lower() in (JOB_SUFFIX, ".yml") else path.with_name(path.name + JOB_SUFFIX)
