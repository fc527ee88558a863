"""Amounts as a person types them, and back: the same on the command line, in the form and in dialogs."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from tui_batch.domain.job import MOST_DOLLARS, NANO

MOST = 10**12
"""The largest whole number that anybody needs: tokens a minute, items, rows."""
_WHOLE = re.compile(r"(?P<digits>[+-]?[0-9]{1,18}(?:\.[0-9]{1,9})?)\s*(?P<unit>[km]?)")
_TIMES = {"": 1, "k": 1_000, "m": 1_000_000}


def read_whole(text: str, least: int = 1, most: int = MOST) -> int:
    """`500`, `90,000`, `90k` or `1.5M`. Raises ValueError, in words, for what is no whole number between the bounds."""
    found = _WHOLE.fullmatch(text.strip().lower().replace(",", "").replace("_", ""))
    value = Decimal("NaN") if found is None else Decimal(found["digits"]) * _TIMES[found["unit"]]
    if not value.is_finite() or value != value.to_integral_value() or not least <= value <= most:
        bounds = f"of at least {least:,}" if most == MOST else f"from {least:,} to {most:,}"
        raise ValueError(f"must be a whole number {bounds}")
    return int(value)


def read_dollars(text: str) -> int:
    """`2.50`, `$1,000` or `0` as nano-dollars. Raises ValueError for what is no amount up to MOST_DOLLARS."""
    try:
        amount = Decimal(text.strip().removeprefix("$").strip().replace(",", ""))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount <= MOST_DOLLARS:
        raise ValueError(f"must be an amount in US dollars, from 0 to {MOST_DOLLARS:,}")
    return int(amount * NANO)


def dollar_digits(nano: int) -> str:
    """Nano-dollars in full, as `read_dollars` reads them: `2.5`."""
    return f"{(Decimal(nano) / NANO).normalize():f}"
