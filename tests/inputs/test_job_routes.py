"""Routes and length buckets in job files: what they become, and what is refused in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui_batch.domain.job import Condition, LengthBucket, Mode, RouteRule
from tui_batch.errors import InputError
from tui_batch.inputs.draft import JobDraft, ModelChoice
from tui_batch.inputs.job_file import dump_job_file, load_job_draft, validated
from tui_batch.inputs.yaml_document import load

ROUTED = """
input: rows.csv
endpoint: groq
models: [small, large]
routes:
  - when: {longer_than: 2000, shorter_than: 9000}
    model: large
  - when: {contains: [refund, chargeback]}
    model: large
  - when: {contains: invoice, matches: '\\bEU\\d+'}
    model: large
  - when: {column: lang, equals: de}
    model: large
  - when: {column: stars, in: [1, 2.0, true, none]}
    model: large
  - model: small
buckets:
  - {up_to: 1000, concurrency: 64}
  - {up_to: 8000, concurrency: 8}
  - {concurrency: 2}
"""


def draft(tmp_path: Path, text: str) -> JobDraft:
    path = tmp_path / "job.yaml"
    path.write_text(text, encoding="utf-8")
    return load_job_draft(path)


def test_routes_and_buckets_arrive(tmp_path: Path) -> None:
    found = draft(tmp_path, ROUTED)
    assert found.routes == (
        RouteRule("large", Condition(longer_than=2000, shorter_than=9000)),
        RouteRule("large", Condition(contains=("refund", "chargeback"))),
        RouteRule("large", Condition(contains=("invoice",), matches=r"\bEU\d+")),
        RouteRule("large", Condition(column="lang", equals=("de",))),
        RouteRule("large", Condition(column="stars", equals=("1", "2", "true", "none"))),
        RouteRule("small"),
    )
    assert found.buckets == (LengthBucket(64, 1000), LengthBucket(8, 8000), LengthBucket(2))
    assert found.models == (ModelChoice("small"), ModelChoice("large"))


def test_routes_alone_name_the_models(tmp_path: Path) -> None:
    text = "input: a.csv\nroutes:\n  - {when: {longer_than: 9}, model: large}\n  - {model: small}\n"
    found = draft(tmp_path, text)
    assert found.models == (ModelChoice("large"), ModelChoice("small"))
    assert draft(tmp_path, text + "mode: route\n").mode is Mode.ROUTE


def test_writing_a_job_file_with_routes_loses_nothing(tmp_path: Path) -> None:
    first = tmp_path / "job.yaml"
    first.write_text(ROUTED, encoding="utf-8")
    second = tmp_path / "again" / "job.yaml"
    second.parent.mkdir()
    second.write_text(dump_job_file(validated(load(first))), encoding="utf-8")
    assert (load_job_draft(second).routes, load_job_draft(second).buckets) == (
        load_job_draft(first).routes,
        load_job_draft(first).buckets,
    )


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("mode: route\n", 2, "mode: route needs rules, and there are none"),
        ("mode: spread\nroutes: [{model: a}]\n", 3, "routes: stand only with mode route, not spread"),
        ("models: [a, b]\nroutes:\n  - model: c\n", 4, "routes[0].model: c is not among the job's models"),
        ("routes:\n  - model: a\n  - {model: b}\n", 3, "routes[0]: takes every row"),
        ("routes:\n  - {when: {longer_than: 5}, model: b}\n", 3, "routes[0]: leaves rows without a model"),
        ("routes:\n  - {when: {}, model: b}\n  - model: a\n", 3, "routes[0].when: says nothing"),
        ("routes:\n  - {when: {equals: x}, model: b}\n  - model: a\n", 3, "names no column"),
        ("routes:\n  - {when: {column: x}, model: b}\n  - model: a\n", 3, "says nothing about its column"),
        ("routes:\n  - {when: {column: x, equals: 1, in: [2]}, model: b}\n  - model: a\n", 3, "equals or in, not both"),
        ("routes:\n  - when: {longer_than: 5, shorter_than: 6}\n    model: b\n  - model: a\n", 3, "fits no length"),
        (
            "routes:\n  - when:\n      matches: '(a'\n    model: b\n  - model: a\n",
            4,
            "routes[0].when.matches: is not a regular expression that can be used: unclosed group",
        ),
        ("routes:\n  - {when: {longr_than: 5}, model: b}\n", 3, "did you mean longer_than?"),
        ("routes:\n  - {when: {longer_than: 0}, model: b}\n", 3, "must be greater than or equal to 1"),
        ("routes:\n  - when: {longer_than: 5}\n", 3, "routes[0].model: is missing"),
        ("buckets: [{up_to: 9, concurrency: 1}]\n", 2, "buckets[0].up_to: must be left out of the last bucket"),
        ("buckets:\n  - {concurrency: 1}\n  - {concurrency: 2}\n", 3, "buckets[0]: up_to is missing"),
        (
            "buckets:\n  - {up_to: 9, concurrency: 1}\n  - {up_to: 9, concurrency: 2}\n  - {concurrency: 3}\n",
            4,
            "buckets[1].up_to: must be above the 9",
        ),
        ("buckets: [{up_to: 9, concurrency: 0}]\n", 2, "buckets[0].concurrency: must be greater than or equal to 1"),
    ],
)
def test_mistakes_are_named_with_line_and_field(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(InputError) as caught:
        draft(tmp_path, f"input: a.csv\n{text}")
    assert words in str(caught.value)
    assert caught.value.line == line
