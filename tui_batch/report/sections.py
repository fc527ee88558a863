"""A report in sections of plain words, tables and charts, which the HTML and the Markdown writer both render.

All words in it are already fit to be shown (see shown.py); the writers escape them for their format.
"""

from __future__ import annotations

from typing import TypeAlias

from tui_batch import figures
from tui_batch.domain.job import JobState
from tui_batch.report.comparison_words import comparison_section
from tui_batch.report.model import Report
from tui_batch.report.pictures import (
    class_chart,
    cost_chart,
    latency_chart,
    progress_chart,
    throughput_chart,
)
from tui_batch.report.quality_section import quality_section
from tui_batch.report.results import flag_words
from tui_batch.report.shapes import Block, Chart, Column, Facts, Note, Section, Table, Text
from tui_batch.report.shown import block, milliseconds, moment, one_line, place, share
from tui_batch.store.report_queries import DEAD_SHOWN, DeadItem, JobFigures, ModelFigures

ERRORS_SHOWN = 20
EXAMPLES_SHOWN = 10

Optional: TypeAlias = Section | None


def sections_of(report: Report) -> tuple[Section, ...]:
    """Everything after the headline, in order; what a job has nothing for is left out."""
    found = (
        _time(report),
        _latency(report),
        _models(report),
        quality_section(report),
        None if report.comparison is None else comparison_section(report.comparison),
        _errors(report),
        _dead_letters(report),
        _cache(report),
        Section("Settings", (Facts(tuple((name, block(value, None)) for name, value in report.settings)),)),
        Section("Environment", (Facts(report.environment),)),
        _log(report),
    )
    return tuple(section for section in found if section is not None)


def headline(report: Report) -> str:
    """State and reason in words."""
    job = report.job
    reason = f" ({job.reason.value})" if job.reason is not None else ""
    why = f": {one_line(job.message, 300)}" if job.message else ""
    number = job.counters.dead
    dead = f"; {figures.things(number, 'item')} failed" if number else ""
    return f"{job.state.value}{reason}{why}{dead}"


def is_good(report: Report) -> bool:
    """Whether all of it went well."""
    return report.job.state is JobState.COMPLETED and not report.job.counters.dead


def tiles(report: Report) -> tuple[tuple[str, str], ...]:
    """The figures a person looks for first: name and value."""
    counters = report.job.counters
    left = [
        f"{figures.count(number)} {word}"
        for number, word in ((counters.pending, "pending"), (counters.cancelled, "cancelled"))
        if number
    ]
    score = report.score
    found = (
        ("Items", figures.count(counters.total)),
        ("Done", figures.count(counters.done)),
        ("Failed", figures.count(counters.dead)),
        ("Not processed", ", ".join(left)),
        ("Success rate", share(report.success_rate)),
        ("Mean score", "" if score is None else f"{score.mean:.3f}"),
        ("Cache hit rate", share(report.cache_hit_rate)),
        ("Tokens in / out", f"{figures.short_count(counters.tokens_in)} / {figures.short_count(counters.tokens_out)}"),
        ("Cost", figures.cost(counters)),
        ("Elapsed", figures.duration(report.elapsed_s)),
        ("Items a second", "?" if report.items_per_s is None else f"{report.items_per_s:.2f}"),
    )
    return tuple((name, value) for name, value in found if value)


def _time(report: Report) -> Optional:
    line = report.figures.timeline
    if line is None:
        return Section("Over time", (Note("Nothing has ended yet."),))
    begun = f"First start {moment(line.begin)}, last outcome {moment(line.end)}."
    charts = (
        Chart("Progress: items that ended", progress_chart(line)),
        Chart("Throughput: items a second", throughput_chart(line)),
    )
    return Section("Over time", (Note(begun), *charts))


def _latency(report: Report) -> Optional:
    if report.latency is None:
        return None
    names = ("Answers", "Mean", "p50", "p95", "p99", "Max")
    columns = (Column("Model"), Column("Endpoint"), *(Column(name, right=True) for name in names))
    rows = [
        (
            one_line(model) or "?",
            one_line(endpoint) or "?",
            figures.count(one.count),
            *map(milliseconds, (one.mean, one.p50, one.p95, one.p99, one.longest)),
        )
        for (model, endpoint), one in report.latency_by_deployment.items()
    ]
    note = Note("Of answered requests, from sending to the last byte, to three digits. Cache hits are left out.")
    return Section(
        "Latency",
        (
            note,
            Chart("Latency distribution: answers by time", latency_chart(report.latency)),
            Table(columns, tuple(rows)),
        ),
    )


_MODEL_COLUMNS = (
    Column("Model"),
    Column("Endpoint"),
    *(
        Column(name, right=True)
        for name in ("Items", "Done", "Failed", "Requests", "Tokens in", "Tokens out", "Cost", "A done item")
    ),
)


def _models(report: Report) -> Optional:
    models = report.figures.models
    if not models:
        return None
    blocks: list[Block] = [Table(_MODEL_COLUMNS, tuple(map(_model_row, models)))]
    if any(one.cost_nano for one in models):
        blocks.insert(0, Chart("Cost by model", cost_chart(models)))
    if any(one.unpriced for one in models):
        blocks.append(Note("? stands for requests whose price is unknown."))
    return Section("Cost by model", tuple(blocks))


def _model_row(one: ModelFigures) -> tuple[str, ...]:
    each = "?" if one.unpriced else figures.dollars(one.cost_nano // one.done) if one.done else ""
    known = figures.dollars(one.cost_nano)
    return (
        one_line(one.model or "none"),
        one_line(one.endpoint or ("response cache" if one.cached else "not sent")),
        *map(figures.count, (one.items, one.done, one.dead, one.requests, one.tokens_in, one.tokens_out)),
        (f"{known} + ?" if one.cost_nano else "?") if one.unpriced else known,
        each,
    )


def _errors(report: Report) -> Optional:
    found = report.figures
    if not found.dead_by_class and not found.failed_requests and not found.flags:
        return Section("Errors", (Note("No request failed."),))
    flags = [Note(f"{flag_words(flag, number)}.") for flag, number in found.flags.items()]
    return Section("Errors", (*_classes(found), *_groups(found), *flags))


_CLASS_COLUMNS = (Column("Class"), Column("Failed requests", right=True), Column("Dead items", right=True))
_GROUP_COLUMNS = (Column("Dead", right=True), Column("Class"), Column("Example item", right=True), Column("Message"))


def _classes(found: JobFigures) -> tuple[Block, ...]:
    classes = tuple(dict.fromkeys((*found.dead_by_class, *found.failed_requests)))
    if not classes:
        return ()
    rows = tuple(
        (cls.value, figures.count(found.failed_requests.get(cls, 0)), figures.count(found.dead_by_class.get(cls, 0)))
        for cls in classes
    )
    chart = Chart("Errors by class", class_chart(found.failed_requests, found.dead_by_class))
    return (chart, Table(_CLASS_COLUMNS, rows))


def _groups(found: JobFigures) -> tuple[Block, ...]:
    groups = found.groups[:ERRORS_SHOWN]
    if not groups:
        return ()
    rows = tuple(
        (figures.count(one.count), one.cls.value, str(one.example_id), one_line(one.example, 500)) for one in groups
    )
    return (Table(_GROUP_COLUMNS, rows), *_more(len(found.groups) - len(groups), "more, with other messages"))


def _more(number: int, words: str) -> list[Note]:
    return [Note(f"And {figures.count(number)} {words}.")] if number > 0 else []


def _dead_letters(report: Report) -> Optional:
    dead = report.figures.dead
    if not dead:
        return None
    total = report.job.counters.dead
    examples = [Text(_dead_title(one), _dead_words(one)) for one in dead[:EXAMPLES_SHOWN]]
    columns = (
        Column("Item", right=True),
        Column("Line", right=True),
        Column("custom_id"),
        Column("Class"),
        Column("Requests", right=True),
        Column("Message"),
    )
    rows = tuple(map(_dead_row, dead))
    note = f"{figures.things(total, 'dead item')}: the error is permanent, or the attempts are spent."
    return Section(
        "Dead letters",
        (
            Note(note),
            Note("The first of them, with their rows:"),
            *examples,
            Table(columns, rows),
            *_more(total - len(dead), f"more; the first {DEAD_SHOWN} are listed"),
        ),
    )


def _dead_title(one: DeadItem) -> str:
    cls = "error" if one.cls is None else one.cls.value
    return f"{place(one.line, one.custom_id)}, item {one.id}: {cls}"


def _dead_words(one: DeadItem) -> str:
    refusal = one.answer == one.message  # a model's own words, which are both
    parts = (
        "" if refusal else block(one.message),
        f"row: {block(one.row, 500)}",
        f"answer: {block(one.answer, 500)}" if one.answer else "",
    )
    return "\n".join(part for part in parts if part)


def _dead_row(one: DeadItem) -> tuple[str, ...]:
    return (
        str(one.id),
        "" if one.line is None else str(one.line),
        one_line(one.custom_id or "", 60),
        "" if one.cls is None else one.cls.value,
        figures.count(one.requests),
        one_line(one.message, 300),
    )


def _cache(report: Report) -> Optional:
    counters = report.job.counters
    facts = (
        ("use", report.job.spec.cache.value),
        ("hits", f"{figures.count(counters.cached)} of {figures.count(report.processed)} processed items"),
        ("hit rate", share(report.cache_hit_rate)),
        ("saved", figures.dollars(counters.saved_nano)),
        ("requests sent", figures.count(counters.requests)),
    )
    return Section("Response cache", (Facts(facts),))


def _log(report: Report) -> Optional:
    events = report.figures.events
    if not events:
        return None
    rows = [(moment(one.at), one.level, one_line(one.text, 1_000)) for one in events]
    return Section(
        "Log", (Table((Column("Time (UTC)", whole=True), Column("Level"), Column("What happened")), tuple(rows)),)
    )
