"""From options and a job file to what is asked for: the file first, options over it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tui_batch.cli.flags import JobFlags
from tui_batch.cli.parsing import (
    parse_concurrency,
    parse_dollars,
    parse_pairs,
    parse_params,
    parse_whole,
    parse_word,
)
from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.job import MOST_ATTEMPTS, MOST_PRIORITY, CacheMode, Cap, InputSource, Mode
from tui_batch.domain.request import Json
from tui_batch.errors import UserError
from tui_batch.inputs.detection import is_job_file
from tui_batch.inputs.draft import JobDraft, ModelChoice
from tui_batch.paths import expanded
from tui_batch.work.samples import resolved


def asked(flags: JobFlags) -> JobDraft:
    """What the options and, when INPUT is one, the job file ask for. Raises UserError."""
    return over(_base(flags), flags)


def over(draft: JobDraft, flags: JobFlags) -> JobDraft:
    """What the options ask for over what a job file or another job says. Raises UserError."""
    if flags.model:  # how other models shared the rows says nothing about these
        draft = replace(draft, mode=None)
    if flags.mode != Mode.ROUTE and (flags.model or flags.mode):
        draft = replace(draft, routes=())
    draft = replace(draft, source=_source(draft.source, flags), **_given(flags))
    if flags.endpoint and flags.base_url:
        raise UserError("--endpoint and --base-url say two things", remedy="Give one of them.")
    if flags.endpoint or flags.base_url:
        everywhere = tuple(replace(choice, endpoints=()) for choice in draft.models)
        draft = replace(draft, endpoint=flags.endpoint, base_url=flags.base_url, models=everywhere)
    return with_pairs(draft, flags)


def _base(flags: JobFlags) -> JobDraft:
    """The job file, a bare data file, or the answers of a job."""
    chained = parse_whole("--from-job", flags.from_job)
    if chained is not None:
        if flags.format is not None:
            raise UserError("--format is for files, and --from-job reads the database", remedy="Leave --format out.")
        return _chained(chained, flags.input)
    if not flags.input:
        raise UserError("INPUT is missing", remedy="Name a file of prompts or a job file, or use --from-job N.")
    return _of_file(flags.input)


def _chained(job_id: int, text: str) -> JobDraft:
    """What a job file asks for, over the answers of a job; without one, the answers are the prompts."""
    from tui_batch.engine.chaining import chained_source

    if not text:
        return JobDraft(chained_source(job_id), f"from job {job_id}", prompt="{{ response }}")
    draft = _of_file(text)
    if draft.origin is None:
        raise UserError(f"{text} and --from-job say two things", remedy="Beside --from-job, INPUT may be a job file.")
    return replace(draft, source=chained_source(job_id), prompt=draft.prompt or "{{ response }}")


def _of_file(text: str) -> JobDraft:
    text = resolved(text)
    if is_job_file(text):
        from tui_batch.inputs.job_file import load_job_draft

        return load_job_draft(Path(text))
    name = "stdin" if text == "-" else Path(text).name.partition(".")[0] or text
    path = text if text == "-" else str(expanded(text).absolute())
    return JobDraft(InputSource(path, ""), name)


def _source(source: InputSource, flags: JobFlags) -> InputSource:
    return replace(
        source,
        format=source.format if flags.format is None else flags.format,
        custom_id_column=source.custom_id_column if flags.custom_id_column is None else flags.custom_id_column,
        priority_column=source.priority_column if flags.priority_column is None else flags.priority_column,
    )


def _given(flags: JobFlags) -> dict[str, Any]:
    """The fields that options decide."""
    models = tuple(ModelChoice(name) for name in flags.model or ())
    found = {
        "name": (flags.name or "").strip() or None,
        "api": parse_word("--api", flags.api, Api),
        "models": models or None,
        "mode": parse_word("--mode", flags.mode, Mode),
        "operation": parse_word("--operation", flags.operation, Operation),
        "system": flags.system,
        "prompt": flags.prompt,
        "schema": _schema(flags.schema),
        "concurrency": parse_concurrency(flags.concurrency),
        "rpm": parse_whole("--rpm", flags.rpm),
        "tpm": parse_whole("--tpm", flags.tpm),
        "budget_nano": parse_dollars("--budget", flags.budget),
        "cap": parse_word("--cap", flags.cap, Cap),
        "max_attempts": parse_whole("--max-attempts", flags.max_attempts, 1, MOST_ATTEMPTS),
        "cache": _cache(flags),
        "priority": parse_whole("--priority", flags.priority, -MOST_PRIORITY, MOST_PRIORITY),
        "keep_raw": flags.keep_raw or None,
        "stream": flags.stream or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _schema(path: Path | None) -> Json:
    if path is None:
        return None
    from tui_batch.inputs.answer_schema import read_schema

    return read_schema(expanded(path))


def _cache(flags: JobFlags) -> CacheMode | None:
    if flags.no_cache and flags.refresh:
        raise UserError("--no-cache and --refresh say two things", remedy="Give one of them.")
    if flags.no_cache:
        return CacheMode.OFF
    return CacheMode.REFRESH if flags.refresh else None


def with_pairs(draft: JobDraft, flags: JobFlags) -> JobDraft:
    """Parameters and tags of the options over those of the job file, name by name."""
    return replace(
        draft,
        params={**draft.params, **parse_params(flags.param or ())},
        tags={**draft.tags, **parse_pairs("--tag", flags.tag or ())},
    )
