"""A concurrency that the servers' own bounds hold back is not held back without a word."""

from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.domain.job import Knobs
from tui_batch.engine.compose import held_back

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
