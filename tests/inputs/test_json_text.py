"""JSON as people type it: parameters and schemas, and what no request can hold."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.errors import InputError
from tui_batch.inputs.answer_schema import read_schema
from tui_batch.inputs.json_text import MOST_DEPTH, NotJson, json_or_text, read_json

LEAF = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    LEAF | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@settings(max_examples=30)
@given(JSON)
def test_every_value_that_a_request_can_hold_is_read(value: Any) -> None:
    assert read_json(json.dumps(value)) == value


@settings(max_examples=100)
@given(st.text(alphabet='0123456789.-+eE[]{}":,NaInfity \n', max_size=40))
def test_whatever_is_read_can_be_written_into_a_request(text: str) -> None:
    with suppress(ValueError):
        orjson.dumps(json_or_text(text))  # what it refuses would be a TypeError


def test_the_deepest_value_that_is_taken_can_be_written() -> None:
    orjson.dumps(read_json("[" * MOST_DEPTH + "0" + "]" * MOST_DEPTH))


@pytest.mark.parametrize("text", ["low", "", "NaN", "-Infinity", "{", "[1,]", "1.2.3"])
def test_what_is_no_json_is_text(text: str) -> None:
    assert json_or_text(text) == text


def test_an_emoji_as_json_libraries_write_it_is_one_character() -> None:
    assert json_or_text(r'"\ud83d\ude00"') == "\N{GRINNING FACE}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1e999", "too large a number"),
        ("[1, -1e400]", "too large a number"),
        ("1" * 30, "too large a whole number"),
        ("-9223372036854775809", "too large a whole number"),
        ("1" * 10_000, "too large a whole number"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("[" * 300 + "0" + "]" * 300, "nested too deeply"),
        ("[" * (MOST_DEPTH + 1) + "]" * (MOST_DEPTH + 1), "nested too deeply"),
        (r'["\ud83d"]', "half a character"),
        (r'{"a": {"\udc00": 1}}', "half a character"),
    ],
)
def test_json_that_no_request_can_hold_is_refused_and_not_taken_for_text(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        json_or_text(text)
    assert len(str(caught.value)) < 100
    assert not isinstance(caught.value, NotJson)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{", r"schema.json: is not JSON: .* character 2"),
        (b'{\n"a" 1}', "is not JSON: .* line 2, column 5"),
        (b"[]", "must be an object"),
        (b'{"properties": {"a": {"type": "objekt"}}}', r"properties\.a\.type: is not a JSON Schema"),
        (b'{"not":' * 400 + b"{}" + b"}" * 400, "nested too deeply"),
        (b'{"a": "\xff"}', "not valid UTF-8"),
        (rb'{"properti\udc00es": {}}', "half a character"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_holds_no_schema_is_named_with_what_is_wrong(
    tmp_path: Path, data: bytes | None, words: str
) -> None:
    path = tmp_path / "schema.json"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError, match=words) as caught:
        read_schema(path)
    assert caught.value.remedy
