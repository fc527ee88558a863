"""Prices per token and exact costs, in integer nano-dollars. An unknown price is None, never 0."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tui_batch.domain.endpoint import SIMULATED, Api, Endpoint
from tui_batch.domain.job import NANO
from tui_batch.domain.outcome import Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices

NANO_PER_MTOK = 1_000
"""A dollar for a million tokens is this many nano-dollars for one."""
LOCAL_SERVERS = frozenset({"ollama", "vllm", "llama.cpp", "llamacpp", "lmstudio"})
"""Endpoint names that mean a server of one's own: tokens cost nothing there."""


@dataclass(frozen=True, slots=True)
class UnitPrices:
    """Nano-dollars per token, exact."""

    input: Fraction
    output: Fraction
    cached: Fraction | None = None
    """Input tokens read from the provider's prompt cache; None: as `input`."""
    cache_write: Fraction | None = None
    """Input tokens written to the provider's prompt cache; None: as `input`."""
    batch: Fraction = Fraction(1, 2)
    """What a provider batch costs as a share of this (half: OpenAI and Anthropic pricing pages)."""
    source: str = ""
    """Where the prices come from, for a person: `settings`, `genai-prices: openai`, `own server`."""
    per_second: Fraction = Fraction(0)
    """For a server of one's own: nano-dollars for a second in which it is busy, shared by the requests in flight."""
    above: tuple[Tier, ...] = ()
    """Prices for prompts above a size, in growing order of size."""

    @classmethod
    def per_mtok(
        cls,
        input_usd: Decimal | float | str,
        output_usd: Decimal | float | str,
        *,
        cached_usd: Decimal | float | str | None = None,
        cache_write_usd: Decimal | float | str | None = None,
        gpu_hour_usd: Decimal | float | str = 0,
        source: str = "settings",
    ) -> UnitPrices:
        """From dollars per million tokens, as price lists state them. Raises ValueError for what is no price."""
        return cls(
            input=_nano(input_usd),
            output=_nano(output_usd),
            cached=None if cached_usd is None else _nano(cached_usd),
            cache_write=None if cache_write_usd is None else _nano(cache_write_usd),
            per_second=Fraction(str(gpu_hour_usd)) * NANO / 3_600,
            source=source,
        )

    @property
    def is_by_time(self) -> bool:
        """Whether the time that a server is busy is all that is paid for."""
        return bool(self.per_second) and not self.input and not self.output

    def at(self, input_tokens: int) -> UnitPrices:
        """The prices that hold for a prompt of this size: above a step, all tokens cost what the step says."""
        return next((tier.prices for tier in reversed(self.above) if input_tokens > tier.tokens), self)


@dataclass(frozen=True, slots=True)
class Tier:
    """Other prices for prompts of more than `tokens` input tokens."""

    tokens: int
    prices: UnitPrices


FREE = UnitPrices(Fraction(0), Fraction(0), source="own server")


@dataclass(frozen=True, slots=True)
class OwnPrice:
    """A price a person configured. It wins over every other source."""

    model: str
    """A model's name; `*` at its end stands for any rest."""
    prices: UnitPrices
    endpoint: str | None = None
    """Only on this endpoint; None: on all."""

    def fits(self, endpoint: str, model: str) -> bool:
        """Whether it is meant for a model on an endpoint."""
        if self.endpoint not in (None, endpoint):
            return False
        return model.startswith(self.model[:-1]) if self.model.endswith("*") else model == self.model


def lookup(endpoint: Endpoint, model: str, own: Iterable[OwnPrice] = ()) -> UnitPrices | None:
    """What a model costs on an endpoint: own prices, then own servers (free), then genai-prices; None: unknown.

    The first call loads the price table (some 0.3 s) and may block: call it in a thread, once per deployment.
    """
    for price in own:
        if price.fits(endpoint.name, model):
            return price.prices
    if is_own_server(endpoint) or endpoint.base_url.startswith(SIMULATED):
        return FREE
    return _published(endpoint, model)


def context_window(endpoint: Endpoint, model: str) -> int | None:
    """Tokens that a published model's context holds; None where nobody publishes it, and on servers of one's own."""
    if is_own_server(endpoint) or endpoint.base_url.startswith(SIMULATED):
        return None
    found = _find(endpoint, model)
    return None if found is None else found[1].context_window


def is_own_server(endpoint: Endpoint) -> bool:
    """Whether tokens are certainly free: a server kind that people run themselves, on this machine or network.

    The address alone proves nothing (a proxy to a paid service runs on localhost too), and neither does the kind
    (Ollama and vLLM are rented out as well): it takes both.
    """
    kind = endpoint.api is Api.OLLAMA or re.split(r"[-_:]", endpoint.name)[0] in LOCAL_SERVERS
    return kind and is_private(urlsplit(endpoint.base_url).hostname or "")


def is_private(host: str) -> bool:
    """Whether a host name or address can only be on this machine or a local network."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".lan", ".internal"))


def cost(usage: Usage, prices: UnitPrices, *, batch: bool = False, busy_s: float = 0.0) -> int | None:
    """Nano-dollars for one request, rounded half up once at the end; None: the server gave no usage, and is not free.

    `busy_s`: its share of the seconds in which the server was busy, for servers that are paid by the hour.

    Cached and cache-write tokens are parts of the input (domain.Usage) and each token is billed at one price only.
    """
    time = prices.per_second * Fraction(busy_s)
    if usage.input_tokens is None and usage.output_tokens is None:
        # Whatever a free server counted, it comes to nothing.
        return _half_up(time) if prices.is_by_time else 0 if prices == FREE else None
    given = max(0, usage.input_tokens or 0)
    held = prices.at(given)
    cached = min(given, max(0, usage.cached_tokens or 0))
    written = min(given - cached, max(0, usage.cache_write_tokens or 0))
    total = (
        (given - cached - written) * held.input
        + cached * (held.input if held.cached is None else held.cached)
        + written * (held.input if held.cache_write is None else held.cache_write)
        + max(0, usage.output_tokens or 0) * held.output
    )
    return _half_up(time + (total * held.batch if batch else total))


def worst_case(tokens_in: int, max_out: int | None, prices: UnitPrices, seconds: float = 0.0) -> int | None:
    """The most a request can cost, rounded up; None when nothing bounds its answer (unless answers are free).

    `seconds`: the longest that it may take.
    """
    held = prices.at(tokens_in)
    if max_out is None and held.output:
        return None
    dearest = max(held.input, held.cached or held.input, held.cache_write or held.input)
    time = prices.per_second * Fraction(seconds)
    return math.ceil(max(0, tokens_in) * dearest + max(0, max_out or 0) * held.output + time)


def _half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def _nano(usd_per_mtok: Decimal | float | str) -> Fraction:
    # Through text, so that 0.15 means 0.15 and not its nearest binary fraction.
    value = Fraction(str(usd_per_mtok)) * NANO_PER_MTOK
    if value < 0:
        raise ValueError("a price is not negative")
    return value


def _published(endpoint: Endpoint, model: str) -> UnitPrices | None:
    found = _find(endpoint, model)
    if found is None:
        return None
    provider, info = found
    return _from_table(info.get_prices(datetime.now(tz=UTC)), f"genai-prices: {provider.id}")


def _find(endpoint: Endpoint, model: str) -> tuple[Provider, ModelInfo] | None:
    """From the table that ships with genai-prices; it makes no network call unless asked to update."""
    from genai_prices.data_snapshot import get_snapshot

    try:
        return get_snapshot().find_provider_model(model, None, None, endpoint.base_url)
    except LookupError:
        return None


def _from_table(price: ModelPrice, source: str) -> UnitPrices | None:
    steps = sorted({start for part in _parts(price) for start in _steps(part)})
    levels = ((start, _level(price, start, source, ())) for start in steps)
    tiers = tuple(Tier(start, prices) for start, prices in levels if prices is not None)
    return _level(price, 0, source, tiers)


def _level(price: ModelPrice, tokens: int, source: str, above: tuple[Tier, ...]) -> UnitPrices | None:
    given, made, read, written = (None if part is None else _nano(_usd(part, tokens)) for part in _parts(price))
    if given is None:
        return None
    # Embedding models have no price for output because they have none.
    return UnitPrices(given, made or Fraction(0), read, written, source=source, above=above)


def _parts(price: ModelPrice) -> tuple[Decimal | TieredPrices | None, ...]:
    return (price.input_mtok, price.output_mtok, price.cache_read_mtok, price.cache_write_mtok)


def _steps(part: Decimal | TieredPrices | None) -> Iterable[int]:
    return () if part is None or isinstance(part, Decimal) else [tier.start for tier in part.tiers]


def _usd(part: Decimal | TieredPrices, tokens: int) -> Decimal:
    if isinstance(part, Decimal):
        return part
    return next((tier.price for tier in reversed(part.tiers) if tokens >= tier.start), part.base)
