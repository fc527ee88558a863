"""The HTTP/1.1 reader: any cut of the bytes gives the same requests."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.simulator.http1 import BadRequest, RequestReader

PLAIN = b"POST /a?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;note=x\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: y\r\n\r\n"
)
BARE = b"\r\nGET /c HTTP/1.1\r\nConnection: close\r\n\r\n"


@given(cuts=st.lists(st.integers(0, len(PLAIN + CHUNKED + BARE)), max_size=12))
@settings(deadline=None, max_examples=80)
def test_requests_survive_any_cut(cuts: list[int]) -> None:
    data, reader, found = PLAIN + CHUNKED + BARE, RequestReader(1000), []
    edges = sorted({0, len(data), *cuts})
    for start, end in pairwise(edges):
        reader.feed(data[start:end])
        while arrival := reader.next():
            found.append((arrival.request.method, arrival.request.path, arrival.request.body, arrival.keep_alive))
    assert found == [
        ("POST", "/a?x=1", b"hello", True),
        ("POST", "/b", b"abc0123456789", True),
        ("GET", "/c", b"", False),
    ]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nbad line\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 70_000, 400),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 70_000, 431),
    ],
)
def test_what_cannot_be_read_is_refused(data: bytes, status: int) -> None:
    reader = RequestReader(100)
    reader.feed(data)
    with pytest.raises(BadRequest) as caught:
        reader.next()
    assert caught.value.status == status


def test_a_waiting_client_is_told_to_go_on_once() -> None:
    reader = RequestReader(100)
    reader.feed(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert reader.next() is None
    assert reader.interim().startswith(b"HTTP/1.1 100")
    assert reader.interim() == b""
    reader.feed(b"ok")
    arrival = reader.next()
    assert arrival
    assert arrival.request.body == b"ok"


def test_http_1_0_closes_unless_asked_not_to() -> None:
    reader = RequestReader(100)
    reader.feed(b"GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    kept = [arrival.keep_alive for arrival in (reader.next(), reader.next()) if arrival]
    assert kept == [False, True]
