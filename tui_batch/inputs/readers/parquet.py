"""Parquet, through pyarrow (an extra)."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tui_batch.domain.job import InputSource
from tui_batch.errors import InputError, UserError
from tui_batch.inputs.byte_source import ByteSource
from tui_batch.inputs.rows import Read, RowFactory

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Scalar
    from pyarrow.parquet import ParquetFile

_BATCH = 2_000
_NANOS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""Nanoseconds in Arrow's units of time."""


def read(source: ByteSource, config: InputSource) -> Iterator[Read]:
    """Rows by row number. NaN and missing values are null; decimals are text; times and durations are ISO 8601."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UserError(
            f"{source.name}: reading Parquet needs pyarrow", remedy="pip install 'llmbatch-tui[parquet]'"
        ) from None
    with _seekable(source) as where:
        try:
            with pyarrow.parquet.ParquetFile(where) as file:
                yield from _rows(file, source, config)
        except (pyarrow.ArrowException, OSError) as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(source.name, f"is not readable Parquet: {first}") from None
        except UnicodeDecodeError:
            raise InputError(source.name, "is not readable Parquet: a column's name is not UTF-8") from None


def _rows(file: ParquetFile, source: ByteSource, config: InputSource) -> Iterator[Read]:
    twice = sorted(name for name, times in Counter(file.schema_arrow.names).items() if times > 1)
    if twice:
        raise InputError(source.name, "the file has this column twice", field=twice[0], remedy="Rename one.")
    make = RowFactory(config, _plain).make
    number = 0
    for batch in file.iter_batches(batch_size=_BATCH):
        for columns in _records(batch):
            number += 1
            yield make(number, columns)


def _records(batch: RecordBatch) -> Iterable[dict[str, Any]]:
    """The rows as Python has them; cell by cell where a time is finer or further away than Python's own, or a text
    is not UTF-8."""
    try:
        rows: list[dict[str, Any]] = batch.to_pylist()
        return rows
    except (ValueError, OverflowError):
        columns = {name: list(map(_cell, batch.column(name))) for name in batch.schema.names}
        return (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))


class _Beyond:
    """A value that Python cannot hold. No dataclass: orjson would write that as an object."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __repr__(self) -> str:
        return f"<{self.kind}>"


def _cell(cell: Scalar[Any]) -> Any:
    """A value; a time or duration that Python cannot hold as text."""
    try:
        return cell.as_py()
    except (ValueError, OverflowError):
        return _as_text(cell) or _Beyond(str(cell.type))


def _as_text(cell: Scalar[Any]) -> str | None:
    """ISO 8601 of a time, which Arrow writes as `2024-01-02 03:04:05.000000006Z`, or of a duration, which it writes as
    a number; None: it cannot write that one."""
    import pyarrow

    if pyarrow.types.is_duration(cell.type):
        return _iso_duration(cell.value * _NANOS[cell.type.unit])
    try:
        text = str(cell.cast(pyarrow.string()).as_py())
    except (pyarrow.ArrowException, UnicodeDecodeError):
        return None
    return None if text.startswith("<") else text.replace(" ", "T", 1)


@contextlib.contextmanager
def _seekable(source: ByteSource) -> Iterator[Path | IO[bytes]]:
    """The file itself, or a copy on disk: Parquet keeps its table of contents at the end."""
    if source.path is not None:
        yield source.path
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(source.file, copy)
        copy.seek(0)
        yield copy


def _plain(value: Any) -> Any:
    """Arrow values that JSON does not know. Raises TypeError for those without a plain text form."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):  # pandas, where it is there, gives a kind of its own for nanoseconds
        return value.isoformat()
    if isinstance(value, timedelta):
        return _iso_duration(value // timedelta(microseconds=1) * 1_000 + getattr(value, "nanoseconds", 0))
    if isinstance(value, _Beyond):
        raise TypeError(f"a {value.kind} beyond what can be shown")
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise TypeError("binary data") from None
    raise TypeError(f"a {type(value).__name__}")


def _iso_duration(nanos: int) -> str:
    """ISO 8601 with days as the largest part: `P1DT2H`, `PT0.5S`, `-PT1M`."""
    seconds, fraction = divmod(abs(nanos), 10**9)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    exact = f"{seconds}.{fraction:09d}".rstrip("0").rstrip(".")
    clock = "".join(
        f"{part}{unit}" for part, unit in ((hours, "H"), (minutes, "M"), (exact, "S")) if part not in (0, "0")
    )
    date = f"{days}D" if days else ""
    return f"{'-' if nanos < 0 else ''}P{date}{'T' + clock if clock else '' if date else 'T0S'}"
