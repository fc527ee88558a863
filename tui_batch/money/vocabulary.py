"""OpenAI's vocabularies for exact counts: in tiktoken's cache, in a package, from the network, else done without.

Everything here blocks but `in_background`. Nothing here raises for want of a network.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tempfile
import threading
import urllib.request
import uuid
import zlib
from collections.abc import Callable
from http.client import HTTPException
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit

from tui_batch.domain.endpoint import SIMULATED, Endpoint
from tui_batch.money.prices import is_private
from tui_batch.money.tokens import Counter

_VOCABULARIES = "https://openaipublic.blob.core.windows.net/encodings/"
"""Where tiktoken gets its vocabularies from; its cache names a file by the SHA-1 of the address (tiktoken source)."""
_PACKAGE = "bpe-openai"
"""The extra `tokens`: its wheel holds the very files that tiktoken downloads, by their SHA-256, packed with gzip."""
_SAME_FILE = {"o200k_harmony": "o200k_base"}
"""Encodings that differ in special tokens only, which no prompt is counted by (tiktoken_ext.openai_public)."""
NEWEST = "o200k_base"
"""The encoding of OpenAI's models since gpt-4o."""
TIMEOUT_S = 5.0
"""For connecting and for every piece; a machine without a network notices at once."""

Fetch = Callable[[str], bytes]
"""The content of an address. Raises OSError or HTTPException."""


def load_counter(model: str) -> Counter | None:
    """An exact counter for an OpenAI model, if its vocabulary is on this machine; None otherwise.

    It lies in tiktoken's cache, or in the package that the extra `tokens` installs: then it is unpacked there first.
    Takes up to a second. Downloads nothing, unless the cached file is damaged: then tiktoken itself fetches it anew.
    """
    name = encoding_of(model)
    if name is None or not (os.path.isfile(cached_file(name)) or unpack_vocabulary(name)):
        return None
    import tiktoken

    try:
        encoding = tiktoken.get_encoding(name)
    except (OSError, ValueError):  # damaged, and cannot be had anew
        return None
    return lambda text: len(encoding.encode_ordinary(text))


def fetch_vocabulary(model: str, fetch: Fetch | None = None) -> bool:
    """Puts a model's vocabulary into tiktoken's cache, some 2 to 4 MB; whether it is there now.

    tiktoken's own download has no timeout, so it is not used. tiktoken checks the file's hash when it loads it.
    """
    name = encoding_of(model)
    if name is None:
        return False
    target = cached_file(name)
    if os.path.isfile(target):
        return True
    try:
        _put(target, (fetch or _fetch)(_address(name)))
    except (OSError, HTTPException):
        return False
    return True


def shipped_file(encoding: str) -> Path | None:
    """The packed vocabulary of an encoding in the package of the extra `tokens`; None where it is not installed.

    Looks the file up without importing the package, whose library of 70 MB nothing here has a use for.
    """
    try:
        found = Path(str(distribution(_PACKAGE).locate_file(f"bpe_openai/data/{_file_of(encoding)}.tiktoken.gz")))
    except PackageNotFoundError:
        return None
    return found if os.path.isfile(found) else None


def unpack_vocabulary(encoding: str) -> bool:
    """Puts an encoding's vocabulary from the installed package into tiktoken's cache; whether it is there now.

    So the counts are tiktoken's own, and it checks the file's hash: a package with other data is not believed.
    """
    packed = shipped_file(encoding)
    if packed is None:
        return False
    try:
        _put(cached_file(encoding), gzip.decompress(packed.read_bytes()))
    except (OSError, EOFError, zlib.error):  # no room, no right to write there, or a broken package
        return False
    return True


def _put(target: Path, content: bytes) -> None:
    """Writes a file of the cache, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{uuid.uuid4().hex}.tmp")
    part.write_bytes(content)
    os.replace(part, target)


def _file_of(encoding: str) -> str:
    return _SAME_FILE.get(encoding, encoding)


def _address(encoding: str) -> str:
    return f"{_VOCABULARIES}{_file_of(encoding)}.tiktoken"


def encoding_of(model: str) -> str | None:
    """The name of an OpenAI model's vocabulary; None for other models."""
    import tiktoken

    try:
        return tiktoken.encoding_name_for_model(model.rpartition("/")[2])
    except KeyError:
        return None


def cached_file(encoding: str) -> Path:
    """Where tiktoken keeps a vocabulary: its own rule (its load module)."""
    named = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    folder = Path(named) if named else Path(tempfile.gettempdir()) / "data-gym-cache"
    return folder / hashlib.sha1(_address(encoding).encode()).hexdigest()


def _fetch(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=TIMEOUT_S) as response:
        content: bytes = response.read()
    return content


def in_background(endpoint: Endpoint, model: str, ready: Callable[[Counter], None]) -> None:
    """Gets a model's counter on a thread of its own and hands it to `ready`, on that thread, if there is one.

    A vocabulary is fetched only for a model that is served by somebody else: nothing leaves the machine for the sake
    of one's own servers. The thread is a daemon: a slow network never keeps the program from ending.
    """

    def work() -> None:
        counter = load_counter(model)
        if counter is None and not _is_at_home(endpoint) and fetch_vocabulary(model):
            counter = load_counter(model)
        if counter is not None:
            ready(counter)

    threading.Thread(target=work, name=f"vocabulary of {model}", daemon=True).start()


def _is_at_home(endpoint: Endpoint) -> bool:
    return endpoint.base_url.startswith(SIMULATED) or is_private(urlsplit(endpoint.base_url).hostname or "")
