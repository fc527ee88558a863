"""From an HTTP error to an outcome class: DESIGN section 6 over what providers and servers really send."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tui_batch.domain.outcome import Outcome, OutcomeClass, RateHeaders
from tui_batch.providers.base import HttpResponse
from tui_batch.providers.headers import request_id, retry_after_s, should_retry
from tui_batch.providers.redact import clean_message, storable

QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "billing_error",
        "insufficient_credits",
        "access_terminated",
    }
)
CONTEXT_CODES = frozenset({"context_length_exceeded", "string_above_max_length", "model_context_window_exceeded"})
FILTER_CODES = frozenset({"content_filter", "content_policy_violation", "responsibleaipolicyviolation"})
RATE_CODES = frozenset({"rate_limit_exceeded", "rate_limit_error", "requests", "tokens", "resource_exhausted"})
OVERLOAD_CODES = frozenset({"overloaded_error", "engine_overloaded", "overloaded"})
AUTH_CODES = frozenset({"authentication_error", "invalid_api_key", "permission_error", "permission_denied"})
NOT_FOUND_CODES = frozenset({"model_not_found", "not_found_error"})

QUOTA_WORDS = re.compile(
    r"credit balance is too low|exceeded your current quota|insufficient (?:credits|balance|funds)|payment required"
    r"|billing (?:hard )?limit|spending limit",
    re.IGNORECASE,
)
CONTEXT_WORDS = re.compile(
    r"maximum context length|context (?:length|window|size)[^.]{0,60}(?:exceed|too (?:long|large|small)|limit)"
    r"|exceeds? the (?:available )?(?:context|maximum (?:context|input|number of tokens))|prompt is too long"
    r"|input length exceeds|too many tokens|longer than the (?:model|maximum)|input is too long"
    r"|(?:input|prompt) tokens? (?:count )?(?:\(\d+\) )?exceeds?|reduce the length of",
    re.IGNORECASE,
)
OVERLOAD_WORDS = re.compile(
    r"server busy|overloaded|maximum pending requests|over capacity|loading model", re.IGNORECASE
)
MODEL_WORDS = re.compile(r"model[^.]{0,120}(?:not found|does not exist|not exist)", re.IGNORECASE)
RETRY_DELAY = re.compile(rb'"retryDelay"\s*:\s*"(\d+(?:\.\d+)?)s"')
"""google.rpc.RetryInfo in the body of a 429 (Gemini)."""


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error as a body states it."""

    message: str
    codes: frozenset[str]
    """Its type, code and status words, in lower case."""
    code: str | None
    """The one to show."""


def parse_json(body: bytes) -> Any:
    """The body as JSON; None when it is not. Bytes that are not UTF-8 are replaced."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            return orjson.loads(body.decode("utf-8", "replace"))
        except orjson.JSONDecodeError:
            return None


def error_body(data: Any, body: bytes) -> ErrorBody:
    """Reads all the shapes in which servers wrap an error: OpenAI, Anthropic, Gemini, Ollama, FastAPI, plain text."""
    if isinstance(data, list) and data:
        data = data[0]
    inner = data.get("error", data.get("detail", data)) if isinstance(data, Mapping) else None
    if isinstance(inner, str):
        return ErrorBody(inner, frozenset(), None)
    if isinstance(inner, list):
        return ErrorBody(storable(orjson.dumps(inner, default=str).decode()), frozenset(), None)
    if isinstance(inner, Mapping):
        given = [inner.get(name) for name in ("code", "type", "status")]
        words = [str(word) for word in given if isinstance(word, str) and word]
        deeper = inner.get("innererror")
        if isinstance(deeper, Mapping) and isinstance(deeper.get("code"), str):
            words.append(deeper["code"])
        message = inner.get("message") or inner.get("error") or inner.get("msg")
        if not isinstance(message, str):
            message = words[0] if words else body[:500].decode("utf-8", "replace")
        return ErrorBody(message, frozenset(word.lower() for word in words), words[0] if words else None)
    return ErrorBody(_plain(body), frozenset(), None)


def _plain(body: bytes) -> str:
    """Text of a body that is not JSON; of an HTML page its title."""
    text = body[:4000].decode("utf-8", "replace").strip()
    if "<html" in text.lower() or text.lower().startswith("<!doctype"):
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        return f"an HTML page: {title.group(1).strip()}" if title else "an HTML page"
    return text


def error_class(status: int, error: ErrorBody) -> OutcomeClass:
    """The class of an error response. What the body says wins over what the status alone would mean."""
    codes, message = error.codes, error.message
    if codes & QUOTA_CODES or status == 402 or (status in (400, 403, 429) and QUOTA_WORDS.search(message)):
        return OutcomeClass.QUOTA
    if codes & OVERLOAD_CODES or status in (503, 529):
        return OutcomeClass.OVERLOADED
    if status == 429:
        return OutcomeClass.OVERLOADED if OVERLOAD_WORDS.search(message) else OutcomeClass.RATE_LIMITED
    if codes & FILTER_CODES:
        return OutcomeClass.REFUSED
    if codes & CONTEXT_CODES or (status in (400, 413, 422, 500) and CONTEXT_WORDS.search(message)):
        return OutcomeClass.CONTEXT_LENGTH
    if codes & AUTH_CODES or status in (401, 403, 407):
        return OutcomeClass.AUTH
    if codes & NOT_FOUND_CODES or status == 404 or (status == 400 and MODEL_WORDS.search(message)):
        return OutcomeClass.NOT_FOUND
    return _by_status(status)


def _by_status(status: int) -> OutcomeClass:
    if status == 408 or status == 504:
        return OutcomeClass.TIMEOUT
    if status == 409 or status >= 500:
        return OutcomeClass.SERVER_ERROR
    return OutcomeClass.BAD_REQUEST


def error_outcome(response: HttpResponse, data: Any, limits: RateHeaders | None) -> Outcome:
    """The outcome of a response whose status is not 2xx."""
    if 300 <= response.status < 400:
        where = response.headers.get("location", "an unnamed place")
        message = f"the server redirects to {where}; the key is not sent there. Use that address as the base URL."
        return Outcome(
            OutcomeClass.NOT_FOUND, status=response.status, message=clean_message(message), raw=response.body
        )
    return failure(response, error_body(data, response.body), response.status, limits)


def failure(response: HttpResponse, error: ErrorBody, status: int, limits: RateHeaders | None) -> Outcome:
    """An error with all that its headers add. `status` is what the error means, where a 200 wraps one."""
    cls = error_class(status, error)
    wait = retry_after_s(response.headers)
    if wait is None and cls is OutcomeClass.RATE_LIMITED and (found := RETRY_DELAY.search(response.body)):
        wait = float(found.group(1))
    return Outcome(
        cls,
        status=response.status,
        message=clean_message(error.message) or f"HTTP {response.status} with an empty body",
        code=None if error.code is None else storable(error.code)[:200],
        retry_after_s=wait,
        should_retry=should_retry(response.headers),
        limits=limits,
        request_id=request_id(response.headers),
        raw=response.body,
    )


def wrapped_error(response: HttpResponse, data: Mapping[str, Any], limits: RateHeaders | None) -> Outcome | None:
    """The error inside a 200 (OpenRouter, some Ollama versions); None when there is none."""
    inner = data.get("error")
    if not inner:
        return None
    code = inner.get("code") if isinstance(inner, Mapping) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    return failure(response, error_body(data, response.body), status, limits)


def malformed(response: HttpResponse, why: str, limits: RateHeaders | None = None) -> Outcome:
    """A 2xx that is not the promised shape."""
    shown = _plain(response.body)[:200] if response.body else "an empty body"
    return Outcome(
        OutcomeClass.MALFORMED,
        status=response.status,
        message=clean_message(f"{why}: {shown}"),
        limits=limits,
        request_id=request_id(response.headers),
        raw=response.body,
    )


def count_of(data: Any, name: str) -> int | None:
    """A token count in a usage object; None when it is missing or nonsense."""
    value = data.get(name) if isinstance(data, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value > 1e15:
        return None
    return int(value)
