"""What commands print on a terminal eighty columns wide."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Cli


PARTS = ("ANSWER", "finished", "BASE URL", "packages", "CREATED")
"""Words of which each is of one command alone."""
EACH = "import sys; from tui_batch.cli.main import main; [main(words.split()) for words in sys.argv[1:]]"


def screen(columns: int, *commands: str) -> str:
    """What commands, one after the other in one process, print on a terminal so wide."""
    primary, secondary = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm"}
    process = subprocess.Popen([sys.executable, "-c", EACH, *commands], stdout=secondary, env=environment)
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


def test_nothing_is_wider_than_eighty_columns(cli: Cli) -> None:
    long = " ".join(["word"] * 60)
    (cli.folder / "rows.jsonl").write_text(f'{{"prompt": "{long}"}}\n')
    cli("run", cli.folder / "rows.jsonl", "--simulate", "--system", f"{long}\n{long}")
    seen = screen(80, "items 1", "show 1", "endpoints", "doctor", "ls")
    for part in PARTS:
        assert part in seen
    assert max(map(len, seen.splitlines())) <= 80


def test_items_take_a_line_each_on_a_terminal(cli: Cli) -> None:
    cli("run", cli.rows(3), "--simulate")
    assert len(screen(80, "items 1").splitlines()) == 4
