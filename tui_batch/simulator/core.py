"""The simulator itself: an HTTP request in, an HTTP response out, no transport."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace

from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.outcome import RateHeaders
from tui_batch.simulator import anthropic_wire, listings, words
from tui_batch.simulator.answers import embed, reply
from tui_batch.simulator.anthropic_wire import AnthropicFormat
from tui_batch.simulator.chance import digest
from tui_batch.simulator.clock import Clock
from tui_batch.simulator.config import Pieces, SimulatorConfig, UnknownModels
from tui_batch.simulator.counting import count_tokens, cut, cut_front
from tui_batch.simulator.faults import STICKY, Fault
from tui_batch.simulator.limits import Exceeded, ModelLimits, QueueFull, Slots
from tui_batch.simulator.ollama_wire import OllamaFormat
from tui_batch.simulator.openai_wire import OpenAIFormat
from tui_batch.simulator.score import Score
from tui_batch.simulator.wire import (
    Answer,
    Ask,
    Delivery,
    Facts,
    Finish,
    Problem,
    SimRequest,
    SimResponse,
    Trouble,
    WireFormat,
    json_response,
    read_json,
)

_OPENAI, _ANTHROPIC, _OLLAMA = OpenAIFormat(), AnthropicFormat(), OllamaFormat()

_WORK: Mapping[str, tuple[WireFormat, Operation]] = {
    "/v1/chat/completions": (_OPENAI, Operation.CHAT),
    "/v1/embeddings": (_OPENAI, Operation.EMBED),
    "/v1/messages": (_ANTHROPIC, Operation.CHAT),
    "/api/chat": (_OLLAMA, Operation.CHAT),
    "/api/generate": (_OLLAMA, Operation.GENERATE),
    "/api/embed": (_OLLAMA, Operation.EMBED),
    "/api/embeddings": (_OLLAMA, Operation.EMBED),
}
"""Paths that do work: POST only, and all limits apply."""

_DEFAULT_WINDOW = 128_000
_DEFAULT_DIMENSIONS = 768

_EARLY: Mapping[Fault, tuple[Trouble, int | None]] = {
    Fault.RATE_LIMITED: (Trouble.REQUESTS, 429),
    Fault.SERVER_ERROR: (Trouble.SERVER_ERROR, 500),
    Fault.UNAVAILABLE: (Trouble.UNAVAILABLE, 503),
    Fault.OVERLOADED: (Trouble.BUSY, 529),
    Fault.QUOTA: (Trouble.QUOTA, None),
    Fault.AUTH: (Trouble.AUTH, None),
}
"""Faults that come before any work: the trouble, and its status where the fault's name is one."""

_SPOILS = frozenset({Fault.RESET, Fault.HANG, Fault.STALL, Fault.MALFORMED, Fault.EMPTY, Fault.HTML})
"""Faults after which the client has no usable answer although the work was done."""

MOST_MODELS = 1_000
"""Models with limits and figures of their own; further ones share theirs."""
LONGEST_NAME = 200
OTHERS = "other models"

_PAGE = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


@dataclass(slots=True)
class _Visit:
    """What is known of a request so far; an error needs it as much as an answer does."""

    started: float
    key: int = 0
    attempt: int = 0
    limits: RateHeaders | None = None

    @property
    def request_id(self) -> str:
        return f"{digest(self.key, self.attempt):016x}"


class Simulator:
    """A pretended provider. One instance is one server with one account: limits are per model."""

    def __init__(self, config: SimulatorConfig | None = None, clock: Clock | None = None) -> None:
        self.config = config or SimulatorConfig()
        self.clock = clock or Clock()
        self.score = Score(self.config.remembered)
        self.slots = Slots(self.config.slots, self.config.queue_length)
        self._limits: dict[str, ModelLimits] = {}
        self._loaded: dict[str, tuple[float, int]] = {}
        self._known: set[str] = set()

    async def handle(self, request: SimRequest) -> SimResponse:
        """Answers one request. Never raises but for cancellation, which means that the client went away."""
        path = request.path.partition("?")[0].rstrip("/") or "/"
        work = _WORK.get(path) if request.method == "POST" else None
        if work is not None:
            return await self._work(*work, request)
        wire = _format_of(path, request.headers)
        try:
            return self._list(path, request)
        except Problem as problem:
            return wire.error(problem, self._facts(_Visit(self.clock.now())))

    def _list(self, path: str, request: SimRequest) -> SimResponse:
        if request.method in {"GET", "HEAD"} and path == "/":
            return listings.ollama_root()
        if request.method == "GET" and path == "/_sim/score":
            slots = {"max_busy": self.slots.most_busy, "max_waiting": self.slots.most_waiting}
            return json_response(200, {**self.score.as_json(), **slots})
        self._check_key(request.headers)
        if request.method == "POST":
            return self._post(path, request)
        return self._get(path, request.headers)

    def _get(self, path: str, headers: Mapping[str, str]) -> SimResponse:
        is_anthropic = "anthropic-version" in headers
        if path == "/v1/models":
            return listings.anthropic_models(self.config) if is_anthropic else listings.openai_models(self.config)
        if path.startswith("/v1/models/"):
            one = listings.anthropic_model if is_anthropic else listings.openai_model
            return one(self.config, path.removeprefix("/v1/models/"))
        if path == "/api/tags":
            return listings.ollama_tags(self.config)
        if path == "/api/ps":
            return listings.ollama_ps(self.config, self._loaded)
        if path == "/api/version":
            return listings.ollama_version()
        raise Problem(Trouble.NO_ROUTE, f"Invalid URL (GET {path})")

    def _post(self, path: str, request: SimRequest) -> SimResponse:
        if path == "/api/show":
            return listings.ollama_show(self.config, read_json(request.body))
        if path == "/v1/messages/count_tokens":
            facts = self._facts(_Visit(self.clock.now()))
            return anthropic_wire.count_tokens_response(read_json(request.body), facts)
        raise Problem(Trouble.NO_ROUTE, f"Invalid URL (POST {path})")

    async def _work(self, wire: WireFormat, operation: Operation, request: SimRequest) -> SimResponse:
        self.score.seen += 1
        visit = _Visit(self.clock.now(), key=self.score.seen)
        try:
            self._check_key(request.headers)
            ask = wire.parse(operation, read_json(request.body), request.headers)
            response = await self._serve(wire, ask, visit)
        except Problem as problem:
            self.score.refused += 1
            response = wire.error(problem, self._facts(visit))
        except asyncio.CancelledError:
            self.score.abandoned += 1
            raise
        self.score.statuses[response.status] += 1
        return response

    async def _serve(self, wire: WireFormat, ask: Ask, visit: _Visit) -> SimResponse:
        visit.key = digest(ask.api, ask.operation, ask.model, ask.system, ask.prompt, ask.input_tokens, *ask.inputs)
        visit.attempt = self.score.attempt(visit.key)
        fault = self._fault(ask, visit)
        ask, window = self._fit(ask)
        answer = self._answer(ask, window, fault)
        self._admit(ask, answer, visit)
        with ExitStack() as slot:
            writing_s = await self._spend_time(ask, answer, visit, slot)
            if ask.api is Api.OLLAMA:
                self._loaded[self._name(ask.model)] = (self.clock.wall(), window)
            if fault not in _SPOILS:
                self.score.answer(visit.key, answer.input_tokens, answer.output_tokens)
            response = _spoil(wire.answer(ask, answer, self._facts(visit, answer)), fault)
            # A stream is written while it is delivered: the slot is taken until then.
            return replace(response, pace_s=writing_s, done=slot.pop_all().close) if writing_s else response

    def _check_key(self, headers: Mapping[str, str]) -> None:
        wanted = self.config.api_key
        if wanted is None or headers.get("x-api-key") == wanted or headers.get("authorization") == f"Bearer {wanted}":
            return
        raise Problem(Trouble.AUTH)

    def _fault(self, ask: Ask, visit: _Visit) -> Fault | None:
        """The fault this request meets. Raises Problem for those that come before any work."""
        fault = self.config.faults.decide(self.config.seed, visit.key, visit.attempt)
        if fault is None or (fault in STICKY and ask.operation is Operation.EMBED):
            return None
        self.score.faults[fault.value] += 1
        if fault in _EARLY:
            trouble, status = _EARLY[fault]
            wait = self.config.fault_retry_after_s if fault is Fault.RATE_LIMITED else None
            raise Problem(trouble, status=status, retry_after_s=wait)
        return fault

    def _fit(self, ask: Ask) -> tuple[Ask, int]:
        """The request as the model takes it, and the model's context window. Raises Problem."""
        spec = self.config.model(ask.model)
        if spec is None and self.config.unknown_models is UnknownModels.REFUSE:
            raise words.no_model(ask.api, ask.model)
        if spec is not None and spec.dimensions and ask.operation is not Operation.EMBED:
            raise words.not_for(ask.api, ask.model, ask.operation)
        offered = self.config.context_window or (spec.context_window if spec else _DEFAULT_WINDOW)
        window = min(ask.context_window or offered, offered)
        if ask.operation is Operation.EMBED:
            return replace(ask, dimensions=ask.dimensions or (spec and spec.dimensions) or _DEFAULT_DIMENSIONS), window
        if ask.input_tokens <= window:
            return ask, window
        if not ask.truncate:
            raise words.too_long(ask.api, ask.input_tokens, window)
        # Ollama drops the oldest part and says nothing: only prompt_eval_count gives it away.
        return replace(ask, prompt=cut_front(ask.prompt, window), input_tokens=window), window

    def _answer(self, ask: Ask, window: int, fault: Fault | None) -> Answer:
        if ask.operation is Operation.EMBED:
            return _embedding(ask, window)
        if fault is Fault.FILTER:
            return _withheld(ask)
        text = self._reply(ask) if ask.prompt or ask.schema else ""
        room = max(window - ask.input_tokens, 1)
        most = min(ask.max_tokens or room, room)
        if fault is Fault.TRUNCATION:
            most = min(most, max(count_tokens(text) // 2, 1))
        finish = Finish.STOP if count_tokens(text) <= most else Finish.LENGTH
        text = cut(text, most)
        return Answer(text, (), finish, ask.input_tokens, count_tokens(text))

    def _reply(self, ask: Ask) -> str:
        try:
            return reply(ask, self.config.seed)
        except (AttributeError, KeyError, TypeError, ValueError):
            # The filler takes a schema's keywords at their word: one of the wrong type is the request's mistake.
            if ask.schema is None:
                raise
            raise Problem(Trouble.INVALID, "Invalid schema: it is not a valid JSON Schema.") from None

    def _admit(self, ask: Ask, answer: Answer, visit: _Visit) -> None:
        """Counts the request against the limits. Raises Problem when it is refused."""
        if self.slots.full:
            raise Problem(Trouble.BUSY)
        now, tokens = self.clock.now(), answer.input_tokens + answer.output_tokens
        if self.config.rpm or self.config.tpm:
            limits = self._limits_of(self._name(ask.model))
            verdict = limits.admit(now, tokens)
            visit.limits = limits.state(now)
            if verdict.exceeded is not None:
                limit = self.config.rpm if verdict.exceeded is Exceeded.REQUESTS else self.config.tpm
                raise words.rate_limited(ask.model, verdict.exceeded, limit or 0, tokens, verdict.wait_s)
        self.score.accept(self._name(ask.model), now, tokens)

    def _name(self, model: str) -> str:
        """What a model is counted under: its name, or that of all others once there are many, so that nobody fills
        the memory with names.
        """
        if model not in self._known:
            if len(self._known) >= MOST_MODELS or len(model) > LONGEST_NAME:
                return OTHERS
            self._known.add(model)
        return model

    def _limits_of(self, model: str) -> ModelLimits:
        limits = self._limits.get(model)
        if limits is None:
            limits = ModelLimits(self.config.rpm, self.config.tpm, self.config.interval_s)
            self._limits[model] = limits
        return limits

    async def _spend_time(self, ask: Ask, answer: Answer, visit: _Visit, slot: ExitStack) -> float:
        """Takes a slot for as long as the answer takes. Returns the seconds that are left for its delivery."""
        try:
            await self.slots.acquire()
        except QueueFull:
            raise Problem(Trouble.BUSY) from None
        slot.callback(self.slots.release)
        latency, tokens = self.config.latency, (answer.input_tokens, answer.output_tokens)
        took = latency.total_s(*tokens, self.config.seed, visit.key, visit.attempt)
        if not took:
            return 0.0
        paced = ask.stream and self.config.pieces is Pieces.PACED
        write_s = latency.write_s(answer.output_tokens)
        writing_s = took * write_s / (latency.read_s(answer.input_tokens) + write_s) if paced else 0.0
        await self.clock.sleep(took - writing_s)
        return writing_s

    def _facts(self, visit: _Visit, answer: Answer | None = None) -> Facts:
        total = self.clock.now() - visit.started
        latency = self.config.latency
        return Facts(
            request_id=visit.request_id,
            created=self.clock.wall(),
            limits=visit.limits,
            read_s=latency.read_s(answer.input_tokens) if answer else 0.0,
            write_s=latency.write_s(answer.output_tokens) if answer else 0.0,
            total_s=total,
        )


def _format_of(path: str, headers: Mapping[str, str]) -> WireFormat:
    if "anthropic-version" in headers or path.startswith("/v1/messages"):
        return _ANTHROPIC
    return _OLLAMA if path.startswith("/api") else _OPENAI


def _embedding(ask: Ask, window: int) -> Answer:
    """Vectors of all texts. Raises Problem for one that is too long and may not be cut."""
    longest = max(map(count_tokens, ask.inputs), default=0)
    if longest > window and not ask.truncate:
        raise words.too_long(ask.api, longest, window)
    texts = [cut(text, window) for text in ask.inputs]
    vectors = tuple(embed(text, ask.dimensions or _DEFAULT_DIMENSIONS) for text in texts)
    return Answer(vectors=vectors, input_tokens=sum(map(count_tokens, texts)))


def _withheld(ask: Ask) -> Answer:
    """A filtered answer. Ollama has no filter: there the model itself declines."""
    if ask.api is Api.OLLAMA:
        text = "I'm sorry, I can't help with that."
        return Answer(text, (), Finish.STOP, ask.input_tokens, count_tokens(text))
    return Answer("", (), Finish.FILTER, ask.input_tokens, 1)


def _spoil(response: SimResponse, fault: Fault | None) -> SimResponse:
    """The response with a fault of delivery."""
    match fault:
        case Fault.RESET:
            return replace(response, delivery=Delivery.RESET)
        case Fault.HANG:
            return replace(response, delivery=Delivery.HANG)
        case Fault.STALL:
            return replace(response, delivery=Delivery.STALL)
        case Fault.SLOW:
            return replace(response, chunks=(response.body,), delivery=Delivery.DRIBBLE)
        case Fault.EMPTY:
            return replace(response, chunks=(b"",), delivery=Delivery.WHOLE)
        case Fault.MALFORMED:
            half = response.body[: max(math.floor(len(response.body) / 2), 1)]
            return replace(response, chunks=(half,), delivery=Delivery.WHOLE)
        case Fault.HTML:
            return SimResponse(502, (("content-type", "text/html"),), (_PAGE,))
        case _:
            return response
