"""The routes and length buckets of a job file: their fields, checked beyond their shape, and as the engine takes them.

Importing this loads pydantic.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated

from pydantic import Field

from tui_batch.domain.job import MOST_IN_FLIGHT, Condition, LengthBucket, Mode, RouteRule
from tui_batch.inputs.job_parts import Count, Name, Part
from tui_batch.inputs.patterns import column_text, compile_pattern
from tui_batch.inputs.yaml_document import Document, Steps

_ROUTES_EXAMPLE = """Routes look like this:
  routes:
    - when: {longer_than: 2000}
      model: large
    - model: small"""


Value = str | int | float | bool
"""What a column may be compared with."""


class When(Part):
    """What a row must be like for a route. Everything that is given must hold; upper and lower case are alike."""

    longer_than: Count | None = None
    """The prompt has more tokens than this, by estimate."""
    shorter_than: Count | None = None
    """The prompt has fewer tokens than this, by estimate."""
    column: Name | None = None
    """The column that contains, matches, equals and in look at; without it contains and matches look at the prompt."""
    contains: Name | Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """A text, or several of which one must stand there."""
    matches: Name | None = None
    """A regular expression that is found there. It has no look-around and no back-references."""
    equals: Value | None = None
    """The column's whole value."""
    in_: Annotated[tuple[Value, ...], Field(min_length=1)] | None = Field(default=None, alias="in")
    """Values of which the column has one."""


class Route(Part):
    """Where rows of a kind go."""

    when: When | None = None
    """What the rows are like; left out of the last route, which takes all others."""
    model: Name


class Bucket(Part):
    """Prompts of a range of lengths, and how many of them may be in flight."""

    up_to: Count | None = None
    """The longest prompt in it, in estimated tokens; left out of the last bucket, which takes all longer ones."""
    concurrency: Annotated[int, Field(ge=1, le=MOST_IN_FLIGHT)]
    """Requests of this bucket in flight at most."""


def check_routes(document: Document, routes: Sequence[Route], mode: Mode | None, named: Collection[str]) -> None:
    """Raises InputError, naming the field, for rules that could never apply or that leave rows without a model.

    `named`: the models that the job names elsewhere; none when nothing but the routes names them.
    """
    if not routes:
        if mode is Mode.ROUTE:
            raise document.error(("mode",), "route needs rules, and there are none", _ROUTES_EXAMPLE)
        return
    if mode not in (None, Mode.ROUTE):
        raise document.error(("routes",), f"stand only with mode route, not {mode}", "Take one of the two out.")
    last = len(routes) - 1
    for index, route in enumerate(routes):
        where: Steps = ("routes", index)
        if named and route.model not in named:
            remedy = f"The job's models are: {', '.join(sorted(named))}"
            raise document.error((*where, "model"), f"{route.model} is not among the job's models", remedy)
        if route.when is not None:
            _check_when(document, route.when, (*where, "when"))
        elif index < last:
            raise document.error(where, "takes every row, so that no route after it is ever asked", "Put it last.")
    if routes[last].when is not None:
        remedy = "End the list with a route that has no `when`, such as\n    - model: small"
        raise document.error(("routes", last), "leaves rows without a model that no rule fits", remedy)


def _check_when(document: Document, when: When, where: Steps) -> None:
    looks_at_text = when.contains or when.matches or when.equals is not None or when.in_
    if when.column is not None and not looks_at_text:
        raise document.error(where, "says nothing about its column", "Add contains, matches, equals or in.")
    if when.longer_than is None and when.shorter_than is None and not looks_at_text:
        raise document.error(where, "says nothing", "Give longer_than, shorter_than, contains, matches, equals or in.")
    if when.equals is not None and when.in_ is not None:
        raise document.error(where, "give equals or in, not both")
    if (when.equals is not None or when.in_ is not None) and when.column is None:
        raise document.error(where, "names no column for equals or in", "Add: column: NAME")
    if when.longer_than is not None and when.shorter_than is not None and when.shorter_than <= when.longer_than + 1:
        raise document.error(where, "fits no length: nothing lies between longer_than and shorter_than")
    try:
        compile_pattern(when.matches or "")
    except ValueError as error:
        raise document.error((*where, "matches"), f"is not a regular expression that can be used: {error}") from None


def check_buckets(document: Document, buckets: Sequence[Bucket]) -> None:
    """Raises InputError, naming the field, for buckets that do not rise or that leave lengths out."""
    longest = 0
    last = len(buckets) - 1
    for index, bucket in enumerate(buckets):
        where: Steps = ("buckets", index)
        if index == last:
            if bucket.up_to is not None:
                raise document.error((*where, "up_to"), "must be left out of the last bucket, which takes all others")
        elif bucket.up_to is None:
            raise document.error(where, "up_to is missing: only the last bucket takes all others")
        elif bucket.up_to <= longest:
            raise document.error((*where, "up_to"), f"must be above the {longest} of the bucket before it")
        else:
            longest = bucket.up_to


def rules_of(routes: Sequence[Route]) -> tuple[RouteRule, ...]:
    """A job file's routes as the engine asks them."""
    return tuple(RouteRule(route.model, _condition(route.when)) for route in routes)


def buckets_of(buckets: Sequence[Bucket]) -> tuple[LengthBucket, ...]:
    """A job file's length buckets."""
    return tuple(LengthBucket(bucket.concurrency, bucket.up_to) for bucket in buckets)


def _condition(when: When | None) -> Condition:
    if when is None:
        return Condition()
    values = when.in_ or (() if when.equals is None else (when.equals,))
    return Condition(
        longer_than=when.longer_than,
        shorter_than=when.shorter_than,
        column=when.column or "",
        contains=(when.contains,) if isinstance(when.contains, str) else when.contains or (),
        matches=when.matches or "",
        equals=tuple(map(column_text, values)),
    )
