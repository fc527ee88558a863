"""What a person asked for in a job file, before settings and flags complete it. Knows nothing of YAML or pydantic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.job import CacheMode, Cap, InputSource, LengthBucket, Mode, OnTruncated, RouteRule
from tui_batch.domain.quality import Check, DriftRule, OnDrift, OnInvalid
from tui_batch.domain.request import Json


class Auto(Enum):
    """The word `auto` where a number may stand."""

    AUTO = "auto"


AUTO: Final = Auto.AUTO


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model as a job file names it."""

    model: str
    endpoints: tuple[str, ...] = ()
    """Names of endpoints; empty: the job's own endpoint, or wherever the model is found."""
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class JobDraft:
    """A job as asked for. None means not said, so that flags and settings may still decide."""

    source: InputSource
    """An empty format is to be found from the file. The path is absolute, or as given for standard input."""
    name: str
    """As given, or the job file's name without its ending."""
    origin: Path | None = None
    """The job file."""
    api: Api | None = None
    endpoint: str | None = None
    base_url: str | None = None
    models: tuple[ModelChoice, ...] = ()
    mode: Mode | None = None
    operation: Operation | None = None
    system: str | None = None
    prompt: str | None = None
    params: Mapping[str, Json] = field(default_factory=dict)
    schema: Json = None
    """JSON Schema of the answer, checked to be one."""
    concurrency: int | Auto | None = None
    rpm: int | None = None
    """Requests a minute."""
    tpm: int | None = None
    """Tokens a minute."""
    budget_nano: int | None = None
    """Nano-dollars."""
    cap: Cap | None = None
    max_attempts: int | None = None
    cache: CacheMode | None = None
    priority: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    output: Path | None = None
    """Absolute."""
    on_truncated: OnTruncated | None = None
    keep_raw: bool | None = None
    timeout_base_s: float | None = None
    timeout_per_1k_tokens_s: float | None = None
    stream: bool | None = None
    first_byte_s: float | None = None
    stall_s: float | None = None
    routes: tuple[RouteRule, ...] = ()
    """Rules of mode `route`; with them the mode need not be said."""
    buckets: tuple[LengthBucket, ...] = ()
    checks: tuple[Check, ...] = ()
    on_invalid: OnInvalid | None = None
    max_invalid: int | None = None
    drift: DriftRule | None = None
    on_drift: OnDrift | None = None
