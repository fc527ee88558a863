"""What each format's rows become, and what a bad row does to the good ones around it."""

from __future__ import annotations

import gzip
import io
import json
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from tui_batch.domain.item import NewRow
from tui_batch.domain.job import InputSource
from tui_batch.errors import InputError, UserError
from tui_batch.inputs.byte_source import open_bytes
from tui_batch.inputs.detection import detect_open
from tui_batch.inputs.reading import open_input, open_rows, preview
from tui_batch.inputs.rows import Reject

Found = list[dict[str, Any]]


def read(path: Path, content: bytes, **names: str) -> tuple[list[NewRow], list[Reject]]:
    path.write_bytes(content)
    found = list(open_rows(InputSource(str(path), names.pop("format", ""), **names)))
    return [r for r in found if isinstance(r, NewRow)], [r for r in found if isinstance(r, Reject)]


def columns(rows: list[NewRow]) -> Found:
    return [json.loads(row.data) for row in rows]


def test_text_is_one_prompt_a_line(tmp_path: Path) -> None:
    rows, rejects = read(tmp_path / "p.txt", "  first \r\n\n \t\nzwölf\nlast".encode())
    assert columns(rows) == [{"prompt": "  first "}, {"prompt": "zwölf"}, {"prompt": "last"}]
    assert [row.line for row in rows] == [1, 4, 5]
    assert not rejects


def test_text_lines_that_are_no_text_are_rejected(tmp_path: Path) -> None:
    rows, rejects = read(tmp_path / "p.txt", b"ok\ncaf\xe9\na\0b\nok too\n")
    assert columns(rows) == [{"prompt": "ok"}, {"prompt": "ok too"}]
    assert [(r.line, r.reason) for r in rejects] == [
        (2, "is not valid UTF-8 (byte 0xe9)"),
        (3, "holds NUL characters: this is not plain text"),
    ]


def test_json_lines_keep_nested_values_and_take_strings_as_prompts(tmp_path: Path) -> None:
    rows, _ = read(tmp_path / "p.jsonl", b'{"a": {"b": [1, null]}}\r\n\n"just text"\n')
    assert columns(rows) == [{"a": {"b": [1, None]}}, {"prompt": "just text"}]
    assert [row.line for row in rows] == [1, 3]


def test_bad_json_lines_are_rejected_with_line_and_reason(tmp_path: Path) -> None:
    content = b'{"a": 1}\n{"a": \n[1]\n{"a": NaN}\n{"a": "\xff"}\n{"a": "\\ud800"}\n7\n{"a": 2}\n'
    rows, rejects = read(tmp_path / "p.jsonl", content)
    assert columns(rows) == [{"a": 1}, {"a": 2}]
    assert [r.line for r in rejects] == [2, 3, 4, 5, 6, 7]
    assert rejects[0].reason.startswith("is not valid JSON")
    assert "JSON object" in rejects[1].reason
    assert "write null" in rejects[2].reason
    assert "UTF-8 (byte 0xff)" in rejects[3].reason
    assert rejects[1].text == "[1]"


def test_identifier_and_priority_columns_are_honoured(tmp_path: Path) -> None:
    content = b"custom_id,priority,t\na,urgent,x\n7,,y\n,-3,z\nb, High ,w\n"
    rows, rejects = read(tmp_path / "p.csv", content)
    assert [(row.custom_id, row.priority) for row in rows] == [("a", 20), ("7", 0), (None, -3), ("b", 10)]
    assert not rejects


@pytest.mark.parametrize("value", ['"soon"', "true", "1.5", "[1]", "99999999", '"99999999999999999999999"', "{}"])
def test_a_bad_priority_rejects_the_row(tmp_path: Path, value: str) -> None:
    rows, rejects = read(tmp_path / "p.jsonl", b'{"priority": %s}\n{"priority": 5.0}\n' % value.encode())
    assert [row.priority for row in rows] == [5]
    assert rejects[0].line == 1
    assert rejects[0].reason.startswith("priority: ")


@pytest.mark.parametrize("value", ["true", "1.5", "[]"])
def test_a_bad_identifier_rejects_the_row(tmp_path: Path, value: str) -> None:
    _, rejects = read(tmp_path / "p.jsonl", b'{"custom_id": %s}\n' % value.encode())
    assert rejects[0].reason == "custom_id: must be text or a whole number"


def test_columns_can_have_other_names(tmp_path: Path) -> None:
    content = b"id,custom_id,rank\nx,not me,3\n"
    rows, _ = read(tmp_path / "p.csv", content, custom_id_column="id", priority_column="rank")
    assert (rows[0].custom_id, rows[0].priority) == ("x", 3)


def test_a_switched_off_priority_column_is_only_a_column(tmp_path: Path) -> None:
    rows, rejects = read(tmp_path / "p.csv", b"priority\nP1\n", priority_column="")
    assert columns(rows) == [{"priority": "P1"}]
    assert not rejects


def test_csv_quoting_line_ends_and_empty_lines(tmp_path: Path) -> None:
    content = 'a,b\r\n"x, y","line 1\nline 2"\r\n\r\n"say ""hi""",é\r\n'.encode()
    rows, _ = read(tmp_path / "p.csv", content)
    assert columns(rows) == [{"a": "x, y", "b": "line 1\nline 2"}, {"a": 'say "hi"', "b": "é"}]
    assert [row.line for row in rows] == [2, 5]


def test_bad_csv_rows_are_rejected_and_the_rest_is_read(tmp_path: Path) -> None:
    content = b'a,b\n1\n2,3,4\n"x"y,1\nn\0l,1\n\xff,1\n5,6\n'
    rows, rejects = read(tmp_path / "p.csv", content)
    assert columns(rows) == [{"a": "5", "b": "6"}]
    assert [r.line for r in rejects] == [2, 3, 4, 5, 6]
    assert rejects[0].reason == "has 1 fields where the header has 2"
    assert rejects[1].text == "2,3,4"
    assert rejects[2].reason.startswith("is not valid CSV")
    assert rejects[3].reason == "holds NUL characters"
    assert rejects[4].reason == "is not valid UTF-8"


def test_a_damaged_row_costs_no_good_one_after_it(tmp_path: Path) -> None:
    rows, rejects = read(tmp_path / "p.csv", b'a,b\nn\0l\n1,2\n"x\0"y,1\n3,4\n')

    assert columns(rows) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    assert [reject.line for reject in rejects] == [2, 4]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"a,b,a", "a: the header names this column twice"),
        (b"a,,b", "column 2 of the header has no name"),
        (b",text", "to_csv(index=False)"),
        (b"a,b\xe9", "iconv"),
        (b'a,"b"c', "the header is not valid CSV"),
    ],
)
def test_a_bad_header_stops_the_import(tmp_path: Path, header: bytes, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path / "p.csv", header + b"\n1,2,3\n")
    assert words in str(caught.value)
    assert caught.value.line == 1


def test_a_quote_that_is_never_closed_names_the_row_it_opens_in(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(b'a,b\n1,2\n3,"4\n5,6\n7,8\n')
    rows = open_rows(InputSource(str(path), "csv"))
    assert next(rows).line == 2
    with pytest.raises(InputError, match=r"p\.csv:3: a quoted field"):
        next(rows)


@pytest.mark.parametrize(
    ("name", "content"), [("p.csv", b"a;b\n1,5;2\n"), ("p.tsv", b"a\tb\n1,5\t2\n"), ("p.csv", b"a\tb\n1,5\t2\n")]
)
def test_other_delimiters(tmp_path: Path, name: str, content: bytes) -> None:
    rows, _ = read(tmp_path / name, content)
    assert columns(rows) == [{"a": "1,5", "b": "2"}]


def test_json_list_of_objects_and_strings(tmp_path: Path) -> None:
    content = '\n[\n {"a": 1},\n "te\\"xt",\n 5, [6],\n {"n": NaN}, {"é": "\U0001f600"}\n]\n'.encode()
    rows, rejects = read(tmp_path / "p.json", content)
    assert columns(rows) == [{"a": 1}, {"prompt": 'te"xt'}, {"é": "\U0001f600"}]
    assert [row.line for row in rows] == [3, 4, 6]
    assert [(r.line, r.text) for r in rejects] == [(5, "5"), (5, "[6]"), (6, '{"n":"NaN"}')]


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        (b'{"data": [1]}', 1, "does not hold a list"),
        (b'[{"a": 1}\n{"a": 2}]', 2, "a comma or ] is missing"),
        (b'[{"a": 1},\n{"a": ', 2, "the list is cut off"),
        (b'[{"a": 1},', 1, "not valid JSON|cut off"),
        (b'[{"a": 1}', 1, "the list is cut off"),
        (b'[{"a" 1}' + b" " * 50 + b"]", 1, "is not valid JSON"),
        (b'["a"]\n\n["b"]', 3, "more after the end"),
        (b"[" * 100_000, 1, "is nested too deeply"),
    ],
    ids=lambda value: None if isinstance(value, bytes) and len(value) > 80 else repr(value),
)
def test_a_json_list_that_cannot_be_read_says_where(tmp_path: Path, content: bytes, place: int, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read(tmp_path / "p.json", content)
    assert caught.value.line == place


def test_json_list_elements_larger_than_the_window_and_cut_numbers(tmp_path: Path) -> None:
    big = "x" * 3_000_000
    pad = " " * (256 * 1024 - 3)
    content = f'[{pad}"123456", {{"big": "{big}"}}, "end"]'.encode()
    rows, _ = read(tmp_path / "p.json", content)
    assert [sum(map(len, row.values())) for row in columns(rows)] == [6, 3_000_000, 3]


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 8, 13])
def test_a_json_list_may_be_cut_anywhere_between_two_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr("tui_batch.inputs.readers.json_list._CHUNK", chunk)
    elements = [{"a": [1.5e10, -20, True, False, None], "": {}}, 'q"\\\n\u00e9\U0001f600', {"é\U0001f600": "]},["}]
    for text in (json.dumps(elements), json.dumps(elements, ensure_ascii=False, indent=3)):
        rows, rejects = read(tmp_path / "p.json", text.encode())
        assert columns(rows) == [elements[0], {"prompt": elements[1]}, elements[2]]
        assert not rejects


def test_a_delimiter_inside_quotes_of_the_header_does_not_count(tmp_path: Path) -> None:
    rows, _ = read(tmp_path / "p.csv", b'"a, b";c\n1;2\n')
    assert columns(rows) == [{"a, b": "1", "c": "2"}]


def test_an_object_in_a_json_file_with_more_lines_is_json_lines(tmp_path: Path) -> None:
    rows, _ = read(tmp_path / "p.json", b'{"a": 1}\n{"a": 2}\n')
    assert columns(rows) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("name", ["p.csv", "p.jsonl", "p.json", "p.txt", "p.tsv"])
def test_an_empty_file_has_no_rows(tmp_path: Path, name: str) -> None:
    assert read(tmp_path / name, b"") == ([], [])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks(tmp_path: Path, encoding: str) -> None:
    rows, _ = read(tmp_path / "p.csv", "name,ü\nä,\U0001f600\n".encode(encoding))
    assert columns(rows) == [{"name": "ä", "ü": "\U0001f600"}]


def test_damaged_utf16_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Save the file as UTF-8"):
        read(tmp_path / "p.txt", b"\xff\xfea\x00\x00\xd8")


def test_a_line_of_ten_megabytes(tmp_path: Path) -> None:
    text = "word " * 2_000_000
    for name, content in (
        ("p.jsonl", json.dumps({"t": text}) + "\n"),
        ("p.csv", f't,u\n"{text}",1\n'),
        ("p.txt", text + "\n"),
        ("p.json", json.dumps([{"t": text}])),
    ):
        rows, rejects = read(tmp_path / name, content.encode())
        assert not rejects
        assert len(next(iter(columns(rows)[0].values()))) == len(text)


def test_a_line_beyond_the_bound_is_rejected_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui_batch.inputs.byte_source.MAX_LINE", 100)
    content = b'{"a": "%s"}\n{"a": 1}\n' % (b"x" * 350)
    rows, rejects = read(tmp_path / "p.jsonl", content)
    assert columns(rows) == [{"a": 1}]
    assert (rejects[0].line, rejects[0].reason) == (1, "is longer than 64 MB")
    assert rows[0].line == 2


@pytest.mark.parametrize("name", ["p.jsonl.gz", "p.jsonl", "P.JSONL.GZ"])
def test_gzip_is_known_by_its_bytes_also_in_several_members(tmp_path: Path, name: str) -> None:
    content = gzip.compress(b'{"a": 1}\n{"a"') + gzip.compress(b": 2}\n") + b"\0" * 10
    rows, _ = read(tmp_path / name, content)
    assert columns(rows) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_damaged_gzip_gives_the_rows_before_the_damage(tmp_path: Path, damage: str) -> None:
    lines = b"".join(b'{"n": %d}\n' % n for n in range(45_000))
    packed = bytearray(gzip.compress(lines))
    if damage == "cut":
        del packed[-200:]
    else:
        packed[-5] ^= 0xFF
    path = tmp_path / "p.jsonl.gz"
    path.write_bytes(packed)
    found: list[NewRow | Reject] = []
    with pytest.raises(InputError, match=r"gzip data (end early|are damaged)"):
        found.extend(open_rows(InputSource(str(path), "")))
    seen = [json.loads(row.data)["n"] for row in found if isinstance(row, NewRow)]
    assert seen == list(range(len(seen)))
    assert len(seen) > 30_000


def test_batch_files_are_recognised_and_checked(tmp_path: Path) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    lines: list[Any] = [
        {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body},
        {"custom_id": "b", "method": "POST", "url": "/v1/embeddings", "body": {"model": "e", "input": "x"}},
        {"custom_id": "c", "method": "GET", "url": "/v1/chat/completions", "body": body},
        {"custom_id": "d", "method": "POST", "url": "/v1/responses", "body": body},
        {"custom_id": "e", "method": "POST", "url": "/v1/embeddings", "body": body},
        {"custom_id": "f", "method": "POST", "url": "/v1/chat/completions", "body": "text"},
        {"prompt": "a plain row"},
    ]
    path = tmp_path / "p.jsonl"
    rows, rejects = read(path, "\n".join(map(json.dumps, lines)).encode())
    assert [row.custom_id for row in rows] == ["a", "b"]
    assert columns(rows)[0] == lines[0]
    assert [r.line for r in rejects] == [3, 4, 5, 6, 7]
    assert "'/v1/responses' is not supported" in rejects[1].reason
    with open_bytes(str(path)) as source:
        assert detect_open(source, str(path)) == "batch"


def test_bare_bodies_are_passed_on_whole(tmp_path: Path) -> None:
    lines = [{"messages": [{"role": "user", "content": "hi"}], "temperature": 0}, {"model": "e", "input": ["a", "b"]}]
    content = "\n".join(map(json.dumps, [*lines, {"model": "x"}])).encode()
    rows, rejects = read(tmp_path / "p.jsonl", content, format="bodies")
    assert columns(rows) == lines
    assert rejects[0].line == 3


def test_parquet_rows(tmp_path: Path) -> None:
    table = pyarrow.table(
        {
            "text": ["a", None],
            "n": [1.5, float("nan")],
            "list": [[1], []],
            "when": [datetime(2024, 1, 2), None],
            "money": [Decimal("1.10"), None],
            "priority": [3, None],
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "p.parquet")
    packed = gzip.compress((tmp_path / "p.parquet").read_bytes())
    for name, content in (("p.parquet", None), ("q.parquet.gz", packed)):
        rows, _ = read(tmp_path / name, content or (tmp_path / name).read_bytes())
        first, second = columns(rows)
        when = "2024-01-02T00:00:00"
        assert first == {"text": "a", "n": 1.5, "list": [1], "when": when, "money": "1.10", "priority": 3}
        assert second == {"text": None, "n": None, "list": [], "when": None, "money": None, "priority": None}
        assert [(row.line, row.priority) for row in rows] == [(1, 3), (2, 0)]


def test_times_in_parquet_that_python_cannot_hold_cost_no_other_row(tmp_path: Path) -> None:
    """Nanoseconds are what pandas writes. A time a million years away is shown nowhere: its row alone is rejected."""
    path = tmp_path / "p.parquet"
    fine, far = pyarrow.array([1, None, 2_000], pyarrow.timestamp("ns")), [1, 2, 2**59]
    zoned = pyarrow.array([1, 2, 3], pyarrow.timestamp("ns", "UTC"))
    lists = pyarrow.array([[1], [2_000], []], pyarrow.list_(pyarrow.timestamp("ns")))
    table = pyarrow.table({"text": ["a", "b", "c"], "fine": fine, "zoned": zoned})
    pyarrow.parquet.write_table(table, path)
    rows, rejects = read(path, path.read_bytes())
    assert rejects == []
    assert [row["fine"] for row in columns(rows)] == [
        "1970-01-01T00:00:00.000000001",
        None,
        "1970-01-01T00:00:00.000002",
    ]
    assert columns(rows)[0]["zoned"] == "1970-01-01T00:00:00.000000001Z"
    for name, column in (("far", pyarrow.array(far, pyarrow.timestamp("ms"))), ("lists", lists)):
        pyarrow.parquet.write_table(pyarrow.table({"text": ["a", "b", "c"], name: column}), path)
        rows, rejects = read(path, path.read_bytes())
        assert len(rows) == 2
        assert "timestamp" in rejects[0].reason


def test_durations_in_parquet_are_text(tmp_path: Path) -> None:
    """ISO 8601, as times are; one as long as Arrow allows, which Python cannot hold, as well."""
    given = {
        "us": pyarrow.array([90_000_000, 0, -1, None], pyarrow.duration("us")),
        "ns": pyarrow.array([1_500, 93_784_000_000_000, 2_000, None], pyarrow.duration("ns")),
        "s": pyarrow.array([2**62, 1, 60, None], pyarrow.duration("s")),
    }
    pyarrow.parquet.write_table(pyarrow.table(given), tmp_path / "p.parquet")
    rows, rejects = read(tmp_path / "p.parquet", (tmp_path / "p.parquet").read_bytes())
    assert rejects == []
    assert [tuple(row.values()) for row in columns(rows)] == [
        ("PT1M30S", "PT0.0000015S", "P53375995583650DT7H45M4S"),
        ("PT0S", "P1DT2H3M4S", "PT1S"),
        ("-PT0.000001S", "PT0.000002S", "PT1M"),
        (None, None, None),
    ]


def test_parquet_text_that_is_not_utf8_costs_its_row_a_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    table = pyarrow.table({"the-column": ["good", "the-cell"]})
    pyarrow.parquet.write_table(table, path, compression="none", use_dictionary=False, store_schema=False)
    whole = path.read_bytes()
    rows, rejects = read(path, whole.replace(b"the-cell", b"the\xcf\xcfell"))
    assert columns(rows) == [{"the-column": "good"}]
    assert [reject.line for reject in rejects] == [2]
    with pytest.raises(InputError, match="a column's name is not UTF-8"):
        read(path, whole.replace(b"the-column", b"the\xcf\xcfolumn"))


def test_binary_cells_in_parquet_reject_their_row(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"b": [b"text", b"\xff\xfe"]}), path)
    rows, rejects = read(path, path.read_bytes())
    assert columns(rows) == [{"b": "text"}]
    assert (rejects[0].line, "binary" in rejects[0].reason) == (2, True)


def test_damaged_parquet_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not readable Parquet"):
        read(tmp_path / "p.parquet", b"PAR1 nonsense PAR1")


def test_without_pyarrow_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install 'llmbatch-tui\[parquet\]'"):
        read(tmp_path / "p.parquet", b"PAR1")


@pytest.mark.parametrize(
    ("content", "format_"),
    [
        (b'{"a": 1}\n', "jsonl"),
        (b'\n\n{"a": 1}\n', "jsonl"),
        (b'[{"a": 1}]', "json"),
        (b'[\n\n {"a": 1}\n]', "json"),
        (b"a,b\n1,2\n", "csv"),
        (b"a\tb\n1\t2\n", "tsv"),
        (b"How are you, friend?\nFine, thanks, and you?\n", "txt"),
        (b"[INST] hello\n", "txt"),
        (gzip.compress(b'{"a": 1}\n', mtime=0), "jsonl"),
    ],
)
def test_standard_input_is_sniffed_and_nothing_of_it_is_lost(content: bytes, format_: str) -> None:
    with open_input(InputSource("-", ""), stdin=io.BytesIO(content)) as rows:
        assert rows.source.format == format_
        assert rows.progress is None
        assert len(list(rows)) == (2 if format_ == "txt" and b"\nFine" in content else 1)


def test_progress_goes_from_nothing_to_all(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(b'{"n": %d}\n' % n for n in range(120_000)), 1))
    with open_input(InputSource(str(path), "jsonl")) as rows:
        seen = []
        for number, _ in enumerate(rows):
            if number % 20_000 == 0:
                seen.append(rows.progress or 0.0)
        assert seen == sorted(seen)
        assert seen[0] < 0.9
        assert rows.progress == 1.0


@pytest.mark.parametrize(
    ("name", "words"),
    [("none.csv", "no such file"), ("dir", "is a directory"), ("x.xlsx", "as CSV"), ("job.yaml", "is a job file")],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "dir").mkdir()
    for file in ("x.xlsx", "job.yaml"):
        (tmp_path / file).write_bytes(b"content")
    with pytest.raises(InputError, match=words):
        list(open_rows(InputSource(str(tmp_path / name), "")))


def test_an_unknown_format_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="txt, jsonl, json, csv"):
        open_input(InputSource("x", "excel"))


def test_preview_shows_columns_rows_and_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(b'{"a": 1}\nnot json\n{"b": 2}\n' + b'{"c": 3}\n' * 50)
    found = preview(InputSource(str(path), ""), n=3)
    assert (found.format, found.columns) == ("jsonl", ("a", "b"))
    assert found.rows == ({"a": 1}, {"b": 2})
    assert len(found.notes) == 1
    assert found.notes[0].startswith("line 2 is rejected: is not valid JSON")


def test_preview_of_a_file_that_breaks_off_shows_the_rows_before(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(b'[{"a": 1}, {"a": ')
    found = preview(InputSource(str(path), ""))
    assert found.rows == ({"a": 1},)
    assert "cut off" in found.notes[0]


def test_preview_refuses_standard_input() -> None:
    with pytest.raises(UserError, match="only once"):
        preview(InputSource("-", "txt"))
