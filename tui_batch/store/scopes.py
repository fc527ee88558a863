"""Pieces of queries that look for items."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tui_batch.errors import UserError

LARGEST_ID = 2**63 - 1
"""No row has a larger number, and SQLite takes none: it is to be asked about such a one neither."""


def like_pattern(text: str) -> str:
    """The pattern that finds a text anywhere; none of its characters is a wildcard."""
    return "%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"


def missing_item(item_id: int) -> UserError:
    """Nobody has it: it was deleted with its job, or never there."""
    return UserError(f"There is no item {item_id}.", remedy="See a job's items: llmbatch-tui items JOB")


def marks(values: Sequence[object]) -> str:
    """As many placeholders as there are values."""
    return ", ".join("?" * len(values))
