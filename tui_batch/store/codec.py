"""Frozen dataclasses to JSON and back: how specs and knobs are stored.

It goes by the dataclass's own fields, so a field added to a domain value is stored without a change here, and an older
row, which lacks it, reads with its default.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from tui_batch.domain.job import JobSpec, Knobs
from tui_batch.errors import UserError

T = TypeVar("T")

VERSION = 1
"""Raised when a stored field changes its meaning; adding fields with defaults does not need it."""


_WORDS: Mapping[type, str] = {JobSpec: "spec", Knobs: "knobs"}
_UPGRADE = "Upgrade llmbatch-tui, or choose another database with --db PATH."
DAMAGED = "The database is damaged: delete the job, or go on with a copy of the file or another one (--db PATH)."
"""What a person can do about a value that cannot be read."""


def dump_spec(spec: JobSpec) -> str:
    """The spec as JSON."""
    return _dump(spec)


def load_spec(text: str) -> JobSpec:
    """The spec from dump_spec's text. Raises UserError for one that a newer program wrote or that is damaged."""
    return _load(JobSpec, text)


def dump_knobs(knobs: Knobs) -> str:
    """The knobs as JSON."""
    return _dump(knobs)


def load_knobs(text: str) -> Knobs:
    """The knobs from dump_knobs's text. Raises UserError as load_spec does."""
    return _load(Knobs, text)


def _dump(value: object) -> str:
    return json.dumps({"version": VERSION, **_plain(value)}, allow_nan=False)


def _load(kind: type[T], text: str) -> T:
    try:
        plain = json.loads(text)
        version = plain.pop("version")
        if version > VERSION:
            raise UserError(f"stored by a newer llmbatch-tui (format {version})", remedy=_UPGRADE)
        return _build_dataclass(kind, plain)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"its stored {_WORDS[kind]} cannot be read: {error}", remedy=DAMAGED) from error


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value


def _build_dataclass(kind: type[T], plain: Mapping[str, Any]) -> T:
    # A field that this program does not know would be lost without a word, and with it a setting of the job.
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(plain) - set(known)):
        raise UserError(f"stored by a newer llmbatch-tui ({', '.join(unknown)})", remedy=_UPGRADE)
    known_type: Any = kind  # mypy takes no type for hashable while it is one of a type variable
    hints = _hints(known_type)
    return kind(**{name: _build(hints[name], plain[name]) for name, item in known.items() if _given(item, plain)})


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    """A list of a thousand jobs asks for the same few, and working them out costs a millisecond each time."""
    return get_type_hints(kind)


def _given(item: Field[Any], plain: Mapping[str, Any]) -> bool:
    if item.name in plain:
        return True
    if item.default is MISSING and item.default_factory is MISSING:
        raise ValueError(f"{item.name} is missing")
    return False


def _build(hint: Any, plain: Any) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _build_union(args, plain)
    if origin is tuple:
        kinds = args[:1] * len(plain) if args[-1] is Ellipsis else args
        return tuple(_build(kind, entry) for kind, entry in zip(kinds, plain, strict=True))
    if isinstance(hint, type) and is_dataclass(hint):
        return _build_dataclass(hint, plain)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(plain)
    return float(plain) if hint is float else plain


def _build_union(args: tuple[Any, ...], plain: Any) -> Any:
    if plain is None:
        return None
    (kind,) = (arg for arg in args if arg is not NoneType)
    return _build(kind, plain)
