"""The app's manners: colours, keys, help, palette, leaving, what is remembered, and work in the background."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.binding import Binding
from textual.geometry import Size
from textual.widgets import ContentSwitcher

from tui_batch import paths
from tui_batch.errors import UserError
from tui_batch.safe_text import safe_text
from tui_batch.tui.actions import REGISTRY, Action, by_id
from tui_batch.tui.keymap import USUAL, Keymap, load_keymap
from tui_batch.tui.place import Place
from tui_batch.tui.places.jobs import JobsPlace
from tui_batch.tui.prefs import FILE as PREFS_FILE
from tui_batch.tui.prefs import Prefs
from tui_batch.tui.screens.too_small import TooSmall, is_too_small
from tui_batch.tui.themes import DEFAULT, Themes, fingerprint, load_themes, usual
from tui_batch.tui.tidings import tidings

if TYPE_CHECKING:
    from tui_batch.domain.job import Job
    from tui_batch.tui.app import BatchApp
    from tui_batch.tui.export_plan import ExportPlan
    from tui_batch.tui.export_scopes import NamedScope
    from tui_batch.tui.screens.palette import Command
    from tui_batch.tui.screens.quit import HandedOver, Leave
    from tui_batch.tui.view import JobView, View

LOOK_S = 1.0
"""Between two looks at the folder of the person's own themes."""
JOBS_IN_PALETTE = 300


class Manners:
    """One for the app."""

    def __init__(self, app: BatchApp) -> None:
        self._app = app
        self._folders = (paths.shipped("themes"), paths.user_themes())
        self._mark: frozenset[tuple[str, int, int]] = frozenset()
        self.themes = Themes()
        """Those that can be worn, and what was skipped."""
        self._work: set[asyncio.Task[None]] = set()
        self._settled = False
        self._early: list[tuple[str, str]] = []
        """Notes for the log, while there is no place for it yet."""
        self.keymap: Keymap = USUAL
        self.prefs = Prefs(app.desk.state_dir / PREFS_FILE, self._note)
        self.handed: tuple[HandedOver, ...] = ()
        """Jobs that go on in the background after the app."""
        self._leaves = False
        self.last_words: tuple[str, ...] = ()
        """What became of the work that leaving waited for: nobody reads a message of an app that closes."""

    def _note(self, level: str, text: str) -> None:
        if self._settled:
            self._app.log_place.note(level, text)
        else:
            self._early.append((level, text))

    async def dress(self) -> None:
        """The colours that are worn, before anything is drawn; and what else is remembered."""
        await self.prefs.load()
        chosen = self.prefs.value.theme or usual(self._app.console.color_system)
        self._put_in(await asyncio.to_thread(load_themes, self._folders, {chosen, DEFAULT}))
        self.wear(chosen)

    def arrange(self) -> None:
        """The list of jobs as the last time."""
        known = self.prefs.value
        self._app.query_one(JobsPlace).recall(known.sort.get("jobs", ""), known.panes.get("jobs"))
        self.fit(self._app.size)

    async def settle(self, switcher: ContentSwitcher) -> None:
        """The other places, keys, and what else is remembered; what went wrong so far is told."""
        from tui_batch.tui.places import every

        trouble: UserError | None = None
        try:
            self.keymap = await asyncio.to_thread(load_keymap, paths.user_keymap())
        except UserError as error:
            trouble = error
        for load in every.LATER:  # one by one: a job that runs meanwhile, and what is drawn of it, have their turns
            if switcher.is_attached:
                await switcher.add_content(load()(self._app.desk))
                await asyncio.sleep(0)
        if len(self._app.query(Place)) <= len(every.LATER):
            return  # the app closes already
        self._settled = True
        await self._read_themes()
        for level, text in self._early:
            self._note(level, text)
        if trouble is not None:
            self._app.say_trouble(trouble)
        self._app.set_keymap(dict(self.keymap.keys))
        self._app.query_one(JobsPlace).know_keys(self._own_keys())
        self._arrange_items()
        self._app.set_interval(LOOK_S, self.look)
        if not gc.isenabled():  # whoever opened the app switched it off until all is loaded; most of that stays
            gc.freeze()
            gc.enable()

    def _arrange_items(self) -> None:
        from tui_batch.tui.places.items import ItemsPlace

        known = self.prefs.value
        items = self._app.query_one(ItemsPlace)
        if "items" in known.sort or "items" in known.columns:
            items.recall(known.sort.get("items", ""), known.columns.get("items", ()))

    async def close(self) -> None:
        """Ends what works in the background, and writes what is remembered."""
        self.stop_work()
        await asyncio.gather(*self._work, return_exceptions=True)
        await self.prefs.save()

    async def look(self) -> None:
        """Writes what is remembered, and reads the themes anew when a file changed."""
        await self.prefs.save()
        if await asyncio.to_thread(fingerprint, self._folders) != self._mark:
            await self._read_themes()
            self.wear(self._app.theme, again=True)

    def notice(self, before: View, after: View) -> None:
        """Another view is to be drawn: keys may come or go with it, and jobs that ended by themselves are told."""
        if bool(before.jobs) != bool(after.jobs):
            self._app.refresh_bindings()
        if before.jobs is not after.jobs:
            heard = tidings(before.jobs, after.jobs, list_is_seen=self._list_is_seen)
            if heard is not None:
                self._app.notify(heard.words, severity=heard.severity, markup=False)

    @property
    def _list_is_seen(self) -> bool:
        return len(self._app.screen_stack) == 1 and isinstance(self._app.place, JobsPlace)

    # Colours

    async def _read_themes(self) -> None:
        before = self.themes.failed
        self._mark = await asyncio.to_thread(fingerprint, self._folders)
        self._put_in(await asyncio.to_thread(load_themes, self._folders))
        self._tell_skipped(before)

    def _put_in(self, themes: Themes) -> None:
        self.themes = themes
        for theme in themes.loaded:
            self._app.register_theme(theme)

    def _tell_skipped(self, before: tuple[str, ...]) -> None:
        if new := [line for line in self.themes.failed if line not in before]:
            for line in new:
                self._note("warning", f"theme skipped: {line}")
            more = f" (and {len(new) - 1} more, see the log)" if len(new) > 1 else ""
            self._app.say_trouble(UserError(f"theme skipped: {new[0]}{more}"))

    def wear(self, name: str, *, again: bool = False) -> None:
        """Puts a theme on; the default where there is none of that name."""
        name = name if name in self.themes.names else DEFAULT
        if name not in self.themes.names:
            return
        if name != self._app.theme:
            self._app.theme = name
        elif again:
            self._app.refresh_css(animate=False)

    async def choose_theme(self) -> None:
        """Shows them one by one."""
        from tui_batch.tui.screens.theme_chooser import ThemeChooser

        before = self._app.theme
        chosen = await self._app.push_screen_wait(ThemeChooser(self.themes.names, before, self.wear))
        self.wear(chosen or before)
        if chosen:
            self.prefs.change(theme=chosen)

    def keep_theme(self, name: str) -> None:
        """Puts a theme on and remembers it."""
        self.wear(name)
        self.prefs.change(theme=name)

    # Finding

    def keys_of(self, action: Action) -> str:
        """An action's keys as the person has them."""
        keys = self.keymap.keys.get(action.id, action.keys).split(",")
        return " ".join(self._app.get_key_display(Binding(key, action.method)) for key in keys)

    def _own_keys(self) -> dict[str, str]:
        """The first key of each action that the person gave another, as it is shown."""
        own = [action for action in REGISTRY if action.id in self.keymap.keys]
        return {action.id: self.keys_of(action).partition(" ")[0] for action in own}

    def help(self) -> None:
        """All keys, those of this place first."""
        from tui_batch.tui.screens.help import ABOUT, Help, help_rows

        context = self._app.place.NAME
        self._app.push_screen(Help(help_rows(context, self.keys_of), ABOUT[context]))

    async def palette(self) -> None:
        """Asks what to do, and does it."""
        from tui_batch.tui.screens.palette import Palette

        command = await self._app.push_screen_wait(Palette(self._commands()))
        if command is not None:
            self._app.call_later(command.do)

    def _commands(self) -> list[Command]:
        """What can be done now: actions, jobs, themes."""
        return [*self._actions(), *self._jobs(), *self._theme_commands()]

    def _actions(self) -> list[Command]:
        from tui_batch.tui.screens.palette import Command

        found: dict[str, Command] = {}
        for active in self._app.screen.active_bindings.values():
            action = by_id(active.binding.id or "")
            if action is None or not active.enabled or action.id in found or action.id == "app.palette":
                continue
            do = partial(self._run, active.binding.action, active.node)
            found[action.id] = Command(action.label, action.help, self.keys_of(action), do)
        return [found[action.id] for action in REGISTRY if action.id in found]

    def _run(self, action: str, node: Any) -> None:
        self._app.run_worker(self._app.run_action(action, node), group="palette")

    def _jobs(self) -> list[Command]:
        from tui_batch.tui.screens.palette import Command

        def open_job(job: JobView) -> None:
            self._app.query_one(JobsPlace).reveal(job)
            self._app.go_to("jobs")
            self._app.select(job.id)

        jobs = self._app.view.jobs[:JOBS_IN_PALETTE]
        return [Command(f"#{job.id} {job.name}", f"job, {job.state}", "", partial(open_job, job)) for job in jobs]

    def _theme_commands(self) -> list[Command]:
        from tui_batch.tui.screens.palette import Command

        return [Command(f"theme {name}", "", "", partial(self.keep_theme, name)) for name in self.themes.names]

    # Size

    def fit(self, size: Size) -> None:
        """Covers the app while the terminal is too small for it."""
        stack = self._app.screen_stack
        if is_too_small(size) and not any(isinstance(screen, TooSmall) for screen in stack):
            self._app.push_screen(TooSmall())

    # Files

    @property
    def folder(self) -> Path:
        """Where files are offered to be written: where one was last, else where the program was started."""
        remembered = self.prefs.value.folder
        return Path(remembered) if remembered and os.path.isdir(remembered) else paths.working_folder()

    def remember_folder(self, file: Path | None) -> None:
        """The next file is offered to be written where this one is."""
        if file is not None:
            self.prefs.change(folder=str(file.parent))

    async def export(self, job: Job, scopes: tuple[NamedScope, ...] = (), which: str = "") -> bool:
        """Asks what and where, and writes it in the background; says whether it does. `which`: of several jobs."""
        from tui_batch.tui.export_plan import write_results
        from tui_batch.tui.screens.export import ExportDialog

        folder = await asyncio.to_thread(lambda: self.folder)
        plan: ExportPlan | None = await self._app.push_screen_wait(ExportDialog(job, folder, scopes, which))
        if plan is None:
            return False
        self.remember_folder(plan.target.path)
        self.start_work(write_results(self._app, plan))
        return True

    async def report(self, job: Job, which: str = "") -> bool:
        """Asks where, and writes it in the background; says whether it does. `which`: of several jobs."""
        from tui_batch.tui.export_plan import write_job_report
        from tui_batch.tui.screens.export import ReportDialog

        folder = await asyncio.to_thread(lambda: self.folder)
        path: Path | None = await self._app.push_screen_wait(ReportDialog(job, folder, which))
        if path is None:
            return False
        self.remember_folder(path)
        self.start_work(write_job_report(self._app, job, path))
        return True

    # Work in the background

    def start_work(self, work: Coroutine[Any, Any, str]) -> None:
        """Runs it beside the app, until it ends or is stopped; what it comes back with, or what went wrong, is said."""
        task = asyncio.get_running_loop().create_task(self._to_its_end(work))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _to_its_end(self, work: Coroutine[Any, Any, str]) -> None:
        try:
            words = await work
        except UserError as error:
            self._app.say_trouble(error)
            words = str(error)
        else:
            self._app.say(words)
        if self._leaves:
            self.last_words = (*self.last_words, safe_text(words, 400))

    @property
    def works(self) -> bool:
        """Whether anything works in the background."""
        return bool(self._work)

    def stop_work(self) -> None:
        """Stops all that works in the background; what is half written goes away."""
        for task in self._work:
            task.cancel()

    async def works_end(self) -> None:
        """Waits until nothing works in the background any more."""
        while self._work:
            await asyncio.wait(self._work)

    def stoppable(self, words: str) -> str:
        """What takes long, with the key that stops it."""
        stop = by_id("app.stop_work")
        assert stop is not None
        return f"{words}  ·  {self.keys_of(stop)} stops it"

    # Leaving

    async def quit(self) -> None:
        """Leaves; asks first when jobs run here, or something works in the background."""
        running = self._app.desk.snapshot().jobs
        if not running and not self.works:
            self._app.exit()
            return
        from tui_batch.tui.screens.quit import Busy, leave, quit_menu

        busy = Busy(len(running), sum(job.in_flight for job in running), self._app.works.words if self.works else "")
        choice: Leave | None = await self._app.push_screen_wait(quit_menu(busy, keeps=not self._app.desk.is_demo))
        if choice is not None:
            self._leaves = True
            try:
                self.handed = await leave(self._app, choice)
            except UserError:
                self._leaves = False  # nothing could be started that goes on with the jobs: the app stays
                raise
            self._app.exit()
