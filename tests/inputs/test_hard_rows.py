"""Rows that no row can be: numbers beyond all bounds, lists without end, headers of a megabyte. They cost no other."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tui_batch.domain.item import NewRow
from tui_batch.domain.job import InputSource
from tui_batch.errors import InputError
from tui_batch.inputs.reading import open_rows
from tui_batch.inputs.rows import Reject


def read(path: Path, content: bytes, format: str = "") -> tuple[list[NewRow], list[Reject]]:
    path.write_bytes(content)
    found = list(open_rows(InputSource(str(path), format)))
    return [r for r in found if isinstance(r, NewRow)], [r for r in found if isinstance(r, Reject)]


def columns(rows: list[NewRow]) -> list[dict[str, Any]]:
    return [json.loads(row.data) for row in rows]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (b"9" * 5_000, "more than 64 bits; write it as text"),
        (b"-123456789012345678901", "more than 64 bits; write it as text"),
        (b"1e999", "a number that is too large"),
        (b"-Infinity", "not JSON"),
    ],
    ids=["digits", "65 bits", "1e999", "infinity"],
)
@pytest.mark.parametrize("form", [b'[{"a": 1}, {"n": %b},\n{"a": 2}]', b'{"a": 1}\n{"n": %b}\n{"a": 2}\n'])
def test_a_number_that_no_row_can_hold_costs_its_row_alone(
    tmp_path: Path, form: bytes, number: bytes, words: str
) -> None:
    """Python refuses to read thousands of digits and takes 1e999 for infinity, which was written as null."""
    rows, rejects = read(tmp_path / ("p.json" if form.startswith(b"[") else "p.jsonl"), form % number)
    assert columns(rows) == [{"a": 1}, {"a": 2}]
    assert len(rejects) == 1
    assert form.startswith(b"{") or words in rejects[0].reason, "orjson has words of its own"
    assert str(sys.get_int_max_str_digits()) not in rejects[0].reason


@pytest.mark.parametrize("row", ['{"n": N}', '{"a": [{"n": N}], "b": 1}', '{"n": -N}'])
def test_a_whole_number_beyond_64_bits_is_never_changed(tmp_path: Path, row: str) -> None:
    """Amounts in the smallest unit of a currency, and ids: of 22 digits 17 came back, and zeros."""
    lines = [row.replace("N", "1000000000000000000001"), '{"n": 18446744073709551615}', '{"n": -9223372036854775808}']
    lines += ['{"n": 1e30}', '{"n": 12345678901234567890.5, "s": "1000000000000000000001"}']
    rows, rejects = read(tmp_path / "p.jsonl", "\n".join(lines).encode())
    assert [(one.line, one.reason) for one in rejects] == [
        (1, "holds a whole number of more than 64 bits; write it as text")
    ]
    assert columns(rows) == [json.loads(line) for line in lines[1:]]


@pytest.mark.parametrize(
    ("form", "row"),
    [
        ("jsonl", '{"a": DEEP}'),
        ("jsonl", '{"priority": DEEP}'),
        ("jsonl", '{"custom_id": DEEP}'),
        ("batch", '{"method": DEEP, "url": "/v1/embeddings", "body": {"input": "x"}}'),
        ("batch", '{"url": DEEP, "body": {}}'),
        ("bodies", '{"messages": DEEP}'),
    ],
)
def test_a_row_nested_as_deep_as_can_be_read_costs_no_other_row(tmp_path: Path, form: str, row: str) -> None:
    """Such rows were shown as Python writes them, which Python gives up on: a traceback in place of an import."""
    good = '{"url": "/v1/embeddings", "body": {"input": "x"}, "input": "x", "model": "m"}'
    deep = row.replace("DEEP", "[" * 1_000 + "]" * 1_000)
    rows, rejects = read(tmp_path / "p.jsonl", f"{good}\n{deep}\n{good}\n".encode(), format=form)
    assert [row.line for row in rows] == [1, 3]
    assert [reject.line for reject in rejects] == [2]
    assert rejects[0].text == deep, "the line as it stands, to be mended"
    assert len(rejects[0].reason) < 200


def test_a_reject_of_a_list_nested_deep_is_told_too(tmp_path: Path) -> None:
    content = b'[{"a": ' + b"[" * 300 + b"]" * 300 + b'}, {"a": 1}]'
    rows, rejects = read(tmp_path / "p.json", content)
    assert (columns(rows), [reject.reason for reject in rejects]) == ([{"a": 1}], ["is nested too deeply"])


def test_a_table_of_very_many_columns_is_read_in_a_moment(tmp_path: Path) -> None:
    """A file whose line ends got lost is all header: each name was looked for among all before it, and a header of
    more than a megabyte was called no UTF-8."""
    names = [f"column {number}" for number in range(120_000)]
    with pytest.raises(InputError, match="column 7: the header names this column twice"):
        read(tmp_path / "p.csv", ",".join([*names, "column 7"]).encode())
    assert read(tmp_path / "p.csv", ",".join(names).encode()) == ([], [])
