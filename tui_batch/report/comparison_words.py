"""A comparison as a section of a report, and as rows of a table for the command line."""

from __future__ import annotations

from collections.abc import Sequence

from tui_batch import figures
from tui_batch.report.comparing import Agreement, Comparison, Example, Standing, Verdict
from tui_batch.report.intervals import Interval
from tui_batch.report.shapes import Block, Column, Note, Section, Table, Text
from tui_batch.report.shown import block, milliseconds, one_line, place, share

STANDING_COLUMNS = (
    Column("Model"),
    *(
        Column(name, right=True)
        for name in ("Done", "Dead", "Score", "95 %", "Cost", "Latency", "Tokens in", "Tokens out", "Cached")
    ),
)
AGREEMENT_COLUMNS = (
    Column("One"),
    Column("Other"),
    *(Column(name, right=True) for name in ("Both answered", "Same", "Share", "95 %", "Kappa")),
)
VERDICT_COLUMNS = (Column("Criterion"), Column("Winner"), Column("Why"))


def comparison_section(comparison: Comparison) -> Section:
    """Standings, agreement, winners and rows that were answered differently."""
    labels = [one.contender.label for one in comparison.standings]
    blocks: list[Block] = [
        Note(rows_words(comparison)),
        Table(STANDING_COLUMNS, tuple(map(standing_row, comparison.standings))),
        Table(VERDICT_COLUMNS, tuple(map(verdict_row, comparison.verdicts))),
        Table(AGREEMENT_COLUMNS, tuple(map(agreement_row, comparison.agreements))),
    ]
    if comparison.examples:
        blocks.append(Note("Rows that were answered differently:"))
    blocks += [Text(example_title(one), example_words(one, labels)) for one in comparison.examples]
    return Section("Comparison", tuple(blocks))


def rows_words(comparison: Comparison) -> str:
    """How many rows were compared."""
    left = f"; not in all of them: {figures.count(comparison.unmatched)} more" if comparison.unmatched else ""
    return f"{figures.things(comparison.rows, 'row')} compared{left}."


def standing_row(one: Standing) -> tuple[str, ...]:
    """Cells under STANDING_COLUMNS."""
    return (
        one_line(one.contender.label, 60),
        figures.count(one.done),
        figures.count(one.dead),
        "-" if one.score is None else f"{one.score:.3f}",
        _reach(one.score_interval),
        "?" if one.cost_nano is None else figures.dollars(one.cost_nano),
        "-" if one.latency_ms is None else milliseconds(one.latency_ms),
        figures.count(one.tokens_in),
        figures.count(one.tokens_out),
        figures.count(one.cached),
    )


def agreement_row(one: Agreement) -> tuple[str, ...]:
    """Cells under AGREEMENT_COLUMNS."""
    return (
        one_line(one.left.label, 60),
        one_line(one.right.label, 60),
        figures.count(one.rows),
        figures.count(one.same),
        share(one.same / one.rows if one.rows else None),
        _reach(one.interval),
        "-" if one.kappa is None else f"{one.kappa:.3f}",
    )


def verdict_row(one: Verdict) -> tuple[str, ...]:
    """Cells under VERDICT_COLUMNS."""
    return (one.criterion.value, "-" if one.winner is None else one_line(one.winner.label, 60), one.reason)


def _reach(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval.low:.3f}–{interval.high:.3f}"


def example_title(one: Example) -> str:
    """Where the row is found."""
    return place(one.line, one.custom_id)


def example_words(one: Example, labels: Sequence[str]) -> str:
    """The row and every answer."""
    answers = zip(labels, one.answers, strict=True)
    lines = [f"row: {one_line(one.row.decode('utf-8', 'replace'), 500)}"]
    lines += [f"{one_line(label, 60)}: {block(text, 500) if text else '(no answer)'}" for label, text in answers]
    return "\n".join(lines)
