"""How a key may be written in what a server says: as it is, escaped, encoded, or broken over lines.

Everything here works on text. Bytes are looked at as latin-1, which keeps every byte. All repetitions are bounded, so
that a text made to be slow costs no more than another.
"""

from __future__ import annotations

import base64
import json
import re
from functools import lru_cache

MASK = "[key removed]"
"""Stands where a key stood."""

_BEGINNING = 6
"""From so many characters on, or from half a short key on, its beginning at the end of a text is taken for it."""
_LONGEST_FORM = 13
"""Characters in which one of the key may be written: `&#x000000073;`."""
_SHORTEST_BASE64 = 8
"""Fewer characters of base64 may stand anywhere."""
_MARKS = ("\\/", "&#")
_NUMBERS = (r"\\u00[2-7]", "%[2-7]")
"""An escaped key has one of these at least. Servers that write ASCII only escape much else, but no letter of a key."""
_BREAK = r"(?:[ \t]{0,20}(?:\\{1,4}[rn]|[\r\n]){1,4}[ \t]{0,20})?"
"""The end of a line within a key, as it is or as JSON writes it."""
_BASE64_END = "[A-Za-z0-9+/=_-]{0,6}"
"""The key's last one or two characters, and what follows them in their group of three."""
_BASE64_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
_GROUP = 4
"""Characters of base64 in which three bytes are written."""
_BASE64_FORMS = {"+": r"(?:[+-]|%2[bB]|\\\\{0,3}u002[bB])", "/": r"(?:[/_]|%2[fF]|\\\\{0,3}(?:/|u002[fF]))"}
_IN_URLS = str.maketrans("+/", "-_")
"""RFC 4648, section 5."""


class SecretForms:
    """All ways to write one key that are looked for."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._chars = [re.compile((_BREAK if at else "") + _char(char)) for at, char in enumerate(secret)]
        middles = [middle for at in range(3) if len(middle := _base64_middle(secret, at)) >= _SHORTEST_BASE64]
        in_urls = [middle.translate(_IN_URLS) for middle in middles]
        self._hints = tuple({secret, json.dumps(secret)[1:-1], *middles, *in_urls, *_MARKS})
        self._hints_in_bytes = tuple(hint.encode() for hint in self._hints)
        self._numbers = [re.compile(number) for number in _NUMBERS]
        self._numbers_in_bytes = [re.compile(number.encode()) for number in _NUMBERS]
        encoded = [_broken(middle) + _BASE64_END for middle in middles]
        # One by one: each of these begins with few characters, by which Python's engine finds candidates quickly.
        self._pattern = re.compile(_BREAK.join(map(_char, secret)))
        self._encoded = [re.compile(pattern) for pattern in encoded]

    def masked(self, text: str) -> str:
        """The text without the key, in whatever form."""
        text = self._pattern.sub(MASK, text)
        for pattern in self._encoded:
            text = _without_groups(pattern, text)
        return text

    def hinted(self, text: str) -> bool:
        """Whether the key may stand in a text, on one line. Takes a thousandth of the time of looking for it."""
        return any(hint in text for hint in self._hints) or any(number.search(text) for number in self._numbers)

    def hinted_in(self, body: bytes) -> bool:
        """Whether the key may stand in a body of JSON, or in any text of it."""
        if any(hint in body for hint in self._hints_in_bytes):
            return True
        return any(number.search(body) for number in self._numbers_in_bytes)

    def masked_end(self, text: str) -> str:
        """The text without the beginning of the key at its end, where a cut through the key leaves it."""
        kept = text.removesuffix("…")
        least = min(_BEGINNING, len(self._secret) // 2)
        for start in range(max(0, len(kept) - _LONGEST_FORM * len(self._secret)), len(kept) - least + 1):
            if self._reaches_the_end(kept, start, least):
                return kept[:start] + MASK + text[len(kept) :]
        return text

    def _reaches_the_end(self, text: str, at: int, least: int) -> bool:
        """Whether from here to the end stands the key's beginning, at least so many characters of it."""
        for count, char in enumerate(self._chars):
            if found := char.match(text, at):
                at = found.end()
                continue
            cut_escape = text[at : at + 1] in tuple("\\%&") and len(text) - at < _LONGEST_FORM
            return count >= least and (at == len(text) or cut_escape)
        return at == len(text)


@lru_cache(maxsize=64)
def forms_of(secret: str) -> SecretForms:
    """The forms of a key, made once."""
    return SecretForms(secret)


def _char(char: str) -> str:
    """A character: as it is, after a backslash, or as JSON (RFC 8259), URLs (RFC 3986) and HTML write it by number.

    JSON within JSON doubles its backslashes, a URL within a URL its per cent signs.
    """
    code, plain = ord(char), re.escape(char)
    digits = "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in f"{code:02x}")
    by_number = rf"%(?:25){{0,3}}{digits}|&#(?:[xX]0{{0,5}}{digits}|0{{0,5}}{code});"
    return rf"(?:{plain}|\\\\{{0,3}}(?:u00{digits}|{plain})|{by_number})"


def _broken(base64_text: str) -> str:
    return _BREAK.join(_BASE64_FORMS.get(char, char) for char in base64_text)


def _without_groups(pattern: re.Pattern[str], text: str) -> str:
    """The text without what the pattern finds, and without the group before it: the key's first one or two characters
    stand there, beside a neighbour's."""
    kept, end = [], 0
    for found in pattern.finditer(text):
        start = found.start()
        while start > max(end, found.start() - _GROUP) and text[start - 1] in _BASE64_CHARS:
            start -= 1
        kept += [text[end:start], MASK]
        end = found.end()
    return "".join(kept) + text[end:] if kept else text


def _base64_middle(secret: str, at: int) -> str:
    """What base64 makes of the key wherever it begins in a group of three bytes: the part no neighbour changes."""
    encoded = base64.b64encode(b"\0" * at + secret.encode()).decode().rstrip("=")
    whole_groups = (at + len(secret.encode())) // 3 * 4
    return encoded[4 if at else 0 : whole_groups]
