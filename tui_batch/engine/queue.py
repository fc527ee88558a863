"""Items in memory: ready to go, or waiting for their time. Bounded by the feeder, never by dropping."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.item import Answered
from tui_batch.domain.request import Json, PromptRequest, WireRequest
from tui_batch.domain.values import immutable
from tui_batch.money.exposure import Exposure
from tui_batch.money.tokens import NO_SIZE, Size

Route = tuple[DeploymentKey, ...]
"""The deployments that may answer an item, in order of preference."""

Group = tuple[Route, int]
"""Items that wait for the same things: a route and the index of a length bucket."""


@dataclass(slots=True)
class Call:
    """An item's request, ready for one deployment."""

    wire: WireRequest
    cache_key: bytes
    measure: Callable[[], Exposure] = field(compare=False, repr=False)
    """Reads from its body the most of anything billed that it can use: a third of the work of preparing it."""
    _use: Exposure | None = field(default=None, compare=False, repr=False)

    @property
    def use(self) -> Exposure:
        """What `measure` finds. Only what has a price is asked for it."""
        if self._use is None:
            self._use = self.measure()
        return self._use


@dataclass(frozen=True, slots=True)
class Original:
    """What an item asked first, kept where an answer that fails may be asked for again in other words."""

    request: PromptRequest
    size: Size


@dataclass(frozen=True, slots=True)
class Judging:
    """What a request to a judge is about."""

    asked: Prepared
    """The item as it asks for its answer: what is sent when the judge turns the answer down."""
    answer: Answered


@immutable(frozen=True, slots=True)
class Prepared:
    """An item with everything that was computed once: rendered, encoded, estimated, keyed."""

    id: int
    order: tuple[int, int, int]
    """(-priority, seq, variant): smaller goes first."""
    route: Route
    calls: tuple[Call, ...]
    """One for each deployment of the route, in the same order."""
    tokens_in: int
    """Estimated prompt tokens."""
    tokens_out: int
    """Expected answer tokens."""
    max_out: int | None
    """Upper bound of answer tokens; None: the request sets none."""
    attempts: int = 0
    malformed: int = 0
    requests: int = 0
    """Requests made for the item, those that cost no attempt included."""
    bucket: int = 0
    """Index of its length bucket."""
    window: int | None = None
    """The context window in tokens that the request asks for (Ollama's num_ctx); None: it asks for none."""
    invalid: int = 0
    """Answers so far that failed the job's schema or a check."""
    columns: Mapping[str, Json] = field(default_factory=dict)
    """The row's columns that checks refer to."""
    original: Original | None = None
    """None: the job does not tell models what was wrong."""
    prompt_size: Size = NO_SIZE
    """The prompt before anything learned is applied: what the server's count is compared with."""
    judging: Judging | None = None
    """Set where this asks a judge about the item's answer. `attempts` are then the judge's."""

    @property
    def group(self) -> Group:
        """Where it stands in the ready queue."""
        return self.route, self.bucket

    @property
    def tokens(self) -> int:
        """What is reserved against a tokens-per-minute limit."""
        return self.tokens_in + self.tokens_out

    @property
    def size(self) -> int:
        """Bytes of the request's body: more than its tokens can ever be."""
        return len(self.calls[0].wire.body)

    @property
    def held(self) -> int:
        """Bytes that holding it costs: the body, and what checks need beside it."""
        references = sum(len(value) for value in self.columns.values() if isinstance(value, str)) if self.columns else 0
        judged = 0 if self.judging is None else self.judging.asked.held + len(self.judging.answer.text)
        return self.size * (1 if self.original is None else 2) + references + judged


Entry = tuple[tuple[int, int, int], int, int, Prepared]
"""An item as it stands in a line: its order, its id, the bytes that holding it costs, and the item."""


class _Line:
    """The ready items of one group, in order.

    Rows are read in order, so nearly every item belongs behind the last one: those stand in a row. Only what comes
    late, a retry or an urgent row, goes into a heap, where taking the first of thousands costs a dozen comparisons.
    """

    __slots__ = ("_late", "_row")

    def __init__(self) -> None:
        self._row: deque[Entry] = deque()
        self._late: list[Entry] = []

    def __len__(self) -> int:
        return len(self._row) + len(self._late)

    def push(self, entry: Entry) -> None:
        if self._row and entry < self._row[-1]:
            heapq.heappush(self._late, entry)
        else:
            self._row.append(entry)

    def first(self) -> Entry:
        return self._late[0] if self._is_late_first() else self._row[0]

    def pop(self) -> Entry:
        return heapq.heappop(self._late) if self._is_late_first() else self._row.popleft()

    def _is_late_first(self) -> bool:
        return bool(self._late) and (not self._row or self._late[0] < self._row[0])


class ReadyQueue:
    """Ready items by group, then priority and row order; waiting items by time.

    A line a group, so that items held up by one deployment or length bucket never stand before items for another.
    """

    def __init__(self, expected: Iterable[Group] = (), aside: Iterable[Group] = ()) -> None:
        self._expected = tuple(expected)
        self._aside = tuple(aside)
        """Groups of the judge's requests, which come from answers and not from rows that are read."""
        self._ready: dict[Group, _Line] = {}
        self._waiting: list[tuple[float, int, Prepared]] = []
        self._count = 0
        self.bytes = 0

    def __len__(self) -> int:
        return self._count

    @property
    def waiting(self) -> int:
        """Items that wait for their retry time."""
        return len(self._waiting)

    @property
    def scarcest(self) -> int:
        """Ready items of the expected group that has fewest; all ready items where no groups are told apart."""
        if len(self._expected) < 2:
            return self._count - len(self._waiting) - sum(len(self._ready.get(group, ())) for group in self._aside)
        return min(len(self._ready.get(group, ())) for group in self._expected)

    def push(self, item: Prepared) -> None:
        """Makes an item ready."""
        group, held = item.group, item.held
        line = self._ready.get(group)
        if line is None:
            line = self._ready[group] = _Line()
        line.push((item.order, item.id, held, item))
        self._count += 1
        self.bytes += held

    def wait(self, item: Prepared, due: float) -> None:
        """Keeps an item until `due` on the loop's clock."""
        heapq.heappush(self._waiting, (due, item.id, item))
        self._count += 1
        self.bytes += item.held

    def wake(self, now: float) -> None:
        """Makes every waiting item ready whose time has come."""
        while self._waiting and self._waiting[0][0] <= now:
            item = heapq.heappop(self._waiting)[2]
            self._count -= 1
            self.bytes -= item.held
            self.push(item)

    @property
    def next_due(self) -> float | None:
        """When the first waiting item becomes ready."""
        return self._waiting[0][0] if self._waiting else None

    def heads(self) -> list[Prepared]:
        """The first item of every group that has one, in the order in which they should go."""
        if len(self._ready) == 1:
            return [line.first()[3] for line in self._ready.values()]
        return [entry[3] for entry in sorted(line.first() for line in self._ready.values())]

    def pop(self, group: Group) -> Prepared:
        """Takes the first item of a group."""
        line = self._ready[group]
        _, _, held, item = line.pop()
        if not line:
            del self._ready[group]
        self._count -= 1
        self.bytes -= held
        return item
