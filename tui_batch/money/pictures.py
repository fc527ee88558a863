"""The most tokens that one picture can come to, by model family. Where nobody says, only the context window bounds it.

Sources: OpenAI, "Images and vision", calculating costs (developers.openai.com/api/docs/guides/images-vision): tiles of
512 pixels of a picture that was brought to 768 x 2,048 at most (8 tiles), or patches of 32 pixels up to a number, times
a factor of 2.46 at most. Anthropic, "Vision" (platform.claude.com/docs/en/build-with-claude/vision): 1,568 tokens, and
4,784 for the models that see high resolutions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tui_batch.domain.endpoint import Api

ANTHROPIC_MOST = 4_784
_TILES = 8
_FACTOR = 2.46
"""The largest factor by which a family's patches become tokens (gpt-4.1-nano, gpt-5-nano)."""
_SMALL = math.ceil(256 * _FACTOR)
"""With `detail: low` a picture is brought to 512 x 512 pixels: 256 patches."""


@dataclass(frozen=True, slots=True)
class _Family:
    """What a picture costs a family of OpenAI's models."""

    prefix: str
    low: int
    """Tokens with `detail: low`."""
    high: int
    """Tokens at most with any other detail."""


def _tiled(prefix: str, base: int, tile: int) -> _Family:
    return _Family(prefix, base, base + _TILES * tile)


def _patched(prefix: str, most: int) -> _Family:
    return _Family(prefix, _SMALL, math.ceil(most * _FACTOR))


_FAMILIES = (
    _tiled("gpt-4o-mini", 2_833, 5_667),
    _tiled("gpt-4o", 85, 170),
    _patched("gpt-4.1-mini", 1_536),
    _patched("gpt-4.1-nano", 1_536),
    _tiled("gpt-4.1", 85, 170),
    _patched("o4-mini", 1_536),
    _tiled("o3", 75, 150),
    _tiled("o1", 75, 150),
    _patched("gpt-5-mini", 1_536),
    _patched("gpt-5-nano", 1_536),
    _patched("gpt-5.2", 1_536),
    _patched("gpt-5.4-mini", 1_536),
    _patched("gpt-5.4-nano", 1_536),
    _patched("gpt-5.4", 10_000),
    _patched("gpt-5.5", 10_000),
    _patched("gpt-5.6", 30_000),
    # Not in that table; the most that a model of 2025 takes.
    _patched("gpt-5.1", 2_500),
    _patched("gpt-5.3", 2_500),
    _patched("gpt-5-", 2_500),
)
"""The longer of two names that both fit stands first."""


def picture_tokens(api: Api, model: str, detail: str) -> int | None:
    """The most tokens of one picture. `detail`: low, high, original or auto; what is not said is auto."""
    name = model.rpartition("/")[2]
    if api is Api.ANTHROPIC or name.startswith("claude-"):
        return ANTHROPIC_MOST
    family = next((one for one in _FAMILIES if f"{name}-".startswith(one.prefix)), None)
    if family is None:
        return None
    return family.low if detail == "low" else family.high
