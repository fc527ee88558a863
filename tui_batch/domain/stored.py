"""Values read back from the store: what lists, details, exports and logs show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.item import Attempt, ItemFlag, ItemState
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.quality import FailedCheck
from tui_batch.domain.request import Json


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item as lists show it."""

    id: int
    seq: int
    variant: int
    line: int | None
    custom_id: str | None
    state: ItemState
    priority: int
    attempts: int
    requests: int
    cls: OutcomeClass | None
    """Class of the last outcome; None: none yet."""
    cached: bool
    flags: ItemFlag
    endpoint: str | None
    """Where the last request went; None for a cache hit or before the first request."""
    model: str | None
    tokens_in: int | None
    """Of all its requests, failed ones included; None: no server said."""
    tokens_out: int | None
    cost_nano: int | None
    """Of all its requests, failed ones included; None: unknown, wholly or in part."""
    latency_ms: int | None
    """Of the last request."""
    started_at: float | None
    """Unix time of sending of the last request."""
    finished_at: float | None
    """Unix time of the decision that ended it; None: pending."""
    excerpt: str = ""
    """The beginning of its answer or, when it is dead, of the error's message: at most 200 characters."""
    score: float | None = None
    """What the job's checks gave the answer, 0 to 1; None: no score."""
    fields: Mapping[str, Json] | None = None
    """Fields of an answer that is a JSON object, where a list asked for them; None: none, or not asked for."""


@dataclass(frozen=True, slots=True)
class ItemDetail:
    """Everything known about one item."""

    row: ItemRow
    job_id: int
    data: bytes
    """The input row as a JSON object."""
    text: str | None
    message: str
    """Words of the error that made it dead; else empty."""
    finish_reason: str | None
    request_id: str | None
    raw: bytes | None
    """The last response body, where the job keeps it."""
    attempts: tuple[Attempt, ...]
    """Every failed request, oldest first."""
    reason: str = ""
    """The judge's own words about the answer, where the job has a judge."""
    failing: tuple[FailedCheck, ...] = ()
    """The checks that the answer fails, of a dead item or of one that is taken all the same."""


@dataclass(frozen=True, slots=True)
class ExportRow:
    """An item as result files need it."""

    id: int
    seq: int
    variant: int
    line: int | None
    custom_id: str | None
    state: ItemState
    cls: OutcomeClass | None
    data: bytes
    """The input row as a JSON object."""
    text: str | None
    message: str
    finish_reason: str | None
    endpoint: str | None
    model: str | None
    tokens_in: int | None
    tokens_out: int | None
    cost_nano: int | None
    """None: unknown, wholly or in part."""
    latency_ms: int | None
    cached: bool
    flags: ItemFlag
    attempts: int
    score: float | None = None
    """What the job's checks gave the answer, 0 to 1; None: no score."""
    request_id: str | None = None
    """The provider's own name for the last request."""
    finished_at: float | None = None
    """Unix time of the decision that ended it; None: pending."""
    failing: tuple[FailedCheck, ...] = ()
    """The checks that the answer fails."""
    reason: str | None = None
    """The judge's own words about the answer; None: no judge spoke."""


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Dead items that failed in the same way."""

    cls: OutcomeClass
    message: str
    """The message with numbers, ids and quoted parts made alike."""
    count: int
    example_id: int
    """The first of these items in input order."""
    example: str
    """That item's message as it came."""


@dataclass(frozen=True, slots=True)
class Command:
    """A verb left by another process for the owner of a job."""

    id: int
    job_id: int | None
    """None once the job is deleted."""
    verb: str
    args: Mapping[str, Json]
    created_at: float


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command ended."""

    ok: bool
    message: str


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the log a person reads."""

    id: int
    job_id: int | None
    at: float
    level: str
    """info, warning or error."""
    text: str


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What the response cache holds and has saved."""

    entries: int
    bytes: int
    """Bytes of answers, keys and names; the file's own overhead is not in it."""
    hits: int
    saved_nano: int
    """What the hits would have cost, as far as prices are known."""


@dataclass(frozen=True, slots=True)
class RecentRequests:
    """Requests of one job to one deployment that were sent close in time, and that its server counted."""

    job_id: int
    concurrency: int | None
    """The job's own, as it is now; None: auto."""
    deployment: DeploymentKey
    at: float
    """Unix time at which the last of them was sent."""
    ended_at: float
    """Unix time at which the last of them ended."""
    requests: int
    tokens: int
    """As the server reported; unknown ones are left out."""
    seconds: float
    """Sum of their latencies."""
