"""Worked bills, to the cent, with the prices of the published table (genai-prices); each names where they were read.

Read on 2026-11-21 in stored copies: Anthropic's own price page and OpenAI's own of priority prices. OpenAI's page of
standard prices and Google's were not to be had; for these somebody who quotes them is named.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.domain.job import NANO
from tui_batch.domain.outcome import Usage
from tui_batch.money.prices import cost, lookup

OPENAI = Endpoint("openai", Api.OPENAI, "https://api.openai.com/v1")
ANTHROPIC = Endpoint("anthropic", Api.ANTHROPIC, "https://api.anthropic.com")
GEMINI = Endpoint("gemini", Api.OPENAI, "https://generativelanguage.googleapis.com/v1beta/openai")

BILLS = [
    # gpt-4o-mini 0.15 in, 0.075 cached, 0.60 out: openai.com/api/pricing, as quoted on 2026-05-27 by
    # github.com/CommitBrief/commitbrief/wiki/Provider-OpenAI.
    # 1,000,000 in, 400,000 of them cached: 0.6 x 0.15 + 0.4 x 0.075 = 0.12; 500,000 out: 0.30.
    (OPENAI, "gpt-4o-mini", Usage(1_000_000, 500_000, cached_tokens=400_000), "0.42"),
    # gpt-5-mini 0.25 in, 0.025 cached, 2.00 out (no page but the table); reasoning is output: 2 x 0.25 + 1.5 x 2.
    (OPENAI, "gpt-5-mini", Usage(2_000_000, 1_500_000), "3.50"),
    # openai.com/api-priority-processing: gpt-5-mini 0.45 in, 0.045 cached, 3.60 out.
    # 1,600,000 uncached: 0.72; 400,000 cached: 0.018; 500,000 out: 1.80.
    (OPENAI, "gpt-5-mini", Usage(2_000_000, 500_000, cached_tokens=400_000, tier="priority"), "2.538"),
    # platform.claude.com/docs/en/about-claude/pricing: claude-haiku-4-5 1 in, 1.25 write, 2 write for an hour, 0.10
    # read, 5 out.
    # 100,000 uncached, 40,000 written, 60,000 read: 0.10 + 0.05 + 0.006; 20,000 out: 0.10.
    (
        ANTHROPIC,
        "claude-haiku-4-5",
        Usage(200_000, 20_000, cached_tokens=60_000, cache_write_tokens=40_000),
        "0.256",
    ),
    # The same, half of what is written for an hour: 0.10 + 0.025 + 0.04 + 0.006; out 0.10.
    (
        ANTHROPIC,
        "claude-haiku-4-5",
        Usage(200_000, 20_000, cached_tokens=60_000, cache_write_tokens=40_000, long_write_tokens=20_000),
        "0.271",
    ),
    # gemini-2.5-pro up to 200,000 tokens 1.25 in, 10 out; above 2.50 and 15: ai.google.dev/gemini-api/docs/pricing, as
    # quoted in March 2026 by deploybase.ai/articles/gemini-api-pricing.
    (GEMINI, "gemini-2.5-pro", Usage(200_000, 1_000), "0.26"),
    (GEMINI, "gemini-2.5-pro", Usage(300_000, 1_000), "0.765"),
]


@pytest.mark.parametrize(("endpoint", "model", "usage", "dollars"), BILLS, ids=lambda value: str(value)[:24])
def test_a_worked_bill(endpoint: Endpoint, model: str, usage: Usage, dollars: str) -> None:
    prices = lookup(endpoint, model)

    assert prices is not None
    assert cost(usage, prices) == int(Decimal(dollars) * NANO)
    half = cost(usage, prices, batch=True)
    assert half == int(Decimal(dollars) * NANO / 2)
