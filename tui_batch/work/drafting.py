"""A job as a form: one text for each field, what is wrong with each in words, and the way to a draft and back."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tui_batch.domain.job import MOST_ATTEMPTS, MOST_PRIORITY, CacheMode, InputSource, Mode, RouteRule
from tui_batch.domain.quality import Check
from tui_batch.domain.request import Json
from tui_batch.engine.chaining import FORMAT, chained_job, chained_source
from tui_batch.errors import UserError
from tui_batch.inputs.answer_schema import check_schema, read_schema
from tui_batch.inputs.byte_source import STDIN
from tui_batch.inputs.draft import AUTO, Auto, JobDraft, ModelChoice
from tui_batch.inputs.json_text import json_or_text, read_object
from tui_batch.inputs.readers.registry import InputFormat
from tui_batch.inputs.templates import check_template
from tui_batch.paths import expanded
from tui_batch.work.amounts import MOST, dollar_digits, read_dollars, read_whole
from tui_batch.work.knob_words import read_concurrency
from tui_batch.work.model_words import models_line, read_models

EMPTY: Final = JobDraft(InputSource("", ""), "")
"""The draft behind a form that was begun with nothing."""


class FormError(UserError):
    """A field of a form that cannot be used as it is."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field
        """The name of a field of Form."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a person has typed, field by field. Empty: not said."""

    path: str = ""
    """The data file, or `job:3` for the answers of job 3."""
    format: str = ""
    """A name of InputFormat; empty: found from the file."""
    name: str = ""
    system: str = ""
    prompt: str = ""
    models: str = ""
    """As in model_words: `MODEL @ ENDPOINT, ...`."""
    endpoint: str = ""
    """Name or address of the endpoint for models that name none."""
    mode: str = ""
    concurrency: str = ""
    """A number or auto."""
    rpm: str = ""
    tpm: str = ""
    budget: str = ""
    """US dollars."""
    attempts: str = ""
    priority: str = ""
    cache: str = ""
    temperature: str = ""
    max_tokens: str = ""
    params: str = ""
    """All other parameters: `name=value name=value`, or a JSON object."""
    schema: str = ""
    """The path of a JSON file, or the JSON Schema itself."""
    checks: str = ""
    """The list under `checks:` of a job file, as YAML."""
    rest: JobDraft = EMPTY
    """What the form does not show: it is kept as it was."""


def check(form: Form) -> dict[str, str]:
    """What is wrong, by field and in words; empty when the form can become a job. Looks at no file."""
    problems: dict[str, str] = {}
    for name, parse in _PARSERS.items():
        try:
            parse(getattr(form, name))
        except ValueError as error:
            problems[name] = str(error)
    if "models" not in problems and (words := _about_models(form)):
        problems[words[0]] = words[1]
    return problems


def draft_of_form(form: Form) -> JobDraft:
    """The job that a form asks for. Raises FormError for the first field that is wrong.

    A schema that is named by its path must have been read before: see `with_schema`.
    """
    for field, words in check(form).items():
        raise FormError(field, words)
    read: dict[str, Any] = {name: parse(getattr(form, name)) for name, parse in _PARSERS.items()}
    endpoint: str = form.endpoint.strip()
    address = endpoint.rstrip("/") if "://" in endpoint else None
    params = {**read["params"], **_given(temperature=read["temperature"], max_tokens=read["max_tokens"])}
    return replace(
        form.rest,
        source=source_of(form, read["path"]),
        name=form.name.strip() or default_name(read["path"]),
        endpoint=None if address else endpoint or None,
        base_url=address,
        models=read["models"],
        mode=read["mode"],
        routes=form.rest.routes if read["mode"] in (None, Mode.ROUTE) else (),
        system=form.system or None,
        prompt=form.prompt or None,
        params=params,
        schema=_inline_schema(form.schema),
        checks=read["checks"],
        concurrency=read["concurrency"],
        rpm=read["rpm"],
        tpm=read["tpm"],
        budget_nano=read["budget"],
        max_attempts=read["attempts"],
        cache=read["cache"],
        priority=read["priority"],
    )


def source_of(form: Form, path: str) -> InputSource:
    """The input that a form means by a path: a file, or the answers of a job."""
    if (job_id := chained_job(path)) is not None:
        return chained_source(job_id)
    file = InputSource("", "") if form.rest.source.format == FORMAT else form.rest.source
    return replace(file, path=path, format=form.format)


def preview_draft(form: Form) -> JobDraft:
    """What a template's preview needs of a form, whatever is wrong elsewhere. Raises FormError for the templates."""
    wrong = check(form)
    for field in ("prompt", "system"):
        if field in wrong:
            raise FormError(field, f"{field}, {wrong[field]}")
    params = {} if "params" in wrong else read_params(form.params)
    return replace(form.rest, prompt=form.prompt or None, system=form.system or None, params=params)


def form_of_draft(draft: JobDraft) -> Form:
    """A form filled in with a draft, for `draft_of_form` to give the same draft back."""
    params = dict(draft.params)
    temperature = params.pop("temperature") if _is_number(params.get("temperature")) else None
    max_tokens = params.pop("max_tokens") if _is_count(params.get("max_tokens")) else None
    return Form(
        path=draft.source.path,
        format="" if draft.source.format == FORMAT else draft.source.format,
        name=draft.name,
        system=draft.system or "",
        prompt=draft.prompt or "",
        models=models_line(draft.models),
        endpoint=draft.base_url or draft.endpoint or "",
        mode=draft.mode or "",
        concurrency="auto" if isinstance(draft.concurrency, Auto) else _text(draft.concurrency),
        rpm=_text(draft.rpm),
        tpm=_text(draft.tpm),
        budget="" if draft.budget_nano is None else dollar_digits(draft.budget_nano),
        attempts=_text(draft.max_attempts),
        priority=_text(draft.priority),
        cache=draft.cache or "",
        temperature=_text(temperature),
        max_tokens=_text(max_tokens),
        params=params_words(params),
        schema="" if draft.schema is None else json.dumps(draft.schema, ensure_ascii=False),
        checks=_checks_text(draft.checks),
        rest=draft,
    )


def with_schema(form: Form) -> Form:
    """The form with its schema in place of the schema's path. Reads a file: call it in a thread. Raises FormError."""
    text = form.schema.strip()
    if not text:
        return form
    try:
        schema = check_schema(read_object(text)) if text.startswith("{") else read_schema(expanded(text))
    except UserError as error:
        raise FormError("schema", error.message) from None
    except ValueError as error:
        raise FormError("schema", str(error)) from None
    return replace(form, schema=json.dumps(schema, ensure_ascii=False))


def default_name(path: str) -> str:
    """A job's name where none is given: the file's, without its endings, or what it goes on from."""
    if (job_id := chained_job(path)) is not None:
        return f"from job {job_id}"
    file = Path(path).name
    return file.partition(".")[0] or file


def params_words(params: Mapping[str, Json]) -> str:
    """Parameters as a person types them: `top_p=0.9 stop=END`, or as JSON where that would not say the same."""
    if not params:
        return ""
    words = " ".join(f"{name}={value if isinstance(value, str) else _json(value)}" for name, value in params.items())
    try:
        plain = "\n" not in words and _json(read_params(words)) == _json(dict(params))
    except ValueError:
        plain = False
    return words if plain else _json(dict(params))


def read_params(text: str) -> dict[str, Json]:
    """The parameters of a text. Values are JSON where they can be read as such, else text. Raises ValueError."""
    text = text.strip()
    if text.startswith("{"):
        return read_object(text)
    found: dict[str, Json] = {}
    for pair in text.split():
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise ValueError(f"{pair}: a parameter is written name=value, several with a space between them")
        try:
            found[name] = json_or_text(value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return found


def column_words(column: str) -> str:
    """How a template names a column: `{{ text }}`, or `{{ row["First name"] }}` where it is no plain word."""
    if column.isidentifier() and column.isascii() and column not in _TAKEN:
        return "{{ " + column + " }}"
    return "{{ row[" + json.dumps(column, ensure_ascii=False) + "] }}"


_TAKEN = frozenset(
    ["and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None", "self", "loop"]
)
"""Words that mean something else in a template."""


def _about_models(form: Form) -> tuple[str, str] | None:
    """What is wrong with models and mode together: the field and the words."""
    choices = read_models(form.models)
    mode = form.mode.strip()
    if not choices:
        return "models", "choose at least one model, or type its name"
    if mode == Mode.SINGLE and len(choices) > 1:
        return "mode", f"single is for one model, and there are {len(choices)}"
    if mode == Mode.ROUTE and not form.rest.routes:
        return "mode", "route needs rules: write them in a job file, under routes, and load it"
    if mode in ("", Mode.ROUTE) and (stray := _stray_route(form.rest.routes, choices)):
        return "models", f"the job's routes also send rows to {stray}: name it, or choose another mode"
    return None


def _stray_route(routes: tuple[RouteRule, ...], choices: tuple[ModelChoice, ...]) -> str:
    names = {choice.model for choice in choices}
    return next((rule.model for rule in routes if rule.model not in names), "")


def _path(text: str) -> str:
    if not text.strip():
        raise ValueError("choose a file")
    if chained_job(text) is not None:
        return text.strip()
    if text == STDIN:
        raise ValueError("standard input can be read only once: save it to a file")
    try:
        path = expanded(text)
    except UserError as error:
        raise ValueError(error.message) from None
    return str(path) if path.is_absolute() else os.path.normpath(path.absolute())


def _format(text: str) -> str:
    if text and text not in set(InputFormat):
        raise ValueError(f"is none of {', '.join(InputFormat)}")
    return text


def _template(which: str) -> Callable[[str], None]:
    def parse(text: str) -> None:
        try:
            if text:
                check_template(which, text)
        except UserError as error:
            raise ValueError(error.message.removeprefix(f"{which} template, ")) from None

    return parse


def _endpoint(text: str) -> None:
    text = text.strip()
    if "://" in text and not re.fullmatch(r"(https?|simulator)://[^/@\s]+(/[^@\s]*)?", text):
        raise ValueError("must be an address such as http://localhost:8000/v1, without user name and password")


def _mode(text: str) -> Mode | None:
    try:
        return Mode(text.strip()) if text.strip() else None
    except ValueError:
        raise ValueError(f"is none of {', '.join(Mode)}") from None


def _cache(text: str) -> CacheMode | None:
    try:
        return CacheMode(text.strip()) if text.strip() else None
    except ValueError:
        raise ValueError(f"is none of {', '.join(CacheMode)}") from None


def _concurrency(text: str) -> int | Auto | None:
    if not text.strip():
        return None
    number = read_concurrency(text)
    return AUTO if number is None else number


def _whole(least: int = 1, most: int = MOST) -> Callable[[str], int | None]:
    return lambda text: read_whole(text, least, most) if text.strip() else None


def _dollars(text: str) -> int | None:
    return read_dollars(text) if text.strip() else None


def _temperature(text: str) -> Json:
    if not text.strip():
        return None
    value = json_or_text(text.strip())
    if not _is_number(value) or value < 0:
        raise ValueError("must be a number of at least 0, such as 0.2")
    return value


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Json) -> bool:
    return type(value) is int and value >= 1


def _schema(text: str) -> None:
    if text.strip().startswith("{"):
        read_object(text)


def _inline_schema(text: str) -> Json:
    if not text.strip():
        return None
    if not text.strip().startswith("{"):
        raise FormError("schema", "the file was not read")
    return read_object(text)


def _checks(text: str) -> tuple[Check, ...]:
    if not text.strip():
        return ()
    from tui_batch.inputs.checks_text import read_checks

    return read_checks(text)


def _checks_text(checks: tuple[Check, ...]) -> str:
    if not checks:
        return ""
    from tui_batch.inputs.checks_text import checks_text

    return checks_text(checks)


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


def _text(number: float | None) -> str:
    return "" if number is None else _json(number)


def _given(**values: Json) -> dict[str, Json]:
    return {name: value for name, value in values.items() if value is not None}


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "path": _path,
    "format": _format,
    "system": _template("system"),
    "prompt": _template("prompt"),
    "models": read_models,
    "endpoint": _endpoint,
    "mode": _mode,
    "concurrency": _concurrency,
    "rpm": _whole(),
    "tpm": _whole(),
    "budget": _dollars,
    "attempts": _whole(1, MOST_ATTEMPTS),
    "priority": _whole(-MOST_PRIORITY, MOST_PRIORITY),
    "cache": _cache,
    "temperature": _temperature,
    "max_tokens": _whole(),
    "params": read_params,
    "schema": _schema,
    "checks": _checks,
}
"""How each field is read, in the order of the screen. Each raises ValueError with words for a person."""
