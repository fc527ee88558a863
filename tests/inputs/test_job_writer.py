"""Job files that are written: what is loaded again is what was asked for, and nothing is overwritten unasked."""

from __future__ import annotations

import dataclasses
import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.job import CacheMode, Cap, Condition, InputSource, LengthBucket, Mode, OnTruncated, RouteRule
from tui_batch.domain.quality import Check, DriftRule, OnDrift, OnInvalid
from tui_batch.errors import InputError, UserError
from tui_batch.inputs.draft import AUTO, JobDraft, ModelChoice
from tui_batch.inputs.job_file import load_job_draft
from tui_batch.inputs.job_writer import job_file_text, replace_file, save_new


def written_and_read(draft: JobDraft, folder: Path) -> JobDraft:
    path = folder / "job.yaml"
    path.write_text(job_file_text(draft, path), encoding="utf-8")
    return load_job_draft(path)


def full(folder: Path) -> JobDraft:
    """Every field says something else than it does by itself."""
    return JobDraft(
        source=InputSource(str(folder / "data" / "rows.csv"), "csv", "id", "rank", "", "extra"),
        name="Tickets: all",
        origin=folder / "job.yaml",
        api=Api.ANTHROPIC,
        base_url="http://localhost:8000",
        models=(ModelChoice("small"), ModelChoice("large", ("one", "two"), 2.5), ModelChoice("other", ("three",))),
        mode=Mode.ROUTE,
        operation=Operation.EMBED,
        system="You are a clerk.\nBe brief. ",
        prompt="Classify: {{ text }}\n\n  yes: no # not a comment\n",
        params={"temperature": 0, "stop": ["END", "no"], "nested": {"none": None, "empty": {}}, "on": True},
        schema={"type": "object", "properties": {"token": {"type": ["string", "null"]}}},
        concurrency=AUTO,
        rpm=60,
        tpm=90_000,
        budget_nano=1_250_000_001,
        cap=Cap.LOOSE,
        max_attempts=3,
        cache=CacheMode.OFF,
        priority=-5,
        tags={"team": "support", "year": "2024", "off": "no"},
        output=folder / "out" / "answers.jsonl",
        on_truncated=OnTruncated.RETRY,
        keep_raw=True,
        timeout_base_s=30.0,
        timeout_per_1k_tokens_s=1.5,
        stream=True,
        first_byte_s=20.0,
        stall_s=4.5,
        routes=(
            RouteRule("large", Condition(longer_than=2000)),
            RouteRule("other", Condition(column="lang", equals=("de", "5", "true"))),
            RouteRule("other", Condition(shorter_than=10, contains=("refund", "money"), matches="^a+$")),
            RouteRule("small"),
        ),
        buckets=(LengthBucket(8, 500), LengthBucket(2)),
        checks=(
            Check("labels", ["a", "b"], field="mood"),
            Check("length", {"max": 200}),
            Check("number", "answer", at_least=1.0, tolerance=0.01),
            Check("not_empty"),
            Check("not_refused", field="mood"),
        ),
        on_invalid=OnInvalid.TELL,
        max_invalid=2,
        drift=DriftRule(50, 0.7, 0.2),
        on_drift=OnDrift.PAUSE,
    )


def test_every_field_of_a_draft_survives_its_job_file(tmp_path: Path) -> None:
    draft = full(tmp_path)
    plain = JobDraft(InputSource("", ""), "")
    same = [
        field.name
        for field in dataclasses.fields(draft)
        if getattr(draft, field.name) == getattr(plain, field.name) and field.name != "endpoint"
    ]
    assert not same, "give the new field a value above, and write it in job_writer"
    assert written_and_read(draft, tmp_path) == draft


def test_a_small_job_is_a_small_file(tmp_path: Path) -> None:
    source = InputSource(str(tmp_path / "rows.csv"), "")
    draft = JobDraft(source, "Rows", models=(ModelChoice("gpt-4o-mini"),), prompt="Classify: {{ text }}")
    text = job_file_text(draft, tmp_path / "job.yaml")
    lines = ["input: rows.csv", "name: Rows", "model: gpt-4o-mini", "prompt: 'Classify: {{ text }}'"]
    assert sorted(text.splitlines()) == sorted(lines)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(-1e9, 1e9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
MAYBE_COUNT = st.none() | st.integers(1, 10**6)


@settings(max_examples=60, deadline=None)
@given(
    name=TEXT,
    model=TEXT,
    endpoints=st.lists(TEXT, max_size=2, unique=True),
    prompt=st.none() | TEXT.map(lambda text: "{% raw %}" + text.replace("{", "").replace("%", "") + "{% endraw %}"),
    params=st.dictionaries(TEXT.map(lambda text: f"p_{text}"), JSON, max_size=3),
    tags=st.dictionaries(TEXT.map(lambda text: f"t_{text}"), TEXT, max_size=2),
    rpm=MAYBE_COUNT,
    budget=st.none() | st.integers(0, 10**15),
    file=TEXT.filter(lambda text: "/" not in text and "\\" not in text and text not in (".", "..")),
)
def test_any_draft_survives_its_job_file(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    model: str,
    endpoints: list[str],
    prompt: str | None,
    params: dict[str, object],
    tags: dict[str, str],
    rpm: int | None,
    budget: int | None,
    file: str,
) -> None:
    folder = tmp_path_factory.getbasetemp()
    draft = JobDraft(
        InputSource(str(folder / file), ""),
        name,
        origin=folder / "job.yaml",
        models=(ModelChoice(model, tuple(endpoints)),),
        prompt=prompt,
        params=params,
        tags=tags,
        rpm=rpm,
        budget_nano=budget,
    )
    assert written_and_read(draft, folder) == draft


def test_the_input_is_named_from_the_job_files_folder(tmp_path: Path) -> None:
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    near = JobDraft(InputSource(str(tmp_path / "data" / "rows.csv"), ""), "near")
    assert "input: ../data/rows.csv" in job_file_text(near, jobs / "job.yaml")
    assert os.path.normpath(written_and_read(near, jobs).source.path) == near.source.path
    deep = tmp_path / "a" / "b" / "c" / "d"
    assert f"input: {near.source.path}" in job_file_text(near, deep / "job.yaml")


@pytest.mark.parametrize("name", ["-", "~nobody.csv"])
def test_a_file_with_a_name_that_means_something_else_is_still_found(tmp_path: Path, name: str) -> None:
    draft = JobDraft(InputSource(str(tmp_path / name), ""), "odd")
    assert written_and_read(draft, tmp_path).source.path == str(tmp_path / name)


def test_a_file_that_is_there_is_kept_until_it_is_to_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    save_new(full(tmp_path), path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        save_new(JobDraft(InputSource("rows.csv", ""), "other"), path)
    assert path.read_bytes() == before
    replace_file(JobDraft(InputSource(str(tmp_path / "rows.csv"), ""), "other"), path)
    assert load_job_draft(path).name == "other"
    assert [file.name for file in tmp_path.iterdir()] == ["job.yaml"]


def test_a_secret_is_not_written(tmp_path: Path) -> None:
    key = "sk-" + "a1b2c3d4" * 4
    draft = JobDraft(InputSource("rows.csv", ""), "leaky", params={"api_key": key})
    with pytest.raises(InputError) as caught:
        save_new(draft, tmp_path / "job.yaml")
    assert "secret" in str(caught.value)
    assert key not in str(caught.value)
    assert not (tmp_path / "job.yaml").exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        save_new(full(tmp_path), tmp_path / "none" / "job.yaml")
    assert "none" in str(caught.value)


def test_half_a_job_file_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk: the file that was there stays as it was, a new one is in nobody's way, nothing else is left."""

    def full_disk(path: Path, text: str, **_: str) -> int:
        path.write_bytes(text[:10].encode())
        raise OSError(errno.ENOSPC, "No space left on device")

    draft = JobDraft(InputSource(str(tmp_path / "rows.csv"), ""), "small")
    there = tmp_path / "there.yaml"
    save_new(draft, there)
    before = there.read_text()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full_disk)
        for write, path in ((save_new, tmp_path / "new.yaml"), (replace_file, there)):
            with pytest.raises(UserError, match="No space left"):
                write(draft, path)
    assert [path.name for path in tmp_path.iterdir()] == ["there.yaml"]
    assert there.read_text() == before
    save_new(draft, tmp_path / "new.yaml")
