"""What `doctor` says of graphics cards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui_batch.cli import checkup
from tui_batch.cli.where import Where
from tui_batch.gpu.sample import GpuSample, Reading, Sampler


class Cards:
    """A source that is made up."""

    def __init__(self, where: str, reading: Reading) -> None:
        self.where = where
        self._reading = reading

    def read(self) -> Reading:
        """As given."""
        return self._reading

    def close(self) -> None:
        """Nothing is held."""


async def test_cards_here_and_behind_exporters_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("gpu_exporters: [gpu-box:9400]\n", encoding="utf-8")
    asked: list[tuple[str, ...]] = []

    def samplers(exporters: tuple[str, ...]) -> tuple[Sampler, ...]:
        asked.append(exporters)
        here = Reading((GpuSample(0, "a", "Tesla [/b]", memory_total=16_000_000_000), GpuSample(1, "b", "Unknown")))
        return Cards("", here), Cards("gpu-box:9400", Reading(trouble="does not answer: refused"))

    monkeypatch.setattr(checkup, "usual_samplers", samplers)
    checks = {check.name: check for check in await checkup.checkup(Where(tmp_path / "jobs.db", settings))}
    assert asked == [("http://gpu-box:9400/metrics",)]
    assert checks["gpu"].words == "Tesla [/b] 16.0GB, Unknown; gpu-box:9400: does not answer: refused"
    assert checks["gpu"].ok
