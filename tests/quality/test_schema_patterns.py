"""Regular expressions in a job's schema: they mean what JSON Schema says, and none of them runs for ever."""

from __future__ import annotations

from typing import Any

import pytest
from referencing import Registry

from tui_batch.quality.schema_patterns import schema_validator

PROPERTIES = {"type": "object", "patternProperties": {"^n_": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("schema", "value", "words"),
    [
        ({"type": "string", "pattern": "^[a-z]+$"}, "abc", ""),
        ({"type": "string", "pattern": "b"}, "abc", ""),
        ({"type": "string", "pattern": "^[a-z]+$"}, "a1", "'a1' does not match '^[a-z]+$'"),
        ({"pattern": "x"}, 5, ""),
        ({"pattern": "^(?!no)"}, "yes", ""),
        ({"pattern": "^(?!no)"}, "nope", "'nope' does not match '^(?!no)'"),
        (PROPERTIES, {"n_a": 1, "b": "x"}, ""),
        (PROPERTIES, {"n_a": "x"}, "'x' is not of type 'integer'"),
    ],
)
def test_patterns_mean_what_they_say(schema: Any, value: Any, words: str) -> None:
    found = [error.message for error in schema_validator(schema, Registry()).iter_errors(value)]
    assert found == ([words] if words else [])


def test_a_pattern_that_would_try_every_way_does_not() -> None:
    """With backtracking this takes 2 to the power of 5,000 steps."""
    validator = schema_validator({"pattern": "^(a+)+$", "patternProperties": {"^(a|a)*$": {}}}, Registry())
    assert not validator.is_valid("a" * 5_000 + "b")
    assert validator.is_valid({"a" * 5_000 + "b": 1})
