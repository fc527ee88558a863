"""The model of a job whose rows name their own: an OpenAI Batch file says it in every line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tui_batch.domain.job import InputSource
from tui_batch.engine.chaining import FORMAT
from tui_batch.inputs.byte_source import STDIN
from tui_batch.inputs.draft import JobDraft, ModelChoice
from tui_batch.inputs.readers.registry import InputFormat
from tui_batch.inputs.reading import Preview, preview


def with_row_model(draft: JobDraft) -> JobDraft:
    """The draft with the model that its first row names, where the draft names none. Blocks.

    Standard input can be read only once, and answers of a job name no model for the next: they are not looked at.
    Raises UserError when the input cannot be opened.
    """
    if draft.models or draft.source.path == STDIN or draft.source.format == FORMAT:
        return draft
    seen = preview(draft.source, 1)
    model = _model(seen, draft.source) if seen.rows else None
    return draft if model is None else replace(draft, models=(ModelChoice(model),))


def _model(seen: Preview, source: InputSource) -> str | None:
    row: Mapping[str, Any] = seen.rows[0]
    match seen.format:
        case InputFormat.BATCH:
            body = row.get("body")
            model = body.get("model") if isinstance(body, dict) else None
        case InputFormat.BODIES:
            model = row.get("model")
        case _:
            model = row.get(source.model_column)
    return model if isinstance(model, str) and model else None
