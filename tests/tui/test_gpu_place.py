"""The place of the graphics cards, fed by cards that are made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from app_bench import open_app, open_test_desk, until
from fake_cards import CARD, FakeSampler
from textual.widgets import Static

from tui_batch.gpu.sample import GpuSample, Reading
from tui_batch.gpu.watch import GpuWatch
from tui_batch.tui.places.gpu import GpuPlace, draw
from tui_batch.tui.widgets.charts import Glyphs


async def watching(*samples: GpuSample, looks: int = 1) -> GpuWatch:
    """A watch that has looked so many times, a second apart."""
    times = [0.0]
    watch = GpuWatch((FakeSampler(Reading(samples)),), lambda: times[0])
    for second in range(looks):
        times[0] = float(second)
        await watch.look(watch.sources[0])
    return watch


async def text(watch: GpuWatch, width: int, height: int, glyphs: Glyphs = Glyphs.UNICODE) -> list[str]:
    """What the place would show."""
    lines = draw(watch, watch.now, width, height, glyphs)
    assert all(line.cell_length <= width for line in lines)
    return [line.plain for line in lines]


async def test_a_card_says_its_figures_in_words_beside_the_bars() -> None:
    shown = "\n".join(await text(await watching(CARD), 78, 20))
    for words in ("NVIDIA [/b] H100", "64 %", "60.0 of 80.0 GiB", "350 of 700 W", "61 °C", "1 process"):
        assert words in shown


async def test_a_sensor_that_is_missing_says_so_and_draws_nothing() -> None:
    bare = GpuSample(0, "GPU-0", "Tesla", utilisation=None, temperature_c=0.0)
    lines = await text(await watching(bare), 78, 20)
    assert [line.split() for line in lines[1:4]] == [
        ["GPU", "n/a"],
        ["memory", "n/a"],
        ["power", "n/a"],
    ]
    assert any(line.startswith("heat") and "0 °C" in line for line in lines)


async def test_many_cards_are_a_list_and_few_have_charts() -> None:
    eight = [replace(CARD, index=n, uuid=f"GPU-{n}") for n in range(8)]
    listed = await text(await watching(*eight), 78, 20)
    assert listed[0].startswith("card")
    assert [line[0] for line in listed[1:]] == list("01234567")
    one = await text(await watching(CARD, looks=30), 118, 36)
    assert any("5:00 ago" in line for line in one)
    assert any("power W" in line for line in one)


async def test_a_hot_card_is_told_in_words() -> None:
    assert any("91 °C hot" in line for line in await text(await watching(replace(CARD, temperature_c=91.0)), 78, 20))


@pytest.mark.parametrize("size", [(78, 20), (118, 36), (198, 56), (58, 11)])
async def test_a_terminal_without_unicode_gets_ascii(size: tuple[int, int]) -> None:
    lines = await text(await watching(CARD, looks=5), *size, Glyphs.ASCII)
    assert all(line.replace("°", "").isascii() for line in lines)


async def test_the_place_follows_its_sources_and_looks_again_on_a_key(tmp_path: Path) -> None:
    sampler = FakeSampler(Reading(trouble="no NVIDIA GPU here", is_absent=True))
    async with open_test_desk(tmp_path) as desk, open_app(desk, size=(80, 24)) as (app, pilot):
        place = app.query_one(GpuPlace)
        place.gpus = GpuWatch((sampler,), lambda: 0.0)
        shown = place.query_one(Static)
        await pilot.press("5")
        await until(pilot, lambda: "no NVIDIA GPU here" in str(shown.content), "the quiet line")
        assert "gpu_exporters" in str(shown.content)
        sampler.reading = Reading((CARD,))
        await pilot.press("u")
        await until(pilot, lambda: "NVIDIA [/b] H100" in str(shown.content), "the card")
        assert sampler.looks == 2
