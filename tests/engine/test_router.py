"""Routing: which deployments may answer, and which is tried first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_batch.domain.endpoint import Api, DeploymentKey, Endpoint
from tui_batch.domain.job import InputSource, JobSpec, Mode, ModelRef
from tui_batch.engine.router import LaneLoad, origins, preference, route, variants

ENDPOINTS = tuple(Endpoint(name, Api.OLLAMA, f"http://{name}:11434") for name in ("one", "two", "three"))


def spec(mode: Mode, *models: ModelRef) -> JobSpec:
    return JobSpec("job", InputSource("rows.txt", "txt"), models, ENDPOINTS, mode)


SMALL = ModelRef("small", ("one", "two"))
LARGE = ModelRef("large", ("three",), weight=3.0)


@pytest.mark.parametrize(
    ("mode", "variant", "row_model", "expected"),
    [
        (Mode.SINGLE, 0, None, [("one", "small"), ("two", "small")]),
        (Mode.EACH, 1, None, [("three", "large")]),
        (Mode.SPREAD, 0, None, [("one", "small"), ("two", "small"), ("three", "large")]),
        (Mode.FALLBACK, 0, None, [("one", "small"), ("two", "small"), ("three", "large")]),
        (Mode.SINGLE, 0, "large", [("three", "large")]),
        (Mode.SINGLE, 0, "other", [("one", "other"), ("two", "other")]),
    ],
)
def test_route(mode: Mode, variant: int, row_model: str | None, expected: list[tuple[str, str]]) -> None:
    assert list(route(spec(mode, SMALL, LARGE), variant, row_model)) == expected


def test_only_mode_each_makes_several_items_of_a_row() -> None:
    assert variants(spec(Mode.EACH, SMALL, LARGE)) == 2
    assert variants(spec(Mode.SPREAD, SMALL, LARGE)) == 1


def test_a_copy_takes_for_each_model_the_rows_that_were_asked_of_it() -> None:
    other = ModelRef("other", ("one",))
    both = spec(Mode.EACH, SMALL, LARGE)
    assert origins(both, both) == (0, 1)
    assert origins(both, spec(Mode.EACH, LARGE, other, SMALL)) == (1, 0, 0)
    assert origins(both, spec(Mode.SINGLE, LARGE)) == (1,)
    assert origins(spec(Mode.SPREAD, SMALL, LARGE), both) == (0, 0)
    twice = spec(Mode.EACH, SMALL, ModelRef("small", ("two",)))
    assert origins(twice, twice) == (0, 1)


def test_the_least_loaded_server_of_a_pool_comes_first() -> None:
    keys = (DeploymentKey("one", "small"), DeploymentKey("two", "small"))
    loads = {keys[0]: LaneLoad(4, 1.0, 1.0), keys[1]: LaneLoad(1, 1.0, 1.0)}
    assert preference(Mode.SINGLE, keys, loads.__getitem__) == (1, 0)


def test_a_slow_server_gets_less_than_a_fast_one() -> None:
    keys = (DeploymentKey("one", "small"), DeploymentKey("two", "small"))
    loads = {keys[0]: LaneLoad(0, 1.0, 9.0), keys[1]: LaneLoad(3, 1.0, 1.0)}
    assert preference(Mode.SINGLE, keys, loads.__getitem__) == (1, 0)


def test_fallback_keeps_the_models_order_however_loaded() -> None:
    keys = (DeploymentKey("one", "small"), DeploymentKey("two", "small"), DeploymentKey("three", "large"))
    loads = {keys[0]: LaneLoad(9, 1.0, 1.0), keys[1]: LaneLoad(5, 1.0, 1.0), keys[2]: LaneLoad(0, 1.0, 0.1)}
    assert preference(Mode.FALLBACK, keys, loads.__getitem__) == (1, 0, 2)


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.floats(0.1, 10), st.one_of(st.none(), st.floats(0.001, 100))),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(list(Mode)),
)
def test_every_candidate_is_tried_once(loads: list[tuple[int, float, float | None]], mode: Mode) -> None:
    keys = tuple(DeploymentKey(f"e{n}", "m") for n in range(len(loads)))
    table = {key: LaneLoad(*load) for key, load in zip(keys, loads, strict=True)}
    assert sorted(preference(mode, keys, table.__getitem__)) == list(range(len(keys)))


def test_in_fallback_models_that_had_their_attempts_come_last() -> None:
    keys = tuple(DeploymentKey(f"e{n}", model) for n, model in enumerate(("a", "a", "b", "c")))

    def order(spent: int) -> list[str]:
        return [keys[index].model for index in preference(Mode.FALLBACK, keys, lambda _: LaneLoad(0, 1.0, 1.0), spent)]

    assert [order(spent) for spent in range(3)] == [["a", "a", "b", "c"], ["b", "c", "a", "a"], ["c", "a", "a", "b"]]


def test_a_server_that_fails_often_is_not_fast() -> None:
    keys = (DeploymentKey("one", "small"), DeploymentKey("two", "small"))
    loads = {keys[0]: LaneLoad(0, 1.0, 1.0, health=0.6), keys[1]: LaneLoad(0, 1.0, 1.5)}
    assert preference(Mode.SINGLE, keys, loads.__getitem__) == (1, 0)
