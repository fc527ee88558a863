"""The settings file: what it can say, and what a mistake in it is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui_batch.domain.endpoint import Api, Endpoint, KeySource
from tui_batch.errors import InputError
from tui_batch.settings import Settings, load_settings


def settings(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("LLMBATCH_DB", "OPENAI_BASE_URL", "OPENAI_API_KEY", "OLLAMA_HOST", "LLMBATCH_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LLMBATCH_SETTINGS", str(tmp_path / "absent.yaml"))


def test_without_a_file_the_defaults_hold() -> None:
    defaults = load_settings()
    assert (defaults.endpoints, defaults.default_model, defaults.ca_file, defaults.path) == ((), "", None, None)


@pytest.mark.parametrize("text", ["", "# nothing yet\n"])
def test_an_empty_file_is_fine(tmp_path: Path, text: str) -> None:
    assert settings(tmp_path, text).endpoints == ()


def test_a_whole_file(tmp_path: Path) -> None:
    read = settings(
        tmp_path,
        """
endpoints:
  - name: gpu
    base_url: http://gpu-box:8000
    key: env:GPU_KEY
    headers: {X-Team: blue}
    max_in_flight: 32
    rpm: 600
    tpm: 90000
  - name: openai
    rpm: 500
  - name: olla
    base_url: http://127.0.0.1:11434
default_endpoint: gpu
default_model: qwen
ca_file: corp.pem
db: jobs.db
""",
    )
    gpu, openai, olla = read.endpoints
    assert gpu == Endpoint(
        "gpu",
        Api.OPENAI,
        "http://gpu-box:8000/v1",
        KeySource.parse("env:GPU_KEY"),
        (("X-Team", "blue"),),
        32,
        600,
        90000,
    )
    assert (openai.base_url, openai.rpm, str(openai.key)) == ("https://api.openai.com/v1", 500, "env:OPENAI_API_KEY")
    assert olla.api is Api.OLLAMA
    assert (read.default_endpoint, read.default_model) == ("gpu", "qwen")
    assert (read.ca_file, read.db) == (tmp_path / "corp.pem", tmp_path / "jobs.db"), "beside the file"
    assert read.endpoint("openai") is openai
    assert read.endpoint("groq") is not None
    assert read.endpoint("nobody") is None


MISTAKES = [
    ("endpoints:\n  - name: a\n    base_url: http://x:1\n    rpm: lots\n", 4, "rpm"),
    ("endpoints:\n  - name: a\n    base_url: http://x:1\n    max_in_flite: 3\n", 4, "max_in_flite"),
    ("endpoints:\n  - name: a\n", 2, "base_url"),
    ("endpoints:\n  - name: a\n    base_url: http://x:port\n", 3, "base_url"),
    ("endpoints:\n  - name: a\n    base_url: http://x:1\n  - name: a\n    base_url: http://y:1\n", 4, "name"),
    ("endpoints:\n  - name: a\n    base_url: http://x:1\n    key: hunter22hunter22\n", 4, "key"),
    (
        "endpoints:\n  - name: a\n    base_url: http://x:1\n    headers:\n      Authorization: hunter22hunter22\n",
        5,
        "Auth",
    ),
    ("endpoints:\n  - name: a\n    base_url: http://x:1\n    api: grpc\n", 4, "api"),
    ("default_modell: x\n", 1, "default_modell"),
    ("day_budget_usd: 1e300\n", 1, "day_budget_usd"),
    ("prices:\n  - model: a\n    input: 1e300\n    output: 1\n", 3, "input"),
    ("prices:\n  - model: a\n    gpu_hour: 1e18\n", 3, "gpu_hour"),
    ('endpoints:\n  - name: a\n    base_url: http://x:1\n    headers:\n      X-A: "a\\nX-B: b"\n', 5, "X-A"),
    ("endpoints:\n  - name: a\n    base_url: http://x:1\n    headers: {X-A: caf\u00e9}\n", 4, "X-A"),
    ("endpoints:\n  - name: a\n    base_url: http://x:1\n    headers: {a b: c}\n", 4, "a b"),
    ("endpoints: [\n", None, ""),
    ("- a\n", None, ""),
]


@pytest.mark.parametrize(("text", "line", "field"), MISTAKES)
def test_a_mistake_names_file_line_and_field(tmp_path: Path, text: str, line: int | None, field: str) -> None:
    with pytest.raises(InputError) as raised:
        settings(tmp_path, text)
    message = str(raised.value)
    assert "settings.yaml" in message
    assert line is None or f"settings.yaml:{line}" in message
    assert field in message
    assert "hunter22" not in message, "a key is never repeated"


def test_a_literal_key_is_answered_with_what_to_write_instead(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        settings(tmp_path, "endpoints:\n  - name: a\n    base_url: http://x:1\n    api_key: sk-abcdefghijkl\n")
    assert "sk-abcdefghijkl" not in str(raised.value)
    assert "env:" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Helicone-Auth", "hunter22hunter22"),
        ("cf-aig-authorization", "hunter22hunter22"),
        ("X-Portkey-Api-Key", "hunter22"),
        ("Ocp-Apim-Subscription-Key", "hunter22"),
        ("X-Mine", "Bearer hunter22hunter22"),
        ("X-Mine", "sk-hunter22hunter22"),
    ],
)
def test_a_key_for_a_gateway_is_refused_as_any_other(tmp_path: Path, name: str, value: str) -> None:
    """Headers are kept with the job, in the database."""
    with pytest.raises(InputError, match=r"settings\.yaml:5: .*a key does not belong") as raised:
        settings(tmp_path, f"endpoints:\n  - name: a\n    base_url: http://x:1\n    headers:\n      {name}: {value}\n")
    assert "hunter22" not in str(raised.value)


@pytest.mark.parametrize("name", ["Idempotency-Key", "X-Author", "OpenAI-Beta", "X-Tokenizer", "HTTP-Referer"])
def test_headers_that_only_sound_like_keys_are_sent(tmp_path: Path, name: str) -> None:
    text = f"endpoints:\n  - name: a\n    base_url: http://x:1\n    headers: {{{name}: blue}}\n"
    assert settings(tmp_path, text).endpoints[0].headers == ((name, "blue"),)


def test_an_address_in_the_settings_wins_over_a_variable_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "http://")
    (endpoint,) = settings(tmp_path, "endpoints:\n  - name: ollama\n    base_url: http://box:11434\n").endpoints
    assert endpoint.base_url == "http://box:11434"


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.yaml"):
        load_settings(tmp_path / "gone.yaml")


def test_gpu_exporters_are_addresses(tmp_path: Path) -> None:
    read = settings(tmp_path, "gpu_exporters: [gpu-box:9400, http://other:9835/metrics]\n")
    assert read.gpu_exporters == ("http://gpu-box:9400/metrics", "http://other:9835/metrics")
    with pytest.raises(InputError, match=r"settings\.yaml:2.*must not hold a user name or password") as caught:
        settings(tmp_path, "gpu_exporters:\n  - http://me:hunter2@box:9400\n")
    assert "hunter2" not in str(caught.value)
