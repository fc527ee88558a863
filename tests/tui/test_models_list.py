"""The list of models in the new-job form: what is typed narrows it, and a letter that changes nothing costs nothing."""

from __future__ import annotations

from app_bench import until
from textual.app import App, ComposeResult
from textual.widgets import OptionList, Static

from tui_batch.inputs.draft import ModelChoice
from tui_batch.tui.screens.new_job.more_sections import ModelsSection
from tui_batch.work.new_job import Offer, Offers

OFFERS = Offers(tuple(Offer(ModelChoice(name, ("router",)), "") for name in ("small", "smaller", "large")), ())


class Form(App[None]):
    def compose(self) -> ComposeResult:
        yield ModelsSection()

    @property
    def listed(self) -> list[str]:
        options = self.query_one(OptionList).options
        return [str(option.prompt).split("@")[0].strip() for option in options]


async def test_letters_narrow_the_list_and_ticks_follow_what_is_named() -> None:
    app = Form()
    async with app.run_test():
        section = app.query_one(ModelsSection)
        section.show_offers(OFFERS)
        assert app.listed == ["· small", "· smaller", "· large"]
        section.show_models("sma", "")
        assert app.listed == ["· small", "· smaller"]
        section.show_models("small", "")
        assert app.listed == ["✓ small", "· smaller", "· large"]
        section.show_models("small, large", "")
        assert app.listed == ["✓ small", "· smaller", "✓ large"]
        section.show_models("large", "elsewhere")
        assert app.listed == ["· small", "· smaller", "· large"]


async def test_a_letter_after_which_the_same_models_fit_leaves_their_list_as_it_is() -> None:
    app = Form()
    async with app.run_test():
        section = app.query_one(ModelsSection)
        section.show_offers(OFFERS)
        section.show_models("s", "")
        before = list(app.query_one(OptionList).options)
        section.show_models("sm", "")
        assert all(now is old for now, old in zip(app.query_one(OptionList).options, before, strict=True))


async def test_the_list_says_what_enter_does_once_several_models_fit() -> None:
    app = Form()
    async with app.run_test() as pilot:
        section = app.query_one(ModelsSection)
        section.show_offers(OFFERS)
        section.show_models("sm", "")
        assert section.take_half()
        hint = section.query_one("#field-models > .remark", Static)
        await until(pilot, lambda: "↑ ↓ choose, enter picks" in str(hint.content))
        await pilot.press("up")
        await until(pilot, lambda: "typing narrows the list" in str(hint.content), "in the field again")
