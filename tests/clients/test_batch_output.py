"""Batch output as the official client's own types read it."""

from __future__ import annotations

from tui_batch.domain.endpoint import Operation
from tui_batch.domain.item import ItemFlag, ItemState
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.stored import ExportRow
from tui_batch.report.batch_lines import batch_line


def row(text: str, finish_reason: str | None) -> ExportRow:
    return ExportRow(
        *(1, 0, 0, 1, "a", ItemState.DONE, OutcomeClass.OK, b"{}", text, "", finish_reason, "e", "m", 3, 2, 0, 12),
        *(False, ItemFlag.NONE, 1, None, "req-1", 1700000000.5),
    )


def test_a_chat_is_a_completion() -> None:
    from openai.types.chat import ChatCompletion

    for said, meant in (("stop", "stop"), ("end_turn", "stop"), ("max_tokens", "length")):
        line = batch_line(row("hello", said), Operation.CHAT)
        assert line is not None
        completion = ChatCompletion.model_validate(line["response"]["body"], strict=True)
        assert completion.choices[0].message.content == "hello"
        assert completion.choices[0].finish_reason == meant
        assert completion.usage is not None
        assert completion.usage.total_tokens == 5


def test_an_embedding_is_a_list_of_vectors() -> None:
    from openai.types import CreateEmbeddingResponse

    line = batch_line(row("[0.5, -1.0]", None), Operation.EMBED)
    assert line is not None
    made = CreateEmbeddingResponse.model_validate(line["response"]["body"], strict=True)
    assert made.data[0].embedding == [0.5, -1.0]
