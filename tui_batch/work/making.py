"""From what was asked for to a job that can be made: the same checks on the command line and in the app."""

from __future__ import annotations

import asyncio

from tui_batch.engine.compose import Composed, compose
from tui_batch.inputs.draft import JobDraft
from tui_batch.inputs.templates import compile_prompt
from tui_batch.providers.base import Transport
from tui_batch.settings import Settings
from tui_batch.work.caps import check_cap
from tui_batch.work.row_models import with_row_model


async def checked(draft: JobDraft, settings: Settings, transport: Transport) -> Composed:
    """The job of a draft: its endpoints known, its template good, its budget one that will hold.

    Raises UserError; nothing is made or sent by then but questions for lists of models.
    """
    draft = await asyncio.to_thread(with_row_model, draft)
    made = await compose(draft, settings, transport)
    await asyncio.to_thread(compile_prompt, made.spec)
    await asyncio.to_thread(check_cap, made.spec, made.knobs, settings)
    return made
