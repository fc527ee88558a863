"""What response headers say: how long to wait, how much is left, which request it was."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tui_batch.domain.outcome import RateHeaders, Window

_GO_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s)")
_LONGEST_DURATION = 64
"""Characters of a duration; what is longer is none, and would take long to be seen as such."""
_GO_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
LONGEST_WAIT_S = 7 * 86_400.0
"""A longer wait is taken for nonsense."""
REQUEST_ID_HEADERS = ("x-request-id", "request-id", "apim-request-id", "cf-ray")


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds the server asks to wait: retry-after-ms, then retry-after in seconds (a float is legal) or as a date.

    Source: OpenAI SDK, retry handling; RFC 9110 section 10.2.3.
    """
    millis = _number(headers.get("retry-after-ms"))
    if millis is not None:
        return _sane(millis / 1000.0)
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    seconds = _number(text)
    if seconds is not None:
        return _sane(seconds)
    at = _http_date(text)
    return None if at is None else _sane(max(0.0, (at - (now or server_time(headers))).total_seconds()))


def server_time(headers: Mapping[str, str]) -> datetime:
    """The server's own clock (the Date header), by which the times in its headers count; else this machine's."""
    return _http_date(headers.get("date", "")) or datetime.now(UTC)


def _http_date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """The server's x-should-retry; None when it does not say."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())


def request_id(headers: Mapping[str, str]) -> str | None:
    """The provider's name for the request."""
    for name in REQUEST_ID_HEADERS:
        if value := headers.get(name):
            return value
    return None


_ANTHROPIC_LIMITS = frozenset(f"anthropic-ratelimit-{what}-limit" for what in ("requests", "tokens", "input-tokens"))


def openai_limits(headers: Mapping[str, str]) -> RateHeaders | None:
    """`x-ratelimit-{limit,remaining,reset}-{requests,tokens}`; resets are Go durations (OpenAI, rate limits guide)."""
    if "x-ratelimit-limit-requests" not in headers and "x-ratelimit-limit-tokens" not in headers:
        return None
    return RateHeaders(_openai_window(headers, "requests"), _openai_window(headers, "tokens"))


def anthropic_limits(headers: Mapping[str, str], now: datetime | None = None) -> RateHeaders | None:
    """`anthropic-ratelimit-*`, resets in RFC 3339 (Anthropic API, rate limits).

    `tokens` is the tightest token limit in force; input tokens stand in where only they are given.
    """
    if headers.keys().isdisjoint(_ANTHROPIC_LIMITS):
        return None
    now = now or server_time(headers)
    requests = _anthropic_window(headers, "requests", now)
    tokens = _anthropic_window(headers, "tokens", now)
    if tokens == Window():
        tokens = _anthropic_window(headers, "input-tokens", now)
    return None if requests == tokens == Window() else RateHeaders(requests, tokens)


def go_duration_s(text: str) -> float | None:
    """Seconds of a Go duration such as `1m30.5s` or `12ms`; a bare number is seconds; None: neither."""
    text = text.strip()
    if len(text) > _LONGEST_DURATION:
        return None
    bare = _number(text)
    if bare is not None:
        return _sane(bare)
    parts = _GO_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return _sane(sum(float(number) * _GO_UNITS[unit] for number, unit in parts))


def _openai_window(headers: Mapping[str, str], what: str) -> Window:
    limit = _count(headers.get(f"x-ratelimit-limit-{what}"))
    if not limit:  # Azure sends -1 or 0 for what it does not limit
        return Window()
    remaining = _count(headers.get(f"x-ratelimit-remaining-{what}"))
    return Window(limit, remaining, go_duration_s(headers.get(f"x-ratelimit-reset-{what}", "")))


def _anthropic_window(headers: Mapping[str, str], what: str, now: datetime) -> Window:
    limit = _count(headers.get(f"anthropic-ratelimit-{what}-limit"))
    if not limit:
        return Window()
    remaining = _count(headers.get(f"anthropic-ratelimit-{what}-remaining"))
    return Window(limit, remaining, _until_s(headers.get(f"anthropic-ratelimit-{what}-reset", ""), now))


def _until_s(text: str, now: datetime) -> float | None:
    try:
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    try:
        return _sane(max(0.0, (at - now).total_seconds()))
    except OverflowError:
        return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _count(text: str | None) -> int | None:
    value = _number(text)
    return int(value) if value is not None and 0 <= value < 1e15 else None


def _sane(seconds: float) -> float | None:
    return seconds if 0 <= seconds <= LONGEST_WAIT_S else None
