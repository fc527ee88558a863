"""An even pace for requests: cut when one is refused, raised while none is, and made up for where time was lost.

A server that counts over a second (or more) has room for what was not sent while nothing could be: while this process
was not given the processor, a timer was late, or nothing was there to be sent. So the pace may fall behind by a little
and catch up, as long as no second holds more requests than the pace allows in any: that keeps requests of one second
as far from those of the next as an even pace does.
"""

from __future__ import annotations

import math
from collections import deque

CATCH_UP_S = 0.25
"""What was not sent in so many seconds before may be sent together."""
MOST_KEPT = 1_024
"""Requests a second above which nothing is made up for: late timers hardly matter there, and it would cost memory."""
CUT = 0.985
"""For a refusal; for one within IN_A_ROW_S of the last cut twice as much, then four times, down to LEAST_CUT."""
LEAST_CUT = 0.92
SURE = 2
"""After so many cuts in a row the next refusal is no mishap."""
LARGE_CUT = 0.8
"""For refusals that last."""
QUIET_S = 10.0
IN_A_ROW_S = 25.0
"""A server that counts over ten seconds refuses no sooner again."""
RAISE_EVERY_S = 5.0
SMALL_RAISE = 1.001
LARGE_RAISE = 1.05
NEAR = 0.99
"""Below this share of the pace that was refused, raises are large."""
LONG_QUIET_S = 120.0
"""After this long without a refusal raises are large again."""
FIRST_RELAX_S = 30.0
LONGEST_RELAX_S = 3_600.0
WHOLE_BURST_S = 60.0
"""A burst allowance this long is the same as not pacing."""


class Pace:
    """How fast requests may follow one another. Times in seconds on the caller's clock."""

    def __init__(self) -> None:
        self.per_s: float | None = None
        """Requests a second; None: not paced."""
        self.most: float | None = None
        """Requests a second that a known limit allows; None: none known."""
        self._due = 0.0
        """When the next one would go if all went evenly."""
        self._from = float("-inf")
        """Time before this is not made up for."""
        self._even_until = float("-inf")
        """Nothing is made up for until then."""
        self._sent: deque[float] = deque(maxlen=MOST_KEPT)
        self._burst_s = 0.0
        self._relax_s = FIRST_RELAX_S
        self._relax_at = 0.0
        self._raise_at = 0.0
        self._cut_at = float("-inf")
        self._cuts = 0
        """Cuts in a row, each within IN_A_ROW_S of the one before."""
        self._ceiling = float("inf")
        """About the pace that the server refuses."""
        self._binding = False

    def is_quiet(self, now: float) -> bool:
        """Whether nothing was cut lately."""
        return now - self._cut_at >= QUIET_S

    def earliest(self, now: float) -> float:
        """When the next request may go; `now` when at once."""
        if self.per_s is None:
            return now
        at = max(self._due - self._burst_s, self._from)
        if not self._burst_s:
            at = max(at, self._second_over(self.per_s))
        if at <= now:
            return now
        self._binding = True
        return at

    def took(self, now: float) -> None:
        """A request goes out."""
        if self.per_s is not None:
            lost_s = CATCH_UP_S if self.per_s < MOST_KEPT and now >= self._even_until else 0.0
            self._due = max(self._due, self._from, now - lost_s) + 1.0 / self.per_s
            self._sent.append(now)

    def withdrew(self, sent_at: float) -> None:
        """It did not go out after all: another may go in its place, if none went since."""
        if self.per_s is not None and self._sent and self._sent[-1] == sent_at:
            self._sent.pop()
            self._due -= 1.0 / self.per_s

    def set(self, now: float, per_s: float | None, even_s: float = 1.0) -> None:
        """From now on requests go so fast; None: as fast as they like. `even_s`: so long nothing is made up for.

        At least until it is known what was sent in the second before.
        """
        self.per_s = per_s
        self._burst_s = 0.0
        self._even_until = now + even_s
        if per_s is None:
            self._sent.clear()
            return
        self._due = now + 1.0 / per_s
        self._raise_at = now + RAISE_EVERY_S
        self._relax_at = now + self._relax_s
        self._cut_at = now
        self._binding = False

    def believe(self, now: float, per_s: float, *, is_fresh: bool) -> None:
        """Begins with a pace that was learned before; one that is not fresh may soon be left behind."""
        self.set(now, per_s)
        self._ceiling = per_s if is_fresh else math.inf

    def begin(self, at: float) -> None:
        """Lets nothing go before then, and begins anew: what could not go until then is not made up for."""
        self._from = max(self._from, at)

    def cut(self, now: float, per_s: float, *, lasting: bool) -> None:
        """The server refused at this pace: goes slower. `lasting`: it went on for seconds."""
        self._cuts = self._cuts + 1 if now - self._cut_at < IN_A_ROW_S else 0
        is_far = per_s < NEAR * self._ceiling < math.inf
        # One or two refusals far below the ceiling may be mishaps; a third shows that the ceiling has come down.
        self._ceiling = (self._ceiling + per_s) / 2 if is_far and self._cuts < SURE and not lasting else per_s
        self._relax_s = min(LONGEST_RELAX_S, self._relax_s * 2)
        self.set(now, per_s * (LARGE_CUT if lasting else max(LEAST_CUT, CUT ** (2**self._cuts))))

    def accepted(self, now: float) -> None:
        """A request was taken: goes faster, carefully, where the pace was what held requests back."""
        if self.per_s is None:
            return
        if self.most is not None and self.per_s >= self.most:
            self.per_s = self.most
            self._relax(now, self.per_s)
        elif now >= self._raise_at and self._binding:
            self.per_s = self._raised(now, self.per_s)
            self._raise_at = now + RAISE_EVERY_S
            self._binding = False

    def _raised(self, now: float, per_s: float) -> float:
        near = NEAR * self._ceiling
        if now - self._cut_at >= LONG_QUIET_S:
            raised = per_s * LARGE_RAISE
        else:
            raised = max(per_s * SMALL_RAISE, min(per_s * LARGE_RAISE, near))
        return raised if self.most is None else min(raised, self.most)

    def _relax(self, now: float, per_s: float) -> None:
        """Allows longer and longer bursts as long as nothing is refused, until nothing is left of the pace."""
        if now < self._relax_at:
            return
        self._burst_s = max(2.0 / per_s, self._burst_s * 2)
        self._relax_at = now + self._relax_s
        if self._burst_s >= WHOLE_BURST_S:
            self.set(now, None)

    def _second_over(self, per_s: float) -> float:
        """When the second over which so many are allowed has room for one more."""
        whole = math.ceil(per_s)
        if len(self._sent) < whole or whole > MOST_KEPT:
            return -math.inf
        return self._sent[-whole] + whole / per_s
