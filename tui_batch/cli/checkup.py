"""What `doctor` looks at."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import platform
import shutil
import sqlite3
import sys
from contextlib import aclosing, closing
from dataclasses import dataclass
from pathlib import Path

from tui_batch import __version__, figures, paths
from tui_batch.cli.where import Where
from tui_batch.errors import UserError
from tui_batch.gpu.sample import GpuSample, Sampler
from tui_batch.gpu.watch import usual_samplers
from tui_batch.money.vocabulary import NEWEST, cached_file, shipped_file
from tui_batch.providers.catalog import in_environment
from tui_batch.providers.discovery import find_local_servers
from tui_batch.safe_text import safe_text
from tui_batch.settings import load_settings
from tui_batch.work.transports import make_transport

_PACKAGES = ("textual", "rich", "typer", "pyreqwest", "httpx", "aiosqlite", "orjson", "tiktoken", "pydantic", "uvloop")
_LEAST_FREE = 200_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report."""

    name: str
    words: str
    ok: bool = True
    """False: something is wrong that keeps jobs from running. What is merely absent is fine."""


async def checkup(where: Where) -> list[Check]:
    """Every check, in the order shown. Never raises for what it finds."""
    local = [
        Check("program", f"llmbatch-tui {__version__}, Python {platform.python_version()}, {platform.platform()}"),
        Check("python", sys.executable),
        Check("packages", ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)),
        _database(where.db),
        _space(where.db),
        _settings(where.settings),
        _keys(),
        _vocabulary(),
        _logs(),
    ]
    return [*local, await _servers(where.settings), await asyncio.to_thread(_gpus, where.settings)]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _database(db: Path) -> Check:
    if not os.path.exists(db):
        writable = os.access(_folder(db), os.W_OK)
        return Check("database", f"{db} (not there yet{'' if writable else ', and cannot be made'})", writable)
    try:
        with closing(sqlite3.connect(f"{db.absolute().as_uri()}?mode=ro", uri=True)) as conn:
            version = conn.execute("SELECT count(*) FROM migration").fetchone()[0]
            jobs = conn.execute("SELECT count(*) FROM job").fetchone()[0]
    except sqlite3.Error as error:
        return Check("database", f"{db}: {error}", ok=False)
    writable = os.access(db, os.W_OK) and os.access(db.parent, os.W_OK)
    words = f"{db}, schema {version}, {figures.things(jobs, 'job')}, {figures.size(db.stat().st_size)}"
    return Check("database", words + ("" if writable else ", cannot be written"), writable)


def _folder(db: Path) -> Path:
    """Where it is, or the nearest folder above that is there."""
    return next(folder for folder in (db.parent, *db.parent.parents) if os.path.exists(folder))


def _space(db: Path) -> Check:
    free = shutil.disk_usage(_folder(db)).free
    return Check("disk", f"{figures.size(free)} free", free > _LEAST_FREE)


def _settings(named: Path | None) -> Check:
    path = named or paths.settings_file()
    if not os.path.exists(path):
        return Check("settings", f"{path} (not there: defaults)")
    try:
        settings = load_settings(path)
    except UserError as error:
        return Check("settings", safe_text(str(error)), ok=False)
    return Check("settings", f"{path}, {figures.things(len(settings.endpoints), 'endpoint')}")


def _keys() -> Check:
    """Names of variables, never their values."""
    found = [name for entry in in_environment() for name in entry.keys if os.environ.get(name)]
    return Check("keys", ", ".join(found) if found else "none in the environment (local servers need none)")


def _vocabulary() -> Check:
    """Token counts are estimates until OpenAI's vocabulary is on this machine; nothing is fetched here."""
    cached, shipped = cached_file(NEWEST), shipped_file(NEWEST)
    if os.path.isfile(cached):
        return Check("tokens", f"exact for OpenAI's models: their vocabulary is in {cached.parent}")
    if shipped is not None:
        return Check("tokens", f"exact for OpenAI's models: their vocabulary is in {shipped.parent}")
    return Check(
        "tokens", "estimates, for want of a vocabulary; exact without a network: pip install 'llmbatch-tui[tokens]'"
    )


def _logs() -> Check:
    return Check("logs", str(paths.log_dir()))


async def _servers(settings_file: Path | None) -> Check:
    try:
        ca_file = load_settings(settings_file).ca_file
    except UserError:
        ca_file = None
    async with aclosing(make_transport(ca_file, "")) as transport:
        found = await find_local_servers(transport)
    words = [
        f"{safe_text(one.endpoint.name)} at {one.endpoint.base_url} ({figures.things(len(one.models), 'model')})"
        for one in found
    ]
    return Check("servers", ", ".join(words) if words else "none found on this machine")


def _gpus(settings_file: Path | None) -> Check:
    """This machine's NVIDIA cards and those of the exporters in the settings; elsewhere one quiet line."""
    try:
        exporters = load_settings(settings_file).gpu_exporters
    except UserError:
        exporters = ()
    return Check("gpu", "; ".join(_cards(sampler) for sampler in usual_samplers(exporters)))


def _cards(sampler: Sampler) -> str:
    reading = sampler.read()
    sampler.close()
    names = [safe_text(card.name) + _memory(card) for card in reading.samples]
    where = f"{safe_text(sampler.where)}: " if sampler.where else ""
    return where + (", ".join(names) or safe_text(reading.trouble))


def _memory(card: GpuSample) -> str:
    return "" if card.memory_total is None else f" {figures.size(card.memory_total)}"
