"""The most that one request can use of anything that is billed, read from its body as it is sent. Pure functions.

A token of text is at least a byte of the body. What the body only points at (pictures, files) has bounds of its own, or
the context window is one. A parameter that is not known here may cost anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import orjson

from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.outcome import Usage
from tui_batch.domain.values import immutable
from tui_batch.money.parameters import FEE_MODELS, PLAIN, SURE_TOOLS, UNKNOWN, USUAL_TIERS
from tui_batch.money.pictures import picture_tokens

FRAMING = 128
"""Tokens that a model's own template may add to any prompt: roles, the date."""
FORMAT_TOKENS = 1_000
"""Tokens of the text in which a provider tells the model of a schema or of tools, beside these themselves.

Anthropic, "Pricing", tool use: up to some 800.
"""


@immutable(frozen=True, slots=True)
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
    return replace(found, tokens_out=0) if operation is Operation.EMBED else found


def told(usage: Usage, use: Exposure) -> Usage | None:
    """A request's usage, with what the server does not say of it taken as it was asked for.

    None where that decides the price and cannot be known: how much of it was sound.
    """
    silent = (use.hears and usage.sound_tokens is None) or (use.speaks and usage.spoken_tokens is None)
    if silent and usage.total is not None:
        return None
    kept = use.long_write and usage.long_write_tokens is None
    if not kept and (usage.tier or not use.tier):
        return usage
    long_write = usage.cache_write_tokens if kept else usage.long_write_tokens
    return replace(usage, tier=usage.tier or use.tier, long_write_tokens=long_write)


def _of_ollama(asked: Mapping[str, Any], size: int) -> Exposure:
    """Ollama has no fees: a prompt, pictures and an answer."""
    options = asked.get("options")
    limit = options.get("num_predict") if isinstance(options, Mapping) else None
    pictures = "images" in asked or any("images" in turn for turn in _dicts(asked.get("messages")))
    return Exposure(size + FRAMING, _count(limit), files="pictures" if pictures else "")


def _of_chat(asked: Mapping[str, Any], size: int, api: Api, model: str) -> Exposure:
    limits = [limit for name in ("max_tokens", "max_completion_tokens") if (limit := _count(asked.get(name)))]
    if _are_plain(tuple(asked), api, model) and _are_said(asked.get("messages")):
        return Exposure(size + FRAMING, max(limits, default=None))
    tools = list(_dicts(asked.get("tools")))
    described = bool(tools) or not asked.keys().isdisjoint(_DESCRIPTIONS)
    prediction, tier = asked.get("prediction"), asked.get("service_tier")
    read = _besides_text(asked, tools, api, model)
    trouble, untold = _trouble(asked, tools, api, model)
    return Exposure(
        tokens_in=size + FRAMING + FORMAT_TOKENS * (described + len(tools)) + read.tokens,
        tokens_out=max(limits, default=None),
        answers=max(_count(asked.get("n")) or 1, _count(asked.get("best_of")) or 1),
        more_out=0 if prediction is None else len(orjson.dumps(prediction)),
        files=read.files,
        hears=read.hears,
        speaks="audio" in _modalities(asked),
        long_write=read.long_write,
        tier=tier if isinstance(tier, str) and tier not in USUAL_TIERS.get(api, frozenset()) else "",
        unbounded=trouble,
        untold=untold,
    )


_WEIGHED = frozenset(
    {"tools", "functions", "response_format", "output_config", "prediction", "service_tier", "n", "best_of", "audio"}
    | {"modalities", "cache_control", "system", "input"}
)
"""Parameters that cost nothing of their own, but by what they say change what a request can use."""


@lru_cache
def _are_plain(names: tuple[str, ...], api: Api, model: str) -> bool:
    """Whether parameters of these names need no second look, whatever they say. Most requests have no others."""
    fees = PLAIN.get(api, {})
    return not _has_fees(model) and all(fees.get(name) == "" and name not in _WEIGHED for name in names)


def _are_said(turns: Any) -> bool:
    """Whether messages are text and nothing else."""
    return isinstance(turns, list) and all(
        isinstance(turn, Mapping) and isinstance(turn.get("content"), str) and "audio" not in turn for turn in turns
    )


_DESCRIPTIONS = frozenset({"functions", "response_format", "output_config"})
"""Parameters that a provider puts into words for the model, as it does tools."""


def _trouble(asked: Mapping[str, Any], tools: Sequence[Mapping[str, Any]], api: Api, model: str) -> tuple[str, bool]:
    """Why nothing bounds a request, and whether the answer's usage does not tell either."""
    if _has_fees(model):
        return f"{model} has fees for searches, research or pictures that no price list of ours has", True
    for tool in tools:
        kind = str(tool.get("type") or "function")
        if not kind.startswith(SURE_TOOLS):
            return f"tools: {kind} is run by the provider, as often as the model likes, for a fee", api is Api.OPENAI
    fees = PLAIN.get(api, {})  # of a format with no list, no parameter is known
    for name, value in asked.items():
        if value is not None and (fee := fees.get(name, UNKNOWN)):
            return f"{name}: {fee}", fee is not UNKNOWN
    if other := _modalities(asked) - {"text", "audio"}:
        return f"modalities: {', '.join(sorted(other))} has a price of its own that is not known", True
    return "", False


def _modalities(asked: Mapping[str, Any]) -> frozenset[str]:
    """What an answer may be made of. A row may say anything here: the server refuses what is no list of words."""
    given = asked.get("modalities") or ()
    return frozenset(map(str, given if isinstance(given, list | tuple) else [given]))


@lru_cache
def _has_fees(model: str) -> bool:
    return FEE_MODELS.search(model) is not None


@dataclass(frozen=True, slots=True)
class _Read:
    """What is read besides text."""

    tokens: int = 0
    """Of pictures; less than 0 where their bytes stand in the body."""
    files: str = ""
    hears: bool = False
    long_write: bool = False


_NOTHING = _Read()


def _besides_text(asked: Mapping[str, Any], tools: Sequence[Mapping[str, Any]], api: Api, model: str) -> _Read:
    """Looks at what is no text in messages, system texts and inputs, and at what is to be kept."""
    turns = list(_dicts(asked.get("messages")))
    texts = [content for content in (asked.get("system"), *(turn.get("content") for turn in turns)) if content]
    said = any("audio" in turn for turn in turns)
    if not said and not tools and all(isinstance(text, str) for text in texts) and _is_text(asked):
        return _NOTHING
    tokens, hears, long_write = 0, said, any(map(_for_an_hour, (asked, *tools)))
    files = "earlier sound" if said else "inputs that are no text" if any(_dicts(asked.get("input"))) else ""
    for part in (part for text in texts for part in _parts(text)):
        kind = str(part.get("type"))
        long_write = long_write or _for_an_hour(part)
        if kind in ("image_url", "image"):
            most = picture_tokens(api, model, _detail(part))
            tokens += (most or 0) - _payload(part)
            files = files or ("" if most is not None else "pictures")
        elif kind not in _TEXTS:
            files = files or f"parts of the type {kind}"
            hears = hears or kind not in ("document", "file")
    return _Read(tokens, files, hears, long_write)


_TEXTS = frozenset({"text", "refusal", "thinking", "redacted_thinking", "tool_use", "tool_result", "search_result"})


def _is_text(asked: Mapping[str, Any]) -> bool:
    return "cache_control" not in asked and not any(_dicts(asked.get("input")))


def _for_an_hour(part: Mapping[str, Any]) -> bool:
    """Whether the provider is asked to keep this for an hour."""
    kept = part.get("cache_control")
    return isinstance(kept, Mapping) and kept.get("ttl") == "1h"


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


def _dicts(values: Any) -> Iterator[Mapping[str, Any]]:
    return (value for value in values if isinstance(value, Mapping)) if isinstance(values, list) else iter(())


def _count(value: Any) -> int | None:
    """A bound that is one: a whole number above 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
