"""The New job form without a screen: what is wrong is said at its field, and nothing is lost between form and draft."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.domain.job import CacheMode, Condition, InputSource, Mode, RouteRule
from tui_batch.inputs.draft import AUTO, JobDraft, ModelChoice
from tui_batch.inputs.reading import Preview
from tui_batch.inputs.templates import check_template
from tui_batch.providers.base import ModelInfo
from tui_batch.tui.screens.new_job.files import Kind, matching
from tui_batch.work.drafting import (
    Form,
    FormError,
    check,
    column_words,
    default_name,
    draft_of_form,
    form_of_draft,
    read_params,
    with_schema,
)
from tui_batch.work.model_words import models_line, read_models, toggled
from tui_batch.work.new_job import asked_column, offers_of
from tui_batch.work.reach import Listing

WORD = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=10)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=15).map(
    lambda text: text.replace("{", "(").strip() or "x"
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(-1e9, 1e9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
MODELS = st.lists(
    st.builds(
        ModelChoice,
        WORD,
        st.lists(WORD, max_size=2, unique=True).map(tuple),
        st.sampled_from([1.0, 2.0, 0.25, 10.0]),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda choice: (choice.model, choice.endpoints),
).map(tuple)
COUNT = st.none() | st.integers(1, 10**6)
DRAFTS = st.builds(
    JobDraft,
    source=st.builds(
        InputSource, WORD.map(lambda name: os.path.abspath(f"/d/{name}.csv")), st.sampled_from(["", "csv"])
    ),
    name=WORD,
    models=MODELS,
    endpoint=st.none() | WORD,
    mode=st.sampled_from([None, Mode.EACH, Mode.SPREAD, Mode.FALLBACK]),
    system=st.none() | TEXT,
    prompt=st.none() | TEXT,
    params=st.dictionaries(st.sampled_from(["temperature", "max_tokens", "top_p", "stop", "odd name", "a=b"]), JSON),
    schema=st.none() | st.dictionaries(WORD, JSON, max_size=2),
    concurrency=st.none() | st.just(AUTO) | st.integers(1, 100_000),
    rpm=COUNT,
    tpm=COUNT,
    budget_nano=st.none() | st.integers(0, 10**18),
    max_attempts=st.none() | st.integers(1, 1000),
    cache=st.none() | st.sampled_from(CacheMode),
    priority=st.none() | st.integers(-(10**6), 10**6),
    tags=st.dictionaries(WORD, WORD, max_size=2),
    keep_raw=st.none() | st.booleans(),
    output=st.none() | st.just(Path("/out/a.jsonl")),
)


@settings(max_examples=120, deadline=None)
@given(DRAFTS)
def test_a_draft_is_the_same_after_a_form_that_nobody_touched(draft: JobDraft) -> None:
    form = form_of_draft(draft)
    assert check(form) == {}
    assert draft_of_form(form) == draft


@settings(max_examples=60, deadline=None)
@given(MODELS)
def test_models_are_read_as_they_are_written(choices: tuple[ModelChoice, ...]) -> None:
    assert read_models(models_line(choices)) == choices


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.sampled_from(["rpm", "budget", "params", "models", "schema", "temperature"]), TEXT))
def test_whatever_is_typed_is_a_draft_or_has_words_at_its_field(typed: dict[str, str]) -> None:
    form = Form(**{"path": "rows.csv", "models": "m", **typed})  # type: ignore[arg-type]
    problems = check(form)
    if problems:
        assert all(problems.values())
        assert problems.keys() <= {*typed, "models", "mode"}
        with pytest.raises(FormError) as caught:
            draft_of_form(form)
        assert caught.value.field in problems
    elif not form.schema.strip() or form.schema.strip().startswith("{"):
        draft_of_form(form)


GOOD: dict[str, Any] = {"path": "rows.csv", "models": "gpt-4o-mini"}


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("path", "", "choose a file"),
        ("path", "-", "standard input"),
        ("format", "xlsx", "none of txt"),
        ("models", "", "at least one model"),
        ("models", "a, a", "named twice"),
        ("models", "a @ ", "MODEL @ ENDPOINT"),
        ("models", "a *0", "above 0"),
        ("endpoint", "ftp://x", "http://localhost"),
        ("endpoint", "https://user:pass@host/v1", "without user name"),
        ("prompt", "Say {{ text", "line 1"),
        ("system", "{% if %}", "line 1"),
        ("mode", "single", "single is for one model"),
        ("mode", "route", "job file"),
        ("mode", "all", "none of single"),
        ("cache", "maybe", "none of use"),
        ("concurrency", "many", "auto or a whole number"),
        ("concurrency", "0", "auto or a whole number"),
        ("rpm", "-1", "at least 1"),
        ("rpm", "1.5", "at least 1"),
        ("tpm", "lots", "at least 1"),
        ("budget", "-3", "US dollars"),
        ("budget", "nan", "US dollars"),
        ("attempts", "1001", "from 1 to 1,000"),
        ("priority", "high", "whole number"),
        ("temperature", "hot", "at least 0"),
        ("max_tokens", "0", "at least 1"),
        ("params", "top_p", "name=value"),
        ("params", "{bad", "is not JSON"),
        ("schema", "{bad", "is not JSON"),
    ],
)
def test_a_mistake_is_told_at_its_field(field: str, text: str, words: str) -> None:
    models = {"models": "one, two"} if field == "mode" else {}
    problems = check(Form(**{**GOOD, **models, field: text}))
    assert list(problems) == [field]
    assert words in problems[field]


def test_numbers_may_be_written_as_people_write_them() -> None:
    draft = draft_of_form(Form(**GOOD, rpm="1,000", tpm="90k", budget="$2.50", attempts="3", concurrency="Auto"))
    assert (draft.rpm, draft.tpm, draft.budget_nano, draft.max_attempts) == (1_000, 90_000, 2_500_000_000, 3)
    assert draft.concurrency is AUTO
    assert draft_of_form(Form(**GOOD, tpm="1.5M")).tpm == 1_500_000


def test_a_path_is_made_whole_and_names_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    draft = draft_of_form(Form(**GOOD))
    assert draft.source.path == str(tmp_path / "rows.csv")
    assert draft.name == "rows"
    assert default_name("/data/.hidden") == ".hidden"


def test_an_address_is_no_endpoints_name() -> None:
    draft = draft_of_form(Form(**GOOD, endpoint=" http://localhost:8000/v1/ "))
    assert (draft.endpoint, draft.base_url) == (None, "http://localhost:8000/v1")
    assert draft_of_form(Form(**GOOD, endpoint="ollama")).endpoint == "ollama"


def test_parameters_of_both_kinds_come_together() -> None:
    draft = draft_of_form(Form(**GOOD, temperature="0.2", max_tokens="1k", params="top_p=0.9 stop=END seed=1"))
    assert draft.params == {"top_p": 0.9, "stop": "END", "seed": 1, "temperature": 0.2, "max_tokens": 1000}
    assert read_params('{"stop": ["a b"]}') == {"stop": ["a b"]}


def test_a_schema_is_read_from_its_file_and_checked(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    file.write_text('{"type": "object"}', encoding="utf-8")
    assert draft_of_form(with_schema(Form(**GOOD, schema=str(file)))).schema == {"type": "object"}
    for text, words in (
        (str(tmp_path / "none.json"), "cannot be read"),
        ('{"type": "nothing"}', "not a JSON Schema"),
    ):
        with pytest.raises(FormError) as caught:
            with_schema(Form(**GOOD, schema=text))
        assert caught.value.field == "schema"
        assert words in caught.value.message


def test_routes_stay_with_their_models() -> None:
    rules = (RouteRule("large", Condition(longer_than=100)), RouteRule("small"))
    form = form_of_draft(
        JobDraft(InputSource("/rows.csv", ""), "r", models=(ModelChoice("large"), ModelChoice("small")), routes=rules)
    )
    assert draft_of_form(form).routes == rules
    assert "small" in check(Form(path="/rows.csv", models="large", rest=form.rest))["models"]
    each = Form(path="/rows.csv", models="large", mode="each", rest=form.rest)
    assert draft_of_form(each).routes == ()


def test_a_model_is_switched_on_and_off() -> None:
    chosen = read_models("a @ one, b @ two *3")
    assert models_line(toggled(chosen, ModelChoice("b", ("two",)))) == "a @ one"
    assert models_line(toggled(chosen, ModelChoice("b", ("one",)))) == "a @ one, b @ two *3, b @ one"


@pytest.mark.parametrize("column", ["text", "First name", 'a"b', "row", "for", "größe", "1st"])
def test_every_column_can_be_named_in_a_template(column: str) -> None:
    from tui_batch.inputs.sandbox import compile_template

    words = column_words(column)
    check_template("prompt", words)
    row = {column: "value"}
    assert compile_template(words).render({"row": row, **row}) == "value"


def test_a_half_typed_path_finds_what_can_be_read(tmp_path: Path) -> None:
    for name in ("Rows.csv", "rows.jsonl.gz", "rows.yaml", "rows.exe", ".rows.csv", "other.csv"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    (tmp_path / "rows").mkdir()
    start = os.path.join(tmp_path, "ro")
    found = matching(start, frozenset(Kind))
    assert [entry.name for entry in found] == ["rows" + os.sep, "Rows.csv", "rows.jsonl.gz", "rows.yaml"]
    assert found[0].text == os.path.join(tmp_path, "rows", "")
    assert [entry.kind for entry in found][-1] is Kind.JOB_FILE
    assert [entry.name for entry in matching(os.path.join(tmp_path, ".r"), frozenset(Kind))] == [".rows.csv"]
    assert matching(os.path.join(tmp_path, "none", "x"), frozenset(Kind)) == ()


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ({"question": "How many?", "answer": "first nine, then eighteen"}, "question"),
        ({"id": "1", "text": "I lost my card.", "Label": "a very long name of a class"}, "text"),
        ({"Answer": "only this"}, "Answer"),
        ({"prompt": "Hello", "text": "a longer text"}, None),
        ({"n": 5, "m": ""}, None),
    ],
)
def test_a_prompt_is_suggested_over_what_is_asked_not_over_the_answer(row: dict[str, Any], column: str | None) -> None:
    assert asked_column(Preview("jsonl", tuple(row), (row,), ())) == column


def test_endpoints_that_list_nothing_are_named_with_the_reason() -> None:
    good, bad = (Endpoint(name, Api.OPENAI, f"http://{name}/v1") for name in ("good", "bad"))
    offers = offers_of([Listing(good, (ModelInfo("m"),)), Listing(bad, trouble="401: no key\nSet KEY.")])
    assert [offer.choice for offer in offers.models] == [ModelChoice("m", ("good",))]
    assert offers.troubles == ("bad: 401: no key",)
