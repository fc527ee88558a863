"""Which items a list, an export or a bulk action means, and in which order: plain values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Choice(StrEnum):
    """What an item can be chosen by, as it is typed before the colon."""

    STATE = "state"
    """Exactly one of the stored states."""
    CLASS = "class"
    """Class of the last outcome."""
    MODEL = "model"
    """A part of the model's name."""
    ENDPOINT = "endpoint"
    """A part of the endpoint's name."""
    ID = "id"
    """A part of the custom_id."""
    CACHED = "cached"
    """yes or no."""
    FLAG = "flag"
    """truncated, prompt_cut, check_failed or unjudged."""
    ITEM = "item"
    """An item's id."""
    LIKE = "like"
    """An item's id: dead items that failed in the same way as that one."""


class Figure(StrEnum):
    """What an item can be measured by."""

    ATTEMPTS = "attempts"
    COST = "cost"
    """Stored in nano-dollars."""
    LATENCY = "latency"
    """Stored in milliseconds."""
    TOKENS = "tokens"
    """In and out together."""
    TOKENS_IN = "in"
    TOKENS_OUT = "out"
    ROW = "row"
    """Number of the row in the input, from 1."""
    SCORE = "score"
    """What the job's checks gave, from 0 to 1."""


class Comparison(StrEnum):
    """How a figure is held against a bound. An unknown figure meets none."""

    BELOW = "<"
    AT_MOST = "<="
    ABOVE = ">"
    AT_LEAST = ">="
    EQUAL = "="


@dataclass(frozen=True, slots=True)
class OneOf:
    """Items whose choice is one of these."""

    choice: Choice
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Bound:
    """Items whose figure is on this side of a bound."""

    figure: Figure
    comparison: Comparison
    value: float
    """In the figure's stored unit."""
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """Items with this text, without regard to ASCII case, in the row, the custom_id, the answer or the message."""

    text: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class FieldIs:
    """Items whose answer is a JSON object with a field that is one of these values; upper and lower case are alike."""

    name: str
    """A field, or a path to one such as `people.0.name`."""
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class FieldBound:
    """Items whose answer is a JSON object with a field that is a number on this side of a bound."""

    name: str
    """A field, or a path to one."""
    comparison: Comparison
    value: float
    negated: bool = False


Term: TypeAlias = OneOf | Bound | Words | FieldIs | FieldBound


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Items that meet every term. No term: all items."""

    terms: tuple[Term, ...] = ()

    def __bool__(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.terms)

    @property
    def is_about_progress(self) -> bool:
        """Whether the items it means change while a job runs."""
        settled = (Choice.ID, Choice.ITEM, Choice.LIKE)
        return any(
            (isinstance(term, OneOf) and term.choice not in settled)
            or (isinstance(term, Bound) and term.figure is not Figure.ROW)
            or isinstance(term, Words | FieldIs | FieldBound)
            for term in self.terms
        )


class SortKey(StrEnum):
    """What a list of items is ordered by; equals follow in input order, unknown figures come last."""

    ROW = "row"
    STATE = "state"
    ID = "id"
    MODEL = "model"
    ATTEMPTS = "attempts"
    TOKENS = "tokens"
    COST = "cost"
    LATENCY = "latency"
    FINISHED = "finished"
    SCORE = "score"
    FIELD = "field"
    """A field of the answer, where that is a JSON object: numbers before texts."""


@dataclass(frozen=True, slots=True)
class ItemOrder:
    """An order and its direction."""

    key: SortKey = SortKey.ROW
    descending: bool = False
    field: str = ""
    """A field, or a path to one such as `people.0.name`, for the key that needs one."""

    def is_by_the_same(self, other: ItemOrder) -> bool:
        """Whether the direction is all that may be different."""
        return (self.key, self.field) == (other.key, other.field)

    def __str__(self) -> str:
        return f"{self.key.value}.{self.field}" if self.field else self.key.value


def just(ids: Iterable[int]) -> ItemFilter:
    """The filter that means these items, by their ids, and no others."""
    return ItemFilter((OneOf(Choice.ITEM, tuple(map(str, ids))),))


ALL_ITEMS = ItemFilter()
INPUT_ORDER = ItemOrder()
