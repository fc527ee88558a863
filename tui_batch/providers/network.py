"""What a person can set about the network, and what both transports say about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tui_batch import __version__
from tui_batch.providers.base import TransportTimeout

USER_AGENT = f"llmbatch-tui/{__version__}"
CONNECT_S = 10.0
"""Seconds to establish a connection, TLS included."""
MAX_BODY = 64 * 1024 * 1024
"""Bytes of a decompressed response body at most."""

BAD_HEADER = "a header holds characters that HTTP does not allow (is the key complete, and on one line?)"


class ProxyUse(StrEnum):
    """Whether requests go through the proxies that the environment names."""

    ENVIRONMENT = "environment"
    DIRECT = "direct"
    """Never: for probes of this machine's own ports."""


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """What a person can set about the network."""

    ca_file: str | None = None
    """PEM file of further authorities to trust; None: SSL_CERT_FILE or REQUESTS_CA_BUNDLE where set."""
    proxies: ProxyUse = ProxyUse.ENVIRONMENT
    connect_s: float = CONNECT_S
    max_body: int = MAX_BODY


def timed_out(waited_s: float, total_s: float, connect_s: float) -> TransportTimeout:
    """Says which bound was met. The total counts from sending to the last byte."""
    if waited_s < total_s * 0.95 and waited_s >= connect_s * 0.95:
        return TransportTimeout(f"no connection within {connect_s:g} s")
    return TransportTimeout(f"no complete answer within {total_s:g} s")
