"""Stops a job that buries its rows: one wrong key or template must not make thousands of dead letters."""

from __future__ import annotations

from collections import Counter, deque

from tui_batch.domain.job import PauseReason
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.engine.retry import PauseJob

FIRST = 20
"""A job whose first outcomes are all permanent errors never worked, unless it was answered in an earlier run."""
RECENT = 200
"""Half of this many permanent errors among the last ones: it stopped working."""
_WORDS = 200


class Guard:
    """Watches the decided outcomes of one job. Retries that are still open do not count."""

    def __init__(self, first: int = FIRST, recent: int = RECENT, *, answered: int = 0) -> None:
        """`answered`: items that the job's servers answered before, which says that it works.

        Whoever tries its refused rows again gets none but errors first, and has not to be told after twenty.
        """
        self._first = first
        self._recent: deque[OutcomeClass | None] = deque(maxlen=recent)
        self._seen = 0
        self._had_worked = answered > 0
        self._worked = self._had_worked
        self._by_class: Counter[OutcomeClass] = Counter()
        self._example: dict[OutcomeClass, str] = {}

    def record(self, cls: OutcomeClass, *, permanent: bool = False, message: str = "") -> None:
        """One outcome. `permanent`: the item is dead. Others count as signs of life when they are answers."""
        if not permanent and cls not in (OutcomeClass.OK, OutcomeClass.TRUNCATED):
            return
        if len(self._recent) == self._recent.maxlen and (gone := self._recent[0]) is not None:
            self._by_class[gone] -= 1
        self._seen += 1
        self._recent.append(cls if permanent else None)
        if permanent:
            self._by_class[cls] += 1
            self._example[cls] = message
        else:
            self._worked = True

    def verdict(self) -> PauseJob | None:
        """Whether to pause the job, and in which words."""
        dead = sum(self._by_class.values())
        if not self._worked and self._seen >= self._first:
            return self._pause(f"the first {self._seen} outcomes are all errors that no retry can cure", dead)
        full = len(self._recent) == self._recent.maxlen
        if full and 2 * dead >= len(self._recent):
            return self._pause(
                f"{dead} of the last {len(self._recent)} outcomes are errors that no retry can cure", dead
            )
        return None

    def reset(self) -> None:
        """Forgets everything: a person resumed the job, so it gets its chances anew."""
        self._recent.clear()
        self._by_class.clear()
        self._example.clear()
        self._seen = 0
        self._worked = self._had_worked

    def _pause(self, what: str, dead: int) -> PauseJob:
        cls, count = self._by_class.most_common(1)[0]
        example = self._example[cls]
        words = f"{what}; {'all' if count == dead else f'{count}'} are {cls}"
        if example:
            words += f', the last one: "{example[:_WORDS]}"'
        return PauseJob(PauseReason.ERROR_RATE, words)
