"""A few rows spread evenly over an input, the same ones every time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tui_batch.domain.item import NewRow
from tui_batch.domain.job import InputSource
from tui_batch.errors import UserError
from tui_batch.inputs.byte_source import STDIN
from tui_batch.inputs.reading import open_rows
from tui_batch.inputs.rows import Read


def spread_numbers(total: int, wanted: int) -> tuple[int, ...]:
    """The numbers, from 0, of `wanted` of `total` rows at equal distances; all when there are no more."""
    wanted = min(wanted, total)
    return tuple((2 * place + 1) * total // (2 * wanted) for place in range(wanted))


def count_rows(source: InputSource) -> int:
    """Good rows of an input. Reads all of it: call it from a worker thread. Raises UserError."""
    if source.path == STDIN:
        raise UserError(
            "a sample needs to know how long the input is, and standard input can be read only once",
            remedy="Save it to a file first.",
        )
    return sum(1 for read in open_rows(source) if isinstance(read, NewRow))


def spread(rows: Iterable[Read], total: int, wanted: int) -> Iterator[Read]:
    """`wanted` of the `total` good rows at equal distances, or all when there are no more. Bad rows are left out."""
    seen = 0
    for read in rows:
        if isinstance(read, NewRow):
            if (seen + 1) * wanted // total > seen * wanted // total or wanted >= total:
                yield read
            seen += 1
