"""Exports from a store: scopes, flat answers, Batch output, progress, and what a stopped one leaves behind."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_yard import Ended, Plan, ended, rows

from tui_batch.domain.item import ItemState
from tui_batch.domain.item_filter import Choice, ItemFilter, OneOf, Words
from tui_batch.domain.item_scope import EVERYTHING, ItemScope, in_states
from tui_batch.domain.job import Job, Mode
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.errors import UserError
from tui_batch.report.export import (
    MOST_COLUMNS,
    ExportProgress,
    Shape,
    add_columns,
    export_results,
    table_columns,
)
from tui_batch.report.flatten import DEEPEST, WIDEST, flattened
from tui_batch.report.formats import ResultFormat
from tui_batch.report.results import RESULT_FIELDS
from tui_batch.report.targets import parse_target
from tui_batch.store.store import Store

REFUSED = Ended(None, OutcomeClass.REFUSED, "no, thanks")
WRONG = Ended(None, OutcomeClass.BAD_REQUEST, "too long")


async def mixed(store: Store) -> Job:
    return await ended(
        store,
        Plan(rows(["apple", "pear", "plum", "fig"]), [[Ended('{"a": {"b": 1}}')], [REFUSED], [WRONG], [None]]),
    )


async def lines(store: Store, job: Job, path: Path, scope: ItemScope = EVERYTHING) -> list[dict[str, Any]]:
    await export_results(store, job, parse_target(str(path)), scope=scope)
    return read(path)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def dead_of(*classes: OutcomeClass) -> ItemScope:
    return ItemScope(ItemFilter((OneOf(Choice.CLASS, tuple(cls.value for cls in classes)),)))


@pytest.mark.parametrize(
    ("scope", "texts"),
    [
        (EVERYTHING, ["apple", "pear", "plum", "fig"]),
        (in_states(ItemState.DONE), ["apple"]),
        (in_states(ItemState.DEAD, ItemState.PENDING), ["pear", "plum", "fig"]),
        (dead_of(OutcomeClass.BAD_REQUEST), ["plum"]),
        (ItemScope(ItemFilter((Words("thanks"),))), ["pear"]),
        (ItemScope(ids=frozenset({3, 1, 99})), ["apple", "plum"]),
        (ItemScope(in_states(ItemState.DEAD).filter, frozenset({3, 1})), ["plum"]),
        (ItemScope(ids=frozenset()), []),
    ],
)
async def test_an_export_has_the_items_of_its_scope_in_input_order(
    store: Store, tmp_path: Path, scope: ItemScope, texts: list[str]
) -> None:
    job = await mixed(store)
    assert [line["text"] for line in await lines(store, job, tmp_path / "x.jsonl", scope)] == texts


async def test_flat_answers_are_columns_after_the_response(store: Store, tmp_path: Path) -> None:
    job = await mixed(store)
    target = parse_target(str(tmp_path / "x.csv"))
    await export_results(store, job, target, shape=Shape.FLAT)
    with (tmp_path / "x.csv").open(newline="") as file:
        first, second, *_ = csv.DictReader(file)
    assert list(first)[:4] == ["text", "response", "response.a.b", "status"]
    assert (first["response.a.b"], first["usage.input_tokens"]) == ("1", "10")
    assert "usage" not in first
    assert second["response.a.b"] == ""


async def test_batch_output_is_what_readers_of_openai_batches_expect(store: Store, tmp_path: Path) -> None:
    job = await mixed(store)
    done, refused, wrong = await lines(store, job, tmp_path / "x.batch.jsonl")
    assert done["custom_id"] == "row-1"
    assert done["response"]["status_code"] == 200
    body = done["response"]["body"]
    assert body["choices"][0]["message"] == {"role": "assistant", "content": '{"a": {"b": 1}}', "refusal": None}
    assert body["usage"] == {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    assert (body["object"], body["created"], done["error"]) == ("chat.completion", 1000, None)
    assert refused["response"] is None
    assert wrong["error"] == {"code": "bad_request", "message": "too long"}


async def test_progress_rises_to_the_end_over_both_passes_of_a_table(store: Store, tmp_path: Path) -> None:
    job = await ended(store, Plan(rows(map(str, range(2500))), [[Ended()]] * 2500))
    seen: list[ExportProgress] = []
    await export_results(store, job, parse_target(str(tmp_path / "x.csv")), progress=seen.append)
    parts = [one.part for one in seen]
    assert parts == sorted(parts)
    assert (parts[-1], seen[-1].rows) == (1.0, 2500)
    assert parts[0] < 0.3


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv", "x.parquet", "x.json.gz"])
async def test_a_cancelled_export_leaves_the_earlier_file_and_nothing_else(
    store: Store, tmp_path: Path, name: str
) -> None:
    job = await ended(store, Plan(rows(map(str, range(3000))), [[Ended()]] * 3000))
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / name).write_text("earlier")
    started = asyncio.Event()
    export = asyncio.create_task(
        export_results(store, job, parse_target(str(folder / name)), progress=lambda at: at.rows and started.set())
    )
    await started.wait()
    export.cancel()
    with pytest.raises(asyncio.CancelledError):
        await export
    assert [path.name for path in folder.iterdir()] == [name]
    assert (folder / name).read_text() == "earlier"


async def test_in_mode_each_a_row_has_a_line_for_every_model(store: Store, tmp_path: Path) -> None:
    plan = Plan(rows("ab"), [[Ended("1"), Ended("2")], [Ended("3"), Ended("4")]], ("tiny", "big"), Mode.EACH)
    found = await lines(store, await ended(store, plan), tmp_path / "x.jsonl")
    assert [(line["text"], line["model"], line["response"]) for line in found] == [
        *(("a", "tiny", "1"), ("a", "big", "2"), ("b", "tiny", "3"), ("b", "big", "4")),
    ]


def test_a_format_may_be_named_against_the_ending() -> None:
    assert parse_target("x.txt", ResultFormat.BATCH).format is ResultFormat.BATCH
    assert parse_target("x.batch.jsonl.gz").format is ResultFormat.BATCH


def test_own_columns_keep_apart_from_flat_answers() -> None:
    line = flattened({"response.a": 1, "text": "x", "response": '{"a": 2}', "usage": None})
    assert line == {
        "input_response.a": 1, "text": "x", "response": '{"a": 2}', "response.a": 2,
        "usage.input_tokens": None, "usage.output_tokens": None,
    }  # fmt: skip


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4))
def test_flattening_loses_nothing_and_goes_only_so_deep(answer: dict[str, Any]) -> None:
    flat = flattened({"response": orjson.dumps(answer).decode()})
    assert json.loads(str(flat["response"])) == answer
    assert all(not isinstance(value, dict) or not value for name, value in flat.items() if name.count(".") < DEEPEST)


def test_a_table_has_every_result_field_once() -> None:
    columns = table_columns(["own", "response.b", "response.a", "usage.input_tokens"])
    assert columns[:4] == ("own", "response", "response.b", "response.a")
    assert set(RESULT_FIELDS) - set(columns) == {"usage"}
    assert len(columns) == len(set(columns))


def test_a_table_keeps_no_more_names_of_answers_than_it_gets_and_tells_of_too_many_columns() -> None:
    found: dict[str, None] = {"own": None}
    for n in range(10):
        add_columns(found, [f"response.{n}.{m}" for m in range(WIDEST)])
    assert len(found) == 1 + WIDEST
    add_columns(found, (f"c{n}" for n in range(MOST_COLUMNS - 1)))
    assert len(table_columns(found)) == MOST_COLUMNS + WIDEST + len(RESULT_FIELDS)
    with pytest.raises(UserError, match="10,000 different columns") as caught:
        add_columns(found, ["one more"])
    assert ".jsonl" in caught.value.remedy
