"""A report as Markdown (CommonMark with tables). Foreign text can be no markup in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tui_batch.report.model import Report
from tui_batch.report.sections import headline, sections_of, tiles
from tui_batch.report.shapes import Block, Chart, Column, Facts, Note, Section, Table, Text
from tui_batch.report.shown import moment, one_line

# What could begin emphasis, code, a link, a tag, an entity or a cell, and what GitHub would make a link of.
_MEANING = re.compile(r"([\\`*_\[\]<>|~&$@#]|(?<=www)\.|:(?=//))")
# What could begin a list, a heading or a rule where it is first on a line.
_START = re.compile(r"^(\s*(?:\d+)?)([-+=.)])(?=\s|$|[-=])")
_FENCE = re.compile(r"`{3,}")


def report_markdown(report: Report) -> bytes:
    """The document in UTF-8."""
    lines = [
        f"# Job {report.job.id}: {escaped(one_line(report.job.spec.name, 200))}",
        "",
        f"**{escaped(headline(report))}**",
        "",
        f"Report made {moment(report.made_at)}. All times are UTC.",
        "",
        *_table((Column("Figure"), Column("Value", right=True)), tiles(report)),
    ]
    for section in sections_of(report):
        lines += ["", *_section(section)]
    return ("\n".join(lines) + "\n").encode()


def escaped(text: str) -> str:
    """Text on one line that Markdown renders as it is."""
    return _START.sub(r"\1\\\2", _MEANING.sub(r"\\\1", text.replace("\n", " ")))


def fenced(text: str) -> list[str]:
    """A code block; its fence is longer than any in the text."""
    longest = max((len(found) for found in _FENCE.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return [fence + "text", *text.split("\n"), fence]


def _section(section: Section) -> Iterator[str]:
    yield f"## {escaped(section.title)}"
    for block in section.blocks:
        lines = _block(block)
        if lines:
            yield ""
            yield from lines


def _block(block: Block) -> list[str]:
    match block:
        case Note(words):
            return [escaped(words)]
        case Facts(pairs):
            return [line for name, value in pairs for line in _fact(name, value)]
        case Table(columns, rows):
            return _table(columns, rows)
        case Text(title, words):
            return [f"### {escaped(title)}", "", *fenced(words)]
        case Chart():
            return []


def _fact(name: str, value: str) -> list[str]:
    if "\n" in value:
        return [f"- {escaped(name)}:", "", *(f"  {line}" for line in fenced(value)), ""]
    return [f"- {escaped(name)}: {escaped(value)}"]


def _table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    heads = " | ".join(escaped(column.name) for column in columns)
    rule = " | ".join("---:" if column.right else "---" for column in columns)
    return [f"| {heads} |", f"| {rule} |", *(f"| {' | '.join(map(escaped, row))} |" for row in rows)]
