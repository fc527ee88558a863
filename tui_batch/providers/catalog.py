"""Providers and servers known by name, and the endpoint that a name or a bare URL stands for."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from tui_batch.domain.endpoint import Api, Endpoint, KeyKind, KeySource
from tui_batch.errors import UserError

OWN_KEY = "LLMBATCH_API_KEY"
"""Environment variable with the key of a server that is no hosted provider's."""
OLLAMA_PORT = 11434
OLLAMA_IN_FLIGHT = 2
"""OLLAMA_NUM_PARALLEL is 1 by default: one request is being answered, one more waits so that the GPU never does."""


@dataclass(frozen=True, slots=True)
class KnownProvider:
    """A provider or server program that people call by name."""

    name: str
    api: Api
    base_url: str
    keys: tuple[str, ...] = ()
    """Environment variables that may hold its key, the usual one first."""
    url_variable: str = ""
    """Environment variable by which its own clients are pointed elsewhere."""
    models: tuple[str, ...] = ()
    """Beginnings of model names that belong to it alone."""

    @property
    def is_local(self) -> bool:
        """Runs on a person's own machine and needs no key."""
        return not self.keys


CATALOG: tuple[KnownProvider, ...] = (
    KnownProvider(
        "openai",
        Api.OPENAI,
        "https://api.openai.com/v1",
        ("OPENAI_API_KEY",),
        "OPENAI_BASE_URL",
        ("gpt-", "o1", "o3", "o4", "chatgpt-", "text-embedding-"),
    ),
    KnownProvider(
        "anthropic",
        Api.ANTHROPIC,
        "https://api.anthropic.com",
        ("ANTHROPIC_API_KEY",),
        "ANTHROPIC_BASE_URL",
        ("claude",),
    ),
    KnownProvider(
        "gemini",
        Api.OPENAI,
        "https://generativelanguage.googleapis.com/v1beta/openai",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        models=("gemini",),
    ),
    KnownProvider("openrouter", Api.OPENAI, "https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",)),
    KnownProvider("groq", Api.OPENAI, "https://api.groq.com/openai/v1", ("GROQ_API_KEY",)),
    KnownProvider("together", Api.OPENAI, "https://api.together.xyz/v1", ("TOGETHER_API_KEY",)),
    KnownProvider(
        "mistral", Api.OPENAI, "https://api.mistral.ai/v1", ("MISTRAL_API_KEY",), models=("mistral-", "codestral-")
    ),
    KnownProvider(
        "deepseek",
        Api.OPENAI,
        "https://api.deepseek.com/v1",
        ("DEEPSEEK_API_KEY",),
        models=("deepseek-chat", "deepseek-reasoner"),
    ),
    KnownProvider("ollama", Api.OLLAMA, f"http://localhost:{OLLAMA_PORT}", url_variable="OLLAMA_HOST"),
    KnownProvider("vllm", Api.OPENAI, "http://localhost:8000/v1"),
    KnownProvider("llama.cpp", Api.OPENAI, "http://localhost:8080/v1"),
    KnownProvider("lmstudio", Api.OPENAI, "http://localhost:1234/v1"),
)
"""Base URLs and key variables as the providers' own documentation gives them."""

_TOO_MUCH: Mapping[Api, tuple[str, ...]] = {
    Api.OPENAI: ("/chat/completions",),
    Api.ANTHROPIC: ("/messages", "/v1"),
    Api.OLLAMA: ("/api",),
}
"""What people write at the end of an address although requests bring it along."""

_BLANK = re.compile(r"[\s\x00-\x1f\x7f]")

_HOSTED = frozenset(urlsplit(entry.base_url).hostname for entry in CATALOG if entry.base_url.startswith("https://"))

_BY_NAME = {entry.name: entry for entry in CATALOG}


def names() -> tuple[str, ...]:
    """Every name that `--endpoint` knows without settings."""
    return tuple(_BY_NAME)


def known(name: str, environment: Mapping[str, str] | None = None) -> Endpoint | None:
    """The endpoint of a known provider; None for any other name. Raises UserError for a variable that is no address."""
    entry = _BY_NAME.get(name.lower())
    if entry is None:
        return None
    environment = os.environ if environment is None else environment
    moved = environment.get(entry.url_variable, "").strip() if entry.url_variable else ""
    base_url = _moved_url(entry, moved) if moved else entry.base_url
    key = _key(entry, environment)
    if moved and is_loopback(base_url) and not environment.get(key.name):
        key = KeySource()  # a server on this machine needs none
    in_flight = _ollama_in_flight(environment) if entry.api is Api.OLLAMA else None
    return Endpoint(entry.name, entry.api, base_url, key, max_in_flight=in_flight)


def _moved_url(entry: KnownProvider, moved: str) -> str:
    """Where a provider's own variable points. Raises UserError naming the variable."""
    try:
        return over_tls(normal_url(moved, entry.api))
    except UserError as error:
        remedy = f"Set it as {entry.base_url}, or unset it."
        raise UserError(f"{entry.url_variable}: {error.message}", remedy=remedy) from None


def from_url(
    base_url: str,
    api: Api | None = None,
    *,
    name: str = "",
    key: KeySource | None = None,
    environment: Mapping[str, str] | None = None,
) -> Endpoint:
    """The endpoint at a URL. Wire format, path and key are found where they are not given. Raises UserError.

    A hosted provider's host brings its key variable, and TLS whatever was written. Any other host gets LLMBATCH_API_KEY
    where that is set. Only a server on this machine, or the one that OPENAI_BASE_URL or ANTHROPIC_BASE_URL names, is
    sent that provider's key.
    """
    environment = os.environ if environment is None else environment
    api = api or guess_api(base_url)
    url = over_tls(normal_url(base_url, api))
    host = urlsplit(url)
    entry = next((entry for entry in CATALOG if urlsplit(entry.base_url).netloc == host.netloc.lower()), None)
    if key is None:
        key = _key_elsewhere(url, api, environment) if entry is None else _key(entry, environment)
    in_flight = _ollama_in_flight(environment) if api is Api.OLLAMA else None
    return Endpoint(name or _name_of(host, entry), api, url, key, max_in_flight=in_flight)


def guess_api(base_url: str) -> Api:
    """The wire format a URL speaks, by its port, path and host."""
    parts = _split(base_url, "http")
    if (parts.port == OLLAMA_PORT and not parts.path.startswith("/v1")) or parts.path.rstrip("/") == "/api":
        return Api.OLLAMA
    if "anthropic" in (parts.hostname or "") or parts.path.rstrip("/").endswith("/anthropic"):
        return Api.ANTHROPIC
    return Api.OPENAI


def normal_url(base_url: str, api: Api) -> str:
    """The URL that paths are appended to: with a scheme, no slash at its end, /v1 where only a host was given.

    What `_TOO_MUCH` names at its end is taken off: the wire format's own paths begin with it.
    """
    parts = _split(base_url, "http")
    path = parts.path.rstrip("/")
    for ending in _TOO_MUCH.get(api, ()):
        path = path.removesuffix(ending)
    if api is Api.OPENAI:
        path = path or "/v1"
    if api is Api.OLLAMA and parts.port is None and "://" not in base_url:
        parts = parts._replace(netloc=f"{parts.netloc}:{OLLAMA_PORT}")
    if parts.hostname == "0.0.0.0":
        parts = parts._replace(netloc=parts.netloc.replace("0.0.0.0", "127.0.0.1"))
    return f"{parts.scheme}://{parts.netloc}{path}"


def over_tls(url: str) -> str:
    """The URL with https where its host is a hosted provider's: a key for it is never sent in the clear."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in _HOSTED:
        return url
    netloc = parts.netloc.removesuffix(":80") if parts.port == 80 else parts.netloc
    return parts._replace(scheme="https", netloc=netloc).geturl()


def owner_of(model: str) -> KnownProvider | None:
    """The provider whose model names begin like this one; None when several might serve it."""
    return next((entry for entry in CATALOG if model.startswith(entry.models)), None) if model else None


def in_environment(environment: Mapping[str, str] | None = None) -> tuple[KnownProvider, ...]:
    """The hosted providers whose key is set, in the catalogue's order."""
    environment = os.environ if environment is None else environment
    return tuple(entry for entry in CATALOG if any(environment.get(name) for name in entry.keys))


def _key(entry: KnownProvider, environment: Mapping[str, str]) -> KeySource:
    if not entry.keys:  # a server of one's own: most want no key
        return KeySource(KeyKind.ENV, OWN_KEY) if environment.get(OWN_KEY) else KeySource()
    return KeySource(KeyKind.ENV, next((name for name in entry.keys if environment.get(name)), entry.keys[0]))


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"  # a name may well begin with 127


def _key_elsewhere(url: str, api: Api, environment: Mapping[str, str]) -> KeySource:
    """The key for a server that is no known provider's."""
    if environment.get(OWN_KEY):
        return KeySource(KeyKind.ENV, OWN_KEY)
    vendor = _BY_NAME.get(api.value)
    if vendor is None or not any(environment.get(name) for name in vendor.keys):
        return KeySource()
    moved = environment.get(vendor.url_variable, "").strip()
    is_named = bool(moved) and urlsplit(_moved_url(vendor, moved)).netloc == urlsplit(url).netloc
    return _key(vendor, environment) if is_named or is_loopback(url) else KeySource()


def _ollama_in_flight(environment: Mapping[str, str]) -> int:
    parallel = environment.get("OLLAMA_NUM_PARALLEL", "")
    return int(parallel) + 1 if parallel.isascii() and parallel.isdigit() and int(parallel) else OLLAMA_IN_FLIGHT


def _split(base_url: str, scheme: str) -> SplitResult:
    text = base_url.strip()
    if "://" not in text:
        text = f"{scheme}://{text}"
    try:
        parts = urlsplit(text)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        port_is_fine, parts = False, SplitResult("", "", "", "", "")
    is_address = parts.hostname and port_is_fine and not parts.netloc.endswith(":") and not _BLANK.search(text)
    if not is_address or parts.scheme not in ("http", "https"):
        raise UserError(f"{base_url!r} is not a base URL", remedy="Give it like this: http://localhost:8000/v1")
    if parts.query or parts.fragment:
        raise UserError(
            "a base URL must not hold a query: requests would go out without it",
            remedy="Leave out what begins with ? or #. A key goes into an environment variable (key: env:NAME).",
        )
    if parts.username or parts.password:
        raise UserError(
            "a base URL must not hold a user name or password: it is stored and shown",
            remedy="Put the key into an environment variable and name that in the settings (key: env:NAME).",
        )
    return parts


def _name_of(host: SplitResult, entry: KnownProvider | None) -> str:
    if entry is not None:
        return entry.name
    return host.netloc
