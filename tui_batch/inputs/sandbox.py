"""The Jinja environment for prompts. Imported when a template is compiled: Jinja takes its time to load.

A template can reach the row's columns and nothing else: no files, no attributes of the interpreter. What it makes and
how long it takes is bounded (see metering.py): a job file of a stranger can spoil its own rows and nothing else.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from jinja2 import StrictUndefined, Template, Undefined, meta, nodes
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.filters import FILTERS
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from tui_batch.inputs import metering
from tui_batch.inputs.metering import MAX_OUTPUT

_MAX_RANGE = 10_000
_MAX_TOKENS = 50_000
"""Jinja's parts of a template, where text between tags is one. So many take half a second and 100 MB to compile."""
_PRINTF = re.compile(r"[#0 +-]*(\*|[0-9]*)(?:\.(\*|[0-9]*))?[hlL]?")
"""What stands between a printf format's % (or its key) and its last letter: flags, width, precision, size."""
_BRACKET = re.compile(r"[()]")
_TEXT_METHODS = frozenset(
    {
        *("capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha", "isascii", "isdecimal"),
        *("isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "join", "lower", "lstrip", "partition"),
        *("removeprefix", "removesuffix", "replace", "rfind", "rindex", "rpartition", "rsplit", "rstrip", "split"),
        *("splitlines", "startswith", "strip", "swapcase", "title", "upper"),
    }
)
"""Methods of text that make no more than their input, or that are looked at before they do."""
_IN_EVERY_PLACE = frozenset({"rfind", "rindex", "rsplit", "rpartition", "strip", "lstrip", "rstrip"})
"""Methods whose time grows with the product of two texts; to find from the front takes that of their sum."""
# Filters that pad to a width given as a number, or whose answer depends on chance.
_DROPPED_FILTERS = frozenset({"center", "batch", "slice", "random", "xmlattr", "urlize"})


class PromptEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's immutable sandbox in which everything that makes or walks something is counted."""

    intercepted_binops = frozenset({"+", "-", "*", "**", "%", "//"})

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """As in Jinja; of text only methods that are listed here, of numbers and bytes none."""
        if isinstance(obj, str):
            return attr in _TEXT_METHODS
        if isinstance(obj, int | float | bytes):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Raises SecurityError for `format` of a text, which could pad to any width."""
        if super().wrap_str_format(value) is not None:
            raise SecurityError("text cannot format itself here: write it with the filter format")
        return None

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Does the operation after a look at the size of what it would make. Raises SecurityError."""
        if operator == "**":
            _check_power(left, right)
        elif operator == "*":
            _check_product(left, right)
        elif operator == "%" and isinstance(left, str):
            _check_format(left)
            metering.of_format(left, right)
        elif operator == "+" and isinstance(left, str):
            metering.making(len(left) + metering.weight(right))
        else:
            metering.walking(left, right)
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Calls what a template calls: a macro, a method of a value. Raises SecurityError."""
        metering.turn()
        args = tuple(metering.listed(arg) if isinstance(arg, Iterator) else arg for arg in args)
        owner = getattr(__obj, "__self__", None)
        metering.walking(owner, *args, *kwargs.values())
        if isinstance(owner, str):
            _check_method(owner, __obj.__name__, (*args, *kwargs.values()))
        made = super().call(__context, __obj, *args, **kwargs)
        metering.walking(made)
        return made

    def concat(self, parts: Iterable[str]) -> str:
        """What a block, a macro or a filter's body wrote, as one text. Raises SecurityError."""
        kept = list(parts)
        metering.making(sum(map(len, kept)))
        return "".join(kept)

    def chained(self, *parts: Any) -> str:
        """What `a ~ b ~ c` writes. Raises SecurityError."""
        metering.making(sum(map(metering.weight, parts)))
        return "".join(map(str, parts))

    def built(self, value: Any) -> Any:
        """A list or mapping that a template wrote: what it holds twice counts twice. Raises SecurityError."""
        metering.walking(value)
        return value

    def turn(self) -> str:
        """A turn of a loop, or a macro's call."""
        metering.turn()
        return ""


class _Notes(Namespace):
    """Jinja's namespace, which does not write out what it holds."""

    def __repr__(self) -> str:
        return "<namespace>"


class TemplateRefused(Exception):
    """A template that cannot be compiled, and the line of it that is to blame."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """A template ready to render, and what it needs."""

    names: frozenset[str]
    """Variables it takes from outside."""
    keys: frozenset[tuple[str, str]]
    """Keys that it looks up by name in such a variable, each with the variable's name: `row["First name"]`."""
    plain: Callable[[Mapping[str, Any]], str] | None
    """For a template of nothing but text and columns: the same text for a fifth of the time. Needs all of `names`."""
    _template: Template

    def render(self, variables: dict[str, Any]) -> str:
        """The text. Raises whatever the template's own code raises, and SecurityError beyond MAX_OUTPUT."""
        metering.start()
        parts: list[str] = []
        room = MAX_OUTPUT
        for part in self._template.root_render_func(self._template.new_context(variables)):
            parts.append(part)
            room -= len(part)
            if room < 0:
                metering.too_long()
        return "".join(parts)


def compile_template(text: str) -> CompiledTemplate:
    """Compiles a template. Raises TemplateRefused."""
    env = environment()
    try:
        _check_size(env.lex(text))
        tree = env.parse(text)
        for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
            raise TemplateRefused("a prompt template cannot load other templates", node.lineno)
        names = frozenset(meta.find_undeclared_variables(tree)) - env.globals.keys()
        plain, keys = _plain(tree, names), frozenset(_keys(tree, names))
        metering.start()  # Jinja works out what is constant
        _count(tree)
        with warnings.catch_warnings():  # Python's, about what Jinja made: nobody wrote that line
            warnings.simplefilter("ignore", SyntaxWarning)
            return CompiledTemplate(names, keys, plain, env.from_string(tree))
    except TemplateSyntaxError as error:
        raise TemplateRefused(error.message or "is not a template", error.lineno) from None
    except (RecursionError, SyntaxError, ValueError, MemoryError) as error:
        raise TemplateRefused(str(error) or "is too large", 1) from None


def _check_size(tokens: Iterable[tuple[int, str, str]]) -> None:
    """Raises TemplateRefused for a template of too many parts, before anything is made of it."""
    for number, (line, _, _) in enumerate(tokens):
        if number >= _MAX_TOKENS:
            raise TemplateRefused(f"has more than {_MAX_TOKENS:,} parts", line)


def _count(tree: nodes.Template) -> None:
    """Puts the counting into a template: at every turn of a loop, every macro's call, every list that is written."""
    for kind in (nodes.For, nodes.Macro, nodes.CallBlock):
        found: list[Any] = list(tree.find_all(kind))
        for node in found:
            node.body.insert(0, nodes.ExprStmt(_call("turn", [], node.lineno), lineno=node.lineno))
    _rebuild(tree)
    tree.set_environment(environment())


def _rebuild(node: nodes.Node) -> None:
    """Lists, mappings and `~` become calls of what counts them, from the inside out."""
    for name, value in list(node.iter_fields()):
        if isinstance(value, nodes.Node):
            _rebuild(value)
            setattr(node, name, _counted(value))
        elif isinstance(value, list):
            for position, part in enumerate(value):
                if isinstance(part, nodes.Node):
                    _rebuild(part)
                    value[position] = _counted(part)


def _counted(node: nodes.Node) -> nodes.Node:
    if isinstance(node, nodes.Concat):
        return _call("chained", node.nodes, node.lineno)
    if isinstance(node, (nodes.Dict, nodes.List)):
        return _call("built", [node], node.lineno)
    if isinstance(node, nodes.Tuple) and node.ctx == "load":
        return _call("built", [node], node.lineno)
    return node


def _call(name: str, args: list[Any], line: int) -> nodes.Call:
    return nodes.Call(nodes.EnvironmentAttribute(name), args, [], None, None, lineno=line)


def _keys(tree: nodes.Template, names: frozenset[str]) -> Iterator[tuple[str, str]]:
    """What is looked up in variables; a method that is called is no key."""
    called = {id(call.node) for call in tree.find_all(nodes.Call)}
    kinds: Any = (nodes.Getitem, nodes.Getattr)
    for node in tree.find_all(kinds):
        looked_in = node.node
        if not isinstance(looked_in, nodes.Name) or looked_in.name not in names or id(node) in called:
            continue
        if isinstance(node, nodes.Getattr):
            yield looked_in.name, node.attr
        elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            yield looked_in.name, node.arg.value


def _plain(tree: nodes.Template, names: frozenset[str]) -> Callable[[Mapping[str, Any]], str] | None:
    """A function for a template of text and columns only; None for any other."""
    parts: list[tuple[str, bool]] = []
    for output in tree.body:
        if not isinstance(output, nodes.Output):
            return None
        for node in output.nodes:
            if isinstance(node, nodes.TemplateData):
                parts.append((node.data, False))
            elif isinstance(node, nodes.Name) and node.name in names:
                parts.append((node.name, True))
            else:
                return None
    frozen = tuple(parts)

    def render(columns: Mapping[str, Any]) -> str:
        text = "".join([str(_alone(columns[part])) if is_column else part for part, is_column in frozen])
        return text if len(text) <= MAX_OUTPUT else metering.too_long()

    return render


def _alone(value: Any) -> Any:
    """As _finalize, where no rendering is going on whose work is counted: this is one of its own."""
    if type(value) in (dict, list):
        metering.start()
    return _finalize(value)


@cache
def environment() -> PromptEnvironment:
    """The one environment: it holds no state of any job."""
    made = PromptEnvironment(autoescape=False, undefined=StrictUndefined, finalize=_finalize, cache_size=0)
    made.globals = {"range": _bounded_range, "namespace": _Notes, "dict": dict}
    made.filters = metering.filters(FILTERS.keys() - _DROPPED_FILTERS)
    made.filters |= {"tojson": metering.metered("tojson", to_json), "format": metering.metered("format", _format)}
    made.policies["truncate.leeway"] = 0
    return made


def to_json(value: Any, indent: int | None = None) -> str:
    """A value as JSON text, Unicode as it is; with `indent`, over several lines."""
    if isinstance(value, Undefined):
        return str(value)  # raises what names the missing column
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else 0).decode()


def _finalize(value: Any) -> Any:
    """What `{{ value }}` writes: lists and objects as JSON, nothing for null."""
    kind = type(value)
    if kind is str:
        return value
    if kind is dict or kind is list:
        metering.walking(value)
        return to_json(value)
    return "" if value is None else value


def _bounded_range(*args: int) -> range:
    made = range(*args)
    if len(made) > _MAX_RANGE:
        raise SecurityError(f"range may count to {_MAX_RANGE:,} at most")
    return made


def _format(value: str, *args: Any, **kwargs: Any) -> str:
    """Jinja's `format` filter, printf style, with bounded widths."""
    _check_format(str(value))
    return str(FILTERS["format"](value, *args, **kwargs))


def _check_format(text: str) -> None:
    """Raises SecurityError for a width or precision of four digits, or of `*`. Reads the text as Python does."""
    at = text.find("%")
    while at >= 0:
        found = _PRINTF.match(text, _after_key(text, at + 1))
        assert found is not None  # the pattern matches nothing, too
        if any(width == "*" or len(width.lstrip("0")) > 3 for width in found.groups("")):
            raise SecurityError("a printf format may not pad to a thousand characters or more")
        at = text.find("%", found.end() + 1)


def _after_key(text: str, at: int) -> int:
    """Where the name of a value, `(name)`, ends. It may hold parentheses of its own."""
    if not text.startswith("(", at):
        return at
    depth = 0
    for bracket in _BRACKET.finditer(text, at):
        depth += 1 if bracket.group() == "(" else -1
        if not depth:
            return bracket.end()
    return len(text)


def _check_power(base: Any, exponent: Any) -> None:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * abs(exponent) > metering.MAX_BITS:
        metering.too_large()


def _check_product(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        if left.bit_length() + right.bit_length() > metering.MAX_BITS:
            metering.too_large()
        return
    for value, times in ((left, right), (right, left)):
        if isinstance(times, int) and isinstance(value, str | list | tuple):
            metering.making(max(0, times) * max(1, metering.weight(value)))


def _check_method(text: str, name: str, args: tuple[Any, ...]) -> None:
    """Methods of text that may make much of little."""
    if name == "replace" and len(args) > 1:
        metering.of_replace(text, str(args[0]), str(args[1]))
    elif name == "join" and args:
        metering.of_join(text, metering.listed(args[0]))
    elif name in _IN_EVERY_PLACE:
        metering.of_pairs(text, args)
    elif name == "title":
        metering.spend(metering.SLOW * len(text))
