"""Parquet, through pyarrow (an extra)."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tui_batch.domain.job import InputSource
from tui_batch.errors import InputError, UserError
from tui_batch.inputs.byte_source import ByteSource
from tui_batch.inputs.rows import Read, RowFactory

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

_BATCH = 2_000


def read(source: ByteSource, config: InputSource) -> Iterator[Read]:
    """Rows by row number. NaN and missing values are null; decimals are text; times are ISO 8601."""
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


def _rows(file: ParquetFile, source: ByteSource, config: InputSource) -> Iterator[Read]:
    names = file.schema_arrow.names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(source.name, "the file has this column twice", field=twice[0], remedy="Rename one.")
    make = RowFactory(config, _plain).make
    number = 0
    for batch in file.iter_batches(batch_size=_BATCH):
        for columns in batch.to_pylist():
            number += 1
            yield make(number, columns)


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
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise TypeError("binary data") from None
    raise TypeError(f"a {type(value).__name__}")
