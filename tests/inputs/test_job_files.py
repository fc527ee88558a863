"""Job files: what is read, what is refused and in which words, and that writing one loses nothing."""

from __future__ import annotations

import contextlib
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tui_batch import paths
from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.job import CacheMode, InputSource, Mode, OnTruncated
from tui_batch.errors import InputError
from tui_batch.inputs.answer_schema import read_schema
from tui_batch.inputs.detection import is_job_file
from tui_batch.inputs.draft import AUTO, JobDraft, ModelChoice
from tui_batch.inputs.job_file import JobFile, dump_job_file, json_schema, load_job_draft, validated
from tui_batch.inputs.yaml_document import Document, Steps, dump, load, parse

FULL = """
name: Tickets
input:
  path: data/rows.csv
  format: csv
  columns: {custom_id: id, priority: rank, model: model}
api: openai
base_url: http://localhost:8000/v1/
models:
  - small
  - {model: large, endpoints: [one, two], weight: 2}
  - {model: other, endpoint: three}
mode: spread
operation: chat
system: You are a clerk.
prompt: |
  Classify: {{ text }}
  Answer with one word.
params: {temperature: 0, stop: [END], max_tokens: 20}
schema: {type: object, properties: {token: {type: string}}}
limits: {concurrency: auto, rpm: 60, tpm: 90000, budget: 1.25}
retry: {max_attempts: 3}
cache: off
priority: 5
tags: {team: support}
output: out/answers.jsonl
on_truncated: retry
keep_raw: true
timeouts: {base: 30, per_1k_tokens: 1.5, first_byte: 20, stall: 4.5}
stream: true
"""


def draft(tmp_path: Path, text: str) -> JobDraft:
    path = tmp_path / "job.yaml"
    path.write_text(text, encoding="utf-8")
    return load_job_draft(path)


def refusal(tmp_path: Path, text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        draft(tmp_path, text)
    return caught.value


def test_every_field_arrives(tmp_path: Path) -> None:
    assert draft(tmp_path, FULL) == JobDraft(
        source=InputSource(str(tmp_path / "data/rows.csv"), "csv", "id", "rank", "model", "params"),
        name="Tickets",
        origin=tmp_path / "job.yaml",
        api=Api.OPENAI,
        base_url="http://localhost:8000/v1",
        models=(ModelChoice("small"), ModelChoice("large", ("one", "two"), 2.0), ModelChoice("other", ("three",))),
        mode=Mode.SPREAD,
        operation=Operation.CHAT,
        system="You are a clerk.",
        prompt="Classify: {{ text }}\nAnswer with one word.\n",
        params={"temperature": 0, "stop": ["END"], "max_tokens": 20},
        schema={"type": "object", "properties": {"token": {"type": "string"}}},
        concurrency=AUTO,
        rpm=60,
        tpm=90000,
        budget_nano=1_250_000_000,
        max_attempts=3,
        cache=CacheMode.OFF,
        priority=5,
        tags={"team": "support"},
        output=tmp_path / "out/answers.jsonl",
        on_truncated=OnTruncated.RETRY,
        keep_raw=True,
        timeout_base_s=30.0,
        timeout_per_1k_tokens_s=1.5,
        stream=True,
        first_byte_s=20.0,
        stall_s=4.5,
    )


def test_the_least_job_file(tmp_path: Path) -> None:
    found = draft(tmp_path, "input: rows.txt\nmodel: m\nendpoint: groq\n")
    assert found.source == InputSource(str(tmp_path / "rows.txt"), "")
    assert (found.name, found.models, found.endpoint) == ("job", (ModelChoice("m"),), "groq")
    assert (found.prompt, found.cache, found.concurrency, found.budget_nano) == (None, None, None, None)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("input: a.csv\nmodle: x\n", 2, "modle: is not a known field; did you mean model?"),
        ("input: a.csv\nzzz: x\n", 2, "known are input, name"),
        ("model: x\n", 1, "input: is missing"),
        ("input: {format: csv}\n", 1, "input.path: is missing"),
        ("input: a\nmodels:\n  - a\n  - modl: b\n", 4, "models[1].modl: is not a known field; did you mean model?"),
        ("input: a\nmodels:\n  - model: b\n    weight: -1\n", 4, "models[0].weight: must be greater than 0"),
        ("input: a\nlimits:\n  rpm: many\n", 3, "limits.rpm: must be a whole number"),
        ("input: a\nlimits:\n  concurrency: lots\n", 3, "must be a whole number, or must be 'auto'"),
        ("input: a\ntimeouts:\n  base: 1e300\n", 3, "timeouts.base: must be less than or equal to 604800"),
        ("input: a\ntimeouts:\n  first_byte: 1e9\n", 3, "timeouts.first_byte: must be less than or equal to 604800"),
        ("input: a\nmode: spraed\n", 2, "did you mean spread?"),
        ("input: a\ncache: never\n", 2, "must be 'use', 'refresh' or 'off'"),
        ("input: a\nname: 5\n", 2, "name: must be text; numbers and true or false need quotes"),
        ("input: a\ninput: b\n", 2, "input: stands here and in line 1"),
        ("input: a\nmodel: [\n", 3, "is not valid YAML"),
        ("input: a\n\tmodel: b\n", 2, "is not valid YAML"),
        ("input: a\nmodel: b\nmodels: [c]\n", 1, "give model or models, not both"),
        ("input: a\nendpoint: b\nbase_url: http://c\n", 1, "give endpoint or base_url, not both"),
        ("input: a\nbase_url: localhost:11434\n", 2, "must be an address such as http://localhost"),
        ("input: a\nprompt: |\n  x\n  {{ y\n", 2, "prompt: prompt template, line 2"),
        ("input: a\nschema:\n  type: objekt\n", 3, "schema.type: is not a JSON Schema"),
        ("input: a\nschema: none.json\n", 2, "cannot be read"),
        ("input: a\nparams: {x: " + "[" * 300 + "]" * 300 + "}\n", 2, "nested too deeply"),
        ("input: a\nparams: {x: .nan}\n", 2, "params.x: must be a finite number"),
        ("input: a\nparams: {x: 99999999999999999999}\n", 2, "is too large a whole number"),
        ("input: a\nparams: {1: x}\n", 2, "must be text, not 1"),
        ("input: !!python/object:os.system a\n", 1, "is not supported"),
        ("input: a\nparams: !!set {x}\n", 2, "is not supported"),
        ("input: a\nkeep_raw: !!bool maybe\n", 2, "is not of the kind bool"),
        ("input: a\nparams: &x {y: *x}\n", 2, "refers to itself"),
        ("- {a: 1}\n- {a: 2}\n", 1, "holds rows or text, not a job"),
        ("just words\n", 1, "A job file looks like this"),
        ("", 1, "is empty"),
        ("# only a remark\n", 1, "is empty"),
    ],
)
def test_mistakes_are_named_with_line_and_field(tmp_path: Path, text: str, line: int, words: str) -> None:
    error = refusal(tmp_path, text)
    assert words in str(error)
    assert error.line == line
    assert str(error).startswith(f"{tmp_path / 'job.yaml'}:{line}: ")


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = str(refusal(tmp_path, "input: a\nlimits: {rpm: 0}\nmodle: x\n"))
    first, second = text.splitlines()
    assert first.endswith("job.yaml:2: limits.rpm: must be greater than or equal to 1")
    assert second.endswith("job.yaml:3: modle: is not a known field; did you mean model?")


def test_a_bomb_of_aliases_is_refused(tmp_path: Path) -> None:
    lines = ["input: a", "params:", "  a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "holds too many values" in str(refusal(tmp_path, "\n".join(lines)))


def test_what_is_beyond_the_bounds_is_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte of brackets took nine seconds and 300 MB before it was refused."""
    monkeypatch.setattr("tui_batch.inputs.yaml_document._MAX_NODES", 1_000)
    with pytest.raises(InputError, match="too many values") as many:
        parse("- a\n" * 5_000 + "]", "f")
    assert many.value.line in (1_000, 1_001)
    with pytest.raises(InputError, match="nested too deeply") as deep:
        parse("".join(f"{' ' * level}a:\n" for level in range(300)) + "]", "f")
    assert deep.value.line is not None
    assert deep.value.line < 110


SECRET = "sk-proj-abcdefghijklmnopqrstuvwx"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"input: a\napi_key: {SECRET}\n", 2),
        ("input: a\nAPI-Key: abc\n", 2),
        (f"input: a\nparams:\n  key: {SECRET}\n", 3),
        (f"input: a\nparams:\n  headers: [{SECRET}]\n", 3),
        (f"input: a\nendpoint: {SECRET}\n", 2),
        (f"input: a\ntags: {{x: Bearer {SECRET}}}\n", 2),
        (f"input: a\nmodels:\n  - model: m\n    token: {SECRET}\n", 4),
        (f"input: a\nbase_url: https://me:{SECRET}@example.org/v1\n", 2),
    ],
)
def test_secrets_are_refused_and_not_repeated(tmp_path: Path, text: str, line: int) -> None:
    error = refusal(tmp_path, text)
    assert error.line == line
    assert "environment variable" in error.remedy
    assert "abc" not in str(error)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"),
        ("yes", "yes"),
        ("2024-01-02", "2024-01-02"),
        ("1:30", "1:30"),
        ("010", 10),
        ("1e-3", 0.001),
        ("true", True),
        ("~", None),
        ("0x1F", "0x1F"),
        ("'5'", "5"),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: Any) -> None:
    assert parse(f"x: {text}", "f").value == {"x": value}


_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=20)
_SCALARS = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(-1e15, 1e15) | _TEXT
_WORDS = st.sampled_from(
    ["off", "yes", "1e5", "1:30", "~", "0x10", "010", "2024-01-02", ".5", "=", "<<", "- a", "a: b"]
)
_VALUES = st.recursive(
    _SCALARS | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT | _WORDS, inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, derandomize=True, max_examples=80)
@given(_VALUES)
def test_yaml_round_trip(value: Any) -> None:
    assert parse(dump(value), "f").value == value


@settings(deadline=None, derandomize=True, max_examples=120)
@given(st.text("ab:-[]{}&*!|>'\"\n #,?%@`~\t\x00\x85\ud7ff", max_size=30) | st.text(max_size=20))
def test_no_text_makes_the_parser_fail_but_with_words(text: str) -> None:
    with contextlib.suppress(InputError):
        json.dumps(parse(text, "f").value)


@pytest.mark.parametrize(
    "text", [FULL, "input: rows.txt\n", "input: {path: '-', format: jsonl}\nlimits: {budget: 3}\n"]
)
def test_writing_a_job_file_loses_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(text, encoding="utf-8")
    job = validated(load(path))
    written = dump_job_file(job)
    path.write_text(written, encoding="utf-8")
    assert validated(load(path)) == job
    assert "prompt: |" in written or job.prompt is None


def test_a_schema_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text('{"type": "array"}')
    assert draft(tmp_path, "input: a\nschema: answer.json\n").schema == {"type": "array"}
    (tmp_path / "answer.json").write_text("[1]")
    assert "answer.json: is not a JSON Schema: it must be an object" in str(
        refusal(tmp_path, "input: a\nschema: answer.json\n")
    )


def test_standard_input_and_the_home_directory_as_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert draft(tmp_path, "input: '-'\n").source.path == "-"
    assert draft(tmp_path, "input: ~/rows.csv\n").source.path == str(tmp_path / "rows.csv")


def test_unreadable_job_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_job_draft(tmp_path / "none.yaml")
    path = tmp_path / "job.yaml"
    path.write_bytes(b"input: a\nname: caf\xe9\n")
    with pytest.raises(InputError, match=r"job\.yaml:2: is not valid UTF-8"):
        load_job_draft(path)
    path.write_bytes(b"x" * 1_100_000)
    with pytest.raises(InputError, match="is larger than 1024 KiB"):
        load_job_draft(path)


def test_a_file_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    """A recording, a disk's image: what is beyond the bound of a job file or a schema stays where it is."""
    endless = tmp_path / "endless"
    endless.touch()
    os.truncate(endless, 2**28)  # takes no room on most disks: nothing is written
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="is larger than 1024 KiB"):
            load_job_draft(endless)
        with pytest.raises(InputError, match="is larger than 4096 KiB"):
            read_schema(endless)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


def test_a_file_of_nothing_but_mistakes_is_looked_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data under the name of a job file: each of its fields was looked for among all the others, for minutes."""
    looks: list[Steps] = []
    find = Document._find
    monkeypatch.setattr(Document, "_find", lambda document, where: looks.append(where) or find(document, where))
    with pytest.raises(InputError, match=r"job\.yaml:1: input: is missing") as caught:
        draft(tmp_path, "".join(f"column{number}: 1\n" for number in range(1_500)))
    assert "column0: is not a known field" in str(caught.value)
    assert len(looks) < 1_000


def test_a_job_file_written_by_a_json_library_keeps_its_emoji(tmp_path: Path) -> None:
    text = json.dumps({"input": "rows.txt", "name": "a \N{GRINNING FACE}", "tags": {"\N{GRINNING FACE}": "x"}})
    assert "\\ud83d\\ude00" in text
    found = draft(tmp_path, text)
    assert (found.name, dict(found.tags)) == ("a \N{GRINNING FACE}", {"\N{GRINNING FACE}": "x"})


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('input: a\nname: "\\ud83d"\n', 2, "half a character"),
        ('input: a\n"\\udc00": b\n', 2, "half a character"),
        ('input: a\nname: "\\U99999999"\n', 2, "beyond all bounds"),
        ('input: a\nname: "\\U00110000"\n', 2, "beyond all bounds"),
        (f"%YAML {'9' * 5_000}.1\n---\ninput: a\n", 1, "beyond all bounds"),
    ],
)
def test_escapes_that_are_no_text_are_told_with_their_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        draft(tmp_path, text)
    assert caught.value.line == line


def test_a_mistake_of_five_thousand_characters_is_told_in_few(tmp_path: Path) -> None:
    for text in (
        f"input: a\nmode: {'x' * 5_000}\n",
        f"input: a\n{'x' * 1_000}: 1\n",
        f"input: a\nname: !!int {'x' * 5_000}\n",
    ):
        with pytest.raises(InputError) as caught:
            draft(tmp_path, text)
        assert len(caught.value.message) < 3_000


def test_job_files_are_told_by_their_ending() -> None:
    assert is_job_file("a/job.yaml")
    assert is_job_file("JOB.YML")
    assert not is_job_file("rows.json")


def test_the_shipped_schema_is_current() -> None:
    shipped = json.loads((paths.shipped("sample_jobs") / "job.schema.json").read_text("utf-8"))
    assert shipped == json_schema(), "run: python -m tui_batch.inputs.job_schema > sample_jobs/job.schema.json"


def test_the_schema_agrees_with_the_program() -> None:
    validator = Draft202012Validator(json_schema())
    validator.check_schema(json_schema())
    assert validator.is_valid(parse(FULL, "f").value)
    assert validator.is_valid({"input": "rows.csv", "model": "m"})
    assert not validator.is_valid({"input": "rows.csv", "modle": "m"})
    assert not validator.is_valid({"model": "m"})
    assert isinstance(validated(parse(FULL, "f")), JobFile)
