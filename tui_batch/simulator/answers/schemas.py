"""Answers that meet a JSON Schema, filled with what the text suggests."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tui_batch.domain.request import Json
from tui_batch.simulator.answers import arithmetic, prose
from tui_batch.simulator.answers.labels import choose
from tui_batch.simulator.chance import digest, draw

_DEEPEST = 6
"""Nesting beyond which only what is required is filled in: recursive schemas would never end."""
_MOST_CHARS = 100_000
"""Of one text, whatever its schema wants: a request may not take the machine's memory."""
_MOST_VALUES = 2_000
"""Values made for one answer; what is still asked for beyond it is null."""

_SHAPE = re.compile(r"\{[^{}:]*:[^{}]*\}")
_FIELD = re.compile(r'"(\w+)"\s*:\s*("[^"]*"|[^,}\n]+)')


def described_schema(instructions: str) -> Json:
    """The schema that instructions sketch: `{"sentiment": "positive|negative", "score": 3}`; else one text field."""
    shape = _SHAPE.search(instructions)
    fields = dict(_FIELD.findall(shape.group(0))) if shape else {}
    properties = {name: _sketched(value.strip()) for name, value in fields.items()}
    return {"type": "object", "properties": properties or {"answer": {"type": "string"}}}


def _sketched(value: str) -> Json:
    inner = value.strip('"<> ')
    options = [part.strip() for part in inner.split("|")]
    if len(options) > 1 and all(options):
        return {"enum": options}
    if value.startswith("["):
        return {"type": "array", "items": {"type": "string"}}
    if inner in {"true", "false", "boolean", "bool"}:
        return {"type": "boolean"}
    if re.fullmatch(r"-?\d+|integer|int", inner):
        return {"type": "integer"}
    if re.fullmatch(r"-?\d*\.\d+|number|float", inner):
        return {"type": "number"}
    return {"type": "string"}


def fill(schema: Json, text: str, seed: int) -> Json:
    """A value that meets the schema's common keywords: type, enum, const, properties, items, bounds, $ref, anyOf."""
    return _Filler(schema if isinstance(schema, dict) else {}, text, seed).value(schema, (), 0)


class _Filler:
    def __init__(self, root: Mapping[str, Json], text: str, seed: int) -> None:
        self._root = root
        self._text = text
        self._seed = seed
        self._left = _MOST_VALUES

    def value(self, schema: Json, place: tuple[str, ...], depth: int) -> Json:
        self._left -= 1
        if self._left < 0 or depth > 4 * _DEEPEST:
            return None
        schema = self._resolve(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._choice(schema["enum"])
        match self._type(schema):
            case "object":
                return self._object(schema, place, depth)
            case "array":
                return self._array(schema, place, depth)
            case "boolean":
                return draw(self._seed, self._text, *place) < 0.5
            case "integer" | "number" as kind:
                return self._number(schema, place, kind)
            case "null":
                return None
            case _:
                return self._string(schema, place)

    def _resolve(self, schema: Json) -> Mapping[str, Json]:
        """Follows references and takes the first alternative that is not null."""
        for _ in range(_DEEPEST):
            if not isinstance(schema, dict):
                return {}
            if isinstance(schema.get("$ref"), str):
                schema = self._lookup(schema["$ref"])
                continue
            choices = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
            if not choices:
                return schema
            schema = next((choice for choice in choices if choice != {"type": "null"}), choices[0])
        return {}

    def _lookup(self, reference: str) -> Json:
        found: Json = self._root
        for part in reference.removeprefix("#").strip("/").split("/"):
            if part:
                key = part.replace("~1", "/").replace("~0", "~")
                found = found.get(key, {}) if isinstance(found, dict) else {}
        return found

    def _type(self, schema: Mapping[str, Json]) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((name for name in kind if name != "null"), "null")
        if kind is None:
            kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
        return str(kind)

    def _choice(self, options: list[Json]) -> Json:
        if all(isinstance(option, str) for option in options) and len(options) > 1:
            return choose(self._text, options)
        return options[digest(self._seed, self._text, len(options)) % len(options)]

    def _object(self, schema: Mapping[str, Json], place: tuple[str, ...], depth: int) -> Json:
        properties = schema.get("properties") or {}
        required = schema.get("required") or ()
        wanted = [name for name in properties if depth < _DEEPEST or name in required]
        return {name: self.value(properties[name], (*place, name), depth + 1) for name in wanted}

    def _array(self, schema: Mapping[str, Json], place: tuple[str, ...], depth: int) -> Json:
        least = schema.get("minItems", 0)
        natural = 0 if depth >= _DEEPEST else 1 + digest(self._seed, self._text, *place) % 3
        count = max(least, min(natural, schema.get("maxItems", natural)))
        items = schema.get("items") or {"type": "string"}
        return [self.value(items, (*place, str(index)), depth + 1) for index in range(count)]

    def _number(self, schema: Mapping[str, Json], place: tuple[str, ...], kind: str) -> Json:
        low, high = schema.get("minimum"), schema.get("maximum")
        if low is None and high is None and arithmetic.is_problem(self._text):
            value = float(arithmetic.solve(self._text))
        else:
            low = (0 if high is None else high - 100) if low is None else low
            high = low + 100 if high is None else high
            value = low + draw(self._seed, self._text, *place) * (high - low)
        return round(value) if kind == "integer" else round(value, 2)

    def _string(self, schema: Mapping[str, Json], place: tuple[str, ...]) -> str:
        text = prose.write(self._text, digest(self._seed, self._text, *place))
        text = text.partition(".")[0] + "."
        least, most = schema.get("minLength", 0), schema.get("maxLength", len(text))
        if schema.get("format") == "date":
            return "2025-01-01"
        return text.ljust(min(_MOST_CHARS, least), ".")[: max(most, least)]
