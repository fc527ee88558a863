"""The shipped themes: complete, in real colours, and readable."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from textual.color import Color
from textual.theme import Theme

from tui_batch import paths

ROLES = (
    "primary",
    "secondary",
    "accent",
    "foreground",
    "background",
    "surface",
    "panel",
    "success",
    "warning",
    "error",
)
LEAST_CONTRAST = {"high-contrast": 7.0}
"""Of text on its background, as WCAG 2 counts it; 4.5 for every other theme."""
FILES = sorted(paths.shipped("themes").glob("*.yaml"))


def theme_of(path: Path) -> dict[str, object]:
    loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def luminance(colour: Color) -> float:
    """Relative luminance, WCAG 2."""
    parts = [part / 255 for part in colour.rgb]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Color, other: Color) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_themes_that_ship_are_those_of_the_page() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "themes.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `([^`]+)` \|", page.partition("| theme | for |")[2], re.MULTILINE)
    assert sorted(told) == [path.stem for path in FILES]
    assert len(FILES) >= 8


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_theme_has_every_role_and_nothing_unknown(path: Path) -> None:
    theme = theme_of(path)
    assert theme["name"] == path.stem
    assert isinstance(theme["dark"], bool)
    assert set(theme) - {"variables"} == {"name", "dark", *ROLES}
    Theme(**theme)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_colour_is_one(path: Path) -> None:
    theme = theme_of(path)
    for role in ROLES:
        value = theme[role]
        assert isinstance(value, str)
        Color.parse(value)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_text_can_be_read(path: Path) -> None:
    theme = theme_of(path)
    colours = {role: Color.parse(str(theme[role])) for role in ROLES}
    if path.stem == "terminal":
        assert all(str(theme[role]).startswith("ansi_") for role in ROLES), "the terminal's own colours only"
        return
    least = LEAST_CONTRAST.get(path.stem, 4.5)
    for ground in ("background", "surface", "panel"):
        assert contrast(colours["foreground"], colours[ground]) >= least, ground
    for word in ("primary", "success", "warning", "error"):
        assert contrast(colours[word], colours["background"]) >= 4.5, word


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_dark_says_which_of_the_two_is_darker(path: Path) -> None:
    theme = theme_of(path)
    if path.stem != "terminal":
        fore, back = (luminance(Color.parse(str(theme[role]))) for role in ("foreground", "background"))
        assert theme["dark"] is (back < fore)
