"""Which provider speaks which wire format."""

from __future__ import annotations

from collections.abc import Callable

from tui_batch.domain.endpoint import Api
from tui_batch.providers.anthropic import Anthropic
from tui_batch.providers.base import Provider
from tui_batch.providers.ollama import Ollama
from tui_batch.providers.openai import OpenAI

_PROVIDERS: dict[Api, Callable[[], Provider]] = {
    Api.OPENAI: OpenAI,
    Api.ANTHROPIC: Anthropic,
    Api.OLLAMA: Ollama,
}


def provider_for(api: Api) -> Provider:
    """The wire format's provider. Providers hold no state, so a new one costs nothing."""
    return _PROVIDERS[api]()
