"""Specs and knobs survive the way to JSON and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.endpoint import Api, Endpoint, KeyKind, KeySource, Operation
from tui_batch.domain.job import CacheMode, Cap, InputSource, JobSpec, Knobs, Mode, ModelRef, OnTruncated
from tui_batch.domain.quality import Check, DriftRule, OnDrift, OnInvalid
from tui_batch.errors import UserError
from tui_batch.store.codec import dump_knobs, dump_spec, load_knobs, load_spec

text = st.text(max_size=12)
maybe_int = st.none() | st.integers(0, 10**15)
number = st.floats(0, 1e6)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
endpoints = st.builds(
    Endpoint,
    name=text,
    api=st.sampled_from(Api),
    base_url=text,
    key=st.builds(KeySource, st.sampled_from(KeyKind), text),
    headers=st.lists(st.tuples(text, text), max_size=2).map(tuple),
    max_in_flight=maybe_int,
    rpm=maybe_int,
    tpm=maybe_int,
)
models = st.builds(ModelRef, model=text, endpoints=st.lists(text, max_size=2).map(tuple), weight=number)
specs = st.builds(
    JobSpec,
    name=text,
    source=st.builds(InputSource, path=text, format=text),
    models=st.lists(models, max_size=2).map(tuple),
    endpoints=st.lists(endpoints, max_size=2).map(tuple),
    mode=st.sampled_from(Mode),
    operation=st.sampled_from(Operation),
    prompt=text,
    system=text,
    params=st.dictionaries(text, json_values, max_size=3),
    schema=json_values,
    max_attempts=st.integers(1, 100),
    on_truncated=st.sampled_from(OnTruncated),
    cache=st.sampled_from(CacheMode),
    keep_raw=st.booleans(),
    timeout_base_s=number,
    stream=st.booleans(),
    stall_s=number,
    checks=st.lists(st.builds(Check, text, json_values, text, st.none() | st.floats(0, 1), number), max_size=3).map(
        tuple
    ),
    on_invalid=st.sampled_from(OnInvalid),
    max_invalid=maybe_int,
    drift=st.builds(DriftRule, st.integers(20, 999), st.floats(0, 1), st.floats(0, 1)),
    on_drift=st.none() | st.sampled_from(OnDrift),
)
knobs = st.builds(
    Knobs,
    *[maybe_int] * 4,
    st.integers(-9, 9),
    st.dictionaries(text, text, max_size=3),
    st.sampled_from(Cap),
)


@settings(deadline=None, max_examples=40)
@given(specs)
def test_a_spec_comes_back_equal(spec: JobSpec) -> None:
    assert load_spec(dump_spec(spec)) == spec


@settings(deadline=None, max_examples=50)
@given(knobs)
def test_knobs_come_back_equal(value: Knobs) -> None:
    assert load_knobs(dump_knobs(value)) == value


def test_a_field_added_since_reads_with_its_default() -> None:
    plain = json.loads(dump_knobs(Knobs(rpm=60)))
    del plain["priority"]
    assert load_knobs(json.dumps(plain)) == Knobs(rpm=60)


@pytest.mark.parametrize("change", [{"version": 99}, {"a_later_invention": 1}])
def test_what_a_newer_program_stored_is_refused_and_not_half_read(change: dict[str, Any]) -> None:
    plain = json.loads(dump_knobs(Knobs())) | change
    with pytest.raises(UserError, match="newer llmbatch-tui"):
        load_knobs(json.dumps(plain))


@pytest.mark.parametrize("damaged", ["", "[]", "{}", '{"version": 1, "name": "x"}'])
def test_damage_is_said_in_words(damaged: str) -> None:
    with pytest.raises(UserError, match="cannot be read") as raised:
        load_spec(damaged)
    assert "--db" in raised.value.remedy
