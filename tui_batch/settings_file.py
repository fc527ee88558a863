"""The settings file: its fields, and what is told when one is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from tui_batch.domain.endpoint import Api, Endpoint, KeySource
from tui_batch.domain.job import MOST_DOLLARS, NANO
from tui_batch.errors import UserError
from tui_batch.gpu.exporters import exporter_url
from tui_batch.inputs.job_problems import explain, looks_secret, refuse_secrets
from tui_batch.inputs.yaml_document import Document, load
from tui_batch.money.prices import OwnPrice, OwnWindow, UnitPrices
from tui_batch.paths import default_db, expanded
from tui_batch.providers.catalog import from_url, guess_api, known
from tui_batch.settings import Settings

MOST_PRICE = 100_000
"""The largest price, in dollars: for a million tokens, or an hour. Sums of such prices still fit the database."""
MOST_TIER = 1_000
"""The largest multiple of a service tier."""

_Dollars = Annotated[float, Field(ge=0, le=MOST_PRICE)]


def _key_source(text: str) -> str:
    KeySource.parse(text)
    return text


_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, section 5.1."""
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
"""What every HTTP library sends: RFC 9110, section 5.5, without what it calls obsolete."""


def _header_name(text: str) -> str:
    if not _HEADER_NAME.fullmatch(text):
        raise ValueError("is no header's name: it has letters, digits and -, such as X-Team")
    return text


def _header_value(text: str) -> str:
    if not _HEADER_VALUE.fullmatch(text):
        raise ValueError("cannot be sent: a header's value is one line of plain ASCII characters")
    return text


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class _Endpoint(_Part):
    name: Annotated[str, Field(min_length=1, max_length=80)]
    base_url: str | None = None
    api: Api | None = None
    key: Annotated[str, AfterValidator(_key_source)] | None = None
    headers: dict[Annotated[str, AfterValidator(_header_name)], Annotated[str, AfterValidator(_header_value)]] = {}
    max_in_flight: PositiveInt | None = None
    rpm: PositiveInt | None = None
    tpm: PositiveInt | None = None
    rpd: PositiveInt | None = None


class _Price(_Part):
    model: Annotated[str, Field(min_length=1)]
    endpoint: str | None = None
    input: _Dollars = 0.0
    output: _Dollars = 0.0
    cached: _Dollars | None = None
    cache_write: _Dollars | None = None
    gpu_hour: _Dollars | None = None
    tiers: dict[str, Annotated[float, Field(ge=0, le=MOST_TIER)]] = {}


class _Window(_Part):
    model: Annotated[str, Field(min_length=1)]
    endpoint: str | None = None
    tokens: PositiveInt


class _File(_Part):
    endpoints: tuple[_Endpoint, ...] = ()
    default_endpoint: str = ""
    default_model: str = ""
    prices: tuple[_Price, ...] = ()
    windows: tuple[_Window, ...] = ()
    day_budget_usd: Annotated[float, Field(ge=0, le=MOST_DOLLARS)] | None = None
    ca_file: str | None = None
    gpu_exporters: tuple[Annotated[str, AfterValidator(exporter_url)], ...] = ()
    db: str | None = None


def read_settings(file: Path) -> Settings:
    """What the file says. Blocks. Raises InputError naming file, line and field."""
    document = load(file)
    if document.value is None:
        return Settings(path=file)
    if not isinstance(document.value, Mapping):
        raise document.error((), "is not a settings file", "Settings are fields with values, such as: endpoints:")
    refuse_literal_keys(document)
    try:
        parsed = _File.model_validate(document.value)
    except ValidationError as error:
        raise explain(document, error, _File) from None
    return _settings(document, parsed, file)


_KEY_FIELDS = frozenset({"api_key", "apikey", "api-key", "token", "secret", "password"})
"""What people call the field that other programs keep a key in."""
_KEY_HEADER = re.compile(
    r"(?:^|[-_])(?:auth|authorization|token|secret|password|cookie|api[-_]?key|access-key|subscription-key|virtual-key)$",
    re.IGNORECASE,
)
"""Names of headers that carry a key, gateways' own ones too: Helicone-Auth, X-Portkey-Api-Key, cf-aig-authorization."""


def refuse_literal_keys(document: Document) -> None:
    """Raises InputError, which does not repeat the value, where a key itself stands in place of its whereabouts."""
    endpoints = document.value.get("endpoints")
    for position, entry in enumerate(endpoints if isinstance(endpoints, list) else ()):
        if isinstance(entry, dict):
            _refuse_in_endpoint(document, position, entry)
    refuse_secrets(
        replace(document, value={name: part for name, part in document.value.items() if name != "endpoints"})
    )


def _refuse_in_endpoint(document: Document, position: int, entry: dict[Any, Any]) -> None:
    for name in entry:
        if str(name).lower() in _KEY_FIELDS:
            raise document.error(("endpoints", position, name), "a key does not belong in the settings", _KEY_REMEDY)
    key = entry.get("key")
    if isinstance(key, str) and not key.startswith(("env:", "keyring:")) and key != "none":
        reason = "must say where the key is, never the key itself"
        raise document.error(("endpoints", position, "key"), reason, _KEY_REMEDY)
    headers = entry.get("headers")
    for name, value in headers.items() if isinstance(headers, dict) else ():
        if _KEY_HEADER.search(str(name)) or looks_secret(value):
            reason = "a key does not belong in the settings"
            raise document.error(("endpoints", position, "headers", name), reason, _KEY_REMEDY)


_KEY_REMEDY = "Write key: env:VARIABLE or key: keyring:NAME; the right header is made from it."


def _settings(document: Document, parsed: _File, file: Path) -> Settings:
    endpoints: dict[str, Endpoint] = {}
    for position, entry in enumerate(parsed.endpoints):
        if entry.name in endpoints:
            raise document.error(("endpoints", position, "name"), f"{entry.name} is the name of an endpoint above")
        endpoints[entry.name] = _endpoint(document, position, entry)
    base = file.parent
    return Settings(
        endpoints=tuple(endpoints.values()),
        default_endpoint=parsed.default_endpoint,
        default_model=parsed.default_model,
        prices=tuple(_price(document, position, price) for position, price in enumerate(parsed.prices)),
        windows=tuple(OwnWindow(window.model, window.tokens, window.endpoint) for window in parsed.windows),
        day_budget_nano=None if parsed.day_budget_usd is None else round(parsed.day_budget_usd * NANO),
        ca_file=base / expanded(parsed.ca_file) if parsed.ca_file else None,
        gpu_exporters=parsed.gpu_exporters,
        db=base / expanded(parsed.db) if parsed.db else default_db(),
        path=file,
    )


def _endpoint(document: Document, position: int, entry: _Endpoint) -> Endpoint:
    if entry.base_url is None:
        made = known(entry.name)
    else:
        try:
            made = from_url(entry.base_url, entry.api or guess_api(entry.base_url), name=entry.name)
        except UserError as error:
            raise document.error(("endpoints", position, "base_url"), error.message, error.remedy) from None
    if made is None:
        raise document.error(
            ("endpoints", position, "base_url"),
            f"is missing, and {entry.name} is no provider known by name",
            "Give it like this: base_url: http://localhost:8000/v1",
        )
    changes: dict[str, Any] = {name: getattr(entry, name) for name in ("max_in_flight", "rpm", "tpm", "rpd")}
    changes = {name: value for name, value in changes.items() if value is not None}
    if entry.api is not None:
        changes["api"] = entry.api
    if entry.key is not None:
        changes["key"] = KeySource.parse(entry.key)
    return replace(made, headers=tuple(entry.headers.items()), **changes)


def _price(document: Document, position: int, price: _Price) -> OwnPrice:
    if price.gpu_hour is None and not {"input", "output"} <= price.model_fields_set:
        remedy = "Give dollars for a million tokens, input and output, or gpu_hour for a server of your own."
        raise document.error(("prices", position), "is no price", remedy)
    prices = UnitPrices.per_mtok(
        price.input,
        price.output,
        cached_usd=price.cached,
        cache_write_usd=price.cache_write,
        gpu_hour_usd=price.gpu_hour or 0,
        tiers=price.tiers,
        source="settings",
    )
    return OwnPrice(price.model, prices, price.endpoint)
