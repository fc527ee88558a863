"""Foreign text made safe to show: nothing in it can move, colour or hide what is on a screen."""

from __future__ import annotations

import re
import unicodedata

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters: escape sequences (CSI, OSC) begin with one of them
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # invisible letters and marks
    "\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u206f\u3164"  # zero width, direction changes, line separators
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\ud800-\udfff"  # halves of surrogate pairs cannot be written
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # joiners, overlaps, beams: they have no shape
    "\U000e0000-\U000e0fff]"  # tags: text that no one sees
)
_SHORT = {"\n": "⏎", "\t": "→", "\r": "␍"}


def safe_text(text: str, limit: int | None = None) -> str:
    """One line with control and invisible characters made visible, at most `limit` characters with an ellipsis.

    Line ends become ⏎, tabs →, other control characters their picture (␛ for escape) and the rest `<U+200B>`.
    """
    if limit is not None:
        text = text[: limit + 1]
    shown = _UNSAFE.sub(_visible, text)
    if limit is not None and len(shown) > limit:
        return shown[: limit - 1] + "…"
    return shown


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters of a text, with an ellipsis for what is left out."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def safe_lines(text: str) -> str:
    """As `safe_text`, but that lines stay lines."""
    return "\n".join(map(safe_text, text.split("\n")))


def _visible(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if unicodedata.category(char) == "Mn" and 0xFE00 <= code <= 0xFE0F:
        return ""  # emoji presentation: harmless, and common in answers
    return f"<U+{code:04X}>"


def safe_letters(text: str, keep: str = "") -> str:
    """The text with one visible character for each control or invisible one, so that every place in it stays.

    For fields in which a cursor stands; elsewhere `safe_text` says more. `keep`: characters that are left as they are.
    """
    return _UNSAFE.sub(lambda match: _letter(match.group(), keep), text)


def _letter(char: str, keep: str) -> str:
    shown = _SHORT.get(char, "")
    if char in keep or "\ufe00" <= char <= "\ufe0f":  # emoji presentation
        return char
    return shown or (chr(0x2400 + ord(char)) if char < "\x20" else "␡" if char == "\x7f" else "\ufffd")
