"""Prices and costs: exact, in whole nano-dollars, and unknown where unknown."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.domain.outcome import Usage
from tui_batch.money.prices import FREE, OwnPrice, Tier, UnitPrices, cost, lookup

OPENAI = Endpoint("openai", Api.OPENAI, "https://api.openai.com/v1")
MINI = UnitPrices.per_mtok("0.15", "0.60", cached_usd="0.075")


def test_a_cost_is_exact_to_the_nano_dollar() -> None:
    assert cost(Usage(1_000_000, 1_000_000), MINI) == 750_000_000
    assert cost(Usage(57, 12), MINI) == 57 * 150 + 12 * 600


def test_cached_tokens_are_part_of_the_input_and_billed_once() -> None:
    assert cost(Usage(1_000, 0, cached_tokens=400), MINI) == 600 * 150 + 400 * 75


def test_anthropics_cache_writes_have_their_own_price() -> None:
    sonnet = UnitPrices.per_mtok(3, 15, cached_usd="0.30", cache_write_usd="3.75")

    assert cost(Usage(1_000, 10, cached_tokens=300, cache_write_tokens=200), sonnet) == (
        500 * 3_000 + 300 * 300 + 200 * 3_750 + 10 * 15_000
    )


def test_without_usage_the_cost_is_unknown_and_not_nothing() -> None:
    assert cost(Usage(), MINI) is None
    assert cost(Usage(input_tokens=10), MINI) is None
    assert cost(Usage(output_tokens=10), MINI) is None


def test_what_has_no_price_need_not_be_counted() -> None:
    embedding = UnitPrices.per_mtok("0.02", 0)

    assert cost(Usage(input_tokens=10), embedding) == 200
    assert cost(Usage(output_tokens=0), embedding) is None


def test_a_batch_costs_half() -> None:
    assert cost(Usage(1_000, 100), MINI, batch=True) == (1_000 * 150 + 100 * 600) // 2


def test_half_a_nano_dollar_is_rounded_up_once_at_the_end() -> None:
    half = UnitPrices(Fraction(1, 2), Fraction(0))

    assert [cost(Usage(tokens, 0), half) for tokens in (1, 2, 3)] == [1, 1, 2]


def test_a_long_prompt_costs_the_higher_price_for_all_its_tokens() -> None:
    stepped = UnitPrices(
        Fraction(3_000), Fraction(15_000), above=(Tier(200_000, UnitPrices(Fraction(6_000), Fraction(22_500))),)
    )

    assert cost(Usage(200_000, 1), stepped) == 200_000 * 3_000 + 15_000
    assert cost(Usage(200_001, 1), stepped) == 200_001 * 6_000 + 22_500


def test_a_price_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        UnitPrices.per_mtok("-1", "1")


@pytest.mark.parametrize(
    ("endpoint", "model"),
    [
        (OPENAI, "gpt-4o-mini"),
        (Endpoint("anthropic", Api.ANTHROPIC, "https://api.anthropic.com"), "claude-sonnet-4-5"),
        (Endpoint("g", Api.OPENAI, "https://generativelanguage.googleapis.com/v1beta/openai"), "gemini-2.5-flash"),
        (Endpoint("groq", Api.OPENAI, "https://api.groq.com/openai/v1"), "llama-3.3-70b-versatile"),
        (Endpoint("mine", Api.OPENAI, "https://openrouter.ai/api/v1"), "openai/gpt-4o-mini"),
    ],
)
def test_published_models_have_a_price(endpoint: Endpoint, model: str) -> None:
    found = lookup(endpoint, model)

    assert found is not None
    assert 0 < found.input < found.output
    assert found.cached is None or found.cached < found.input
    assert found.source.startswith("genai-prices")


def test_an_embedding_model_costs_by_its_input_alone() -> None:
    found = lookup(OPENAI, "text-embedding-3-small")

    assert found is not None
    assert (found.input, found.output) == (20, 0)


@pytest.mark.parametrize(
    "endpoint",
    [
        Endpoint("proxy", Api.OPENAI, "http://127.0.0.1:4000/v1"),
        Endpoint("vllm", Api.OPENAI, "https://vllm.example.com/v1"),
        Endpoint("ollama", Api.OLLAMA, "https://ollama.com"),
        Endpoint("other", Api.OPENAI, "https://llm.example.com/v1"),
    ],
)
def test_an_unknown_server_has_an_unknown_price_wherever_it_is(endpoint: Endpoint) -> None:
    assert lookup(endpoint, "gpt-4o-mini") is None


@pytest.mark.parametrize(
    "endpoint",
    [
        Endpoint("anything", Api.OLLAMA, "http://localhost:11434"),
        Endpoint("ollama-2", Api.OLLAMA, "http://192.168.1.7:11434"),
        Endpoint("vllm", Api.OPENAI, "http://gpu1:8000/v1"),
        Endpoint("llama.cpp", Api.OPENAI, "http://[::1]:8080/v1"),
        Endpoint("lmstudio", Api.OPENAI, "http://127.0.0.1:1234/v1"),
    ],
)
def test_tokens_of_ones_own_server_are_free(endpoint: Endpoint) -> None:
    assert lookup(endpoint, "llama3.2") is FREE


def test_a_model_nobody_published_has_no_price() -> None:
    assert lookup(OPENAI, "no-such-model") is None


def test_a_persons_own_price_wins_over_everything() -> None:
    own = [OwnPrice("gpt-4o*", MINI, endpoint="proxy"), OwnPrice("llama3.2", MINI)]

    assert lookup(Endpoint("proxy", Api.OPENAI, "http://127.0.0.1:4000/v1"), "gpt-4o-mini", own) is MINI
    assert lookup(Endpoint("ollama", Api.OLLAMA, "http://localhost:11434"), "llama3.2", own) is MINI
    other = lookup(OPENAI, "gpt-4o-mini", own)
    assert other is not None
    assert other is not MINI
