"""The loop the program runs on leaves Python's settings as they were."""

from __future__ import annotations

import asyncio
import gc
import sys

import pytest

from tui_batch.engine.loop import COLLECT_EVERY, SWITCH_S, run, suits_uvloop


async def _threshold() -> int:
    return gc.get_threshold()[0]


async def _fail() -> None:
    raise ValueError("no")


def test_cycles_are_searched_seldom_while_the_program_runs_and_as_before_after_it() -> None:
    before = gc.get_threshold()
    assert run(_threshold()) == COLLECT_EVERY
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


async def _interval() -> float:
    return sys.getswitchinterval()


def test_threads_give_way_to_the_loop_soon_while_the_program_runs_and_as_before_after_it() -> None:
    before = sys.getswitchinterval()
    assert run(_interval()) == pytest.approx(SWITCH_S)
    assert sys.getswitchinterval() == before


def test_settings_come_back_after_a_failure() -> None:
    before = (gc.get_threshold(), sys.getswitchinterval())
    with pytest.raises(ValueError, match="no"):
        run(_fail())
    assert (gc.get_threshold(), sys.getswitchinterval()) == before


async def _eager() -> int:
    loop = asyncio.get_running_loop()
    if hasattr(asyncio, "eager_task_factory"):
        loop.set_task_factory(asyncio.eager_task_factory)
    return await loop.create_task(_threshold())


def test_an_app_that_starts_its_tasks_eagerly_runs_on_this_python() -> None:
    assert run(_eager()) == COLLECT_EVERY


@pytest.mark.parametrize(
    ("version", "suits"), [((3, 11, 9), True), ((3, 12, 1), True), ((3, 13, 0), False), ((3, 13, 3), True)]
)
def test_pythons_that_uvloop_breaks_are_known(version: tuple[int, int, int], suits: bool) -> None:
    assert suits_uvloop(version) is suits
