"""Learns from refusals that the known limits do not explain.

A run of refusals, from the first one to the first request that is taken again, is an *episode*. How long it lasts
tells how the server counts. Taken again within seconds: it counts in short intervals, so requests are spread evenly.
Refused for longer: what it took in the last minute is its limit of a minute. Both are then raised carefully.
Refusals of single requests among others that are taken, those that no limit explains (`evidence`), and those that come
as often at half the pace have nothing to do with it (`chance`): nothing is paced for them.
"""

from __future__ import annotations

import math
from collections import deque
from contextlib import suppress

from tui_batch.engine.chance import SLOWER, ChanceTest, Verdict
from tui_batch.engine.episode import FIRST_BACKOFF_S, MARGIN_S, MINUTE_S, SPANS_S, Episode, most_probes, telling_probes
from tui_batch.engine.evidence import Evidence
from tui_batch.engine.pace import Pace

PACED_BACKOFF = 1.5
"""Requests whose time is waited after a refusal while they go evenly: one was too many, so there is soon room."""
SHORT_EPISODE_S = 3.0
"""Episodes shorter than this speak of intervals of about a second."""
SHORT_PERIOD_S = 40.0
"""A server that takes requests again sooner than this after the oldest one it counts, does not count by the minute."""
LEAST_PATIENCE_S = 0.4
"""A probe that is not refused within this long, and not within several times as long as other refusals took, was taken:
refusals come at once, where answers may take long."""
PATIENCE = 4.0
FIRST_PACE = 0.95
"""Share of the observed rate to begin with when no limit is known."""
LATELY = 64
UNEXPLAINED = 2
"""So many refusals that no limit explains are taken for chance."""
MOST_DOUBTS = 6
"""After so many episodes that tell nothing a pace is set."""
FIRST_GROW_S = 30.0
GROW_EVERY = 300
"""Requests at least between two tries of more than the guess: each may be refused, and few may be."""
LONGEST_GROW_S = 300.0
QUICK_GROW_S = 1.0
NEAR_GUESS = 0.9
"""From this share of the guess on, a refusal is about it."""
LONGEST_SPAN_S = max(SPANS_S) + MARGIN_S
"""Longer than any count but that of a minute."""
GAPS_LAST_S = 2 * MINUTE_S
LARGEST_STEP = 0.02
"""A guess grows by at most this share of itself at once,"""
LARGEST_STEP_GROWN = 0.5
"""or, where it has grown by more, by this share of what it has grown by."""
REFUTED = 1.5
"""A guess that grew to so many times what was learned was wrong: the server counts otherwise, or its limit rose."""


class Pacer:
    """What refusals taught about one deployment: an even pace, or a limit of a minute. Times in seconds."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.guess: int | None = None
        """Requests a minute that refusals taught; None: nothing taught."""
        self.evidence = Evidence()
        self.lessons = 0
        """Episodes that taught a pace or a limit."""
        self.doubts = 0
        """Episodes after which nothing was concluded: whether they are about the rate is not clear yet."""
        self._doubts_left = MOST_DOUBTS
        self._alone = 0
        """Episodes of one refusal among many requests that were taken, while nothing held them back."""
        self._lately: deque[float] = deque(maxlen=LATELY)
        """When the latest requests were sent."""
        self._misled = False
        """Whether what seemed chance was not: some refusals are, but there is a limit, too. Only trials tell then."""
        self._chance = ChanceTest()
        self._tried = 0.0
        """The pace that a trial is about to clear or to confirm."""
        self._episode: Episode | None = None
        self._episodes = self._taken = 0
        self._refusal_s = 0.0
        """The longest time from sending to a refusal."""
        self._concluded_at = float("-inf")
        self._grow_at = 0.0
        self._grow_s = FIRST_GROW_S
        self._step = 1
        self._learned = 0
        """The guess as refusals taught it, before it grew."""
        self._gaps_until = float("-inf")
        """Until then the window of the guess is taken to be used up at once and then full for long: it was, lately."""
        self._has_told = False
        """Whether it has grown since in such a gap."""

    def believe(self, now: float, per_s: float | None, guess: int | None, *, is_fresh: bool) -> None:
        """Begins with what was learned before: a pace, a guess, or both. What is not fresh is tried beyond at once."""
        if per_s is None and guess is None:
            return
        # There is a limit: a refusal is no reason to drop all and see.
        self._doubts_left = 0
        if per_s is not None:
            self.pace.believe(now, per_s, is_fresh=is_fresh)
        if guess is not None:
            self.guess = guess
            self._expect(now, first_grow_s(guess) if is_fresh else 0.0)

    @property
    def learned_pace(self) -> float | None:
        """The pace that refusals taught, also while a slower one is tried; None: they taught none."""
        return self._tried if self._chance.on_trial else self.pace.per_s

    @property
    def paces(self) -> bool:
        """Whether requests are spread evenly."""
        return self.pace.per_s is not None

    @property
    def refuses_by_chance(self) -> bool:
        """Whether refusals were found to have nothing to do with the rate."""
        return self._chance.believed

    @property
    def may_be_alone(self) -> bool:
        """Whether the latest refusal is one among requests that were taken, as far as is known by now."""
        return self._episode is not None and self._episode.may_be_alone

    def earliest(self, now: float) -> float:
        """When the pace, or an episode's next probe, lets a request go; `now` when at once."""
        if self._episode is not None:
            at = self._episode.probe_at
            return max(
                now, at if self._episode.asked_at is None else min(at, self._episode.asked_at + self._patience_s)
            )
        return self.pace.earliest(now)

    def took(self, now: float, tokens: int) -> None:
        """A request of so many tokens goes out."""
        self._chance.sent(now)
        self.evidence.sent(now, tokens)
        self._lately.append(now)
        if self._episode is not None:
            self._episode.took(now)
        self.pace.took(now)

    def withdrew(self, sent_at: float, tokens: int) -> None:
        """What `took` was told of did not go out after all."""
        self._chance.withdrew(sent_at)
        self.evidence.withdrew(sent_at, tokens)
        with suppress(ValueError):
            self._lately.remove(sent_at)
        self.pace.withdrew(sent_at)
        if self._episode is not None:
            self._episode.withdrew(sent_at)

    def refused(
        self,
        now: float,
        sent_at: float,
        retry_after_s: float | None,
        *,
        measured: int,
        oldest: float | None,
        explained: bool,
    ) -> None:
        """A request sent at `sent_at` was refused. `measured`: requests the server took in the last minute.

        `oldest`: when it took the first of them; `explained`: whether they come close to a known limit.
        """
        believed = self._chance.believed
        self._refusal_s = max(self._refusal_s, now - sent_at)
        self._chance.refused(now, sent_at, self._refusal_s)
        if self._chance.believed:
            return
        if believed:
            self._misled = True
            self._alone = self._doubts_left = 0
        episode = self._episode
        if episode is None:
            # Else: a straggler of the episode that is over.
            if sent_at > self._concluded_at:
                self._begin(now, sent_at, retry_after_s, measured, now if oldest is None else oldest, explained)
            return
        episode.measured = max(episode.measured, measured)
        if oldest is not None:
            episode.oldest = min(episode.oldest, oldest)
        episode.explained = explained
        episode.refused_again(now, sent_at, retry_after_s, self._most_probes(episode))

    def _begin(
        self, now: float, sent_at: float, retry_after_s: float | None, measured: int, oldest: float, explained: bool
    ) -> None:
        self._episodes += 1
        told_s, backoff_s, per_s = retry_after_s or 0.0, FIRST_BACKOFF_S, self.pace.per_s
        is_stumble = per_s is not None and self.pace.is_quiet(now)
        if per_s is not None and is_stumble:
            backoff_s = min(FIRST_BACKOFF_S, PACED_BACKOFF / per_s)
        episode = Episode(now, sent_at, oldest, measured, explained, told_s, now + (told_s or backoff_s), backoff_s)
        if is_stumble:
            self._stumble(now, episode)
            return
        self._episode = episode
        if per_s is None and self.guess is None and not explained and self._chance.are_few:
            episode.begin_young([*self._lately])
        if self.guess is not None and measured >= NEAR_GUESS * self.guess:
            self._learn_guess(now, self.guess, episode)

    def _stumble(self, now: float, episode: Episode) -> None:
        """One request was too many at a pace that was right so far: goes on a little slower, and asks nothing.

        If more than that is wrong, the requests that follow are refused as well, and asked after.
        """
        self._concluded_at = now
        self._conclude(now, episode, now, is_stumble=True)
        self.pace.begin(episode.probe_at)

    def accepted(self, now: float, sent_at: float) -> None:
        """The server took a request that was sent at `sent_at`."""
        self._chance.accepted()
        self._taken += 1
        episode = self._episode
        if episode is not None and (sent_at > episode.since or episode.shows_alone(sent_at)):
            self._episode = None
            self._concluded_at = now
            self._conclude(now, episode, sent_at)
        elif episode is None:
            self._end_trial(now) if self._chance.on_trial else self.pace.accepted(now)
        else:
            # Sent before the refusals began: the server had counted it when it refused.
            episode.measured += 1
            if episode.learned and self.guess is not None:
                self.guess += 1

    def look(self, now: float) -> bool:
        """Ends an episode whose probe was not refused for so long that the server must have it. Whether it did."""
        episode = self._episode
        if episode is None or episode.asked_at is None or now < episode.asked_at + self._patience_s:
            return False
        self._episode = None
        self._concluded_at = episode.asked_at
        self._conclude(now, episode, episode.asked_at)
        return True

    @property
    def _patience_s(self) -> float:
        return max(LEAST_PATIENCE_S, PATIENCE * self._refusal_s)

    def _most_probes(self, episode: Episode) -> int:
        by_chance = telling_probes(self._episodes / max(1, self._episodes + self._taken))
        return max(most_probes(episode.measured, episode.refused), by_chance)

    def may_grow_at(self, until: float) -> float | None:
        """When a window of `guess`, full until `until`, may try one more; None: not until then, or nothing guessed.

        Where it is used up at once and then full for long, the first try comes in the midst of that: no shorter count
        has anything left then, so it tells whether there is one.
        """
        if self.guess is None or self._episode is not None:
            return None
        telling_at = self._telling_at
        if telling_at + LONGEST_SPAN_S < until:
            self._gaps_until = until + GAPS_LAST_S
        if self._has_told or until > self._gaps_until:
            return self._grow_at
        at = max(self._grow_at, telling_at)
        return at if at + LONGEST_SPAN_S < until else None

    @property
    def _telling_at(self) -> float:
        """When no count shorter than a minute's has anything left of what was sent so far."""
        return (self._lately[-1] if self._lately else self._grow_at) + LONGEST_SPAN_S

    def grow(self, now: float) -> None:
        """Tries more than the guess: one, and twice as many each time that nothing was refused since."""
        assert self.guess is not None
        self._has_told = now <= self._gaps_until
        grown = self.guess - self._learned
        self.guess += min(self._step, max(1, int(LARGEST_STEP * self.guess), int(LARGEST_STEP_GROWN * grown)))
        self._step *= 2
        if self.guess >= REFUTED * self._learned:
            # As with any server of which nothing is known a few go first; but that there is a limit is known.
            self.guess = None
            self.doubts += 1
            self._misled, self._doubts_left = True, 0
        self._grow_at = now + (self._grow_s if self._step <= 2 and not self._has_told else QUICK_GROW_S)

    def forget_guess(self) -> None:
        """The server has stated its limits: what was guessed is void."""
        self.guess = None

    def _learn_guess(self, now: float, guess: int, episode: Episode) -> None:
        """Takes what the server took in a minute for its limit. Once an episode."""
        episode.learned = True
        self.guess = max(1, min(guess, episode.measured))
        self._expect(now, min(LONGEST_GROW_S, self._grow_s * 2))

    def _expect(self, now: float, grow_s: float) -> None:
        """A guess was learned: more is tried after so many seconds."""
        assert self.guess is not None
        self._learned = self.guess
        self._has_told = False
        self._step = 1
        self._grow_s = grow_s
        self._grow_at = now + grow_s

    def _conclude(self, now: float, episode: Episode, taken_at: float, *, is_stumble: bool = False) -> None:
        """The episode is over: a request sent at `taken_at` was taken again, or one refusal at a pace is no matter."""
        short = episode.is_short(taken_at, SHORT_EPISODE_S)
        is_alone = episode.is_alone and not self._misled
        self._alone += is_alone
        if not self._misled and self._is_by_chance(now) and self._chance.believe(now):
            self.guess = None
            self.pace.set(now, None)
            return
        may_be_open = short and not is_stumble and not episode.explained
        if is_alone or (may_be_open and self._leaves_open(now)):
            return
        self.lessons += 1
        if self._chance.on_trial:
            self._judge(now, short)
        elif self.pace.per_s is not None and short and self._chance.is_worth_a_trial(now):
            self._try_slower(now, self.pace.per_s)
        elif self.pace.per_s is not None:
            self.pace.cut(now, self.pace.per_s, lasting=not short)
        elif self.guess is not None:
            # Far from full and taken again at once: that had nothing to do with the minute's limit.
            if not short and not episode.learned:
                self._learn_guess(now, self.guess, episode)
        elif not episode.explained:
            period = min(MINUTE_S, (episode.since if short else taken_at) - episode.oldest)
            if short or period < SHORT_PERIOD_S:
                observed = FIRST_PACE * max(1, episode.measured) / max(1.0, period)
                rate = observed if self.pace.most is None else min(observed, self.pace.most)
                if short and self._chance.is_worth_a_trial(now):
                    self._try_slower(now, rate)
                else:
                    self.pace.set(now, rate)
            else:
                self.guess = max(1, episode.measured)
                self._expect(now, first_grow_s(self.guess))

    def _leaves_open(self, now: float) -> bool:
        """Whether nothing is concluded yet: a few refusals more are worth knowing whether they are about the rate."""
        if self.guess is not None or self._chance.on_trial or not self._doubts_left or not self._chance.are_few:
            return False
        is_first = not self.paces and self._doubts_left == MOST_DOUBTS
        is_open = is_first or (not self.paces and self._chance.are_rare)
        if not is_open and self.evidence.agrees(now - self._patience_s):
            return False
        self.pace.set(now, None)
        self._doubts_left -= 1
        self.doubts += 1
        return True

    def _is_by_chance(self, now: float) -> bool:
        return self._alone + self.evidence.unexplained(now - self._patience_s) >= UNEXPLAINED

    def _try_slower(self, now: float, rate: float) -> None:
        """Finds out whether refusals depend on the pace at all."""
        self._chance.begin()
        self._tried = rate
        self.pace.set(now, SLOWER * rate, even_s=math.inf)

    def _judge(self, now: float, short: bool) -> None:
        """Refused during a trial, and taken again."""
        if not short:
            # Refusals that last speak of a limit, whatever the pace.
            self._chance.give_up(now)
            self.pace.cut(now, self._tried, lasting=True)
            return
        self.pace.begin(now + 1.0 / (SLOWER * self._tried))
        self._end_trial(now)

    def _end_trial(self, now: float) -> None:
        match self._chance.verdict(now):
            case Verdict.CHANCE:
                self.pace.set(now, None)
            case Verdict.RATE:
                # It is about the rate: a refusal at the full pace is no reason to drop the pace and see.
                self._doubts_left = 0
                self.pace.set(now, self._tried)
            case Verdict.OPEN:
                pass


def first_grow_s(guess: int) -> float:
    """Seconds until more than a new guess (requests a minute) is tried."""
    return min(LONGEST_GROW_S, max(FIRST_GROW_S, GROW_EVERY * MINUTE_S / guess))
