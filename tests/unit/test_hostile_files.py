"""Whatever is in a file or comes from a server: it is used, or refused in words that say where. Never a traceback.

Run for longer with other seeds by hand: each of these held for a hundred thousand spoilt files.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from mutations import mutants

from tui_batch import paths
from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.job import InputSource
from tui_batch.errors import UserError
from tui_batch.gpu.exporters import read_cards
from tui_batch.inputs.job_file import load_job_draft
from tui_batch.inputs.reading import open_input
from tui_batch.providers.base import HttpResponse, TransportFailure
from tui_batch.providers.registry import provider_for
from tui_batch.settings_file import read_settings
from tui_batch.tui import prefs
from tui_batch.tui.actions import REGISTRY
from tui_batch.tui.keymap import load_keymap
from tui_batch.tui.themes import read_theme

MOST_WORDS = 3_000
"""Characters of an error: one that repeats the file is no help."""
SETTINGS = b"""endpoints:
  - name: x
    base_url: http://localhost:8000/v1
    api: openai
    key: env:KEY
    headers: {a: b}
    rpm: 5
default_endpoint: x
prices:
  - {model: m, input: 1.5, output: 2, cached: 0.1, tiers: {flex: 0.5}}
  - {model: n, gpu_hour: 2}
windows: [{model: m, tokens: 100}]
day_budget_usd: 5
ca_file: ca.pem
gpu_exporters: [http://h:9400/metrics]
"""
REMEMBERED = b'{"theme": "x", "recent": ["a"], "sort": {"jobs": "-id"}, "columns": {"jobs": ["id"]}, "panes": {"a": 5}}'
METRICS = b'DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-1",modelName="H100"} 55\nDCGM_FI_DEV_FB_USED{gpu="0"} 1e2 1234\n'


def shipped(folder: str) -> list[bytes]:
    return [file.read_bytes() for file in sorted(paths.shipped(folder).rglob("*.yaml"))]


FILES: dict[str, tuple[Callable[[Path], object], Sequence[bytes]]] = {
    "job.yaml": (load_job_draft, shipped("sample_jobs")),
    "settings.yaml": (read_settings, [SETTINGS]),
    "theme.yaml": (lambda file: read_theme(file).to_color_system().generate(), shipped("themes")),
    "keymap.yaml": (load_keymap, ["".join(f"{one.id}: {one.keys!r}\n" for one in REGISTRY[:12]).encode()]),
    "app.json": (prefs.load, [REMEMBERED]),
    "metrics": (lambda file: read_cards(file.read_bytes().decode("utf-8", "replace"), "here"), [METRICS]),
}


def refusal(read: Callable[[], object]) -> UserError | None:
    try:
        read()
    except UserError as error:
        return error
    return None


@pytest.mark.parametrize("name", FILES)
def test_a_spoilt_file_is_used_or_refused_in_words(tmp_path: Path, name: str) -> None:
    read, good = FILES[name]
    file = tmp_path / name
    for spoilt in mutants(good, 20):
        file.write_bytes(spoilt)
        if (refused := refusal(lambda: read(file))) is not None:
            assert name in refused.message, "where"
            assert len(str(refused)) < MOST_WORDS
            assert "\x1b" not in str(refused)
            str(refused).encode()


def test_a_spoilt_parquet_file_is_read_or_refused_in_words(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    packed = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"prompt": ["a", "b"], "n": [1, None], "when": [moment, None]}), packed)
    file = tmp_path / "rows.parquet"
    for spoilt in mutants([packed.getvalue()], 30):
        file.write_bytes(spoilt)
        with suppress(UserError), open_input(InputSource(str(file), "parquet")) as rows:
            list(rows)


STREAMS = {
    Api.OPENAI: b'data: {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "h", "tool_calls": [{'
    b'"index": 0, "id": "x", "function": {"name": "f", "arguments": "{"}}]}, "finish_reason": "stop"}]}\n\n'
    b'data: {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}\n\ndata: [DONE]\n\n',
    Api.ANTHROPIC: b'event: message_start\ndata: {"type": "message_start", "message": {"id": "m", "type": "message", '
    b'"content": [], "model": "x", "usage": {"input_tokens": 5, "output_tokens": 1}}}\n\n'
    b'data: {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}\n\n'
    b'data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}}\n\n'
    b'data: {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}\n\n'
    b'event: message_stop\ndata: {"type": "message_stop"}\n\n',
    Api.OLLAMA: b'{"model": "m", "message": {"role": "assistant", "content": "h"}, "done": false}\n'
    b'{"model": "m", "message": {"content": ""}, "done": true, "done_reason": "stop", "eval_count": 2}\n',
}


@pytest.mark.parametrize("api", STREAMS)
def test_a_spoilt_stream_is_an_outcome(api: Api) -> None:
    provider = provider_for(api)
    for number, spoilt in enumerate(mutants([STREAMS[api]], 80)):
        assembler, size = provider.assembler(Operation.CHAT), (1, 7, 64, 100_000)[number % 4]
        for at in range(0, len(spoilt), size):
            assembler.feed(spoilt[at : at + size])
        try:
            body = assembler.finish()
        except TransportFailure:
            continue
        outcome = provider.decode(Operation.CHAT, HttpResponse(200, {}, body))
        assert outcome.text is not None or outcome.message
        json.dumps([outcome.text, outcome.message, outcome.code]).encode()


@pytest.mark.parametrize("api", list(Api))
def test_a_spoilt_list_of_models_is_a_list_or_an_error(api: Api) -> None:
    good = b'{"models": [{"name": "a", "details": {"parameter_size": "3B"}}], "data": [{"id": "m", "owned_by": "x"}]}'
    for spoilt in mutants([good], 50):
        with suppress(ValueError):
            for one in provider_for(api).decode_models(HttpResponse(200, {}, spoilt)):
                assert isinstance(one.id, str)
