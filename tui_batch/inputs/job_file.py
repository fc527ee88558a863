"""Job files: YAML in, checked field by field, a JobDraft out. Importing this loads pydantic."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.job import (
    MOST_ATTEMPTS,
    MOST_DOLLARS,
    MOST_IN_FLIGHT,
    MOST_PRIORITY,
    MOST_SECONDS,
    NANO,
    CacheMode,
    Cap,
    InputSource,
    Mode,
    OnTruncated,
)
from tui_batch.domain.quality import OnDrift, OnInvalid
from tui_batch.errors import InputError, UserError
from tui_batch.inputs import yaml_document
from tui_batch.inputs.answer_schema import NoSchema, check_schema, read_schema
from tui_batch.inputs.byte_source import STDIN
from tui_batch.inputs.draft import AUTO, Auto, JobDraft, ModelChoice
from tui_batch.inputs.job_checks import CheckEntry, Drift, check_checks, checks_of, drift_of
from tui_batch.inputs.job_parts import Count, Name, Part
from tui_batch.inputs.job_problems import explain, refuse_secrets
from tui_batch.inputs.job_routes import Bucket, Route, buckets_of, check_buckets, check_routes, rules_of
from tui_batch.inputs.readers.registry import InputFormat
from tui_batch.inputs.templates import check_template
from tui_batch.inputs.yaml_document import Document
from tui_batch.paths import expanded

SCHEMA_URL = "https://json-schema.org/draft/2020-12/schema"
_EXAMPLE = 'A job file looks like this:\n  input: rows.csv\n  model: gpt-4o-mini\n  prompt: "Classify: {{ text }}"'


def _as_mapping(key: str, part: type[Part]) -> BeforeValidator:
    """Lets a lone text stand for a part with that one field."""

    def widen(value: Any) -> Any:
        return {key: value} if isinstance(value, str) else value

    return BeforeValidator(widen, json_schema_input_type=str | part)


class Columns(Part):
    """Columns with a meaning of their own. An empty name switches one off."""

    custom_id: str = "custom_id"
    """Identifies a row; unique in the file."""
    priority: str = "priority"
    """A whole number, or urgent, high, normal, low. Higher first."""
    model: str = ""
    """The model of this row, in place of the job's. Where the job names no models, `model` is it."""
    params: str = "params"
    """Parameters of this row (an object), over the job's."""


class Input(Part):
    """The file of rows."""

    path: Name
    """Relative to the job file; `-` is standard input."""
    format: InputFormat | None = None
    """Found from the file when left out."""
    columns: Columns = Columns()


class ModelEntry(Part):
    """A model, where it is served, and its share."""

    model: Name
    endpoint: Name | None = None
    """Name of an endpoint."""
    endpoints: tuple[Name, ...] = ()
    """Names of several endpoints that all serve it."""
    weight: float = Field(default=1.0, gt=0)
    """Share of the rows in mode spread."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.endpoint is not None and self.endpoints:
            raise ValueError("give endpoint or endpoints, not both")
        return self


class Limits(Part):
    """Bounds that may be changed while the job runs."""

    concurrency: Annotated[int, Field(ge=1, le=MOST_IN_FLIGHT)] | Literal["auto"] | None = None
    """Requests in flight at most, or auto."""
    rpm: Count | None = None
    """Requests a minute."""
    tpm: Count | None = None
    """Tokens a minute, in and out."""
    budget: Decimal | None = Field(default=None, ge=0, le=MOST_DOLLARS)
    """US dollars the job may spend in all."""
    cap: Cap | None = None
    """Binding, as it is when this is left out, or loose: also sends what may pass the budget."""


class Retry(Part):
    """What happens to a request that fails."""

    max_attempts: Annotated[int, Field(ge=1, le=MOST_ATTEMPTS)] | None = None
    """Requests that count for one row, the first included; in mode fallback for each model."""
    max_invalid: Annotated[int, Field(ge=1, le=MOST_ATTEMPTS)] | None = None
    """Requests for one row whose answers may fail the schema or a check, the first included."""


class TimeoutsPart(Part):
    """How long to wait for an answer."""

    base: float | None = Field(default=None, gt=0, le=MOST_SECONDS)
    """Seconds for any request."""
    per_1k_tokens: float | None = Field(default=None, ge=0, le=MOST_SECONDS)
    """Seconds more for every thousand tokens expected."""
    first_byte: float | None = Field(default=None, gt=0, le=MOST_SECONDS)
    """Streamed answers: seconds of silence before one begins; per_1k_tokens is added for the prompt."""
    stall: float | None = Field(default=None, gt=0, le=MOST_SECONDS)
    """Streamed answers: seconds of silence between two pieces."""


class JobFile(Part):
    """A job of llmbatch-tui: a file of rows, what to ask about each, of whom, and within which limits."""

    input: Annotated[Input, _as_mapping("path", Input)]
    """The file of rows: a path, or a mapping."""
    name: Name | None = None
    """Shown everywhere; the file's name when left out."""
    api: Api | None = None
    """The server's wire format."""
    endpoint: Name | None = None
    """Name of an endpoint from the settings, or of a known provider."""
    base_url: Annotated[str, Field(pattern=r"^https?://[^/@\s]+(/[^@\s]*)?$")] | None = None
    """A server's address, where no endpoint is named."""
    model: Name | None = None
    """The model, when there is one."""
    models: tuple[Annotated[ModelEntry, _as_mapping("model", ModelEntry)], ...] = ()
    """Several models: names, or mappings with endpoints and weights."""
    mode: Mode | None = None
    """How several models share the rows."""
    routes: tuple[Route, ...] = ()
    """Rules that send each row to a model; the first that fits counts."""
    buckets: tuple[Bucket, ...] = ()
    """Lengths of prompts with a concurrency of their own, so that long ones do not hold up short ones."""
    operation: Operation | None = None
    system: str | None = None
    """System text; a template over the row's columns."""
    prompt: str | None = None
    """Prompt; a template over the row's columns, such as `Classify: {{ text }}`."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Parameters of the request, such as temperature and max_tokens."""
    schema_: dict[str, Any] | str | None = Field(default=None, alias="schema")
    """JSON Schema that answers must meet: written here, or the path of a JSON file relative to the job file."""
    checks: tuple[CheckEntry, ...] = ()
    """What answers are held to, and what scores them."""
    on_invalid: OnInvalid | None = None
    """What becomes of an answer that fails the schema or a check."""
    drift: Drift | None = None
    """From when on answers count as worse than before."""
    on_drift: OnDrift | None = None
    """What happens when answers get worse."""
    limits: Limits = Limits()
    retry: Retry = Retry()
    cache: CacheMode | None = None
    """Whether answers to equal requests are taken from earlier runs."""
    priority: Annotated[int, Field(ge=-MOST_PRIORITY, le=MOST_PRIORITY)] | None = None
    """Jobs with a higher number run first."""
    tags: dict[str, str] = Field(default_factory=dict)
    output: Name | None = None
    """Where answers are written, relative to the job file."""
    on_truncated: OnTruncated | None = None
    """What becomes of an answer cut by a length limit."""
    keep_raw: bool | None = None
    """Keep every response as it was received."""
    stream: bool | None = None
    """Ask for answers piece by piece, so that a stall is noticed without waiting for the whole timeout."""
    timeouts: TimeoutsPart = TimeoutsPart()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.model is not None and self.models:
            raise ValueError("give model or models, not both")
        if self.endpoint is not None and self.base_url is not None:
            raise ValueError("give endpoint or base_url, not both")
        return self


def load_job_draft(path: Path) -> JobDraft:
    """A job file as the rest of the program takes it. Raises InputError, also for its templates and its schema."""
    document = yaml_document.load(path)
    job = validated(document)
    _check_templates(document, job)
    check_routes(document, job.routes, job.mode, {*(entry.model for entry in job.models), *filter(None, (job.model,))})
    check_buckets(document, job.buckets)
    check_checks(document, job)
    return _draft(document, job, path)


def validated(document: Document) -> JobFile:
    """A document as a job file. Raises InputError with every mistake that was found."""
    if not isinstance(document.value, dict):
        found = "is empty" if document.value is None else "holds rows or text, not a job"
        raise InputError(document.path, found, line=1, remedy=_EXAMPLE)
    refuse_secrets(document)
    try:
        return JobFile.model_validate(document.value)
    except ValidationError as error:
        raise explain(document, error, JobFile) from None


def dump_job_file(job: JobFile) -> str:
    """The YAML text of a job file: only what was set, in the documented order."""
    value = job.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    if job.limits.budget is not None:
        value["limits"]["budget"] = plain_number(job.limits.budget)
    if value["input"].keys() == {"path"}:
        value["input"] = value["input"]["path"]
    return yaml_document.dump(value)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of job files, for editors."""
    return {"$schema": SCHEMA_URL, **JobFile.model_json_schema(by_alias=True, mode="validation")}


def plain_number(amount: Decimal) -> int | float:
    """As YAML writes an amount: 2, or 2.5."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def _draft(document: Document, job: JobFile, path: Path) -> JobDraft:
    base = path.absolute().parent
    limits = job.limits
    return JobDraft(
        source=_source(job.input, base),
        name=job.name or path.stem,
        origin=path.absolute(),
        api=job.api,
        endpoint=job.endpoint,
        base_url=job.base_url.rstrip("/") if job.base_url else None,
        models=_models(job),
        mode=job.mode,
        routes=rules_of(job.routes),
        buckets=buckets_of(job.buckets),
        operation=job.operation,
        system=job.system,
        prompt=job.prompt,
        params=job.params,
        schema=_answer_schema(document, job.schema_, base),
        concurrency=_concurrency(limits),
        rpm=limits.rpm,
        tpm=limits.tpm,
        budget_nano=None if limits.budget is None else int(limits.budget * NANO),
        cap=limits.cap,
        max_attempts=job.retry.max_attempts,
        cache=job.cache,
        priority=job.priority,
        tags=job.tags,
        output=None if job.output is None else _resolved(job.output, base),
        on_truncated=job.on_truncated,
        keep_raw=job.keep_raw,
        timeout_base_s=job.timeouts.base,
        timeout_per_1k_tokens_s=job.timeouts.per_1k_tokens,
        stream=job.stream,
        first_byte_s=job.timeouts.first_byte,
        stall_s=job.timeouts.stall,
        checks=checks_of(job),
        on_invalid=job.on_invalid,
        max_invalid=job.retry.max_invalid,
        drift=drift_of(job.drift),
        on_drift=job.on_drift,
    )


def _source(given: Input, base: Path) -> InputSource:
    columns = given.columns
    return InputSource(
        path=STDIN if given.path == STDIN else str(_resolved(given.path, base)),
        format=given.format.value if given.format else "",
        custom_id_column=columns.custom_id,
        priority_column=columns.priority,
        model_column=columns.model,
        params_column=columns.params,
    )


def _resolved(path: str, base: Path) -> Path:
    return base / expanded(path)


def _models(job: JobFile) -> tuple[ModelChoice, ...]:
    if job.model is not None:
        return (ModelChoice(job.model),)
    if not job.models:
        return tuple(ModelChoice(model) for model in dict.fromkeys(route.model for route in job.routes))
    return tuple(
        ModelChoice(entry.model, (entry.endpoint,) if entry.endpoint else entry.endpoints, entry.weight)
        for entry in job.models
    )


def _concurrency(limits: Limits) -> int | Auto | None:
    return AUTO if limits.concurrency == "auto" else limits.concurrency


def _answer_schema(document: Document, given: dict[str, Any] | str | None, base: Path) -> dict[str, Any] | None:
    """The answer's schema, read from its file where need be. Raises InputError when it is none."""
    if given is None:
        return None
    try:
        return read_schema(_resolved(given, base)) if isinstance(given, str) else check_schema(given)
    except InputError as error:
        raise document.error(("schema",), error.message, error.remedy) from None
    except NoSchema as error:
        raise document.error(("schema", *error.where), str(error)) from None


def _check_templates(document: Document, job: JobFile) -> None:
    """Raises InputError for a template that cannot be compiled."""
    for field, text in (("prompt", job.prompt), ("system", job.system)):
        try:
            if text:
                check_template(field, text)
        except UserError as error:
            raise document.error((field,), error.message, error.remedy) from None
