"""The Jinja environment for prompts. Imported when a template is compiled: Jinja takes its time to load.

A template can reach the row's columns and nothing else: no files, no attributes of the interpreter. Sizes are bounded
where a small template could make a huge text. This guards against a careless job file; it does not bound run time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

import orjson
from jinja2 import StrictUndefined, Template, Undefined, meta, nodes
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.filters import FILTERS
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_OUTPUT = 20_000_000
"""Characters of the largest rendered text."""
_MAX_RANGE = 10_000
_MAX_WIDTH = 1_000
_LARGE_WIDTH = re.compile(r"%[^a-zA-Z%]*(?:[0-9]{4}|\*)")
# Methods and filters that pad to a width given as a number, and filters whose answer depends on chance.
_PADDING = frozenset({"center", "ljust", "rjust", "zfill", "expandtabs", "format", "format_map"})
_DROPPED_FILTERS = frozenset({"center", "batch", "slice", "random", "xmlattr", "urlize"})


class PromptEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's immutable sandbox with bounds on what `range`, `+`, `*`, `**` and `%` may make."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """As in Jinja, without the padding methods of text."""
        if attr in _PADDING and isinstance(obj, str):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Does the operation after a look at the size of what it would make. Raises SecurityError."""
        if operator == "**":
            _check_power(left, right)
        elif operator == "*":
            _check_product(left, right)
        elif operator == "%" and isinstance(left, str):
            _check_format(left)
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, (str, list, tuple)) and len(result) > MAX_OUTPUT:
            raise SecurityError(f"{operator} makes more than {MAX_OUTPUT:,} characters")
        return result


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
    plain: Callable[[Mapping[str, Any]], str] | None
    """For a template of nothing but text and columns: the same text for a fifth of the time. Needs all of `names`."""
    _template: Template

    def render(self, variables: dict[str, Any]) -> str:
        """The text. Raises whatever the template's own code raises, and SecurityError beyond MAX_OUTPUT."""
        parts: list[str] = []
        room = MAX_OUTPUT
        for part in self._template.root_render_func(self._template.new_context(variables)):
            parts.append(part)
            room -= len(part)
            if room < 0:
                _too_long()
        return "".join(parts)


def compile_template(text: str) -> CompiledTemplate:
    """Compiles a template. Raises TemplateRefused."""
    env = environment()
    try:
        tree = env.parse(text)
        for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
            raise TemplateRefused("a prompt template cannot load other templates", node.lineno)
        names = frozenset(meta.find_undeclared_variables(tree)) - env.globals.keys()
        plain = _plain(tree, names)
        return CompiledTemplate(names, plain, env.from_string(tree))
    except TemplateSyntaxError as error:
        raise TemplateRefused(error.message or "is not a template", error.lineno) from None
    except (RecursionError, SyntaxError, ValueError, MemoryError) as error:
        raise TemplateRefused(str(error) or "is too large", 1) from None


def _too_long() -> NoReturn:
    raise SecurityError(f"it makes more than {MAX_OUTPUT:,} characters")


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
        text = "".join([str(_finalize(columns[part])) if is_column else part for part, is_column in frozen])
        return text if len(text) <= MAX_OUTPUT else _too_long()

    return render


@cache
def environment() -> PromptEnvironment:
    """The one environment: it holds no state of any job."""
    made = PromptEnvironment(autoescape=False, undefined=StrictUndefined, finalize=_finalize, cache_size=0)
    made.globals = {"range": _bounded_range, "namespace": made.globals["namespace"], "dict": dict}
    filters: dict[str, Callable[..., Any]] = {k: v for k, v in FILTERS.items() if k not in _DROPPED_FILTERS}
    filters.update(tojson=to_json, format=_format, indent=_indent)
    made.filters = filters
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


def _indent(text: str, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    """Jinja's `indent` filter with a bounded width."""
    if (width if isinstance(width, int) else len(width)) > _MAX_WIDTH:
        raise SecurityError(f"indent: at most {_MAX_WIDTH} characters")
    return str(FILTERS["indent"](text, width, first, blank))


def _check_format(text: str) -> None:
    if _LARGE_WIDTH.search(text):
        raise SecurityError("a printf format may not pad to a thousand characters or more")


def _check_power(base: Any, exponent: Any) -> None:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * abs(exponent) > 4096:
        raise SecurityError("** makes too large a number")


def _check_product(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        if left.bit_length() + right.bit_length() > 4096:
            raise SecurityError("* makes too large a number")
        return
    sizes = [len(side) for side in (left, right) if isinstance(side, (str, list, tuple))]
    counts = [side for side in (left, right) if isinstance(side, int)]
    if sizes and counts and sizes[0] * counts[0] > MAX_OUTPUT:
        raise SecurityError(f"* makes more than {MAX_OUTPUT:,} characters")
