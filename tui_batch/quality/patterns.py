"""Regular expressions that can hang no job."""

from __future__ import annotations

from collections.abc import Callable


def matcher(pattern: str) -> Callable[[str], bool]:
    """A test whether the pattern is found in a text.

    pydantic brings a matcher without backtracking (Rust's regex crate): it knows neither look-around nor
    back-references. Raises ValueError with the reason, in one line, for a pattern that it does not take.
    """
    from pydantic_core import SchemaError, SchemaValidator, core_schema

    try:
        validator = SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except SchemaError as error:
        raise ValueError(_reason(str(error))) from None
    return validator.isinstance_python


def _reason(words: str) -> str:
    """The last line of the matcher's report; the lines before it draw the pattern."""
    return words.strip().splitlines()[-1].strip().removeprefix("error: ").removeprefix("SchemaError: ")
