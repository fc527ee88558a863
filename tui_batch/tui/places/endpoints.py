"""Place: Endpoints."""

from __future__ import annotations

from tui_batch.tui.place import Place


class EndpointsPlace(Place):
    """Endpoints."""

    NAME = "endpoints"
    TITLE = "Endpoints"
