"""Mode `route`: which model a row goes to, by its length, its content and its columns. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tui_batch.domain.job import Condition, JobSpec, LengthBucket, Mode, RouteRule
from tui_batch.domain.request import Json, PromptRequest
from tui_batch.errors import UserError
from tui_batch.inputs.patterns import column_text, compile_pattern
from tui_batch.money.tokens import estimate


@dataclass(frozen=True)
class Subject:
    """A row as rules see it. What only some rules need is worked out when one asks for it."""

    request: PromptRequest
    columns: Mapping[str, Json]
    """The row as it was read."""

    @cached_property
    def tokens(self) -> int:
        """Estimated tokens of all messages.

        Not corrected by what a model's server reported: the same row must go the same way today and on a resume.
        """
        return sum(prompt_tokens(message.content) for message in self.request.messages)

    @cached_property
    def prompt(self) -> str:
        """What the row asks: every message but the system's."""
        turns = (turn for turn in self.request.messages if turn.role not in ("system", "developer"))
        return "\n".join(text for turn in turns for text in texts(turn.content))


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule with its texts folded and its pattern compiled."""

    model: str
    when: Condition
    contains: tuple[str, ...]
    equals: frozenset[str]
    found: Callable[[str], bool] | None

    def fits(self, subject: Subject) -> bool:
        """Whether everything that the condition gives holds for a row."""
        when = self.when
        if when.longer_than is not None and subject.tokens <= when.longer_than:
            return False
        if when.shorter_than is not None and subject.tokens >= when.shorter_than:
            return False
        if not (self.contains or self.equals or self.found):
            return True
        if when.column and when.column not in subject.columns:
            return False
        return self._holds(column_text(subject.columns[when.column]) if when.column else subject.prompt)

    def _holds(self, text: str) -> bool:
        if self.found is not None and not self.found(text):
            return False
        folded = text.casefold()
        if self.equals and folded not in self.equals:
            return False
        return not self.contains or any(part in folded for part in self.contains)


def compile_rules(spec: JobSpec) -> tuple[Rule, ...]:
    """A job's rules, ready to be asked; none unless its mode is `route`. Raises UserError for an unusable pattern."""
    return tuple(_compiled(rule) for rule in spec.routes) if spec.mode is Mode.ROUTE else ()


def _compiled(rule: RouteRule) -> Rule:
    when = rule.when
    try:
        found = compile_pattern(when.matches) if when.matches else None
    except ValueError as error:
        raise UserError(f"the pattern {when.matches!r} for {rule.model} cannot be used: {error}") from None
    return Rule(
        model=rule.model,
        when=when,
        contains=tuple(part.casefold() for part in when.contains),
        equals=frozenset(value.casefold() for value in when.equals),
        found=found,
    )


def choose(rules: Iterable[Rule], subject: Subject) -> str | None:
    """The model of the first rule that fits; None: no rule does."""
    return next((rule.model for rule in rules if rule.fits(subject)), None)


def bucket_of(buckets: Sequence[LengthBucket], tokens: int) -> int:
    """The index of the bucket that a prompt belongs to: the first that is long enough, else the last. 0 without any."""
    for index, bucket in enumerate(buckets):
        if bucket.up_to is None or tokens <= bucket.up_to:
            return index
    return max(0, len(buckets) - 1)


def prompt_tokens(content: Json) -> int:
    """Estimated tokens of a message's content: its text, or a list of parts, texts or token numbers."""
    if isinstance(content, str):
        return estimate(content)
    if isinstance(content, list | tuple):
        return sum(prompt_tokens(part) for part in content)
    if isinstance(content, Mapping):
        return prompt_tokens(content.get("text"))
    return 1 if isinstance(content, int) else 0


def texts(content: Json) -> Iterator[str]:
    """The texts in a message's content."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list | tuple):
        for part in content:
            yield from texts(part)
    elif isinstance(content, Mapping):
        yield from texts(content.get("text"))
