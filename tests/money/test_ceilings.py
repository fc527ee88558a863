"""No bill is higher than what was set aside for it, whatever is asked for; what nothing bounds is told by its name."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import orjson
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tui_batch.domain.endpoint import Api, Endpoint, Operation
from tui_batch.domain.outcome import Usage
from tui_batch.money.ceiling import Ceiling, ceiling, floor_of
from tui_batch.money.exposure import Exposure, exposure_of, told
from tui_batch.money.pictures import picture_tokens
from tui_batch.money.prices import FREE, Tier, UnitPrices, cost, lookup

MINI = UnitPrices.per_mtok("0.15", "0.60", cached_usd="0.075")
WINDOW = 128_000
TURN = {"role": "user", "content": "Is it raining?"}
OPENAI = Endpoint("openai", Api.OPENAI, "https://api.openai.com/v1")


def use_of(api: Api = Api.OPENAI, model: str = "gpt-4o-mini", **asked: Any) -> Exposure:
    body = {"model": model, "messages": [TURN], "max_tokens": 50, **asked}
    return exposure_of(orjson.dumps(body), api, Operation.CHAT, model)


def most(prices: UnitPrices = MINI, window: int | None = None, **asked: Any) -> Ceiling:
    return ceiling(use_of(**asked), prices, window)


def picture(url: str, detail: str = "auto") -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url, "detail": detail}}]}


# A provider that bills: what it may count for a body, drawn freely within what the formats allow.


def priced(given: int, made: int, cached: int | None, written: int | None, speech: int, step: int) -> UnitPrices:
    """Prices with everything in them, and a step of `step` tokens (0: none) above which all is dearer."""

    def level(times: int) -> UnitPrices:
        base = UnitPrices.per_mtok(times * given, times * made, cached_usd=cached, cache_write_usd=written)
        return replace(base, sound=Fraction(times * speech) * 900, speech=Fraction(times * speech) * 1_800)

    tiers = (("priority", Fraction(7, 4)), ("flex", Fraction(1, 2)))
    return replace(level(1), tiers=tiers, above=(Tier(step, level(2)),) if step else ())


PRICES = st.builds(
    priced,
    *(st.integers(1, 60) for _ in range(2)),
    *(st.none() | st.integers(0, 80) for _ in range(2)),
    st.integers(0, 90),
    st.sampled_from([0, 300, 100_000]),
)
TEXTS = st.text(max_size=40)
SOUND = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
FILE = {"type": "file", "file": {"file_id": "file-1"}}
KEPT = {"type": "text", "text": "long", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
PARTS = st.lists(
    st.sampled_from([SOUND, FILE, KEPT])
    | st.builds(lambda text: {"type": "text", "text": text}, TEXTS)
    | st.sampled_from([picture("https://x.test/a.png", d)["content"][0] for d in ("low", "high", "auto")])
    | st.just(picture("data:image/png;base64," + "A" * 64)["content"][0]),
    max_size=4,
)
BODIES = st.fixed_dictionaries(
    {"messages": st.lists(st.builds(lambda c: {"role": "user", "content": c}, TEXTS | PARTS), min_size=1, max_size=3)},
    optional={
        "max_tokens": st.integers(1, 300),
        "max_completion_tokens": st.integers(1, 300),
        "n": st.integers(1, 4),
        "service_tier": st.sampled_from(["auto", "default", "flex", "priority"]),
        "modalities": st.sampled_from([["text"], ["text", "audio"]]),
        "prediction": st.builds(lambda text: {"type": "content", "content": text}, TEXTS),
        "tools": st.just([{"type": "function", "function": {"name": "f"}}]),
        "temperature": st.floats(0, 2),
    },
)


def billed(body: dict[str, Any], api: Api, model: str, draw: Any) -> Usage:
    """What a provider may count for a body; every figure is as high as its own rules allow, or lower."""
    parts = [part for turn in body["messages"] if isinstance(turn["content"], list) for part in turn["content"]]
    texts = [turn["content"] for turn in body["messages"] if isinstance(turn["content"], str)]
    texts += [part["text"] for part in parts if part["type"] == "text"]
    tokens = sum(len(text.encode()) for text in texts) + 12 * len(body["messages"]) + 700 * ("tools" in body)
    for part in parts:
        if part["type"] == "image_url":
            tokens += picture_tokens(api, model, part["image_url"]["detail"]) or 0
    heard = draw(st.integers(0, 20_000)) if SOUND in parts else 0
    tokens = min(WINDOW, tokens + heard + (draw(st.integers(0, WINDOW)) if FILE in parts else 0))
    share = draw(st.integers(0, tokens))
    limits = [body[name] for name in ("max_tokens", "max_completion_tokens") if name in body]
    made = body.get("n", 1) * (max(limits) if limits else WINDOW) + len(body.get("prediction", {}).get("content", ""))
    cached = draw(st.integers(0, share))
    return Usage(
        tokens,
        made,
        cached,
        share - cached,
        long_write_tokens=share - cached if KEPT in parts else 0,
        sound_tokens=min(heard, tokens),
        spoken_tokens=draw(st.integers(0, made)) if "audio" in body.get("modalities", ()) else 0,
        tier=body.get("service_tier"),
        region=draw(st.sampled_from([None, "us"])),
    )


@settings(max_examples=80, phases=[Phase.explicit, Phase.generate])
@given(st.data(), BODIES, PRICES, st.sampled_from([(Api.OPENAI, "gpt-4o"), (Api.OPENAI, "gpt-4o-mini")]))
def test_no_bill_passes_what_was_set_aside(
    data: Any, body: dict[str, Any], prices: UnitPrices, place: tuple[Api, str]
) -> None:
    api, model = place
    use = exposure_of(orjson.dumps({"model": model, **body}), api, Operation.CHAT, model)

    set_aside = ceiling(use, prices, WINDOW).nano
    bill = cost(billed(body, api, model, data.draw), prices)

    assert set_aside is not None
    assert bill is not None
    assert 0 <= bill <= set_aside
    assert floor_of(use, prices, WINDOW) == set_aside


@settings(max_examples=100)
@given(st.integers(0, 5_000), st.integers(0, 400), st.integers(0, 5_000), st.integers(0, 5_000), st.booleans())
def test_nor_does_anthropics_whatever_is_kept_and_for_how_long(
    given_tokens: int, made: int, written: int, long: int, kept: bool
) -> None:
    haiku = UnitPrices.per_mtok(1, 5, cached_usd="0.10", cache_write_usd="1.25")
    content = [{**KEPT, "text": "x" * 5_000}] if kept else [{"type": "text", "text": "x" * 5_000}]
    use = use_of(Api.ANTHROPIC, "claude-haiku-4-5", messages=[{"role": "user", "content": content}], max_tokens=400)
    usage = Usage(given_tokens, made, cache_write_tokens=written, long_write_tokens=long if kept else 0, region="us")

    bill, set_aside = cost(usage, haiku), ceiling(use, haiku, None).nano

    assert bill is not None
    assert set_aside is not None
    assert bill <= set_aside


def test_a_cache_write_for_an_hour_is_reckoned_at_twice_the_price() -> None:
    haiku = UnitPrices.per_mtok(1, 0, cache_write_usd="1.25")
    short = use_of(Api.ANTHROPIC, "claude-haiku-4-5", system=[{"type": "text", "text": "x" * 9_000}])
    long = use_of(Api.ANTHROPIC, "claude-haiku-4-5", system=[{**KEPT, "text": "x" * 9_000}])

    low, high = (ceiling(use, haiku, None).nano or 0 for use in (short, long))

    assert high / low == pytest.approx(2 / 1.25, rel=0.02)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"web_search_options": {}}, "web_search_options"),
        ({"plugins": [{"id": "web"}]}, "plugins"),
        ({"models": ["a", "b"]}, "models"),
        ({"tools": [{"type": "code_interpreter"}]}, "code_interpreter"),
        ({"modalities": ["image", "text"]}, "modalities"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"surprise": 1}, "surprise"),
        ({"model": "gpt-4o-search-preview"}, "gpt-4o-search-preview"),
        ({"max_tokens": None}, "max_tokens"),
        ({"messages": [picture("https://x.test/a.png")], "model": "other"}, "pictures"),
        ({"messages": [{"role": "user", "content": [SOUND]}]}, "sound"),
        ({"api": Api.ANTHROPIC, "tools": [{"type": "web_search_20250305"}]}, "web_search"),
        ({"api": Api.ANTHROPIC, "speed": "fast"}, "speed"),
        ({"api": Api.ANTHROPIC, "mcp_servers": [{}]}, "mcp_servers"),
    ],
)
def test_what_nothing_bounds_is_told_by_its_name_and_costs_nothing_on_a_free_server(
    asked: dict[str, Any], named: str
) -> None:
    found = most(**asked)

    assert found.nano is None
    assert named in found.why
    assert ceiling(use_of(**asked), FREE, None).nano == 0
    assert floor_of(use_of(**asked), MINI, None) > 0


def test_a_null_parameter_is_no_parameter() -> None:
    assert most(web_search_options=None, surprise=None) == most(**{"web_search_options": None, "surprise": None})
    assert most(web_search_options=None).nano is not None


def test_a_picture_is_reckoned_by_its_detail_and_not_by_its_bytes() -> None:
    asked = {"model": "gpt-4o", "messages": [picture("data:image/png;base64," + "A" * 2_000_000, "low")]}
    other = {"model": "gpt-4o", "messages": [picture("https://x.test/a.png", "high")]}

    low, high = use_of(**asked).tokens_in, use_of(**other).tokens_in

    assert 85 <= low < 500
    assert 1_445 <= high < 1_900


def test_a_file_that_is_only_named_is_reckoned_as_the_whole_window() -> None:
    asked = {"messages": [{"role": "user", "content": [FILE]}]}

    assert most(window=WINDOW, **asked).nano == math.ceil((WINDOW * 150 + 50 * 600) * Fraction(11, 10))
    assert "windows:" in most(**asked).why


def test_the_larger_of_two_bounds_counts_and_every_choice_of_an_unbounded_answer() -> None:
    assert use_of(max_tokens=10, max_completion_tokens=4_000).tokens_out == 4_000
    one, three = (most(window=WINDOW, max_tokens=None, n=n).nano or 0 for n in (1, 3))
    assert three - one == math.ceil(2 * WINDOW * 600 * Fraction(11, 10))


def test_what_an_answer_leaves_unsaid_is_billed_as_it_was_asked_for() -> None:
    use = use_of(service_tier="priority", messages=[{"role": "user", "content": [KEPT]}])

    assert told(Usage(90, 5, cache_write_tokens=70), use) == Usage(
        90, 5, cache_write_tokens=70, long_write_tokens=70, tier="priority"
    )
    said = Usage(90, 5, cache_write_tokens=70, long_write_tokens=10, tier="default")
    assert told(said, use) == said
    assert told(Usage(90, 5), use_of(modalities=["text", "audio"])) is None
    assert told(Usage(90, 5), use_of()) == Usage(90, 5)


ODD: list[dict[str, Any]] = [
    {"modalities": 5},
    {"modalities": [{"kind": "video"}]},
    {"messages": [{"role": "user", "content": [{"type": ["video"]}]}]},
]


@pytest.mark.parametrize("asked", ODD)
def test_a_row_that_says_nonsense_is_unbounded_and_stops_nothing(asked: dict[str, Any]) -> None:
    assert most(**asked).nano is None


def test_openais_tiers_have_their_published_multiples() -> None:
    prices = lookup(OPENAI, "gpt-4.1")
    assert prices is not None
    usage = Usage(1_000_000, 100_000)

    assert cost(usage, prices) == 2_800_000_000
    assert cost(replace(usage, tier="priority"), prices) == 4_900_000_000  # 3.50 in, 14 out
    assert cost(replace(usage, tier="flex"), prices) == 1_400_000_000
    assert cost(replace(usage, tier="unheard of"), prices) is None
    nano = lookup(OPENAI, "gpt-5-nano")
    assert nano is not None
    assert nano.factor("priority") is None


def test_a_bill_with_searches_sound_or_code_is_known_only_with_their_prices() -> None:
    priced = replace(MINI, web_search=Fraction(10_000_000), sound=Fraction(10_000), per_request=Fraction(5_000_000))

    assert cost(Usage(0, 0, web_searches=2), MINI) is None
    assert cost(Usage(0, 0, web_searches=2), priced) == 25_000_000
    assert cost(Usage(100, 0, sound_tokens=60), MINI) is None
    assert cost(Usage(100, 0, sound_tokens=60), priced) == 5_000_000 + 40 * 150 + 60 * 10_000
    assert cost(Usage(100, 0, code_runs=1), priced) is None


def test_ollama_is_bounded_by_num_predict() -> None:
    body = orjson.dumps({"model": "m", "messages": [TURN], "options": {"num_predict": 30}})
    assert exposure_of(body, Api.OLLAMA, Operation.CHAT, "m").tokens_out == 30


def test_embeddings_have_no_answer_to_pay() -> None:
    body = orjson.dumps({"model": "e", "input": ["a"]})
    use = exposure_of(body, Api.OPENAI, Operation.EMBED, "e")
    assert ceiling(use, MINI, None).nano is not None


@given(
    texts=st.lists(st.text(max_size=20), min_size=1, max_size=3),
    limit=st.one_of(st.none(), st.integers(-1, 500)),
    model=st.sampled_from(["gpt-4o-mini", "gpt-4o-search-preview"]),
    api=st.sampled_from(list(Api)),
)
def test_a_plain_request_is_worth_what_a_full_look_at_it_finds(
    texts: list[str], limit: int | None, model: str, api: Api
) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": text} for text in texts], "max_tokens": limit}
    looked_at = {**body, "cache_control": None}  # says nothing, but no request with it passes for a plain one

    plain, full = (exposure_of(orjson.dumps(one), api, Operation.CHAT, model) for one in (body, looked_at))

    more = len(orjson.dumps(looked_at)) - len(orjson.dumps(body))
    assert replace(full, tokens_in=full.tokens_in - more) == plain
