"""OpenAI's vocabularies for exact counts: from tiktoken's cache, else fetched once, else done without.

Everything here blocks but `in_background`. Nothing here raises for want of a network.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import urllib.request
import uuid
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from tui_batch.domain.endpoint import SIMULATED, Endpoint
from tui_batch.money.prices import is_private
from tui_batch.money.tokens import Counter

_VOCABULARIES = "https://openaipublic.blob.core.windows.net/encodings/"
"""Where tiktoken gets its vocabularies from; its cache names a file by the SHA-1 of the address (tiktoken source)."""
TIMEOUT_S = 5.0
"""For connecting and for every piece; a machine without a network notices at once."""

Fetch = Callable[[str], bytes]
"""The content of an address. Raises OSError or HTTPException."""


def load_counter(model: str) -> Counter | None:
    """An exact counter for an OpenAI model, if its vocabulary lies in tiktoken's cache; None otherwise.

    Takes up to a second. Downloads nothing, unless the cached file is damaged: then tiktoken itself fetches it anew.
    """
    name = encoding_of(model)
    if name is None or not cached_file(name).is_file():
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
    if target.is_file():
        return True
    try:
        content = (fetch or _fetch)(f"{_VOCABULARIES}{name}.tiktoken")
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.{uuid.uuid4().hex}.tmp")
        part.write_bytes(content)
        os.replace(part, target)
    except (OSError, HTTPException):
        return False
    return True


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
    return folder / hashlib.sha1(f"{_VOCABULARIES}{encoding}.tiktoken".encode()).hexdigest()


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
