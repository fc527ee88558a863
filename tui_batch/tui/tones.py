"""Colours by meaning. Drawing code names a tone; the theme decides what it looks like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import TypeAlias

from rich.style import Style
from rich.text import Text
from textual.color import Color

from tui_batch.safe_text import safe_text


class Tone(Enum):
    """What a piece of text means."""

    PLAIN = auto()
    STRONG = auto()
    MUTED = auto()
    GOOD = auto()
    WARN = auto()
    BAD = auto()
    ACCENT = auto()
    PRIMARY = auto()


WIDEST = 2_000
"""Characters of a piece that are ever drawn: no terminal is as wide. Measuring a megabyte holds everything up."""

Span: TypeAlias = tuple[str, Tone]
Spans: TypeAlias = tuple[Span, ...]
Styles: TypeAlias = Mapping[Tone, Style]

_VARIABLES = {
    Tone.GOOD: "success",
    Tone.WARN: "warning",
    Tone.BAD: "error",
    Tone.ACCENT: "accent",
    Tone.PRIMARY: "primary",
}


def styles_of(variables: Mapping[str, str]) -> Styles:
    """The styles of a theme, from `app.theme_variables`. No style has a background: that is the widget's."""
    found = {tone: Style(color=Color.parse(variables[name]).rich_color) for tone, name in _VARIABLES.items()}
    return {**found, Tone.PLAIN: Style.null(), Tone.STRONG: Style(bold=True), Tone.MUTED: Style(dim=True)}


def plain(text: str, tone: Tone = Tone.PLAIN) -> Spans:
    """One piece of text."""
    return ((text, tone),)


def styled(spans: Iterable[Span], styles: Styles) -> Text:
    """The spans as Rich text: foreign characters made visible, nothing read as markup, on one line."""
    text = Text(no_wrap=True, end="")
    for words, tone in spans:
        text.append(safe_text(words, WIDEST), styles[tone])
    return text
