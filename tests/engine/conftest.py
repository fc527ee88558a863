"""Engine tests run on virtual time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from virtual_time import run_virtually, watch_aiosqlite


@pytest.fixture
def virtually(monkeypatch: pytest.MonkeyPatch) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Runs a coroutine on virtual time."""
    watch_aiosqlite(monkeypatch)
    return run_virtually
