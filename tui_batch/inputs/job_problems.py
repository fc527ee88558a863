"""What is wrong with a job file, in words: pydantic's findings with lines, and secrets where they do not belong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tui_batch.errors import InputError
from tui_batch.inputs.yaml_document import Document, Steps

_SECRET_NAMES = frozenset(
    {"apikey", "key", "secret", "token", "accesstoken", "authtoken", "password", "authorization", "bearer", "xapikey"}
)
_SECRET_VALUE = re.compile(r"(?:Bearer\s+)?(?:sk-|gsk_|xai-|hf_|r8_|pplx-|AIza)[A-Za-z0-9_\-]{16,}|Bearer\s+\S{16,}")
_URL_WITH_PASSWORD = re.compile(r"https?://[^/\s@]*@")
_SECRET_REMEDY = (
    "Put the key in an environment variable and take it out of the file, for example: export OPENAI_API_KEY=...\n"
    "An endpoint in the settings names the variable: key: env:OPENAI_API_KEY"
)
_MOST_FINDINGS = 100
"""Findings that are looked at, of which a dozen are shown: each is looked for in the whole document."""
_WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "decimal_parsing": "must be a number",
    "decimal_type": "must be a number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text; numbers and true or false need quotes",
    "dict_type": "must be a mapping (field: value)",
    "model_type": "must be a mapping (field: value)",
    "model_attributes_type": "must be a mapping (field: value)",
    "tuple_type": "must be a list",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must be an address such as http://localhost:8000/v1, without user name and password",
}


def refuse_secrets(document: Document) -> None:
    """Raises InputError, which does not repeat the value, for anything that looks like a key in a job file."""
    for where, value in _named_values(document.value):
        if value and _letters(str(where[-1])) in _SECRET_NAMES:
            raise document.error(where, "a secret does not belong in a job file", _SECRET_REMEDY)
    for where, text in document.scalars():
        if looks_secret(text):
            raise document.error(where, "looks like a secret, which does not belong in a job file", _SECRET_REMEDY)
    base_url = document.value.get("base_url")
    if isinstance(base_url, str) and _URL_WITH_PASSWORD.match(base_url):
        raise document.error(("base_url",), "holds a user name or password, which does not belong here", _SECRET_REMEDY)


def looks_secret(value: Any) -> bool:
    """Whether a value is nothing but what looks like a key: a vendor's, or one behind the word Bearer."""
    return isinstance(value, str) and _SECRET_VALUE.fullmatch(value.strip()) is not None


def _named_values(value: Mapping[str, Any]) -> Iterator[tuple[Steps, Any]]:
    """Fields of the job, its parameters and its models. Not the schema: answers may well have a field `token`."""
    for name, child in value.items():
        yield (name,), child
    params = value.get("params")
    if isinstance(params, dict):
        yield from ((("params", name), child) for name, child in params.items())
    models = value.get("models")
    for position, entry in enumerate(models if isinstance(models, list) else ()):
        if isinstance(entry, dict):
            yield from ((("models", position, name), child) for name, child in entry.items())


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def explain(document: Document, error: ValidationError, model: type[BaseModel]) -> InputError:
    """All findings in one error, in the order of the file; the first one gives it its place."""
    found: dict[Steps, list[str]] = {}
    for detail in error.errors(include_url=False, include_context=True)[:_MOST_FINDINGS]:
        where = _place(document, detail)
        reasons = found.setdefault(where, [])
        reason = _reason(detail, where, model)
        if reason not in reasons:
            reasons.append(reason)
    ordered = sorted(found.items(), key=lambda item: document.line(item[0]))
    (first, reasons), *others = ordered
    more = "".join(f"\n{document.error(where, ', or '.join(texts))}" for where, texts in others)
    return document.error(first, ", or ".join(reasons) + more)


def _place(document: Document, detail: ErrorDetails) -> Steps:
    """The path of a finding without pydantic's own steps (the branches of a choice of types)."""
    where = detail["loc"]
    depth = document.depth(where)
    if detail["type"] == "missing" and depth == len(where) - 1:
        return where
    return where[:depth]


def _reason(detail: ErrorDetails, where: Steps, model: type[BaseModel]) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return _unknown_field(str(where[-1]), _fields_at(model, where[:-1]))
    if kind in ("enum", "literal_error"):
        return _unknown_word(detail)
    if kind == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    return _WORDS.get(kind) or detail["msg"].replace("Input should be", "must be")


def _unknown_field(name: str, known: list[str]) -> str:
    return f"is not a known field{_guess(name, known) or '; known are ' + ', '.join(known)}"


def _unknown_word(detail: ErrorDetails) -> str:
    expected = str(detail.get("ctx", {}).get("expected", ""))
    words = re.findall(r"'([^']*)'", expected)
    given = detail["input"]
    return f"must be {expected}{_guess(given, words) if isinstance(given, str) else ''}"


def _guess(given: str, known: list[str]) -> str:
    """A question that names the likeliest word; swapped letters (`modle`) are likelier than a missing one."""
    near = difflib.get_close_matches(given, known, 3)
    swapped = [word for word in near if sorted(word) == sorted(given)]
    return f"; did you mean {(swapped or near)[0]}?" if near else ""


def _fields_at(model: type[BaseModel], where: Steps) -> list[str]:
    """Names of the fields that the mapping at a path may have."""
    for step in where:
        if isinstance(step, int):
            continue
        field = next((f for name, f in model.model_fields.items() if step in (name, f.alias)), None)
        inner = _model_in(field.annotation) if field else None
        if inner is None:
            return []
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation such as `tuple[Annotated[Model, ...], ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(part) for part in getattr(annotation, "__args__", ()))
    return next((model for model in found if model is not None), None)
