"""What the simulator saw: enough to tell whether a client kept to the limits and asked everything once."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from tui_batch.domain.request import Json
from tui_batch.simulator.limits import MINUTE_S

_REMEMBERED = 1_000_000
"""Prompts whose repeats are counted; beyond it the oldest is forgotten, so that memory is bounded."""


@dataclass(slots=True)
class Peak:
    """The most requests and tokens let in within any 60 seconds."""

    requests: int = 0
    tokens: int = 0
    _entries: deque[tuple[float, int]] = field(default_factory=deque)
    _tokens: int = 0

    def add(self, now: float, tokens: int) -> None:
        """Counts one accepted request."""
        while self._entries and self._entries[0][0] <= now - MINUTE_S:
            self._tokens -= self._entries.popleft()[1]
        self._entries.append((now, tokens))
        self._tokens += tokens
        self.requests = max(self.requests, len(self._entries))
        self.tokens = max(self.tokens, self._tokens)


@dataclass(slots=True)
class Score:
    """Counts of requests for work (listings of models and the like are not counted)."""

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
    _attempts: dict[int, int] = field(default_factory=dict)
    _answers: dict[int, int] = field(default_factory=dict)

    def attempt(self, key: int) -> int:
        """Counts one more request for a prompt and returns how many that makes."""
        return _count(self._attempts, key)

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
        _count(self._answers, key)

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
            "prompts": len(self._attempts),
            "repeated_prompts": sum(count > 1 for count in self._attempts.values()),
            "answered_twice": sum(count > 1 for count in self._answers.values()),
            "max_attempts": max(self._attempts.values(), default=0),
        }


def _count(counts: dict[int, int], key: int) -> int:
    number = counts.get(key, 0) + 1
    counts[key] = number
    if len(counts) > _REMEMBERED:
        del counts[next(iter(counts))]
    return number
