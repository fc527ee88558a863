"""The checks of a job file: their fields come from the registry of kinds. Importing this loads pydantic."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TypeAlias, cast

from pydantic import BaseModel, BeforeValidator, Field, JsonValue, create_model, model_validator

from tui_batch.domain.quality import Check, DriftRule
from tui_batch.errors import UserError
from tui_batch.inputs.job_parts import Name, Part
from tui_batch.inputs.templates import check_template
from tui_batch.inputs.yaml_document import Document
from tui_batch.quality.checks import check_settings
from tui_batch.quality.judging import JUDGE, judge_of
from tui_batch.quality.kinds import KINDS, Shape

_USUAL = DriftRule()
_WORDS = tuple(kind.name for kind in KINDS.values() if kind.shape is Shape.NOTHING)
"""Kinds that are said by their name alone."""
_SETTINGS = ("field", "at_least", "tolerance")


class Drift(Part):
    """From when on answers count as worse than before."""

    window: Annotated[int, Field(ge=20, le=100_000)] = _USUAL.window
    """Answers that are compared with those before."""
    minimum: Annotated[float, Field(ge=0, le=1)] = _USUAL.minimum
    """The mean score should not be below this."""
    drop: Annotated[float, Field(gt=0, le=1)] = _USUAL.drop
    """A mean score lower by this, or a share of bad answers higher by this, is worth a word."""


class Range(Part):
    """Bounds of a length."""

    min: Annotated[int, Field(ge=0)] | None = None
    """Characters at least."""
    max: Annotated[int, Field(ge=0)] | None = None
    """Characters at most."""

    @model_validator(mode="after")
    def _something(self) -> Range:
        if self.min is None and self.max is None:
            raise ValueError("says nothing; give min, max or both")
        return self


class Judge(Part):
    """Another model that scores answers by a rubric."""

    model: Name
    """The model that judges."""
    rubric: Name
    """What makes an answer good, in words; a template over the row's columns, as prompts are."""
    endpoint: Name | None = None
    """The endpoint that serves it; without it, it is looked for as the job's own models are."""
    params: dict[str, JsonValue] | None = None
    """Parameters of its requests; max_tokens 1000 where nothing is said."""


_ANNOTATIONS: dict[Shape, Any] = {
    Shape.NOTHING: Literal[True],
    Shape.TEXTS: Annotated[tuple[Name, ...], Field(min_length=1)],
    Shape.PATTERN: Name,
    Shape.COLUMN: Name,
    Shape.RANGE: Range,
    Shape.JUDGE: Judge,
}


class _CheckSettings(Part):
    """One thing that every answer is held to: one kind of check, and its settings."""

    field: Name | None = None
    """Path of the answer's JSON field that is looked at, such as person.age; without it the whole text."""
    at_least: Annotated[float, Field(ge=0, le=1)] | None = None
    """For checks that score: below it the answer fails; without it the answer is only scored."""
    tolerance: Annotated[float, Field(ge=0)] | None = None
    """For number: how far off the answer may be."""


def _kind_field(meaning: str, shape: Shape) -> Any:
    return (_ANNOTATIONS[shape] | None, Field(default=None, description=meaning))


_CheckPart: type[BaseModel] = create_model(
    "CheckPart",
    __base__=_CheckSettings,
    __doc__=_CheckSettings.__doc__,
    **{kind.name: _kind_field(kind.meaning, kind.shape) for kind in KINDS.values()},
)


def _widened(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value not in _WORDS:
        near = difflib.get_close_matches(value, _WORDS, 1)
        hint = f"did you mean {near[0]}?" if near else f"known without a setting are {', '.join(_WORDS)}"
        raise ValueError(f"{value} is not a check that stands alone; {hint}")
    return {value: True}


if TYPE_CHECKING:
    CheckEntry: TypeAlias = _CheckSettings
else:
    CheckEntry = Annotated[_CheckPart, BeforeValidator(_widened, json_schema_input_type=Literal[_WORDS] | _CheckPart)]


class WithChecks(Protocol):
    """A job file, or that part of one."""

    @property
    def checks(self) -> tuple[CheckEntry, ...]:
        """What every answer is held to."""


def check_checks(document: Document, job: WithChecks) -> None:
    """Raises InputError, naming the entry, for a check that is none, is two, or cannot be used."""
    for index, entry in enumerate(job.checks):
        where = ("checks", index)
        kinds = _kinds(entry)
        if len(kinds) != 1:
            found = "names no check" if not kinds else f"names {len(kinds)} checks: {', '.join(kinds)}"
            raise document.error(where, found, f"Give one of {', '.join(KINDS)} in each entry of the list.")
        check, takes = _check(entry), KINDS[kinds[0]].takes
        for setting in _SETTINGS:
            if getattr(entry, setting) is not None and setting not in takes:
                raise document.error((*where, setting), f"does not go with {kinds[0]}", "Leave it out.")
        try:
            check_settings(check)
        except ValueError as error:
            raise document.error((*where, check.kind), f"cannot be used: {error}") from None
        if check.kind == JUDGE:
            _check_judge(document, (*where, JUDGE), check, job)


def _check_judge(document: Document, where: tuple[str | int, ...], check: Check, job: WithChecks) -> None:
    if judge_of(map(_check, job.checks)) != check:
        raise document.error(where, "is the second judge", "Give one judge, with all that matters in its rubric.")
    try:
        check_template("rubric", check.argument["rubric"])
    except UserError as error:
        raise document.error((*where, "rubric"), error.message, error.remedy) from None


def checks_of(job: WithChecks) -> tuple[Check, ...]:
    """A job file's checks as the engine asks them."""
    return tuple(map(_check, job.checks))


def drift_of(drift: Drift | None) -> DriftRule | None:
    """A job file's rule of drift; None: not said."""
    return None if drift is None else DriftRule(drift.window, drift.minimum, drift.drop)


def entry_of(check: Check) -> dict[str, Any] | str:
    """A check as a job file says it."""
    argument = check.argument
    entry = {
        check.kind: True if argument is None else argument,
        "field": check.field or None,
        "at_least": check.at_least,
        "tolerance": check.tolerance or None,
    }
    said = {name: value for name, value in entry.items() if value is not None}
    return check.kind if said == {check.kind: True} else said


def _kinds(entry: BaseModel) -> Sequence[str]:
    return [name for name in KINDS if getattr(entry, name) is not None]


def _check(entry: _CheckSettings) -> Check:
    (kind,) = _kinds(entry)
    argument = cast(Any, entry.model_dump(mode="json", exclude_none=True))[kind]
    return Check(
        kind,
        None if argument is True else argument,
        entry.field or "",
        entry.at_least,
        entry.tolerance or 0.0,
    )
