"""The most that one request can use of anything that is billed, read from its body as it is sent. Pure functions.

A token of text is at least a byte of the body. What the body only points at (pictures, files) has bounds of its own, or
the context window is one. A parameter that is not known here may cost anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from tui_batch.domain.endpoint import Api, Operation
from tui_batch.money.parameters import FEE_MODELS, PLAIN, SURE_TOOLS, USUAL_TIERS
from tui_batch.money.pictures import picture_tokens

FRAMING = 128
"""Tokens that a model's own template may add to any prompt: roles, the date."""
FORMAT_TOKENS = 1_000
"""Tokens of the text in which a provider tells the model of a schema or of tools, beside these themselves.

Anthropic, "Pricing", tool use: up to some 800.
"""


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a request can use at most."""

    tokens_in: int = 0
    """Prompt tokens, but for what `files` says."""
    tokens_out: int | None = 0
    """Tokens of one answer; None: the request sets no bound."""
    answers: int = 1
    more_out: int = 0
    """Answer tokens beside: a prediction that the model turns down is billed as if it had been written."""
    files: str = ""
    """What is read besides and has no bound but the context window, in words; empty: nothing."""
    hears: bool = False
    """Sound is among what is read."""
    speaks: bool = False
    """Sound is among what is answered."""
    long_write: bool = False
    """The provider is asked to keep a part of the prompt for an hour."""
    tier: str = ""
    """The service tier that is asked for; empty: the usual one."""
    unbounded: str = ""
    """Why nothing bounds what it costs, naming the parameter; empty: something does."""
    untold: bool = False
    """What is not bounded is not told by the answer's usage either, so its cost stays unknown."""


def exposure_of(body: bytes, api: Api, operation: Operation, model: str) -> Exposure:
    """What a body in this wire format can use at most."""
    asked = orjson.loads(body)
    found = _of_ollama(asked, len(body)) if api is Api.OLLAMA else _of_chat(asked, len(body), api, model)
    if operation is Operation.EMBED:
        found = replace(found, tokens_out=0)
    return found


def _of_ollama(asked: Mapping[str, Any], size: int) -> Exposure:
    """Ollama has no fees: a prompt, pictures and an answer."""
    options = asked.get("options")
    limit = options.get("num_predict") if isinstance(options, Mapping) else None
    pictures = "images" in asked or any("images" in turn for turn in _dicts(asked.get("messages")))
    return Exposure(size + FRAMING, _count(limit), files="pictures" if pictures else "")


def _of_chat(asked: Mapping[str, Any], size: int, api: Api, model: str) -> Exposure:
    found = _with_parts(Exposure(size + FRAMING), asked, api, model)
    limits = [_count(asked.get(name)) for name in ("max_tokens", "max_completion_tokens")]
    counts = [_count(asked.get(name)) or 1 for name in ("n", "best_of")]
    described = any(name in asked for name in ("tools", "functions", "response_format", "output_config"))
    tier = asked.get("service_tier")
    modalities = asked.get("modalities") or ()
    prediction = asked.get("prediction")
    trouble, untold = _trouble(asked, api, model)
    return replace(
        found,
        tokens_in=found.tokens_in + FORMAT_TOKENS * (described + len(_tools(asked))),
        tokens_out=max(filter(None, limits), default=None),
        answers=max(counts),
        more_out=0 if prediction is None else len(orjson.dumps(prediction)),
        speaks="audio" in modalities,
        tier=tier if isinstance(tier, str) and tier not in USUAL_TIERS[api] else "",
        unbounded=trouble,
        untold=untold,
    )


def _trouble(asked: Mapping[str, Any], api: Api, model: str) -> tuple[str, bool]:
    """Why nothing bounds a request, and whether the answer's usage does not tell either."""
    if FEE_MODELS.search(model):
        return f"{model} has fees for searches, research or pictures that no price list of ours has", True
    for tool in _tools(asked):
        kind = str(tool.get("type") or "function")
        if not kind.startswith(SURE_TOOLS):
            return f"tools: {kind} is run by the provider, as often as the model likes, for a fee", api is Api.OPENAI
    for name, fee in PLAIN[api].items():
        if fee and asked.get(name) is not None:
            return f"{name}: {fee}", True
    if other := set(asked.get("modalities") or ()) - {"text", "audio"}:
        return f"modalities: {', '.join(sorted(map(str, other)))} has a price of its own that is not known", True
    unknown = sorted(name for name, value in asked.items() if name not in PLAIN[api] and value is not None)
    return (f"{unknown[0]}: it is not known what this parameter may cost" if unknown else ""), False


def _with_parts(found: Exposure, asked: Mapping[str, Any], api: Api, model: str) -> Exposure:
    """Looks at what is no text in messages and system texts."""
    texts = [asked.get("system"), *(turn.get("content") for turn in _dicts(asked.get("messages")))]
    tokens, files = found.tokens_in, "inputs that are no text" if any(_dicts(asked.get("input"))) else ""
    hears, long_write = any("audio" in turn for turn in _dicts(asked.get("messages"))), False
    files = files or ("earlier sound" if hears else "")
    for part in (part for text in texts if isinstance(text, list) for part in _parts(text)):
        kind = part.get("type")
        cached = part.get("cache_control")
        long_write = long_write or (isinstance(cached, Mapping) and cached.get("ttl") == "1h")
        if kind in ("text", "refusal", "thinking", "redacted_thinking", "tool_use", "tool_result", "search_result"):
            continue
        if kind in ("image_url", "image"):
            most = picture_tokens(api, model, _detail(part))
            tokens += (most or 0) - _payload(part)
            files = files or ("" if most is not None else "pictures")
        else:
            files = files or f"parts of the type {kind}"
            hears = hears or kind not in ("document", "file")
    top = asked.get("cache_control")
    long_write = long_write or (isinstance(top, Mapping) and top.get("ttl") == "1h") or _writes_tools(asked)
    return replace(found, tokens_in=tokens, files=files, hears=hears, long_write=long_write)


def _writes_tools(asked: Mapping[str, Any]) -> bool:
    """Whether tools are to be kept for an hour."""
    kept = (tool.get("cache_control") for tool in _tools(asked))
    return any(isinstance(one, Mapping) and one.get("ttl") == "1h" for one in kept)


def _parts(content: Any) -> Iterator[Mapping[str, Any]]:
    """The parts of a message, those inside tool results too."""
    for part in _dicts(content):
        yield part
        yield from _parts(part.get("content"))


def _detail(part: Mapping[str, Any]) -> str:
    given = part.get("image_url")
    return str(given.get("detail") or "auto") if isinstance(given, Mapping) else "auto"


def _payload(part: Mapping[str, Any]) -> int:
    """Bytes of a picture that stands in the request itself: they are no text."""
    given = part.get("image_url") or part.get("source")
    if isinstance(given, Mapping):
        given = given.get("url") or given.get("data")
    return len(given) if isinstance(given, str) and given.isascii() and not given.startswith("http") else 0


def _tools(asked: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(_dicts(asked.get("tools")))


def _dicts(values: Any) -> Iterator[Mapping[str, Any]]:
    return (value for value in values if isinstance(value, Mapping)) if isinstance(values, list) else iter(())


def _count(value: Any) -> int | None:
    """A bound that is one: a whole number above 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
