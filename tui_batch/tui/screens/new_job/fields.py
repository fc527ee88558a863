"""One field of the form: a label, what is typed, and what is wrong with it in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Label, Select, Static, TextArea

from tui_batch.safe_text import safe_text
from tui_batch.tui.widgets.area import Area
from tui_batch.tui.widgets.entry import Entry
from tui_batch.work.drafting import Form


class Typed(Message):
    """A field of the form has another text now."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__()
        self.field = field
        """A name of Form's fields."""
        self.text = text


class Entered(Typed):
    """Enter was pressed in a field."""


class Field(Vertical):
    """A field of the form. The remark beside it is a hint until there is a problem to tell."""

    DEFAULT_CSS = """
    Field {
        height: auto;
        & > Horizontal { height: auto; }
        Label { width: 13; color: $text-muted; padding: 0 1 0 0; }
        Input, Select { width: 24; height: 1; }
        .remark { width: 1fr; height: auto; padding: 0 0 0 1; color: $text-muted; }
        & > .remark { padding: 0 0 0 13; display: none; }
        &.-wide Input { width: 1fr; }
        &.-wide > Horizontal > .remark { display: none; }
        &.-wide > .remark { display: block; }
        &.-wide.-silent > .remark { display: none; }
        &.-bad .remark, &.-bad Label { color: $text-error; }
        &.-bad Input { background: $error-muted; }
        Input:focus, Select:focus > SelectCurrent { background: $primary-muted; }
    }
    """

    def __init__(self, field: str, label: str, hint: str = "", *, classes: str = "") -> None:
        super().__init__(id=f"field-{field}", classes=classes)
        self.field = field
        self.label = label
        """What a person knows it by."""
        self._hint = hint
        self.problem = ""
        """What is wrong, in words; empty: nothing."""

    def compose(self) -> ComposeResult:
        """Label, input, remark; the remark of a wide field is under it."""
        with Horizontal():
            yield Label(self.label, markup=False)
            yield self.make_input()
            yield Static(self._hint, classes="remark", markup=False)
        yield Static(self._hint, classes="remark", markup=False)

    def on_mount(self) -> None:
        """A wide field without a hint takes one line."""
        self.set_class(not self._hint, "-silent")

    def make_input(self) -> Widget:
        """What is typed into."""
        return Entry(compact=True, id=f"input-{self.field}")

    @property
    def text(self) -> str:
        """What stands in the field."""
        return self.query_one(Input).value

    @text.setter
    def text(self, text: str) -> None:
        box = self.query_one(Input)
        if box.value != text:
            box.value = text

    def hint(self, words: str) -> None:
        """Another remark for when nothing is wrong."""
        self._hint = words
        self._show_remark()

    def tell(self, problem: str) -> None:
        """Shows what is wrong, or the hint when nothing is."""
        if problem == self.problem:
            return
        self.problem = problem
        self._show_remark()

    def _show_remark(self) -> None:
        problem = self.problem
        self.set_class(bool(problem), "-bad")
        words = f"✗ {safe_text(problem, 300)}" if problem else self._hint
        self.set_class(not words, "-silent")
        for remark in self.query(".remark").results(Static):
            remark.update(Content(words))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(Typed(self.field, event.value))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(Entered(self.field, event.value))


class ChoiceField(Field):
    """A field with a few words to choose from; the first stands for `not said`."""

    def __init__(self, field: str, label: str, words: Iterable[tuple[str, str]], hint: str = "") -> None:
        super().__init__(field, label, hint)
        self._words = tuple(words)
        self._said = ""
        """The first word where a form says it, though it goes without saying: to leave it is no change."""

    def make_input(self) -> Widget:
        """The words to choose from."""
        return Select[str](self._words, allow_blank=False, compact=True, id=f"input-{self.field}")

    @property
    def text(self) -> str:
        """The chosen word."""
        return str(self.query_one(Select).value) or self._said

    @text.setter
    def text(self, text: str) -> None:
        self._said = text if text == self._words[0][0] else ""
        text = text.removeprefix(self._said)
        select = self.query_one(Select)
        if select.value != text and text in [value for _, value in self._words]:
            select.value = text

    @on(Select.Changed)
    def _chosen(self, event: Select.Changed) -> None:
        event.stop()
        self.post_message(Typed(self.field, self.text))


class AreaField(Field):
    """A field of several lines."""

    DEFAULT_CSS = """
    AreaField {
        & > Horizontal { height: 1fr; }
        TextArea { height: 1fr; }
        TextArea:focus { border: none; }
        & > Horizontal > .remark { display: none; }
        & > .remark { display: block; }
        &.-silent > .remark { display: none; }
        &.-bad TextArea { background: $error-muted; }
    }
    """

    def __init__(self, field: str, label: str, placeholder: str = "") -> None:
        super().__init__(field, label)
        self._placeholder = placeholder

    def make_input(self) -> Widget:
        """What is typed into."""
        return Area(
            compact=True, tab_behavior="focus", placeholder=self._placeholder, id=f"input-{self.field}", soft_wrap=True
        )

    @property
    def area(self) -> TextArea:
        """Where the text is written."""
        return self.query_one(TextArea)

    @property
    def text(self) -> str:
        """What stands in the field."""
        return self.area.text

    @text.setter
    def text(self, text: str) -> None:
        if self.area.text != text:
            self.area.load_text(text)

    @on(TextArea.Changed)
    def _written(self, event: TextArea.Changed) -> None:
        event.stop()
        self.post_message(Typed(self.field, event.text_area.text))


def fill(parent: Widget, form: Form) -> None:
    """Shows a form's texts in all fields under a widget."""
    for field in parent.query(Field):
        field.text = getattr(form, field.field)


def tell(parent: Widget, problems: Mapping[str, str]) -> None:
    """Shows what is wrong at all fields under a widget."""
    for field in parent.query(Field):
        field.tell(problems.get(field.field, ""))
