"""The words of a filter: what they mean, what is wrong with them, and what they may become."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from tui_batch.domain.item_filter import (
    Bound,
    Choice,
    Comparison,
    FieldBound,
    FieldIs,
    Figure,
    ItemFilter,
    OneOf,
    Term,
    Words,
)
from tui_batch.tui.widgets.filter_line import FilterLine
from tui_batch.work.filter_words import VALUES, FilterError, complete, matcher, parse_filter, text_of


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", ()),
        ('  "" ', ()),
        ("state:dead", (OneOf(Choice.STATE, ("dead",)),)),
        ("-STATE:Dead,done", (OneOf(Choice.STATE, ("dead", "done"), True),)),
        ('model:"my model",gpt', (OneOf(Choice.MODEL, ("my model", "gpt")),)),
        ("attempts>2", (Bound(Figure.ATTEMPTS, Comparison.ABOVE, 2),)),
        ("cost>=$0.01", (Bound(Figure.COST, Comparison.AT_LEAST, 10_000_000),)),
        ("latency<500ms -latency<=2s", (Bound(Figure.LATENCY, Comparison.BELOW, 500),
                                        Bound(Figure.LATENCY, Comparison.AT_MOST, 2000, True))),
        ("tokens>1.5k", (Bound(Figure.TOKENS, Comparison.ABOVE, 1500),)),
        ('refund "two words" -spam', (Words("refund"), Words("two words"), Words("spam", True))),
        ("http://x.test/a - 12:30 a>b", (Words("http://x.test/a"), Words("-"), Words("12:30"), Words("a>b"))),
        ('"state:dead"', (Words("state:dead"),)),
        ("like:12", (OneOf(Choice.LIKE, ("12",)),)),
        ('field.category:cards,"gift cards"', (FieldIs("category", ("cards", "gift cards")),)),
        ('-field."the tone":kind field.a.b>=-2.5', (FieldIs("the tone", ("kind",), True),
                                                    FieldBound("a.b", Comparison.AT_LEAST, -2.5))),
    ],
)  # fmt: skip
def test_words_mean_what_they_say(text: str, terms: tuple[Term, ...]) -> None:
    assert parse_filter(text) == ItemFilter(terms)


@pytest.mark.parametrize(
    ("text", "position", "words", "remedy"),
    [
        ("a state:dad", 2, "state:dad is no state", "pending, done"),
        ("stat:dead", 0, "stat: is no key", '"stat:dead"'),
        ("model:", 0, "needs a value", "model:..."),
        ("x  attempts>many", 3, "needs a number", "attempts>2"),
        ("latency>2h", 0, "h is no unit", "latency>2s"),
        ("like:this", 0, "id of an item", "like:12"),
        ("field.tone:", 0, "field.tone: needs a value", "field.tone:yes"),
        ("x field.n>many", 2, "field.n> needs a number", "field.n>2"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, position: int, words: str, remedy: str) -> None:
    with pytest.raises(FilterError, match=words) as raised:
        parse_filter(text)
    assert raised.value.position == position
    assert remedy in raised.value.remedy


def terms() -> st.SearchStrategy[Term]:
    free = st.text(st.characters(exclude_characters='"', exclude_categories=("Cc", "Cs")), min_size=1, max_size=12)
    fixed = st.sampled_from(sorted(VALUES)).flatmap(
        lambda choice: st.builds(
            OneOf,
            st.just(choice),
            st.lists(st.sampled_from(VALUES[choice]), min_size=1, max_size=3).map(tuple),
            st.booleans(),
        )
    )
    open_ones = st.sampled_from([Choice.MODEL, Choice.ENDPOINT, Choice.ID])
    named = st.builds(OneOf, open_ones, st.lists(free, min_size=1, max_size=2).map(tuple), st.booleans())
    bounds = st.builds(
        Bound, st.sampled_from(Figure), st.sampled_from(Comparison), st.integers(0, 10**12).map(float), st.booleans()
    )
    fields = st.builds(FieldIs, free, st.lists(free, min_size=1, max_size=2).map(tuple), st.booleans())
    measured = st.builds(
        FieldBound,
        free,
        st.sampled_from(Comparison),
        st.integers(-(10**9), 10**9).map(lambda quarters: quarters / 4),
        st.booleans(),
    )
    return st.one_of(fixed, named, bounds, st.builds(Words, free, st.booleans()), fields, measured)


@given(st.lists(terms(), max_size=4).map(lambda found: ItemFilter(tuple(found))))
@settings(max_examples=150)
def test_a_filter_written_down_is_read_back_the_same(chosen: ItemFilter) -> None:
    assert parse_filter(text_of(chosen)) == chosen


@given(st.text(max_size=30))
@settings(max_examples=150)
def test_anything_typed_is_a_filter_or_a_mistake_in_words(text: str) -> None:
    problem: FilterError | None = None
    try:
        parse_filter(text)
    except FilterError as error:
        problem = error
    assert problem is None or (0 <= problem.position < len(text) and problem.remedy)
    assert matcher(text)("nothing") in (True, False)


def test_what_is_typed_is_completed() -> None:
    assert complete("sta", 3).options == ("state:",)
    assert complete("x -state:d", 10).options == ("done", "dead")
    assert complete("x -state:d", 10).start == 9
    assert complete("state:dead,p", 12).options == ("pending",)
    assert complete("field", 5, fields=("tone", "the tone")).options == ("field.", "field.tone:", 'field."the tone":')
    assert complete("-field.t", 8, fields=("tone", "other")).options == ("field.tone:",)
    assert complete("model:", 6, {Choice.MODEL: ["gpt-4o", "my model"]}).options == ("gpt-4o", '"my model"')
    assert "attempts>" in complete("state:dead ", 11).options
    assert complete("nokey:x", 7).options == ()


def test_lines_are_found_by_their_words() -> None:
    fits = matcher('Job "goes on" -3')
    assert fits("job 2 goes on")
    assert not fits("job 3 goes on")
    assert not fits("job goes off on")


def test_every_key_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "filters.md").read_text(encoding="utf-8")
    assert [choice for choice in Choice if f"`{choice.value}:" not in page] == []
    assert [figure for figure in Figure if f"`{figure.value}>" not in page] == []


async def test_filters_that_were_used_are_recalled() -> None:
    class Filtering(App[None]):
        def compose(self) -> ComposeResult:
            yield FilterLine()

    app = Filtering()
    async with app.run_test() as pilot:
        line = app.query_one(FilterLine)
        for text in ("state:dead", "kind", "state:dead", "model:x"):
            line.open()
            line.value = text
            line.action_leave(True)
        line.open()
        line.value = "ki"
        await pilot.pause()
        seen = []
        for key in ("up", "up", "up", "up", "down", "down", "down"):
            await pilot.press(key)
            seen.append(line.value)
        assert seen == ["model:x", "state:dead", "kind", "kind", "state:dead", "model:x", "ki"], (
            "each once, the newest first"
        )
