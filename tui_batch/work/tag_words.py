"""Tags in one line, as the command `set` and the settings dialog take them: `team=red, quarter=q3`."""

from __future__ import annotations

from collections.abc import Mapping

NONE = "none"


def tag_words(tags: Mapping[str, str]) -> str:
    """The line; `none` without tags."""
    return ", ".join(f"{name}={value}" for name, value in tags.items()) or NONE


def read_tags(text: str) -> dict[str, str]:
    """The tags of a line; an empty one and `none` mean no tags. Raises ValueError with how they are written."""
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = pair.partition("=")
        if not equals and pair == text.strip() == NONE:
            return {}
        if not equals or not name.strip():
            raise ValueError("must be name=value pairs with commas between them")
        found[name.strip()] = value.strip()
    return found
