"""From what was asked for to a job that can be made: the same checks on the command line and in the app."""

from __future__ import annotations

import asyncio

from tui_batch.domain.job import JobSpec
from tui_batch.domain.request import Message, PromptRequest
from tui_batch.engine.compose import Composed, compose
from tui_batch.errors import UserError
from tui_batch.inputs.draft import JobDraft
from tui_batch.inputs.templates import compile_prompt
from tui_batch.providers.base import EncodeError, Transport
from tui_batch.providers.registry import provider_for
from tui_batch.settings import Settings
from tui_batch.work.caps import check_cap
from tui_batch.work.row_models import with_row_model


async def checked(draft: JobDraft, settings: Settings, transport: Transport) -> Composed:
    """The job of a draft: its endpoints known and able to do it, its template good, its budget one that will hold.

    Raises UserError; nothing is made or sent by then but questions for lists of models.
    """
    draft = await asyncio.to_thread(with_row_model, draft)
    made = await compose(draft, settings, transport)
    _check_operation(made.spec)
    await asyncio.to_thread(compile_prompt, made.spec)
    await asyncio.to_thread(check_cap, made.spec, made.knobs, settings)
    return made


def _check_operation(spec: JobSpec) -> None:
    """Raises UserError where a wire format does not have what the job does: every row would be dead with it."""
    request = PromptRequest(spec.operation, (Message("user", "."),))
    for ref in spec.models:
        for endpoint in spec.endpoints:
            if endpoint.name not in ref.endpoints:
                continue
            try:
                provider_for(endpoint.api).encode(request, ref.model)
            except EncodeError as error:
                remedy = "Take another operation, or a server whose format has it: --api says which is spoken."
                raise UserError(f"{ref.model} @ {endpoint.name}: {error}", remedy=remedy) from None
