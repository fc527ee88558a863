"""Jobs: the frozen spec, the knobs that may turn while it runs, the counters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tui_batch.domain.endpoint import Endpoint, Operation
from tui_batch.domain.quality import Check, DriftRule, OnDrift, OnInvalid
from tui_batch.domain.request import Json
from tui_batch.domain.values import immutable

NANO = 1_000_000_000
"""Nano-dollars in a dollar. Money is always an integer of these."""
MOST_DOLLARS = 1_000_000_000
"""The largest budget."""


MOST_SECONDS = 604_800
"""The longest that a job may wait for an answer, or for each thousand tokens of it: a week."""
MOST_IN_FLIGHT = 100_000
"""The highest concurrency that a job may ask for."""
MOST_ATTEMPTS = 1_000
"""The most requests that a job may make for one row."""
MOST_PRIORITY = 1_000_000
"""How far the priority of a job or an item may lie above or below 0."""

DEFAULT_PROMPT = "{{ prompt }}"
"""The template of a job that names none."""


class JobState(StrEnum):
    """Where a job stands."""

    DRAFT = "draft"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE = frozenset({JobState.QUEUED, JobState.RUNNING})
TERMINAL = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED})
OWNER_GONE = "The process that ran this job is gone."
"""The message of a job whose owner's lease ran out."""


UNREADABLE = "unreadable"
"""Shown in the place of a state where the stored job cannot be read."""


class PauseReason(StrEnum):
    """Why a job stands still."""

    USER = "user"
    BUDGET = "budget"
    QUOTA = "quota"
    AUTH = "auth"
    NOT_FOUND = "not_found"
    ERROR_RATE = "error_rate"
    QUALITY = "quality"
    OWNER_LOST = "owner_lost"


class Mode(StrEnum):
    """How a job's models share its rows."""

    SINGLE = "single"
    EACH = "each"
    SPREAD = "spread"
    ROUTE = "route"
    FALLBACK = "fallback"


class CacheMode(StrEnum):
    """How a job uses the response cache."""

    USE = "use"
    REFRESH = "refresh"
    OFF = "off"


class Cap(StrEnum):
    """What a budget does with a request whose cost nothing bounds: a search by the provider, a tier without a price."""

    BINDING = "binding"
    """It is not sent: the job pauses before it, so that the budget is never passed."""
    LOOSE = "loose"
    """It is sent, and the budget may be passed by what it costs beyond its tokens."""


class OnTruncated(StrEnum):
    """What to do with an answer cut by a length limit."""

    FLAG = "flag"
    DEAD = "dead"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model a job may use and the endpoints that serve it."""

    model: str
    endpoints: tuple[str, ...]
    """Names of the job's endpoints that serve it, at least one."""
    weight: float = 1.0


def model_names(models: Iterable[ModelRef]) -> tuple[str, ...]:
    """What models are called side by side, no two alike: `m`; `m @ gpu0` where several are called so, served apart."""
    refs = tuple(models)
    alike = Counter(ref.model for ref in refs)
    names = [ref.model if alike[ref.model] == 1 else f"{ref.model} @ {', '.join(ref.endpoints)}" for ref in refs]
    return tuple(
        name if not (before := names[:place].count(name)) else f"{name} #{before + 1}"
        for place, name in enumerate(names)
    )


@dataclass(frozen=True, slots=True)
class Condition:
    """What a row must be like. Everything that is given must hold; nothing given holds for every row.

    Upper and lower case are alike.
    """

    longer_than: int | None = None
    """The rendered prompt, system text included, has more tokens than this, by estimate."""
    shorter_than: int | None = None
    """It has fewer tokens than this, by estimate."""
    column: str = ""
    """The column whose text the following look at; empty: the rendered prompt without the system text."""
    contains: tuple[str, ...] = ()
    """One of these stands in the text."""
    matches: str = ""
    """This regular expression is found in the text; it has no look-around and no back-references."""
    equals: tuple[str, ...] = ()
    """The whole text is one of these; numbers, true and false as JSON writes them."""

    def __str__(self) -> str:
        """In words."""
        where = self.column or "prompt"
        parts = [
            f"longer than {self.longer_than} tokens" if self.longer_than is not None else "",
            f"shorter than {self.shorter_than} tokens" if self.shorter_than is not None else "",
            f"{where} contains {' or '.join(self.contains)}" if self.contains else "",
            f"{where} matches {self.matches}" if self.matches else "",
            f"{where} is {' or '.join(self.equals)}" if self.equals else "",
        ]
        return ", ".join(filter(None, parts)) or "all others"


@dataclass(frozen=True, slots=True)
class RouteRule:
    """In mode `route`: rows like this go to this model."""

    model: str
    when: Condition = Condition()

    def __str__(self) -> str:
        """In words."""
        return f"{self.when}: {self.model}"


@dataclass(frozen=True, slots=True)
class LengthBucket:
    """Prompts of a range of lengths, with a concurrency of their own within the job's."""

    concurrency: int
    """Requests of this bucket in flight at most."""
    up_to: int | None = None
    """The longest prompt in it, in estimated tokens; None: any that is too long for the buckets before it."""

    def __str__(self) -> str:
        """In words."""
        lengths = "longer" if self.up_to is None else f"up to {self.up_to} tokens"
        return f"{lengths}: {self.concurrency} in flight"


@dataclass(frozen=True, slots=True)
class InputSource:
    """Where rows came from; kept so that a report can say so."""

    path: str
    """`-` for standard input; `job:3` for the answers of job 3."""
    format: str
    """txt, jsonl, json, csv, tsv, parquet, batch (OpenAI Batch lines), bodies (a bare request body a line) or job.

    Empty only before the input was opened: to be found from the file.
    """
    custom_id_column: str = "custom_id"
    priority_column: str = "priority"
    model_column: str = ""
    """The column with a row's own model. Only where it is named, or the file is what names the models: a column of that
    name may hold cars, too."""
    params_column: str = "params"


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What a job does. Frozen at the first dispatch: changing it makes a new job."""

    name: str
    source: InputSource
    models: tuple[ModelRef, ...]
    endpoints: tuple[Endpoint, ...]
    """Resolved and complete (but for secrets), so that any process can resume the job exactly."""
    mode: Mode = Mode.SINGLE
    operation: Operation = Operation.CHAT
    prompt: str = DEFAULT_PROMPT
    """Jinja template over the row's columns."""
    system: str = ""
    """Jinja template; empty: no system message."""
    params: Mapping[str, Json] = field(default_factory=dict)
    schema: Json = None
    max_attempts: int = 5
    """Requests that count for one item, the first included; in mode `fallback` for each of the models in turn."""
    max_malformed: int = 3
    """A 2xx that is not the promised shape: this many requests in all, then dead."""
    on_truncated: OnTruncated = OnTruncated.FLAG
    cache: CacheMode = CacheMode.USE
    keep_raw: bool = False
    timeout_base_s: float = 60.0
    timeout_per_1k_tokens_s: float = 20.0
    stream: bool = False
    """Ask for answers piece by piece, so that a stall is noticed long before the whole time is over."""
    first_byte_s: float = 60.0
    """Streamed: silence at most before an answer begins; timeout_per_1k_tokens_s is added for the prompt's tokens."""
    stall_s: float = 30.0
    """Streamed: silence at most between two pieces of an answer."""
    routes: tuple[RouteRule, ...] = ()
    """Mode `route`: the first rule that fits a row names its model; without one the last of `models` answers."""
    buckets: tuple[LengthBucket, ...] = ()
    """By rising `up_to`; empty: prompts of all lengths share the job's concurrency."""
    checks: tuple[Check, ...] = ()
    """What answers are held to, beside the schema."""
    on_invalid: OnInvalid = OnInvalid.RETRY
    max_invalid: int | None = None
    """Answers that may fail the schema or a check: this many requests in all, then dead; None: max_attempts bounds."""
    drift: DriftRule = field(default_factory=DriftRule)
    on_drift: OnDrift | None = None
    """None: a job with checks or a schema warns, any other does not watch."""
    judge: ModelRef | None = None
    """The model that the check `judge` asks, and its endpoints, which are among the job's; None: no such check."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """What may change while a job runs."""

    concurrency: int | None = None
    """Requests in flight at most; None: auto."""
    rpm: int | None = None
    """Requests in any 60 seconds for this job; None: no limit of its own."""
    tpm: int | None = None
    """Tokens in any 60 seconds for this job; None: no limit of its own."""
    budget_nano: int | None = None
    """Nano-dollars this job may spend in all; None: no cap."""
    priority: int = 0
    """Higher runs first."""
    tags: Mapping[str, str] = field(default_factory=dict)
    cap: Cap = Cap.BINDING
    """Whether the budget also holds against requests whose cost nothing bounds."""


@immutable(frozen=True, slots=True)
class Counters:
    """A job's figures, kept in the job's row and updated in the same transaction as its items."""

    total: int = 0
    done: int = 0
    dead: int = 0
    pending: int = 0
    cancelled: int = 0
    cached: int = 0
    requests: int = 0
    """HTTP requests that came to an outcome."""
    tokens_in: int = 0
    tokens_out: int = 0
    cost_nano: int = 0
    """Sum of the known costs, failed attempts included."""
    unpriced: int = 0
    """Requests whose cost is unknown; when above 0 the cost is shown with a `?`."""
    saved_nano: int = 0
    """What cache hits would have cost."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that runs a job."""

    host: str
    pid: int
    token: str
    """Random, new for every engine: tells a process from a later one with the same pid."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as stored."""

    id: int
    spec: JobSpec
    knobs: Knobs
    state: JobState
    reason: PauseReason | None
    message: str
    """The words behind a pause or failure: the provider's own, where there are any."""
    counters: Counters
    owner: Owner | None
    heartbeat_at: float | None
    created_at: float
    started_at: float | None
    finished_at: float | None
    imported: bool = True
    """False while rows are still being read in, or when that was cut off."""
    trouble: str = ""
    """Why the stored job cannot be read, where it cannot: lists show it as failed, with a spec that is but a name."""
