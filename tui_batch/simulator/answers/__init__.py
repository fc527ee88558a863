"""Plausible answers, made from the request alone: the same request always gets the same answer."""

from __future__ import annotations

import re

import orjson

from tui_batch.domain.request import Json
from tui_batch.simulator.answers import arithmetic, prose
from tui_batch.simulator.answers.labels import choose, offered_labels
from tui_batch.simulator.answers.schemas import described_schema, fill
from tui_batch.simulator.answers.vectors import embed as embed
from tui_batch.simulator.chance import digest, draw
from tui_batch.simulator.wire import Ask

_MOST_READ = 20_000
"""Characters of a prompt that are looked at. Longer prompts are counted whole but not understood better."""

_GOOD = 0.75
"""From this score on, a judge's reason is praise."""

_TAGGED = re.compile(
    r"<(message|text|document|ticket|review|input|email|question|comment|article)>\s*(.*?)\s*</\1>",
    re.DOTALL | re.IGNORECASE,
)
_FENCED = re.compile(r'("""|```)\s*(.*?)\s*\1', re.DOTALL)
_MARKED = re.compile(
    r"^[ \t]*(?:customer )?(?:message|text|review|ticket|input|question|problem|tweet|comment|sentence|email)\s*:\s*",
    re.IGNORECASE | re.MULTILINE,
)
_NUMBER_WANTED = re.compile(r"\b(?:final|single|just the|only the|the|a) number\b", re.IGNORECASE)
_JSON_WANTED = re.compile(r"\bjson\b", re.IGNORECASE)


def reply(ask: Ask, seed: int) -> str:
    """The answer's text: JSON where JSON is asked for, a label where labels are offered, a number for a sum."""
    text, rest = split_subject(ask.prompt[-_MOST_READ:])
    instructions = f"{ask.system[:_MOST_READ]}\n{rest}"
    schema = _schema_for(ask, instructions)
    if _asks_for_verdict(schema):
        return _verdict(ask, seed)
    if schema is not None:
        return orjson.dumps(fill(schema, text, seed)).decode()
    labels = offered_labels(instructions)
    if labels:
        return choose(text, labels)
    if arithmetic.is_problem(text) or (_NUMBER_WANTED.search(instructions) and arithmetic.has_numbers(text)):
        return _number(text, instructions)
    return prose.write(text, digest(seed, ask.model, ask.system, ask.prompt))


def _asks_for_verdict(schema: Json) -> bool:
    """Whether a score with its reason is asked for and nothing else, as of a judge."""
    return isinstance(schema, dict) and set(schema.get("properties") or ()) == {"reason", "score"}


def _verdict(ask: Ask, seed: int) -> str:
    """A judge's score from 0.5 to 1, the same for the same case."""
    score = round(0.5 + draw(seed, ask.model, ask.system, ask.prompt) / 2, 2)
    reason = "It answers what was asked." if score >= _GOOD else "It answers only a part of what was asked."
    return orjson.dumps({"reason": reason, "score": score}).decode()


def split_subject(prompt: str) -> tuple[str, str]:
    """What a prompt is about, and the words around it: a tagged or fenced part, or what follows `Message:`."""
    for pattern in (_TAGGED, _FENCED):
        found = pattern.search(prompt)
        if found:
            return found.group(2), prompt[: found.start()] + prompt[found.end() :]
    marks = list(_MARKED.finditer(prompt))
    if marks:
        return prompt[marks[-1].end() :].strip(), prompt[: marks[-1].start()]
    return prompt.strip(), ""


def _schema_for(ask: Ask, instructions: str) -> Json:
    if ask.schema is not None:
        return ask.schema
    if ask.json_mode or _JSON_WANTED.search(instructions):
        return described_schema(instructions)
    return None


def _number(text: str, instructions: str) -> str:
    """The number alone where only that is asked for, else a closing line as the model was shown to write it."""
    value = arithmetic.solve(text)
    if re.search(r"\b(only|just|nothing but|nothing else)\b", instructions, re.IGNORECASE):
        return value
    return f"Working it out step by step, the result is {value}.\n#### {value}"
