"""Cards of other machines, through the Prometheus exporters that people run beside them.

Two are understood: NVIDIA's DCGM exporter (names begin with DCGM_FI_DEV_; framebuffer in MiB, power in watts,
utilisation in percent: its default-counters.csv) and nvidia_gpu_exporter (nvidia_smi_; base units, so utilisation is a
ratio, and the card's name stands in nvidia_smi_gpu_info).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from tui_batch.gpu.fetching import fetch
from tui_batch.gpu.sample import GpuSample, Reading

BLANK = 2.0**47
"""DCGM marks what it does not know with values from here on (DCGM_FP64_BLANK and above, dcgm_structs.h)."""
MIB = 1024.0 * 1024.0

_LINE = re.compile(r"^([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?\s*$")
# Looks behind first, so that a long word that is no name is walked once and not once for each of its letters.
_LABEL = re.compile(r'(?<![A-Za-z0-9_])([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"')
_INDEX = re.compile(r"[0-9]{1,6}")
MOST_CARDS = 512
"""Cards of one exporter that are shown: more than any machine has, in parts or whole."""
_ESCAPES = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}


@dataclass(frozen=True, slots=True)
class Metric:
    """One line of an exporter's page."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(slots=True)
class _Card:
    """What the lines say about one card; several names may tell the same, the earlier in the tables below wins."""

    labels: dict[str, str] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)

    def first(self, *names: str) -> float | None:
        """The first of these figures that is known."""
        return next((self.figures[name] for name in names if name in self.figures), None)


def parse_metrics(page: str) -> Iterator[Metric]:
    """The lines of the Prometheus text format that hold a finite number; anything else is passed over."""
    for line in page.splitlines():
        match = None if line.startswith("#") else _LINE.match(line)
        if match is None:
            continue
        try:
            value = float(match[3])
        except ValueError:
            continue
        if math.isfinite(value) and abs(value) < BLANK:
            yield Metric(match[1], dict(_labels(match[2] or "")), value)


def _labels(text: str) -> Iterator[tuple[str, str]]:
    for name, value in _LABEL.findall(text):
        yield name, re.sub(r"\\.", lambda escape: _ESCAPES.get(escape.group(), escape.group()), value)


def read_cards(page: str, where: str) -> tuple[GpuSample, ...]:
    """The cards that an exporter's page tells of, in order of their numbers. Figures it does not tell are None."""
    cards: dict[tuple[str, str], _Card] = {}
    for metric in parse_metrics(page):
        labels = metric.labels
        uuid = labels.get("UUID") or labels.get("uuid") or ""
        if not metric.name.startswith(("DCGM_FI_", "nvidia_smi_")) or not uuid:
            continue
        key = (uuid, labels.get("GPU_I_ID", ""))
        if key not in cards and len(cards) >= MOST_CARDS:
            continue
        card = cards.setdefault(key, _Card())
        card.labels.update(labels)
        card.figures[metric.name] = metric.value
    samples = [_sample(card, uuid, number, where) for number, ((uuid, _), card) in enumerate(cards.items())]
    return tuple(sorted(samples, key=lambda sample: sample.index))


def _sample(card: _Card, uuid: str, number: int, where: str) -> GpuSample:
    labels = card.labels
    index = labels.get("gpu") or labels.get("index") or ""
    name = labels.get("modelName") or labels.get("name") or "GPU"
    part = labels.get("GPU_I_ID", "")
    ratio = card.first("nvidia_smi_utilization_gpu_ratio")
    used, total = _memory(card)
    return GpuSample(
        index=int(index) if _INDEX.fullmatch(index) else number,
        uuid=f"{uuid}/{part}" if part else uuid,
        name=f"{name} MIG {labels.get('GPU_I_PROFILE', part)}" if part else name,
        where=where,
        utilisation=card.first("DCGM_FI_DEV_GPU_UTIL") if ratio is None else 100.0 * ratio,
        memory_used=used,
        memory_total=total,
        power_w=card.first("DCGM_FI_DEV_POWER_USAGE", "nvidia_smi_power_draw_watts"),
        power_limit_w=card.first(
            "DCGM_FI_DEV_POWER_MGMT_LIMIT", "nvidia_smi_enforced_power_limit_watts", "nvidia_smi_power_limit_watts"
        ),
        temperature_c=card.first("DCGM_FI_DEV_GPU_TEMP", "nvidia_smi_temperature_gpu"),
    )


def _memory(card: _Card) -> tuple[int | None, int | None]:
    """Used and total bytes. DCGM's default counters have no total: it is used, free and reserved together."""
    used, free = card.first("DCGM_FI_DEV_FB_USED"), card.first("DCGM_FI_DEV_FB_FREE")
    total = card.first("DCGM_FI_DEV_FB_TOTAL")
    if used is not None and total is None and free is not None:
        total = used + free + (card.first("DCGM_FI_DEV_FB_RESERVED") or 0.0)
    if used is not None:
        return int(used * MIB), None if total is None else int(total * MIB)
    used, total = card.first("nvidia_smi_memory_used_bytes"), card.first("nvidia_smi_memory_total_bytes")
    return None if used is None else int(used), None if total is None else int(total)


def exporter_url(given: str) -> str:
    """The address of the page: `/metrics` where only a host was given. Raises ValueError in words."""
    text = given.strip()
    parts = urlsplit(text if "://" in text else f"http://{text}")
    if parts.scheme not in ("http", "https") or not parts.hostname or not _has_port_or_none(parts):
        raise ValueError("is not an address; give it like this: http://gpu-box:9400/metrics")
    if parts.username or parts.password:
        raise ValueError("must not hold a user name or password: it is shown")
    return parts._replace(path=parts.path if parts.path.strip("/") else "/metrics").geturl()


def _has_port_or_none(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


class ExporterSampler:
    """The cards behind one exporter."""

    def __init__(self, url: str, fetch: Callable[[str], str] = fetch) -> None:
        self._url = exporter_url(url)
        self._fetch = fetch

    @property
    def where(self) -> str:
        """The exporter's host and port."""
        return urlsplit(self._url).netloc

    def read(self) -> Reading:
        """All its cards, or why it does not tell. Blocks."""
        try:
            samples = read_cards(self._fetch(self._url), self.where)
        except (OSError, ValueError) as error:
            return Reading(trouble=str(error))
        if not samples:
            return Reading(trouble="tells of no card (DCGM exporter and nvidia_gpu_exporter are understood)")
        return Reading(samples)

    def close(self) -> None:
        """Nothing is held between looks."""
