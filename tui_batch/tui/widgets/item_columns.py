"""The columns of the items list, and how they share a line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from tui_batch import figures
from tui_batch.domain.item import ItemFlag, ItemState
from tui_batch.domain.item_filter import ItemOrder, SortKey
from tui_batch.domain.stored import ItemRow
from tui_batch.tui.tones import Span, Tone
from tui_batch.tui.widgets.listing import GAP

STATES = {
    ItemState.PENDING: ("○", Tone.MUTED),
    ItemState.DONE: ("✓", Tone.GOOD),
    ItemState.DEAD: ("✗", Tone.BAD),
    ItemState.CANCELLED: ("–", Tone.MUTED),
}
"""Glyph and tone of each state; the word goes with them, so that colour is never all there is."""


_REMARKS = (
    (ItemFlag.TRUNCATED, "cut"),
    (ItemFlag.PROMPT_CUT, "prompt cut"),
    (ItemFlag.CHECK_FAILED, "failed"),
    (ItemFlag.UNJUDGED, "unjudged"),
)
"""What the list says of a done item with a remark, the one that matters most first."""

FIELD = "field."
"""In front of an answer's field in the id of its column."""
_FIELD_WIDTH = 14


@dataclass(frozen=True, slots=True)
class ItemColumn:
    """One column."""

    id: str
    title: str
    cell: Callable[[ItemRow], Span]
    width: int
    """In cells; of the last column the least it may have."""
    right: bool = False
    drop: int = 0
    """Left out when there is too little room, the highest number first; 0: never."""
    sort: SortKey | None = None
    """What a click on the title orders by."""
    usual: bool = True
    """Shown unless a person chose otherwise."""

    @property
    def order(self) -> ItemOrder | None:
        """What a click on the title orders by, rising."""
        if self.sort is None:
            return None
        return ItemOrder(self.sort, field=self.id.removeprefix(FIELD) if self.sort is SortKey.FIELD else "")


def state_span(row: ItemRow) -> Span:
    """The state as glyph and word, and the remark that matters most."""
    glyph, tone = STATES[row.state]
    if row.state is ItemState.DONE and row.flags:
        return f"{glyph} {next(word for flag, word in _REMARKS if flag in row.flags)}", Tone.WARN
    if row.state is ItemState.DONE and row.cached:
        return f"{glyph} cached", tone
    if row.state is ItemState.PENDING and row.attempts:
        return f"{glyph} retrying", Tone.WARN
    return f"{glyph} {row.state.value}", tone


def cost_words(row: ItemRow) -> str:
    """The item's cost; `?` when it is unknown, nothing while no request was made."""
    if row.cost_nano is not None and (row.requests or row.cached):
        return figures.dollars(row.cost_nano)
    return "?" if row.requests else ""


def milliseconds(amount: int | None) -> str:
    """A latency in at most six characters."""
    if amount is None:
        return ""
    return f"{amount} ms" if amount < 1_000 else f"{amount / 1000:.1f} s" if amount < 100_000 else f"{amount // 1000} s"


def _tokens(amount: int | None) -> str:
    return "" if amount is None else figures.short_count(amount)


def _excerpt(row: ItemRow) -> Span:
    if row.state in (ItemState.DEAD, ItemState.CANCELLED) and row.cls is not None and row.excerpt:
        return f"{row.cls.value}: {row.excerpt}", Tone.BAD if row.state is ItemState.DEAD else Tone.MUTED
    return row.excerpt, Tone.PLAIN


COLUMNS: tuple[ItemColumn, ...] = (
    ItemColumn("row", "#", lambda row: (str(row.seq + 1), Tone.MUTED), 7, right=True, sort=SortKey.ROW),
    ItemColumn("state", "state", state_span, 11, sort=SortKey.STATE),
    ItemColumn("id", "custom_id", lambda row: (row.custom_id or "", Tone.PLAIN), 12, drop=4, sort=SortKey.ID),
    ItemColumn("model", "model", lambda row: (row.model or "", Tone.PLAIN), 16, drop=5, sort=SortKey.MODEL),
    ItemColumn("endpoint", "endpoint", lambda row: (row.endpoint or "", Tone.PLAIN), 12, drop=9, usual=False),
    ItemColumn(
        "class", "class", lambda row: (row.cls.value if row.cls else "", Tone.PLAIN), 13, drop=10, usual=False
    ),
    ItemColumn(
        "attempts", "tries", lambda row: (str(row.attempts or ""), Tone.WARN if row.attempts > 1 else Tone.PLAIN), 5,
        right=True, drop=6, sort=SortKey.ATTEMPTS,
    ),
    ItemColumn(
        "in", "in", lambda row: (_tokens(row.tokens_in), Tone.PLAIN), 5, right=True, drop=8, sort=SortKey.TOKENS
    ),
    ItemColumn("out", "out", lambda row: (_tokens(row.tokens_out), Tone.PLAIN), 5, right=True, drop=7),
    ItemColumn("cost", "cost", lambda row: (cost_words(row), Tone.PLAIN), 10, right=True, drop=3, sort=SortKey.COST),
    ItemColumn(
        "latency", "time", lambda row: (milliseconds(row.latency_ms), Tone.PLAIN), 7,
        right=True, drop=2, sort=SortKey.LATENCY,
    ),
    ItemColumn(
        "score", "score", lambda row: ("" if row.score is None else f"{row.score:.2f}", Tone.PLAIN), 5,
        right=True, drop=1, sort=SortKey.SCORE, usual=False,
    ),
    ItemColumn(
        "finished", "finished", lambda row: (figures.local_time(row.finished_at), Tone.MUTED), 16,
        drop=12, sort=SortKey.FINISHED, usual=False,
    ),
    ItemColumn("excerpt", "answer or error", _excerpt, 16),
)  # fmt: skip


def field_column(name: str) -> ItemColumn:
    """The column of an answer's field. It was chosen by hand, so it is the last to give way."""

    def cell(row: ItemRow) -> Span:
        return ("" if row.fields is None else str(row.fields.get(name, "")), Tone.PLAIN)

    return ItemColumn(FIELD + name, name, cell, _FIELD_WIDTH, drop=1, sort=SortKey.FIELD)


def columns_with(fields: Iterable[str]) -> tuple[ItemColumn, ...]:
    """All columns, those of the fields before the answer."""
    return (*COLUMNS[:-1], *map(field_column, fields), COLUMNS[-1])


def fields_of(columns: Iterable[str]) -> frozenset[str]:
    """The fields among the ids of columns."""
    return frozenset(column.removeprefix(FIELD) for column in columns if column.startswith(FIELD))


USUAL = frozenset(column.id for column in COLUMNS if column.usual)
ALWAYS = frozenset(column.id for column in COLUMNS if not column.drop)
"""Columns that cannot be hidden: without them a row says nothing."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a column stands in a line."""

    column: ItemColumn
    start: int
    width: int


def lay_out(
    chosen: Collection[str], width: int, columns: Sequence[ItemColumn] = COLUMNS, margin: int = 2
) -> list[Slot]:
    """The chosen columns that fit into `width` cells, after a margin for the mark; the last one takes what is left."""
    kept = [column for column in columns if column.id in chosen or column.id in ALWAYS]
    while _needed(kept) + margin > width and any(column.drop for column in kept):
        kept.remove(max(kept, key=lambda column: column.drop))
    spare = max(0, width - margin - _needed(kept))
    slots: list[Slot] = []
    at = margin
    for column in kept:
        room = column.width + (spare if column is kept[-1] else 0)
        slots.append(Slot(column, at, room))
        at += room + GAP
    return slots


def _needed(columns: Sequence[ItemColumn]) -> int:
    return sum(column.width + GAP for column in columns) - GAP
