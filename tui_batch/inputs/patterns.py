"""How conditions on rows compare: values as text, and regular expressions that can hang no job."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from tui_batch.domain.request import Json

_EXACT = 2.0**53
"""Below this a float that is a whole number is written as one."""


def column_text(value: Json) -> str:
    """A column's value as text: numbers, true, false, lists and objects as JSON writes them, null as nothing."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float) and abs(value) < _EXACT and value.is_integer():
        value = int(value)
    return orjson.dumps(value).decode()


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """A test whether the pattern is found in a text, upper and lower case alike.

    pydantic brings a matcher without backtracking (Rust's regex crate): it knows neither look-around nor
    back-references. Raises ValueError with the reason, in one line, for a pattern that it does not take.
    """
    from pydantic_core import SchemaError, SchemaValidator, core_schema

    try:
        validator = SchemaValidator(core_schema.str_schema(pattern=f"(?i){pattern}", regex_engine="rust-regex"))
    except SchemaError as error:
        raise ValueError(_reason(str(error))) from None
    return validator.isinstance_python


def _reason(words: str) -> str:
    """The last line of the matcher's report; the lines before it draw the pattern."""
    return words.strip().splitlines()[-1].strip().removeprefix("error: ").removeprefix("SchemaError: ")
