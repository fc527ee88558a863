"""Routing rules and length buckets: what fits, what does not, and that no pattern can hang."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.endpoint import Api, Endpoint, Operation
from tui_batch.domain.job import Condition, InputSource, JobSpec, LengthBucket, Mode, ModelRef, RouteRule
from tui_batch.domain.request import Message, PromptRequest
from tui_batch.engine.compose import check_rules
from tui_batch.engine.rules import Subject, bucket_of, choose, compile_rules
from tui_batch.errors import UserError
from tui_batch.inputs.patterns import compile_pattern

SPEC = JobSpec(
    "job",
    InputSource("rows.jsonl", "jsonl"),
    (ModelRef("small", ("e",)), ModelRef("large", ("e",))),
    (Endpoint("e", Api.OPENAI, "http://localhost/v1"),),
    Mode.ROUTE,
)


def subject(prompt: Any = "hello", system: str = "", **columns: Any) -> Subject:
    messages = (Message("system", system),) * bool(system) + (Message("user", prompt),)
    return Subject(PromptRequest(Operation.CHAT, messages), columns)


def fits(seen: Subject, **when: Any) -> bool:
    return choose(compile_rules(spec_of(RouteRule("large", Condition(**when)))), seen) == "large"


def spec_of(*rules: RouteRule) -> JobSpec:
    return JobSpec(SPEC.name, SPEC.source, SPEC.models, SPEC.endpoints, Mode.ROUTE, routes=rules)


@pytest.mark.parametrize(
    ("prompt", "when", "expected"),
    [
        ("x" * 404, {"longer_than": 100}, True),
        ("x" * 400, {"longer_than": 100}, False),
        ("x" * 400, {"shorter_than": 100}, False),
        ("x" * 396, {"shorter_than": 100}, True),
        ("x" * 400, {"longer_than": 99, "shorter_than": 101}, True),
        ("I want a REFUND now", {"contains": ("invoice", "refund")}, True),
        ("die STRASSE", {"contains": ("straße",)}, True),
        ("I want it", {"contains": ("refund",)}, False),
        ("order 4711", {"matches": r"\border \d{4}\b"}, True),
        ("Order 47", {"matches": r"\border \d{4}\b"}, False),
        ("line\nOrder 4711", {"matches": "order"}, True),
        ("order and refund", {"matches": "order", "contains": ("refund",)}, True),
        ("order only", {"matches": "order", "contains": ("refund",)}, False),
        ([{"type": "text", "text": "a refund"}, {"type": "image_url"}], {"contains": ("refund",)}, True),
    ],
)
def test_conditions_on_the_prompt(prompt: Any, when: dict[str, Any], expected: bool) -> None:
    assert fits(subject(prompt), **when) is expected


@pytest.mark.parametrize(
    ("value", "when", "expected"),
    [
        ("DE", {"equals": ("de", "fr")}, True),
        ("den", {"equals": ("de", "fr")}, False),
        (5, {"equals": ("5",)}, True),
        (5.0, {"equals": ("5",)}, True),
        (1e300, {"equals": ("5",)}, False),
        (True, {"equals": ("true",)}, True),
        (None, {"equals": ("",)}, True),
        ("Chargeback", {"contains": ("charge",)}, True),
        ("Chargeback", {"matches": "^charge"}, True),
        ("a Chargeback", {"matches": "^charge"}, False),
    ],
)
def test_conditions_on_a_column(value: Any, when: dict[str, Any], expected: bool) -> None:
    assert fits(subject("refund charge de 5", kind=value), column="kind", **when) is expected


def test_a_row_without_the_column_does_not_fit() -> None:
    assert not fits(subject(other="de"), column="kind", equals=("", "null"))


def test_system_text_counts_for_length_but_not_for_content() -> None:
    seen = subject("hello", system="You handle every refund. " * 20)
    assert not fits(seen, contains=("refund",))
    assert fits(seen, longer_than=100)


def test_the_first_rule_that_fits_counts_and_only_in_mode_route() -> None:
    rules = (
        RouteRule("large", Condition(contains=("refund",))),
        RouteRule("small", Condition(contains=("refund", "order"))),
        RouteRule("large"),
    )
    compiled = compile_rules(spec_of(*rules))
    assert [choose(compiled, subject(text)) for text in ("a refund", "an order", "else")] == ["large", "small", "large"]
    other = JobSpec(SPEC.name, SPEC.source, SPEC.models, SPEC.endpoints, Mode.SPREAD, routes=rules)
    assert compile_rules(other) == ()


def test_a_pattern_that_cannot_be_used_is_refused_in_words() -> None:
    with pytest.raises(UserError, match="unclosed group"):
        compile_rules(spec_of(RouteRule("large", Condition(matches="(a"))))
    with pytest.raises(ValueError, match="look-around"):
        compile_pattern("(?=a)b")
    with pytest.raises(ValueError, match="size limit"):
        compile_pattern("a{100000}{1000}")


def test_a_pattern_that_would_hang_a_backtracking_matcher_does_not() -> None:
    assert not compile_pattern("(a+)+b")("a" * 200_000)
    assert not compile_pattern("(.*a){12}!")("a" * 20_000)


@given(st.text(max_size=40), st.text(min_size=1, max_size=5), st.text(max_size=40))
@settings(deadline=None, max_examples=60)
def test_a_text_that_holds_a_part_fits_however_it_is_written(before: str, part: str, after: str) -> None:
    assert fits(subject(before + part + after), contains=(part,))
    assert fits(subject("else", kind=part), column="kind", equals=(part,))


@given(st.lists(st.integers(1, 5_000), unique=True, max_size=4), st.integers(0, 10_000))
@settings(deadline=None, max_examples=80)
def test_a_prompt_lies_in_the_shortest_bucket_that_takes_it(bounds: list[int], tokens: int) -> None:
    rising = sorted(bounds)
    buckets = [*(LengthBucket(1, up_to) for up_to in rising), LengthBucket(1)]
    index = bucket_of(buckets, tokens)
    assert all(bound < tokens for bound in rising[:index])
    assert index == len(rising) or tokens <= rising[index]
    assert bucket_of((), tokens) == 0


@pytest.mark.parametrize(
    ("mode", "models", "words"),
    [
        (Mode.ROUTE, (), "mode route needs rules"),
        (Mode.SPREAD, ("small",), "its mode is spread"),
        (Mode.ROUTE, ("huge",), "route 1 goes to huge, which is not among the job's models: large, small"),
    ],
)
def test_rules_that_do_not_belong_to_the_job_are_refused(mode: Mode, models: tuple[str, ...], words: str) -> None:
    with pytest.raises(UserError, match=words):
        check_rules(mode, tuple(map(RouteRule, models)), SPEC.models)
