"""The section of a report about what answers are worth: scores, failed checks, and when answers got worse."""

from __future__ import annotations

from tui_batch import figures
from tui_batch.quality.alerts import ToldAlert
from tui_batch.report.model import Report
from tui_batch.report.pictures import score_chart, score_line
from tui_batch.report.shapes import Block, Chart, Column, Note, Section, Table, Text
from tui_batch.report.shown import block, moment, one_line, place
from tui_batch.store.alerts import SHOWN
from tui_batch.store.failing_queries import FailingItem
from tui_batch.store.report_queries import JobFigures, ScoredItem, Timeline


def quality_section(report: Report) -> Section | None:
    """None for a job of which nothing was checked or watched."""
    blocks = (*_scores(report), *_alerts(report.figures.alerts), *_failing(report.figures), *_lowest(report.figures))
    return Section("Quality", blocks) if blocks else None


def _scores(report: Report) -> tuple[Block, ...]:
    score = report.score
    if score is None:
        return ()
    reach = f", 95 % between {score.interval.low:.3f} and {score.interval.high:.3f}" if score.interval else ""
    line = report.figures.timeline
    return (
        Note(f"Mean score {score.mean:.3f} over {figures.things(score.count, 'answer')}{reach}."),
        *(() if line is None else (Chart(_over_time(report), score_line(line, _marks(report, line))),)),
        Chart("Answers by score", score_chart(report.figures.score_bins)),
    )


def _over_time(report: Report) -> str:
    return "Mean score over time" + ("; broken lines: answers got worse" if report.figures.alerts else "")


def _marks(report: Report, line: Timeline) -> list[tuple[float, str]]:
    """When alerts were told, in seconds from the left end of the chart."""
    return [(told.at - line.begin, one_line(told.alert.finding, 500)) for told in report.figures.alerts]


def _lowest(found: JobFigures) -> tuple[Block, ...]:
    if not found.lowest:
        return ()
    return (Note("The lowest scores:"), *map(_lowest_text, found.lowest))


def _lowest_text(one: ScoredItem) -> Text:
    title = f"{place(one.line, one.custom_id)}, item {one.id}{_by(one.model)}: score {one.score:.3f}"
    return Text(title, _with_reason(block(one.answer), one.reason))


def _by(model: str | None) -> str:
    return f" ({one_line(model, 60)})" if model else ""


def _with_reason(words: str, reason: str) -> str:
    return f"{words}\njudge: {block(reason, None)}" if reason else words


_FAILING_COLUMNS = (
    Column("Check"),
    Column("Field"),
    Column("Failing answers taken", right=True),
    Column("Dead items", right=True),
)


def _failing(found: JobFigures) -> tuple[Block, ...]:
    if not found.failing:
        return ()
    rows = tuple(
        (one_line(one.check), one_line(one.field, 60), figures.count(one.taken), figures.count(one.dead))
        for one in found.failing
    )
    return (
        Note("Checks that final answers fail:"),
        Table(_FAILING_COLUMNS, rows),
        Note("The first of these answers:"),
        *map(_failing_text, found.failing_items),
    )


def _failing_text(one: FailingItem) -> Text:
    title = f"{place(one.line, one.custom_id)}, item {one.id}{_by(one.model)}: {one.state.value}"
    wrong = "\n".join(block(str(check), None) for check in one.failing)
    return Text(title, _with_reason(f"{wrong}\nanswer: {block(one.answer, 500)}", one.reason))


_ALERT_COLUMNS = (
    Column("Time (UTC)", whole=True),
    Column("What was seen"),
    Column("t", right=True),
    Column("Rows"),
    Column("Until", whole=True),
)


def _alerts(alerts: tuple[ToldAlert, ...]) -> tuple[Block, ...]:
    if not alerts:
        return ()
    most = f" The newest {SHOWN} are listed." if len(alerts) == SHOWN else ""
    words = f"Answers got worse: the last window of answers against those before, by Welch's test (t).{most}"
    return (Note(words), Table(_ALERT_COLUMNS, tuple(map(_alert_row, alerts))))


def _alert_row(told: ToldAlert) -> tuple[str, ...]:
    alert = told.alert
    return (
        moment(told.at),
        one_line(alert.finding, 500),
        "-" if alert.statistic is None else f"{alert.statistic:.2f}",
        ", ".join(map(str, alert.rows)),
        moment(told.ended_at) or "still so",
    )
