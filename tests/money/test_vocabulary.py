"""Vocabularies: found, fetched without waiting for them, or done without."""

from __future__ import annotations

import gzip
import threading
from pathlib import Path

import pytest

from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.money import vocabulary
from tui_batch.money.tokens import Counter
from tui_batch.money.vocabulary import cached_file, fetch_vocabulary, in_background, load_counter

OPENAI = Endpoint("openai", Api.OPENAI, "https://api.openai.com/v1")
OWN = Endpoint("vllm", Api.OPENAI, "http://127.0.0.1:8000/v1")


class Words:
    """Takes tiktoken's place: the real vocabulary is too large for a test."""

    def encode_ordinary(self, text: str) -> list[str]:
        return text.split()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("tiktoken.get_encoding", lambda name: Words())
    return tmp_path


def unreachable(address: str) -> bytes:
    raise TimeoutError(address)


def test_no_vocabulary_in_the_cache_means_no_counter_and_no_download() -> None:
    assert load_counter("gpt-4o-mini") is None
    assert load_counter("llama3.2") is None


def test_a_vocabulary_in_the_cache_is_used() -> None:
    cached_file("o200k_base").write_bytes(b"")

    counter = load_counter("openai/gpt-4o-mini")

    assert counter is not None
    assert counter("three little words") == 3


def test_a_damaged_vocabulary_that_cannot_be_had_anew_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> Words:
        raise ValueError("hash mismatch")

    monkeypatch.setattr("tiktoken.get_encoding", refuse)
    cached_file("o200k_base").write_bytes(b"<html>")

    assert load_counter("gpt-4o-mini") is None


@pytest.fixture
def package(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package of the extra `tokens`, as pip lays it out, with another content; returns its vocabulary."""
    site = tmp_path_factory.mktemp("site")
    (site / "bpe_openai-0.1.4.dist-info").mkdir()
    (site / "bpe_openai-0.1.4.dist-info" / "METADATA").write_text("Name: bpe-openai\nVersion: 0.1.4\n")
    (site / "bpe_openai" / "data").mkdir(parents=True)
    packed = site / "bpe_openai" / "data" / "o200k_base.tiktoken.gz"
    packed.write_bytes(gzip.compress(b"words"))
    monkeypatch.syspath_prepend(str(site))
    return packed


@pytest.mark.parametrize("model", ["gpt-4o-mini", "openai/gpt-oss-120b"])
def test_an_installed_package_makes_counts_exact_without_a_network(cache: Path, package: Path, model: str) -> None:
    counter = load_counter(model)

    assert counter is not None
    assert counter("three little words") == 3
    assert [path.read_bytes() for path in cache.iterdir()] == [b"words"]
    assert cached_file("o200k_base").is_file()


def test_a_package_without_the_vocabulary_or_with_a_broken_one_is_done_without(cache: Path, package: Path) -> None:
    assert load_counter("gpt-4") is None
    package.write_bytes(package.read_bytes()[:-9])
    assert load_counter("gpt-4o-mini") is None
    assert list(cache.iterdir()) == []


def test_a_vocabulary_is_fetched_once_and_whole(cache: Path) -> None:
    asked: list[str] = []

    def fetch(address: str) -> bytes:
        asked.append(address)
        return b"words"

    assert fetch_vocabulary("gpt-4o-mini", fetch)
    assert fetch_vocabulary("gpt-4o-mini", unreachable)

    assert asked == ["https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"]
    assert [path.read_bytes() for path in cache.iterdir()] == [b"words"]
    assert not fetch_vocabulary("llama3.2", fetch)


def test_without_a_network_there_is_none_and_nothing_is_left_behind(cache: Path) -> None:
    assert not fetch_vocabulary("gpt-4o-mini", unreachable)
    assert list(cache.iterdir()) == []


def test_it_comes_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, came = threading.Event(), threading.Event()
    counters: list[Counter] = []

    def slow(model: str) -> bool:
        answer.wait(150)
        cached_file("o200k_base").write_bytes(b"")
        return True

    def ready(counter: Counter) -> None:
        counters.append(counter)
        came.set()

    monkeypatch.setattr(vocabulary, "fetch_vocabulary", slow)
    in_background(OPENAI, "gpt-4o-mini", ready)

    assert counters == []
    answer.set()
    assert came.wait(150)
    assert counters[0]("two words") == 2


def test_nothing_is_fetched_for_the_sake_of_a_server_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []

    def fetch(model: str) -> bool:
        fetched.append(model)
        return False

    monkeypatch.setattr(vocabulary, "fetch_vocabulary", fetch)
    for endpoint in (OWN, OPENAI):
        in_background(endpoint, "gpt-4o-mini", lambda _: None)
        for thread in threading.enumerate():
            if thread.name.startswith("vocabulary"):
                thread.join(150)

    assert fetched == ["gpt-4o-mini"]
