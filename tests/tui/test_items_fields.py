"""Answers that are JSON in the items of a job: columns of their fields, filters on them, checks on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
from app_bench import open_app, open_test_desk, spec
from item_yard import HOSTILE, Yard, done

from tui_batch.domain.item import ItemFlag, ItemState, NewRow
from tui_batch.domain.job import Knobs
from tui_batch.domain.quality import Check, FailedCheck
from tui_batch.domain.stored import ItemDetail, ItemRow
from tui_batch.store.store import Store
from tui_batch.tui.item_parts import Part, parts_of, title_spans
from tui_batch.tui.places.items import ItemsPlace
from tui_batch.tui.widgets.item_columns import state_span

ANSWERS = (
    '{"tone": "kind", "n": 1}',
    '```json\n{"tone": "angry", "n": 2.0, "more": {"a": [1]}}\n```',
    "no JSON at all",
    orjson.dumps({"tone": HOSTILE, HOSTILE: 1}).decode(),
    '{"tone": "KIND", "n": 30}',
)


async def answered(store: Store, answers: tuple[str, ...] = ANSWERS) -> int:
    """A job with these answers."""
    job_id = await store.jobs.create(spec("tones"), Knobs(), now=1_000.0)
    async with store.importing(job_id) as importer:
        await importer.add([NewRow(n, None, 0, b'{"prompt": "x"}') for n, _ in enumerate(answers, 1)])
    first = (await store.items.page(job_id, limit=1))[0].id
    for n, text in enumerate(answers):
        store.writer.record(done(job_id, first + n, text))
    await store.writer.drain()
    return job_id


def lines(yard: Yard) -> list[str]:
    return yard.text().split("\n")


async def test_fields_are_columns_to_choose_to_filter_by_and_to_keep(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        await answered(desk.store)
        async with open_app(desk, (110, 24)) as (app, pilot):
            yard = Yard(app, desk, pilot)
            await yard.press("2")
            place = app.query_one(ItemsPlace)
            await yard.until(lambda: place.table.cursor_row is not None)
            await yard.press("w")
            await yard.until(lambda: "□ field.tone" in yard.text(), "the fields are offered")
            await yard.press("end", *["up"] * 4, "enter")  # tone, n, more, more.a and the hostile one
            await yard.until(lambda: "■ field.tone" in yard.text() and "□ field.more.a" in yard.text(), "it stays")
            await yard.press("end", "up", "space")
            await yard.until(lambda: "■ field.more.a" in yard.text() and "■ field.tone" in yard.text(), "both are on")
            await yard.press("escape")
            await yard.until(lambda: any("tone" in line and "answer or error" in line for line in lines(yard)))
            await yard.until(lambda: any(" angry " in line and " [1] " in line for line in lines(yard)), "its cells")
            assert any("[/red]␛[31m<" in line for line in lines(yard))
            await yard.press("slash", *"field.tone:kind")
            await yard.press("enter")
            await yard.until(lambda: "2 of 5 match" in yard.text())
            assert place.export_scopes()[0].options == ("--filter", "field.tone:kind")
            await yard.press("escape", "slash", *"field.n>", "1", "enter")
            await yard.until(lambda: place.items is not None and len(place.items) == 2)
            await app.manners.close()
        async with open_app(desk, (110, 24)) as (app, pilot):  # remembered
            yard = Yard(app, desk, pilot)
            await yard.press("2")
            await yard.until(lambda: any(" angry " in line for line in lines(yard)), "the column is there again")
            await pilot.resize_terminal(60, 20)
            await pilot.pause()
            # Chosen by hand: other columns give way first.
            await yard.until(lambda: any(" angry " in line or " [1] " in line for line in lines(yard)), "it is kept")


async def test_a_job_without_such_fields_has_no_empty_column(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        await answered(desk.store, ("words", "more words"))
        async with open_app(desk) as (app, pilot):
            yard = Yard(app, desk, pilot)
            place = app.query_one(ItemsPlace)
            place.recall("row", ("state", "model", "field.tone"))
            await yard.press("2")
            await yard.until(lambda: "more words" in yard.text())
            assert "tone" not in lines(yard)[2]


def _detail(text: str, flags: ItemFlag = ItemFlag.NONE, score: float | None = None) -> ItemDetail:
    row = ItemRow(
        *(1, 0, 0, 1, None, ItemState.DONE, 0, 1, 1, None, False, flags, "e", "m", 1, 1, 0, 5, None, None),
        score=score,
    )
    return ItemDetail(row, 1, b'{"prompt": "x", "label": "kind"}', text, "", "stop", None, None, ())


def test_the_detail_says_what_each_check_says() -> None:
    checks = (Check("labels", ["kind", "cold"], field="tone"), Check("equals", "label", field="tone"))
    schema = {"type": "object", "required": ["why"]}
    made = spec(schema=schema, checks=checks)
    detail = _detail('```json\n{"tone": "cold"}\n```', ItemFlag.CHECK_FAILED, 0.0)
    parts = parts_of(made, detail)
    said = {block.heading: block.text for block in parts.blocks[Part.ANSWER]}
    assert said["── checks"].split("\n")[0].startswith("✗ schema: ")
    assert "✓ labels of tone" in said["── checks"]
    assert "✗ equals of tone" in said["── checks"] or "equals of tone  0.00" in said["── checks"]
    assert "score 0.00 of 1" in said["── checks"]
    assert "taken although it fails a check" in said["── remarks"]
    assert "score 0.00" in "".join(text for text, _ in title_spans("job", detail))
    assert parts.blocks[Part.PARSED][0].text == '{\n  "tone": "cold"\n}'
    assert state_span(detail.row)[0] == "✓ failed"


def test_a_judge_beside_other_checks_is_told_too() -> None:
    checks = (Check("labels", ["cold"], field="tone"), Check("judge", {"model": "wise", "rubric": "x"}, at_least=0.5))
    failing = (FailedCheck("judge", "", "judge 0.20 is below 0.5: rude"),)
    detail = replace(_detail('{"tone": "cold"}', ItemFlag.CHECK_FAILED, 0.2), failing=failing)
    said = {block.heading: block.text for block in parts_of(spec(checks=checks), detail).blocks[Part.ANSWER]}
    assert said["── checks"].split("\n") == ["✓ labels of tone", "✗ judge 0.20 is below 0.5: rude", "score 0.20 of 1"]


def test_parsed_is_any_json_and_words_are_none() -> None:
    assert parts_of(spec(), _detail("[1, 2]")).blocks[Part.PARSED][0].text == "[\n  1,\n  2\n]"
    assert parts_of(spec(), _detail("hello")).blocks[Part.PARSED][0].text == "The answer is not JSON."


async def test_the_list_is_ordered_by_a_field_from_the_menu_and_by_its_title(tmp_path: Path) -> None:
    def rows(place: ItemsPlace) -> list[int]:
        items = place.items
        assert items is not None
        return [0 if (row := items.row(at)) is None else row.seq + 1 for at in range(len(items))]

    async with open_test_desk(tmp_path) as desk:
        await answered(desk.store)
        async with open_app(desk, (110, 24)) as (app, pilot):
            yard = Yard(app, desk, pilot)
            await yard.press("2")
            place = app.query_one(ItemsPlace)
            await yard.until(lambda: place.table.cursor_row is not None)
            await yard.press("o")
            await yard.until(lambda: "field.n" in yard.text(), "the fields are offered")
            await yard.press("2")  # row, state, id ... have letters, score has 8, fields the digits that are left
            await yard.until(lambda: "by field.n ▲" in yard.text())
            await yard.until(lambda: rows(place) == [1, 2, 5, 3, 4])
            place.table.columns = place.table.columns | {"field.n"}
            place.table.lay()
            await yard.until(lambda: "n▲" in yard.text(), "its title says so")
            line = next(y for y, text in enumerate(lines(yard)) if "n▲" in text)
            await pilot.click(offset=(lines(yard)[line].index("n▲"), line))
            await yard.until(lambda: rows(place) == [5, 2, 1, 3, 4], "the other way round")
            await app.manners.close()
            assert app.manners.prefs.value.sort.get("items") == "row", "another job has other fields"
