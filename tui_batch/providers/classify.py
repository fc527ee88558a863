"""From an HTTP error to an outcome class: the table of docs/outcomes.md over what providers and servers really send."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any
from urllib.parse import urlsplit

import orjson

from tui_batch.domain.outcome import FREE_RETRY, Outcome, OutcomeClass, RateHeaders
from tui_batch.providers.base import HttpResponse
from tui_batch.providers.body import compact
from tui_batch.providers.headers import go_duration_s, request_id, retry_after_s, should_retry
from tui_batch.providers.redact import clean_message, storable

QUOTA_CODES = frozenset(
    {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "billing_error", "insufficient_credits"}
    | {"access_terminated", "exceeded_current_quota_error", "insufficient_balance"}
)
CONTEXT_CODES = frozenset(
    {"context_length_exceeded", "string_above_max_length", "model_context_window_exceeded", "exceed_context_size_error"}
)
FILTER_CODES = frozenset(
    {
        "content_filter",
        "content_policy_violation",
        "responsibleaipolicyviolation",
        "invalid_prompt",
        "moderation_blocked",
    }
)
RATE_CODES = frozenset({"rate_limit_exceeded", "rate_limit_error", "resource_exhausted", "too_many_requests"})
OVERLOAD_CODES = frozenset({"overloaded_error", "engine_overloaded", "overloaded", "unavailable_error"})
AUTH_CODES = frozenset({"authentication_error", "invalid_api_key", "permission_error", "permission_denied"})
NOT_FOUND_CODES = frozenset({"model_not_found", "not_found_error", "model_decommissioned", "invalid_model"})
TIMEOUT_CODES = frozenset({"timeout_error"})

QUOTA_WORDS = re.compile(
    r"credit balance is too low|insufficient (?:credits|balance|funds|quota)|payment required|key limit exceeded"
    r"|billing (?:hard )?limit|spending limit|specified API usage limits|doesn't have any credits|out of credits",
    re.IGNORECASE,
)
CURRENT_QUOTA = re.compile(r"exceeded your current quota", re.IGNORECASE)
"""OpenAI says this about money. Gemini says it about requests a minute, with the status RESOURCE_EXHAUSTED."""
CONTEXT_WORDS = re.compile(
    r"maximum (?:context|sequence|input|model) length|max_model_len|reduce the length of|prompt is too long"
    r"|context (?:length|window|size)[^.]{0,60}(?:exceed|too (?:long|large|small)|limit)"
    r"|exceeds? (?:the )?(?:available |model'?s? )?(?:context|maximum (?:context|input|number of tokens))"
    r"|input length exceeds|too many (?:input |prompt )?tokens|longer than the (?:model|maximum|context)"
    r"|(?:input|prompt) is too (?:long|large)|(?:input|prompt) tokens? (?:count )?(?:\(\d+\) )?exceeds?"
    r"|must be <= \d+|maximum allowed (?:number of )?(?:input )?tokens",
    re.IGNORECASE,
)
"""vLLM, llama.cpp, Together, Gemini, Groq, Mistral, Anthropic and Ollama each have words of their own."""
OVERLOAD_WORDS = re.compile(
    r"server busy|overloaded|maximum pending requests|over capacity|loading model", re.IGNORECASE
)
MODEL_WORDS = re.compile(
    r"model[^.]{0,120}(?:not found|does not exist|not exist)|not a valid model|invalid model|no such model",
    re.IGNORECASE,
)
AUTH_WORDS = re.compile(
    r"api[ -_]?key (?:is )?(?:not valid|invalid|expired)|(?:invalid|incorrect) api[ -_]?key", re.IGNORECASE
)
TOO_LARGE_FOR_LIMIT = re.compile(r"request too large for", re.IGNORECASE)
"""OpenAI and Groq: one request asks for more tokens than the limit has in a minute. Waiting does not help."""
FLAGGED_WORDS = re.compile(r"flagged|moderation|content (?:filter|policy|management)|safety system", re.IGNORECASE)
RETRY_DELAY = re.compile(rb'"retryDelay"\s*:\s*"(\d{1,9}(?:\.\d{1,9})?)s"')
"""google.rpc.RetryInfo in the body of a 429 (Gemini)."""
TRY_AGAIN = re.compile(r"try again in ((?:\d{1,6}(?:\.\d{1,9})?(?:ms|[hms]))+)", re.IGNORECASE)
"""OpenAI and Groq say the wait in the message: a Go duration."""
WORDS_READ = 4_000
"""Characters of a message that are looked at."""


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error as a body states it."""

    message: str
    codes: frozenset[str]
    """Its type, code and status words, in lower case."""
    code: str | None
    """The one to show."""


def parse_json(body: bytes) -> Any:
    """The body as JSON: its objects are dicts, its lists are lists; None when it is no JSON.

    What orjson refuses but servers send is mended: bytes that are not UTF-8 and halves of surrogate pairs are
    replaced, NaN and numbers beyond all bounds become null, a byte order mark is skipped.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        text = body.decode("utf-8-sig", "replace")
        loose = json.loads(text, parse_int=_finite, parse_float=_finite, parse_constant=lambda _: None)
        return orjson.loads(json.dumps(loose, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _finite(digits: str) -> float | None:
    value = float(digits)
    return value if isfinite(value) else None


def error_body(data: Any, body: bytes) -> ErrorBody:
    """Reads all the shapes in which servers wrap an error: OpenAI, Anthropic, Gemini, Ollama, FastAPI, plain text."""
    if isinstance(data, list) and data:
        data = data[0]
    inner = data.get("error", data.get("detail", data)) if isinstance(data, Mapping) else None
    if isinstance(inner, str):
        return ErrorBody(inner[:WORDS_READ], frozenset(), None)
    if isinstance(inner, list):
        return ErrorBody((compact(inner) or "")[:WORDS_READ], frozenset(), None)
    if isinstance(inner, Mapping):
        given = [inner.get(name) for name in ("code", "type", "status")]
        words = [str(word) for word in given if isinstance(word, str) and word]
        deeper = inner.get("innererror")
        if isinstance(deeper, Mapping) and isinstance(deeper.get("code"), str):
            words.append(deeper["code"])
        message = inner.get("message") or inner.get("error") or inner.get("msg")
        if not isinstance(message, str):
            message = words[0] if words else body[:500].decode("utf-8", "replace")
        metadata = inner.get("metadata")
        if isinstance(metadata, Mapping) and isinstance(metadata.get("raw"), str):
            message = f"{message}: {metadata['raw']}"  # OpenRouter: what the provider behind it said
        return ErrorBody(message[:WORDS_READ], frozenset(word.lower() for word in words), words[0] if words else None)
    return ErrorBody(_plain(body), frozenset(), None)


def _plain(body: bytes) -> str:
    """Text of a body that is not JSON; of an HTML page its title."""
    text = body[:WORDS_READ].decode("utf-8", "replace").strip()
    if "<html" in text.lower() or text.lower().startswith("<!doctype"):
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        return f"an HTML page: {title.group(1).strip()}" if title else "an HTML page"
    return text


def error_class(status: int, error: ErrorBody) -> OutcomeClass:
    """The class of an error response. What the body says wins over what the status alone would mean."""
    codes, message = error.codes, error.message
    if _is_about_money(status, error):
        return OutcomeClass.QUOTA
    if status in (413, 429) and TOO_LARGE_FOR_LIMIT.search(message):
        return OutcomeClass.BAD_REQUEST
    if codes & OVERLOAD_CODES or status in (498, 503, 529) or (status >= 429 and OVERLOAD_WORDS.search(message)):
        return OutcomeClass.OVERLOADED
    if status == 429 or (codes & RATE_CODES and status != 413):
        return OutcomeClass.RATE_LIMITED
    if codes & FILTER_CODES or (status == 403 and FLAGGED_WORDS.search(message)):
        return OutcomeClass.REFUSED
    if codes & CONTEXT_CODES or (status in (400, 413, 422, 500) and CONTEXT_WORDS.search(message)):
        return OutcomeClass.CONTEXT_LENGTH
    if codes & NOT_FOUND_CODES or status in (404, 405, 410) or (status == 400 and MODEL_WORDS.search(message)):
        return OutcomeClass.NOT_FOUND
    if codes & AUTH_CODES or status in (401, 403, 407) or (status == 400 and AUTH_WORDS.search(message)):
        return OutcomeClass.AUTH
    return OutcomeClass.TIMEOUT if codes & TIMEOUT_CODES else _by_status(status)


def _is_about_money(status: int, error: ErrorBody) -> bool:
    """Whether the account, not the rate, is spent: waiting a minute would not help."""
    if error.codes & QUOTA_CODES or status == 402:
        return True
    if status not in (400, 403, 429):
        return False
    if QUOTA_WORDS.search(error.message):
        return True
    return "resource_exhausted" not in error.codes and CURRENT_QUOTA.search(error.message) is not None


def _by_status(status: int) -> OutcomeClass:
    if status < 400:
        return OutcomeClass.MALFORMED
    if status in (408, 504, 524):
        return OutcomeClass.TIMEOUT
    if status == 409 or status >= 499:
        return OutcomeClass.SERVER_ERROR
    return OutcomeClass.BAD_REQUEST


def error_outcome(response: HttpResponse, data: Any, limits: RateHeaders | None) -> Outcome:
    """The outcome of a response whose status is not 2xx."""
    if 300 <= response.status < 400:
        where = _host(response.headers.get("location", ""))
        message = f"the server redirects to {where}; nothing is sent there. Correct the base URL."
        return Outcome(
            OutcomeClass.NOT_FOUND, status=response.status, message=clean_message(message), raw=response.body
        )
    return failure(response, error_body(data, response.body), response.status, limits)


def failure(response: HttpResponse, error: ErrorBody, status: int, limits: RateHeaders | None) -> Outcome:
    """An error with all that its headers add. `status` is what the error means, where a 200 wraps one."""
    cls = error_class(status, error)
    wait = retry_after_s(response.headers)
    if wait is None and cls in FREE_RETRY:
        wait = _wait_in_body(response.body, error.message)
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


def _wait_in_body(body: bytes, message: str) -> float | None:
    """The wait that some providers write into the body only."""
    if found := RETRY_DELAY.search(body[:100_000]):
        return float(found.group(1))
    said = TRY_AGAIN.search(message)
    return go_duration_s(said.group(1)) if said else None


def _host(location: str) -> str:
    """The host of a redirect; its path and query may hold secrets."""
    try:
        return urlsplit(location).hostname or "another path of the same host"
    except ValueError:
        return "an address that cannot be read"


def wrapped_error(response: HttpResponse, data: Mapping[str, Any], limits: RateHeaders | None) -> Outcome | None:
    """The error inside a 200 (OpenRouter, some Ollama versions); None when there is none."""
    inner = data.get("error")
    if not inner:
        return None
    return failure(response, error_body(data, response.body), _meant_status(inner), limits)


def _meant_status(inner: Any) -> int:
    """The status that an error inside a 200 would have had; 500 where it does not say."""
    code = inner.get("code") if isinstance(inner, Mapping) else None
    if isinstance(code, str) and len(code) == 3 and code.isascii() and code.isdigit():
        code = int(code)
    if isinstance(code, int) and 400 <= code < 600:
        return code
    kind = inner.get("type") if isinstance(inner, Mapping) else None
    return 400 if kind == "invalid_request_error" else 500


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
    if not isinstance(data, dict):
        return None
    value = data.get(name)
    if type(value) is int:
        return value if 0 <= value <= 10**15 else None
    return int(value) if isinstance(value, float) and 0.0 <= value <= 1e15 else None
