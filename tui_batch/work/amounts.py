"""Amounts of money as a person types them, and back: the same on the command line, in the form and in dialogs."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from tui_batch.domain.job import NANO

MOST_DOLLARS = 1_000_000_000


def read_dollars(text: str) -> int:
    """`2.50`, `$1,000` or `0` as nano-dollars. Raises ValueError for what is no amount up to MOST_DOLLARS."""
    try:
        amount = Decimal(text.strip().removeprefix("$").strip().replace(",", ""))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount <= MOST_DOLLARS:
        raise ValueError("must be an amount in US dollars, such as 2.50")
    return int(amount * NANO)


def dollar_digits(nano: int) -> str:
    """Nano-dollars in full, as `read_dollars` reads them: `2.5`."""
    return f"{(Decimal(nano) / NANO).normalize():f}"
