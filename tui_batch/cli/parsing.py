"""Values of options: `k=v` pairs, money, concurrency, words of an enum. Each raises UserError naming the option."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import TypeVar

from tui_batch.domain.item_scope import Selection
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.request import Json
from tui_batch.errors import UserError
from tui_batch.inputs.draft import AUTO, Auto
from tui_batch.inputs.json_text import json_or_text
from tui_batch.work.amounts import MOST, read_dollars, read_whole
from tui_batch.work.knob_words import read_concurrency

E = TypeVar("E", bound=StrEnum)
MOST_ID = 2**63 - 1
"""The largest number that the database can hold."""


def parse_pairs(option: str, pairs: Iterable[str]) -> dict[str, str]:
    """`k=v` pairs as a mapping."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name.strip():
            raise UserError(
                f"{option} {pair}: is not of the form name=value", remedy=f"For example: {option} name=value"
            )
        found[name.strip()] = value
    return found


def parse_params(pairs: Iterable[str]) -> dict[str, Json]:
    """`--param k=v`, where v is JSON if it can be read as such, else text: temperature=0, stop=["."], effort=low."""
    found: dict[str, Json] = {}
    for name, value in parse_pairs("--param", pairs).items():
        try:
            found[name] = json_or_text(value)
        except ValueError as error:
            raise UserError(f"--param {name}: {error}", remedy=f"For example: --param {name}=0.5") from None
    return found


def parse_dollars(option: str, text: str | None) -> int | None:
    """US dollars as nano-dollars."""
    if text is None:
        return None
    try:
        return read_dollars(text)
    except ValueError as error:
        raise UserError(f"{option} {text}: {error}", remedy=f"For example: {option} 2.50") from None


def parse_day(option: str, text: str) -> str:
    """A day such as 2026-11-21, as the ledger has it; empty: none was named."""
    if not text.strip():
        return ""
    try:
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        raise UserError(f"{option} {text}: is not a day", remedy=f"For example: {option} 2026-11-21") from None


def parse_whole(option: str, text: str | None, least: int = 1, most: int = MOST) -> int | None:
    """A whole number such as 500, 90,000 or 90k."""
    try:
        return None if text is None else read_whole(text, least, most)
    except ValueError as error:
        raise UserError(f"{option} {text}: {error}", remedy=f"For example: {option} {max(least, 5)}") from None


def parse_concurrency(text: str | None) -> int | Auto | None:
    """A number of requests in flight, or `auto`."""
    if text is None:
        return None
    try:
        number = read_concurrency(text)
    except ValueError as error:
        raise UserError(f"--concurrency {text}: {error}", remedy="For example: --concurrency 32") from None
    return AUTO if number is None else number


def parse_word(option: str, text: str | None, words: type[E]) -> E | None:
    """A member of an enum by its value."""
    if text is None:
        return None
    try:
        return words(text.strip().lower())
    except ValueError:
        raise UserError(f"{option} {text}: is none of {', '.join(words)}") from None


def parse_class(name: str) -> OutcomeClass:
    """An error class by its name. Raises UserError with the names there are."""
    try:
        return OutcomeClass(name.strip().lower())
    except ValueError:
        names = ", ".join(cls.value for cls in OutcomeClass if cls is not OutcomeClass.OK)
        raise UserError(f"{name!r} is no error class", remedy=f"The classes: {names}") from None


def parse_ids(items: list[int] | None) -> frozenset[int] | None:
    """Items by their ids; None: none is named. Raises UserError for a number that no item can have."""
    for item in items or ():
        if not 0 < item <= MOST_ID:
            raise UserError(f"--item {item}: there is no such item", remedy="Name items by the ids that `items` shows.")
    return None if items is None else frozenset(items)


def parse_selection(classes: list[str] | None, items: list[int] | None, custom_ids: list[str] | None) -> Selection:
    """The dead items that the options `--class`, `--item` and `--custom-id` name."""
    return Selection(frozenset(map(parse_class, classes or ())), tuple(items or ()), tuple(custom_ids or ()))
