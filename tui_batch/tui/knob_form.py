"""The knobs as a form: from values to what stands in the fields, and from what was typed to changes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tui_batch import figures
from tui_batch.domain.job import Knobs
from tui_batch.domain.request import Json
from tui_batch.tui.view import JobView
from tui_batch.work.knob_words import KNOBS, Knob


@dataclass(frozen=True, slots=True)
class KnobField:
    """One field."""

    word: str
    """As in the command `set`."""
    label: str
    hint: str

    @property
    def name(self) -> str:
        """As in domain.Knobs."""
        return self.knob.field

    @property
    def knob(self) -> Knob:
        """How it is typed."""
        return KNOBS[self.word]

    def tidy(self, typed: str) -> str:
        """What was typed as the command `set` is given it; only tags are other words in capitals."""
        text = typed.strip() or self.knob.without
        return text if self.word == "tags" else text.lower()

    def text(self, knobs: Knobs) -> str:
        """A value as one types it; no tags are an empty field, as their hint says how they are written."""
        return "" if self.word == "tags" and not knobs.tags else self.knob.text(knobs)


@dataclass(frozen=True, slots=True)
class Reading:
    """A form that was read."""

    changes: Mapping[str, Json]
    """For Controller.turn; only what is other than before."""
    problems: Mapping[str, str]
    """What is wrong, by field."""
    words: tuple[str, ...]
    """The same as words for the command `set`."""


FIELDS: tuple[KnobField, ...] = (
    KnobField("concurrency", "Concurrency", "requests in flight at most, or auto"),
    KnobField("rpm", "RPM", "requests a minute, or none"),
    KnobField("tpm", "TPM", "tokens a minute, or none"),
    KnobField("budget", "Budget $", "dollars in all, or none"),
    KnobField("cap", "Cap", "or loose: not held to the budget"),
    KnobField("priority", "Priority", "higher runs first"),
    KnobField("tags", "Tags", "name=value, name=value"),
)


def texts_of(every: Sequence[Knobs]) -> dict[str, str | None]:
    """What stands in the fields for some jobs; None where they differ."""
    found: dict[str, str | None] = {}
    for field in FIELDS:
        texts = {field.text(knobs) for knobs in every}
        found[field.name] = texts.pop() if len(texts) == 1 else None
    return found


def read(before: Mapping[str, str | None], typed: Mapping[str, str]) -> Reading:
    """What was changed. A field where the jobs differ means no change as long as it is empty."""
    changes: dict[str, Json] = {}
    problems: dict[str, str] = {}
    words: list[str] = []
    for field in _touched(before, typed):
        text = field.tidy(typed[field.name])
        try:
            changes[field.name] = field.knob.read(text)
        except ValueError as error:
            problems[field.name] = str(error)
        else:
            words.append(f"{field.word}={text}")
    return Reading(changes, problems, tuple(words))


def consequences(changes: Mapping[str, Json], jobs: Sequence[JobView]) -> dict[str, str]:
    """What a person may not expect of changes that are allowed, by field: a budget that is spent already."""
    budget = changes.get("budget_nano")
    if not isinstance(budget, int):
        return {}
    over = [job for job in jobs if job.counters.cost_nano >= budget and job.counters.pending]
    if not over:
        return {}
    spent = f"{figures.dollars(max(job.counters.cost_nano for job in over))} is spent already"
    it = "it" if len(jobs) == 1 else f"{len(over)} of the {len(jobs)} jobs" if len(over) > 1 else f"#{over[0].id}"
    several = len(jobs) > 1 and len(over) > 1
    pauses = f"pause{'' if several else 's'} at once" if any(job.is_active for job in over) else "will not go on"
    return {"budget_nano": f"{spent}: {it} {pauses}"}


def _touched(before: Mapping[str, str | None], typed: Mapping[str, str]) -> Iterable[KnobField]:
    for field in FIELDS:
        if typed[field.name].strip() != (before[field.name] or ""):
            yield field
