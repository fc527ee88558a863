"""The command line that makes the same job as a draft: what a person does in the app, to be pasted into a shell."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Any

from tui_batch.domain.job import CacheMode, InputSource, JobSpec
from tui_batch.domain.request import Json
from tui_batch.engine.chaining import chained_job, chained_source
from tui_batch.inputs.draft import Auto, JobDraft
from tui_batch.inputs.json_text import json_or_text
from tui_batch.work.amounts import dollar_digits
from tui_batch.work.drafting import default_name
from tui_batch.work.simulator import NAME

CUT = "..."
"""Stands at the end where options cannot say all of it, so that the command is not taken for the whole."""


def run_words(draft: JobDraft, *, schema: str = "", sample: int | None = None) -> tuple[str, ...]:
    """`run INPUT -m MODEL ...`. `schema` is the path of the file that the draft's schema was read from; empty: none."""
    words = ["run", *_input(draft), *_endpoint(draft), *_options(draft)]
    for choice in draft.models:
        words += ["-m", choice.model]
    for name, value in draft.params.items():
        words += ["--param", f"{name}={_value(value)}"]
    if draft.schema is not None and schema:
        words += ["--schema", schema]
    if sample is not None:
        words += ["--sample", str(sample)]
    return (*words, *([] if _is_whole(draft, schema) else [CUT]))


def _input(draft: JobDraft) -> list[str]:
    source, job_id = draft.source, chained_job(draft.source.path)
    words = [source.path] if job_id is None else ["--from-job", str(job_id)]
    usual = InputSource("", "")
    for option, value, default in (
        ("--format", source.format if job_id is None else "", ""),
        ("--custom-id-column", source.custom_id_column, usual.custom_id_column),
        ("--priority-column", source.priority_column, usual.priority_column),
    ):
        words += [option, value] if value != default else []
    return words


def _endpoint(draft: JobDraft) -> list[str]:
    if draft.base_url:
        return ["--base-url", draft.base_url]
    name = _one_endpoint(draft)
    if name is None:
        return []
    return ["--simulate"] if name == NAME else ["--endpoint", name]


def _one_endpoint(draft: JobDraft) -> str | None:
    """The endpoint that all models are asked at; None: none is named, or options cannot say it."""
    named = {choice.endpoints or ((draft.endpoint,) if draft.endpoint else ()) for choice in draft.models}
    (only,) = named if len(named) == 1 else ((),)
    return only[0] if len(only) == 1 else None


def _options(draft: JobDraft) -> list[str]:
    """Options with one value each."""
    budget = None if draft.budget_nano is None else dollar_digits(draft.budget_nano)
    auto = isinstance(draft.concurrency, Auto)
    named: tuple[tuple[str, Any], ...] = (
        ("--api", draft.api),
        ("--mode", draft.mode),
        ("--operation", draft.operation),
        ("--system", draft.system),
        ("--prompt", draft.prompt),
        ("--concurrency", "auto" if auto else draft.concurrency),
        ("--rpm", draft.rpm),
        ("--tpm", draft.tpm),
        ("--budget", budget),
        ("--cap", draft.cap),
        ("--max-attempts", draft.max_attempts),
        ("--priority", draft.priority),
        ("--name", draft.name if draft.name != default_name(draft.source.path) else None),
    )
    words = [word for option, value in named if value is not None for word in (option, str(value))]
    words += [word for name, value in draft.tags.items() for word in ("--tag", f"{name}={value}")]
    words += {CacheMode.OFF: ["--no-cache"], CacheMode.REFRESH: ["--refresh"]}.get(draft.cache or CacheMode.USE, [])
    return [*words, *(["--keep-raw"] if draft.keep_raw else []), *(["--stream"] if draft.stream else [])]


def _value(value: Json) -> str:
    """As `--param` reads it: text that would be read as JSON, or refused as such, is written as JSON."""
    return value if isinstance(value, str) and _is_plain(value) else json.dumps(value, ensure_ascii=False)


def _is_plain(text: str) -> bool:
    try:
        return json_or_text(text) is text
    except ValueError:
        return False


_SAID = frozenset(
    {
        *("source", "name", "origin", "api", "endpoint", "base_url", "models", "mode", "operation", "system", "prompt"),
        *(
            "params",
            "schema",
            "concurrency",
            "rpm",
            "tpm",
            "budget_nano",
            "cap",
            "max_attempts",
            "cache",
            "priority",
            "tags",
        ),
        *("output", "keep_raw", "stream"),
    }
)
"""Fields that options can say, or that are about files beside the job."""
_USUAL = {field.name: field.default for field in fields(JobSpec) if field.default is not MISSING}


def _is_whole(draft: JobDraft, schema: str) -> bool:
    """Whether options can say all of it: no routes, checks, weights, or models at several endpoints."""
    rest = (field.name for field in fields(JobDraft) if field.name not in _SAID)
    if any(getattr(draft, name) not in (None, (), _USUAL.get(name)) for name in rest):
        return False
    if draft.schema is not None and not schema:
        return False
    source = draft.source
    usual = chained_source(0) if chained_job(source.path) is not None else InputSource("", "")
    if (source.model_column, source.params_column) != (usual.model_column, usual.params_column):
        return False
    placed = any(choice.endpoints for choice in draft.models)
    return all(choice.weight == 1.0 for choice in draft.models) and (not placed or _one_endpoint(draft) is not None)
