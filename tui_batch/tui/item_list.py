"""A job's items as a list of any length: where each stands, and the rows that a screen needs. Knows no widget."""

from __future__ import annotations

import time
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from tui_batch.domain.item_filter import ALL_ITEMS, INPUT_ORDER, ItemFilter, ItemOrder, SortKey
from tui_batch.domain.request import Json
from tui_batch.domain.stored import ItemRow
from tui_batch.quality.answers import field_at, paths_of
from tui_batch.quality.texts import column_text
from tui_batch.store.item_view import ItemQuery
from tui_batch.store.store import Store

PAGE = 100
"""Rows read at once."""
FEW = 1_000
"""So many places at most are looked up by reading their rows; they must fit into the pages that are kept."""
KEPT = 60
"""Pages kept in memory."""
MOST_FIELDS = 200
"""Names of fields that are kept of a job's answers: more are no columns to choose from."""
CELL = 200
"""Characters of a field's value that are kept."""
LEAST_PAUSE_S = 1.0
_PAUSES = 8.0
"""A list that changes while its job runs is searched again after so many times the time that it took."""


@dataclass(slots=True)
class _Page:
    rows: tuple[ItemRow | None, ...]
    age: int


@dataclass(frozen=True, slots=True)
class Whole:
    """The job that a list is about, as far as places in it depend on that."""

    job_id: int
    items: int
    """How many the job has."""
    variants: int = 1
    """Items of one row of the input: models in mode each, else 1."""


class ItemList:
    """Random access to the items of one job that meet a filter, in an order.

    All items in input order need no list of ids: places are computed. Any other list is an array of ids.
    """

    def __init__(self, store: Store, whole: Whole, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self.whole = whole
        self.filter = ALL_ITEMS
        self.order = INPUT_ORDER
        self._ids: array[int] | None = None
        self._pages: OrderedDict[int, _Page] = OrderedDict()
        self._age = 0
        self.wanted: frozenset[str] = frozenset()
        """Fields of answers that the rows are to have."""
        self.seen: tuple[str, ...] = ()
        """Names of fields that answers had, as far as they were looked at for them."""
        self.share: float | None = None
        """How far a search has come, 0 to 1; None: no search is going on."""
        self._found_at = float("-inf")
        self._took = 0.0

    def __len__(self) -> int:
        return self.whole.items if self._ids is None else len(self._ids)

    @property
    def is_plain(self) -> bool:
        """Whether places are computed: all items, in the order of the input or against it."""
        return not self.filter and self.order.key is SortKey.ROW

    # Rows

    def row(self, place: int) -> ItemRow | None:
        """The item at that place, as last read; None: it was not read yet, or is gone."""
        page = self._pages.get(place // PAGE)
        return page.rows[place % PAGE] if page is not None and place % PAGE < len(page.rows) else None

    def id_at(self, place: int) -> int | None:
        """The id of the item at that place, where it is known."""
        if self._ids is not None:
            return self._ids[place] if 0 <= place < len(self._ids) else None
        row = self.row(place)
        return None if row is None else row.id

    def place_of(self, row: ItemRow) -> int | None:
        """Where an item stands; None: it is not in the list."""
        if self._ids is not None:
            try:
                return self._ids.index(row.id)
            except ValueError:
                return None
        return self._turned(row.seq * self.whole.variants + row.variant)

    def age(self) -> None:
        """The database changed: rows are read again before they are trusted, and shown as they were until then."""
        self._age += 1

    async def read(self, first: int, last: int) -> bool:
        """Reads what is missing or old of the places from `first` up to `last`; says whether anything changed."""
        changed = False
        for number in range(first // PAGE, (max(first, last - 1)) // PAGE + 1):
            page = self._pages.get(number)
            if page is None or page.age != self._age or len(page.rows) < min(PAGE, len(self) - number * PAGE):
                changed |= await self._read_page(number)
            else:
                self._pages.move_to_end(number)
        return changed

    async def _read_page(self, number: int) -> bool:
        age, ids, order = self._age, self._ids, self.order
        start = number * PAGE
        stop = min(start + PAGE, len(self))
        if ids is None:
            rows = await self._plain_rows(start, stop)
        else:
            wanted = ids[start:stop].tolist()
            found = await self._store.items.rows(wanted)
            rows = tuple(found.get(item_id) for item_id in wanted)
        rows = await self._with_fields(rows)
        if order != self.order or not self._is_still(ids, start, stop):
            return False  # the list became another while its rows were read
        before = self._pages.get(number)
        self._pages[number] = _Page(rows, age)
        self._pages.move_to_end(number)
        while len(self._pages) > KEPT:
            self._pages.popitem(last=False)
        return before is None or before.rows != rows

    def _is_still(self, ids: array[int] | None, start: int, stop: int) -> bool:
        """Whether these ids are what is listed from one place up to another."""
        if ids is None or self._ids is None:
            return ids is self._ids
        return self._ids[start:stop] == ids[start:stop]

    def want(self, fields: frozenset[str]) -> None:
        """Rows have these fields of their answers from now on."""
        if fields - self.wanted:
            self.age()
        self.wanted = fields

    async def look_for_fields(self, first: int, last: int) -> None:
        """Notes which fields the answers from one place up to another have."""
        rows = [row for place in range(first, last) if (row := self.row(place)) is not None]
        self._see((await self._store.items.answers([row.id for row in rows])).values())

    async def _with_fields(self, rows: tuple[ItemRow | None, ...]) -> tuple[ItemRow | None, ...]:
        """The rows with what is wanted of their answers, cut short: a page must not hold whole answers."""
        if not self.wanted:
            return rows
        found = await self._store.items.answers([row.id for row in rows if row is not None])
        self._see(found.values())
        return tuple(
            replace(row, fields=_some(found[row.id], self.wanted)) if row is not None and row.id in found else row
            for row in rows
        )

    def _see(self, answers: Iterable[Mapping[str, Json]]) -> None:
        names = dict.fromkeys((*self.seen, *(path for fields in answers for path in paths_of(fields))))
        self.seen = tuple(islice(names, MOST_FIELDS))

    async def _plain_rows(self, start: int, stop: int) -> tuple[ItemRow | None, ...]:
        """Rows by computed places. A job whose deletion was cut off has gaps at its beginning: they stay empty."""
        if stop <= start:
            return ()
        low = min(self._turned(start), self._turned(stop - 1))
        seq, variant = divmod(low, self.whole.variants)
        page = await self._store.items.page(self.whole.job_id, after=(seq, variant - 1), limit=stop - start)
        found = {row.seq * self.whole.variants + row.variant: row for row in page}
        return tuple(found.get(self._turned(place)) for place in range(start, stop))

    def _turned(self, place: int) -> int:
        """Place in the list to place in the input, and back."""
        return self.whole.items - 1 - place if self.order.descending and self._ids is None else place

    # Searching

    def grow(self, whole: Whole) -> bool:
        """The job has more items than it had; says whether that changes anything here."""
        if whole == self.whole:
            return False
        self.whole = whole
        self.age()
        return True

    def turn(self, chosen: ItemFilter, order: ItemOrder) -> bool:
        """Makes it another list; says whether it must now be searched for."""
        self.filter, self.order = chosen, order
        self._pages.clear()
        self._found_at = float("-inf")
        self._ids = None if self.is_plain else array("q")
        self.share = None if self.is_plain else 0.0
        return not self.is_plain

    def is_due(self) -> bool:
        """Whether a list whose items change state should be searched again by now."""
        changes = self.filter.is_about_progress or self.order.key not in (SortKey.ROW, SortKey.ID)
        rested = self._clock() - self._found_at >= max(LEAST_PAUSE_S, _PAUSES * self._took)
        return not self.is_plain and changes and rested and self.share is None

    async def search(self, show: Callable[[], None]) -> None:
        """Looks for the items of the list. `show` is called whenever there is more to see.

        The first time the list grows as they are found; later the old one stands until the new one is whole.
        """
        fresh = self._found_at == float("-inf")
        begun = self._clock()
        self.share = 0.0
        ids: array[int] = array("q")
        try:
            async for piece in self._store.search.find(ItemQuery(self.whole.job_id, self.filter, self.order)):
                ids = piece.ids if piece.anew else ids + piece.ids
                self.share = piece.share
                if fresh:
                    self._replace(ids)
                    show()
            self._replace(ids)
            self._took, self._found_at = self._clock() - begun, self._clock()
        finally:
            self.share = None
        show()

    def _replace(self, ids: array[int]) -> None:
        old, self._ids = self._ids, ids
        if old is None or ids[: len(old)] != old:
            self._pages.clear()
        elif len(old) % PAGE:
            self._pages.pop(len(old) // PAGE, None)

    async def collect(self, first: int = 0, last: int | None = None) -> array[int]:
        """The ids of the places from `first` up to `last` (None: all); few of them are read, many searched for."""
        stop = len(self) if last is None else last
        if self._ids is not None:
            return self._ids[first:stop]
        if stop - first <= FEW:
            await self.read(first, stop)
            known = (self.id_at(place) for place in range(first, stop))
            return array("q", [item_id for item_id in known if item_id is not None])
        query = ItemQuery(self.whole.job_id, ALL_ITEMS, replace(self.order, descending=False))
        ids: array[int] = array("q")
        async for piece in self._store.search.find(query):
            ids += piece.ids
            if len(ids) >= stop and not self.order.descending:
                break
        if self.order.descending:
            ids.reverse()
        return ids[first:stop]


def _some(fields: Mapping[str, Json], wanted: frozenset[str]) -> dict[str, Json]:
    found = {path: field_at(fields, path) for path in wanted}
    return {path: column_text(value)[:CELL] for path, value in found.items() if value is not None}
