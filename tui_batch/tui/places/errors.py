"""Place: Errors."""

from __future__ import annotations

from tui_batch.tui.place import Place


class ErrorsPlace(Place):
    """Errors."""

    NAME = "errors"
    TITLE = "Errors"
