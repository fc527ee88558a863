"""Accuracy of the simulator's answers to the sample jobs, as their checks see it.

Run: python -m bench.accuracy [--repeat 0]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

from bench.arena import table
from tui_batch import paths
from tui_batch.domain.endpoint import Api, Endpoint, Operation
from tui_batch.domain.item import NewRow
from tui_batch.domain.job import JobSpec, ModelRef
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.domain.request import PromptRequest
from tui_batch.inputs.importing import batches
from tui_batch.inputs.job_file import load_job_draft
from tui_batch.inputs.reading import open_input
from tui_batch.inputs.templates import compile_prompt
from tui_batch.quality.checks import compile_checks
from tui_batch.simulator.answers import reply
from tui_batch.simulator.wire import Ask

SAMPLES = ("support_tickets", "grade_school_math")


@dataclass(frozen=True, slots=True)
class Marks:
    """What the checks say about one job."""

    answers: int
    score: float
    """Mean, 0 to 1."""
    failed: int
    check_us: float
    """Microseconds an answer that the checks take."""


def spec_of(name: str) -> tuple[JobSpec, list[NewRow]]:
    """A sample job and its rows."""
    draft = load_job_draft(paths.shipped("sample_jobs") / f"{name}.yaml")
    opened = open_input(draft.source)
    try:
        rows = [row for batch in batches(opened, 1_000) for row in batch.rows]
    finally:
        opened.close()
    spec = JobSpec(
        name,
        opened.source,
        (ModelRef("gpt-4o-mini", ("sim",)),),
        (Endpoint("sim", Api.OPENAI, "http://sim.test"),),
        prompt=draft.prompt or "",
        system=draft.system or "",
        params=draft.params,
        schema=draft.schema,
        checks=draft.checks,
    )
    return spec, rows


def answer(request: PromptRequest, spec: JobSpec, repeat: int) -> str:
    """What the simulator says."""
    system, prompt = (message.content for message in request.messages)
    return reply(Ask(Api.OPENAI, Operation.CHAT, "gpt-4o-mini", system, prompt, schema=spec.schema), repeat)


def marks(name: str, repeat: int) -> Marks:
    """Asks the simulator's answering part about every row and examines what it says."""
    spec, rows = spec_of(name)
    renderer, checks = compile_prompt(spec), compile_checks(spec)
    assert checks is not None
    rendered = [renderer.render(row.data) for row in rows]
    outcomes = [Outcome(OutcomeClass.OK, text=answer(row.request, spec, repeat)) for row in rendered]
    began = time.perf_counter()
    examined = [checks.examine(outcome, row.columns) for outcome, row in zip(outcomes, rendered, strict=True)]
    seconds = time.perf_counter() - began
    scores = [one.score for one in examined if one.score is not None]
    failed = sum(one.outcome.cls is OutcomeClass.INVALID for one in examined)
    return Marks(len(rows), sum(scores) / len(scores), failed, seconds / len(rows) * 1e6)


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeat", type=int, default=0, help="which of the simulator's answers to a prompt")
    args = parser.parse_args()
    rows: list[tuple[str, ...]] = [("", "answers", "mean score", "failed", "us an answer")]
    for name in SAMPLES:
        found = marks(name, args.repeat)
        rows.append((name, f"{found.answers:,}", f"{found.score:.3f}", str(found.failed), f"{found.check_us:.0f}"))
    table("Sample jobs answered by the simulator", rows)


if __name__ == "__main__":
    main()
