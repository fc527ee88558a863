"""What a provider's name or a bare URL stands for, where keys come from, and what answers on this machine."""

from __future__ import annotations

import json
import sys
from types import ModuleType

import pytest

from tui_batch.domain.endpoint import Api, Endpoint, KeyKind, KeySource
from tui_batch.errors import UserError
from tui_batch.providers.base import FailureKind, HttpRequest, HttpResponse, TransportFailure
from tui_batch.providers.catalog import CATALOG, from_url, guess_api, in_environment, known, names, normal_url, owner_of
from tui_batch.providers.discovery import find_local_servers, list_models
from tui_batch.providers.keys import is_available, resolve_key

NONE: dict[str, str] = {}


def test_every_promised_name_is_known() -> None:
    promised = "openai anthropic gemini openrouter groq together mistral deepseek ollama vllm llama.cpp lmstudio"
    assert set(names()) == set(promised.split())
    for entry in CATALOG:
        endpoint = known(entry.name, NONE)
        assert endpoint is not None
        assert endpoint.base_url == normal_url(endpoint.base_url, endpoint.api), "already in its final form"
        assert (endpoint.key == KeySource()) == entry.is_local
    assert known("nobody", NONE) is None
    assert known("OpenAI", NONE) is not None


def test_a_provider_takes_the_first_key_that_is_set() -> None:
    gemini = known("gemini", {"GOOGLE_API_KEY": "x"})
    assert gemini is not None
    assert str(gemini.key) == "env:GOOGLE_API_KEY"


@pytest.mark.parametrize("name", ["vllm", "llama.cpp", "lmstudio", "ollama"])
def test_a_server_of_ones_own_that_wants_a_key_is_given_one(name: str) -> None:
    """`vllm serve --api-key` and proxies before Ollama: by name as by address."""
    own = known(name, {"LLMBATCH_API_KEY": "x", "OPENAI_API_KEY": "y"})
    assert own is not None
    assert str(own.key) == "env:LLMBATCH_API_KEY"


URLS = [
    ("http://localhost:8000", Api.OPENAI, "http://localhost:8000/v1"),
    ("http://localhost:8000/", Api.OPENAI, "http://localhost:8000/v1"),
    ("localhost:8000", Api.OPENAI, "http://localhost:8000/v1"),
    ("https://gw.example/llm/v2/", Api.OPENAI, "https://gw.example/llm/v2"),
    ("https://gw.example/v1/chat/completions", Api.OPENAI, "https://gw.example/v1"),
    ("http://127.0.0.1:11434", Api.OLLAMA, "http://127.0.0.1:11434"),
    ("http://127.0.0.1:11434/api", Api.OLLAMA, "http://127.0.0.1:11434"),
    ("http://127.0.0.1:11434/v1", Api.OPENAI, "http://127.0.0.1:11434/v1"),
    ("http://gpu-box/api", Api.OLLAMA, "http://gpu-box"),
    ("https://api.anthropic.com/v1", Api.ANTHROPIC, "https://api.anthropic.com"),
    ("https://api.deepseek.com/anthropic", Api.ANTHROPIC, "https://api.deepseek.com/anthropic"),
    ("http://[::1]:8080", Api.OPENAI, "http://[::1]:8080/v1"),
]


@pytest.mark.parametrize(("given", "api", "expected"), URLS)
def test_a_url_alone_is_enough(given: str, api: Api, expected: str) -> None:
    assert guess_api(given) is api
    assert from_url(given, environment=NONE).base_url == expected


@pytest.mark.parametrize(
    "url",
    ["", "http://", "http://host:port/", "http://host:99999", "http://[::1", "http://a b:1", "http://h/a b", "h\n/v1"],
)
def test_what_is_no_url_is_said_so(url: str) -> None:
    with pytest.raises(UserError, match="base URL"):
        from_url(url, environment=NONE)


def test_a_password_in_a_url_is_refused_without_being_repeated() -> None:
    with pytest.raises(UserError) as raised:
        from_url("https://me:hunter22@gw.example/v1", environment=NONE)
    assert "hunter22" not in str(raised.value)


def test_a_query_in_a_url_is_refused_without_being_repeated() -> None:
    with pytest.raises(UserError, match="query") as raised:
        from_url("https://gw.example/v1?key=hunter22", environment=NONE)
    assert "hunter22" not in str(raised.value)


KEYS = [
    ("https://api.openai.com/v1", {}, "env:OPENAI_API_KEY"),
    ("https://api.groq.com/openai/v1", {"OPENAI_API_KEY": "x"}, "env:GROQ_API_KEY"),
    ("https://gw.example/v1", {"OPENAI_API_KEY": "x"}, "none"),
    ("https://gw.example/v1", {"LLMBATCH_API_KEY": "x"}, "env:LLMBATCH_API_KEY"),
    (
        "https://gw.example/v1",
        {"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": "https://gw.example/v1/"},
        "env:OPENAI_API_KEY",
    ),
    ("http://localhost:9000", {"OPENAI_API_KEY": "x"}, "env:OPENAI_API_KEY"),
    ("http://localhost:9000", {}, "none"),
    ("http://localhost.evil.example:9000", {"OPENAI_API_KEY": "x"}, "none"),
    ("http://127.evil.example:9000", {"OPENAI_API_KEY": "x"}, "none"),
    ("http://127.0.0.1:11434", {"OPENAI_API_KEY": "x"}, "none"),
    ("http://localhost:8000", {"OPENAI_API_KEY": "x"}, "none"),
    ("http://localhost:8000", {"LLMBATCH_API_KEY": "x"}, "env:LLMBATCH_API_KEY"),
]


@pytest.mark.parametrize(("url", "environment", "expected"), KEYS)
def test_a_providers_key_goes_to_that_provider_only(url: str, environment: dict[str, str], expected: str) -> None:
    assert str(from_url(url, environment=environment).key) == expected


@pytest.mark.parametrize("url", ["http://api.openai.com/v1", "api.openai.com", "HTTP://API.OpenAI.com/v1/"])
def test_a_hosted_providers_key_is_never_sent_in_the_clear(url: str) -> None:
    endpoint = from_url(url, environment={"OPENAI_API_KEY": "x"})

    assert (endpoint.base_url.lower(), endpoint.name) == ("https://api.openai.com/v1", "openai")


@pytest.mark.parametrize("name", ["openai", "anthropic"])
@pytest.mark.parametrize("url", ["http://api.openai.com", "http://API.anthropic.com:80/", "api.openai.com"])
def test_nor_where_a_variable_says_so(name: str, url: str) -> None:
    environment = {f"{name.upper()}_BASE_URL": url, f"{name.upper()}_API_KEY": "x"}
    moved = known(name, environment)
    assert moved is not None
    for one in (moved, from_url(url, environment=environment)):
        host = one.base_url.lower().removesuffix("/v1")
        assert host in ("https://api.openai.com", "https://api.anthropic.com")


OLLAMA_HOSTS = [
    ("", "http://localhost:11434"),
    ("0.0.0.0", "http://127.0.0.1:11434"),
    ("gpu-box:9999", "http://gpu-box:9999"),
    ("https://ollama.example", "https://ollama.example"),
]


@pytest.mark.parametrize(("value", "expected"), OLLAMA_HOSTS)
def test_ollama_host_is_honoured(value: str, expected: str) -> None:
    endpoint = known("ollama", {"OLLAMA_HOST": value})
    assert endpoint is not None
    assert endpoint.base_url == expected


@pytest.mark.parametrize("value", [":11434", "http://", "host:port", "http://me:hunter22@box"])
def test_a_variable_that_is_no_address_is_named(value: str) -> None:
    """Nobody who reads `is not a base URL` thinks of a variable that was set long ago."""
    with pytest.raises(UserError, match=r"^OLLAMA_HOST: ") as raised:
        known("ollama", {"OLLAMA_HOST": value})
    assert "OLLAMA_HOST" in raised.value.message
    assert "unset it" in raised.value.remedy
    assert "hunter22" not in str(raised.value)


def test_ollama_gets_one_request_more_than_it_has_slots() -> None:
    for environment, expected in (({}, 2), ({"OLLAMA_NUM_PARALLEL": "4"}, 5), ({"OLLAMA_NUM_PARALLEL": "no"}, 2)):
        endpoint = known("ollama", environment)
        assert endpoint is not None
        assert endpoint.max_in_flight == expected


def test_openai_base_url_is_honoured_and_a_local_server_needs_no_key() -> None:
    moved = known("openai", {"OPENAI_BASE_URL": "http://localhost:4000"})
    assert moved == Endpoint("openai", Api.OPENAI, "http://localhost:4000/v1")
    with_key = known("openai", {"OPENAI_BASE_URL": "http://localhost:4000", "OPENAI_API_KEY": "x"})
    assert with_key is not None
    assert str(with_key.key) == "env:OPENAI_API_KEY"


def test_models_that_belong_to_one_provider() -> None:
    owners = {
        model: owner.name if (owner := owner_of(model)) else None for model in ("gpt-4o", "claude-x", "llama3", "")
    }
    assert owners == {"gpt-4o": "openai", "claude-x": "anthropic", "llama3": None, "": None}
    assert [entry.name for entry in in_environment({"GROQ_API_KEY": "x", "OPENAI_API_KEY": ""})] == ["groq"]


# --- keys ------------------------------------------------------------------------------------------------------


def test_a_key_comes_from_its_variable() -> None:
    source = KeySource(KeyKind.ENV, "MY_KEY")
    assert resolve_key(source, {"MY_KEY": " abc\n"}) == "abc"
    assert resolve_key(KeySource(), {}) is None
    assert is_available(source, {"MY_KEY": "abc"})
    assert not is_available(source, {})


def test_a_missing_key_names_the_variable_and_what_to_do() -> None:
    with pytest.raises(UserError, match="MY_KEY") as raised:
        resolve_key(KeySource(KeyKind.ENV, "MY_KEY"), {})
    assert "MY_KEY" in raised.value.remedy


def test_a_key_with_odd_characters_is_refused_without_being_shown() -> None:
    with pytest.raises(UserError, match="MY_KEY") as raised:
        resolve_key(KeySource(KeyKind.ENV, "MY_KEY"), {"MY_KEY": "abc\u200bdef"})
    assert "def" not in str(raised.value)


class FakeKeyring(ModuleType):
    """A keyring module that holds one entry."""

    def get_password(self, service: str, name: str) -> str | None:
        return "from-ring" if (service, name) == ("llmbatch-tui", "work") else None


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = ModuleType("keyring.errors")
    errors.KeyringError = type("KeyringError", (Exception,), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", FakeKeyring("keyring"))
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)


@pytest.mark.usefixtures("keyring")
def test_a_key_comes_from_the_keyring() -> None:
    assert resolve_key(KeySource(KeyKind.KEYRING, "work")) == "from-ring"
    with pytest.raises(UserError, match="other"):
        resolve_key(KeySource(KeyKind.KEYRING, "other"))


@pytest.mark.usefixtures("keyring")
def test_a_key_of_the_keyring_is_held_to_what_one_of_a_variable_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a header cannot hold would make every row dead, one by one."""
    monkeypatch.setattr(FakeKeyring, "get_password", lambda *_: " key \n")
    assert resolve_key(KeySource(KeyKind.KEYRING, "work")) == "key"
    monkeypatch.setattr(FakeKeyring, "get_password", lambda *_: "two\nlines-of-a-key")
    with pytest.raises(UserError, match="characters that no key has") as raised:
        resolve_key(KeySource(KeyKind.KEYRING, "work"))
    assert "lines-of" not in str(raised.value)


def test_without_the_keyring_extra_the_remedy_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(UserError) as raised:
        resolve_key(KeySource(KeyKind.KEYRING, "work"))
    assert "llmbatch-tui[keyring]" in raised.value.remedy


# --- discovery -------------------------------------------------------------------------------------------------


class LocalPorts:
    """A machine on which some addresses answer."""

    def __init__(self, answers: dict[str, HttpResponse]) -> None:
        self.answers = answers
        self.seen: list[HttpRequest] = []

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.seen.append(request)
        if request.url not in self.answers:
            raise TransportFailure(FailureKind.CONNECT, "refused")
        return self.answers[request.url]

    async def aclose(self) -> None:
        """Nothing to close."""


def listing(*models: str) -> HttpResponse:
    return HttpResponse(200, {}, json.dumps({"data": [{"id": model} for model in models]}).encode())


async def test_servers_on_usual_ports_are_found_and_strangers_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    tags = HttpResponse(200, {}, b'{"models": [{"name": "llama3:8b"}]}')
    machine = LocalPorts(
        {
            "http://localhost:11434/api/tags": tags,
            "http://localhost:8000/v1/models": listing("qwen"),
            "http://localhost:8080/v1/models": HttpResponse(200, {}, b"<html>a blog</html>"),
            "http://localhost:1234/v1/models": HttpResponse(404, {}, b"{}"),
        }
    )
    found = await find_local_servers(machine)
    assert {server.endpoint.name: [model.id for model in server.models] for server in found} == {
        "ollama": ["llama3:8b"],
        "vllm": ["qwen"],
    }
    assert len(machine.seen) == 4
    assert all(request.timeouts.total_s <= 1 for request in machine.seen)


async def test_models_are_asked_for_with_the_key() -> None:
    endpoint = from_url("https://gw.example/v1", environment=NONE)
    machine = LocalPorts({"https://gw.example/v1/models": listing("a", "b")})
    assert [model.id for model in await list_models(endpoint, machine, "k")] == ["a", "b"]
    assert ("authorization", "Bearer k") in machine.seen[0].headers
    assert machine.seen[0].body is None


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        (HttpResponse(401, {}, b"no"), "env:OPENAI_API_KEY"),
        (HttpResponse(404, {}, b"no"), "-m MODEL"),
        (HttpResponse(503, {}, b"no"), "Try again"),
        (HttpResponse(200, {}, b"{}"), "--api"),
        (None, "the server runs"),
    ],
)
async def test_who_cannot_have_the_models_is_told_what_to_do(answer: HttpResponse | None, remedy: str) -> None:
    endpoint = from_url("https://api.openai.com/v1", environment=NONE)
    machine = LocalPorts({} if answer is None else {"https://api.openai.com/v1/models": answer})
    with pytest.raises(UserError) as raised:
        await list_models(endpoint, machine, "k")
    assert remedy in raised.value.remedy


async def test_a_refusal_is_told_in_the_servers_words() -> None:
    endpoint = from_url("https://gw.example/v1", environment=NONE)
    refused = HttpResponse(401, {}, b'{"error": {"message": "Incorrect API key provided: sk-abcdefghij"}}')
    with pytest.raises(UserError, match="401: Incorrect API key provided") as raised:
        await list_models(endpoint, LocalPorts({"https://gw.example/v1/models": refused}), "k")
    assert "abcdefghij" not in str(raised.value)
