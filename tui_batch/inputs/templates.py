"""From a stored row to a request: prompt and system templates, per-row overrides, ready bodies passed through."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import orjson

from tui_batch.domain.endpoint import Operation
from tui_batch.domain.job import DEFAULT_PROMPT, InputSource, JobSpec
from tui_batch.domain.request import Json, Message, PromptRequest
from tui_batch.domain.values import immutable
from tui_batch.errors import UserError
from tui_batch.inputs.readers.registry import InputFormat
from tui_batch.inputs.request_rows import batch_operation, body_operation

if TYPE_CHECKING:
    from tui_batch.inputs.sandbox import CompiledTemplate

ROW = "row"
"""In a template: all columns by name, for names that are no identifiers: `{{ row["First name"] }}`."""

_MESSAGES = "messages"
_CHARS_PER_TOKEN = 4  # for embeddings given as token numbers


class RowError(Exception):
    """A row that no request can be made of. The reason is for a person; the item is dead with it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MissingColumn(RowError):
    """A row without a column that a template uses."""

    def __init__(self, which: str, column: str, columns: Mapping[str, Any]) -> None:
        near = difflib.get_close_matches(column, columns, 1)
        hint = f" (did you mean `{near[0]}`?)" if near else ""
        self.which = which
        """`prompt` or `system`."""
        self.column = column
        self.about = f"{hint}; it has: {listed_columns(columns)}"
        """What was perhaps meant, and what the row does have."""
        super().__init__(f"the {which} template uses `{column}`, which this row does not have{self.about}")


@immutable(frozen=True, slots=True)
class RenderedRow:
    """A row as a request."""

    request: PromptRequest
    model: str | None
    """The model this row asks for; None: the job's."""
    chars: int
    """Characters of text that are sent, for estimates."""
    columns: Mapping[str, Json]
    """The row as it was read."""


class Renderer(Protocol):
    """Makes requests of a job's rows. Holds nothing of a row: one renderer serves the whole job."""

    def render(self, data: bytes) -> RenderedRow:
        """The request of one row (its columns as JSON). Raises RowError."""


def compile_prompt(spec: JobSpec) -> Renderer:
    """The renderer of a job. Raises UserError for a template that cannot be used, naming its line."""
    if spec.source.format in (InputFormat.BATCH, InputFormat.BODIES):
        if spec.prompt.strip() != DEFAULT_PROMPT:
            raise UserError(
                f"a prompt template does not apply: every line of {spec.source.path} is a whole request",
                remedy="Leave the template out, or read the lines as columns with the format jsonl.",
            )
        return _RequestRenderer(spec)
    if spec.operation is Operation.EMBED and spec.system:
        raise UserError("an embedding has no system text", remedy="Leave the system text out.")
    return _ColumnRenderer(spec)


def compile_text(which: str, text: str) -> Callable[[Mapping[str, Json]], str]:
    """Another template over a row's columns. Raises UserError as compile_prompt does; the result raises RowError."""
    template = _Template(which, text)
    return lambda columns: template.render(dict(columns))


def check_template(which: str, text: str) -> None:
    """Raises UserError, naming the line, when a `prompt` or `system` template cannot be used."""
    _compile(which, text)


class _ColumnRenderer:
    """Renders templates over the columns of a row."""

    def __init__(self, spec: JobSpec) -> None:
        self._spec = spec
        self._overrides = _Overrides(spec.source, spec.params)
        self._prompt = _Template("prompt", spec.prompt)
        self._system = _Template("system", spec.system) if spec.system else None
        self._takes_messages = spec.operation is Operation.CHAT and spec.prompt.strip() == DEFAULT_PROMPT

    def render(self, data: bytes) -> RenderedRow:
        """The request of one row. Raises RowError."""
        columns: dict[str, Any] = orjson.loads(data)
        model, params = self._overrides.of(columns)
        if self._takes_messages and columns.get(_MESSAGES):
            messages, chars = self._conversation(columns)
        else:
            messages, chars = self._single_turn(columns)
        request = PromptRequest(self._spec.operation, messages, params, self._spec.schema)
        return RenderedRow(request, model, chars, columns)

    def _single_turn(self, columns: dict[str, Any]) -> tuple[tuple[Message, ...], int]:
        prompt = self._prompt.render(columns)
        if not prompt or prompt.isspace():
            raise RowError("the prompt is empty")
        user = Message("user", prompt)
        if self._system is None:
            return (user,), len(prompt)
        system = self._system.render(columns)
        return (Message("system", system), user), len(prompt) + len(system)

    def _conversation(self, columns: dict[str, Any]) -> tuple[tuple[Message, ...], int]:
        messages = read_messages(columns[_MESSAGES])
        if self._system is not None and messages[0].role != "system":
            messages = (Message("system", self._system.render(columns)), *messages)
        return messages, sum(_chars(message.content) for message in messages)


class _RequestRenderer:
    """Passes ready bodies through. What the job says applies only where a body is silent."""

    def __init__(self, spec: JobSpec) -> None:
        self._spec = spec
        self._is_batch = spec.source.format == InputFormat.BATCH
        self._system = _Template("system", spec.system) if spec.system else None

    def render(self, data: bytes) -> RenderedRow:
        """The request of one row. Raises RowError."""
        columns: dict[str, Any] = orjson.loads(data)
        body = columns.get("body") if self._is_batch else columns
        if not isinstance(body, dict):
            raise RowError("body: must be a JSON object")
        operation = batch_operation(columns.get("url")) if self._is_batch else body_operation(body)
        if operation is None or body_operation(body) is not operation:
            raise RowError("holds no request that can be sent: it needs messages (a chat) or input (an embedding)")
        if self._spec.params:
            body = {**self._spec.params, **body}
        messages = self._messages(operation, body, columns)
        if operation is Operation.CHAT and len(messages) > len(body[_MESSAGES]):
            body = {**body, _MESSAGES: [{"role": "system", "content": messages[0].content}, *body[_MESSAGES]]}
        model = body.get("model")
        request = PromptRequest(operation, messages, self._spec.params, self._spec.schema, body)
        chars = sum(_chars(message.content) for message in messages)
        return RenderedRow(request, model if isinstance(model, str) and model else None, chars, columns)

    def _messages(self, operation: Operation, body: dict[str, Any], columns: dict[str, Any]) -> tuple[Message, ...]:
        """The body's texts, for estimates and display; with the job's system text where the body has none."""
        if operation is Operation.EMBED:
            return (Message("user", body["input"]),)
        given = body[_MESSAGES]
        if not all(isinstance(message, dict) and isinstance(message.get("role"), str) for message in given):
            raise RowError("messages: every message must be an object with a role")
        messages = tuple(Message(message["role"], message.get("content")) for message in given)
        own_system = "system" in body or messages[0].role in ("system", "developer")
        if self._system is None or own_system:
            return messages
        return (Message("system", self._system.render(columns)), *messages)


class _Overrides:
    """The model and the parameters that a row sets for itself."""

    def __init__(self, source: InputSource, params: Mapping[str, Json]) -> None:
        self._model = source.model_column or None
        self._column = source.params_column or None
        self._params = params

    def of(self, columns: Mapping[Any, Any]) -> tuple[str | None, Mapping[str, Json]]:
        """The row's model, if it names one, and its parameters over the job's. Raises RowError."""
        model = columns.get(self._model) or None
        if model is not None and not isinstance(model, str):
            raise RowError(f"{self._model}: must be the name of a model, not {_kind(model)}")
        own = columns.get(self._column)
        if not own:
            return model, self._params
        if isinstance(own, str):
            try:
                own = orjson.loads(own)
            except orjson.JSONDecodeError:
                raise RowError(f'{self._column}: must be a JSON object such as {{"temperature": 0}}') from None
        if not isinstance(own, dict):
            raise RowError(f"{self._column}: must be a JSON object, not {_kind(own)}")
        return model, {**self._params, **own}


class _Template:
    """A compiled template."""

    def __init__(self, which: str, text: str) -> None:
        self._which = which
        self._compiled = _compile(which, text)
        self._wants_row = ROW in self._compiled.names
        self._names = self._compiled.names - {ROW} | {key for name, key in self._compiled.keys if name == ROW}

    def render(self, columns: dict[str, Any]) -> str:
        """The text for one row. Raises RowError."""
        plain = self._compiled.plain
        try:
            if plain is not None and not self._wants_row and self._names <= columns.keys():
                return plain(columns)
            return self._compiled.render({ROW: columns, **columns} if self._wants_row else columns)
        except Exception as error:  # a template is a small program of the user's: it can fail in any way
            self._fail(error, columns)

    def _fail(self, error: Exception, columns: Mapping[str, Any]) -> NoReturn:
        from jinja2.exceptions import UndefinedError

        if isinstance(error, UndefinedError) and (missing := sorted(self._names - columns.keys())):
            named = (
                name for name in missing if f"'{name}'" in str(error)
            )  # others may be asked for only if they are there
            raise MissingColumn(self._which, next(named, missing[0]), columns) from None
        raise RowError(f"the {self._which} template fails: {str(error) or type(error).__name__}") from None


def _compile(which: str, text: str) -> CompiledTemplate:
    """Compiles a template. Raises UserError."""
    from tui_batch.inputs.sandbox import TemplateRefused, compile_template

    try:
        return compile_template(text)
    except TemplateRefused as error:
        raise UserError(
            f"{which} template, line {error.line}: {error}",
            remedy="Columns are written {{ column }}; for text with braces use {% raw %}...{% endraw %}.",
        ) from None


def read_messages(value: Any) -> tuple[Message, ...]:
    """A `messages` column, a list or its JSON text, as messages. Raises RowError."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise RowError("messages: is not a JSON list of messages") from None
    if not isinstance(value, list) or not value:
        raise RowError(f"messages: must be a list of messages, not {_kind(value)}")
    return tuple(_message(position, message) for position, message in enumerate(value))


def _message(position: int, value: Any) -> Message:
    where = f"messages[{position}]"
    if not isinstance(value, dict) or not isinstance(value.get("role"), str):
        raise RowError(f'{where}: must be an object such as {{"role": "user", "content": "..."}}')
    if more := value.keys() - {"role", "content"}:
        raise RowError(f"{where}: `{min(more)}` cannot be sent from columns; read the file with the format bodies")
    if not isinstance(value.get("content"), str | list) or not value["content"]:
        raise RowError(f"{where}: content must be text or a list of content parts")
    return Message(value["role"], value["content"])


def _chars(content: Any) -> int:
    """Characters of text in a message's content, or what token numbers stand for."""
    if isinstance(content, str):
        return len(content)
    if isinstance(content, int):
        return _CHARS_PER_TOKEN
    if isinstance(content, list):
        return sum(_chars(part) for part in content)
    return _chars(content.get("text")) if isinstance(content, dict) else 0


def _kind(value: Any) -> str:
    """A JSON type in words."""
    words = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return words.get(type(value), "null")


def listed_columns(columns: Mapping[str, Any]) -> str:
    """The names of a row's columns, as an error lists them."""
    names = list(columns)
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return ", ".join(names[:20]) + more if names else "no columns"
