"""The loop the program runs on leaves Python's settings as they were."""

from __future__ import annotations

import gc
import sys

import pytest

from tui_batch.engine.loop import COLLECT_EVERY, SWITCH_S, run


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
