"""Foreign text as it is shown: no character that acts, moves others or cannot be seen is left in it."""

from __future__ import annotations

import sys
import unicodedata

from tui_batch.safe_text import safe_letters, safe_text

SEEN = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
"""Format characters that have a shape: Unicode's Prepended_Concatenation_Mark."""
IGNORABLE = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180f\u2065\u3164\uffa0\ufff0\U000e0080\U000e0100\U000e01f0"
"""Others among Unicode's Default_Ignorable_Code_Point, but for those that choose the form of an emoji."""
SILENT = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))


def test_every_character_without_a_shape_becomes_visible() -> None:
    every = map(chr, range(sys.maxunicode + 1))
    silent = "".join(char for char in every if unicodedata.category(char) in SILENT and char not in SEEN) + IGNORABLE
    for shown in (safe_text(silent), safe_letters(silent)):
        left = {char for char in shown if unicodedata.category(char) in SILENT or char in IGNORABLE}
        assert left == set()
        shown.encode()
    assert len(safe_letters(silent)) == len(silent)


def test_what_can_be_seen_is_left_alone() -> None:
    text = "".join(sorted(SEEN)) + "é e\u0301 日本 العربية 👍🏽 ½ [bold] <b> %s"
    assert (safe_text(text), safe_letters(text)) == (text, text)
