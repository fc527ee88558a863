"""A draft written as a job file, for `load_job_draft` to give the same draft back. Importing this loads pydantic."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Any

from tui_batch.domain.job import NANO, Condition, InputSource, LengthBucket, RouteRule
from tui_batch.errors import InputError, UserError
from tui_batch.inputs.byte_source import STDIN
from tui_batch.inputs.draft import Auto, JobDraft, ModelChoice
from tui_batch.inputs.job_checks import entry_of
from tui_batch.inputs.job_file import dump_job_file, plain_number, validated
from tui_batch.inputs.yaml_document import dump, parse

_MOST_UP = 2
"""A file further up than so many folders is named by its whole path: such a pair is rarely moved together."""


def job_file_text(draft: JobDraft, path: Path) -> str:
    """The text of a job file at `path`; files beside it are named relative to it.

    Raises InputError naming the field for a draft that a job file cannot say, such as one with a secret in it.
    """
    document = parse(dump(_without_empty(_fields(draft, path.absolute().parent))), str(path))
    return dump_job_file(validated(document))


def save_new(draft: JobDraft, path: Path) -> None:
    """Writes a job file that is not there yet. Raises FileExistsError when it is; otherwise UserError. Blocks."""
    text = job_file_text(draft, path)
    try:
        with path.open("x"):
            pass  # it is ours from now on
        with _gone_unless_whole(path):
            path.write_text(text, encoding="utf-8", newline="\n")
    except FileExistsError:
        raise
    except OSError as error:
        raise _unwritable(path, error) from None


def replace_file(draft: JobDraft, path: Path) -> None:
    """Writes a job file in place of the one that is there, whole or not at all. Raises UserError. Blocks."""
    text = job_file_text(draft, path)
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            made = Path(file.name)
        with _gone_unless_whole(made):
            made.write_text(text, encoding="utf-8", newline="\n")
            shutil.copymode(path, made)
            made.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from None


@contextmanager
def _gone_unless_whole(path: Path) -> Iterator[None]:
    """Takes a file away whose making fails: half a job file is none, and would be in the way of the next one."""
    try:
        yield
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _unwritable(path: Path, error: OSError) -> UserError:
    return InputError(str(path), f"cannot be written: {error.strerror}", remedy="Choose another place.")


def _fields(draft: JobDraft, base: Path) -> dict[str, Any]:
    """All of a draft under the names of job files, in their documented order; what is None was not said."""
    return {
        "name": draft.name,
        "input": _input(draft.source, base),
        "api": draft.api,
        "endpoint": draft.endpoint,
        "base_url": draft.base_url,
        "model": _lone_model(draft.models),
        "models": None if _lone_model(draft.models) else [_model(choice) for choice in draft.models],
        "mode": draft.mode,
        "routes": [_route(rule) for rule in draft.routes],
        "buckets": [_bucket(bucket) for bucket in draft.buckets],
        "operation": draft.operation,
        "system": draft.system,
        "prompt": draft.prompt,
        "params": dict(draft.params),
        "schema": draft.schema,
        "checks": [entry_of(check) for check in draft.checks],
        "on_invalid": draft.on_invalid,
        "drift": None if draft.drift is None else asdict(draft.drift),
        "on_drift": draft.on_drift,
        "limits": {
            "concurrency": "auto" if isinstance(draft.concurrency, Auto) else draft.concurrency,
            "rpm": draft.rpm,
            "tpm": draft.tpm,
            "budget": None if draft.budget_nano is None else plain_number(Decimal(draft.budget_nano) / NANO),
            "cap": draft.cap,
        },
        "retry": {"max_attempts": draft.max_attempts, "max_invalid": draft.max_invalid},
        "cache": draft.cache,
        "priority": draft.priority,
        "tags": dict(draft.tags),
        "output": None if draft.output is None else _relative(str(draft.output), base),
        "on_truncated": draft.on_truncated,
        "keep_raw": draft.keep_raw,
        "stream": draft.stream,
        "timeouts": {
            "base": draft.timeout_base_s,
            "per_1k_tokens": draft.timeout_per_1k_tokens_s,
            "first_byte": draft.first_byte_s,
            "stall": draft.stall_s,
        },
    }


_WHOLE = frozenset({"params", "schema"})
"""Fields whose content is not ours: nothing in them is left out."""


def _without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, dict) and name not in _WHOLE:
            value = {key: inner for key, inner in value.items() if inner is not None}
        if value is None or value == [] or (value == {} and name != "schema"):
            continue
        found[name] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    """The value with words in place of enums and lists in place of tuples, which YAML does not know."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, str) else value


def _input(source: InputSource, base: Path) -> dict[str, Any]:
    usual = InputSource("", "")
    names = ("custom_id", "priority", "model", "params")
    columns = {
        name: getattr(source, f"{name}_column")
        for name in names
        if getattr(source, f"{name}_column") != getattr(usual, f"{name}_column")
    }
    path = STDIN if source.path == STDIN else _relative(source.path, base)
    return {"path": path, "format": source.format or None, "columns": columns or None}


def _relative(path: str, base: Path) -> str:
    """As seen from the job file's folder, where it lies near by and the short form means the same."""
    absolute = os.path.abspath(path)
    try:
        short = PurePath(os.path.relpath(absolute, base))
    except ValueError:  # another drive
        return absolute
    if short.parts.count("..") > _MOST_UP or str(short) == STDIN or str(short).startswith("~"):
        return absolute
    return short.as_posix()


def _lone_model(choices: tuple[ModelChoice, ...]) -> str | None:
    """The model's name when that says everything."""
    return choices[0].model if len(choices) == 1 and choices[0] == ModelChoice(choices[0].model) else None


def _model(choice: ModelChoice) -> dict[str, Any] | str:
    if choice == ModelChoice(choice.model):
        return choice.model
    entry: dict[str, Any] = {"model": choice.model}
    if len(choice.endpoints) == 1:
        entry["endpoint"] = choice.endpoints[0]
    elif choice.endpoints:
        entry["endpoints"] = list(choice.endpoints)
    return entry if choice.weight == 1.0 else {**entry, "weight": choice.weight}


def _route(rule: RouteRule) -> dict[str, Any]:
    when = _when(rule.when)
    return {"when": when, "model": rule.model} if when else {"model": rule.model}


def _when(condition: Condition) -> dict[str, Any]:
    found = {
        "longer_than": condition.longer_than,
        "shorter_than": condition.shorter_than,
        "column": condition.column or None,
        "contains": list(condition.contains) or None,
        "matches": condition.matches or None,
        "in": list(condition.equals) or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _bucket(bucket: LengthBucket) -> dict[str, Any]:
    found = {"up_to": bucket.up_to, "concurrency": bucket.concurrency}
    return {name: value for name, value in found.items() if value is not None}
