"""Token counts: about four characters a token, which is near enough for English and the same everywhere."""

from __future__ import annotations

CHARS_PER_TOKEN = 4
MESSAGE_OVERHEAD = 4
"""Tokens that a chat format adds to each message."""


def count_tokens(text: str) -> int:
    """Tokens of a text: a fourth of its characters, rounded up."""
    return (len(text) + CHARS_PER_TOKEN - 1) // CHARS_PER_TOKEN


def cut(text: str, tokens: int) -> str:
    """The beginning of a text that counts as that many tokens."""
    return text[: tokens * CHARS_PER_TOKEN]


def cut_front(text: str, tokens: int) -> str:
    """The end of a text that counts as that many tokens: what is left when a server drops the oldest part."""
    kept = tokens * CHARS_PER_TOKEN
    return text[-kept:] if kept else ""
