"""YAML as job files and settings use it: YAML 1.2's plain scalars, no duplicate keys, and a line for every value."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tui_batch.errors import InputError
from tui_batch.inputs.json_text import MOST_DEPTH
from tui_batch.safe_text import shortened

MAX_BYTES = 1024 * 1024
_MAX_NODES = 100_000
"""Values after aliases are expanded: a small file can name the same list a billion times."""
_TAG = "tag:yaml.org,2002:"
_SCALARS = frozenset(_TAG + kind for kind in ("str", "int", "float", "bool", "null"))
_LARGEST_INT = 2**63
_TOO_MANY, _TOO_DEEP = "holds too many values", "is nested too deeply"
_ROWS_ELSEWHERE = "Keep the rows in a data file."
_LONGEST, _LONGEST_FIELD = 2_000, 200
"""Characters of an error's reason, and of the path in it."""

# YAML 1.1, which PyYAML follows, reads `off` as false, `1:30` as 90 and 2024-01-01 as a date. YAML 1.2 does not.
_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_INT = re.compile(r"^[-+]?[0-9]+$")
_FLOAT = re.compile(
    r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")

_PATTERNS = {_TAG + "bool": _BOOL, _TAG + "int": _INT, _TAG + "float": _FLOAT, _TAG + "null": _NULL}


class _Beyond(Exception):
    """A file that holds more than is read."""

    def __init__(self, reason: str, line: int, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.remedy = remedy


class _Loader(yaml.SafeLoader):
    """The safe loader with YAML 1.2's plain scalars.

    The bounds are kept while it reads: PyYAML takes a megabyte of brackets for many seconds, the longer the deeper.
    """

    _depth = 0
    _values = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """See yaml.composer.Composer. Raises _Beyond."""
        is_key = isinstance(parent, yaml.MappingNode) and index is None
        self._values += not is_key
        self._depth += 1
        if self._values > _MAX_NODES:
            raise _Beyond(_TOO_MANY, self.line + 1, _ROWS_ELSEWHERE)
        if self._depth > MOST_DEPTH + 2:  # the document is no level, nor is a value within the last one
            raise _Beyond(_TOO_DEEP, self.line + 1)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Dumper(yaml.SafeDumper):
    """The safe dumper; quotes what either version of YAML would take for something else than text."""


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver(_TAG + "bool", _BOOL, list("tTfF"))
_Loader.add_implicit_resolver(_TAG + "int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver(_TAG + "float", _FLOAT, list("-+.0123456789"))
_Loader.add_implicit_resolver(_TAG + "null", _NULL, ["~", "n", "N", ""])
_Dumper.add_implicit_resolver(_TAG + "int", _INT, list("-+0123456789"))
_Dumper.add_implicit_resolver(_TAG + "float", _FLOAT, list("-+.0123456789"))


def _construct_int(loader: _Loader, node: yaml.ScalarNode) -> int:
    """Decimal, leading zeros or not: YAML 1.1 takes 010 for eight."""
    return int(loader.construct_scalar(node))


def _construct_float(loader: _Loader, node: yaml.ScalarNode) -> float:
    return _number(loader.construct_scalar(node))


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """Text of several lines as a block, so that prompts stay readable."""
    return dumper.represent_scalar(_TAG + "str", text, style="|" if "\n" in text else None)


_Loader.add_constructor(_TAG + "int", _construct_int)
_Loader.add_constructor(_TAG + "float", _construct_float)
_Dumper.add_representer(str, _represent_text)


Steps = tuple[str | int, ...]
"""Where a value stands: keys and list positions from the top."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file's value, and where in the file its parts stand."""

    path: str
    value: Any
    _root: yaml.Node | None

    def line(self, where: Steps) -> int:
        """The line of a value, or of the nearest thing around it that is there. A mapping's member: its key's line."""
        return self._find(where)[1]

    def depth(self, where: Steps) -> int:
        """How many steps of a path exist in the document."""
        return self._find(where)[0]

    def _find(self, where: Steps) -> tuple[int, int]:
        node = self._root
        if node is None:
            return 0, 1
        line = node.start_mark.line + 1
        for depth, step in enumerate(where):
            found = _child(node, step)
            if found is None:
                return depth, line
            mark, node = found
            line = mark.start_mark.line + 1
        return len(where), line

    def error(self, where: Steps, reason: str, remedy: str = "") -> InputError:
        """An error about the value at a path. It is cut where it would fill a screen: a file may repeat itself."""
        field = shortened(dotted(where), _LONGEST_FIELD)
        return InputError(self.path, shortened(reason, _LONGEST), line=self.line(where), field=field, remedy=remedy)

    def scalars(self) -> Iterator[tuple[Steps, str]]:
        """Every text in the document with its path."""
        yield from _texts((), self.value)


def load(path: Path) -> Document:
    """Reads a file. Raises InputError for what is no plain YAML, with its line."""
    name = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError(name, "there is no such file", remedy="Check the path and the working directory.") from None
    except OSError as error:
        raise InputError(name, f"cannot be read: {error.strerror or error}", remedy="Check the path.") from None
    if len(data) > MAX_BYTES:
        raise InputError(name, f"is larger than {MAX_BYTES // 1024} KiB", remedy=_ROWS_ELSEWHERE)
    try:
        return parse(data.decode("utf-8-sig"), name)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(name, "is not valid UTF-8", line=line, remedy="Save the file as UTF-8.") from None


def parse(text: str, name: str) -> Document:
    """Reads YAML text. Raises InputError."""
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return Document(name, None, None)
        _Check(name).node(root, ())
        return Document(name, loader.construct_document(root), root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = error.problem or error.context or "is not YAML"
        raise InputError(name, f"is not valid YAML: {reason}", line=mark.line + 1 if mark else None) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InputError(name, "holds a character that YAML does not allow", line=line) from None
    except yaml.YAMLError as error:
        raise InputError(name, f"is not valid YAML: {error}") from None
    except _Beyond as error:
        raise InputError(name, error.reason, line=error.line, remedy=error.remedy) from None
    except RecursionError:
        raise InputError(name, _TOO_DEEP) from None
    except (ValueError, OverflowError):  # from the scanner: "\\U99999999", or a %YAML with 5,000 digits
        reached = loader.line + 1 if loader is not None else None
        raise InputError(name, "holds an escape or a directive with a number beyond all bounds", line=reached) from None


def dump(value: Any) -> str:
    """YAML text that `parse` reads back as the same value."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def dotted(where: Steps) -> str:
    """A path for a message: `models[1].weight`."""
    text = ""
    for step in where:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


class _Check:
    """Refuses what YAML allows and JSON does not, while the lines are still known."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._sizes: dict[int, int] = {}

    def node(self, node: yaml.Node, where: Steps) -> int:
        """How many values a node stands for, aliases expanded. Raises InputError."""
        if len(where) > MOST_DEPTH:
            raise self._error(node, where[:MOST_DEPTH], _TOO_DEEP)
        known = self._sizes.get(id(node))
        if known == 0:
            raise self._error(node, where, "refers to itself")
        if known is None:
            self._sizes[id(node)] = 0
            known = self._sizes[id(node)] = self._size(node, where)
        return known

    def _size(self, node: yaml.Node, where: Steps) -> int:
        if isinstance(node, yaml.ScalarNode):
            self._scalar(node, where)
            return 1
        wanted = "map" if isinstance(node, yaml.MappingNode) else "seq"
        if node.tag != _TAG + wanted:
            raise self._error(node, where, f"the tag {node.tag} is not supported", "Write plain YAML.")
        if isinstance(node, yaml.MappingNode):
            size = 1 + sum(self.node(child, (*where, key)) for key, child in self._members(node, where))
        else:
            size = 1 + sum(self.node(child, (*where, position)) for position, child in enumerate(node.value))
        if size > _MAX_NODES:
            raise self._error(node, where, _TOO_MANY, _ROWS_ELSEWHERE)
        return size

    def _members(self, node: yaml.MappingNode, where: Steps) -> Iterator[tuple[str, yaml.Node]]:
        seen: dict[str, int] = {}
        for key, child in node.value:
            if isinstance(key, yaml.ScalarNode):
                self._text(key, where)
            if key.tag != _TAG + "str":
                shown = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
                raise self._error(key, where, f"a field's name must be text, not {shown}", "Put it in quotes.")
            if key.value in seen:
                first = seen[key.value]
                raise self._error(key, (*where, key.value), f"stands here and in line {first}", "Remove one of them.")
            seen[key.value] = key.start_mark.line + 1
            yield key.value, child

    def _text(self, node: yaml.ScalarNode, where: Steps) -> None:
        """JSON writes a character beyond the first 65,536 as two escapes, and is YAML: they become one character."""
        try:
            node.value = node.value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise self._error(node, where, "holds half a character (an escape from \\ud800 to \\udfff)") from None

    def _scalar(self, node: yaml.ScalarNode, where: Steps) -> None:
        self._text(node, where)
        if node.tag not in _SCALARS:
            raise self._error(node, where, f"the tag {node.tag} is not supported", "Write plain YAML.")
        pattern = _PATTERNS.get(node.tag)
        if pattern is not None and not pattern.match(node.value):
            raise self._error(node, where, f"{node.value!r} is not of the kind {node.tag.removeprefix(_TAG)}")
        if node.tag == _TAG + "float" and not math.isfinite(_number(node.value)):
            raise self._error(node, where, "must be a finite number")
        if node.tag == _TAG + "int" and (len(node.value) > 20 or abs(int(node.value)) >= _LARGEST_INT):
            raise self._error(node, where, "is too large a whole number", "Put it in quotes to have it as text.")

    def _error(self, node: yaml.Node, where: Steps, reason: str, remedy: str = "") -> InputError:
        field = shortened(dotted(where), _LONGEST_FIELD)
        line = node.start_mark.line + 1
        return InputError(self._name, shortened(reason, _LONGEST), line=line, field=field, remedy=remedy)


def _number(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The node whose line stands for a member, and the member itself."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, child) for key, child in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _texts(where: Steps, value: Any) -> Iterator[tuple[Steps, str]]:
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from _texts((*where, key), child)
    elif isinstance(value, list):
        for position, child in enumerate(value):
            yield from _texts((*where, position), child)
