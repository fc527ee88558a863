"""One look at graphics cards, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

HERE = ""
"""`where` of this machine's own cards."""


@dataclass(frozen=True, slots=True)
class GpuSample:
    """A card at one moment. None: it has no such sensor or does not tell, which is not the same as 0."""

    index: int
    """Its number on its machine, from 0."""
    uuid: str
    name: str
    where: str = HERE
    """The exporter's host and port; empty: this machine."""
    utilisation: float | None = None
    """Percent of the time in which something was being computed (NVML's definition)."""
    memory_used: int | None = None
    """Bytes."""
    memory_total: int | None = None
    """Bytes."""
    power_w: float | None = None
    power_limit_w: float | None = None
    temperature_c: float | None = None
    processes: int | None = None
    """How many processes compute on it."""

    @property
    def key(self) -> tuple[str, str]:
        """Tells cards apart, over machines."""
        return (self.where, self.uuid or str(self.index))

    @property
    def memory_percent(self) -> float | None:
        """Share of the memory in use, in percent."""
        if self.memory_used is None or not self.memory_total:
            return None
        return 100.0 * self.memory_used / self.memory_total


@dataclass(frozen=True, slots=True)
class Reading:
    """What one source said at one moment: all its cards, or why there are none."""

    samples: tuple[GpuSample, ...] = ()
    trouble: str = ""
    """Why nothing can be read, in words for a person; empty when all is well."""
    is_absent: bool = False
    """There is nothing to read at all, which is no fault: no NVIDIA driver, or a driver without cards."""


class Sampler(Protocol):
    """A source of samples."""

    @property
    def where(self) -> str:
        """Host and port of the source; empty: this machine."""
        ...

    def read(self) -> Reading:
        """One look. Blocks, so it belongs into a thread; never two at once. Raises nothing for what it meets."""
        ...

    def close(self) -> None:
        """Gives back what it holds. It may be read again afterwards."""
        ...
