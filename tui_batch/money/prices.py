"""Prices per token and exact costs, in integer nano-dollars. An unknown price is None, never 0."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tui_batch.domain.endpoint import SIMULATED, Api, Endpoint
from tui_batch.domain.job import NANO
from tui_batch.domain.outcome import Usage
from tui_batch.money.service_tiers import STANDARD_TIERS, openai_tiers

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices

_ONE = Fraction(1)
_NOTHING = Fraction(0)
NANO_PER_MTOK = 1_000
"""A dollar for a million tokens is this many nano-dollars for one."""
IN_REGION = {"us": Fraction(11, 10)}
"""What work that is kept to a region costs, as a multiple (Anthropic, "Data residency"; from Opus 4.6 on)."""
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
    long_write: Fraction | None = None
    """Input tokens that the provider keeps for an hour; None: twice `input` where cache writes have a price.

    (Anthropic, "Pricing": 2 times the base input price.)
    """
    sound: Fraction | None = None
    """Input tokens that are sound; None: unknown."""
    speech: Fraction | None = None
    """Output tokens that are sound; None: unknown."""
    per_request: Fraction = Fraction(0)
    """For a request, beside its tokens."""
    web_search: Fraction | None = None
    """For a search of the web that the provider makes; None: unknown."""
    tiers: tuple[tuple[str, Fraction], ...] = ()
    """Service tiers with other prices: the name and what all tokens cost there, as a multiple."""

    @classmethod
    def per_mtok(
        cls,
        input_usd: Decimal | float | str,
        output_usd: Decimal | float | str,
        *,
        cached_usd: Decimal | float | str | None = None,
        cache_write_usd: Decimal | float | str | None = None,
        gpu_hour_usd: Decimal | float | str = 0,
        tiers: Mapping[str, Decimal | float | str] | None = None,
        source: str = "settings",
    ) -> UnitPrices:
        """From dollars per million tokens, as price lists state them. Raises ValueError for what is no price."""
        return cls(
            input=_nano(input_usd),
            output=_nano(output_usd),
            cached=None if cached_usd is None else _nano(cached_usd),
            cache_write=None if cache_write_usd is None else _nano(cache_write_usd),
            per_second=Fraction(str(gpu_hour_usd)) * NANO / 3_600,
            tiers=tuple((name, Fraction(str(factor))) for name, factor in (tiers or {}).items()),
            source=source,
        )

    @property
    def is_by_time(self) -> bool:
        """Whether the time that a server is busy is all that is paid for."""
        return bool(self.per_second) and not self.input and not self.output

    @property
    def costs_tokens(self) -> bool:
        """Whether anything is paid for but time."""
        return bool(self.input or self.output or self.per_request or self.sound or self.speech)

    @property
    def for_long_write(self) -> Fraction:
        """A token that the provider keeps for an hour."""
        if self.long_write is not None:
            return self.long_write
        return self.input if self.cache_write is None else max(self.cache_write, 2 * self.input)

    def factor(self, tier: str | None) -> Fraction | None:
        """What tokens cost in a service tier, as a multiple of these prices; None: unknown."""
        if not tier or tier in STANDARD_TIERS:
            return _ONE
        return dict(self.tiers).get(tier)

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
        return self.endpoint in (None, endpoint) and _is_named(self.model, model)


@dataclass(frozen=True, slots=True)
class OwnWindow:
    """A context window a person configured. It wins over every other source."""

    model: str
    """A model's name; `*` at its end stands for any rest."""
    tokens: int
    endpoint: str | None = None
    """Only on this endpoint; None: on all."""

    def fits(self, endpoint: str, model: str) -> bool:
        """Whether it is meant for a model on an endpoint."""
        return self.endpoint in (None, endpoint) and _is_named(self.model, model)


def _is_named(pattern: str, model: str) -> bool:
    return model.startswith(pattern[:-1]) if pattern.endswith("*") else model == pattern


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


def context_window(endpoint: Endpoint, model: str, own: Iterable[OwnWindow] = ()) -> int | None:
    """Tokens that a model's context holds, by one's own settings or as published; None where neither says."""
    for window in own:
        if window.fits(endpoint.name, model):
            return window.tokens
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
    """Nano-dollars for one request, rounded half up once at the end; None: not known.

    It is not known where the server did not count what has a price, or tells of a service tier, sound or tools whose
    price is not known.
    `busy_s`: its share of the seconds in which the server was busy, for servers that are paid by the hour.
    Every token is billed at one price only: cached, cache-write and sound tokens are parts of the input.
    """
    time = prices.per_second * Fraction(busy_s) if prices.per_second else _NOTHING
    if not prices.costs_tokens:
        # Whatever such a server counted, it comes to nothing.
        return _half_up(time.numerator, time.denominator)
    if usage.input_tokens is None and usage.output_tokens is None:
        return None
    held = prices.at(max(0, usage.input_tokens or 0))
    factor, fees = prices.factor(usage.tier), _fees(usage, prices)
    given, made = _input_parts(usage, held), _output_parts(usage, held)
    if factor is None or fees is None or given is None or made is None:
        return None
    if usage.region or batch:
        factor *= IN_REGION.get(usage.region or "", 1) * (held.batch if batch else 1)
    tokens, per = summed((*given, *made))
    tokens, per = tokens * factor.numerator, per * factor.denominator
    besides = time + fees if time or fees else _NOTHING
    return _half_up(tokens * besides.denominator + besides.numerator * per, per * besides.denominator)


Part = tuple[int, Fraction]
"""So many tokens at that price."""


def summed(parts: Iterable[Part]) -> tuple[int, int]:
    """What parts cost together, as numerator and denominator.

    This is asked for every request. Sums of fractions, which look for a common divisor at every step, cost as much as
    sending it; whole numbers a tenth of that, and they are as exact.
    """
    numerator, denominator = 0, 1
    for tokens, price in parts:
        if not tokens:
            continue
        per = price.denominator
        if per == denominator:
            numerator += tokens * price.numerator
        else:
            numerator, denominator = numerator * per + tokens * price.numerator * denominator, denominator * per
    return numerator, denominator


def _input_parts(usage: Usage, held: UnitPrices) -> tuple[Part, ...] | None:
    if usage.input_tokens is None and (held.input or held.sound):
        return None
    given = max(0, usage.input_tokens or 0)
    if not (usage.cached_tokens or usage.cache_write_tokens or usage.sound_tokens):
        return ((given, held.input),)
    cached = _part(usage.cached_tokens, given)
    written = _part(usage.cache_write_tokens, given - cached)
    long = _part(usage.long_write_tokens, written)
    sound = _part(usage.sound_tokens, given - cached - written)
    if sound and held.sound is None:
        return None
    return (
        (given - cached - written - sound, held.input),
        (cached, held.input if held.cached is None else held.cached),
        (written - long, held.input if held.cache_write is None else held.cache_write),
        (long, held.for_long_write if long else _NOTHING),
        (sound, held.sound or _NOTHING),
    )


def _output_parts(usage: Usage, held: UnitPrices) -> tuple[Part, ...] | None:
    if usage.output_tokens is None and (held.output or held.speech):
        return None
    made = max(0, usage.output_tokens or 0)
    if not usage.spoken_tokens:
        return ((made, held.output),)
    spoken = _part(usage.spoken_tokens, made)
    if spoken and held.speech is None:
        return None
    return (made - spoken, held.output), (spoken, held.speech or _NOTHING)


def _fees(usage: Usage, prices: UnitPrices) -> Fraction | None:
    """What is paid beside the tokens."""
    searches = usage.web_searches or 0
    if usage.code_runs or (searches and prices.web_search is None):
        return None
    return prices.per_request + searches * (prices.web_search or 0) if searches else prices.per_request


def _part(tokens: int | None, of: int) -> int:
    return min(of, max(0, tokens)) if tokens else 0


def _half_up(numerator: int, denominator: int) -> int:
    """The nearest whole number to a fraction of whole numbers."""
    return (2 * numerator + denominator) // (2 * denominator)


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
    prices = _from_table(info.get_prices(datetime.now(tz=UTC)), f"genai-prices: {provider.id}")
    if prices is None:
        return None
    if provider.id == "google" and prices.sound is None:
        # Its price list names sound only where it costs more than text.
        steps = (replace(tier, prices=replace(tier.prices, sound=tier.prices.input)) for tier in prices.above)
        prices = replace(prices, sound=prices.input, above=tuple(steps))
    return replace(prices, tiers=openai_tiers(model)) if provider.id == "openai" else prices


def _find(endpoint: Endpoint, model: str) -> tuple[Provider, ModelInfo] | None:
    """From the table that ships with genai-prices; it makes no network call unless asked to update."""
    from genai_prices.data_snapshot import get_snapshot

    try:
        return get_snapshot().find_provider_model(model, None, None, endpoint.base_url)
    except LookupError:
        return None


def _from_table(price: ModelPrice, source: str) -> UnitPrices | None:
    parts = [getattr(price, name, None) for name in _PARTS]
    steps = sorted({start for part in parts for start in _steps(part)})
    levels = ((start, _level(parts, start, source)) for start in steps)
    tiers = tuple(Tier(start, prices) for start, prices in levels if prices is not None)
    base = _level(parts, 0, source)
    if base is None:
        return None
    request, search = (getattr(price, name, None) for name in ("requests_kcount", "web_searches_kcount"))
    return replace(
        base,
        above=tiers,
        per_request=Fraction(0) if request is None else _fee(request),
        web_search=None if search is None else _fee(search),
    )


_PARTS = (
    *("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok"),
    *("cache_write_1h_mtok", "input_audio_mtok", "output_audio_mtok"),
)
"""The table's names of what `UnitPrices` has."""


def _level(parts: Sequence[Decimal | TieredPrices | None], tokens: int, source: str) -> UnitPrices | None:
    prices = [None if part is None else _nano(_usd(part, tokens)) for part in parts]
    given, made, read, written, kept, sound, speech = prices
    if given is None:
        return None
    # Embedding models have no price for output because they have none.
    return UnitPrices(
        given, made or Fraction(0), read, written, source=source, long_write=kept, sound=sound, speech=speech
    )


def _fee(usd_per_thousand: Decimal | TieredPrices) -> Fraction:
    return Fraction(str(_usd(usd_per_thousand, 0))) * NANO / 1_000


def _steps(part: Decimal | TieredPrices | None) -> Iterable[int]:
    return () if part is None or isinstance(part, Decimal) else [tier.start for tier in part.tiers]


def _usd(part: Decimal | TieredPrices, tokens: int) -> Decimal:
    if isinstance(part, Decimal):
        return part
    return next((tier.price for tier in reversed(part.tiers) if tokens >= tier.start), part.base)
