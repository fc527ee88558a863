"""Keeps secrets out of everything that is stored or shown."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from tui_batch.domain.outcome import Outcome

MESSAGE_LIMIT = 2_000
"""Characters kept of an error message."""

_MASK = "[key removed]"
_SHORTEST_IN_ERRORS = 8
_SHORTEST_IN_ANSWERS = 16
"""Local servers are given keys such as `ollama` or `test`: those are words of the language, not secrets."""

_WORDS = ("text", "message", "code", "finish_reason", "request_id", "model")
"""Fields of an outcome in which a server's words may stand."""

_CUT = ("message", "code")
"""Those of them that may have been cut before the key was looked for, and so may end with its beginning."""

_BEGINNING = 6
"""From so many characters on, or from half a short key on, its beginning at the end of a text is taken for it."""

_LOOKS_SECRET = re.compile(
    r"""(?ix)
      \b(?:bearer|basic)\s+[a-z0-9._~+/=*-]{6,}                     # an Authorization header
    | (?<![a-z0-9])(?:sk|pk|rk|gsk|xai|hf|nvapi|r8|tgp|csk|fw)[-_][a-z0-9*._-]{5,}   # vendors' key prefixes
    | \bAIza[a-z0-9_*-]{10,}                                       # Google
    | (?<=://)[^/\s:@]+:[^/\s@]+(?=@)                              # user:password in a URL
    | (?<=key=)[^&\s"']{6,}                                        # a key in a query string
    """
)


def clean_message(text: str, secret: str | None = None) -> str:
    """A provider's words without keys and without halves of surrogate pairs, at most MESSAGE_LIMIT characters."""
    if secret and len(secret) >= _SHORTEST_IN_ERRORS:
        text = _masked_end(text.replace(secret, _MASK), secret)  # before the cut, which might leave a part of it
    text = storable(text[: 2 * MESSAGE_LIMIT])
    text = _LOOKS_SECRET.sub(_MASK, text).strip()
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"


def _masked_end(text: str, secret: str) -> str:
    """The text without the beginning of the key at its end, where a cut through the key leaves it."""
    kept = text.removesuffix("…")
    for length in range(min(len(secret), len(kept)), min(_BEGINNING, len(secret) // 2) - 1, -1):
        if kept.endswith(secret[:length]):
            return kept[:-length] + _MASK + text[len(kept) :]
    return text


def storable(text: str) -> str:
    """The text, with halves of surrogate pairs replaced: UTF-8, and so the database, cannot hold them."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def without_secret(outcome: Outcome, secret: str | None) -> Outcome:
    """The outcome with the key itself removed: some gateways echo a request's headers in what they answer."""
    shortest = _SHORTEST_IN_ERRORS if outcome.message else _SHORTEST_IN_ANSWERS
    if not secret or len(secret) < shortest:
        return outcome
    words = {name: said for name in _WORDS if (said := getattr(outcome, name)) is not None}
    changes: dict[str, Any] = {name: said.replace(secret, _MASK) for name, said in words.items() if secret in said}
    for name in words.keys() & _CUT:
        said = changes.get(name, words[name])
        if said and (ending := _masked_end(said, secret)) != said:
            changes[name] = ending
    if outcome.raw is not None and secret.encode() in outcome.raw:
        changes["raw"] = outcome.raw.replace(secret.encode(), _MASK.encode())
    return replace(outcome, **changes) if changes else outcome
