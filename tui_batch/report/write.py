"""Writing a job's report to a file: HTML, Markdown or JSON, by the file's ending."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path

from tui_batch.errors import UserError
from tui_batch.report.files import in_thread, opened
from tui_batch.report.model import Report, make_report
from tui_batch.report.targets import check_place
from tui_batch.store.store import Store


class ReportFormat(StrEnum):
    """How a report is written."""

    HTML = "html"
    MARKDOWN = "md"
    JSON = "json"


_SUFFIXES = {
    ".html": ReportFormat.HTML,
    ".htm": ReportFormat.HTML,
    ".md": ReportFormat.MARKDOWN,
    ".markdown": ReportFormat.MARKDOWN,
    ".json": ReportFormat.JSON,
}


def report_format(path: Path) -> ReportFormat:
    """The format that a file's ending says. Raises UserError for any other."""
    found = _SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise UserError(
            f"{path}: the name does not say in which format to write", remedy="End it in .html, .md or .json."
        )
    return found


async def write_report(
    store: Store,
    job_id: int,
    path: Path,
    *,
    clock: Callable[[], float] = time.time,
    progress: Callable[[float], None] = lambda _: None,
) -> Report:
    """Reads a job, writes its report, and returns it. The format is the file's ending.

    The file appears when it is whole; cancelling leaves nothing. `progress` gets the part that is done, from 0 to 1,
    and may come from another thread. Raises UserError for an unknown ending, a job that is not there, or a file that
    cannot be written.
    """
    form = report_format(path)
    check_place(path)
    report = await make_report(store, job_id, clock=clock, progress=lambda part: progress(0.9 * part))
    data = await in_thread(rendered, report, form)
    async with opened(path) as stream:
        await in_thread(partial(stream.write, data))
    progress(1.0)
    return report


def rendered(report: Report, form: ReportFormat) -> bytes:
    """The report as the bytes of a file. Takes about 50 ms."""
    match form:
        case ReportFormat.HTML:
            from tui_batch.report.report_html import report_html

            return report_html(report)
        case ReportFormat.MARKDOWN:
            from tui_batch.report.report_markdown import report_markdown

            return report_markdown(report)
        case ReportFormat.JSON:
            from tui_batch.report.report_json import report_json

            return report_json(report)
