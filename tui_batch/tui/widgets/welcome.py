"""What an empty database shows: how to begin, and what was found on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui_batch import paths
from tui_batch.errors import UserError
from tui_batch.tui.desk import Desk
from tui_batch.tui.tones import Spans, Tone, plain, styled, styles_of
from tui_batch.tui.widgets.live_lines import OwnKeys

if TYPE_CHECKING:
    from tui_batch.work.reach import Reachable

NO_KEYS: OwnKeys = {}
SHOWN = 8
"""Endpoints named at most; place 4 has all."""


def words(found: Sequence[Reachable] | None, trouble: str = "", own: OwnKeys = NO_KEYS) -> list[Spans]:
    """The lines. `found` is None while servers are still being looked for."""
    return [
        plain("No jobs yet", Tone.STRONG),
        plain(""),
        _key(own.get("app.new_job", "n"), "new job: pick a file, write a prompt, try ten rows, run all"),
        _key(own.get("jobs.demo", "d"), "demo: a sample job on the built-in simulator; no key, no network"),
        _key(own.get("app.help", "?"), "every key"),
        _key(own.get("app.quit", "q"), "leave"),
        plain(""),
        *_found(found, trouble),
        plain(""),
        plain("Or from a shell:", Tone.STRONG),
        plain("  llmbatch-tui run prompts.csv -m MODEL -o results.jsonl", Tone.MUTED),
    ]


def _key(key: str, what: str) -> Spans:
    return ((f"  {key}  ", Tone.ACCENT), (what, Tone.PLAIN))


def _found(found: Sequence[Reachable] | None, trouble: str) -> list[Spans]:
    if trouble:
        return [plain(trouble, Tone.BAD)]
    if found is None:
        return [plain("Looking for servers and keys …", Tone.MUTED)]
    ready = [one for one in found if one.status in ("ready", "running")]
    if not ready:
        return [
            plain("No server runs on this machine, and no key is in the environment.", Tone.WARN),
            plain("  Start Ollama, vLLM or llama.cpp, or set a key such as OPENAI_API_KEY,", Tone.MUTED),
            plain(f"  or name your own servers in {paths.settings_file()}", Tone.MUTED),
        ]
    lines = [plain("Found:", Tone.STRONG), *(_endpoint(one) for one in ready[:SHOWN])]
    return [*lines, plain(f"  and {len(ready) - SHOWN} more, see 4")] if len(ready) > SHOWN else lines


def _endpoint(one: Reachable) -> Spans:
    key = str(one.endpoint.key).removeprefix("env:")
    how = f"{one.status}" if key == "none" else f"{one.status}, key in {key}"
    return ((f"  ● {one.endpoint.name:<14} ", Tone.GOOD), (f"{how}  ", Tone.PLAIN), (one.endpoint.base_url, Tone.MUTED))


class Welcome(VerticalScroll, can_focus=False):
    """Shown in place of the list while there is no job."""

    DEFAULT_CSS = """
    Welcome { height: 1fr; align: center middle; background: $surface; }
    Welcome > Static { width: auto; max-width: 100%; height: auto; }
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._found: Sequence[Reachable] | None = None
        self._trouble = ""
        self._keys: OwnKeys = NO_KEYS
        self._text = Static(Text(""))

    def compose(self) -> ComposeResult:
        """One block of text."""
        yield self._text

    def on_mount(self) -> None:
        """There are words before anything is found."""
        self.redraw()
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.redraw())

    def on_show(self) -> None:
        """Looks around without keeping anybody waiting, and only where somebody sees it."""
        if self._found is None:
            self.run_worker(self._look(), exclusive=True)

    async def _look(self) -> None:
        from tui_batch.work.reach import reachable

        try:
            self._found = await reachable(self._desk.settings, self._desk.transport)
        except UserError as error:
            self._trouble = str(error)
        self.redraw()

    def know_keys(self, own: OwnKeys) -> None:
        """The person's own keys."""
        self._keys = own
        self.redraw()

    def redraw(self) -> None:
        """In the colours of now."""
        styles = styles_of(self.app.theme_variables)
        lines = [styled(spans, styles) for spans in words(self._found, self._trouble, self._keys)]
        self._text.update(Text("\n").join(lines))
