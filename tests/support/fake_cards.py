"""Graphics cards that are made up."""

from __future__ import annotations

from dataclasses import dataclass

from tui_batch.gpu.sample import GpuSample, Reading

CARD = GpuSample(
    0, "GPU-0", "NVIDIA [/b] H100", utilisation=64.0, memory_used=60 * 2**30, memory_total=80 * 2**30, power_w=350.0,
    power_limit_w=700.0, temperature_c=61.0, processes=1,
)  # fmt: skip


@dataclass
class FakeSampler:
    """Cards that do not change, or words."""

    reading: Reading
    where: str = ""
    looks: int = 0

    def read(self) -> Reading:
        """What it was given."""
        self.looks += 1
        return self.reading

    def close(self) -> None:
        """Nothing is held."""
