"""A path that completes as it is typed, above the list of what it may mean."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.suggester import Suggester
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tui_batch import figures
from tui_batch.safe_text import safe_text
from tui_batch.tui.alike import common_start
from tui_batch.tui.screens.new_job.fields import Entered, Field, Typed
from tui_batch.tui.screens.new_job.files import Entry, Kind, first_folder, matching

Recent = Callable[[], Awaitable[tuple[Entry, ...]]]
"""The files used last, newest first."""


class _Completion(Suggester):
    """The first entry that a path may mean, to be taken with the right arrow."""

    def __init__(self, kinds: frozenset[Kind]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._kinds = kinds

    async def get_suggestion(self, value: str) -> str | None:
        if not value:
            return None
        found = await asyncio.to_thread(matching, value, self._kinds)
        return next((entry.text for entry in found if entry.text.startswith(value)), None)


class FileBrowser(Vertical):
    """Posts `Typed` for every change of the path and `Picked` when an entry of the list is chosen."""

    DEFAULT_CSS = """
    FileBrowser {
        OptionList { height: 1fr; min-height: 2; background: $background; }
        OptionList:focus { background: $surface; }
    }
    """

    class Picked(Typed):
        """A file was chosen from the list."""

        def __init__(self, field: str, entry: Entry) -> None:
            super().__init__(field, entry.text)
            self.entry = entry

    def __init__(self, field: str, label: str, kinds: frozenset[Kind], recent: Recent, hint: str = "") -> None:
        super().__init__()
        self._field = field
        self._label = label
        self._hint = hint
        self._kinds = kinds
        self._recent = recent
        self._entries: tuple[Entry, ...] = ()
        self._asked = ""
        self._shown = ""
        """What was typed when the list was last filled."""

    def compose(self) -> ComposeResult:
        """The path's field, then the list."""
        yield Field(self._field, self._label, self._hint, classes="-wide")
        yield OptionList(compact=True, markup=False)

    def on_mount(self) -> None:
        """Completes, and shows where to begin."""
        self.query_one(Input).suggester = _Completion(self._kinds)
        self._list("")

    @property
    def path(self) -> str:
        """What stands in the field."""
        return self.query_one(Field).text

    @path.setter
    def path(self, text: str) -> None:
        self.query_one(Field).text = text
        box = self.query_one(Input)
        box.cursor_position = len(text)

    @on(Typed)
    def _typed(self, event: Typed) -> None:
        if not isinstance(event, FileBrowser.Picked | Entered):
            self._list(event.text)

    def take_half(self) -> bool:
        """Whether half a name stands there: the one entry that begins so is taken, of several one is to be chosen."""
        if not self._is_half(self.path):
            return False
        if len(self._entries) == 1:
            self._take(self._entries[0])
        else:
            self._to_list()
        return True

    def _is_half(self, typed: str) -> bool:
        """Whether what was typed is the beginning of what is listed, and the name of none of it."""
        is_listed = bool(typed) and typed == self._asked == self._shown and bool(self._entries)
        return is_listed and all(entry.text != typed for entry in self._entries)

    def on_key(self, event: events.Key) -> None:
        """Down goes from the path to the list, up from its top back to the path; tab completes as in a shell."""
        listed, box = self.query_one(OptionList), self.query_one(Input)
        if event.key == "down" and box.has_focus and listed.option_count:
            self._to_list()
        elif event.key == "up" and listed.has_focus and listed.highlighted in (0, None):
            self.screen.set_focus(box)
        elif not (event.key == "tab" and box.has_focus and self._completed(box.value)):
            return
        event.stop()
        event.prevent_default()

    def _completed(self, typed: str) -> bool:
        """Whether there was more of half a name to write, which now stands there."""
        if typed.endswith(os.sep) or not self._is_half(typed):
            return False
        common = common_start([entry.text for entry in self._entries])
        if len(common) <= len(typed):
            return False
        self.path = common
        return True

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The list never has the focus without saying what enter would choose."""
        if isinstance(event.widget, OptionList) and event.widget.highlighted is None and self._entries:
            event.widget.highlighted = 0

    def _to_list(self) -> None:
        listed = self.query_one(OptionList)
        self.screen.set_focus(listed)  # at once: the next key may be on its way
        listed.highlighted = 0

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._take(self._entries[event.option_index])

    def _take(self, entry: Entry) -> None:
        self.path = entry.text
        if entry.kind is Kind.FOLDER:
            self._list(entry.text)
        else:
            self.post_message(self.Picked(self._field, entry))

    def _list(self, typed: str) -> None:
        self._asked = typed
        self.run_worker(self._show(typed), group="list", exclusive=True)

    async def _show(self, typed: str) -> None:
        """Lists what the path may mean; nothing typed: what is recent, then the folder of the latest."""
        if typed:
            entries = await asyncio.to_thread(matching, typed, self._kinds)
        else:
            recent = tuple(entry for entry in await self._recent() if entry.kind in self._kinds)
            beside = await asyncio.to_thread(matching, first_folder(recent), self._kinds)
            known = {entry.text for entry in recent}
            entries = (*recent, *(entry for entry in beside if entry.text not in known))
        if typed != self._asked:
            return
        self._entries, self._shown = entries, typed
        listed = self.query_one(OptionList)
        listed.clear_options()
        listed.add_options(Option(_line(entry)) for entry in entries)
        if listed.has_focus and entries:
            listed.highlighted = 0


_GLYPHS = {Kind.FOLDER: "▸", Kind.DATA: "≡", Kind.JOB_FILE: "»"}


def _line(entry: Entry) -> Text:
    size = "" if entry.kind is Kind.FOLDER else f"  {figures.size(entry.size)}"
    what = "  job file" if entry.kind is Kind.JOB_FILE else ""
    text = Text(f"{_GLYPHS[entry.kind]} {safe_text(entry.name)}", no_wrap=True, overflow="ellipsis")
    return text.append(what + size, "dim")
