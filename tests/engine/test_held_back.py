"""A concurrency that the servers' own bounds hold back is not held back without a word."""

from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.domain.job import Knobs, ModelRef
from tui_batch.engine.compose import Placed, held_back, lifted
from tui_batch.settings import Settings

SMALL = Endpoint("gpu0", Api.OLLAMA, "http://gpu0.test:11434", max_in_flight=2)
OTHER = Endpoint("gpu1", Api.OLLAMA, "http://gpu1.test:11434", max_in_flight=2)
OPEN = Endpoint("hosted", Api.OPENAI, "http://hosted.test/v1")


def test_it_is_said_when_servers_take_less_than_was_asked_for() -> None:
    (words,) = held_back(Knobs(concurrency=16), (SMALL, OTHER))
    assert "gpu0, gpu1: 4 in flight at most, not 16" in words


def test_nothing_is_said_where_nothing_is_held_back() -> None:
    assert held_back(Knobs(concurrency=4), (SMALL, OTHER)) == ()
    assert held_back(Knobs(concurrency=None), (SMALL,)) == ()
    assert held_back(Knobs(concurrency=16), (SMALL, OPEN)) == ()


def test_a_number_asked_for_of_one_server_lifts_the_bound_that_was_only_assumed() -> None:
    placed = Placed((SMALL,), (ModelRef("m", ("gpu0",)),))

    found = lifted(placed, Knobs(concurrency=16), Settings())

    assert found.endpoints[0].max_in_flight is None
    assert "gpu0: 16 in flight, as asked" in found.notes[0]
    assert held_back(Knobs(concurrency=16), found.endpoints) == ()


def test_a_bound_of_the_settings_of_several_servers_or_beyond_the_number_stays() -> None:
    one, two = Placed((SMALL,), ()), Placed((SMALL, OTHER), ())

    assert lifted(one, Knobs(concurrency=16), Settings(endpoints=(SMALL,))) is one
    assert lifted(two, Knobs(concurrency=16), Settings()) is two
    assert lifted(one, Knobs(concurrency=2), Settings()) is one
    assert lifted(one, Knobs(concurrency=None), Settings()) is one
