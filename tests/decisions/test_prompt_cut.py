"""Whether a server read the whole prompt, told by its own count: no cut goes unseen, and none is made up."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.endpoint import Operation
from tui_batch.domain.outcome import Outcome, OutcomeClass, Usage
from tui_batch.domain.request import PromptRequest
from tui_batch.engine.prompt_cut import checked, is_cut, window_of
from tui_batch.engine.retry import PROMPT_CUT_CODE


@pytest.mark.parametrize(
    ("estimated", "counted", "window", "cut"),
    [
        (20_000, 4_096, 4_096, True),  # the runner keeps as much as the window holds
        (20_000, 4_096, None, True),  # the server's own default
        (20_000, 8_192, None, True),  # a server that was told another default
        (20_000, 2_048, 8_192, True),  # a model made for less than was asked for
        (5_400, 4_096, None, True),
        (5_000, 4_095, 4_096, True),
        (9_000, 2_100, 4_096, True),  # an older runner, which keeps half and a little
        (13_000, 700, 4_096, True),  # a chat that lost its oldest messages
        (4_000, 3_900, 4_096, False),
        (4_200, 4_096, None, False),  # chance: a prompt that just is as long as a usual window
        (6_000, 2_900, 4_096, False),  # an estimate that is off by half
        (20_000, 150, None, False),  # a very old server that had the rest in its cache
        (20_000, 19_000, 32_768, False),
        (20_000, 150, 32_768, False),
        (1_500, 1_300, 100, False),  # the server's window is not the one asked for
        (10, 12, None, False),
        (0, 0, None, False),
    ],
)
def test_cuts_are_told_from_bad_estimates_and_from_prompt_caches(
    estimated: int, counted: int, window: int | None, cut: bool
) -> None:
    assert is_cut(estimated, counted, window) is cut


@given(st.integers(1, 200_000), st.floats(0.6, 1.8), st.sampled_from([2_048, 4_096, 8_192, 131_072]))
@settings(deadline=None, max_examples=80)
def test_a_prompt_that_fits_with_room_for_an_answer_is_never_taken_for_cut(
    real: int, error: float, window: int
) -> None:
    if real < window - 16:
        assert not is_cut(min(round(real * error), 2 * window - 1), real, window) or (real + 1) % 1_024 <= 1


@given(st.integers(1, 400_000), st.floats(0.6, 3.0), st.sampled_from([1_000, 2_048, 4_096, 8_192, 131_072]))
@settings(deadline=None, max_examples=80)
def test_a_prompt_cut_to_the_window_that_was_asked_for_is_always_seen(real: int, error: float, window: int) -> None:
    if real > window:
        assert is_cut(round(real * error), window, window)


def test_the_answer_is_kept_and_said_to_be_to_a_part_of_the_prompt() -> None:
    answer = Outcome(OutcomeClass.OK, text="hm", usage=Usage(4_096, 5), finish_reason="stop", status=200)
    found = checked(answer, 20_000, 4_096)
    assert (found.cls, found.code, found.text) == (OutcomeClass.TRUNCATED, PROMPT_CUT_CODE, "hm")
    assert "4,096 of about 20,000" in found.message
    unknown = Outcome(OutcomeClass.OK, text="hm", usage=Usage(None, 5))
    failed = Outcome(OutcomeClass.SERVER_ERROR, usage=Usage(4_096, None))
    assert (checked(unknown, 20_000, 4_096), checked(failed, 20_000, 4_096)) == (unknown, failed)


def test_the_window_is_what_the_request_asks_for() -> None:
    def window(**params: object) -> int | None:
        return window_of(PromptRequest(Operation.CHAT, params=params))

    assert window(num_ctx=8_192) == 8_192
    assert window(options={"num_ctx": 2_048}) == 2_048
    assert window(num_ctx=8_192, options={"num_ctx": 2_048}) == 8_192
    assert window(num_ctx="big") is None
    assert window() is None
