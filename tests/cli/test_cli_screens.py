"""What commands print on a terminal eighty columns wide."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Cli


def screen(columns: int, *words: str) -> str:
    """What a command prints on a terminal so wide."""
    primary, secondary = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm"}
    process = subprocess.Popen([sys.executable, "-m", "tui_batch", *words], stdout=secondary, env=environment)
    os.close(secondary)
    seen = b""
    try:
        while part := os.read(primary, 65536):
            seen += part
    except OSError:
        pass  # the other side is closed
    process.wait()
    os.close(primary)
    return re.sub("\x1b\\[[0-9;]*m", "", seen.decode()).replace("\r\n", "\n")


@pytest.mark.parametrize("words", [("items", "1"), ("show", "1"), ("endpoints",), ("doctor",), ("ls",)])
def test_nothing_is_wider_than_eighty_columns(cli: Cli, words: tuple[str, ...]) -> None:
    long = " ".join(["word"] * 60)
    (cli.folder / "rows.jsonl").write_text(f'{{"prompt": "{long}"}}\n')
    cli("run", cli.folder / "rows.jsonl", "--simulate", "--system", f"{long}\n{long}")
    lines = screen(80, *words).splitlines()
    assert lines
    assert max(map(len, lines)) <= 80


def test_items_take_a_line_each_on_a_terminal(cli: Cli) -> None:
    cli("run", cli.rows(3), "--simulate")
    assert len(screen(80, "items", "1").splitlines()) == 4
