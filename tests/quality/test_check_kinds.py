"""Each kind of check on answers as models give them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.endpoint import Api, Endpoint, Operation
from tui_batch.domain.job import InputSource, JobSpec, ModelRef
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.domain.quality import Check
from tui_batch.errors import UserError
from tui_batch.quality.answers import parsed_answer
from tui_batch.quality.checks import Checks, Examined, compile_checks
from tui_batch.quality.judging import JUDGE
from tui_batch.quality.kinds import KINDS, columns_of, in_words, refuses
from tui_batch.quality.texts import last_number, plain, token_f1

SCHEMA = {
    "type": "object",
    "properties": {"mood": {"enum": ["good", "bad"]}, "score": {"type": "integer"}},
    "required": ["mood"],
}
GOOD = '{"mood": "good", "score": 3}'


def compiled(*checks: Check, schema: Any = None, operation: Operation = Operation.CHAT) -> Checks | None:
    endpoint = Endpoint("one", Api.OPENAI, "http://one.test/v1")
    models = (ModelRef("m", ("one",)),)
    spec = JobSpec(
        "job", InputSource("x", "txt"), models, (endpoint,), operation=operation, schema=schema, checks=checks
    )
    return compile_checks(spec)


def examined(
    text: str,
    *checks: Check,
    row: dict[str, Any] | None = None,
    cls: OutcomeClass = OutcomeClass.OK,
    schema: Any = None,
) -> Examined:
    made = compiled(*checks, schema=schema)
    assert made is not None
    return made.examine(Outcome(cls, text=text), row or {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD, ""),
        (f"```json\n{GOOD}\n```", ""),
        ("good", "not JSON"),
        ("", "not JSON"),
        ('{"score": 3}', "'mood' is a required property"),
        ('{"mood": "fine"}', "mood: 'fine' is not one of"),
        ('{"mood": "good", "score": "three"}', "score: 'three' is not of type 'integer'"),
    ],
)
def test_an_answer_is_held_to_the_schema(text: str, words: str) -> None:
    result = examined(text, schema=SCHEMA).outcome
    assert result.text == text
    assert result.cls is (OutcomeClass.INVALID if words else OutcomeClass.OK)
    assert words in result.message


def test_a_schema_that_refers_elsewhere_fetches_nothing() -> None:
    result = examined("{}", schema={"$ref": "http://127.0.0.1:9/other.json"}).outcome
    assert "refers to what it does not hold" in result.message


def test_an_answer_nested_without_end_is_invalid_and_not_a_fault() -> None:
    schema = {"$defs": {"n": {"properties": {"a": {"$ref": "#/$defs/n"}}}}, "$ref": "#/$defs/n"}
    assert examined('{"a":' * 500 + "1" + "}" * 500, schema=schema).outcome.cls is OutcomeClass.INVALID


MOOD = Check("labels", ["Very good", "bad"], field="mood")
PASS_FAIL = [
    (Check("labels", ["Good", "bad"]), ' "good." ', ""),
    (Check("labels", ["Good", "bad"]), "**BAD**\n", ""),
    (Check("labels", ["Good", "bad"]), "The mood is good", "is not one of: Good, bad"),
    (MOOD, '{"mood": "very  GOOD"}', ""),
    (MOOD, '{"mood": 3}', 'mood: "3" is not one of'),
    (MOOD, '{"moods": "bad"}', "the answer has no field mood"),
    (MOOD, "bad", "the answer is not JSON"),
    (Check("labels", ["2"], field="list.1.n"), '{"list": [0, {"n": 2}]}', ""),
    (Check("labels", ["2"], field="a.b"), '{"a.b": 2}', ""),
    (Check("labels", ["2"], field="list.7"), '{"list": [0]}', "no field list.7"),
    (Check("regex", r"^\d{4}-\d\d$"), "2024-05", ""),
    (Check("regex", r"^\d{4}-\d\d$"), "May 2024", "does not match"),
    (Check("length", {"max": 5}), "  12345  ", ""),
    (Check("length", {"max": 5}), "123456", "6 characters, and may have 5 at most"),
    (Check("length", {"min": 3}), "12", "must have 3 at least"),
    (Check("not_empty"), "x", ""),
    (Check("not_empty"), " \n", "it is empty"),
    (Check("not_empty", field="a"), '{"a": null}', "it is empty"),
    (Check("not_refused"), "I can see that you are sorry.", ""),
    (Check("not_refused"), "I'm sorry, but I can’t help with that.", "it is a refusal"),
]


@pytest.mark.parametrize(("check", "text", "words"), PASS_FAIL)
def test_an_answer_passes_or_fails(check: Check, text: str, words: str) -> None:
    result = examined(text, check)
    assert result.outcome.cls is (OutcomeClass.INVALID if words else OutcomeClass.OK)
    assert words in result.outcome.message
    assert result.score is None


SCORED = [
    (Check("equals", "right"), "Paris.", "paris", 1.0),
    (Check("equals", "right"), "Paris, France", "Paris", 0.0),
    (Check("equals", "right", field="n"), '{"n": 3}', 3.0, 1.0),
    (Check("equals", "right", field="n"), "three", 3, 0.0),
    (Check("number", "right"), "So 4 x 18 = 72 apples.", 72, 1.0),
    (Check("number", "right"), "#### 1,234", "1234.0", 1.0),
    (Check("number", "right"), "3.13", 3.14, 0.0),
    (Check("number", "right", tolerance=0.02), "3.13", 3.14, 1.0),
    (Check("number", "right"), "none", 5, 0.0),
    (Check("f1", "right"), "The cat sat", "a cat sat down", 0.8),
    (Check("f1", "right"), "nothing alike", "a cat", 0.0),
]


@pytest.mark.parametrize(("check", "text", "reference", "score"), SCORED)
def test_an_answer_is_scored_against_a_column_and_does_not_fail(
    check: Check, text: str, reference: Any, score: float
) -> None:
    result = examined(text, check, row={"right": reference})
    assert result.score == pytest.approx(score)
    assert result.outcome.cls is OutcomeClass.OK


@pytest.mark.parametrize("reference", [None, "", "  "])
def test_a_row_without_a_reference_has_no_score(reference: Any) -> None:
    for kind in ("equals", "number", "f1"):
        assert examined("x", Check(kind, "right", at_least=1.0), row={"right": reference}) == Examined(
            Outcome(OutcomeClass.OK, text="x")
        )


def test_below_its_threshold_a_score_fails_without_giving_the_answer_away() -> None:
    result = examined("Lyon", Check("equals", "right", at_least=0.5), row={"right": "Paris"})
    assert (result.outcome.cls, result.score) == (OutcomeClass.INVALID, 0.0)
    assert "equals 0.00 is below 0.5" in result.outcome.message
    assert "Paris" not in result.outcome.message


def test_scores_are_averaged_and_every_reason_is_told() -> None:
    checks = (Check("equals", "a"), Check("f1", "b"), Check("length", {"max": 2}), Check("regex", "z"))
    result = examined("yes", *checks, row={"a": "yes", "b": "no"})
    assert result.score == 0.5
    assert "3 characters" in result.outcome.message
    assert "does not match z" in result.outcome.message


def test_a_cut_answer_fails_only_where_that_is_asked() -> None:
    cut = OutcomeClass.TRUNCATED
    assert examined("lon", Check("labels", ["long"]), cls=cut).outcome.cls is cut
    result = examined("lon", Check("not_cut"), cls=cut).outcome
    assert (result.cls, result.message) == (OutcomeClass.INVALID, "it was cut")


def test_errors_are_left_as_they_are_and_without_checks_there_is_nothing() -> None:
    refused = Outcome(OutcomeClass.REFUSED, text="no")
    made = compiled(Check("labels", ["yes"]))
    assert made is not None
    assert made.examine(refused, {}) == Examined(refused)
    assert compiled() is None


@pytest.mark.parametrize(
    "check", [Check("regex", "("), Check("regex", "(?=x)"), Check("length", {"min": 3, "max": 2}), Check("nonsense")]
)
def test_a_check_that_cannot_be_used_is_refused_with_its_name(check: Check) -> None:
    with pytest.raises(UserError, match=check.kind):
        compiled(check)


def test_embeddings_are_not_checked() -> None:
    with pytest.raises(UserError, match="embedding"):
        compiled(Check("not_empty"), operation=Operation.EMBED)


def test_a_check_says_what_it_is() -> None:
    assert in_words(Check("number", "answer", tolerance=0.5)) == "number answer (tolerance 0.5)"
    assert in_words(Check("length", {"max": 9}, field="a.b")) == "length max 9 (field a.b)"
    assert columns_of((Check("equals", "a"), Check("regex", "b"), Check("f1", "c"))) == {"a", "c"}


def test_every_kind_has_a_test_or_a_measure() -> None:
    local = [kind for kind in KINDS.values() if kind.name != JUDGE]
    assert all((kind.test is None) != (kind.measure is None) for kind in local)


@pytest.mark.parametrize(
    ("text", "number"),
    [("10-12", 12), ("−7", -7), ("(-3)", -3), ("$1,234.50.", 1234.5), ("1,2", 2), ("1e3", 1000), (".5", 0.5)],
)
def test_the_last_number_is_read_as_people_write_it(text: str, number: float) -> None:
    assert last_number(text) == number


def test_a_refusal_is_told_from_an_apology_that_helps() -> None:
    assert refuses("As an AI, I cannot give legal advice.")
    assert refuses("Unfortunately, I am unable to do that.")
    assert not refuses("Sorry to hear that. Here is what to do: call the bank.")
    assert not refuses("The customer says: I'm sorry, but I can't pay.")


def test_only_objects_have_fields() -> None:
    assert parsed_answer('```json\n{"a": {"b": 1}}\n```') == {"a": {"b": 1}}
    assert [parsed_answer(text) for text in (None, "", "[1]", "{broken", "text")] == [None] * 5


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_token_f1_is_a_symmetric_share(one: str, other: str) -> None:
    assert 0.0 <= token_f1(one, other) <= 1.0
    assert token_f1(one, other) == token_f1(other, one)
    assert token_f1(one, one) == 1.0


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=40))
def test_texts_of_any_kind_are_read_without_a_fault(text: str) -> None:
    last_number(text)
    parsed_answer(text)
    assert plain(f' "{plain(text)}" ') == plain(plain(text))
