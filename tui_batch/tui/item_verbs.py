"""The verbs over items, for the app: each asks where it must, acts through the controller, and says what it did."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui_batch import figures
from tui_batch.domain.item import ItemState
from tui_batch.domain.item_scope import Selection
from tui_batch.domain.job import ACTIVE
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.stored import ItemDetail
from tui_batch.errors import UserError
from tui_batch.tui.clipboard import copy
from tui_batch.tui.editor import edit_text
from tui_batch.tui.screens.confirm import Confirm
from tui_batch.tui.screens.menu import Choice, Menu
from tui_batch.tui.view import JobView
from tui_batch.work.edited_row import read_row, row_text
from tui_batch.work.item_request import as_sent, message_text

if TYPE_CHECKING:
    from tui_batch.tui.app import BatchApp

NAMED = 20
"""Items that a recorded command names one by one; for more it ends in `...`, so that it is not pasted as whole."""


@dataclass(frozen=True, slots=True)
class Dead:
    """Dead items of one job: these, or those of a class, or all."""

    job: JobView
    count: int
    ids: tuple[int, ...] = ()
    cls: OutcomeClass | None = None

    @property
    def selection(self) -> Selection:
        """For the controller. Raises UserError where nothing is meant, as an empty selection would mean all."""
        if not self.count:
            raise UserError("there are no dead items among them")
        return Selection(frozenset() if self.cls is None else frozenset((self.cls,)), self.ids)

    @property
    def options(self) -> tuple[str, ...]:
        """For the command that does the same."""
        if self.cls is not None:
            return "--class", self.cls.value
        if self.ids:
            named = tuple(word for item_id in self.ids[:NAMED] for word in ("--item", str(item_id)))
            return named if len(self.ids) <= NAMED else (*named, "...")
        return ("--dead",)

    def __str__(self) -> str:
        kind = f" {self.cls.value}" if self.cls is not None else ""
        return f"{figures.things(self.count, f'dead{kind} item')}"


class ItemVerbs:
    """What is done to items, whichever screen they were chosen on."""

    def __init__(self, app: BatchApp) -> None:
        self._app = app
        self._desk = app.desk

    async def retry(self, dead: Dead) -> None:
        """Makes them pending again, and lets the job go on where it has ended. Asks when it is more than one."""
        selection = dead.selection
        question = f"Try {dead} of job #{dead.job.id} again?"
        if dead.count > 1 and not await self._ask(question, likely_cost([(dead.job, dead.count)])):
            return
        count = await self._desk.controller.retry(dead.job.id, selection)
        self._app.record("retry", str(dead.job.id), *dead.options)
        self._app.say(await self.go_on(dead.job, count))
        self._app.bridge.hurry()

    async def go_on(self, job: JobView, count: int) -> str:
        """Starts a job that had ended, as so many of its items are to be tried again; returns what to say of it.

        One that stands still with items left stays so: whoever tries one item again has not said to pay for the rest.
        """
        items = "1 item is" if count == 1 else f"{figures.count(count)} items are"
        now = await self._desk.store.jobs.get_listed(job.id)  # it may have ended since it was shown, or been paused
        if now.state in ACTIVE or not count:
            return f"{items} tried again"
        if now.counters.pending > count:
            return f"{items} pending again. Job #{job.id} does not run: p in the list of jobs lets it go on."
        await self._desk.controller.resume(job.id)
        self._app.record("resume", str(job.id))
        return f"{items} tried again"

    async def discard(self, dead: Dead) -> None:
        """Makes them cancelled, asked for first."""
        selection = dead.selection
        detail = "They become cancelled and cannot be tried again; their errors stay to be read."
        if not await self._ask(f"Discard {dead} of job #{dead.job.id}?", detail):
            return
        count = await self._desk.controller.discard(dead.job.id, selection)
        self._app.record("discard", str(dead.job.id), *(() if dead.options == ("--dead",) else dead.options), "--yes")
        self._app.say(f"{figures.count(count)} dead {'item is' if count == 1 else 'items are'} discarded")
        self._app.bridge.hurry()

    async def edit(self, job: JobView, item_id: int) -> None:
        """Opens the item's row in the editor, stores what was saved, and offers to try the item again."""
        detail = await self._desk.store.items.detail(item_id)
        if detail.row.state not in (ItemState.DEAD, ItemState.PENDING):
            raise UserError(f"item {item_id} is {detail.row.state}: only dead and pending items can be edited")
        edited = await edit_text(self._app, row_text(detail.data), ".json")
        if edited is None:
            self._app.say("nothing was changed")
            return
        await self._desk.controller.edit(item_id, read_row(edited, "the edited row"))
        self._app.record("edit", str(item_id), "--row", "FILE")
        if detail.row.state is ItemState.DEAD:
            await self.retry(Dead(job, 1, (item_id,)))

    async def open_text(self, job: JobView, item_id: int) -> None:
        """Opens the answer in the editor, or the prompt where there is none; nothing is stored."""
        detail = await self._desk.store.items.detail(item_id)
        text = detail.text if detail.text else await self.prompt(job, detail)
        await edit_text(self._app, text, ".md")

    async def prompt(self, job: JobView, detail: ItemDetail) -> str:
        """The prompt as it is sent: the messages under each other."""
        sent = await asyncio.to_thread(as_sent, job.job.spec, detail)
        if len(sent.messages) == 1:
            return message_text(sent.messages[0])
        return "\n\n".join(f"[{message.role}]\n{message_text(message)}" for message in sent.messages)

    async def copy(self, job: JobView, item_id: int) -> None:
        """Asks what to copy, and copies it."""
        detail = await self._desk.store.items.detail(item_id)
        entries = [
            ("i", "id", detail.row.custom_id or str(item_id)),
            ("p", "prompt", None),
            ("a", "answer", detail.text or ""),
            ("m", "error message", detail.message),
            ("r", "row as JSON", detail.data.decode("utf-8", "replace")),
            ("c", "request as a curl command, without the key", None),
            ("l", "command line", self._desk.where.command("item", str(item_id))),
        ]
        offered = [Choice(key, label, label) for key, label, text in entries if text != ""]
        chosen = await self._app.push_screen_wait(Menu(f"Copy of item {item_id}", offered))
        if chosen is None:
            return
        text = next(text for _, label, text in entries if label == chosen)
        if text is None:
            curl = chosen.startswith("request")
            sent = (await asyncio.to_thread(as_sent, job.job.spec, detail)).curl if curl else None
            text = sent or await self.prompt(job, detail)
        by = await copy(text, self._app.copy_to_clipboard)
        self._app.say(f"copied by {by}: {figures.count(len(text))} characters")

    async def _ask(self, question: str, detail: str) -> bool:
        return await self._app.push_screen_wait(Confirm(question, detail))


FEW_UNPRICED = 0.1
"""A job's mean still says what its items cost with so many of its requests unpriced: lost connections have no bill."""


def _likely_nano(job: JobView, count: int) -> int | None:
    """What so many items may cost, in nano-dollars, from what an item cost on average so far; None: not known."""
    counters = job.counters
    answered = counters.done + counters.dead - counters.cached
    known = counters.unpriced <= FEW_UNPRICED * counters.requests
    return round(counters.cost_nano / answered * count) if known and answered > 0 else None


def likely_cost(again: Iterable[tuple[JobView, int]]) -> str:
    """What asking so many items of each job again may cost, in a sentence."""
    total = 0
    for nano in (_likely_nano(job, count) for job, count in again if count):
        if nano is None:
            return "What it costs is not known."
        total += nano
    return f"About {figures.dollars(total)} at what an item cost so far."


def about(job: JobView, count: int) -> str:
    """The same in two words."""
    nano = _likely_nano(job, count)
    return "cost unknown" if nano is None else f"about {figures.dollars(nano)}"
