"""What a person allows one job: requests and tokens a minute. Most jobs are allowed anything.

An exact window costs each request some 10 µs on the loop, a tenth of what the engine does there. So a job without
limits only adds up by the second what it sends; a limit that is set while it runs begins with those sums.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from tui_batch.engine.lane import Wait
from tui_batch.engine.ratelimit import MINUTE_S, RateLimiter, Ticket
from tui_batch.engine.ratelimit import Wait as LimitWait


@dataclass(slots=True)
class _Second:
    """What was sent in a second; tokens are added when they are known, which is when the request is over."""

    at: float
    requests: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Used:
    """What a job sent in the last minute."""

    requests: int
    tokens: int


class Allowance:
    """A job's own limits. Times in seconds on the loop's clock."""

    def __init__(self, rpm: int | None = None, tpm: int | None = None) -> None:
        self._limiter = None if rpm is None and tpm is None else RateLimiter(rpm=rpm, tpm=tpm)
        """None as long as there was no limit yet."""
        self._seconds: deque[_Second] = deque()

    def set_limits(self, rpm: int | None, tpm: int | None) -> None:
        """Replaces the limits; None: none. What was sent in the last minute counts."""
        if self._limiter is not None:
            self._limiter.set_limits(rpm=rpm, tpm=tpm)
        elif (rpm, tpm) != (None, None):
            self._limiter = RateLimiter(rpm=rpm, tpm=tpm)
            for second in self._seconds:
                # The latest that it can have been sent: a limit may be kept too well for a second, not too badly.
                self._limiter.recall(second.at + 1.0, second.requests, second.tokens)
            self._seconds.clear()

    def admit(self, now: float, tokens: int) -> Ticket | Wait | None:
        """Takes one request and its estimated tokens, or says what to wait for. None: it may go, nothing limits it."""
        if self._limiter is None:
            self._second(now).requests += 1
            return None
        admitted = self._limiter.admit(now, tokens)
        if isinstance(admitted, LimitWait):
            return Wait(admitted.what, admitted.until)
        return admitted.ticket

    def settle(self, ticket: Ticket | None, tokens: int, now: float) -> None:
        """A request is over, and took so many tokens."""
        if ticket is not None:
            assert self._limiter is not None  # who else gave it?
            self._limiter.settle(ticket, tokens, now)
        else:
            self.recall(now, 0, tokens)

    def withdraw(self, ticket: Ticket | None, tokens: int, now: float) -> None:
        """A request was broken off on its way: the server may have counted it, and these tokens, its estimate."""
        if ticket is not None:
            assert self._limiter is not None
            self._limiter.settle(ticket, None)
        else:
            self.recall(now, 0, tokens)

    def cancel(self, ticket: Ticket | None, now: float) -> None:
        """A request was not sent after all, or was refused uncounted: it takes nothing."""
        if ticket is not None:
            assert self._limiter is not None
            self._limiter.cancel(ticket)
        elif self._limiter is None:
            self._second(now).requests -= 1

    def recall(self, at: float, requests: int, tokens: int) -> None:
        """Counts what was sent without a ticket, such as before this process began. In order of time."""
        if self._limiter is not None:
            self._limiter.recall(at, requests, tokens)
            return
        second = self._second(at)
        second.requests += requests
        second.tokens += tokens

    def used(self, now: float) -> Used:
        """What counts for the last minute."""
        if self._limiter is not None:
            limits = self._limiter.snapshot(now)
            return Used(limits.rpm_used, limits.tpm_used)
        lately = [second for second in self._seconds if second.at > now - MINUTE_S]
        return Used(sum(second.requests for second in lately), sum(second.tokens for second in lately))

    def _second(self, now: float) -> _Second:
        """The sums that a time falls into."""
        seconds = self._seconds
        if not seconds or now >= seconds[-1].at + 1.0:
            while seconds and seconds[0].at <= now - MINUTE_S - 1.0:
                seconds.popleft()
            seconds.append(_Second(now))
        return seconds[-1]
