"""A run of refusals, from the first one to the first request that is taken again; and when to ask whether it is over.

One request that was refused among many that were taken is not asked after at all: what was sent after it tells. A
server that refuses everything is asked again after a second, for many count by it; then when its count over ten seconds
must be over; and then it is taken to count by the minute.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MINUTE_S = 60.0
MARGIN_S = 0.25
"""The server took the oldest request a little later than it was sent."""
FIRST_BACKOFF_S = 1.1
"""Without a Retry-After: a little more than a second, for many servers count by it."""
LONGEST_BACKOFF_S = 16.0
SLOWDOWN = 3.0
"""Every further probe waits so many times as long."""
SPANS_S = (10.0, 20.0)
"""Spans that a server may count over, beside the second and the minute: the second and third probe wait for them."""
SURE = 3
"""After so many refusals, and none taken meanwhile, it is a limit, and worth waiting for a span's end."""
TOO_FEW = 20
"""Fewer requests a minute than this are hardly a limit: such a server is asked again and again, ever more rarely."""
PROBES = 3
"""Times that it is asked before it is taken to count by the minute, so that the minute is waited for."""
REQUESTS_A_PROBE = 80
"""Of more requests a minute, one probe more for so many: each may be refused, and few may be."""
UNLUCKY = 0.02
"""A run of refused probes that is likelier than this to have come by chance proves nothing."""
MOST_PROBES = 4
LONGEST_ASKED_S = 15.0
"""A Retry-After up to here says little about how long the server would really have refused."""
MINUTE_FITS_S = 2.0
AFTER_S = 0.01
"""A request sent so much later than another reaches the server later, mostly."""
CROWD = 0.34
"""Of the requests sent after one that was refused: with more than this share refused, it was not refused alone."""


@dataclass(slots=True)
class Episode:
    """Refusals that belong together. Times in seconds on the caller's clock."""

    since: float
    """When the first refusal came."""
    first_sent: float
    """When the request was sent whose refusal that was."""
    oldest: float
    """When the oldest of the requests of the last minute was taken."""
    measured: int
    """Requests the server took in the minute before; the most seen."""
    explained: bool
    """Whether the known limits explain the latest of these refusals."""
    told_s: float
    """Seconds that the server asked to wait, one after another; 0: it did not."""
    probe_at: float
    """When the next request may go to see whether it is over."""
    backoff_s: float = FIRST_BACKOFF_S
    refused: int = 1
    """Requests."""
    probes: int = 0
    """Requests that were sent to see whether it is over, and refused."""
    learned: bool = False
    """Whether the guess was lowered for it."""
    unseen_s: float = 0.0
    """Of the time since, what was waited of our own accord after the last refusal: it may have been over before."""
    asked_at: float | None = None
    """When the latest probe was sent, as long as it was not refused."""
    is_young: bool = False
    """Whether it may be one refusal among requests that are taken: what is sent next to the refused one tells."""
    after: int = 0
    """Requests sent after the first that was refused, while it is young; `crowd` of them were refused."""
    crowd: int = 0

    @property
    def is_alone(self) -> bool:
        """Whether most of what was sent after the first refused request was taken, as far as is known."""
        return self.is_young and self.after > 0 and self.crowd <= CROWD * self.after

    @property
    def may_be_alone(self) -> bool:
        """Whether nothing yet speaks against that."""
        return self.is_young and (not self.crowd or self.is_alone)

    def shows_alone(self, sent_at: float) -> bool:
        """Whether a request that was sent then, and taken, shows that the refused one was refused alone."""
        return self.is_young and not self.crowd and self._is_after(sent_at)

    def begin_young(self, sent_after: list[float]) -> None:
        """Nothing is known of the server. `sent_after`: when what may already be on its way was sent."""
        self.is_young = True
        after = [at for at in sent_after if at >= self.first_sent + AFTER_S]
        self.after = len(after)
        if after:
            self.asked_at = after[-1]
        elif not self.told_s and self.measured < TOO_FEW:
            self.probe_at = self.since

    def took(self, now: float) -> None:
        """A probe goes out. Its outcome is not waited for, as it may take long to come, but they go one at a time."""
        self.probe_at = now + self.backoff_s
        self.asked_at = self.asked_at or now
        if self.told_s:
            # After the silence that the server asked for, a request that is taken does not speak of chance.
            self.is_young = False
        elif self.is_young:
            self.after += 1

    def withdrew(self, sent_at: float) -> None:
        """The probe said to be sent then was not."""
        if self.asked_at == sent_at:
            self.asked_at = None
            self.probe_at = sent_at
            self.after -= self.is_young

    def refused_again(self, now: float, sent_at: float, retry_after_s: float | None, most_probes: int) -> None:
        """Another request, sent at `sent_at`, was refused. `most_probes`: then it is taken to count by the minute."""
        told_s = retry_after_s or 0.0
        self.refused += 1
        self.told_s = self.told_s + told_s if sent_at > self.since else max(self.told_s, told_s)
        if self.is_young and self._is_after(sent_at):
            self.crowd += 1
            if self.is_alone:
                return
            self.is_young = False
            self.asked_at = None
            self.probe_at = max(self.probe_at, now + (retry_after_s or self.backoff_s))
            if sent_at < self.since + self.backoff_s or most_probes > 1:
                # It went at once, so it says nothing of a second's count; or one that was refused is not enough.
                return
        if sent_at > self.since:
            self.asked_at = None
            self.probes += 1
            self.backoff_s = min(LONGEST_BACKOFF_S, self.backoff_s * SLOWDOWN)
            self.probe_at = max(self.probe_at, self._next_probe(now, retry_after_s, most_probes))

    def _is_after(self, sent_at: float) -> bool:
        """Whether a request sent then reached the server after the first refused one: late enough, or as a probe."""
        asked_at = self.asked_at
        return sent_at >= self.first_sent + AFTER_S or (asked_at is not None and self.since <= asked_at <= sent_at)

    def _next_probe(self, now: float, retry_after_s: float | None, most_probes: int) -> float:
        self.unseen_s = 0.0
        if retry_after_s is not None:
            return now + (retry_after_s or self.backoff_s)
        if self.probes >= most_probes:
            return max(now + self.backoff_s, self.oldest + MINUTE_S + MARGIN_S)
        if self.refused >= SURE and self.measured >= TOO_FEW and self.probes <= len(SPANS_S):
            return max(now + self.backoff_s, self.oldest + SPANS_S[self.probes - 1] + MARGIN_S)
        self.unseen_s = self.backoff_s
        return now + self.backoff_s

    def is_short(self, taken_at: float, most_s: float) -> bool:
        """Whether it lasted less than that, as far as the server has shown: it took a request sent at `taken_at`."""
        return taken_at - self.since - asked_wait(self.told_s, self.oldest - self.since) - self.unseen_s < most_s


def most_probes(measured: int, refused: int) -> int:
    """How often a server that took so many requests in a minute is asked before the minute is waited for.

    Where so many were refused already, once more for a count over ten seconds costs little beside what it may gain.
    """
    if measured < TOO_FEW:
        return PROBES
    return min(PROBES, max(1 + measured // REQUESTS_A_PROBE, 2 if refused >= SURE else 1))


def telling_probes(share: float) -> int:
    """How many refused probes say something where this share of all requests began a run of refusals."""
    return MOST_PROBES if share >= 1.0 else min(MOST_PROBES, math.ceil(math.log(UNLUCKY) / math.log(share)))


def asked_wait(told_s: float, oldest_s: float) -> float:
    """Seconds of an episode that say nothing about the server's span, as they were only waited because it asked.

    `oldest_s`: when it took the oldest request of the minute, relative to the refusal (so 0 or less). A time that is
    just when the minute's window has room again does say something.
    """
    if told_s > LONGEST_ASKED_S or abs(told_s - (oldest_s + MINUTE_S)) <= MINUTE_FITS_S:
        return 0.0
    return told_s
