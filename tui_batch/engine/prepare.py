"""From stored rows to requests: render, encode, estimate, key. Runs in a worker thread, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import orjson

from tui_batch.domain.endpoint import Api, Deployment, DeploymentKey
from tui_batch.domain.item import PendingItem
from tui_batch.domain.job import JobSpec
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.domain.request import PromptRequest, WireRequest
from tui_batch.engine.prompt_cut import window_of
from tui_batch.engine.queue import Call, Prepared
from tui_batch.engine.router import route
from tui_batch.engine.rules import Subject, bucket_of, choose, compile_rules
from tui_batch.engine.timeouts import timeouts_for, with_patience
from tui_batch.inputs.templates import Renderer, RowError
from tui_batch.money.tokens import TokenEstimator
from tui_batch.providers.base import Encoded, EncodeError, Provider


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
    digest = blake2b(f"{endpoint.api}\0{endpoint.base_url}\0{encoded.path}\0".encode(), digest_size=16)
    digest.update(encoded.body)
    digest.update(schema)
    return digest.digest()


class Preparer:
    """Prepares items of one job. Keeps no state that changes, so any thread may call it."""

    def __init__(
        self,
        spec: JobSpec,
        renderer: Renderer,
        estimator: TokenEstimator,
        provider_for: Callable[[Api], Provider],
    ) -> None:
        self._spec = spec
        self._renderer = renderer
        self._estimator = estimator
        self._provider_for = provider_for
        self._rules = compile_rules(spec)
        self._schema = b"" if spec.schema is None else orjson.dumps(spec.schema)
        self._by_name = {endpoint.name: endpoint for endpoint in spec.endpoints}

    def prepare(self, page: Sequence[PendingItem]) -> tuple[list[Prepared], list[Unsendable]]:
        """Splits a page into what can be sent and what cannot."""
        ready: list[Prepared] = []
        dead: list[Unsendable] = []
        for item in page:
            try:
                ready.append(self._prepare(item))
            except (RowError, EncodeError) as error:
                dead.append(Unsendable(item, Outcome(OutcomeClass.BAD_REQUEST, message=str(error))))
        return ready, dead

    def deployment(self, key: DeploymentKey) -> Deployment:
        """The deployment a key stands for in this job."""
        return Deployment(self._by_name[key.endpoint], key.model)

    def _prepare(self, item: PendingItem) -> Prepared:
        row = self._renderer.render(item.data)
        subject = Subject(row.request, row.columns)
        keys = route(self._spec, item.variant, row.model or choose(self._rules, subject))
        tokens_in = self._estimator.input_tokens(keys[0].model, row.chars)
        limit = max_output(row.request)
        tokens_out = self._estimator.output_tokens(keys[0].model, limit)
        encoded: dict[tuple[Api, str], Encoded] = {}
        calls = tuple(self._call(key, row.request, (tokens_in, tokens_out), encoded) for key in keys)
        return Prepared(
            id=item.id,
            order=(-item.priority, item.seq, item.variant),
            route=keys,
            calls=calls,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            max_out=limit,
            attempts=item.attempts,
            malformed=item.malformed,
            requests=item.requests,
            window=window_of(row.request),
            bucket=bucket_of(self._spec.buckets, subject.tokens) if self._spec.buckets else 0,
        )

    def _call(
        self,
        key: DeploymentKey,
        request: PromptRequest,
        tokens: tuple[int, int],
        encoded: dict[tuple[Api, str], Encoded],
    ) -> Call:
        deployment = self.deployment(key)
        api = deployment.endpoint.api
        made = encoded.get((api, key.model))
        if made is None:
            made = encoded[api, key.model] = self._provider_for(api).encode(request, key.model)
        return Call(self._wire(key, api, made, tokens), cache_key(deployment, made, self._schema))

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


def max_output(request: PromptRequest) -> int | None:
    """The bound on answer tokens that a request sets, whatever its wire format calls it."""
    sources = (request.params, request.body or {})
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict"):
        for source in sources:
            value = source.get(name)
            if isinstance(value, int) and value > 0:
                return value
    return None
