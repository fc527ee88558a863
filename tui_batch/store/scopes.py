"""Pieces of queries that look for items."""

from __future__ import annotations

import re
from collections.abc import Sequence

SEARCH = r"""AND (custom_id LIKE ? ESCAPE '\' OR payload.data LIKE ? ESCAPE '\'
  OR result.text LIKE ? ESCAPE '\' OR result.message LIKE ? ESCAPE '\')"""
"""Takes like_pattern four times."""


def like_pattern(text: str) -> str:
    """The pattern that finds a text anywhere; none of its characters is a wildcard."""
    return "%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"


def marks(values: Sequence[object]) -> str:
    """As many placeholders as there are values."""
    return ", ".join("?" * len(values))
