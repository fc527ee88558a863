"""What a person changed about endpoints while jobs run: switched off, other limits. Forgotten when the process ends."""

from __future__ import annotations

from collections.abc import Mapping

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.engine.lane import Lane
from tui_batch.engine.snapshot import LaneLimits
from tui_batch.errors import UserError


def check_limits(limits: LaneLimits) -> None:
    """Raises UserError naming a limit that is no positive number."""
    named = (("rpm", limits.rpm), ("tpm", limits.tpm), ("max_in_flight", limits.max_in_flight))
    for name, value in named:
        if value is not None and value < 1:
            raise UserError(f"{name}: {value} is too small", remedy="The least is 1. For no limit, leave it empty.")


class Overrides:
    """Applied to the deployments there are, and to those that are opened later."""

    def __init__(self, lanes: Mapping[DeploymentKey, Lane]) -> None:
        self._lanes = lanes
        self._off: set[str] = set()
        self._limits: dict[DeploymentKey, LaneLimits] = {}

    @property
    def off(self) -> frozenset[str]:
        """Names of the endpoints that are switched off."""
        return frozenset(self._off)

    def switch_off(self, endpoint: str) -> None:
        """No request goes to any model of an endpoint from now on; what is in flight is finished."""
        self._off.add(endpoint)
        self._switch(endpoint)

    def switch_on(self, endpoint: str) -> None:
        """Requests go to an endpoint again."""
        self._off.discard(endpoint)
        self._switch(endpoint)

    def set_limits(self, key: DeploymentKey, limits: LaneLimits) -> None:
        """Replaces what a person allows a deployment. Raises UserError for limits that are none."""
        check_limits(limits)
        self._limits[key] = limits
        if (lane := self._lanes.get(key)) is not None:
            lane.set_limits(limits)

    def take_in(self, lane: Lane) -> Lane:
        """A deployment that was just opened, as the person wants it."""
        lane.is_off = lane.key.endpoint in self._off
        if (limits := self._limits.get(lane.key)) is not None:
            lane.set_limits(limits)
        return lane

    def _switch(self, endpoint: str) -> None:
        for key, lane in self._lanes.items():
            if key.endpoint == endpoint:
                lane.is_off = endpoint in self._off
