"""An answer of nothing but brackets: it is text like any other, wherever its fields are asked for."""

from __future__ import annotations

import orjson
import pytest

from tui_batch.domain.quality import Check
from tui_batch.domain.request import Json
from tui_batch.quality.answers import (
    MOST_LEVELS,
    Answer,
    Unreadable,
    answer_key,
    answer_number,
    answer_text,
    parsed_answer,
)
from tui_batch.quality.checks import _examiner
from tui_batch.report.cells import cell
from tui_batch.report.comparing import canonical
from tui_batch.report.flatten import flattened


def nested(levels: int) -> str:
    """An object whose field `a` holds so many lists within one another."""
    return '{"a": ' + "[" * levels + "]" * levels + "}"


@pytest.mark.parametrize("levels", [MOST_LEVELS, 300, 1_000])
def test_an_answer_nested_beyond_reason_has_no_fields_and_brings_nothing_down(levels: int) -> None:
    """orjson reads a thousand levels and writes a quarter of them: lists, filters, exports and checks fell over it."""
    text = nested(levels)
    assert parsed_answer(text) is None
    assert [ask(text, "a") for ask in (answer_text, answer_number, answer_key)] == [None] * 3
    line = flattened({"response": text, "usage": None})
    assert [name for name in line if name.startswith("response")] == ["response"]
    assert cell(line["response"]) == text
    assert canonical(text) == text
    with pytest.raises(Unreadable, match="nested too deep"):
        Answer(text, {}).text_at("a")
    verdict = _examiner(Check("not_empty", None, "a")).ask(Answer(text, {}))
    assert "nested too deep" in verdict.message


def test_an_answer_of_many_brackets_side_by_side_has_its_fields() -> None:
    fields: Json = {"people": [{"name": f"n{n}", "tags": [[n]]} for n in range(500)], "deep": nested(5)}
    text = orjson.dumps(fields).decode()
    assert parsed_answer(text) == fields
    assert parsed_answer(nested(MOST_LEVELS - 1)) is not None
    assert answer_text(text, "people.7.name") == "n7"
    orjson.dumps({"row": [parsed_answer(nested(MOST_LEVELS - 1))]})
