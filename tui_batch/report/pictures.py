"""The charts of a report. Pure functions from its figures to SVG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate

from tui_batch import figures
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.report.charts import Axes, Bar, Series, bar_list, histogram, line_chart
from tui_batch.report.shown import milliseconds, one_line
from tui_batch.report.spread import EDGES_MS, Spread
from tui_batch.store.report_queries import ModelFigures, Timeline

CLASSES_SHOWN = 12
MODELS_SHOWN = 20


def _short(value: float) -> str:
    """A step of a grid: 5, 0.5, 50k."""
    whole = value >= 10 or value == int(value)
    return figures.short_count(round(value)).replace(".0", "") if whole else f"{value:.2g}"


def _clock(seconds: float) -> str:
    return "0" if seconds == 0 else figures.duration(seconds)


def _length(line: Timeline) -> float:
    return line.width_s * len(line.slices)


def progress_chart(line: Timeline) -> str:
    """Items done and dead so far, over the time since the first start."""
    done = tuple(float(number) for number in accumulate((one.done for one in line.slices), initial=0))
    dead = tuple(float(number) for number in accumulate((one.dead for one in line.slices), initial=0))
    axes = Axes("Items processed over time", _length(line), _clock, _short, y_step=1)
    series = [Series("done", "ok", done, shaded=True)]
    return line_chart(axes, [*series, Series("failed", "bad", dead)] if dead[-1] else series)


def throughput_chart(line: Timeline) -> str:
    """Items a second, over the time since the first start."""
    rates = tuple((one.done + one.dead) / line.width_s for one in line.slices)
    cached = tuple(one.cached / line.width_s for one in line.slices)
    axes = Axes("Items per second over time", _length(line), _clock, _short)
    series = [Series("items a second", "info", rates, shaded=True)]
    return line_chart(axes, [*series, Series("from the cache", "muted", cached)] if any(cached) else series)


def latency_chart(spread: Spread) -> str:
    """How many answers took how long; the bins grow with the latency."""
    bars = [Bar(f"< {_edge(one.high_ms)}", one.count, figures.things(one.count, "answer")) for one in spread.bins]
    names = (("p50", spread.p50), ("p95", spread.p95), ("p99", spread.p99))
    marks = [(_place(spread, value), f"{name} {milliseconds(value)}") for name, value in names]
    return histogram(Axes("Answers by latency", 0.0, _clock, _short, y_step=1), bars, marks)


def _edge(value: int) -> str:
    return f"{value} ms" if value < 1_000 else f"{value / 1_000:g} s"


def _place(spread: Spread, value: int) -> float:
    """Where a latency lies, counted in bins."""
    for number, one in enumerate(spread.bins):
        if one.low_ms <= value < one.high_ms:
            return number + (value - one.low_ms) / (one.high_ms - one.low_ms)
    return float(len(spread.bins)) if value >= EDGES_MS[-1] else 0.0


def cost_chart(models: Sequence[ModelFigures]) -> str:
    """Known cost by model, over all endpoints."""
    sums: Counter[str] = Counter()
    for one in models:
        sums[one.model or "none"] += one.cost_nano
    bars = [Bar(one_line(model), cost, figures.dollars(cost)) for model, cost in sums.most_common(MODELS_SHOWN)]
    return bar_list("Cost by model", bars)


def class_chart(failed: Mapping[OutcomeClass, int], dead: Mapping[OutcomeClass, int]) -> str:
    """Failed requests by class. A dead item that was never sent counts as one."""
    counts = Counter({cls: max(failed.get(cls, 0), dead.get(cls, 0)) for cls in (*failed, *dead)})
    bars = [Bar(cls.value, number, figures.count(number), "bad") for cls, number in counts.most_common(CLASSES_SHOWN)]
    return bar_list("Failed requests by class", bars)


def score_line(line: Timeline, marks: Sequence[tuple[float, str]] = ()) -> str:
    """Mean score over the time since the first start. `marks`: seconds since then, with words."""
    axes = Axes("Mean score over time", _length(line), _clock, lambda value: f"{value:.1f}", y_high=1.0)
    return line_chart(axes, [Series("mean score", "ok", tuple(one.score for one in line.slices))], marks)


def score_chart(bins: Sequence[int]) -> str:
    """How many answers have which score."""
    bars = [
        Bar(f"{place / 10:.1f}–{(place + 1) / 10:.1f}", number, figures.things(number, "answer"))
        for place, number in enumerate(bins)
    ]
    return histogram(Axes("Answers by score", 0.0, _clock, _short, y_step=1), bars)
