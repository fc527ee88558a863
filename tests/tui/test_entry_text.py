"""Letters of a field in which a cursor stands: as many as there were, and all of them visible."""

from __future__ import annotations

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.safe_text import safe_letters


@settings(max_examples=50)
@given(st.text(st.characters(codec=None) | st.sampled_from("\x00\x1b\x7f\x9b\u200b\u202e\ufeff\ud800"), max_size=20))
def test_every_place_stays_and_nothing_can_act(text: str) -> None:
    shown = safe_letters(text)
    assert len(shown) == len(text)
    assert not {char for char in shown if unicodedata.category(char) in ("Cc", "Cs")}
    assert "\u202e" not in shown


def test_a_field_of_lines_keeps_its_tabs() -> None:
    assert safe_letters("a\tb\x1b\x7f\u202e", keep="\t") == "a\tb␛␡\ufffd"
