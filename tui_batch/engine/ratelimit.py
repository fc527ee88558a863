"""A deployment's rate limits: requests and tokens a minute, requests a day, and what its server asks for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tui_batch.domain.learned import LearnedLimits
from tui_batch.domain.outcome import RateHeaders, Window
from tui_batch.domain.values import immutable
from tui_batch.engine.pacer import Pacer
from tui_batch.engine.window import Claim, SlidingWindow

MINUTE_S = 60.0
HOUR_S = 3_600.0
DAY_S = 86_400.0
MARGIN_S = 0.25
"""The server sees a request later than it was sent, and not always equally late: entries live this much longer."""
LATEST_S = 0.75
"""A request may wait so long for its connection, its handshake or a busy loop before the server counts it.

The first burst pays for handshakes that later ones do not. When exactly the server counted a request is not known,
only that it was before the answer: an entry counts from then on, but at most this much later than it was sent.
"""
WARM = 64
"""After so many answers the quickest of them had a connection that stood, and did not wait for it."""
WIDEST_MARGIN_S = 2.0
NEARLY_FULL = 0.95
"""From here on a refusal is taken for network jitter at the edge of the window, not for a lower limit."""
LONGER_THAN_A_MINUTE_S = 90.0
"""A bucket that needs longer than this to fill is not one of a minute."""
FORGOTTEN_S = 30 * DAY_S
"""What was learned so long ago is worth nothing; after a day already more is tried at once."""
UNHEARD = 16
"""After so many answers without the headers that stated a limit to an earlier process it is void."""
FOREIGN_SLACK = 0.05
"""Share of a limit by which a server's `remaining` may differ from our view before others' use is assumed."""


class What(StrEnum):
    """What a request waits for, in the words a screen shows."""

    RPM = "RPM"
    TPM = "TPM"
    RPD = "RPD"
    RETRY_AFTER = "Retry-After"
    PACE = "pace"


@dataclass(slots=True)
class Ticket:
    """One admitted request: to be ended once, by `settle`, `cancel` or `refused`."""

    at: float
    tokens: int
    minute: Claim
    token: Claim
    day: Claim
    requests_left: int | None
    """Room in the request window right after this one, as far as known here."""
    tokens_left: int | None
    ended: bool = False


@immutable(frozen=True, slots=True)
class Admitted:
    """The request may go now."""

    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Wait:
    """Not before `until`, a time on the caller's clock. Nothing was taken."""

    until: float
    what: What
    ticket: None = None


@dataclass(frozen=True, slots=True)
class LimitsSnapshot:
    """For a screen. None as a limit: none known."""

    rpm: int | None
    rpm_used: int
    tpm: int | None
    tpm_used: int
    rpd: int | None
    rpd_used: int
    learned: bool
    """Whether any of the limits came from the server rather than from a person."""
    pace_per_s: float | None
    """Requests a second while spread evenly; None: not paced."""
    blocked_until: float | None
    why: str
    """What `blocked_until` waits for; empty when nothing blocks."""


class RateLimiter:
    """All windows of one deployment (or of one job's own limits), admitted all or nothing.

    `now` is seconds on any clock that does not go backwards. Waiting is up to the caller.
    """

    def __init__(
        self,
        rpm: int | None = None,
        tpm: int | None = None,
        rpd: int | None = None,
        *,
        margin_s: float = MARGIN_S,
    ) -> None:
        self._minute = SlidingWindow(rpm, MINUTE_S, margin_s)
        self._tokens = SlidingWindow(tpm, MINUTE_S, margin_s)
        self._day = SlidingWindow(rpd, DAY_S, margin_s)
        self._base_margin_s = margin_s
        self._own = (rpm, tpm, rpd)
        self._stated: tuple[int | None, int | None, int | None] = (None, None, None)
        self._pacer = Pacer()
        self._accepted = SlidingWindow(None, MINUTE_S)
        self._taught_at: float | None = None
        """When a header or a refusal last told of a limit."""
        self._unheard: int | None = None
        """Answers so far that did not confirm the limits an earlier process was told; None: there are none such."""
        self._out = 0
        self._answers = 0
        self._quickest_s = float("inf")
        """The least time from sending to an answer."""
        self._stopped_until: float | None = None
        self._adjusted_at = float("-inf")
        self._now = float("-inf")
        self._apply()

    def set_limits(self, rpm: int | None = None, tpm: int | None = None, rpd: int | None = None) -> None:
        """Replaces the limits a person set, all three; None: no limit of theirs. Use so far still counts."""
        self._own = (rpm, tpm, rpd)
        self._apply()

    def admit(self, now: float, tokens: int) -> Admitted | Wait:
        """Takes one request and `tokens` estimated tokens if all limits have room, else says what is missing."""
        if now > self._now:
            self._now = now
        if self._pacer.look(now):
            self._apply()
        if not self._is_clear(now, tokens):
            self._try_more_than_guessed(now)
            wait = self._obstacle(now, tokens)
            if wait is not None:
                return wait
        self._pacer.took(now, tokens)
        self._out += 1
        ticket = Ticket(
            at=now,
            tokens=tokens,
            minute=self._minute.take(now, 1),
            token=self._tokens.take(now, tokens),
            day=self._day.take(now, 1),
            requests_left=self._minute.room,
            tokens_left=self._tokens.room,
        )
        return Admitted(ticket)

    def recall(self, at: float, requests: int, tokens: int) -> None:
        """Counts what was sent before this process began, at a time that may lie in the past. In order of time."""
        self._minute.take(at, requests)
        self._tokens.take(at, tokens)
        self._day.take(at, requests)

    def believe(self, limits: LearnedLimits, now: float) -> None:
        """Begins with what an earlier process learned; to be called before the first request.

        Headers replace it, refusals lower it, and more is tried as with anything learned: at once after a day.
        """
        age_s = max(0.0, now - limits.at)
        if age_s >= FORGOTTEN_S:
            return
        self._taught_at = now - age_s
        self._stated = (limits.rpm, limits.tpm, limits.rpd)
        self._unheard = 0 if self._stated != (None, None, None) else None
        self._pacer.believe(now, limits.pace_per_s, limits.per_minute, is_fresh=age_s < DAY_S)
        self._apply()

    @property
    def learned(self) -> LearnedLimits | None:
        """What its server has taught so far; None: nothing. `at` is on the caller's clock."""
        pace, guess = self._pacer.learned_pace, self._pacer.guess
        if self._taught_at is None or (pace, guess, *self._stated) == (None,) * 5:
            return None
        return LearnedLimits(None if pace is None else round(pace, 3), guess, *self._stated, self._taught_at)

    @property
    def known_per_s(self) -> float | None:
        """Requests a second that a limit which a person or the server named allows on average; None: none is named.

        Where only tokens or requests a day are limited it is 0: that says nothing about requests at once.
        """
        if self._own == (None, None, None) and self._stated == (None, None, None):
            return None
        return self._pacer.pace.most or 0.0

    def requests_left(self, now: float, tokens: int) -> int | None:
        """How many requests of so many tokens the minute still has room for; None: no limit of a minute is known."""
        self._minute.used(now)
        self._tokens.used(now)
        by_tokens = None if self._tokens.room is None else self._tokens.room // max(1, tokens)
        return _least(self._minute.room, by_tokens)

    def settle(self, ticket: Ticket, usage_tokens: int | None, now: float | None = None) -> None:
        """The server took the request. Counts its real tokens; None: unknown, so the estimate stands.

        `now`: when its answer came; without it the server is taken to have counted it when it was sent.
        """
        if self._end(ticket):
            if now is not None:
                self._count_late(ticket, ticket.at + self._longest_way_s(now - ticket.at))
            if usage_tokens is not None:
                self._tokens.settle(ticket.token, usage_tokens)
            self._accepted.take(ticket.at, 1)
            if self._unheard is not None:
                self._miss_headers()
            guess = self._pacer.guess
            self._pacer.accepted(self._now, ticket.at)
            if self._pacer.guess != guess:
                self._apply()

    def cancel(self, ticket: Ticket) -> None:
        """The request was never sent: gives everything back."""
        if self._end(ticket):
            self._give_back(ticket)
            self._pacer.withdrew(ticket.at, ticket.tokens)

    def refused(self, now: float, retry_after_s: float | None, ticket: Ticket | None = None) -> None:
        """The server answered "too many requests", and did not count the request.

        Waits as asked (or for a growing time of our own), and if the windows still had room, learns from it: such a
        server counts in shorter intervals, or its limit is lower than we knew.
        """
        self._now = max(self._now, now)
        sent_at = now if ticket is None else ticket.at
        if ticket is not None and self._end(ticket):
            self._give_back(ticket)
        if ticket is not None:
            self._pacer.evidence.refused(ticket.at, ticket.tokens)
        if not self._pacer.refuses_by_chance:
            self._taught_at = now
        explained = self._is_nearly_full(now)
        self._pacer.refused(
            now,
            sent_at,
            retry_after_s,
            measured=self._accepted.used(now),
            oldest=self._accepted.oldest,
            explained=explained,
        )
        if retry_after_s is not None and retry_after_s > 0:
            self.stop_until(now + retry_after_s)
        if explained and not self._pacer.paces and self._pacer.guess is None:
            self._widen()
        self._apply()

    def stop_until(self, until: float) -> None:
        """Admits nothing before `until`: the server asked for silence. An earlier time does not shorten it."""
        self._stopped_until = until if self._stopped_until is None else max(self._stopped_until, until)
        self._pacer.pace.begin(until)

    def learn(self, headers: RateHeaders, now: float, ticket: Ticket | None = None) -> None:
        """Takes in a response's rate-limit headers. Limits a person set still hold where they are lower.

        With the request's own ticket (ended or not), a `remaining` well below our own view shows that others use the
        same key, and is counted as used.
        """
        self._now = max(self._now, now)
        rpm, tpm, rpd = self._stated
        if headers.requests.limit is not None or headers.tokens.limit is not None:
            self._taught_at = now
            if self._unheard is not None:
                # Of those an earlier process was told nothing stands but a day's, which headers tell only in time.
                self._unheard, rpm, tpm = None, None, None
        if headers.requests.limit is not None:
            if _is_daily(headers.requests):
                rpm, rpd = None, headers.requests.limit
            elif headers.requests.limit != rpd:
                rpm = headers.requests.limit
        if headers.tokens.limit is not None and not _is_daily(headers.tokens):
            tpm = headers.tokens.limit
        if (rpm, tpm, rpd) != self._stated:
            self._stated = (rpm, tpm, rpd)
            self._pacer.forget_guess()
            self._apply()
        if ticket is not None:
            self._count_others(headers, now, ticket)

    @property
    def refuses_by_chance(self) -> bool:
        """Whether this server's refusals were found to have nothing to do with how much it is sent."""
        return self._pacer.refuses_by_chance

    @property
    def minds_refusals(self) -> bool:
        """Whether the latest refusal is taken for more than chance."""
        return not (self._pacer.refuses_by_chance or self._pacer.may_be_alone)

    @property
    def lessons(self) -> int:
        """How often, so far, refusals taught a pace or a limit: from then on it is known how much may be sent."""
        return self._pacer.lessons

    @property
    def doubts(self) -> int:
        """How often, so far, a refusal was left without a consequence: what follows should begin with few requests."""
        return self._pacer.doubts

    def snapshot(self, now: float) -> LimitsSnapshot:
        """Limits, use and what blocks, at `now`."""
        rpm, tpm, rpd = self._minute.limit, self._tokens.limit, self._day.limit
        wait = self._obstacle(now, 1)
        return LimitsSnapshot(
            rpm=rpm,
            rpm_used=self._minute.used(now),
            tpm=tpm,
            tpm_used=self._tokens.used(now),
            rpd=rpd,
            rpd_used=self._day.used(now),
            learned=(rpm, tpm, rpd) != self._own,
            pace_per_s=self._pacer.pace.per_s,
            blocked_until=None if wait is None else wait.until,
            why="" if wait is None else str(wait.what),
        )

    def _is_clear(self, now: float, tokens: int) -> bool:
        """The quick form of `_obstacle`: this is on the way of every request."""
        return (
            self._stopped_until is None
            and self._minute.fits(now, 1)
            and self._tokens.fits(now, tokens)
            and self._day.fits(now, 1)
            and self._pacer.earliest(now) <= now
        )

    def _obstacle(self, now: float, tokens: int) -> Wait | None:
        """The obstacle that lasts longest; None when there is none."""
        if self._stopped_until is not None and now >= self._stopped_until:
            self._stopped_until = None
        stopped = now if self._stopped_until is None else self._stopped_until
        times = (
            (stopped, What.RETRY_AFTER),
            (self._minute_earliest(now), What.RPM),
            (self._tokens.earliest(now, tokens), What.TPM),
            (self._day.earliest(now, 1), What.RPD),
            (self._pacer.earliest(now), What.PACE),
        )
        until, what = max(times, key=lambda pair: pair[0])
        return Wait(until, what) if until > now else None

    def _minute_earliest(self, now: float) -> float:
        """When the request window has room; a full window of a guessed limit may try one more now and then."""
        until = self._minute.earliest(now, 1)
        grow_at = self._pacer.may_grow_at(until) if self._is_guess_binding() else None
        return until if grow_at is None else min(until, max(now, grow_at))

    def _try_more_than_guessed(self, now: float) -> None:
        if self._pacer.guess is None or not self._is_guess_binding():
            return
        until = self._minute.earliest(now, 1)
        grow_at = self._pacer.may_grow_at(until)
        if grow_at is not None and grow_at <= now < until:
            self._pacer.grow(now)
            self._apply()

    def _is_guess_binding(self) -> bool:
        return self._pacer.guess is not None and self._minute.limit == self._pacer.guess

    def _apply(self) -> None:
        """Puts the lowest of what a person set, the server stated and refusals taught into the windows."""
        own, stated = self._own, self._stated
        known = _least(own[0], stated[0])
        self._pacer.pace.most = None if known is None else known / MINUTE_S
        self._minute.limit = _least(known, self._pacer.guess)
        self._tokens.limit = _least(own[1], stated[1])
        self._day.limit = _least(own[2], stated[2])

    def _miss_headers(self) -> None:
        """An answer came without the headers that stated limits to an earlier process."""
        assert self._unheard is not None
        self._unheard += 1
        if self._unheard >= UNHEARD:
            self._unheard, self._stated = None, (None, None, None)
            self._apply()

    def _end(self, ticket: Ticket) -> bool:
        if ticket.ended:
            return False
        ticket.ended = True
        self._out -= 1
        return True

    def _longest_way_s(self, latency_s: float) -> float:
        """How long after its sending the server may have counted a request that was answered after `latency_s`.

        No request is worked on for less time than the quickest, so whatever it took longer is the most that it can
        have been late; the quickest's own way lies within the margin.
        """
        self._answers += 1
        self._quickest_s = min(self._quickest_s, latency_s)
        late = latency_s if self._answers <= WARM else latency_s - self._quickest_s
        return min(late, LATEST_S)

    def _count_late(self, ticket: Ticket, at: float) -> None:
        self._minute.counted_by(ticket.minute, at)
        self._tokens.counted_by(ticket.token, at)
        self._day.counted_by(ticket.day, at)

    def _give_back(self, ticket: Ticket) -> None:
        self._minute.give_back(ticket.minute)
        self._tokens.give_back(ticket.token)
        self._day.give_back(ticket.day)

    def _is_nearly_full(self, now: float) -> bool:
        """Whether what the server took, or may still be taking, comes close to a limit we know."""
        limit = self._minute.limit
        if limit is not None and self._accepted.used(now) + self._out >= NEARLY_FULL * limit:
            return True
        tokens = self._tokens.limit
        if tokens is not None and self._tokens.used(now) >= NEARLY_FULL * tokens:
            return True
        day = self._day.limit
        return day is not None and self._day.used(now) >= NEARLY_FULL * day

    def _widen(self) -> None:
        margin = min(WIDEST_MARGIN_S, max(self._base_margin_s, self._minute.margin_s * 1.25))
        for window in (self._minute, self._tokens, self._day):
            window.margin_s = margin

    def _count_others(self, headers: RateHeaders, now: float, ticket: Ticket) -> None:
        if ticket.at <= self._adjusted_at:
            # Sent before the last adjustment: this response tells of what is already counted.
            return
        self._minute.used(now)
        self._tokens.used(now)
        requests = _missing(headers.requests, self._minute, ticket.requests_left)
        tokens = _missing(headers.tokens, self._tokens, ticket.tokens_left)
        if headers.requests.limit is not None and headers.requests.limit != self._stated[0]:
            # The header counts a day's requests: another window than the one compared with.
            requests = 0
        if requests or tokens:
            self._minute.take(now, requests)
            self._tokens.take(now, tokens)
            self._adjusted_at = now


def _missing(stated: Window, window: SlidingWindow, left_when_sent: int | None) -> int:
    """How much of a limit others must have used; 0 within the slack.

    The server counted at some moment between sending and now, so only what is missing at both ends counts.
    """
    limit, left_now = window.limit, window.room
    if stated.limit is None or stated.remaining is None:
        return 0
    if limit is None or left_now is None or left_when_sent is None:
        return 0
    # Where a person or a refusal set a lower limit, our room is smaller than the server's for that reason alone.
    missing = min(left_when_sent, left_now) + max(0, stated.limit - limit) - stated.remaining
    return missing if missing > max(3, FOREIGN_SLACK * limit) else 0


def _is_daily(stated: Window) -> bool:
    """Whether a limit is of a day: Groq states requests a day in the headers where OpenAI states those of a minute.

    Reset is the time until the bucket is full again (OpenAI API reference, rate limits; Groq docs, rate limits), so
    limit / used * reset is the time that a whole bucket needs. A window that just began, seen with another meaning of
    reset, could look as slow; so reset itself must be longer than any window of a minute could say.
    """
    if stated.limit is None or stated.remaining is None or stated.reset_s is None:
        return False
    used = stated.limit - stated.remaining
    return used > 0 and stated.reset_s > LONGER_THAN_A_MINUTE_S and stated.reset_s * stated.limit / used > HOUR_S


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)
