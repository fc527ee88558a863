"""What the simulator saw: enough to tell whether a client kept to the limits and asked everything once."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from tui_batch.domain.request import Json
from tui_batch.simulator.limits import MINUTE_S

REMEMBERED = 1_000_000
"""Prompts whose repeats are counted, unless said otherwise: some 100 MB when all are different."""


@dataclass(slots=True)
class Peak:
    """The most requests and tokens let in within any 60 seconds."""

    requests: int = 0
    tokens: int = 0
    _times: deque[float] = field(default_factory=deque)
    _sizes: deque[int] = field(default_factory=deque)
    """Tokens, beside the times: pairs would take three times the memory."""
    _tokens: int = 0

    def add(self, now: float, tokens: int) -> None:
        """Counts one accepted request."""
        while self._times and self._times[0] <= now - MINUTE_S:
            self._times.popleft()
            self._tokens -= self._sizes.popleft()
        self._times.append(now)
        self._sizes.append(tokens)
        self._tokens += tokens
        self.requests = max(self.requests, len(self._times))
        self.tokens = max(self.tokens, self._tokens)


class Tally:
    """How often each of the latest keys came. Memory is bounded: what did not come for long is forgotten."""

    def __init__(self, remembered: int) -> None:
        """A key is known at least until half as many others came after it."""
        self._half = max(1, remembered // 2)
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}
        self.keys = 0
        """Different ones; one that was forgotten and came again counts twice."""
        self.repeated = 0
        """Those that came more than once."""
        self.most = 0
        """The most often that one came."""

    def __len__(self) -> int:
        """Keys that are known now."""
        return len(self._young) + len(self._old)

    def count(self, key: int) -> int:
        """Counts one more, and returns how many that makes."""
        before = self._young.get(key) or self._old.pop(key, 0)
        number = self._young[key] = before + 1
        self.keys += number == 1
        self.repeated += number == 2
        self.most = max(self.most, number)
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        return number


@dataclass(slots=True)
class Score:
    """Counts of requests for work (listings of models and the like are not counted)."""

    remembered: int = REMEMBERED
    """Prompts whose repeats are counted."""
    seen: int = 0
    accepted: int = 0
    """Let in by the limits, whatever came of them."""
    refused: int = 0
    """Turned away: 4xx, or 5xx before any work was done."""
    answered: int = 0
    """Ended in a usable answer."""
    abandoned: int = 0
    """The client went away before the answer was ready."""
    input_tokens: int = 0
    output_tokens: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    peaks: dict[str, Peak] = field(default_factory=dict)
    """By model, as limits are."""
    _attempts: Tally = field(init=False)
    _answers: Tally = field(init=False)

    def __post_init__(self) -> None:
        self._attempts, self._answers = Tally(self.remembered), Tally(self.remembered)

    def attempt(self, key: int) -> int:
        """Counts one more request for a prompt and returns how many that makes."""
        return self._attempts.count(key)

    def accept(self, model: str, now: float, tokens: int) -> None:
        """Counts a request that the limits let in."""
        self.accepted += 1
        peak = self.peaks.get(model)
        if peak is None:
            peak = self.peaks[model] = Peak()
        peak.add(now, tokens)

    def answer(self, key: int, input_tokens: int, output_tokens: int) -> None:
        """Counts a usable answer."""
        self.answered += 1
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        self._answers.count(key)

    def as_json(self) -> Json:
        """Everything as one JSON object: the body of `GET /_sim/score`."""
        return {
            "seen": self.seen,
            "accepted": self.accepted,
            "refused": self.refused,
            "answered": self.answered,
            "abandoned": self.abandoned,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "faults": dict(sorted(self.faults.items())),
            "max_requests_60s": max((peak.requests for peak in self.peaks.values()), default=0),
            "max_tokens_60s": max((peak.tokens for peak in self.peaks.values()), default=0),
            "models": {
                name: {"max_requests_60s": peak.requests, "max_tokens_60s": peak.tokens}
                for name, peak in sorted(self.peaks.items())
            },
            "prompts": self._attempts.keys,
            "repeated_prompts": self._attempts.repeated,
            "answered_twice": self._answers.repeated,
            "max_attempts": self._attempts.most,
        }
