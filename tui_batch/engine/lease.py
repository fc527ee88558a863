"""How long a job belongs to a process that no longer says so."""

from __future__ import annotations

from dataclasses import dataclass

from tui_batch.store.leases import EXPIRY_S

LEASE_S = EXPIRY_S
"""A heartbeat older than this frees the job. Its owner sends nothing any more from then on, even if it wakes up."""


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Seconds. Every process of one database must have the same `expiry_s`."""

    expiry_s: float = LEASE_S
    beat_s: float = 1.0
    """Between two heartbeats."""
    sweep_s: float = 5.0
    """Between two looks for jobs whose owner is gone."""


USUAL = LeaseTimes()
