"""What a process waits for on the network."""

from __future__ import annotations

from contextlib import suppress

import psutil


def listening(pid: int) -> list[str]:
    """The addresses on which a process lets others connect; none of one that is gone."""
    with suppress(psutil.Error):
        found = psutil.Process(pid).net_connections(kind="inet")
        return [connection.laddr.ip for connection in found if connection.status == psutil.CONN_LISTEN]
    return []
