"""Arguments that no program should be given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Cli


@pytest.mark.parametrize(
    "words", [("items", "1", "--filter", "\udcff"), ("show", "\udcff"), ("errors", "\ud800\x1b[31m")]
)
def test_bytes_that_are_no_text_are_told_in_words(cli: Cli, words: tuple[str, ...]) -> None:
    assert cli("run", cli.rows(1), "--simulate").code == 0
    result = cli(*words)
    assert result.code == 2
    assert "not UTF-8" in result.err
    assert "Traceback" not in result.err
    assert "\x1b" not in result.err
