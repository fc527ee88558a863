"""Items, their attempts, and what is written about them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, Flag, StrEnum, auto

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.domain.quality import FailedCheck
from tui_batch.domain.values import immutable


class ItemState(StrEnum):
    """Stored states. In flight is memory, not a state: a crash can only repeat, never lose."""

    PENDING = "pending"
    DONE = "done"
    DEAD = "dead"
    CANCELLED = "cancelled"


class ItemFlag(Flag):
    """Remarks on a done item, stored as an integer."""

    NONE = 0
    TRUNCATED = auto()
    """The answer was cut by a length limit."""
    PROMPT_CUT = auto()
    """The server cut the prompt without saying so (Ollama)."""
    CHECK_FAILED = auto()
    """The answer fails the job's schema or a check, and the job takes it all the same."""
    UNJUDGED = auto()
    """The job's judge could not be had for this answer; it is taken without the judge's score."""

    @property
    def word(self) -> str:
        """As results and filters name one remark: `prompt_cut`."""
        return (self.name or "").lower()


class Leg(Enum):
    """What a request was made for."""

    ANSWER = auto()
    """To answer the row."""
    JUDGE = auto()
    """To judge the answer that is there."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer of an item that waits for its judge. The item is pending, so a crash costs no second answer."""

    text: str
    cls: OutcomeClass
    """OK, or TRUNCATED where a job takes such answers."""
    flags: ItemFlag
    cached: bool
    """The response cache gave it."""
    latency_s: float
    tries: int
    """Requests to the judge that failed and counted, so far."""
    saved_nano: int = 0
    """Nano-dollars that the item is counted to have saved; where the cache gave the answer, this is the answer's."""


@immutable(frozen=True, slots=True)
class PendingItem:
    """An item as the feeder reads it: what is needed to render and send it."""

    id: int
    seq: int
    """Row number in the job's input, from 0."""
    variant: int
    """Index into the job's models in mode `each`; 0 otherwise."""
    custom_id: str | None
    priority: int
    attempts: int
    """Requests that counted against max_attempts so far."""
    malformed: int
    """How many of those ended as malformed (they have a limit of their own)."""
    available_at: float
    """Unix time before which it must not be sent; 0: at once."""
    data: bytes
    """The row as a JSON object."""
    requests: int = 0
    """Requests made for it so far, those that cost no attempt included: the next Attempt.number is one more."""
    invalid: int = 0
    """Answers that failed the job's schema or a check; they have a limit of their own."""
    sent_at: float = 0.0
    """Unix time at which its last request was sent; 0: none was."""
    answered: Answered | None = None
    """Set where the answer is there and the judge has yet to be asked."""

    def waits_s(self, now: float) -> float:
        """Seconds from the Unix time `now` until it may be sent; 0 or less: at once.

        A last request that was sent after `now` tells that the clock was set back since. What was an hour ahead then
        must not be an hour's wait now: at most the wait that was decided is left.
        """
        return self.available_at - max(now, self.sent_at)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One failed request of an item. The successful one is the item's own result."""

    item_id: int
    number: int
    """1 for the first request made for the item, counting those that cost no attempt."""
    at: float
    """Unix time of sending."""
    deployment: DeploymentKey
    cls: OutcomeClass
    status: int | None
    message: str
    latency_s: float
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_nano: int | None = None
    """Nano-dollars billed for it; None: unknown. Failures that a provider does not bill are 0."""
    failing: tuple[FailedCheck, ...] = ()
    """The checks that its answer fails."""


@immutable(frozen=True, slots=True)
class CachedResponse:
    """A stored answer, enough to make an item done without a call."""

    key: bytes
    """16-byte BLAKE2 of wire format, base URL, model and canonical body."""
    model: str
    text: str
    finish_reason: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost_nano: int | None
    """What the original call cost: what each hit saves."""


_KEPT = frozenset({ItemState.DONE, ItemState.DEAD})
"""States that come with a result."""


@immutable(frozen=True, slots=True)
class ItemRecord:
    """One outcome to commit: an item's new state with everything that must appear in the same transaction."""

    job_id: int
    item_id: int
    state: ItemState
    """PENDING for a retry that waits."""
    attempts: int
    malformed: int
    available_at: float
    outcome: Outcome
    deployment: DeploymentKey | None
    """None for a cache hit or an item that never left (context_length known before the call)."""
    cost_nano: int | None
    """Cost of this one request; 0 for a cache hit; None: unknown price."""
    at: float
    """Unix time of the decision."""
    cached: bool = False
    flags: ItemFlag = ItemFlag.NONE
    attempt: Attempt | None = None
    """Set whenever the request failed."""
    cache_entry: CachedResponse | None = None
    """Set when the answer is to be stored in the cache."""
    keep_raw: bool = False
    cache_key: bytes | None = None
    """Key of the cache entry that answered, so that its hit is counted; only with cached=True."""
    saved_nano: int | None = None
    """What a cache hit would have cost; None: unknown, or not a hit."""
    invalid: int = 0
    """Answers so far that failed the job's schema or a check."""
    score: float | None = None
    """What the job's checks give the answer, 0 to 1; None: no check gives one, or there is no answer."""
    presumed_nano: int = 0
    """With an unknown cost: the most that it can be. It counts against caps."""
    leg: Leg = Leg.ANSWER
    """JUDGE: the answer, its class, its place and its time stay as they are stored, unless the judge turns it down."""
    judging: int = 0
    """With PENDING: the answer is kept and waits for its judge; 1, and 1 more for each request to it that failed."""
    recanted: bool = False
    """The response cache gave the answer, and the judge turned it down: it was no hit after all."""
    unsaved_nano: int = 0
    """With recanted: what that hit was counted to have saved, in nano-dollars."""
    reason: str = ""
    """The judge's own words."""
    failing: tuple[FailedCheck, ...] = ()
    """The checks that the answer fails."""

    @property
    def keeps_answer(self) -> bool:
        """Whether the outcome holds an answer, or the last error, that is to be kept as the item's result."""
        return self.leg is Leg.ANSWER and (self.state in _KEPT or self.judging > 0)

    @property
    def is_hit(self) -> bool:
        """Answered by the cache for good; an item that is to be asked again is no hit, whatever it was offered."""
        return self.cached and self.keeps_answer

    @property
    def saves(self) -> bool:
        """Whether a stored response took the place of a request: an answer for good, or whatever a judge said."""
        return self.cached and (self.leg is Leg.JUDGE or self.keeps_answer)


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row of the input on its way into the store. Its seq is given by the importer, in order of accepted rows."""

    line: int | None
    """Line in the input where the row begins, from 1; the row's number where the format has no lines (parquet)."""
    custom_id: str | None
    """Unique within the job; None: the row has none."""
    priority: int
    data: bytes
    """The row as a JSON object, UTF-8."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A row that was not stored because its custom_id is taken."""

    line: int | None
    custom_id: str
    first_line: int | None
    """Line of the row that has this custom_id already."""
