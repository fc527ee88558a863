"""Chance that depends on what is asked, never on when: the same seed and content always give the same draw."""

from __future__ import annotations

from hashlib import blake2b

_SPAN = float(1 << 53)


def digest(*parts: str | int) -> int:
    """A 64-bit number that stands for the parts; the order of the parts matters."""
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def draw(*parts: str | int) -> float:
    """A uniform number in [0, 1) that stands for the parts."""
    return (digest(*parts) >> 11) / _SPAN
