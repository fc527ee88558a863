"""The models of a job whose rows name their own: an OpenAI Batch file says it in every line, a table in a column.

A column `model` of a table is that only where nobody named a model, or the very one that the first row names. Else it
is data: rows about cars must not be sent to models that are called like cars, at whatever price.
"""

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

COLUMN = "model"
"""The column in which a table's rows name their models."""


def with_row_model(draft: JobDraft) -> JobDraft:
    """The draft with the model that its first row names, where it names none, and with rows that name theirs. Blocks.

    Standard input can be read only once, and answers of a job name no model for the next: they are not looked at.
    Raises UserError when the input cannot be opened.
    """
    source = draft.source
    is_decided = bool(draft.routes or draft.models[1:] or (draft.models and source.model_column))
    if is_decided or source.path == STDIN or source.format == FORMAT:
        return draft
    seen = preview(source, 1)
    is_table = seen.format not in (InputFormat.BATCH, InputFormat.BODIES)
    source = replace(source, model_column=COLUMN) if is_table and not source.model_column else source
    model = _model(seen, source) if seen.rows else None
    if model is None or draft.models not in ((), (ModelChoice(model),)):
        return draft
    return replace(draft, models=(ModelChoice(model),), source=source)


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
