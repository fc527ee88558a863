"""Checks as text that a person edits: the list under `checks:` in a job file. Importing this loads pydantic."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from tui_batch.domain.quality import Check
from tui_batch.errors import InputError
from tui_batch.inputs.job_checks import CheckEntry, check_checks, checks_of, entry_of
from tui_batch.inputs.job_parts import Part
from tui_batch.inputs.job_problems import explain
from tui_batch.inputs.yaml_document import Document, dump, parse
from tui_batch.quality.kinds import Kind, Shape

_KEY = "checks"
_HEAD = f"{_KEY}:\n"


class _Checks(Part):
    """A job file of which only the checks are said."""

    checks: tuple[CheckEntry, ...] = ()
    """What every answer is held to."""


def checks_text(checks: Sequence[Check]) -> str:
    """The list, for `read_checks` to give the same checks back; empty for none."""
    return dump([entry_of(check) for check in checks]) if checks else ""


def read_checks(text: str) -> tuple[Check, ...]:
    """The checks of a list. Raises ValueError with the line, from 1, and what is wrong there."""
    if not text.strip():
        return ()
    if not text.lstrip().startswith(("-", "#")):
        raise ValueError("each check begins with a dash, such as: - not_empty")
    try:
        document = parse(_HEAD + text, _KEY)
        found = _validated(document)
        check_checks(document, found)
    except InputError as error:
        raise ValueError(_words(error)) from None
    return checks_of(found)


def _validated(document: Document) -> _Checks:
    try:
        return _Checks.model_validate(document.value)
    except ValidationError as error:
        raise explain(document, error, _Checks) from None


def _words(error: InputError) -> str:
    """Line and reason; the line that was put before the text is not counted."""
    line = "" if error.line is None else f"line {max(1, error.line - 1)}: "
    field = error.field.partition("].")[2]
    reason = error.reason.partition("\n")[0]
    return f"{line}{field + ' ' if field else ''}{reason}" + (f". {error.remedy}" if error.remedy else "")


def example_of(kind: Kind, column: str) -> str:
    """A line to begin with; `column` stands for the reference where the kind needs one."""
    match kind.shape:
        case Shape.NOTHING:
            return f"- {kind.name}"
        case Shape.TEXTS:
            return f"- {kind.name}: [good, bad]"
        case Shape.PATTERN:
            return f"- {kind.name}: '^[0-9]+$'"
        case Shape.COLUMN:
            return dump([{kind.name: column}]).rstrip()
        case Shape.RANGE:
            return f"- {kind.name}: {{max: 500}}"
        case Shape.JUDGE:
            return f"- {kind.name}:\n    model: MODEL\n    rubric: Is the answer right, and in one sentence?"
