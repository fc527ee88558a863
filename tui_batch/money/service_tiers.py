"""Which service tiers cost the usual prices, and what OpenAI's others cost, as multiples of them.

Sources: openai.com/api-priority-processing (the table of prices for a million tokens) over the usual prices of the same
models; OpenAI, "Flex processing": tokens at the prices of the Batch API, which are half. Prompts above a long-context
step are not served there. Where a model is not in that table, the price is not known.
"""

from __future__ import annotations

from fractions import Fraction

STANDARD_TIERS = frozenset({"auto", "default", "standard", "on_demand", "scale"})
"""Service tiers at the usual prices, whoever says them."""
_PRIORITY = (
    ("gpt-4o-2024-05-13", Fraction(7, 4)),  # 8.75 and 26.25 for 5 and 15
    ("gpt-4o-mini", Fraction(5, 3)),  # 0.25 and 1 for 0.15 and 0.60
    ("gpt-4o", Fraction(17, 10)),  # 4.25 and 17 for 2.50 and 10
    ("gpt-4.1-mini", Fraction(7, 4)),  # 0.70 and 2.80 for 0.40 and 1.60
    ("gpt-4.1-nano", Fraction(2)),  # 0.20 and 0.80 for 0.10 and 0.40
    ("gpt-4.1", Fraction(7, 4)),  # 3.50 and 14 for 2 and 8
    ("gpt-5-mini", Fraction(9, 5)),  # 0.45 and 3.60 for 0.25 and 2
    ("gpt-5-codex", Fraction(2)),  # 2.50 and 20 for 1.25 and 10
    ("gpt-5.1", Fraction(2)),  # 2.50 and 20 for 1.25 and 10
    ("gpt-5.2", Fraction(2)),  # 3.50 and 28 for 1.75 and 14
    ("gpt-5.4-mini", Fraction(2)),  # 1.50 and 9 for 0.75 and 4.50
    ("gpt-5.4", Fraction(2)),  # 5 and 30 for 2.50 and 15
    ("gpt-5.5", Fraction(5, 2)),  # 12.50 and 75 for 5 and 30
    ("gpt-5", Fraction(2)),  # 2.50 and 20 for 1.25 and 10
)
_OTHERS = ("-pro", "-nano", "-chat", "-image", "-audio", "-search", "-cyber", "-realtime")
"""Kinds of a family that the table does not have."""


def openai_tiers(model: str) -> tuple[tuple[str, Fraction], ...]:
    """The tiers whose price is known for a model. `fast` is the later name of `priority`."""
    found = (("flex", Fraction(1, 2)),)
    prefix, factor = next((one for one in _PRIORITY if model.startswith(one[0])), ("", Fraction(0)))
    rest = model.removeprefix(prefix)
    # gpt-5-2025-08-07 is gpt-5; gpt-5-nano, gpt-5.3 and gpt-5-pro are not.
    if not prefix or rest.startswith(".") or any(rest.startswith(kind) for kind in _OTHERS):
        return found
    return (*found, ("priority", factor), ("fast", factor))
