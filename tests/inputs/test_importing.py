"""Batches and the rejects file."""

from __future__ import annotations

import errno
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tui_batch.domain.item import NewRow
from tui_batch.errors import InputError, UserError
from tui_batch.inputs.importing import RejectsFile, batches, rejects_path
from tui_batch.inputs.rows import Read, Reject


def rows(count: int, bad: frozenset[int] = frozenset()) -> Iterator[Read]:
    for n in range(count):
        yield Reject(n, "bad", "text") if n in bad else NewRow(n, None, 0, b"{}")


def test_batches_keep_order_and_part_the_rejects() -> None:
    found = list(batches(rows(5, frozenset({1, 4})), size=2))
    assert [[row.line for row in batch.rows] for batch in found] == [[0], [2, 3], []]
    assert [[reject.line for reject in batch.rejects] for batch in found] == [[1], [], [4]]


def test_rows_before_an_error_are_given_out_first() -> None:
    def failing() -> Iterator[Read]:
        yield from rows(3)
        raise InputError("f", "cut off")

    found = batches(failing(), size=2)
    assert [len(next(found).rows), len(next(found).rows)] == [2, 1]
    with pytest.raises(InputError, match="cut off"):
        next(found)


def test_no_rejects_no_file(tmp_path: Path) -> None:
    with RejectsFile(tmp_path / "r.jsonl") as file:
        file.write([])
    assert not file.path.exists()


def test_rejects_are_lines_of_json_and_replace_older_ones(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("old\n")
    with RejectsFile(path) as file:
        file.write([Reject(3, "why", "a\nb")])
        file.write([Reject(None, "é", "")])
        assert file.count == 2
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert lines == [{"line": 3, "reason": "why", "text": "a\nb"}, {"line": None, "reason": "é", "text": ""}]


def test_rejects_that_cannot_be_written_are_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"), RejectsFile(tmp_path / "no" / "r.jsonl") as file:
        file.write([Reject(1, "why", "")])


def test_the_rejects_file_lies_beside_the_output() -> None:
    assert rejects_path(Path("out/answers.jsonl")) == Path("out/answers.rejects.jsonl")


def test_a_full_disk_is_told_in_words_and_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a file's buffer holds back fails later, as it is written out or closed: outside of all words."""

    class Full(io.FileIO):
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.open", lambda path, mode, **how: opened(Full(path, mode), **how))
    with pytest.raises(UserError, match=r"r\.jsonl: .*No space left"), RejectsFile(tmp_path / "r.jsonl") as file:
        file.write([Reject(1, "why", "")])


def opened(raw: io.FileIO, buffering: int = -1) -> io.IOBase:
    return raw if buffering == 0 else io.BufferedWriter(raw)
