"""What becomes of an item after an outcome: a pure function over the table of outcomes (docs/outcomes.md)."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from tenacity import wait_exponential

from tui_batch.domain.item import ItemFlag
from tui_batch.domain.job import JobSpec, Mode, OnTruncated, PauseReason
from tui_batch.domain.outcome import FREE_RETRY, JOB_WIDE, RETRYABLE, Outcome, OutcomeClass
from tui_batch.domain.quality import OnInvalid
from tui_batch.domain.values import immutable

if TYPE_CHECKING:
    from tenacity import RetryCallState

PROMPT_CUT_CODE = "prompt_cut"
"""`Outcome.code` of a TRUNCATED outcome whose prompt, not answer, was cut (Ollama's silent truncation)."""

STATED_FREE_WAITS = 3
"""Refusals for which a server's Retry-After stands alone; later ones wait at least a growing floor."""
STATED_FLOOR_CAP_S = 5.0
"""The most that floor grows to: a server that always says "retry at once" is asked every five seconds at worst."""

_PAUSES = {
    OutcomeClass.QUOTA: PauseReason.QUOTA,
    OutcomeClass.AUTH: PauseReason.AUTH,
    OutcomeClass.NOT_FOUND: PauseReason.NOT_FOUND,
}
_FALLBACK_WORDS = {
    OutcomeClass.QUOTA: "the provider says that the account has no money or quota left",
    OutcomeClass.AUTH: "the provider refused the key",
    OutcomeClass.NOT_FOUND: "the provider does not know this model or address",
}
_ANSWERED = frozenset({OutcomeClass.OK, OutcomeClass.TRUNCATED, OutcomeClass.MALFORMED, OutcomeClass.INVALID})
"""Classes of 2xx answers, about which x-should-retry says nothing."""
_AT_ONCE = frozenset({OutcomeClass.INVALID, OutcomeClass.TRUNCATED})
"""Retries that wait for nothing: the server is well, only the answer was not."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently an item is retried. Times in seconds."""

    max_attempts: int = 5
    max_malformed: int = 3
    """Requests that may end malformed in all, then dead."""
    on_truncated: OnTruncated = OnTruncated.FLAG
    on_invalid: OnInvalid = OnInvalid.RETRY
    max_invalid: int | None = None
    """Requests whose answers may fail the checks in all, then dead; None: only max_attempts bounds them."""
    base_s: float = 0.5
    """Upper bound of the first backoff; each further one doubles it."""
    cap_s: float = 60.0
    """No backoff of our own is longer than this. A server's Retry-After may be."""
    models: int = 1
    """Models that have these attempts each, one after the other: all of a job's in mode `fallback`."""

    @classmethod
    def of(cls, spec: JobSpec) -> RetryPolicy:
        """The policy a job asks for."""
        return cls(
            max_attempts=spec.max_attempts,
            max_malformed=spec.max_malformed,
            on_truncated=spec.on_truncated,
            on_invalid=spec.on_invalid,
            max_invalid=spec.max_invalid,
            models=len(spec.models) if spec.mode is Mode.FALLBACK else 1,
        )

    def models_spent(self, attempts: int, malformed: int, invalid: int = 0) -> int:
        """How many models an item with this history has tried in vain; all of them: it is dead."""
        failing = 0 if self.max_invalid is None else invalid // self.max_invalid
        return min(self.models, max(attempts // self.max_attempts, malformed // self.max_malformed, failing))


@immutable(frozen=True, slots=True)
class History:
    """What happened to an item before. Only `requests` includes the outcome being decided."""

    attempts: int = 0
    malformed: int = 0
    requests: int = 1
    """Requests made for the item so far, this one and those that cost no attempt included."""
    invalid: int = 0
    """Answers that failed the checks."""


@dataclass(frozen=True, slots=True)
class Done:
    """The answer is taken."""

    flags: ItemFlag = ItemFlag.NONE


TAKEN = Done()


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Ask again, not before `at_unix` (Unix time), with these counts as the item's new history."""

    at_unix: float
    attempts: int
    malformed: int
    invalid: int = 0


@dataclass(frozen=True, slots=True)
class Dead:
    """No further request can or may help."""

    cls: OutcomeClass


@dataclass(frozen=True, slots=True)
class PauseJob:
    """Every other item would meet the same: stop and tell the person. The item stays pending, at no attempt."""

    reason: PauseReason
    message: str


Decision = Done | RetryAt | Dead | PauseJob


def decide(outcome: Outcome, history: History, policy: RetryPolicy, *, now_unix: float, rng: random.Random) -> Decision:
    """Decides over the whole table. Pure: the same arguments (with the same state of `rng`) give the same decision."""
    match outcome.cls:
        case OutcomeClass.OK:
            return TAKEN
        case OutcomeClass.QUOTA | OutcomeClass.AUTH:
            return _pause(outcome)
        case OutcomeClass.INVALID if policy.on_invalid is OnInvalid.FLAG:
            return Done(ItemFlag.CHECK_FAILED)
        case OutcomeClass.INVALID if policy.on_invalid is OnInvalid.DEAD:
            return Dead(outcome.cls)
        case OutcomeClass.TRUNCATED:
            return _truncated(outcome, history, policy, now_unix, rng)
    allowed = _server_word(outcome)
    if allowed is None and outcome.cls in JOB_WIDE:
        return _pause(outcome)
    if allowed is False:
        return _pause(outcome) if outcome.cls in JOB_WIDE else Dead(outcome.cls)
    if allowed or outcome.cls in RETRYABLE:
        return _again(outcome, history, policy, now_unix, rng)
    return Dead(outcome.cls)


def _server_word(outcome: Outcome) -> bool | None:
    """x-should-retry, where it can mean something: on errors (OpenAI SDK source: it wins over the status)."""
    return None if outcome.cls in _ANSWERED else outcome.should_retry


def _pause(outcome: Outcome) -> PauseJob:
    return PauseJob(_PAUSES[outcome.cls], outcome.message or _FALLBACK_WORDS[outcome.cls])


def _truncated(
    outcome: Outcome, history: History, policy: RetryPolicy, now_unix: float, rng: random.Random
) -> Decision:
    cut_prompt = outcome.code == PROMPT_CUT_CODE
    match policy.on_truncated:
        case OnTruncated.FLAG:
            return Done(ItemFlag.PROMPT_CUT if cut_prompt else ItemFlag.TRUNCATED)
        case OnTruncated.DEAD:
            return Dead(outcome.cls)
        case OnTruncated.RETRY:
            if cut_prompt:  # the window is no longer the next time
                return Dead(outcome.cls)
            return _again(outcome, history, policy, now_unix, rng)


def _again(
    outcome: Outcome, history: History, policy: RetryPolicy, now_unix: float, rng: random.Random
) -> RetryAt | Dead:
    free = outcome.cls in FREE_RETRY
    bad_shape = outcome.cls is OutcomeClass.MALFORMED
    attempts = history.attempts + (not free)
    malformed = history.malformed + bad_shape
    invalid = history.invalid + (outcome.cls is OutcomeClass.INVALID)
    spent = policy.models_spent(attempts, malformed, invalid)
    if not free and spent >= policy.models:
        return Dead(outcome.cls)
    if spent > policy.models_spent(history.attempts, history.malformed, history.invalid):
        return RetryAt(now_unix, attempts, malformed, invalid)
    return RetryAt(now_unix + _wait(outcome, history, policy, rng), attempts, malformed, invalid)


def _wait(outcome: Outcome, history: History, policy: RetryPolicy, rng: random.Random) -> float:
    if outcome.cls in _AT_ONCE:
        return 0.0
    stated = outcome.retry_after_s
    if stated is None or not math.isfinite(stated) or stated < 0:
        return backoff(history.requests, policy, rng)
    floor = 0.0
    if history.requests > STATED_FREE_WAITS:
        floor = min(STATED_FLOOR_CAP_S, backoff(history.requests - STATED_FREE_WAITS, policy, rng))
    # Never less than the server asked for; a little more, so that items refused together do not return together.
    return max(stated, floor) + rng.uniform(0.0, min(1.0, 0.05 + 0.05 * stated))


def backoff(number: int, policy: RetryPolicy, rng: random.Random) -> float:
    """Seconds to wait before request `number` + 1: exponential, between half and the whole of tenacity's envelope.

    tenacity's own jittering strategies draw from the global random module, so chance is added here.
    """
    envelope = wait_exponential(multiplier=policy.base_s, max=policy.cap_s)
    high = envelope(cast("RetryCallState", _Nth(max(1, number))))
    return rng.uniform(high / 2, high)


@dataclass(frozen=True, slots=True)
class _Nth:
    """The one part of a retry state that tenacity's exponential strategies read."""

    attempt_number: int
