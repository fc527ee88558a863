"""An item's parts as blocks of text: prompt, answer, parsed, attempts, row, raw. Blocks: call it in a thread."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson

from tui_batch import figures
from tui_batch.domain.item import Attempt, ItemFlag, ItemState
from tui_batch.domain.job import JobSpec
from tui_batch.domain.stored import ItemDetail
from tui_batch.errors import UserError
from tui_batch.quality.answers import Answer, Unreadable
from tui_batch.quality.checks import Examiner, Verdict, compile_checks
from tui_batch.quality.judging import JUDGE
from tui_batch.tui.tones import Spans, Tone
from tui_batch.tui.widgets.item_columns import cost_words, milliseconds, state_span
from tui_batch.tui.wrapping import Block
from tui_batch.work.item_request import AsSent, as_sent, message_text


class Part(StrEnum):
    """What the detail screen shows, in the order of its digits."""

    PROMPT = "Prompt"
    ANSWER = "Answer"
    PARSED = "Parsed"
    ATTEMPTS = "Attempts"
    ROW = "Row"
    RAW = "Raw"


@dataclass(frozen=True, slots=True)
class ItemParts:
    """Everything about one item, ready to be shown."""

    detail: ItemDetail
    blocks: dict[Part, tuple[Block, ...]]


def parts_of(spec: JobSpec, detail: ItemDetail) -> ItemParts:
    """The parts of an item."""
    makers: dict[Part, Callable[[], Sequence[Block]]] = {
        Part.PROMPT: lambda: _prompt(spec, detail),
        Part.ANSWER: lambda: _answer(spec, detail),
        Part.PARSED: lambda: _parsed(detail),
        Part.ATTEMPTS: lambda: _attempts(detail),
        Part.ROW: lambda: (Block(pretty_json(detail.data)),),
        Part.RAW: lambda: _raw(detail),
    }
    return ItemParts(detail, {part: tuple(make()) for part, make in makers.items()})


def first_part(detail: ItemDetail) -> Part:
    """What a person wants to see first: the answer, else the errors, else the prompt."""
    if detail.text is not None:
        return Part.ANSWER
    return Part.ATTEMPTS if detail.attempts or detail.message else Part.PROMPT


def _prompt(spec: JobSpec, detail: ItemDetail) -> Sequence[Block]:
    try:
        sent = as_sent(spec, detail)
    except UserError as error:
        return (Block(str(error), "no request"), Block(pretty_json(detail.data), "the row"))
    blocks = [Block(message_text(message), f"── {message.role}") for message in sent.messages]
    return (*blocks, Block(_sent_words(sent), "── sent to"))


def _sent_words(sent: AsSent) -> str:
    params = "\n".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in sent.params)
    return f"{sent.deployment}\n{params}".rstrip()


def _answer(spec: JobSpec, detail: ItemDetail) -> Sequence[Block]:
    if detail.text is None:
        words = (
            "No answer yet: the item is pending." if detail.row.state is ItemState.PENDING else "There is no answer."
        )
        return (Block(f"{words}\n{detail.message}".rstrip()),)
    blocks = [Block(detail.text or "(empty)")]
    if detail.message:
        blocks.insert(0, Block(detail.message, "── refused because"))
    if verdicts := _verdicts(spec, detail):
        blocks.append(Block(verdicts, "── checks"))
    if remarks := _remarks(detail):
        blocks.append(Block(remarks, "── remarks"))
    return blocks


def _verdicts(spec: JobSpec, detail: ItemDetail) -> str:
    """What each of the job's checks says of the answer; only the mean of their scores is stored."""
    try:
        checks = compile_checks(spec)
        if checks is None:
            return ""
        answer = Answer(detail.text or "", orjson.loads(detail.data), cut=ItemFlag.TRUNCATED in detail.row.flags)
        verdicts = [(one, one.ask(answer)) for one in checks.examiners]
    except UserError as error:
        return f"✗ {error}"
    lines = [_verdict_words(_check_words(one), verdict) for one, verdict in verdicts]
    lines += [f"✗ {one}" for one in detail.failing if one.check == JUDGE]
    score = detail.row.score
    return "\n".join([*lines, *([] if score is None else [f"score {score:.2f} of 1"])])


def _check_words(one: Examiner) -> str:
    return f"{one.name} of {one.field}" if one.field else one.name


def _verdict_words(name: str, verdict: Verdict) -> str:
    score = "" if verdict.score is None else f"  {verdict.score:.2f}"
    if verdict.message:
        return f"✗ {name}{score}: {verdict.message}"
    return f"{'✓' if verdict.score is None else '·'} {name}{score}"  # a score that nothing is asked of is no pass


def _remarks(detail: ItemDetail) -> str:
    row = detail.row
    words = [
        "cut by a length limit" if ItemFlag.TRUNCATED in row.flags else "",
        "the server cut the prompt" if ItemFlag.PROMPT_CUT in row.flags else "",
        "taken although it fails a check" if ItemFlag.CHECK_FAILED in row.flags else "",
        f"the judge: {detail.reason}" if detail.reason else "",
        "its judge could not be had" if ItemFlag.UNJUDGED in row.flags else "",
        "from the response cache" if row.cached else "",
        f"finished: {detail.finish_reason}" if detail.finish_reason else "",
        f"request id: {detail.request_id}" if detail.request_id else "",
    ]
    return "\n".join(filter(None, words))


def _parsed(detail: ItemDetail) -> Sequence[Block]:
    if detail.text is None:
        return (Block("There is no answer."),)
    try:
        value = Answer(detail.text, {}).value
    except Unreadable:
        return (Block("The answer is not JSON."),)
    return (Block(json.dumps(value, ensure_ascii=False, indent=2)),)


def _attempts(detail: ItemDetail) -> Sequence[Block]:
    row = detail.row
    sent = figures.things(row.requests, "request")
    words = f"{sent}, {figures.count(len(detail.attempts))} failed; {figures.things(row.attempts, 'attempt')} used up"
    blocks = [Block(words, "── in all")]
    if detail.message:
        blocks.append(Block(detail.message, "── dead because"))
    return (*blocks, *(Block(one.message or "(no message)", _attempt_words(one)) for one in detail.attempts))


def _attempt_words(one: Attempt) -> str:
    cost = "?" if one.cost_nano is None else figures.dollars(one.cost_nano)
    status = "no response" if one.status is None else f"HTTP {one.status}"
    tokens = f"{_known(one.input_tokens)}/{_known(one.output_tokens)} tokens"
    when = figures.local_time(one.at)
    parts = (f"── #{one.number}", when, one.cls.value, status, milliseconds(round(one.latency_s * 1000)), tokens, cost)
    return f"{'  '.join(parts)}  {one.deployment}"


def _known(amount: int | None) -> str:
    return "?" if amount is None else figures.short_count(amount)


def _raw(detail: ItemDetail) -> Sequence[Block]:
    if detail.raw is None:
        return (Block("The raw response was not kept. A job keeps it when it is made with keep_raw."),)
    return (Block(pretty_json(detail.raw)),)


def pretty_json(data: bytes) -> str:
    """Bytes as indented JSON, or as text where they are none."""
    text = data.decode("utf-8", "replace")
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return text


def title_spans(job_name: str, detail: ItemDetail) -> Spans:
    """The item in a line."""
    row = detail.row
    name = f"row {figures.count(row.seq + 1)}" + (f" · {row.custom_id}" if row.custom_id else "")
    figures_of = (
        f"{row.model} @ {row.endpoint}" if row.model and row.endpoint else row.model or "",
        cost_words(row),
        milliseconds(row.latency_ms),
        "" if row.score is None else f"score {row.score:.2f}",
        f"{_known(row.tokens_in)} in {_known(row.tokens_out)} out" if row.requests else "",
    )
    return (
        (f"{job_name} · {name}  ", Tone.STRONG),
        state_span(row),
        ("  " + "  ".join(filter(None, figures_of)), Tone.MUTED),
    )
