"""Questions and menus: what their keys do, and that nothing in a text is read as markup."""

from __future__ import annotations

from typing import Any

import pytest
from app_bench import until
from rich.cells import cell_len
from textual.app import App
from textual.widgets import Static

from tui_batch.tui.screens.confirm import Confirm
from tui_batch.tui.screens.dialog import Dialog, safe_content
from tui_batch.tui.screens.menu import Choice, Menu, line
from tui_batch.tui.screens.text import TextDialog

HOSTILE = "[/red] \x1b[2J [bold]x[/bold] \u202e"


async def answer(dialog: Dialog[Any], *keys: str) -> Any:
    app: App[None] = App()
    answers: list[Any] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(dialog, answers.append)
        await until(pilot, lambda: app.screen is dialog, "asked")
        await pilot.press(*keys)
        await until(pilot, lambda: bool(answers) and not isinstance(app.screen, Dialog), "it is closed")
    return answers[0]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (("y",), True),
        (("n",), False),
        (("escape",), False),
        (("enter",), False),
        (("left", "enter"), True),
        (("tab", "tab", "enter"), False),
    ],
)
async def test_enter_on_an_unread_question_destroys_nothing(keys: tuple[str, ...], expected: bool) -> None:
    assert await answer(Confirm(f"Delete {HOSTILE}?", "1,000 items\n" + HOSTILE), *keys) is expected


async def test_a_question_is_answered_by_mouse() -> None:
    app: App[None] = App()
    answers: list[bool | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(Confirm("Sure?"), answers.append)
        await pilot.click("#yes")
        await until(pilot, lambda: answers == [True])


@pytest.mark.parametrize(
    ("dialog", "at", "closes"),
    [
        (Menu("Which?", [Choice("a", "alpha", 1)]), None, True),
        (Menu("Which?", [Choice("a", "alpha", 1)]), ".title", False),
        (Confirm("Sure?"), None, False),
    ],
)
async def test_a_click_beside_a_box_without_buttons_closes_it(
    dialog: Dialog[Any], at: str | None, closes: bool
) -> None:
    app: App[None] = App()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(dialog)
        await until(pilot, lambda: any(title.region.height for title in dialog.query(".title")), "drawn")
        await pilot.click(at)  # None: the upper left corner of the screen
        await until(pilot, lambda: (app.screen is dialog) is not closes)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [(("b",), 2), (("down", "enter"), 2), (("j", "enter"), 2), (("escape",), None), (("enter",), 1)],
)
async def test_a_menu_gives_what_was_chosen(keys: tuple[str, ...], expected: int | None) -> None:
    menu = Menu("Copy", [Choice("a", HOSTILE, 1, "what"), Choice("b", "two", 2, HOSTILE)])
    assert await answer(menu, *keys) == expected


async def test_a_menu_s_own_key_wins_over_moving() -> None:
    assert await answer(Menu("Sort", [Choice("x", "a", 1), Choice("j", "job", 2)]), "j") == 2


async def test_a_dialog_survives_the_smallest_terminal() -> None:
    app: App[None] = App()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(Confirm("Sure?", "word " * 500))
        for size in ((1, 1), (20, 5), (200, 60)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        await pilot.press("y")


async def test_a_long_line_is_shown_whole_and_what_is_left_out_is_told() -> None:
    app: App[None] = App()
    async with app.run_test(size=(80, 24)):
        await app.push_screen(TextDialog("line", "x" * 40_000))
        shown = app.screen.query(Static)
        assert any(str(one.content) == "x" * 40_000 for one in shown)
    assert str(safe_content("x" * 12, 10)) == "xxxxxxxxxx … and 2 characters more"


def test_details_stand_under_each_other_whatever_a_label_is_written_in() -> None:
    lines = [line(Choice("a", label, 1, "detail"), 8).plain for label in ("日本語", "name")]
    assert [cell_len(text.partition("detail")[0]) for text in lines] == [14, 14]
