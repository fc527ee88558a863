"""Properties of the readers: what is written comes back, and no bytes make them fail in an unexpected way."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.item import NewRow
from tui_batch.domain.job import InputSource
from tui_batch.errors import UserError
from tui_batch.inputs.reading import open_input, open_rows
from tui_batch.inputs.rows import Reject

QUICK = settings(deadline=None, derandomize=True, max_examples=30)

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
_NAMES = st.text("abcdefgh_é", min_size=1, max_size=6)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)
_FORMATS = st.sampled_from(["txt", "jsonl", "json", "csv", "tsv", "batch", "bodies", ""])


def rows_of(content: bytes, format_: str) -> list[Any]:
    found = list(open_rows(InputSource("-", format_, "", ""), stdin=io.BytesIO(content)))
    assert all(isinstance(row, NewRow) for row in found), found
    return [json.loads(row.data) for row in found]


@st.composite
def tables(draw: st.DrawFn) -> list[dict[str, str]]:
    header = draw(st.lists(_NAMES, min_size=1, max_size=4, unique=True))
    cells = st.fixed_dictionaries(dict.fromkeys(header, _TEXT))
    rows = draw(st.lists(cells, max_size=6))
    # A row of one empty cell is an empty line, which is skipped.
    return [row for row in rows if len(row) > 1 or any(row.values())]


@QUICK
@given(tables(), st.sampled_from([",", ";", "\t"]), st.sampled_from(["\n", "\r\n"]), st.sampled_from([0, 1]))
def test_csv_round_trip(rows: list[dict[str, str]], delimiter: str, line_end: str, quoting: int) -> None:
    out = io.StringIO()
    names = list(rows[0]) if rows else ["a"]
    if len(names) == 1:
        delimiter = ","  # a header of one name does not show which one the rows use
    if any("\r" in cell for row in rows for cell in row.values()):
        quoting = csv.QUOTE_ALL  # Python's own writer leaves a lone CR unquoted before 3.13
    writer = csv.DictWriter(out, names, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    assert rows_of(out.getvalue().encode(), "csv") == rows


@QUICK
@given(st.lists(st.dictionaries(_TEXT, _JSON, max_size=4), max_size=5), st.booleans())
def test_json_lines_round_trip(rows: list[dict[str, Any]], ascii_only: bool) -> None:
    content = "".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in rows)
    assert rows_of(content.encode(), "jsonl") == rows


@QUICK
@given(st.lists(st.dictionaries(_TEXT, _JSON, max_size=4), max_size=5), st.sampled_from([None, 1]), st.booleans())
def test_json_list_round_trip(rows: list[dict[str, Any]], indent: int | None, ascii_only: bool) -> None:
    content = json.dumps(rows, indent=indent, ensure_ascii=ascii_only)
    assert rows_of(content.encode(), "json") == rows


@QUICK
@given(st.lists(_TEXT.map(lambda text: "x" + " ".join(text.split("\n")).rstrip("\r")), max_size=5))
def test_text_round_trip(lines: list[str]) -> None:
    assert rows_of("\n".join(lines).encode(), "txt") == [{"prompt": line.rstrip("\r")} for line in lines]


_PIECES = st.lists(
    st.sampled_from(
        [
            b'{"a":',
            b"1",
            b'"',
            b"}",
            b"[",
            b"]",
            b",",
            b"\n",
            b"\r",
            b"\0",
            b"\xff\xfe",
            b"\xef\xbb\xbf",
            b"\\u",
            b"NaN",
            *(b"1e999", b'{"custom_id":', b'"url":"/v1/embeddings","body":{', b'"messages":[{}]', b"PAR1", b"\x1f\x8b"),
        ]
    )
    | st.binary(max_size=8),
    max_size=25,
).map(b"".join)


@settings(deadline=None, derandomize=True, max_examples=120)
@given(_PIECES, _FORMATS, st.booleans())
def test_no_bytes_make_a_reader_fail_but_with_words(content: bytes, format_: str, packed: bool) -> None:
    stream = io.BytesIO(gzip.compress(content, 1) if packed else content)
    with contextlib.suppress(UserError), open_input(InputSource("-", format_), stdin=stream) as rows:
        for row in rows:
            if isinstance(row, NewRow):
                assert isinstance(json.loads(row.data), dict)
            else:
                assert isinstance(row, Reject)
                assert row.reason
                row.text.encode()
            assert row.line is None or row.line >= 1
