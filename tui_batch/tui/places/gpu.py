"""Place: GPU."""

from __future__ import annotations

from tui_batch.tui.place import Place


class GpuPlace(Place):
    """GPU."""

    NAME = "gpu"
    TITLE = "GPU"
