"""How conditions on rows compare: values as text, and regular expressions that can hang no job."""

from __future__ import annotations

from collections.abc import Callable

from tui_batch.quality.patterns import matcher
from tui_batch.quality.texts import column_text as column_text


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """A test whether the pattern is found in a text, upper and lower case alike.

    Raises ValueError with the reason, in one line, for a pattern that has look-around or back-references.
    """
    return matcher(f"(?i){pattern}")
