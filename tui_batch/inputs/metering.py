"""What a template may do in all: its work is counted while it renders, and stops at a bound.

Jinja's sandbox keeps a template away from files and attributes. It bounds neither time nor memory: a loop in a loop in
a loop, a text joined with itself forty times, a list that holds itself twice, forty levels deep. So everything that
makes or walks something says beforehand how much, and every turn of a loop looks at the time.
"""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NoReturn

from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS

MAX_OUTPUT = 20_000_000
"""Characters of the largest text."""
MAX_WORK = 100_000_000
"""Characters and objects that one rendering may make and walk, each as often as it does."""
MAX_ITEMS = 1_000_000
"""Objects of the largest list or mapping, those in it included, each as often as it is in it."""
MAX_CPU_S = 2.0
"""Seconds of this thread's processor; the machine's other work does not count."""
TURN = 20
"""The work of one turn of a loop, one call of a macro, or one object in a list."""
SLOW = 10
"""How much more than its input the work of a slow filter is."""
COPIED = 200
"""Characters that are copied from one text to another while one would be made otherwise."""
PAIRS = 100
"""Pairs of characters that are compared while one would be made: each place of a text with each of another."""
MAX_BITS = 4_096
"""Of a whole number: to divide larger ones takes time that grows with their square, and no clock is looked at."""
MAX_STEPS = 1_000
"""Dots and commas in what may be the path of an attribute: it is taken apart into objects, which nobody counts."""
MAX_WIDTH = 1_000
"""Characters that a text may be padded or indented by."""


class _Meter(threading.local):
    """The work of the rendering that goes on in this thread."""

    left = 0
    until = 0.0


_METER = _Meter()


def start() -> None:
    """A rendering begins in this thread."""
    _METER.left = MAX_WORK
    _METER.until = time.thread_time() + MAX_CPU_S


def spend(work: int) -> None:
    """Takes work from what is left. Raises SecurityError when that is too little, or when the time is over."""
    _METER.left -= work
    if _METER.left < 0:
        raise SecurityError("it does too much for one row")
    if time.thread_time() > _METER.until:
        raise SecurityError(f"it takes longer than {MAX_CPU_S:g} s for one row")


def turn() -> None:
    """A turn of a loop, or a macro's call."""
    spend(TURN)


def too_long() -> NoReturn:
    """Refuses a text that is longer than MAX_OUTPUT."""
    raise SecurityError(f"it makes more than {MAX_OUTPUT:,} characters")


def too_large() -> NoReturn:
    """Refuses a number beyond MAX_BITS."""
    raise SecurityError("it makes too large a number")


def making(size: int) -> None:
    """A text of so many characters is about to be made. Raises SecurityError."""
    if size > MAX_OUTPUT:
        too_long()
    spend(size)


def weight(value: Any) -> int:
    """About how much it is to walk a value or to write it out.

    Raises SecurityError beyond MAX_ITEMS objects, and for a number beyond MAX_BITS.
    """
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        too_large()
    if not isinstance(value, list | tuple | dict):
        return 1
    chars = items = 0
    waiting: list[Any] = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str | bytes):
            chars += len(one)
            continue
        parts = _parts(one)
        items += 1 + len(parts)
        if items > MAX_ITEMS:
            raise SecurityError(f"it makes or walks more than {MAX_ITEMS:,} objects at once")
        waiting.extend(part for part in parts if isinstance(part, str | bytes | list | tuple | dict))
    return chars + TURN * items


def _parts(value: list[Any] | tuple[Any, ...] | dict[Any, Any]) -> list[Any]:
    return [*value.keys(), *value.values()] if isinstance(value, dict) else list(value)


def walking(*values: Any) -> int:
    """Counts the values, which are about to be walked, and returns their weight. Raises SecurityError."""
    size = sum(map(weight, values))
    spend(size)
    return size


def counted(values: Iterable[Any]) -> Iterator[Any]:
    """The same values, each counted as it is taken. Raises SecurityError."""
    for value in values:
        spend(TURN + weight(value))
        yield value


def listed(values: Any) -> list[Any]:
    """All of an iterable, counted. Raises SecurityError."""
    kept = []
    for value in counted(values):
        kept.append(value)
        if len(kept) > MAX_ITEMS:
            raise SecurityError(f"it makes or walks more than {MAX_ITEMS:,} objects at once")
    return kept


# What filters and methods would make, before they do.


def of_replace(text: str, old: str, new: str) -> None:
    """`replace`: as many times the new text as the old one is found."""
    making(len(text) + (text.count(old) if old else len(text) + 1) * len(new))


def of_join(separator: str, values: list[Any]) -> None:
    """`join`: everything, and the separator between any two."""
    making(sum(map(weight, values)) + len(values) * len(separator))


def of_format(text: str, values: Any) -> None:
    """printf: each place shows one of several values, or may show all of a single one."""
    places = text.count("%")
    shown = sum(map(weight, values)) if isinstance(values, tuple) else places * weight(values)
    making(len(text) + shown + places * MAX_WIDTH)


def of_indent(text: str, width: int | str) -> None:
    """`indent`: the width at the beginning of each line."""
    wide = width if isinstance(width, int) else len(width)
    if wide > MAX_WIDTH:
        raise SecurityError(f"indent: at most {MAX_WIDTH} characters")
    making(len(text) + (text.count("\n") + 1) * wide)


def of_wordwrap(text: str, width: int, wrapstring: str | None) -> None:
    """`wordwrap`: a line end, or what stands for it, every so many characters."""
    making(len(text) + (len(text) // max(1, width) + text.count(" ") + 1) * len(wrapstring or "\n"))
    spend(SLOW * len(text))
    # textwrap copies what is left of a word at every line it makes of it.
    spend(sum(len(word) ** 2 for word in text.split()) // (COPIED * max(1, width)))


def of_pairs(text: str, others: Iterable[Any]) -> None:
    """Methods that compare a text, in each of its places, with all of another."""
    spend(sum(len(text) * len(other) for other in others if isinstance(other, str)) // PAIRS)


def of_paths(values: Iterable[Any]) -> None:
    """Attributes by their paths: `address.town`, `name,age`."""
    if any(isinstance(value, str) and value.count(".") + value.count(",") > MAX_STEPS for value in values):
        raise SecurityError(f"an attribute's path: at most {MAX_STEPS:,} steps")


def of_round(precision: int) -> None:
    """`round`: ten to the power of the precision."""
    if not -100 <= precision <= 100:
        raise SecurityError("round: a precision from -100 to 100")


LOOKS: dict[str, Callable[[Mapping[str, Any]], None]] = {
    "format": lambda given: of_format(str(given["value"]), given["kwargs"] or given["args"]),
    "indent": lambda given: of_indent(str(given["s"]), given["width"]),
    "replace": lambda given: of_replace(str(given["s"]), str(given["old"]), str(given["new"])),
    "round": lambda given: of_round(int(given["precision"])),
    "trim": lambda given: of_pairs(str(given["value"]), [given["chars"]]),
    "wordwrap": lambda given: of_wordwrap(str(given["s"]), int(given["width"]), given["wrapstring"]),
}
"""Filters that may make much of little: what to look at, by the names of their arguments, before they do."""

PATH_FILTERS = frozenset({"groupby", "join", "map", "max", "min", "rejectattr", "selectattr", "sort", "sum", "unique"})
SLOW_FILTERS = frozenset(
    {"capitalize", "dictsort", "groupby", "pprint", "sort", "striptags", "title", "unique", "urlencode", "wordcount"}
)


def metered(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter whose arguments and result are counted. Jinja's marks on the function stay on it."""
    factor = SLOW if name in SLOW_FILTERS else 1
    own = int(hasattr(function, _MARK))  # Jinja's own argument: the context, the environment
    look, signature = LOOKS.get(name), inspect.signature(function)

    def call(*args: Any, **kwargs: Any) -> Any:
        given = [*args[:own], *(counted(arg) if isinstance(arg, Iterator) else arg for arg in args[own:])]
        if name in PATH_FILTERS:
            of_paths((*args[own + 1 :], *kwargs.values()))
        spend(TURN + factor * sum(map(weight, (*given[own:], *kwargs.values()))))
        if look is not None:
            bound = signature.bind(*given, **kwargs)
            bound.apply_defaults()
            look(bound.arguments)
        made = function(*given, **kwargs)
        spend(weight(made))
        return made

    return marked(call, function)


def marked(function: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which gets from Jinja what the original gets."""
    for mark in (_MARK, "jinja_async_variant"):
        if hasattr(original, mark):
            setattr(function, mark, getattr(original, mark))
    return function


_MARK = "jinja_pass_arg"


def joined(eval_ctx: Any, value: Any, d: Any = "", attribute: Any = None) -> Any:
    """Jinja's `join` filter over a counted list."""
    values = listed(value)
    of_join(str(d), values)
    return FILTERS["join"](eval_ctx, values, d, attribute)


def summed(env: Any, iterable: Any, attribute: Any = None, start: Any = 0) -> Any:
    """Jinja's `sum` filter, of numbers only: lists would be copied again for each."""
    values = listed(iterable)
    if not isinstance(start, int | float) or any(isinstance(value, list | tuple) for value in values):
        raise SecurityError("sum adds numbers")
    return FILTERS["sum"](env, values, attribute, start)


def filters(names: Iterable[str]) -> dict[str, Callable[..., Any]]:
    """Jinja's filters of these names, metered."""
    own = {"join": joined, "sum": summed}
    return {name: metered(name, marked(own.get(name, FILTERS[name]), FILTERS[name])) for name in names}
