"""Parquet, an extra: the result fields have types of their own, the row's own columns are text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

import orjson

from tui_batch.domain.request import Json
from tui_batch.errors import UserError

_TYPES = {"cost_usd": "float64", "latency_ms": "int64", "cached": "bool_", "score": "float64"}


GROUP_ROWS = 20_000
"""Rows of a row group: each costs room in the file's directory, which is held in memory until the end."""
GROUP_BYTES = 16 << 20
"""A row group ends early once it holds so much: it is held in memory too."""


class ParquetWriter:
    """Gathers batches to row groups. Text columns hold strings as they are and every other value as JSON."""

    def __init__(self, stream: BinaryIO, columns: Sequence[str]) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise UserError(
                "writing Parquet needs a package that is not installed",
                remedy="Install it: pip install 'llmbatch-tui[parquet]'",
            ) from None
        self._arrow: Any = pyarrow
        fields = [(column, getattr(pyarrow, _TYPES.get(column, "string"))()) for column in columns]
        self._schema = pyarrow.schema(fields)
        self._columns = columns
        self._writer = pyarrow.parquet.ParquetWriter(stream, self._schema)
        self._group: list[Any] = []

    def write(self, lines: Iterable[Mapping[str, Json]]) -> None:
        """Appends lines."""
        rows = list(lines)
        arrays = [[_value(column, row.get(column)) for row in rows] for column in self._columns]
        self._group.append(self._arrow.table(arrays, schema=self._schema))
        held = sum(table.num_rows for table in self._group), sum(table.nbytes for table in self._group)
        if held[0] >= GROUP_ROWS or held[1] >= GROUP_BYTES:
            self._write_group()

    def finish(self) -> None:
        """Writes the last row group and the file's directory."""
        self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        if self._group:
            self._writer.write_table(self._arrow.concat_tables(self._group), row_group_size=GROUP_ROWS * 2)
            self._group = []

    def abandon(self) -> None:
        """Closes the library's writer, which would else want to write when it is collected. The stream may be full."""
        with suppress(OSError):
            self._writer.close()


def _value(column: str, value: Json) -> Json:
    if column in _TYPES or value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()
