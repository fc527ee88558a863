"""The models of a job as one line of text: `gpt-4o-mini @ openai, llama3.2:3b @ gpu0 + gpu1 *2`."""

from __future__ import annotations

import math
import re

from tui_batch.inputs.draft import ModelChoice

_WEIGHT = re.compile(r"\s\*\s*(?P<weight>\S+)$")
_AT = " @ "


def read_models(text: str) -> tuple[ModelChoice, ...]:
    """The models of a line. Raises ValueError, in words, for what is none."""
    choices = tuple(_read(part.strip()) for part in re.split(r"[,\n]", text) if part.strip())
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for choice in choices:
        if (choice.model, choice.endpoints) in seen:
            raise ValueError(f"{choice.model} is named twice")
        seen.add((choice.model, choice.endpoints))
    return choices


def model_words(choice: ModelChoice) -> str:
    """A model as `read_models` reads it."""
    where = f"{_AT}{' + '.join(choice.endpoints)}" if choice.endpoints else ""
    weight = "" if choice.weight == 1.0 else f" *{choice.weight:g}"
    return f"{choice.model}{where}{weight}"


def models_line(choices: tuple[ModelChoice, ...]) -> str:
    """Several models as one line."""
    return ", ".join(map(model_words, choices))


def toggled(choices: tuple[ModelChoice, ...], chosen: ModelChoice, endpoint: str = "") -> tuple[ModelChoice, ...]:
    """The models without that one, where it is among them, else with it at the end. Its weight does not matter.

    `endpoint` is where models are asked that name none; empty: anywhere.
    """
    rest = tuple(choice for choice in choices if not is_same(choice, chosen, endpoint))
    return rest if len(rest) < len(choices) else (*choices, chosen)


def is_same(one: ModelChoice, other: ModelChoice, endpoint: str = "") -> bool:
    """Whether both name one model in one place; one that names no endpoint is that of `endpoint`, or any's."""
    if one.model != other.model:
        return False
    mine, theirs = one.endpoints or (endpoint,), other.endpoints or (endpoint,)
    return "" in (*mine, *theirs) or bool(set(mine) & set(theirs))


def _read(part: str) -> ModelChoice:
    weight = 1.0
    if (found := _WEIGHT.search(part)) is not None:
        weight = _weight(found["weight"])
        part = part[: found.start()].rstrip()
    model, at, where = part.partition(_AT)
    endpoints = tuple(name.strip() for name in where.split(" + ")) if at else ()
    if not model.strip() or not all(endpoints) or part.startswith("@") or part.endswith(" @"):
        raise ValueError(f"{part}: a model is written MODEL @ ENDPOINT")
    return ModelChoice(model.strip(), endpoints, weight)


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = 0.0
    if not math.isfinite(weight) or weight <= 0:
        raise ValueError(f"*{text}: a weight is a number above 0")
    return weight
