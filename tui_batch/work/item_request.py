"""What an item asks: its prompt as it is sent, and the same request as a command to paste. Never with a key."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from tui_batch.domain.endpoint import DeploymentKey, KeyKind, KeySource
from tui_batch.domain.job import JobSpec
from tui_batch.domain.request import Json, Message
from tui_batch.domain.stored import ItemDetail
from tui_batch.engine.router import route
from tui_batch.engine.rules import Subject, choose, compile_rules
from tui_batch.errors import UserError
from tui_batch.inputs.templates import RenderedRow, RowError, compile_prompt
from tui_batch.providers.base import EncodeError
from tui_batch.providers.registry import provider_for


@dataclass(frozen=True, slots=True)
class AsSent:
    """An item's request in words."""

    messages: tuple[Message, ...]
    """System text first, when there is one."""
    deployment: DeploymentKey
    """Where it went last, or goes first."""
    params: tuple[tuple[str, Json], ...]
    curl: str
    """The request as a curl command; the key is a variable of the shell."""


def as_sent(spec: JobSpec, detail: ItemDetail) -> AsSent:
    """Renders an item's row as the engine does. May take long: call it in a thread.

    Raises UserError for a row or a template that no request can be made of.
    """
    try:
        row = compile_prompt(spec).render(detail.data)
        key = _deployment(spec, detail, row)
        return AsSent(row.request.messages, key, tuple(row.request.params.items()), _curl(spec, key, row))
    except (RowError, EncodeError) as error:
        raise UserError(
            f"no request can be made of this row: {error}",
            remedy=f"Give it another row: llmbatch-tui edit {detail.row.id} --row FILE",
        ) from error


def _deployment(spec: JobSpec, detail: ItemDetail, row: RenderedRow) -> DeploymentKey:
    names = {endpoint.name for endpoint in spec.endpoints}
    if detail.row.model is not None and detail.row.endpoint in names:
        return DeploymentKey(str(detail.row.endpoint), detail.row.model)
    model = row.model or choose(compile_rules(spec), Subject(row.request, row.columns))
    return route(spec, detail.row.variant, model)[0]


def _curl(spec: JobSpec, key: DeploymentKey, row: RenderedRow) -> str:
    endpoint = next(one for one in spec.endpoints if one.name == key.endpoint)
    provider = provider_for(endpoint.api)
    made = provider.encode(row.request, key.model)
    variable = _variable(endpoint.key)
    headers = (("content-type", "application/json"), *provider.auth_headers(variable or None), *endpoint.headers)
    parts = [f"curl {shlex.quote(endpoint.base_url + made.path)}"]
    parts += [f"-H {_header(name, value, variable)}" for name, value in headers]
    parts.append(f"--data-raw {shlex.quote(made.body.decode())}")
    return " \\\n  ".join(parts)


def _variable(key: KeySource) -> str:
    """How a shell names the key; empty where none is needed. The key itself is never looked up."""
    if key.kind is KeyKind.NONE:
        return ""
    return f"${key.name}" if key.kind is KeyKind.ENV else "$API_KEY"


def _header(name: str, value: str, variable: str) -> str:
    text = f"{name}: {value}"
    return f'"{text}"' if variable and variable in value else shlex.quote(text)


def message_text(message: Message) -> str:
    """A message's content as text: parts under each other, what is no text as JSON."""
    return "\n".join(_parts(message.content))


def _parts(content: Json) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list) and not all(isinstance(part, int) for part in content):
        for part in content:
            yield from _parts(part)
    elif isinstance(content, dict) and isinstance(content.get("text"), str):
        yield content["text"]
    else:
        yield json.dumps(content, ensure_ascii=False)
