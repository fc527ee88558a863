"""Which model did better: figures against hand-made cases, rows of two jobs brought together."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_yard import Ended, Plan, ended, rows

from tui_batch.domain.job import Job, Mode, ModelRef, model_names
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.errors import UserError
from tui_batch.report.compare import _Follower, compare_jobs, contenders_of
from tui_batch.report.comparing import Comparison, Criterion, canonical
from tui_batch.report.comparison_json import comparison_json
from tui_batch.report.intervals import Interval, Moments, mean_interval, share_interval
from tui_batch.report.targets import parse_target
from tui_batch.store.store import Store

DEAD = Ended(None, OutcomeClass.REFUSED, "no")


def winners(comparison: Comparison) -> dict[Criterion, str | None]:
    return {one.criterion: one.winner.label if one.winner else None for one in comparison.verdicts}


async def each(store: Store, left: list[Ended | None], right: list[Ended | None]) -> Job:
    ends = list(zip(left, right, strict=True))
    return await ended(store, Plan(rows(map(str, range(len(left)))), ends, ("good", "cheap"), Mode.EACH))


async def test_agreement_score_cost_and_winners_of_two_models(store: Store) -> None:
    chance = random.Random(1)
    good = [Ended("yes", score=0.9 + chance.uniform(-0.05, 0.05), cost_nano=5_000, latency_s=1.0) for _ in range(40)]
    cheap = [
        Ended("yes" if n % 4 else "no", score=0.6 + chance.uniform(-0.2, 0.2), cost_nano=1_000, latency_s=1.0)
        for n in range(40)
    ]
    found = await compare_jobs(store, [await each(store, good, cheap)])
    assert (found.rows, found.unmatched) == (40, 0)
    (pair,) = found.agreements
    assert (pair.rows, pair.same) == (40, 30)
    assert pair.interval is not None
    assert not pair.interval.excludes(0.75)
    assert winners(found) == {
        Criterion.SCORE: "good", Criterion.ANSWERED: None, Criterion.COST: "cheap",
        Criterion.LATENCY: None, Criterion.TOKENS: None,
    }  # fmt: skip
    first, second = found.standings
    assert first.score is not None
    assert first.score_interval is not None
    assert 0.85 < first.score_interval.low < first.score < first.score_interval.high < 0.95
    assert (first.cost_nano, second.cost_nano) == (200_000, 40_000)
    assert len(found.examples) == 10
    assert found.examples[0].answers == ("yes", "no")


async def test_kappa_is_cohens_own_example(store: Store) -> None:
    # 50 grants read by two people: 20 both yes, 15 both no, 5 and 10 apart; kappa 0.4 (the usual textbook case).
    pairs = [("yes", "yes")] * 20 + [("no", "no")] * 15 + [("yes", "no")] * 5 + [("no", "yes")] * 10
    found = await compare_jobs(store, [await each(store, [Ended(a) for a, _ in pairs], [Ended(b) for _, b in pairs])])
    assert found.agreements[0].kappa == pytest.approx(0.4)


async def test_a_difference_that_chance_could_make_has_no_winner(store: Store) -> None:
    chance = random.Random(2)
    sides = [[Ended(score=chance.random(), latency_s=chance.random()) for _ in range(30)] for _ in range(2)]
    found = winners(await compare_jobs(store, [await each(store, *sides)]))
    assert found[Criterion.SCORE] is None
    assert found[Criterion.LATENCY] is None


async def test_two_that_lead_together_are_named_and_a_winner_is_ahead_of_all(store: Store) -> None:
    low, high = [Ended(score=0.1, latency_s=2.0)] * 30, [Ended(score=0.9, latency_s=2.0)] * 29
    ends = list(zip(low, [*high, Ended(score=0.8, latency_s=1.0)], [*high, Ended(score=0.9)], strict=True))
    plan = Plan(rows(map(str, range(30))), ends, ("low", "one", "two"), Mode.EACH)
    found = await compare_jobs(store, [await ended(store, plan)])
    said = {one.criterion: (one.winner, one.reason) for one in found.verdicts}
    assert said[Criterion.SCORE] == (None, "no difference beyond chance (95 %) between the first: two, one")
    assert said[Criterion.LATENCY] == (None, "no difference beyond chance (95 %)")
    assert said[Criterion.COST] == (None, "equal")


async def test_what_comes_from_the_cache_wins_neither_by_cost_nor_by_tokens(store: Store) -> None:
    """A hit costs nothing and has no tokens, whichever model gave it."""
    hit = Ended(cached=True, cost_nano=0, tokens=(None, None))
    dear, cheap = Ended(cost_nano=5_000, tokens=(10, 50)), Ended(cost_nano=1_000, tokens=(10, 5))
    found = await compare_jobs(store, [await each(store, [dear, dear, hit], [dear, cheap, cheap])])
    assert (found.standings[0].cost_nano, found.standings[1].cost_nano) == (10_000, 7_000), "what was paid"
    assert (winners(found)[Criterion.COST], winners(found)[Criterion.TOKENS]) == ("cheap", "cheap")
    found = await compare_jobs(store, [await each(store, [dear, hit, hit], [dear, cheap, cheap])])
    assert (winners(found)[Criterion.COST], winners(found)[Criterion.TOKENS]) == (None, None)
    found = await compare_jobs(store, [await each(store, [hit], [cheap])])
    said = {one.criterion: one.reason for one in found.verdicts if one.winner is None}
    assert said[Criterion.COST] == "an answer from the cache costs nothing"
    assert said[Criterion.TOKENS] == "an answer from the cache has no tokens"


async def test_a_job_that_is_not_at_its_end_is_not_the_cheaper_one_for_that(store: Store) -> None:
    """Only rows that ended in both are held against each other."""
    costs = [[Ended(cost_nano=1_000), Ended(cost_nano=900)], [Ended(cost_nano=1_000), None]]
    plan = Plan(rows("ab"), costs, ("done", "half"), Mode.EACH)
    assert winners(await compare_jobs(store, [await ended(store, plan)]))[Criterion.COST] == "half"
    costs = [[Ended(cost_nano=900), Ended(cost_nano=1_000)], [Ended(cost_nano=900), None]]
    plan = Plan(rows("ab"), costs, ("done", "half"), Mode.EACH)
    assert winners(await compare_jobs(store, [await ended(store, plan)]))[Criterion.COST] == "done"
    plan = Plan(rows("a"), [[Ended(), None]], ("done", "none"), Mode.EACH)
    found = await compare_jobs(store, [await ended(store, plan)])
    reasons = {one.criterion: one.reason for one in found.verdicts}
    assert reasons[Criterion.TOKENS] == reasons[Criterion.COST] == "no row has ended in all of them yet"


async def test_unknown_prices_and_missing_scores_make_no_winner(store: Store) -> None:
    job = await each(store, [Ended(cost_nano=None), Ended()], [Ended(), Ended()])
    found = await compare_jobs(store, [job])
    assert winners(found)[Criterion.COST] is None
    assert found.standings[0].cost_nano is None
    assert next(one.reason for one in found.verdicts if one.criterion is Criterion.SCORE).startswith("no scores")


async def test_a_dead_answer_agrees_with_nothing_and_counts_against_its_model(store: Store) -> None:
    found = await compare_jobs(store, [await each(store, [Ended()] * 30, [DEAD] * 30)])
    assert found.agreements[0].rows == 0
    assert winners(found)[Criterion.ANSWERED] == "good"


@pytest.mark.parametrize("batch", [1, 2, 1000])
async def test_two_jobs_over_one_file_meet_by_line_even_when_one_is_a_sample(
    store: Store, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr("tui_batch.report.compare.BATCH", batch)
    texts = [f"t{n}" for n in range(7)]
    whole = await ended(store, Plan(rows(texts), [[Ended(f"answer {n}")] for n in range(7)], ("one",)))
    part = [1, 4, 6]
    changed = ["t1", "t4", "other"]
    sample = await ended(
        store, Plan(rows(changed), [[Ended(f"Answer {n}.")] for n in part], ("two",), lines=[n + 1 for n in part])
    )
    for jobs, unmatched in (((whole, sample), 5), ((sample, whole), 1)):
        found = await compare_jobs(store, jobs)
        assert (found.rows, found.unmatched) == (2, unmatched)
        assert found.agreements[0].same == 2


async def test_jobs_that_share_nothing_cannot_be_compared(store: Store) -> None:
    one = await ended(store, Plan(rows("a"), [[Ended()]]))
    other = await ended(store, Plan(rows("b"), [[Ended()]]))
    with pytest.raises(UserError, match="no row in common"):
        await compare_jobs(store, [one, other])
    with pytest.raises(UserError, match="asks one model only"):
        await compare_jobs(store, [one])


async def test_equal_models_of_two_jobs_are_told_apart(store: Store) -> None:
    jobs = [await ended(store, Plan(rows("a"), [[Ended()]])) for _ in range(2)]
    assert [one.label for one in contenders_of(jobs)] == ["tiny (job 1)", "tiny (job 2)"]


async def test_one_model_on_two_servers_is_two_contenders(store: Store, tmp_path: Path) -> None:
    ends = [[Ended("yes", latency_s=0.1), Ended("no", latency_s=2.0)] for _ in range(3)]
    plan = Plan(rows("abc"), ends, ("tiny", "tiny"), Mode.EACH, served_by=("left", "right"))
    job = await ended(store, plan)
    assert [one.label for one in contenders_of([job])] == ["tiny @ left", "tiny @ right"]
    found = await compare_jobs(store, [job], parse_target(str(tmp_path / "x.csv")))
    assert comparison_json(found)["examples"][0]["answers"] == {"tiny @ left": "yes", "tiny @ right": "no"}
    with (tmp_path / "x.csv").open(newline="") as file:
        first = next(csv.DictReader(file))
    assert (first["response: tiny @ left"], first["response: tiny @ right"]) == ("yes", "no")


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.builds(ModelRef, st.sampled_from(["a", "b"]), st.sampled_from([("x",), ("y",), ("x", "y")])), max_size=6
    )
)
def test_no_two_models_of_a_job_have_the_same_name(refs: list[ModelRef]) -> None:
    names = model_names(refs)
    assert len(set(names)) == len(refs)
    assert all(name.startswith(ref.model) for name, ref in zip(names, refs, strict=True))


async def test_a_job_is_not_compared_with_itself(store: Store) -> None:
    job = await ended(store, Plan(rows("a"), [[Ended()]]))
    with pytest.raises(UserError, match="job 1 is named twice"):
        await compare_jobs(store, [job, job])


async def test_all_answers_side_by_side_in_a_table(store: Store, tmp_path: Path) -> None:
    job = await each(store, [Ended("=1+1"), Ended("b")], [Ended("=1+1", score=0.5), DEAD])
    await compare_jobs(store, [job], parse_target(str(tmp_path / "x.csv")))
    with (tmp_path / "x.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["text"], first["same"], first["response: good"]) == ("0", "true", "'=1+1")
    assert (first["score: cheap"], second["status: cheap"], second["same"]) == ("0.5", "dead", "")


@pytest.mark.parametrize(
    ("left", "right", "alike"),
    [
        ("Yes", " yes. ", True),
        ('{"a": 1, "b": [2]}', '```json\n{"b":[2],"a":1}\n```', True),
        ('{"a": "X"}', '{"a":"x"}', True),
        ('{"a": true}', '{"a": 1}', False),
        ("yes", "yes please", False),
    ],
)
def test_what_counts_as_the_same_answer(left: str, right: str, alike: bool) -> None:
    assert (canonical(left) == canonical(right)) is alike


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=50))
def test_running_moments_are_those_of_the_whole(values: list[float]) -> None:
    moments = Moments()
    for value in values:
        moments.add(value)
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    assert moments.mean == pytest.approx(mean, abs=1e-9)
    assert moments.deviation == pytest.approx(variance**0.5, abs=1e-6)
    assert moments.interval is not None
    assert not moments.interval.excludes(moments.mean)


def test_intervals_against_known_values() -> None:
    # Wilson for 9 of 10: 0.596 to 0.982; t for 2 values is 12.706.
    found = share_interval(9, 10)
    assert found is not None
    assert (round(found.low, 3), round(found.high, 3)) == (0.596, 0.982)
    assert mean_interval(0.5, 0.1, 2) == Interval(
        pytest.approx(0.5 - 0.89845, abs=1e-4), pytest.approx(1.39845, abs=1e-4)
    )
    assert share_interval(0, 0) is None
    assert mean_interval(0.5, 0.0, 1) is None


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 10_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_a_share_lies_in_its_interval_and_the_interval_between_nought_and_one(case: tuple[int, int]) -> None:
    hits, total = case
    found = share_interval(hits, total)
    assert found is not None
    assert 0 <= found.low <= hits / total + 1e-12
    assert hits / total - 1e-12 <= found.high <= 1


async def test_a_small_sample_against_a_large_file_holds_few_rows(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui_batch.report.compare.BATCH", 10)
    whole = await ended(store, Plan(rows(map(str, range(400))), [[Ended("x")]] * 400))
    sample = await ended(store, Plan(rows(["0", "200", "399"]), [[Ended("x")]] * 3, lines=[1, 201, 400]))
    held: list[int] = []
    follow = _Follower.rows

    async def watched(self: _Follower, batch: Any) -> Any:
        found = await follow(self, batch)
        held.append(len(found))
        return found

    monkeypatch.setattr(_Follower, "rows", watched)
    assert (await compare_jobs(store, [sample, whole])).rows == 3
    assert max(held) <= 20
