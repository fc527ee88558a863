"""A comparison as lines of a width: figures side by side, who wins by what, and the rows that differ. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from rich.cells import cell_len, set_cell_size

from tui_batch.domain.item import ItemState
from tui_batch.report.comparing import Agreement, Comparison, Example, Verdict
from tui_batch.report.comparison_words import STANDING_COLUMNS, agreement_row, example_title, rows_words, standing_row
from tui_batch.safe_text import safe_text
from tui_batch.tui.tones import Span, Spans, Tone, plain
from tui_batch.tui.wrapping import Block, wrap

GAP = 2
LEAST = 28
"""Cells that an answer needs to stand beside another; narrower ones stand under each other."""
WIDEST = 30
"""Cells of a column of figures at most."""
SHOWN = 1_000
"""Characters of a row or an answer."""


def comparison_lines(found: Comparison, width: int) -> list[Spans]:
    """All of it, what matters most first."""
    labels = [one.contender.label for one in found.standings]
    lines = [plain(rows_words(found), Tone.STRONG), plain("")]
    lines += _figures(found, labels, width)
    lines += [plain(""), *map(_verdict, found.verdicts), plain(""), *map(_agreement, found.agreements)]
    if not found.examples:
        return [*lines, plain(""), plain("No row was answered differently by those that answered.", Tone.MUTED)]
    lines += [plain(""), plain(f"Rows that were answered differently, the first {len(found.examples)}:", Tone.STRONG)]
    for example in found.examples:
        lines += _example(example, labels, width)
    return lines


def _figures(found: Comparison, labels: Sequence[str], width: int) -> Iterator[Spans]:
    """A column a contender; the winner of a criterion is marked, so that it is seen without colours."""
    won = {one.criterion.value: one.winner.label for one in found.verdicts if one.winner is not None}
    rows = [standing_row(one) for one in found.standings]
    names = [column.name for column in STANDING_COLUMNS[1:]]
    first = max(map(len, names)) + GAP
    wide = max(map(cell_len, map(safe_text, labels)), default=0)
    each = max(8, min(max(wide, 14), WIDEST, (width - first) // max(1, len(labels)) - GAP))
    yield (("".ljust(first), Tone.PLAIN), *((_right(label, each), Tone.STRONG) for label in labels))
    for at, name in enumerate(names, 1):
        cells = (
            (_right(_marked(row[at], name, row_label, won), each)) for row, row_label in zip(rows, labels, strict=True)
        )
        tones = (Tone.GOOD if won.get(_CRITERIA.get(name, "")) == label else Tone.PLAIN for label in labels)
        yield ((name.ljust(first), Tone.MUTED), *zip(cells, tones, strict=True))


_CRITERIA = {"Score": "score", "Done": "answered", "Cost": "cost", "Latency": "latency", "Tokens out": "tokens"}
"""Which criterion a figure decides."""


def _marked(text: str, name: str, label: str, won: dict[str, str]) -> str:
    return f"✓ {text}" if name in _CRITERIA and won.get(_CRITERIA[name]) == label else text


def _right(text: str, width: int) -> str:
    safe = safe_text(text, 2 * width)
    if cell_len(safe) > width:
        safe = set_cell_size(safe, width - 1) + "…"
    return " " * (width - cell_len(safe) + GAP) + safe


def _verdict(one: Verdict) -> Spans:
    name = one.criterion.value.ljust(10)
    if one.winner is None:
        return ((f"· {name}", Tone.MUTED), ("nobody wins", Tone.PLAIN), (f"  {one.reason}", Tone.MUTED))
    return ((f"✓ {name}", Tone.MUTED), (one.winner.label, Tone.GOOD), (f" wins  {one.reason}", Tone.MUTED))


def _agreement(one: Agreement) -> Spans:
    left, right, both, same, share, reach, kappa = agreement_row(one)
    known = "" if kappa == "-" else f", kappa {kappa}"
    return (
        (f"{left} and {right} agree in ", Tone.PLAIN),
        (share, Tone.STRONG),
        (f" of {both} rows that both answered ({same}; 95 % {reach}{known})", Tone.MUTED),
    )


def _example(one: Example, labels: Sequence[str], width: int) -> Iterator[Spans]:
    yield plain("")
    yield plain(f"── {example_title(one)}", Tone.ACCENT)
    for line in _wrapped(one.row.decode("utf-8", "replace"), width)[:4]:
        yield plain(line, Tone.MUTED)
    each = (width - GAP * (len(labels) - 1)) // len(labels)
    answers = [text if text is not None else f"(no answer, {ItemState.DEAD.value} or pending)" for text in one.answers]
    if each < LEAST:
        for label, answer in zip(labels, answers, strict=True):
            yield plain(label, Tone.STRONG)
            yield from (plain(f"  {line}") for line in _wrapped(answer, width - 2))
        return
    yield tuple((_left(label, each), Tone.STRONG) for label in labels)
    for pieces in zip_longest(*(_wrapped(answer, each) for answer in answers), fillvalue=""):
        yield tuple(_cell(piece, each) for piece in pieces)


def _cell(piece: str, width: int) -> Span:
    return _left(piece, width), Tone.PLAIN


def _left(text: str, width: int) -> str:
    return set_cell_size(safe_text(text, 2 * width), width) + " " * GAP


def _wrapped(text: str, width: int) -> list[str]:
    cut = text if len(text) <= SHOWN else text[:SHOWN] + "…"
    made = wrap([Block(cut)], width)
    return [made.line(number) for number in range(len(made))]
