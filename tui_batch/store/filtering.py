"""Filters and orders of items as SQL over item, payload and result."""

from __future__ import annotations

from tui_batch.domain.item import ItemFlag
from tui_batch.domain.item_filter import (
    Bound,
    Choice,
    FieldBound,
    FieldIs,
    Figure,
    ItemFilter,
    ItemOrder,
    OneOf,
    SortKey,
    Term,
    Words,
)
from tui_batch.store.scopes import like_pattern

_UNKNOWN_LAST = {
    SortKey.ID: "custom_id",
    SortKey.MODEL: "model",
    SortKey.TOKENS: "coalesce(tokens_in + tokens_out, tokens_in, tokens_out)",
    SortKey.COST: "CASE WHEN item.unpriced THEN NULL ELSE item.cost_nano END",
    SortKey.LATENCY: "latency_ms",
    SortKey.FINISHED: "finished_at",
    SortKey.SCORE: "score",
}
_KNOWN = {SortKey.STATE: "state", SortKey.ATTEMPTS: "attempts"}

_FIGURES = {
    Figure.ATTEMPTS: "attempts",
    Figure.COST: _UNKNOWN_LAST[SortKey.COST],
    Figure.LATENCY: "latency_ms",
    Figure.TOKENS: _UNKNOWN_LAST[SortKey.TOKENS],
    Figure.TOKENS_IN: "tokens_in",
    Figure.TOKENS_OUT: "tokens_out",
    Figure.ROW: "seq + 1",
    Figure.SCORE: "score",
}
_PARTS = {Choice.MODEL: "model", Choice.ENDPOINT: "endpoint", Choice.ID: "custom_id"}
_FLAGS = {flag.word: flag for flag in ItemFlag}

_TEXTS = ("custom_id", "payload.data", "result.text", "result.message")


def joins(chosen: ItemFilter) -> str:
    """The tables a filter looks at beside `item`."""
    texts = any(isinstance(term, Words) for term in chosen.terms)
    results = texts or any(map(_needs_result, chosen.terms))
    payload = "JOIN payload ON payload.id = item.payload_id" if texts else ""
    return f"{payload} {'LEFT JOIN result ON result.item_id = item.id' if results else ''}"


def _needs_result(term: Term) -> bool:
    return isinstance(term, FieldIs | FieldBound) or (isinstance(term, OneOf) and term.choice is Choice.LIKE)


def order_sql(order: ItemOrder) -> str:
    """What stands behind ORDER BY: equals in input order, unknown last in either direction. Not for a field's order."""
    way = "DESC" if order.descending else "ASC"
    if order.key is SortKey.ROW:
        return f"seq {way}, variant {way}"
    if order.key in _KNOWN:
        return f"{_KNOWN[order.key]} {way}, seq, variant"
    return f"{_UNKNOWN_LAST[order.key]} {way} NULLS LAST, seq, variant"


def filter_sql(chosen: ItemFilter) -> tuple[str, list[object]]:
    """The conditions, each with AND in front, and their values. They need the tables that a search joins."""
    parts: list[str] = []
    values: list[object] = []
    for term in chosen.terms:
        text, given = _term(term)
        # A comparison with an unknown value is neither true nor false; the opposite of a term is all that it leaves.
        parts.append(f"AND coalesce({text}, 0) = 0" if term.negated else f"AND {text}")
        values += given
    return " ".join(parts), values


def _term(term: Term) -> tuple[str, list[object]]:
    match term:
        case OneOf(choice, wanted):
            return _one_of(choice, wanted)
        case Bound(figure, comparison, value):
            return f"({_FIGURES[figure]} {comparison.value} ?)", [value]
        case Words(text):
            likes = " OR ".join(rf"{column} LIKE ? ESCAPE '\'" for column in _TEXTS)
            return f"({likes})", [like_pattern(text)] * len(_TEXTS)
        case FieldIs(name, wanted):
            texts = [text.casefold() for text in wanted]
            return f"(answer_text(result.text, ?) IN ({', '.join('?' * len(texts))}))", [name, *texts]
        case FieldBound(name, comparison, value):
            return f"(answer_number(result.text, ?) {comparison.value} ?)", [name, value]


def _one_of(choice: Choice, wanted: tuple[str, ...]) -> tuple[str, list[object]]:
    if choice is Choice.LIKE:
        same = """state = 'dead' AND (outcome, like_error(coalesce(result.message, ''))) = (SELECT o.outcome,
            like_error(coalesce(m.message, '')) FROM item o LEFT JOIN result m ON m.item_id = o.id WHERE o.id = ?)"""
        return f"({' OR '.join([f'({same})'] * len(wanted))})", [int(value) for value in wanted]
    if choice is Choice.ITEM:
        return f"(item.id IN ({', '.join('?' * len(wanted))}))", [int(value) for value in wanted]
    if choice is Choice.STATE and len(wanted) == 1 and wanted[0].isidentifier():
        return f"(state = '{wanted[0]}')", []  # only a literal lets SQLite choose the index of that state's items
    if choice in (Choice.STATE, Choice.CLASS):
        column = "state" if choice is Choice.STATE else "outcome"
        return f"({column} IN ({', '.join('?' * len(wanted))}))", list(wanted)
    if choice is Choice.CACHED:
        return f"(cached IN ({', '.join('?' * len(wanted))}))", [int(value == "yes") for value in wanted]
    if choice is Choice.FLAG:
        return "(flags & ?)", [sum(_FLAGS[value].value for value in set(wanted))]
    likes = " OR ".join([rf"{_PARTS[choice]} LIKE ? ESCAPE '\'"] * len(wanted))
    return f"({likes})", [like_pattern(value) for value in wanted]
