"""Files that appear under their name only when they are whole. Nothing here keeps the event loop waiting."""

from __future__ import annotations

import asyncio
import gzip
import os
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar, cast

from tui_batch.errors import UserError
from tui_batch.report.targets import is_replaceable

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """As asyncio.to_thread; when the caller is cancelled it still waits for the thread, which may hold a file."""
    task = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
        raise


@asynccontextmanager
async def opened(path: Path | None, *, packed: bool = False) -> AsyncIterator[BinaryIO]:
    """A stream to write to; on success the file takes its name, on any failure nothing is left behind.

    `path` None is standard output; `packed` compresses with gzip. Raises UserError when the file cannot be written.
    """
    writing = _written(path, packed)
    stream = await in_thread(writing.__enter__)
    try:
        yield stream
    except BaseException as error:
        if not await in_thread(writing.__exit__, type(error), error, error.__traceback__):
            raise
    else:
        await in_thread(writing.__exit__, None, None, None)


@contextmanager
def _written(path: Path | None, packed: bool) -> Iterator[BinaryIO]:
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        whole = path.resolve()
        with _in_place(whole) if not is_replaceable(whole) else _beside(whole) as raw:
            if packed:
                with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream:
                    yield cast(BinaryIO, stream)
            else:
                yield raw
    except OSError as error:
        raise UserError(
            f"{path}: the file cannot be written: {error.strerror or error}",
            remedy="Make room there, or choose another place.",
        ) from error


@contextmanager
def _in_place(path: Path) -> Iterator[BinaryIO]:
    with path.open("wb") as raw:
        yield raw


@contextmanager
def _beside(path: Path) -> Iterator[BinaryIO]:
    """A temporary file in the same directory that is renamed once it is safely on the disk."""
    part = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as raw:
            yield raw
            raw.flush()
            os.fsync(raw.fileno())
        if path.exists():
            shutil.copymode(path, part)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
