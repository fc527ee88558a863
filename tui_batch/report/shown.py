"""Foreign text as a report shows it: nothing in it can act, move or hide."""

from __future__ import annotations

from tui_batch.figures import utc
from tui_batch.safe_text import safe_lines, safe_text, shortened

CUT = 1_000
"""Characters of a row or an answer that are shown."""


def one_line(text: str, limit: int | None = None) -> str:
    """On one line, with control and invisible characters made visible."""
    return safe_text(text, limit)


def block(text: str, limit: int | None = CUT) -> str:
    """As one_line, but line ends stay line ends and tabs become four spaces."""
    cut = text if limit is None else shortened(text, limit)
    return safe_lines(cut.replace("\r\n", "\n").replace("\t", "    "))


def moment(unix: float | None) -> str:
    """A time in UTC to the second, for people; unknown is empty."""
    return (utc(unix) or "")[:19].replace("T", " ")


def share(part: float | None) -> str:
    """A share in per cent, never rounded up to 100 or down to 0; unknown is `?`."""
    if part is None:
        return "?"
    percent = 100 * part
    if 99.9 < percent < 100:
        return "> 99.9 %"
    return "< 0.1 %" if 0 < percent < 0.1 else f"{percent:.1f} %"


def milliseconds(value: float | None) -> str:
    """A latency to three digits: `850 ms`, `2.41 s`, `31.0 s`; unknown is `?`."""
    if value is None:
        return "?"
    seconds = value / 1_000
    if value < 999.5:
        return f"{value:.0f} ms"
    return f"{seconds:.{2 if seconds < 9.995 else 1 if seconds < 99.95 else 0}f} s"


def place(line: int | None, custom_id: str | None) -> str:
    """Where a row is found in the input."""
    name = f" ({one_line(custom_id, 60)})" if custom_id else ""
    return f"line {line}{name}" if line is not None else f"row{name}"
