"""The line under a list says how many, however long the name before it is."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.style import Style

from tui_batch.tui.tones import Tone
from tui_batch.tui.widgets.status_line import fitted

STYLES = dict.fromkeys(Tone, Style.null())
PARTS = (("12,000 items", Tone.STRONG), (", 3 marked", Tone.ACCENT), ("  1/12,000 by cost", Tone.MUTED))


def test_a_long_name_gives_way_to_the_figures() -> None:
    assert fitted("#6 letters", PARTS, 60, STYLES).plain == "#6 letters: 12,000 items, 3 marked  1/12,000 by cost"
    long = fitted("#6 " + "very " * 60, PARTS, 60, STYLES).plain
    assert long == "#6 very very very…: 12,000 items, 3 marked  1/12,000 by cost"


def test_what_has_no_room_is_left_out_whole_from_the_end() -> None:
    assert (
        fitted("#6 a name of many words", PARTS, 46, STYLES).plain == "#6 a name of many wor…: 12,000 items, 3 marked"
    )


@given(st.text(max_size=80), st.integers(1, 120))
@settings(max_examples=40)
def test_it_is_never_wider_than_there_is_room(head: str, width: int) -> None:
    assert fitted(head, PARTS, width, STYLES).cell_len <= width
