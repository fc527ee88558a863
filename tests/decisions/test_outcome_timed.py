"""An outcome keeps all that it holds when it gets its times."""

from __future__ import annotations

from dataclasses import fields, replace

from tui_batch.domain.outcome import Outcome, OutcomeClass, RateHeaders, Usage


def test_nothing_but_the_times_changes() -> None:
    outcome = Outcome(
        OutcomeClass.SERVER_ERROR,
        text="text",
        usage=Usage(1, 2),
        finish_reason="stop",
        status=500,
        message="message",
        code="code",
        retry_after_s=1.5,
        should_retry=True,
        limits=RateHeaders(),
        request_id="id",
        model="model",
        raw=b"raw",
    )
    unset = Outcome(OutcomeClass.OK)
    assert all(getattr(outcome, one.name) != getattr(unset, one.name) for one in fields(Outcome)[:-3]), "a field is new"
    assert outcome.timed(5.0, 0.25) == replace(outcome, started_at=5.0, latency_s=0.25)
