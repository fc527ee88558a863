"""The sections Models, Limits and Run: who is asked, within which bounds, and what it will take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from tui_batch import figures
from tui_batch.domain.item import ItemState
from tui_batch.domain.job import CacheMode, Mode
from tui_batch.inputs.draft import ModelChoice
from tui_batch.safe_text import safe_text
from tui_batch.tui.screens.new_job.fields import ChoiceField, Field
from tui_batch.tui.screens.new_job.sections import Section
from tui_batch.tui.screens.new_job.text import paragraphs
from tui_batch.work.estimating import Estimate
from tui_batch.work.model_words import is_same, model_words, read_models
from tui_batch.work.new_job import Answer, Offer, Offers
from tui_batch.work.strategies import CONCURRENT, Strategy

MOST_OFFERS = 500
"""Models that are listed at most; typing narrows them down."""
TOLD_TROUBLES = 4
MODEL_WIDTH = 28
"""Columns that a model's name takes in the list, if it is not longer."""
_TYPED = "MODEL @ ENDPOINT, MODEL … typing narrows the list, enter picks"
_LISTED = "↑ ↓ choose, enter picks, ↑ at the top goes back to the name"
_MODES = {
    "": "several models: each answers every row",
    Mode.SINGLE: "one model answers every row",
    Mode.EACH: "every model answers every row",
    Mode.SPREAD: "they share the rows; weights: MODEL *2",
    Mode.FALLBACK: "the next model is asked where one fails",
    Mode.ROUTE: "rules of a job file send rows to models",
}


class ModelsSection(Section):
    """Which models answer, and how they share the rows."""

    NAME = "models"
    TITLE = "Models"
    FIELDS = ("models", "mode", "endpoint")

    DEFAULT_CSS = """
    ModelsSection {
        OptionList { height: 1fr; min-height: 3; background: $background; }
        OptionList:focus { background: $surface; }
        #told { height: auto; }
    }
    """

    class Toggled(Message):
        """An offered model is to be switched on or off."""

        def __init__(self, choice: ModelChoice, others: tuple[ModelChoice, ...]) -> None:
            super().__init__()
            self.choice = choice
            self.others = others
            """The models that are named already, without what was typed to find this one."""

    def __init__(self) -> None:
        super().__init__()
        self._offers: Offers | None = None
        self._listed: tuple[Offer, ...] = ()
        self._ticked: tuple[bool, ...] = ()
        """Which of the listed are chosen."""
        self._text = ""
        self._endpoint = ""

    def compose(self) -> ComposeResult:
        """Names typed or picked, mode, endpoint; the models there are and what the endpoints said."""
        with Vertical(classes="form"):
            yield Field("models", "Models", _TYPED, classes="-wide")
            words = (("automatic", ""), *((mode.value, mode.value) for mode in Mode))
            yield ChoiceField("mode", "Sharing", words, _MODES[""])
            yield Field("endpoint", "Endpoint", "for models that name none; name or URL")
            yield OptionList(compact=True, markup=False)
        with VerticalScroll(classes="beside", can_focus=False):
            yield Static(id="told", markup=False)

    def on_key(self, event: events.Key) -> None:
        """Down goes from the names to the list; space picks as enter does."""
        listed = self.query_one(OptionList)
        box = self.query_one("#input-models", Input)
        if event.key == "down" and box.has_focus and listed.option_count:
            self.screen.set_focus(listed)  # at once: the next key may be on its way
            event.stop()
        elif event.key == "up" and listed.has_focus and listed.highlighted in (0, None):
            self.screen.set_focus(box)
            event.stop()
        elif event.key == "space" and listed.has_focus:
            listed.action_select()
            event.stop()

    @on(events.DescendantFocus)
    @on(events.DescendantBlur)
    def _tell_keys(self) -> None:
        """The list never has the focus without saying what enter would pick, and that it does."""
        listed = self.query_one(OptionList)
        if listed.has_focus and listed.highlighted is None and self._listed:
            listed.highlighted = 0
        self.query_one("#field-models", Field).hint(_LISTED if listed.has_focus else _TYPED)

    def take_half(self) -> bool:
        """Whether half a model's name stands there: the one that fits is picked, of several one is to be picked."""
        if not self._listed or not _parted(self._text, self._offers)[1]:
            return False
        if len(self._listed) == 1:
            self._toggle(self._listed[0])
        else:
            self.screen.set_focus(self.query_one(OptionList))
        return True

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._toggle(self._listed[event.option_index])

    def _toggle(self, offer: Offer) -> None:
        chosen, typed = _parted(self._text, self._offers)
        self.post_message(self.Toggled(offer.choice, chosen[:-1] if typed else chosen))

    def show_offers(self, offers: Offers) -> None:
        """What the endpoints serve."""
        self._offers = offers
        self.show_models(self._text, self._endpoint)

    def show_models(self, text: str, endpoint: str) -> None:
        """Marks what is chosen, and lists what fits the name that is being typed.

        `endpoint` is where models are asked that name none; empty: anywhere.
        """
        self._text, self._endpoint = text, endpoint
        chosen, typed = _parted(text, self._offers)
        models = () if self._offers is None else self._offers.models
        self._list(tuple(offer for offer in models if typed in model_words(offer.choice).lower())[:MOST_OFFERS], chosen)
        self.query_one("#told", Static).update(_told(chosen, self._offers, endpoint))

    def _list(self, offers: tuple[Offer, ...], chosen: tuple[ModelChoice, ...]) -> None:
        """Lists what is not listed yet: most letters of a name leave the list as it is, and making it takes a while."""
        before, self._listed = (self._listed, self._ticked), offers
        self._ticked = tuple(any(is_same(one, offer.choice, self._endpoint) for one in chosen) for offer in offers)
        listed = self.query_one(OptionList)
        if offers == before[0]:
            for place, (was, ticked) in enumerate(zip(before[1], self._ticked, strict=True)):
                if was != ticked:
                    listed.replace_option_prompt_at_index(place, _offer_line(offers[place], ticked=ticked))
            return
        at = listed.highlighted
        listed.clear_options()
        listed.add_options(
            Option(_offer_line(offer, ticked=ticked)) for offer, ticked in zip(offers, self._ticked, strict=True)
        )
        if at is not None and offers:
            listed.highlighted = min(at, len(offers) - 1)

    def show_mode(self, mode: str) -> None:
        """What the chosen mode means."""
        self.query_one("#field-mode", Field).hint(_MODES.get(mode, ""))


def _parted(text: str, offers: Offers | None) -> tuple[tuple[ModelChoice, ...], str]:
    """The models of a text that are whole, and the beginning of one that is still being typed, in lower case."""
    try:
        choices = read_models(text)
    except ValueError:
        return (), ""
    last = text.rpartition(",")[2].strip().lower()
    models = () if offers is None else offers.models
    is_whole = not last or any(is_same(offer.choice, choices[-1]) for offer in models)
    return choices, "" if is_whole else last


def _offer_line(offer: Offer, *, ticked: bool) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{'✓' if ticked else '·'} {safe_text(offer.choice.model):<{MODEL_WIDTH}}", "bold" if ticked else "")
    text.append(f"  @ {safe_text(', '.join(offer.choice.endpoints))}")
    return text.append(f"  {safe_text(offer.detail, 40)}" if offer.detail else "", "dim")


def _told(chosen: tuple[ModelChoice, ...], offers: Offers | None, endpoint: str) -> Text:
    text = Text()
    for choice in chosen:
        is_served = offers is None or any(is_same(choice, offer.choice, endpoint) for offer in offers.models)
        text.append(f"{'✓' if is_served else '?'} {safe_text(model_words(choice), 200)}", "bold")
        text.append("\n" if is_served else "  listed by none of these endpoints\n")
    if offers is None:
        return text.append("Asking the endpoints which models they serve …", "dim")
    endpoints = {name for offer in offers.models for name in offer.choice.endpoints}
    text.append(f"{figures.things(len(offers.models), 'model')} served by {safe_text(', '.join(sorted(endpoints)))}")
    for trouble in offers.troubles[:TOLD_TROUBLES]:
        text.append(f"\n! {safe_text(trouble, 200)}", "dim")
    return text


class LimitsSection(Section):
    """Name, bounds and parameters; what they make of the job."""

    NAME = "limits"
    TITLE = "Limits"
    FIELDS = (
        *("concurrency", "rpm", "tpm", "budget", "cache", "attempts", "priority", "name"),
        *("temperature", "max_tokens", "params", "schema"),
    )

    DEFAULT_CSS = """
    LimitsSection > .form { height: 1fr; }
    LimitsSection > .beside { height: 6; }
    LimitsSection .apart { margin: 0 0 1 0; }
    LimitsSection.-side > .form { width: 2fr; }
    LimitsSection.-side .beside { height: 1fr; }
    """

    def compose(self) -> ComposeResult:
        """Everything that has a good value when it is left empty."""
        with VerticalScroll(classes="form", can_focus=False):
            yield Field("concurrency", "At once", "requests in flight; empty or auto: found")
            yield Field("rpm", "RPM", "requests a minute at most")
            yield Field("tpm", "TPM", "tokens a minute at most, in and out")
            yield Field("budget", "Budget $", "the job pauses before it passes this")
            yield ChoiceField("cache", "Cache", _CACHE, "answers of equal earlier requests")
            yield Field("attempts", "Attempts", "for one row, in all; empty: 5")
            yield Field("priority", "Priority", "higher runs first; empty: 0")
            yield Field("name", "Name", "empty: the file's", classes="apart")
            yield Field("temperature", "Temperature", "empty: the server's own")
            yield Field("max_tokens", "Max tokens", "of one answer; bounds what it can cost")
            yield Field("params", "Others", "name=value name=value, such as seed=1")
            yield Field("schema", "Schema", "JSON Schema file that answers must meet", classes="-last")
        with VerticalScroll(classes="beside", can_focus=False):
            yield ExpectedView()


_CACHE = (("use", ""), ("refresh", CacheMode.REFRESH.value), ("off", CacheMode.OFF.value))


class ExpectedView(Static):
    """Rows, tokens, cost and time, as far as they can be told."""

    DEFAULT_CSS = "ExpectedView { height: auto; }"

    def __init__(self) -> None:
        super().__init__("", markup=False)

    def show(self, expected: Estimate | None, why: str) -> None:
        """The figures, or why there are none yet."""
        self.update(Text(safe_text(why), "dim") if expected is None else expected_text(expected))


def expected_text(expected: Estimate) -> Text:
    """What a job will take, in a few lines."""
    about = "" if expected.counted else "~"
    text = Text().append(f"{about}{figures.things(expected.rows, 'row')}", "bold")
    text.append(f", {about}{figures.things(expected.requests, 'request')}\n")
    read, made = (sum(getattr(share, part).likely for share in expected.shares) for part in ("tokens_in", "tokens_out"))
    text.append(f"~{figures.short_count(read)} tokens in, ~{figures.short_count(made)} out\n")
    text.append("cost ").append(cost_words(expected), "bold").append("\n")
    if (way := _way(expected)) is not None and way.seconds is not None:
        text.append("time ").append(f"~{figures.duration(way.seconds)}", "bold").append(f"  {safe_text(way.reason)}\n")
    if expected.unsendable:
        words = f"! ~{figures.things(expected.unsendable, 'row')} cannot be sent: {safe_text(expected.problem, 200)}\n"
        text.append(words, "bold")
    for basis in dict.fromkeys(share.basis for share in expected.shares):
        text.append(f"{safe_text(basis)}\n", "dim")
    text.right_crop(1)
    return text


def strategies_text(expected: Estimate) -> Text:
    """The ways to run it, a line each: time, the cost where it is another, and why."""
    lines = []
    for way in expected.strategies:
        mark = "✓" if way.name == CONCURRENT else "·"
        took = "–" if way.seconds is None else f"~{figures.duration(way.seconds)}"
        other = None if way.cost == expected.cost else way.cost
        paid = "" if other is None else figures.cost_range(other.low, other.likely, other.high)
        said = "  ".join(filter(None, (took, paid)))
        lines.append(
            Text.assemble((f"{mark} {way.name:<15}", "bold"), said, (f"  {safe_text(way.reason, 200)}", "dim"))
        )
    return Text("\n").join(lines)


def _way(expected: Estimate) -> Strategy | None:
    """How the job will run: many at once."""
    return next((way for way in expected.strategies if way.name == CONCURRENT), None)


def cost_words(expected: Estimate) -> str:
    """The cost as a range; unknown is said, never 0."""
    cost = expected.cost
    if cost is None:
        return "not known: a model here has no known price"
    if cost.high == 0:
        return "nothing: your own server, or the simulator"
    return figures.cost_range(cost.low, cost.likely, cost.high)


@dataclass(frozen=True, slots=True)
class Trial:
    """The ten rows that are being tried."""

    job_id: int
    state: str
    answers: tuple[Answer, ...]


class RunSection(Section):
    """What it will take, the answers of ten rows, and the button for all."""

    NAME = "run"
    TITLE = "Run"
    FIELDS = ()

    DEFAULT_CSS = """
    RunSection {
        & > .form { height: auto; }
        & > .beside { height: 1fr; }
        & > .form > Horizontal { height: auto; }
        Button { margin: 0 2 0 0; }
    }
    RunSection #ways { height: auto; margin: 1 0; }
    RunSection.-tried #ways, RunSection.-tried ExpectedView { display: none; }
    RunSection.-side.-tried #ways, RunSection.-side.-tried ExpectedView { display: block; }
    RunSection.-side > .form { height: 1fr; width: 2fr; }
    RunSection.-side > .beside { width: 3fr; }
    """

    def compose(self) -> ComposeResult:
        """Figures and buttons; answers."""
        with Vertical(classes="form"):
            yield ExpectedView()
            yield Static(id="ways", markup=False)
            with Horizontal():
                yield Button("Try ten rows (F5)", id="try", compact=True)
                yield Button("Run all (F6)", id="all", variant="primary", compact=True)
        with VerticalScroll(classes="beside", id="read"):
            yield Static("Ten rows spread over the file, to read before all are sent: F5", id="answers", markup=False)

    _SCROLLS: ClassVar[dict[str, str]] = {
        **{"up": "scroll_up", "down": "scroll_down", "pageup": "page_up", "pagedown": "page_down"},
        **{"home": "scroll_home", "end": "scroll_end"},
    }
    """What keys do that no button takes."""

    def on_key(self, event: events.Key) -> None:
        """The answers are read while a button has the focus: there is nothing else to move here."""
        if (scroll := self._SCROLLS.get(event.key)) is not None:
            getattr(self.query_one("#read", VerticalScroll), f"action_{scroll}")()
            event.stop()

    def first(self) -> None:
        """The harmless button."""
        self.screen.set_focus(self.query_one("#try", Button))

    def show_ways(self, expected: Estimate | None) -> None:
        """One by one, at once, as a provider's batch; `run` takes the marked one. Answers give room to them again."""
        self.remove_class("-tried")
        self.query_one("#ways", Static).update(Text() if expected is None else strategies_text(expected))

    def show_trial(self, trial: Trial) -> None:
        """The answers so far; where there is little room they have all of it."""
        self.add_class("-tried")
        self.query_one("#answers", Static).update(trial_text(trial))


_GLYPHS = {ItemState.DONE: "✓", ItemState.DEAD: "✗", ItemState.CANCELLED: "–"}


def trial_text(trial: Trial) -> Text:
    """Prompts and answers, one under the other."""
    finished = sum(answer.state is not ItemState.PENDING for answer in trial.answers)
    text = Text().append(f"{finished} of {len(trial.answers)} answered  job {trial.job_id}  {trial.state}\n", "dim")
    for answer in trial.answers:
        text.append("\n").append_text(_answer_text(answer))
    return text


def _answer_text(answer: Answer) -> Text:
    about = [f"{_GLYPHS.get(answer.state, '○')} {answer.state.value}"]
    about += [f"line {answer.line}"] if answer.line is not None else []
    about += [safe_text(answer.model, 40)] if answer.model else []
    about += [f"{answer.latency_s:.1f} s"] if answer.latency_s is not None else []
    about += [f"{figures.count(answer.tokens)} tokens"] if answer.tokens is not None else []
    about += ["from the cache"] if answer.is_cached else []
    text = Text().append("  ".join(about) + "\n", "bold")
    text.append(f"  {safe_text(answer.prompt, 200)}\n", "dim")
    if answer.checked:
        text.append(f"{safe_text(answer.checked, 400)}\n", "bold" if answer.checked.startswith("✗") else "dim")
    if answer.state is not ItemState.PENDING:
        text.append_text(paragraphs(answer.text, "", 2_000)).append("\n")
    return text
