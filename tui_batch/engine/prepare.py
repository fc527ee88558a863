"""From stored rows to requests: render, encode, estimate, key. Runs in a worker thread, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from hashlib import blake2b

import orjson

from tui_batch.domain.endpoint import Api, Deployment, DeploymentKey, Endpoint, Operation
from tui_batch.domain.item import Answered, PendingItem
from tui_batch.domain.job import JobSpec
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.domain.quality import OnInvalid
from tui_batch.domain.request import Json, PromptRequest, WireRequest
from tui_batch.engine.correction import SHOWN, corrected
from tui_batch.engine.prompt_cut import window_of
from tui_batch.engine.queue import Call, Judging, Original, Prepared, Route
from tui_batch.engine.router import judge_route, route
from tui_batch.engine.rules import Subject, bucket_of, choose, compile_rules
from tui_batch.engine.timeouts import timeouts_for, with_patience
from tui_batch.inputs.templates import RenderedRow, Renderer, RowError, compile_text
from tui_batch.money.exposure import exposure_of
from tui_batch.money.tokens import NO_SIZE, Size, TokenEstimator
from tui_batch.providers.base import Encoded, EncodeError, Provider
from tui_batch.quality.judging import SCHEMA, judge_of, judge_request
from tui_batch.quality.kinds import columns_of

_JUDGE_SCHEMA = orjson.dumps(SCHEMA)
"""What a judge's answers are held to, as the cache's key has it."""


@dataclass(frozen=True, slots=True)
class Unsendable:
    """An item that no request can be made of; it is dead as bad_request."""

    item: PendingItem
    outcome: Outcome


def cache_key(deployment: Deployment, encoded: Encoded, schema: bytes = b"") -> bytes:
    """16-byte BLAKE2b of wire format, base URL, path, canonical body and the schema that answers are held to.

    The model and all parameters are in the body; the schema is not where a wire format cannot say it.
    """
    endpoint = deployment.endpoint
    digest = blake2b(_place(endpoint.api, endpoint.base_url, encoded.path), digest_size=16)
    digest.update(encoded.body)
    digest.update(schema)
    return digest.digest()


@lru_cache
def _place(api: Api, base_url: str, path: str) -> bytes:
    """Where a request goes, as it stands in the key. The same few are asked for with every row."""
    return f"{api}\0{base_url}\0{path}\0".encode()


class TooLong(Exception):
    """A prompt that no model of its route can hold."""

    def __init__(self, tokens: int, window: int) -> None:
        super().__init__(
            f"the prompt has about {tokens:,} tokens; the context window holds {window:,}. It was not sent."
        )


class Preparer:
    """Prepares items of one job. Keeps no state that changes, so any thread may call it.

    What does not depend on the row is worked out once: this is a sixth of an item's whole cost.
    """

    def __init__(
        self,
        spec: JobSpec,
        renderer: Renderer,
        estimator: TokenEstimator,
        provider_for: Callable[[Api], Provider],
        window_for: Callable[[Endpoint, str], int | None] = lambda _endpoint, _model: None,
        is_priced: Callable[[Endpoint, str], bool] = lambda _endpoint, _model: False,
    ) -> None:
        """`is_priced`: whether requests to a model will be measured for what they cost; those are measured here."""
        self._spec = spec
        self._renderer = renderer
        self._estimator = estimator
        self._provider_for = provider_for
        self._rules = compile_rules(spec)
        self._schema = b"" if spec.schema is None else orjson.dumps(spec.schema)
        self._references = sorted(columns_of(spec.checks))
        self._tells = spec.on_invalid is OnInvalid.TELL
        self._by_name = {endpoint.name: endpoint for endpoint in spec.endpoints}
        self.deployment = lru_cache(self._deployment)
        """The deployment a key stands for in this job. Raises KeyError for an endpoint that it does not name."""
        # By the key's two words: an endpoint's own hash, over all its fields, costs as much as the look-up is to save.
        self._known_window = lru_cache(lambda key: window_for(self._by_name[key.endpoint], key.model))
        self._is_priced = lru_cache(lambda key: is_priced(self._by_name[key.endpoint], key.model))
        self._route = lru_cache(partial(route, spec))
        self._judge = judge_of(spec.checks)
        self._judges = judge_route(spec)
        self._rubric = None if self._judge is None else compile_text("rubric", self._judge.argument["rubric"])

    def prepare(self, page: Sequence[PendingItem]) -> tuple[list[Prepared], list[Unsendable]]:
        """Splits a page into what can be sent and what cannot."""
        ready: list[Prepared] = []
        dead: list[Unsendable] = []
        for item in page:
            try:
                ready.append(self._prepare(item) if item.answered is None else self._for_judge(item, item.answered))
            except (RowError, EncodeError) as error:
                dead.append(Unsendable(item, Outcome(OutcomeClass.BAD_REQUEST, message=str(error))))
            except TooLong as error:
                dead.append(Unsendable(item, Outcome(OutcomeClass.CONTEXT_LENGTH, message=str(error))))
        return ready, dead

    def _deployment(self, key: DeploymentKey) -> Deployment:
        return Deployment(self._by_name[key.endpoint], key.model)

    def _prepare(self, item: PendingItem) -> Prepared:
        return self._for_answer(item, self._renderer.render(item.data))

    def _for_answer(self, item: PendingItem, row: RenderedRow) -> Prepared:
        if self._rubric is not None:
            self._rubric(row.columns)  # a row that its judge cannot be told of is found out before it costs anything
        subject = Subject(row.request, row.columns)
        keys = self._route(item.variant, row.model or (choose(self._rules, subject) if self._rules else None))
        model = keys[0].model
        size = self._estimator.size(
            model, texts_of(row.request) if self._estimator.counts_exactly(model) else row.chars
        )
        window = window_of(row.request)
        keys = self._wide_enough(keys, size, window)
        tokens_in = self._estimator.input_tokens(keys[0], size)
        limit = max_output(row.request)
        embeds = row.request.operation is Operation.EMBED
        tokens_out = 0 if embeds else self._estimator.output_tokens(keys[0], limit)
        calls = self._calls(keys, row.request, (tokens_in, tokens_out))
        return Prepared(
            id=item.id,
            order=(-item.priority, item.seq, item.variant),
            route=keys,
            calls=calls,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            max_out=None if limit is None else limit * choices(row.request),
            attempts=item.attempts,
            malformed=item.malformed,
            requests=item.requests,
            window=window,
            bucket=bucket_of(self._spec.buckets, subject.tokens) if self._spec.buckets else 0,
            invalid=item.invalid,
            columns=self._referred(row.columns) if self._references else {},
            original=Original(row.request, size) if self._tells else None,
            prompt_size=size,
        )

    def _for_judge(self, item: PendingItem, answer: Answered) -> Prepared:
        """The request to the judge about an answer that is there."""
        assert self._judge is not None  # no other job has such items
        assert self._rubric is not None
        row = self._renderer.render(item.data)
        rubric = self._rubric(row.columns)
        request = judge_request(self._judge, rubric, texts_of(row.request), answer.text)
        size = self._estimator.size(self._judges[0].model, texts_of(request))
        keys = self._wide_enough(self._judges, size, window_of(request))
        tokens_in = self._estimator.input_tokens(keys[0], size)
        limit = max_output(request)
        tokens_out = self._estimator.output_tokens(keys[0], limit)
        return Prepared(
            id=item.id,
            order=(-item.priority, item.seq, item.variant),
            route=keys,
            calls=self._calls(keys, request, (tokens_in, tokens_out), _JUDGE_SCHEMA),
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            max_out=None if limit is None else limit * choices(request),
            attempts=answer.tries,
            requests=item.requests,
            window=window_of(request),
            bucket=bucket_of(self._spec.buckets, tokens_in),
            prompt_size=size,
            judging=Judging(self._for_answer(item, row), answer),
        )

    def told(self, item: Prepared, answer: str, wrong: str) -> Prepared:
        """An item that asks again with what was wrong about its last answer; as it was, where that cannot be said."""
        original = item.original
        request = None if original is None else corrected(original.request, answer, wrong)
        if original is None or request is None:
            return item
        more = self._estimator.size(item.route[0].model, [answer[:SHOWN], wrong])
        size = Size(original.size.tokens + more.tokens, original.size.exact)
        tokens_in = self._estimator.input_tokens(item.route[0], size)
        try:
            calls = self._calls(item.route, request, (tokens_in, item.tokens_out))
        except EncodeError:  # half a character in the answer
            return item
        # What is learned from answers is learned from first questions, whose size is known best.
        return replace(item, calls=calls, tokens_in=tokens_in, prompt_size=NO_SIZE)

    def _wide_enough(self, keys: Route, size: Size, asked: int | None) -> Route:
        """The deployments whose context window may hold a prompt. Raises TooLong when none does for certain.

        `asked`: the window that the request asks for, which Ollama heeds up to what the model was made for.
        """
        windows = {key: self._window(key, asked) for key in keys}
        if not any(windows.values()):
            return keys
        fitting = tuple(
            key
            for key, window in windows.items()
            if window is None or not self._estimator.surely_above(key, size, window)
        )
        if not fitting:
            raise TooLong(self._estimator.input_tokens(keys[0], size), max(filter(None, windows.values())))
        return fitting

    def _window(self, key: DeploymentKey, asked: int | None) -> int | None:
        if asked is not None and self._by_name[key.endpoint].api is Api.OLLAMA:
            return asked
        return self._known_window(key)

    def _referred(self, columns: Mapping[str, Json]) -> dict[str, Json]:
        """The columns that checks compare answers with. Raises RowError."""
        for name in self._references:
            if name not in columns:
                raise RowError(f"a check compares answers with the column `{name}`, which this row does not have")
        return {name: columns[name] for name in self._references}

    def _calls(
        self, keys: Route, request: PromptRequest, tokens: tuple[int, int], schema: bytes | None = None
    ) -> tuple[Call, ...]:
        """A request for each deployment; those of one model in one wire format share their bytes.

        `schema`: what the answers are held to; None: the job's.
        """
        encoded: dict[tuple[Api, str], Encoded] = {}
        held_to = self._schema if schema is None else schema
        return tuple(self._call(key, request, tokens, encoded, held_to) for key in keys)

    def _call(
        self,
        key: DeploymentKey,
        request: PromptRequest,
        tokens: tuple[int, int],
        encoded: dict[tuple[Api, str], Encoded],
        schema: bytes,
    ) -> Call:
        deployment = self.deployment(key)
        api = deployment.endpoint.api
        if (api, key.model) not in encoded:
            encoded[api, key.model] = self._provider_for(api).encode(request, key.model)
        made = encoded[api, key.model]
        measure = partial(exposure_of, made.body, api, made.operation, key.model)
        call = Call(self._wire(key, api, made, tokens), cache_key(deployment, made, schema), measure)
        if self._is_priced(key):
            _ = call.use  # here, in a thread, rather than on the loop
        return call

    def _wire(self, key: DeploymentKey, api: Api, made: Encoded, tokens: tuple[int, int]) -> WireRequest:
        """The request as it is sent. Streaming is no part of what is asked, so the cache's key is made without it."""
        spec = self._spec
        timeouts = timeouts_for(sum(tokens), spec.timeout_base_s, spec.timeout_per_1k_tokens_s)
        streamed = self._provider_for(api).stream(made) if spec.stream else None
        if streamed is not None:
            made = streamed
            timeouts = with_patience(timeouts, tokens[0], spec)
        return WireRequest(
            deployment=key, api=api, operation=made.operation, path=made.path, body=made.body, timeouts=timeouts
        )


def texts_of(request: PromptRequest) -> list[str]:
    """The texts of a request's messages, one a message; what is no text (pictures) is left out."""
    return [_text(message.content) for message in request.messages]


def _text(content: Json) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(_text(part) for part in content)
    return _text(content.get("text")) if isinstance(content, dict) else ""


def choices(request: PromptRequest) -> int:
    """How many answers a request asks for (OpenAI's `n`): each may be as long as the bound says."""
    values = (source.get("n") for source in (request.params, request.body or {}))
    return max((value for value in values if isinstance(value, int)), default=1)


def max_output(request: PromptRequest) -> int | None:
    """The bound on answer tokens that a request sets, whatever its wire format calls it."""
    sources = [source for source in (request.params, request.body) if source]
    if not sources:
        return None
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict"):
        for source in sources:
            value = source.get(name)
            if isinstance(value, int) and value > 0:
                return value
    return None
