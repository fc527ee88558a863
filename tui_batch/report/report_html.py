"""A report as one HTML file that needs nothing else: no network, no script. Everything foreign is escaped.

Jinja2 escapes every value, the text is made harmless before (shown.py), and the page's own content security policy
forbids scripts and any request, whatever slipped through.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from tui_batch.report.model import Report
from tui_batch.report.sections import headline, is_good, sections_of, tiles
from tui_batch.report.shown import moment, one_line

if TYPE_CHECKING:
    from jinja2 import Template


def report_html(report: Report) -> bytes:
    """The page in UTF-8."""
    page = _template().render(
        title=f"Job {report.job.id}: {one_line(report.job.spec.name, 200)}",
        headline=headline(report),
        good=is_good(report),
        made_at=moment(report.made_at),
        tiles=tiles(report),
        sections=sections_of(report),
    )
    return page.encode()


def _template() -> Template:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.globals["kind_of"] = lambda block: type(block).__name__
    environment.globals["markup"] = Markup
    text = files("tui_batch.report").joinpath("templates/report.html").read_text(encoding="utf-8")
    return environment.from_string(text)
