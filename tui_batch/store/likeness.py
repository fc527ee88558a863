"""When two error messages say the same."""

from __future__ import annotations

import re

_VARYING = re.compile(
    r"""(?P<quoted>"[^"]*"|`[^`]*`|'(?=\S)[^']*(?<=\S)'(?!\w))
    |(?P<id>\b(?=[\w-]*\d)[\w-]{8,}\b)
    |(?P<number>\d+(?:[.,]\d+)*)""",
    re.VERBOSE,
)


def normalise(message: str) -> str:
    """The message with quoted parts, ids and numbers replaced by …, on one line: what two like failures share."""
    return " ".join(_VARYING.sub("…", message[:500]).split())
