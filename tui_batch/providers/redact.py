"""Keeps secrets out of everything that is stored or shown."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from tui_batch.domain.outcome import Outcome
from tui_batch.providers.secret_forms import MASK, SecretForms, forms_of
from tui_batch.safe_text import shortened

MESSAGE_LIMIT = 2_000
"""Characters kept of an error message."""

_SHORTEST_IN_ERRORS = 8
_SHORTEST_IN_ANSWERS = 16
"""Local servers are given keys such as `ollama` or `test`: those are words of the language, not secrets."""

_WORDS = ("text", "message", "code", "finish_reason", "request_id", "model")
"""Fields of an outcome in which a server's words may stand."""

_CUT = ("message", "code")
"""Those of them that may have been cut before the key was looked for, and so may end with its beginning."""

_LOOKED_AT = 100_000
"""Characters of a message in which the key is looked for: more than any place here keeps of one."""

_LOOKS_SECRET = re.compile(
    r"""(?ix)
      \b(?:bearer|basic)\s+[a-z0-9._~+/=*-]{6,}                     # an Authorization header
    | (?<![a-z0-9])(?:sk|pk|rk|gsk|xai|hf|nvapi|r8|tgp|csk|fw)[-_][a-z0-9*._-]{5,}   # vendors' key prefixes
    | \bAIza[a-z0-9_*-]{10,}                                       # Google
    | (?<=://)[^/\s:@]+:[^/\s@]+(?=@)                              # user:password in a URL
    | (?<=key=)[^&\s"']{6,}                                        # a key in a query string
    """
)


def prepare(secret: str | None) -> None:
    """Makes ready what looks for a key. For one of thousands of characters that takes a second: not on the loop."""
    if secret and len(secret) >= _SHORTEST_IN_ERRORS:
        forms_of(secret)


def clean_message(text: str, secret: str | None = None) -> str:
    """A provider's words without keys and without halves of surrogate pairs, at most MESSAGE_LIMIT characters."""
    if secret and len(secret) >= _SHORTEST_IN_ERRORS:
        forms = forms_of(secret)
        text = forms.masked_end(forms.masked(text[:_LOOKED_AT]))  # before the cut, which might leave a part of it
    text = storable(text[: 2 * MESSAGE_LIMIT])
    return shortened(_LOOKS_SECRET.sub(MASK, text).strip(), MESSAGE_LIMIT)


def masked(text: str, secret: str | None) -> str:
    """A server's text without the key."""
    return forms_of(secret).masked(text) if secret and len(secret) >= _SHORTEST_IN_ANSWERS else text


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
    forms = forms_of(secret)
    if not outcome.message and not _is_hinted(outcome, forms):
        return outcome
    changes = _masked_words(outcome, forms)
    if outcome.raw is not None:
        seen = outcome.raw.decode("latin-1")
        if (kept := forms.masked(seen)) != seen:
            changes["raw"] = kept.encode("latin-1")
    return replace(outcome, **changes) if changes else outcome


def _is_hinted(answer: Outcome, forms: SecretForms) -> bool:
    """Whether an answer may hold the key. Every answer passes here: a key broken over lines is left to errors."""
    if answer.request_id is not None and forms.hinted(answer.request_id):  # a header's
        return True
    if answer.raw is not None:
        return forms.hinted_in(answer.raw)
    return any(forms.hinted(said) for name in _WORDS if (said := getattr(answer, name)) is not None)


def _masked_words(outcome: Outcome, forms: SecretForms) -> dict[str, Any]:
    """The fields of an outcome that change, with what they become."""
    changes: dict[str, Any] = {}
    for name in _WORDS:
        said: str | None = getattr(outcome, name)
        if not said:
            continue
        kept = forms.masked(said)
        if name in _CUT:
            kept = forms.masked_end(kept)
        if kept != said:
            changes[name] = kept
    return changes
