"""How long a job will take: by what its servers took before, within its limits."""

from __future__ import annotations

import pytest

from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.domain.job import Knobs
from tui_batch.work.strategies import AUTO_IN_FLIGHT, Pace, Strategy, strategies

OPENAI = Endpoint("openai", Api.OPENAI, "https://api.openai.com/v1")


def ways(pace: Pace, knobs: Knobs) -> tuple[Strategy, Strategy]:
    one, many, _ = strategies(pace, None, knobs, [OPENAI], [None])
    return one, many


def test_a_job_on_auto_goes_as_many_at_once_as_its_servers_took_before() -> None:
    known = Pace(1_000, 100_000, 2.0, in_flight=80, is_measured=True)
    unknown = Pace(1_000, 100_000, 2.0)

    assert ways(known, Knobs())[1].seconds == pytest.approx(13 * 2.0)
    assert ways(unknown, Knobs())[1].seconds == pytest.approx(32 * 2.0), f"{AUTO_IN_FLIGHT} at once"
    assert "80 in flight (auto, as before), 2.0 s a request as before" in ways(known, Knobs())[1].reason
    assert "(auto, reckoned), 2.0 s a request" in ways(unknown, Knobs())[1].reason


def test_concurrency_and_limits_bound_it_whatever_was_measured() -> None:
    known = Pace(1_000, 100_000, 2.0, in_flight=80, is_measured=True)

    assert ways(known, Knobs(concurrency=10))[1].seconds == pytest.approx(200.0)
    limited = ways(known, Knobs(rpm=100))[1]
    assert limited.seconds == pytest.approx(9 * 60 + 2.0)
    assert "100 RPM" in limited.reason
    assert ways(known, Knobs())[0].seconds == pytest.approx(2_000.0)
