"""This machine's NVIDIA cards, through NVML: the library that nvidia-smi itself reads from.

Every figure is asked for by itself: a card in MIG mode has no utilisation, a passive one no power limit, and shared
memory (Grace Hopper, Jetson) no size. What is not supported is None.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

from tui_batch.gpu.sample import HERE, GpuSample, Reading

NONE_HERE = "no NVIDIA GPU here"
T = TypeVar("T")


class NvmlSampler:
    """Opens the library at the first look and keeps it open. `library` is pynvml, or a stand-in for tests."""

    def __init__(self, library: ModuleType | Any | None = None) -> None:
        self._library = library
        self._is_open = False

    @property
    def where(self) -> str:
        """This machine."""
        return HERE

    def read(self) -> Reading:
        """All cards. Without a driver, or without a card, one quiet line in place of them. Blocks."""
        nvml = self._load()
        try:
            if not self._is_open:
                nvml.nvmlInit()
                self._is_open = True
            samples = tuple(_card(nvml, index) for index in range(nvml.nvmlDeviceGetCount()))
        except nvml.NVMLError as error:
            absent = not self._is_open
            self.close()  # a driver that was reloaded needs a new beginning
            return Reading(trouble=NONE_HERE if absent else f"the NVIDIA driver says: {error}", is_absent=absent)
        return Reading(samples) if samples else Reading(trouble=NONE_HERE, is_absent=True)

    def close(self) -> None:
        """Closes the library."""
        if not self._is_open:
            return
        self._is_open = False
        nvml = self._load()
        _known(nvml, nvml.nvmlShutdown)

    def _load(self) -> Any:
        if self._library is None:
            import pynvml  # type: ignore[import-untyped]

            self._library = pynvml
        return self._library


def _card(nvml: Any, index: int) -> GpuSample:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = _known(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
    rates = _known(nvml, lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
    processes = _known(nvml, lambda: nvml.nvmlDeviceGetComputeRunningProcesses(handle))
    return GpuSample(
        index=index,
        uuid=_known(nvml, lambda: str(nvml.nvmlDeviceGetUUID(handle))) or "",
        name=_known(nvml, lambda: str(nvml.nvmlDeviceGetName(handle))) or f"GPU {index}",
        utilisation=None if rates is None else float(rates.gpu),
        memory_used=None if memory is None else int(memory.used),
        memory_total=None if memory is None else int(memory.total),
        power_w=_watts(_known(nvml, lambda: nvml.nvmlDeviceGetPowerUsage(handle))),
        power_limit_w=_watts(_known(nvml, lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle))),
        temperature_c=_known(nvml, lambda: float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))),
        processes=None if processes is None else len(processes),
    )


def _watts(milliwatts: int | None) -> float | None:
    """NVML counts milliwatts (nvmlDeviceGetPowerUsage, nvmlDeviceGetEnforcedPowerLimit)."""
    return None if milliwatts is None else milliwatts / 1000.0


def _known(nvml: Any, ask: Callable[[], T]) -> T | None:
    """An answer; None where the card has no such sensor."""
    try:
        return ask()
    except nvml.NVMLError:
        return None
