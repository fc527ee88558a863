"""What the six places of the app have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical

from tui_batch.tui.actions import PLACES
from tui_batch.tui.desk import Desk
from tui_batch.tui.view import View

if TYPE_CHECKING:
    from tui_batch.tui.export_scopes import NamedScope

NAMES = tuple(action.id.partition(".")[2] for action in PLACES)
"""Of the six places, in the order of their keys."""
TITLES = tuple(action.label[:1].upper() + action.label[1:] for action in PLACES)
"""As the bar shows them."""


class Place(Vertical):
    """One of the six. Shown by the app's switcher; while it is, it gets every view."""

    NAME: ClassVar[str]
    """Also its id, and the context of its actions."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(id=self.NAME)
        self.desk = desk
        self.view = View(0.0)
        """The last one seen."""

    def show(self, view: View) -> None:
        """Draws what changed. Called each tick while the place is visible, so it must cost little."""
        self.view = view

    def export_scopes(self) -> tuple[NamedScope, ...]:
        """What an export may mean from here besides the whole job: what is marked or listed."""
        return ()

    def entered(self) -> None:
        """The place became the visible one: takes the focus where it belongs."""
