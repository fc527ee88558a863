"""JSON Schema's regular expressions without backtracking, so that no answer hangs a job.

Only a pattern with look-around or back-references is left to Python's engine: SECURITY.md says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tui_batch.domain.request import Json
from tui_batch.quality.patterns import matcher

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator
    from referencing import Registry


def schema_validator(schema: Json, registry: Registry[Any]) -> Validator:
    """A validator of draft 2020-12 whose `pattern` and `patternProperties` are tested by `_found`."""
    from jsonschema import Draft202012Validator, validators

    keywords = {"pattern": _pattern, "patternProperties": _pattern_properties}
    kind = validators.extend(Draft202012Validator, keywords)  # type: ignore[no-untyped-call]
    made: Validator = kind(schema, registry=registry)
    return made


@lru_cache(maxsize=256)
def _found(pattern: str) -> Callable[[str], bool]:
    """Whether the pattern is found in a text. What only Python's engine takes (look-around) is left to it."""
    try:
        return matcher(pattern)
    except ValueError:
        searched = re.compile(pattern)
        return lambda text: searched.search(text) is not None


def _pattern(_validator: Validator, pattern: str, instance: Any, _schema: Json) -> Iterator[ValidationError]:
    from jsonschema import ValidationError

    if isinstance(instance, str) and not _found(pattern)(instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: dict[str, Json], instance: Any, _schema: Json
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for pattern, part in patterns.items():
        for name, value in instance.items():
            if _found(pattern)(name):
                yield from validator.descend(value, part, path=name, schema_path=pattern)
