"""Long and hostile text as lines; columns that share a line; where copied text goes."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tui_batch.tui import clipboard
from tui_batch.tui.clipboard import tools
from tui_batch.tui.widgets.item_columns import COLUMNS, lay_out
from tui_batch.tui.widgets.item_table import padded
from tui_batch.tui.wrapping import Block, wrap

texts = st.text(st.sampled_from("ab \n\r\t\x1b日語🦄\u200b\u202e[]/é\u0301"), max_size=120)


@given(st.lists(st.builds(Block, texts, texts), min_size=1, max_size=3), st.integers(2, 40))
@settings(max_examples=150)
def test_every_line_fits_and_nothing_is_lost(blocks: list[Block], width: int) -> None:
    wrapped = wrap(blocks, width)
    lines = [wrapped.line(number) for number in range(len(wrapped))]
    assert all(cell_len(line) <= max(2, width) for line in lines)
    assert "".join(wrapped.text[a:b] for a, b in zip(wrapped.starts, wrapped.starts[1:], strict=False)) == wrapped.text
    assert not set("\x1b\u200b\u202e\r\t") & set(wrapped.text)


@given(texts.filter(lambda text: bool(text.strip())))
@settings(max_examples=100)
def test_words_are_found_where_they_stand(text: str) -> None:
    wrapped = wrap([Block(f"before {text}needle after")], 7)
    hits = wrapped.find("NEEDLE")
    assert len(hits) == 1
    first, last = hits[0]
    assert wrapped.text[first:last] == "needle"
    line = wrapped.line_at(first)
    assert wrapped.starts[line] <= first < wrapped.starts[line + 1]


@given(texts, st.integers(1, 30), st.booleans())
@settings(max_examples=150)
def test_a_cell_takes_exactly_its_width(text: str, width: int, right: bool) -> None:
    assert cell_len(padded(text.replace("\n", " ").replace("\x1b", ""), width, right=right)) == width


@given(st.frozensets(st.sampled_from([column.id for column in COLUMNS])), st.integers(20, 220))
@settings(max_examples=100)
def test_columns_fit_the_line_and_fill_it(chosen: frozenset[str], width: int) -> None:
    slots = lay_out(chosen, width)
    end = slots[-1].start + slots[-1].width
    assert end == width or (end > width and all(not slot.column.drop for slot in slots))
    assert [slot.column.id for slot in slots if not slot.column.drop] == ["row", "state", "excerpt"]
    assert all(one.start + one.width < other.start for one, other in itertools.pairwise(slots))


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({}, "darwin", ["pbcopy"]),
        ({"WAYLAND_DISPLAY": "w", "DISPLAY": ":0", "TMUX": "t"}, "linux", ["wl-copy", "xclip", "xsel", "tmux"]),
        ({"TMUX": "t"}, "linux", ["tmux"]),
        ({}, "linux", []),
    ],
)
def test_the_systems_own_tool_comes_first(environment: dict[str, str], platform: str, expected: list[str]) -> None:
    assert [command[0] for command in tools(environment, platform, lambda name: name)] == expected


async def test_without_a_tool_that_works_the_terminal_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = [sys.executable, "-c", "import sys; sys.stdin.read(); sys.exit(1)"]
    save = f"import sys, pathlib; pathlib.Path({str(tmp_path / 'copied')!r}).write_bytes(sys.stdin.buffer.read())"
    told: list[str] = []
    monkeypatch.setattr(clipboard, "tools", lambda *_: [[str(tmp_path / "missing")], broken])
    assert await clipboard.copy("words", told.append) == "the terminal"
    assert told == ["words"]
    monkeypatch.setattr(clipboard, "tools", lambda *_: [broken, [sys.executable, "-c", save]])
    assert await clipboard.copy("words 日本", told.append) == sys.executable
    assert (tmp_path / "copied").read_bytes().decode() == "words 日本"
    (tmp_path / "clip").write_text(f"#!{sys.executable}\n{save}\n")
    (tmp_path / "clip").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(clipboard, "tools", lambda *_: [["clip"]])
    assert await clipboard.copy("words 日本", told.append) == "clip"
    assert (tmp_path / "copied").read_bytes().decode("utf-16-le") == "words 日本", "what Windows takes"
    assert told == ["words"]
