"""Result files: nothing lost, nothing doubled, nothing that a spreadsheet runs."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import orjson
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.endpoint import Operation
from tui_batch.domain.item import ItemFlag, ItemState
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.quality import FailedCheck
from tui_batch.domain.stored import ExportRow
from tui_batch.errors import UserError
from tui_batch.report.cells import cell, harmless
from tui_batch.report.formats import FORMATS, ResultFormat
from tui_batch.report.parquet import GROUP_BYTES, GROUP_ROWS
from tui_batch.report.results import RESULT_FIELDS, result_line
from tui_batch.report.targets import check_target, parse_target
from tui_batch.safe_text import safe_text


def export_row(data: dict[str, object], **changes: object) -> ExportRow:
    values: dict[str, object] = {
        "id": 1, "seq": 0, "variant": 0, "line": 2, "custom_id": None, "state": ItemState.DONE, "cls": OutcomeClass.OK,
        "data": orjson.dumps(data), "text": "yes", "message": "", "finish_reason": "stop",
        "endpoint": "e", "model": "m", "tokens_in": 3, "tokens_out": 1, "cost_nano": 1500, "latency_ms": 12,
        "cached": False, "flags": ItemFlag.NONE, "attempts": 1,
    }  # fmt: skip
    return ExportRow(**{**values, **changes})  # type: ignore[arg-type]


def written(kind: ResultFormat, lines: list[dict[str, object]], columns: list[str]) -> bytes:
    stream = io.BytesIO()
    writer = FORMATS[kind].make(stream, columns)
    writer.write(lines[:1])
    writer.write(lines[1:])
    writer.finish()
    return stream.getvalue()


def test_a_line_has_the_rows_columns_and_then_the_result() -> None:
    line = result_line(export_row({"text": "hi", "n": 3}, custom_id="a"), Operation.CHAT)
    assert list(line) == ["text", "n", *RESULT_FIELDS]
    assert line["response"] == "yes"
    assert line["status"] == "done"
    assert line["error"] is None
    assert line["usage"] == {"input_tokens": 3, "output_tokens": 1}
    assert line["cost_usd"] == 0.0000015
    assert line["custom_id"] == "a"


def test_own_columns_with_a_results_name_are_kept_beside_it() -> None:
    own = {"status": "open", "input_status": "first", "model": "mine", "custom_id": 7}
    line = result_line(export_row(own, custom_id="7"), Operation.CHAT)
    assert line["input_status"] == "first"
    assert line["input_input_status"] == "open"
    assert line["status"] == "done"
    assert line["input_model"] == "mine"
    assert line["custom_id"] == "7"
    assert "input_custom_id" not in line


def test_what_is_unknown_is_null_and_never_nought() -> None:
    line = result_line(export_row({}, cost_nano=None, tokens_in=None, tokens_out=None), Operation.CHAT)
    assert line["cost_usd"] is None
    assert line["usage"] is None


@pytest.mark.parametrize(
    ("flags", "words"),
    [(ItemFlag.NONE, None), (ItemFlag.TRUNCATED, "truncated"), (ItemFlag.PROMPT_CUT, "prompt_cut")],
)
def test_a_line_says_when_the_answer_or_the_prompt_was_cut(flags: ItemFlag, words: str | None) -> None:
    assert result_line(export_row({}, flags=flags), Operation.CHAT)["flags"] == words


def test_a_cache_hit_costs_nothing() -> None:
    hit = export_row({}, cost_nano=None, cached=True, attempts=0)
    assert result_line(hit, Operation.CHAT)["cost_usd"] == 0
    after_a_failure = export_row({}, cost_nano=None, cached=True, attempts=1)
    assert result_line(after_a_failure, Operation.CHAT)["cost_usd"] is None


def test_a_dead_item_says_why_and_a_pending_one_has_no_cost() -> None:
    dead = export_row({}, state=ItemState.DEAD, cls=OutcomeClass.BAD_REQUEST, message="no such field", text=None)
    assert result_line(dead, Operation.CHAT)["error"] == "bad_request: no such field"
    pending = result_line(export_row({}, state=ItemState.PENDING, cost_nano=0, text=None), Operation.CHAT)
    assert (pending["status"], pending["cost_usd"], pending["error"]) == ("pending", None, None)


def test_an_embedding_is_a_list_of_numbers() -> None:
    assert result_line(export_row({}, text="[0.5,-1]"), Operation.EMBED)["response"] == [0.5, -1]


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-cmd", "@SUM(A1)", "\t=1", "\r=1", "-1+1", "+-3"])
def test_formulas_are_disarmed(text: str) -> None:
    assert harmless(text) == "'" + text


@pytest.mark.parametrize("text", ["-1", "+3.5", "-2e-7", "plain", "", "a=b"])
def test_numbers_and_plain_words_are_left_alone(text: str) -> None:
    assert harmless(text) == text


def test_nested_values_are_json_in_a_cell() -> None:
    assert cell({"a": [1, None]}) == '{"a":[1,null]}'
    assert cell(None) == ""
    assert cell(True) == "true"


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
LINES = st.lists(st.fixed_dictionaries({"a": JSON_VALUES, "b": st.text()}), max_size=4)


@given(LINES)
@settings(deadline=None, max_examples=30)
def test_json_formats_round_trip(lines: list[dict[str, object]]) -> None:
    assert json.loads(written(ResultFormat.JSON, lines, [])) == lines
    text = written(ResultFormat.JSONL, lines, []).decode()
    assert [json.loads(line) for line in text.split("\n")[:-1]] == lines


@given(st.lists(st.tuples(st.text(), st.text()), max_size=4), st.sampled_from([ResultFormat.CSV, ResultFormat.TSV]))
@settings(deadline=None, max_examples=30)
def test_tables_round_trip_whatever_the_text(rows: list[tuple[str, str]], kind: ResultFormat) -> None:
    data = written(kind, [{"a": a, "b": b} for a, b in rows], ["a", "b"])
    read = list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter="," if kind is ResultFormat.CSV else "\t"))
    assert read == [["a", "b"], *([harmless(a), harmless(b)] for a, b in rows)]


def test_parquet_gathers_batches_to_row_groups_of_bounded_size() -> None:
    stream = io.BytesIO()
    writer = FORMATS[ResultFormat.PARQUET].make(stream, ["text"])
    for _ in range(25):
        writer.write([{"text": "x"}] * 1_000)
    for _ in range(2):
        writer.write([{"text": "x" * GROUP_BYTES}])
    writer.finish()
    file = pyarrow.parquet.ParquetFile(io.BytesIO(stream.getvalue()))
    groups = [file.metadata.row_group(number).num_rows for number in range(file.metadata.num_row_groups)]
    assert groups == [GROUP_ROWS, 5_001, 1]


def test_parquet_has_typed_results_and_text_columns() -> None:
    failing = (FailedCheck("labels", "mood", "odd"),)
    made = (export_row({"n": n, "t": "x"}, score=0.5, failing=failing) for n in (1, 2))
    lines = [dict(result_line(row, Operation.CHAT)) for row in made]
    data = written(ResultFormat.PARQUET, lines, ["n", "t", *RESULT_FIELDS])
    table = pyarrow.parquet.read_table(io.BytesIO(data)).to_pylist()
    assert [row["n"] for row in table] == ["1", "2"]
    assert table[0]["cost_usd"] == 0.0000015
    assert table[0]["cached"] is False
    assert table[0]["score"] == 0.5
    assert table[0]["checks"] == '[{"check":"labels","field":"mood","message":"odd"}]'
    assert table[0]["usage"] == '{"input_tokens":3,"output_tokens":1}'


@pytest.mark.parametrize(
    ("name", "kind", "packed"),
    [
        ("a.jsonl", ResultFormat.JSONL, False),
        ("a.CSV", ResultFormat.CSV, False),
        ("a.json.gz", ResultFormat.JSON, True),
        ("a.b.tsv", ResultFormat.TSV, False),
        ("a.parquet", ResultFormat.PARQUET, False),
    ],
)
def test_the_name_says_the_format(name: str, kind: ResultFormat, packed: bool) -> None:
    target = parse_target(name)
    assert (target.format, target.gzip) == (kind, packed)


@pytest.mark.parametrize("name", ["out", "out.xlsx", "out.gz", "out.parquet.gz"])
def test_an_unknown_ending_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UserError, match=r"\.jsonl"):
        parse_target(name)


def test_the_input_is_never_the_output(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("{}")
    (tmp_path / "link.jsonl").symlink_to(source)
    with pytest.raises(UserError, match="is the input itself"):
        check_target(parse_target(str(tmp_path / "link.jsonl")), str(source))
    with pytest.raises(UserError, match="there is no directory"):
        check_target(parse_target(str(tmp_path / "no" / "out.jsonl")))


def test_nothing_foreign_reaches_the_screen_raw() -> None:
    assert safe_text("a\x1b[31mb\x1b]0;title\x07") == "a␛[31mb␛]0;title␇"
    assert safe_text("left\u202eright\u200b") == "left<U+202E>right<U+200B>"
    assert safe_text("two\nlines\tand tab") == "two⏎lines→and tab"
    assert safe_text("x" * 50, 10) == "x" * 9 + "…"
    assert safe_text("grüße 你好 👍\ufe0f") == "grüße 你好 👍"
    assert safe_text("\ud800") == "<U+D800>"


@given(st.text())
@settings(deadline=None, max_examples=100)
def test_shown_text_is_always_one_printable_line(text: str) -> None:
    shown = safe_text(text)
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in shown)
    shown.encode()


def test_gzip_is_plain_gzip(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl.gz"
    with gzip.open(path, "wb") as stream:
        FORMATS[ResultFormat.JSONL].make(stream, []).write([{"a": 1}])  # type: ignore[arg-type]
    assert gzip.decompress(path.read_bytes()) == b'{"a":1}\n'
