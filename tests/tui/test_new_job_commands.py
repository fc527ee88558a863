"""What the New job screen did, as a command line: pasted into a shell it makes the same job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from tui_batch.cli.asking import asked
from tui_batch.cli.flags import JobFlags
from tui_batch.cli.main import build
from tui_batch.domain.job import CacheMode, InputSource, Mode
from tui_batch.domain.quality import Check
from tui_batch.engine.chaining import chained_source
from tui_batch.inputs.draft import AUTO, JobDraft, ModelChoice
from tui_batch.work.command_words import CUT, run_words

PLAIN = JobDraft(InputSource(str(Path("/data/rows.csv").absolute()), ""), "rows", models=(ModelChoice("m-1"),))
DRAFTS = [
    PLAIN,
    replace(PLAIN, name="another", system="You are\nkind.", prompt="Say: {{ text }}", endpoint="groq"),
    replace(PLAIN, models=(ModelChoice("a"), ModelChoice("b")), mode=Mode.EACH, base_url="http://localhost:1/v1"),
    replace(PLAIN, params={"temperature": 0, "stop": ["."], "effort": "low", "seed": "1"}, concurrency=AUTO),
    replace(PLAIN, concurrency=8, rpm=90, tpm=1_000, budget_nano=2_500_000_000, max_attempts=3, priority=-1),
    replace(PLAIN, cache=CacheMode.OFF, tags={"team": "a b"}, stream=True, keep_raw=True),
    replace(PLAIN, source=chained_source(3), name="from job 3", prompt="{{ response }}", cache=CacheMode.REFRESH),
]


def typed(words: tuple[str, ...]) -> JobDraft:
    """What the command line makes of the words."""
    cli: Any = get_command(build())
    given = cli.commands["run"].make_context("run", list(words[1:])).params
    return asked(JobFlags(**{name: value for name, value in given.items() if name in JobFlags.__dataclass_fields__}))


@pytest.mark.parametrize("draft", DRAFTS)
def test_a_recorded_command_makes_the_same_job(draft: JobDraft) -> None:
    words = run_words(draft)
    assert CUT not in words
    assert typed(words) == draft
    assert run_words(draft, sample=10)[-2:] == ("--sample", "10")


def test_one_endpoint_of_all_models_is_an_option_and_the_simulator_has_its_own() -> None:
    at = tuple(ModelChoice(name, ("groq",)) for name in ("a", "b"))
    assert run_words(replace(PLAIN, models=at))[2:4] == ("--endpoint", "groq")
    assert "--simulate" in run_words(replace(PLAIN, models=(ModelChoice("a", ("simulator",)),)))


@pytest.mark.parametrize(
    "draft",
    [
        replace(PLAIN, checks=(Check("not_empty"),)),
        replace(PLAIN, models=(ModelChoice("a", weight=2.0), ModelChoice("b"))),
        replace(PLAIN, models=(ModelChoice("a", ("x",)), ModelChoice("b", ("y",)))),
        replace(PLAIN, schema={"type": "object"}),
    ],
)
def test_what_options_cannot_say_is_not_taken_for_the_whole(draft: JobDraft) -> None:
    assert run_words(draft)[-1] == CUT


def test_a_schema_from_a_file_is_named() -> None:
    words = run_words(replace(PLAIN, schema={"type": "object"}), schema="answer.json")
    assert words[-2:] == ("--schema", "answer.json")
