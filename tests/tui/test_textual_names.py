"""Widgets keep out of Textual's own private names: an attribute that takes one over breaks repaints without a word."""

from __future__ import annotations

import ast
import dis
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FunctionType

from textual.app import App
from textual.dom import DOMNode
from textual.driver import Driver
from textual.message_pump import MessagePump
from textual.worker import Worker

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


PARTS: dict[str, type] = {
    "_app": Driver,
    "_auto_restart": Driver,
    "_bindings": DOMNode,
    "_check_bindings": App,
    "_close_messages_no_wait": MessagePump,
    "_closing": MessagePump,
    "_driver": App,
    "_loop": Driver,
    "_pruning": DOMNode,
    "_work": Worker,
}
"""Private names of Textual that are read or called, and whose they are."""
INHERITED = {"_recent"}
"""Of a class of ours in another module."""


def test_what_is_used_of_textual_in_private_is_still_there_and_is_no_more_than_this() -> None:
    """Another version of Textual may have it under another name: then this says which, before anything else fails."""
    assert {name for name, owner in PARTS.items() if name not in private_names_of(owner)} == set()
    assert used_of_others() - INHERITED == set(PARTS)
    assert list(inspect.signature(App._check_bindings).parameters) == ["self", "key", "priority"]
    assert inspect.iscoroutinefunction(App._check_bindings)
    if sys.platform != "win32":
        from textual.drivers.linux_driver import LinuxDriver

        assert {"_must_signal_resume", "_sigcont_application"} <= private_names_of(LinuxDriver)


def used_of_others() -> set[str]:
    """Private names that a module of ours reads, and that it neither defines nor stores."""
    found: set[str] = set()
    for file in Path(next(iter(tui_batch.tui.__path__))).rglob("*.py"):
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
        own = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        own |= {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
        own |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        read = {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}
        found |= {name for name in read - own if name.startswith("_") and not name.startswith("__")}
    return found


def private_names_of(cls: type) -> set[str]:
    """Of the class and of what it is made from."""
    return {name for base in cls.__mro__ for name in private_names(base)}


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
