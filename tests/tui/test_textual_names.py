"""Widgets keep out of Textual's own private names: an attribute that takes one over breaks repaints without a word."""

from __future__ import annotations

import dis
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cache
from types import FunctionType

from textual.message_pump import MessagePump

import tui_batch.tui

MEANT = {
    "BatchApp": {"_handle_exception", "_fatal_error"},
    "QuickKeys": {"_workers"},
    "Entry": {"_value", "_on_suggestion_ready"},
}
"""Hooks that are taken over on purpose."""


def test_no_widget_takes_over_a_private_name_of_textual() -> None:
    taken = {cls.__name__: both for cls in our_classes() if (both := private_names(cls) & textual_names(cls))}
    assert taken == MEANT


def our_classes() -> Iterator[type]:
    for found in pkgutil.walk_packages(tui_batch.tui.__path__, "tui_batch.tui."):
        module = importlib.import_module(found.name)
        for thing in vars(module).values():
            if inspect.isclass(thing) and issubclass(thing, MessagePump) and thing.__module__ == module.__name__:
                yield thing


def textual_names(cls: type) -> set[str]:
    bases = [base for base in cls.__mro__ if base.__module__.startswith("textual")]
    return {name for base in bases for name in private_names(base)}


@cache
def private_names(cls: type) -> frozenset[str]:
    """Methods of a class, and attributes that its methods store, whose names begin with one underscore."""
    found: set[str] = set()
    for name, thing in vars(cls).items():
        code = thing.fget if isinstance(thing, property) else thing
        if isinstance(code, FunctionType):
            found |= {name, *(step.argval for step in dis.get_instructions(code) if step.opname == "STORE_ATTR")}
    return frozenset(name for name in found if name.startswith("_") and not name.startswith("__"))
