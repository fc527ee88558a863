"""Reports: the figures are the job's, every format tells them, and nothing foreign acts in them."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from report_yard import START, Ended, Plan, ended, rows

from tui_batch.domain.item import ItemFlag
from tui_batch.domain.job import Job, JobState, Mode, PauseReason
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.quality import FailedCheck
from tui_batch.errors import UserError
from tui_batch.quality.alerts import Against, Alert, Signal, ToldAlert
from tui_batch.report.model import Report, make_report
from tui_batch.report.report_markdown import escaped, fenced
from tui_batch.report.write import ReportFormat, rendered, write_report
from tui_batch.store.alerts import WatchState
from tui_batch.store.store import Store

REFUSED = Ended(None, OutcomeClass.REFUSED, "I cannot help with 12 things", latency_s=0.1)
HIT = Ended("hit", cached=True, cost_nano=700)
HOSTILE = (
    "<script>alert(1)</script>\x1b[31m\u202egnp.exe</td></pre>\"' onload=x & {{ 7*7 }} "
    "| # ```\n# top\n- [x](javascript:1)"
)


async def mixed(store: Store) -> Job:
    """Five done (one from the cache, one cut), two dead, one pending."""
    ends = [[Ended()], [Ended(latency_s=2.0)], [HIT], [REFUSED], [REFUSED], [Ended(flags=ItemFlag.TRUNCATED)], [None]]
    return await ended(store, Plan(rows("abcdefg"), ends))


async def report_of(store: Store, job: Job) -> Report:
    return await make_report(store, job.id, clock=lambda: START + 100)


async def as_json(store: Store, job: Job) -> dict[str, Any]:
    return dict(json.loads(rendered(await report_of(store, job), ReportFormat.JSON)))


async def test_the_json_tells_what_the_job_came_to(store: Store) -> None:
    job = await mixed(store)
    await store.jobs.set_state(job.id, JobState.PAUSED, reason=PauseReason.USER, now=START + 50)
    told = await as_json(store, job)
    wanted = {
        "report_version": 1, "job_id": job.id, "status": "paused", "reason": "user", "total_items": 7,
        "processed_items": 6, "done_items": 4, "failed_items": 2, "pending_items": 1, "cached_items": 1,
        "tokens_in": 50, "tokens_out": 25, "tokens_total": 75, "cost_usd": 5e-6, "saved_usd": 7e-7,
        "success_rate": 4 / 6, "cache_hit_rate": 1 / 6, "elapsed_s": 5.5,
        "dead_by_class": {"refused": 2}, "failed_requests_by_class": {"refused": 2}, "flags": {"truncated": 1},
        "score": None, "comparison": None,
    }  # fmt: skip
    assert {name: told[name] for name in wanted} == wanted
    assert [(one["line"], one["class"], one["message"]) for one in told["first_errors"]] == [
        (4, "refused", "I cannot help with 12 things"),
        (5, "refused", "I cannot help with 12 things"),
    ]
    assert told["errors"][0]["count"] == 2
    assert (told["latency_ms"]["p50"], told["latency_ms"]["max"], told["latency_ms"]["count"]) == (500, 2000, 3)
    assert sum(one["done"] for one in told["timeline"]["slices"]) == 4
    assert told["settings"]["tags"] == "team=a"


async def test_every_field_of_the_json_is_documented_and_no_other(store: Store) -> None:
    told = await as_json(store, await mixed(store))
    page = (Path(__file__).parents[2] / "docs" / "reports.md").read_text(encoding="utf-8")
    table = page.partition("### The report as JSON")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+`) \|", table, re.MULTILINE)
    assert [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)] == list(told)


async def test_models_are_added_up_apart(store: Store) -> None:
    plan = Plan(rows("ab"), [[Ended("x"), REFUSED], [Ended("x"), Ended("y")]], ("small", "large"), Mode.EACH)
    told = await as_json(store, await ended(store, plan))
    figures = {one["model"]: (one["items"], one["done"], one["failed"], one["cost_usd"]) for one in told["models"]}
    assert figures == {"small": (2, 2, 0, 2e-6), "large": (2, 1, 1, 2e-6)}
    assert told["comparison"]["rows"] == 2
    assert told["comparison"]["agreement"][0]["rows"] == 1


async def test_a_model_on_two_servers_has_the_latency_of_each(store: Store) -> None:
    ends = [[Ended(latency_s=0.1), Ended(latency_s=2.0)]]
    plan = Plan(rows("a"), ends, ("tiny", "tiny"), Mode.EACH, served_by=("quick", "slow"))
    job = await ended(store, plan)
    told = await as_json(store, job)
    assert {one["endpoint"]: one["latency_p50_ms"] for one in told["models"]} == {"quick": 100, "slow": 2000}
    assert told["latency_ms"]["count"] == 2
    words = rendered(await report_of(store, job), ReportFormat.MARKDOWN).decode()
    assert "| tiny | quick | 1 | 100 ms |" in words
    assert "| tiny | slow | 1 | 2.00 s |" in words


async def test_a_models_own_refusal_is_shown_once(store: Store) -> None:
    """Its words are the message and the answer; the table of dead items has them too."""
    words = "I cannot help with that"
    job = await ended(store, Plan(rows("a"), [[Ended(words, OutcomeClass.REFUSED, words)]]))
    page = rendered(await report_of(store, job), ReportFormat.HTML).decode()
    (example,) = re.findall(r"<pre dir=.auto.>(.*?)</pre>", page, re.DOTALL)
    assert example.count(words) == 1


async def test_a_running_job_is_reported_up_to_now(store: Store) -> None:
    job = await mixed(store)
    told = await as_json(store, job)
    assert (told["status"], told["elapsed_s"], told["finished_at"]) == ("running", 100.0, None)


async def test_an_unknown_price_is_no_cost(store: Store) -> None:
    job = await ended(store, Plan(rows("ab"), [[Ended(cost_nano=None)], [Ended()]]))
    told = await as_json(store, job)
    assert (told["cost_usd"], told["unpriced_requests"], told["known_cost_usd"]) == (None, 1, 1e-6)
    assert "+ ?" in rendered(await report_of(store, job), ReportFormat.MARKDOWN).decode()


@pytest.mark.parametrize("form", list(ReportFormat))
async def test_a_job_that_has_not_begun_has_a_report(store: Store, form: ReportFormat) -> None:
    job = await ended(store, Plan(rows("ab"), [[None], [None]]))
    text = rendered(await report_of(store, job), form).decode()
    assert "Nothing has ended yet" in text or json.loads(text)["success_rate"] is None


async def test_scores_have_a_section_of_their_own(store: Store) -> None:
    job = await ended(store, Plan(rows("abcd"), [[Ended(f"answer {n}", score=n / 4)] for n in range(4)]))
    told = (await as_json(store, job))["score"]
    assert (told["count"], told["mean"], sum(told["bins"])) == (4, 0.375, 4)
    assert told["low_95"] < 0.375 < told["high_95"]
    assert [one["score"] for one in told["lowest"]] == [0.0, 0.25, 0.5, 0.75]
    assert "Quality" in rendered(await report_of(store, job), ReportFormat.HTML).decode()


async def test_checks_that_answers_fail_are_counted_with_examples(store: Store) -> None:
    label, field = FailedCheck("labels", "mood", HOSTILE), FailedCheck("length", "", "9 characters are too many")
    taken = Ended("odd", flags=ItemFlag.CHECK_FAILED, failing=(label, field))
    dead = Ended("odd", OutcomeClass.INVALID, "wrong", failing=(label,))
    job = await ended(store, Plan(rows("abcd"), [[taken], [dead], [Ended()], [REFUSED]]))
    told = await as_json(store, job)
    assert told["failing_checks"] == [
        {"check": "labels", "field": "mood", "taken": 1, "dead": 1},
        {"check": "length", "field": "", "taken": 1, "dead": 0},
    ]
    assert [(one["state"], len(one["checks"])) for one in told["failing_answers"]] == [("done", 2), ("dead", 1)]
    assert told["failing_answers"][0]["checks"][1] == {
        "check": "length", "field": "", "message": "9 characters are too many"
    }  # fmt: skip
    page = Page(rendered(await report_of(store, job), ReportFormat.HTML).decode())
    assert "length: 9 characters are too many" in "".join(page.words)
    assert "script" not in page.tags


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("against", list(Against))
async def test_drift_is_told_with_its_rows(store: Store, against: Against) -> None:
    job = await mixed(store)
    alert = Alert(Signal.SCORE, against, 0.4, 0.9, 100, (17, 4), (18, 5), -4.2, 99, 1)
    over = replace(alert, signal=Signal.LATENCY, now=9.0, statistic=None, freedom=None, number=2)
    told = (ToldAlert(alert, START), ToldAlert(over, START + 1))
    await store.alerts.save([WatchState(job.id, {}, START + 2, told, holding=(1,))])
    first, second = (await as_json(store, job))["alerts"]
    assert (first["text"], first["ended_at"], second["ended_at"]) == (str(alert), None, "1970-01-01T00:16:42.000Z")
    assert (first["signal"], first["against"], first["now"], first["then"]) == ("score", against.value, 0.4, 0.9)
    assert (first["statistic"], first["freedom"], first["rows"], first["items"]) == (-4.2, 99, [17, 4], [18, 5])
    page = rendered(await report_of(store, job), ReportFormat.HTML).decode()
    assert "Answers got worse" in page
    for cell in ("-4.20", "17, 4", "still so", "1970-01-01 00:16:42"):
        assert f">{cell}</td>" in page


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails when tags do not match."""

    VOID = frozenset({"meta"})
    SVG_LEAVES = frozenset({"rect", "line", "polyline", "polygon", "circle"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "xlink:href")]
        if tag not in self.VOID and tag not in self.SVG_LEAVES:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.SVG_LEAVES:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


async def hostile(store: Store) -> Job:
    """Everything that comes from outside is an attack."""
    bad = Ended(HOSTILE, OutcomeClass.INVALID, HOSTILE)
    good = Ended(HOSTILE, score=0.5)
    plan = Plan(
        [{"text": HOSTILE, "custom_id": HOSTILE}, {"text": HOSTILE}],
        [[good, bad], [good, Ended("other")]],
        (f"m1 {HOSTILE}", f"m2 {HOSTILE}"),
        Mode.EACH,
        name=HOSTILE,
        spec={"system": HOSTILE, "prompt": HOSTILE, "params": {HOSTILE: HOSTILE}},
    )
    job = await ended(store, plan)
    await store.events.log(job.id, "warning", HOSTILE)
    return job


async def test_nothing_foreign_is_markup_in_a_page(store: Store) -> None:
    page = Page(rendered(await report_of(store, await hostile(store)), ReportFormat.HTML).decode())
    assert "script" not in page.tags
    assert not {name for name in page.attributes if name.startswith("on")}
    assert all(link.startswith("#s") for link in page.links)
    words = "".join(page.words)
    assert "<script>alert(1)</script>␛[31m<U+202E>gnp.exe" in words
    assert "{{ 7*7 }}" in words
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", words)


async def test_a_page_needs_nothing_from_outside(store: Store) -> None:
    text = rendered(await report_of(store, await mixed(store)), ReportFormat.HTML).decode()
    assert "default-src 'none'" in text
    without_names = text.replace("http://www.w3.org/2000/svg", "").replace("http://127.0.0.1:1/v1", "")
    assert not re.search(r"https?://|url\(|@import|<link|<img|<script", without_names)
    page = Page(text)
    assert {"svg", "table", "style"} <= page.tags
    for title in ("Progress", "Throughput", "Latency distribution", "Errors by class", "Cost by model"):
        assert any(words.startswith(title) for words in page.words)


async def test_nothing_foreign_is_markup_in_markdown(store: Store) -> None:
    text = rendered(await report_of(store, await hostile(store)), ReportFormat.MARKDOWN).decode()
    assert "\x1b" not in text
    assert "\u202e" not in text
    fence = ""
    for line in text.split("\n"):
        mark = re.match(r" *(`{3,})(text)?$", line)
        if mark and not fence:
            fence = mark.group(1)
        elif mark and mark.group(1) == fence:
            fence = ""
        elif not fence:
            assert not re.search(r"(?<!\\)<", line), line
            assert not line.startswith(("# top", "- [x]"))
    assert fence == ""


def test_a_table_cell_cannot_leave_its_cell() -> None:
    assert escaped("a|b\n# c") == r"a\|b \# c"
    assert escaped("- x") == r"\- x"
    assert escaped("0.25 of 1-2") == "0.25 of 1-2"
    assert fenced("a\n````\nb") == ["`````text", "a", "````", "b", "`````"]


async def test_json_keeps_foreign_text_as_it_came(store: Store) -> None:
    told = await as_json(store, await hostile(store))
    assert told["name"] == HOSTILE
    assert told["first_errors"][0]["message"] == HOSTILE


async def test_keys_stay_out_of_a_report(store: Store) -> None:
    job = await ended(store, Plan(rows("a"), [[Ended()]]))
    spec = replace(job.spec, endpoints=(replace(job.spec.endpoints[0], base_url="http://me:hunter22@host/v1"),))
    other = await store.jobs.create(spec, job.knobs, now=START)
    for form in ReportFormat:
        assert b"hunter22" not in rendered(await make_report(store, other), form)


async def test_the_file_is_whole_or_not_there(store: Store, tmp_path: Path) -> None:
    job = await mixed(store)
    seen: list[float] = []
    for name in ("r.html", "r.md", "r.json"):
        await write_report(store, job.id, tmp_path / name, progress=seen.append)
        assert seen[-1] == 1.0
    assert names(tmp_path) >= {"r.html", "r.json", "r.md"}
    with pytest.raises(UserError, match=r"End it in \.html"):
        await write_report(store, job.id, tmp_path / "r.pdf")
    with pytest.raises(UserError, match="there is no directory"):
        await write_report(store, job.id, tmp_path / "no" / "r.html")
    with pytest.raises(UserError, match="There is no job 77"):
        await write_report(store, 77, tmp_path / "other.html")
    assert not [name for name in names(tmp_path) if "other" in name]


async def test_a_report_can_be_stopped(store: Store, tmp_path: Path) -> None:
    job = await mixed(store)
    loop = asyncio.get_running_loop()
    writing = asyncio.create_task(
        write_report(store, job.id, tmp_path / "r.html", progress=lambda _: loop.call_soon_threadsafe(writing.cancel))
    )
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert not [name for name in names(tmp_path) if "r.html" in name]
