"""The section Checks: what every answer is held to, written as a job file has it, beside the kinds there are."""

from __future__ import annotations

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import OptionList, Static, TextArea
from textual.widgets.option_list import Option

from tui_batch.quality.kinds import KINDS, Kind
from tui_batch.tui.screens.new_job.fields import AreaField
from tui_batch.tui.screens.new_job.sections import Section

KIND_WIDTH = 12
HOW = "tab, then enter writes an example; it can also name field and at_least"
USUAL_COLUMN = "label"
"""Named in an example as long as no file is chosen."""


class ChecksSection(Section):
    """Checks typed as a list, or begun with an example of the list beside them."""

    NAME = "checks"
    TITLE = "Checks"
    FIELDS = ("checks",)

    DEFAULT_CSS = """
    ChecksSection {
        & > .form { height: 1fr; }
        & > .beside { height: 12; }
        &.-side > .beside { height: 1fr; }
        #field-checks { height: 1fr; }
        #checks-how { height: auto; color: $text-muted; }
        OptionList { height: 1fr; background: $background; text-wrap: nowrap; text-overflow: ellipsis; }
        OptionList:focus { background: $surface; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._column = USUAL_COLUMN

    def compose(self) -> ComposeResult:
        """The list as it is written; the kinds."""
        with Vertical(classes="form"):
            yield AreaField("checks", "Checks", "None: every answer is taken.\n\n- not_empty\n- labels: [good, bad]")
        with Vertical(classes="beside"):
            yield Static(HOW, id="checks-how", markup=False)
            yield OptionList(*(Option(_line(kind)) for kind in KINDS.values()), compact=True, markup=False)

    def show_columns(self, columns: tuple[str, ...]) -> None:
        """An example names the file's last column, where a reference often stands."""
        self._column = columns[-1] if columns else USUAL_COLUMN

    @on(OptionList.OptionHighlighted)
    @on(events.DescendantFocus)
    @on(events.DescendantBlur)
    def _tell(self) -> None:
        """Narrow lists cut what a kind means: of the one under the cursor it is told whole."""
        listed = self.query_one(OptionList)
        words = HOW
        if listed.has_focus and listed.highlighted is not None:
            kind = list(KINDS.values())[listed.highlighted]
            words = f"enter writes an example of {kind.name}. {kind.meaning}"
        self.query_one("#checks-how", Static).update(words)

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        """Writes the kind under what is there, and goes on in it."""
        from tui_batch.inputs.checks_text import example_of

        event.stop()
        area = self.query_one(TextArea)
        written = area.text.rstrip()
        example = example_of(list(KINDS.values())[event.option_index], self._column)
        area.load_text(f"{written}\n{example}" if written else example)
        area.move_cursor(area.document.end)
        self.screen.set_focus(area)


def _line(kind: Kind) -> Text:
    return Text.assemble((f"{kind.name:<{KIND_WIDTH}}", "bold"), (kind.meaning, "dim"))
