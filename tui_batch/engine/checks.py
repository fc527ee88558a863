"""Whether an answer is what the job asked for. A pure function of the answer's text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from tui_batch.domain.outcome import Outcome, OutcomeClass

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

AnswerCheck = Callable[[Outcome], Outcome]
"""Returns the outcome as it is, or as `invalid` with the reason; the answer stays in it either way."""

SHOWN = 300
"""Characters of a reason that are kept."""


def schema_check(schema: Any) -> AnswerCheck | None:
    """A check against a JSON Schema (draft 2020-12); None where there is none. It loads jsonschema: use a thread."""
    if schema is None:
        return None
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(schema)
    return lambda outcome: _checked(outcome, validator)


def _checked(outcome: Outcome, validator: Draft202012Validator) -> Outcome:
    if outcome.cls is not OutcomeClass.OK:
        return outcome
    try:
        value = orjson.loads(unfenced(outcome.text or ""))
    except orjson.JSONDecodeError as error:
        return replace(outcome, cls=OutcomeClass.INVALID, message=f"the answer is not JSON: {error}")
    from jsonschema.exceptions import best_match

    found = best_match(validator.iter_errors(value))
    return outcome if found is None else replace(outcome, cls=OutcomeClass.INVALID, message=_words(found))


def unfenced(text: str) -> str:
    """The text without the Markdown fence that models like to put around JSON."""
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```") and "\n" in stripped:
        return stripped[stripped.index("\n") + 1 : -3]
    return stripped


def _words(error: ValidationError) -> str:
    """Where the answer misses the schema, and how, in jsonschema's words."""
    place = ".".join(str(step) for step in error.absolute_path)
    reason = error.message if len(error.message) <= SHOWN else error.message[: SHOWN - 1] + "…"
    return f"the answer does not meet the schema: {place + ': ' if place else ''}{reason}"
