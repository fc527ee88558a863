"""What holds for all tests of the app: no animation, nothing of the person's own is read or written."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setenv("LLMBATCH_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("LLMBATCH_SETTINGS", str(tmp_path / "settings.yaml"))
    monkeypatch.delenv("LLMBATCH_DB", raising=False)
