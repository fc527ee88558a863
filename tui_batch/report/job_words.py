"""A job's settings in words, as reports and `show` tell them."""

from __future__ import annotations

import orjson

from tui_batch import figures
from tui_batch.domain.job import Job, JobSpec, Knobs
from tui_batch.providers.redact import clean_message
from tui_batch.quality.kinds import in_words

SECONDS = "{:g} s"


def settings_of(job: Job) -> tuple[tuple[str, str], ...]:
    """Names and values, those without a value left out; each of bounded length, and what looks like a key removed."""
    pairs = (*_asked(job.spec), *_where(job.spec), *_held(job.spec), *_limits(job.knobs))
    return tuple((name, clean_message(value)) for name, value in pairs if value)


def _asked(spec: JobSpec) -> tuple[tuple[str, str], ...]:
    """What is asked of the models."""
    return (
        ("input", f"{spec.source.path} ({spec.source.format})"),
        ("operation", spec.operation.value),
        ("system", spec.system),
        ("prompt", spec.prompt),
        ("parameters", ", ".join(f"{name}={_json(value)}" for name, value in spec.params.items())),
        ("schema", "" if spec.schema is None else _json(spec.schema)),
    )


def _where(spec: JobSpec) -> tuple[tuple[str, str], ...]:
    """Who is asked."""
    return (
        ("models", "; ".join(f"{ref.model} @ {', '.join(ref.endpoints)}" for ref in spec.models)),
        ("mode", spec.mode.value if len(spec.models) > 1 else ""),
        ("routes", "; ".join(map(str, spec.routes))),
        ("endpoints", "; ".join(f"{one.name}: {one.base_url} ({one.api})" for one in spec.endpoints)),
    )


def _held(spec: JobSpec) -> tuple[tuple[str, str], ...]:
    """What answers are held to, and how often they are asked for."""
    stream = f"streamed; first byte {SECONDS.format(spec.first_byte_s)}, stall {SECONDS.format(spec.stall_s)}"
    return (
        ("checks", "; ".join(map(in_words, spec.checks))),
        ("failed checks", spec.on_invalid.value if spec.checks or spec.schema is not None else ""),
        ("drift", spec.on_drift.value if spec.on_drift is not None else ""),
        ("cut answers", spec.on_truncated.value),
        ("attempts", f"at most {spec.max_attempts}"),
        ("response cache", spec.cache.value),
        ("streaming", stream if spec.stream else ""),
        ("prompt lengths", "; ".join(map(str, spec.buckets))),
    )


def _limits(knobs: Knobs) -> tuple[tuple[str, str], ...]:
    """What may be turned while it runs."""
    return (
        ("concurrency", str(knobs.concurrency or "auto")),
        ("requests a minute", "" if knobs.rpm is None else f"{knobs.rpm:,}"),
        ("tokens a minute", "" if knobs.tpm is None else f"{knobs.tpm:,}"),
        ("budget", "" if knobs.budget_nano is None else figures.budget(knobs)),
        ("priority", str(knobs.priority) if knobs.priority else ""),
        ("tags", ", ".join(f"{name}={value}" for name, value in knobs.tags.items())),
    )


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
