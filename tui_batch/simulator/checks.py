"""Reading request fields: each helper returns the value or raises the Problem a strict server would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tui_batch.domain.request import Json
from tui_batch.simulator.counting import MESSAGE_OVERHEAD, count_tokens
from tui_batch.simulator.wire import Problem, Trouble


def invalid(message: str, param: str | None = None) -> Problem:
    """A request that cannot be served as it is: 400."""
    return Problem(Trouble.INVALID, message, param=param)


def text_field(body: Mapping[str, Json], name: str, missing: str) -> str:
    """A field that must be a string and not empty; `missing` is what the service says otherwise."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(missing, name)
    return value


def whole_number(body: Mapping[str, Json], name: str, low: int = 1, high: int = 2**31) -> int | None:
    """An optional whole number within bounds."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(f"Invalid type for '{name}': expected an integer, but got {_kind(value)} instead.", name)
    if not low <= value <= high:
        bound = f">= {low}" if value < low else f"<= {high}"
        raise invalid(
            f"Invalid '{name}': integer out of range. Expected a value {bound}, but got {value} instead.", name
        )
    return value


def number_between(body: Mapping[str, Json], name: str, low: float, high: float) -> None:
    """Checks an optional number that only shapes sampling; the simulator does not sample."""
    value = body.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(f"Invalid type for '{name}': expected a decimal, but got {_kind(value)} instead.", name)
    if not low <= value <= high:
        raise invalid(
            f"Invalid '{name}': expected a value between {low:g} and {high:g}, but got {value} instead.", name
        )


def objects(body: Mapping[str, Json], name: str) -> list[Mapping[str, Json]]:
    """An optional list of objects."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise invalid(f"Invalid type for '{name}': expected a list of objects.", name)
    return value


def flatten(content: Json, param: str) -> str:
    """The text of a message: a string, or the text parts of a list of content parts."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise invalid(
            f"Invalid type for '{param}': expected a string or a list, but got {_kind(content)} instead.", param
        )
    texts: list[str] = []
    for index, part in enumerate(content):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise invalid(f"Missing required parameter: '{param}[{index}].type'.", f"{param}[{index}].type")
        if isinstance(part.get("text"), str):
            texts.append(part["text"])
    return "\n".join(texts)


def conversation(body: Mapping[str, Json], roles: Iterable[str]) -> list[tuple[str, str]]:
    """The `messages` of a chat request as (role, text), checked."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise invalid("Missing required parameter: 'messages'.", "messages")
    if not messages:
        raise invalid("Invalid 'messages': empty array. Expected an array with minimum length 1.", "messages")
    allowed = tuple(roles)
    turns: list[tuple[str, str]] = []
    for index, message in enumerate(messages):
        param = f"messages[{index}]"
        if not isinstance(message, dict):
            raise invalid(f"Invalid type for '{param}': expected an object, but got {_kind(message)} instead.", param)
        role = message.get("role")
        if role not in allowed:
            names = ", ".join(f"'{name}'" for name in allowed)
            raise invalid(f"Invalid value: {role!r}. Supported values are: {names}.", f"{param}.role")
        turns.append((str(role), flatten(message.get("content"), f"{param}.content")))
    return turns


def last_of(turns: list[tuple[str, str]], role: str) -> str:
    """The last text of a role; empty when it never spoke."""
    return next((text for name, text in reversed(turns) if name == role), "")


def chat_tokens(turns: Iterable[tuple[str, str]]) -> int:
    """Tokens of a conversation with the format's overhead."""
    return sum(count_tokens(text) + MESSAGE_OVERHEAD for _, text in turns)


def texts_to_embed(value: Json, most: int) -> tuple[str, ...]:
    """The `input` of an embeddings request: a text or a list of texts (token ids count as a text of their own)."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not items:
        raise invalid("Invalid 'input': expected a string or a non-empty array.", "input")
    if all(isinstance(item, int) for item in items):
        items = [" ".join(map(str, items))]
    if len(items) > most:
        raise invalid(f"Invalid 'input': array too long. Expected at most {most} items, but got {len(items)}.", "input")
    texts = [" ".join(map(str, item)) if isinstance(item, list) else item for item in items]
    if not all(isinstance(text, str) for text in texts):
        raise invalid("Invalid 'input': every item must be a string.", "input")
    return tuple(texts)


def _kind(value: Json) -> str:
    names = {bool: "a boolean", int: "an integer", float: "a decimal", str: "a string", list: "an array"}
    return names.get(type(value), "null" if value is None else "an object")
