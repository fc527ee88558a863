"""Files as accidents and enemies leave them: good ones with bytes turned, cut out, doubled or put in."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

PIECES: Sequence[bytes] = (
    *(
        b'"',
        b"'",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\n",
        b"\r\n",
        b"\0",
        b"\t",
        b"#",
        b"- ",
        b"? ",
        b"|\n",
        b"&a",
        b"*a",
    ),
    *(
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\xc3\x28",
        b"\xed\xa0\x80",
        b"\\u",
        b"\\ud800",
        b'"\\U99999999"',
        b"\x1b[2J",
        b"\xe2\x80\xae",
    ),
    *(
        b"NaN",
        b"Infinity",
        b"1e999",
        b"-1",
        b"9" * 5_000,
        b".inf",
        b"null",
        b"true",
        b"~",
        b"0x1F",
        b"2026-13-45",
        b"1_000",
    ),
    *(b"!!python/object:os.system", b"!!binary x", b"!!int x", b"<<: *a", b"%YAML 9\n", b"---\n", b"...", b"[" * 200),
    *(b"{{", b"}}", b"{%", b"%s%n", b"../" * 20, b"data: ", b"event: error\n", b"\n\n", b"[DONE]", b'{"a":' * 200),
)
"""What readers are known to stumble over."""
_VALUE = re.compile(rb"[:,\[]\s*([^\s,\]\}\{\[]+)")


def mutants(good: Sequence[bytes], number: int, seed: int = 0) -> Iterator[bytes]:
    """Each piece in place of some value, and so many spoilt by chance; the same for the same seed."""
    rng = random.Random(seed)
    for piece in PIECES:
        whole = rng.choice(good)
        for start, stop in rng.sample(values := _values(whole), min(1, len(values))):
            yield whole[:start] + piece + whole[stop:]
    for _ in range(number):
        data = bytearray(rng.choice(good))
        for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
            _spoil(rng, data)
        yield bytes(data)


def _values(data: bytes | bytearray) -> list[tuple[int, int]]:
    return [found.span(1) for found in _VALUE.finditer(data)]


def _spoil(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    end = min(len(data), at + rng.choice((1, 4, 30, 200)))
    match rng.randrange(6):
        case 0 if data:
            data[at % len(data)] = rng.randrange(256)
        case 1:
            del data[at:end]
        case 2:
            data[at:at] = bytes(data[at:end]) * rng.choice((1, 2, 40))
        case 3 if values := _values(data):
            start, stop = rng.choice(values)
            data[start:stop] = rng.choice(PIECES)
        case 4 if rng.random() < 0.3:
            del data[at:]
        case _:
            data[at:at] = rng.choice(PIECES)
