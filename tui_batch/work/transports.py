"""Sends requests to the network, or to the built-in simulator when their address says so."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from tui_batch.domain.endpoint import SIMULATED
from tui_batch.providers.base import HttpRequest, HttpResponse, Transport

REMEMBERED = 20_000
"""Prompts that the simulator within a process knows to have been asked before: nobody reads its score, so that is to
cover the retries of what is under way, and a million rows take no memory."""


class RoutingTransport:
    """Chooses by the address. Each side is made when it is first needed."""

    def __init__(self, network: Callable[[], Transport], simulator: Callable[[], Transport]) -> None:
        self._make_network = network
        self._make_simulator = simulator

    @cached_property
    def _network(self) -> Transport:
        return self._make_network()

    @cached_property
    def _simulator(self) -> Transport:
        return self._make_simulator()

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Sends the request to where its address belongs."""
        side = self._simulator if request.url.startswith(SIMULATED) else self._network
        return await side.send(request)

    async def aclose(self) -> None:
        """Closes the sides that were used."""
        for name in ("_network", "_simulator"):
            if (side := self.__dict__.pop(name, None)) is not None:
                await side.aclose()


def make_transport(ca_file: Path | None, faults: str) -> RoutingTransport:
    """The transport of a process; `faults` is for the simulator, as in `simulate --faults`. Raises UserError."""
    from tui_batch.simulator.faults import parse_faults

    plan = parse_faults(faults)

    def network() -> Transport:
        from tui_batch.providers.http import open_transport
        from tui_batch.providers.network import TransportOptions

        return open_transport(TransportOptions(ca_file=None if ca_file is None else str(ca_file)))

    def simulator() -> Transport:
        from tui_batch.simulator.config import Profile, SimulatorConfig
        from tui_batch.simulator.core import Simulator
        from tui_batch.simulator.transport import SimulatorTransport

        config = SimulatorConfig.for_profile(Profile.HOSTED, faults=plan, remembered=REMEMBERED)
        return SimulatorTransport(Simulator(config))

    return RoutingTransport(network, simulator)
