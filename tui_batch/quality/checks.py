"""Whether an answer is what the job asked for, and how good it is. Pure functions of outcome and row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tui_batch.domain.endpoint import Operation
from tui_batch.domain.job import JobSpec
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.domain.quality import Check, FailedCheck
from tui_batch.domain.request import Json
from tui_batch.domain.values import immutable
from tui_batch.errors import UserError
from tui_batch.quality.answers import Answer, Unreadable
from tui_batch.quality.judging import JUDGE, Ruling
from tui_batch.quality.kinds import KINDS, Measure, Test, columns_of
from tui_batch.safe_text import shortened

if TYPE_CHECKING:
    from jsonschema import ValidationError

SHOWN = 300
"""Characters of a reason that are kept."""

_EXAMINED = frozenset({OutcomeClass.OK, OutcomeClass.TRUNCATED})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check says."""

    message: str = ""
    """What is wrong; empty: it passes. Never holds the reference, so that a model may be told."""
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Examiner:
    """A check, ready to be asked."""

    name: str
    """Its kind, or `schema`."""
    field: str
    ask: Callable[[Answer], Verdict]


@immutable(frozen=True, slots=True)
class Examined:
    """An outcome after the checks: as it was, or `invalid` with the reason; the answer stays in it either way."""

    outcome: Outcome
    score: float | None = None
    """The mean of the scores that were given; None: no check gives one, or the row has no reference."""
    scores: int = 0
    """How many scores that is the mean of."""
    ruling: Ruling | None = None
    """What a judge said; None: it was not asked, or said nothing."""
    failing: tuple[FailedCheck, ...] = ()
    """The checks that the answer fails."""

    def ruled(self, ruling: Ruling, outcome: Outcome) -> Examined:
        """With a judge's score among the others; `outcome` is that of the judge's request."""
        score = ((self.score or 0.0) * self.scores + ruling.score) / (self.scores + 1)
        return Examined(outcome, score, self.scores + 1, ruling, self.failing)


@dataclass(frozen=True, slots=True)
class Checks:
    """A job's checks, ready to be asked. Any thread may."""

    examiners: tuple[Examiner, ...]
    cut_fails: bool
    """An answer that was cut fails. Otherwise it is only scored: what becomes of it is for on_truncated to say."""
    columns: frozenset[str]
    """The row's columns that they need."""

    def examine(self, outcome: Outcome, columns: Mapping[str, Json]) -> Examined:
        """Holds an answer to the checks; an error is left as it is."""
        if outcome.cls not in _EXAMINED:
            return Examined(outcome)
        cut = outcome.cls is OutcomeClass.TRUNCATED
        answer = Answer(outcome.text or "", columns, cut=cut)
        verdicts = [(one, one.ask(answer)) for one in self.examiners]
        scores = [verdict.score for _, verdict in verdicts if verdict.score is not None]
        score = sum(scores) / len(scores) if scores else None
        failing = tuple(
            FailedCheck(one.name, one.field, shortened(verdict.message, SHOWN))
            for one, verdict in verdicts
            if verdict.message
        )
        if not failing or (cut and not self.cut_fails):
            return Examined(outcome, score, len(scores))
        wrong = dict.fromkeys(one.message for one in failing)
        invalid = replace(outcome, cls=OutcomeClass.INVALID, message=shortened("; ".join(wrong), SHOWN))
        return Examined(invalid, score, len(scores), failing=failing)


def compile_checks(spec: JobSpec) -> Checks | None:
    """A job's checks; None where it has none. It may load jsonschema: use a thread.

    Raises UserError for a check that cannot be used.
    """
    examiners = [] if spec.schema is None else [_schema_examiner(spec.schema)]
    check_operation(spec)
    examiners += [_examiner(check) for check in spec.checks if check.kind != JUDGE]
    cut_fails = any(check.kind == "not_cut" for check in spec.checks)
    return Checks(tuple(examiners), cut_fails, columns_of(spec.checks)) if examiners else None


def check_operation(spec: JobSpec) -> None:
    """Raises UserError for checks of what has no text."""
    if spec.checks and spec.operation is Operation.EMBED:
        raise UserError("an embedding cannot be checked", remedy="Leave the checks out.")


def check_settings(check: Check) -> None:
    """Raises ValueError, with the reason, for a check that cannot be used."""
    kind = KINDS[check.kind]
    maker = kind.test or kind.measure
    if maker is not None:
        maker(check)


def _examiner(check: Check) -> Examiner:
    kind = KINDS.get(check.kind)
    if kind is None:
        raise UserError(f"the check {check.kind} is not known", remedy=f"Known are: {', '.join(KINDS)}")
    try:
        if kind.test is not None:
            return Examiner(check.kind, check.field, _testing(kind.test(check), check.field))
        assert kind.measure is not None  # every kind has one of the two
        return Examiner(check.kind, check.field, _measuring(kind.measure(check), check))
    except ValueError as error:
        raise UserError(
            f"the check {check.kind} cannot be used: {error}", remedy="Correct it, and make the job anew."
        ) from None


def _testing(test: Test, field: str) -> Callable[[Answer], Verdict]:
    what = f"{field}: " if field else ""

    def examine(answer: Answer) -> Verdict:
        try:
            words = test(answer)
        except Unreadable as error:
            return Verdict(str(error))
        return Verdict(what + words if words else "")

    return examine


def _measuring(measure: Measure, check: Check) -> Callable[[Answer], Verdict]:
    def examine(answer: Answer) -> Verdict:
        try:
            score, words = measure(answer), ""
        except Unreadable as error:
            score, words = 0.0, str(error)
        if check.at_least is None or score is None or score >= check.at_least:
            return Verdict("", score)
        return Verdict(words or f"{check.kind} {score:.2f} is below {check.at_least:g}", score)

    return examine


def _schema_examiner(schema: Json) -> Examiner:
    """Against a JSON Schema (draft 2020-12), in jsonschema's words. Nothing is fetched for a `$ref` to elsewhere."""
    from jsonschema.exceptions import best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    from tui_batch.quality.schema_patterns import schema_validator

    validator = schema_validator(schema, Registry())

    def examine(answer: Answer) -> Verdict:
        try:
            found = best_match(validator.iter_errors(answer.value))
        except Unreadable as error:
            return Verdict(str(error))
        except Unresolvable as error:
            return Verdict(f"the schema refers to what it does not hold: {error}")
        except RecursionError:
            return Verdict("the answer is nested too deep")
        return Verdict() if found is None else Verdict(_schema_words(found))

    return Examiner("schema", "", examine)


def _schema_words(error: ValidationError) -> str:
    """Where the answer misses the schema, and how, in jsonschema's words."""
    place = ".".join(str(step) for step in error.absolute_path)
    return f"the answer does not meet the schema: {place + ': ' if place else ''}{shortened(error.message, SHOWN)}"
