"""Figures as a person reads them: counts, times, money, rates. Unknown is `?`, never 0."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime

from tui_batch.domain.job import NANO, Cap, Counters, Knobs


def count(number: int) -> str:
    """A whole number in full, with thin grouping: 12,345."""
    return f"{number:,}"


def things(number: int, one: str) -> str:
    """A number of things whose plural takes an s: 1 row, 12,345 rows."""
    return f"{count(number)} {one}" + ("" if number == 1 else "s")


def listed(words: Iterable[str]) -> str:
    """Words to choose from: `a, b or c`."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def short_count(number: int) -> str:
    """A number in at most five characters: 950, 12.3k, 4.5M, 1.2G."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        value = number / size
        if number >= 1_000 and value >= 0.9995:  # what would be rounded to 1000 of a unit is 1.0 of the next
            return f"{value:.0f}{unit}" if value >= 99.95 else f"{value:.1f}{unit}"
    return str(number)


def duration(seconds: float | None) -> str:
    """Seconds as `9.4 s`, `42 s`, `3:07`, `2:05:00` or `3 d 4 h`; None: `?`."""
    if seconds is None:
        return "?"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d}"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    return f"{hours // 24} d {hours % 24} h"


def dollars(nano: int) -> str:
    """Nano-dollars with as many digits as matter, never as a power of ten: $12.34, $0.0123, $0.000040, $0."""
    value = nano / NANO
    if nano == 0:
        return "$0"
    if abs(value) >= 1:
        return f"${value:,.2f}"
    if abs(value) >= 0.01:
        return f"${value:.4f}"
    value = float(f"{value:.1e}")
    places = 1 - math.floor(math.log10(abs(value)))
    return f"${value:.{min(places, 9)}f}"


def budget(knobs: Knobs) -> str:
    """What a job may spend: $5.00, `$5.00 (cap not binding)`, none."""
    return "none" if knobs.budget_nano is None else dollars(knobs.budget_nano) + not_binding(knobs)


def not_binding(knobs: Knobs) -> str:
    """Says so where a budget may be passed by requests whose cost nothing bounds; else empty."""
    return " (cap not binding)" if knobs.cap is Cap.LOOSE and knobs.budget_nano is not None else ""


def cost(counters: Counters) -> str:
    """What a job has cost; with a `?` when the price of a request is unknown."""
    return known_cost(counters.cost_nano, counters.unpriced)


def known_cost(nano: int, unpriced: int) -> str:
    """A sum of costs of which `unpriced` are unknown: $1.20, $1.20 + ?, $?."""
    if not unpriced:
        return dollars(nano)
    return f"{dollars(nano)} + ?" if nano else "$?"


def cost_range(low: int, likely: int, high: int) -> str:
    """An estimate: ~$1.20 ($0.90 to $1.60)."""
    return f"~{dollars(likely)}" + (f" ({dollars(low)} to {dollars(high)})" if low < high else "")


def rate(per_second: float) -> str:
    """Items per second, or per minute when slow."""
    if per_second >= 1 or per_second == 0:
        return f"{per_second:.1f}/s"
    return f"{per_second * 60:.1f}/min"


def percent(part: int, whole: int) -> str:
    """A share, rounded down, so that 100 % means all of it."""
    return f"{100 * part // whole if whole else 0} %"


def size(amount: int) -> str:
    """Bytes as KB, MB, GB (powers of 1,000)."""
    return f"{amount} bytes" if amount < 1_000 else f"{short_count(amount).upper()}B"


def utc(unix: float | None) -> str | None:
    """Unix time as ISO 8601 in UTC, to the millisecond; None stays None."""
    if unix is None:
        return None
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def usd(nano: int | None) -> float | None:
    """Nano-dollars as dollars, for programs; None, an unknown amount, stays None."""
    return None if nano is None else nano / NANO


def local_time(unix: float | None) -> str:
    """Unix time as a date and time of this place; None: `-`."""
    return "-" if unix is None else datetime.fromtimestamp(unix).strftime("%Y-%m-%d %H:%M")
