"""Answers: plausible, deterministic, and of the promised shape."""

from __future__ import annotations

import csv
import json
import math
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tui_batch import paths
from tui_batch.domain.endpoint import Api, Operation
from tui_batch.simulator.answers import arithmetic, embed, reply, split_subject
from tui_batch.simulator.answers.labels import choose, offered_labels
from tui_batch.simulator.answers.schemas import described_schema, fill
from tui_batch.simulator.wire import Ask

TOPICS: dict[str, str] = {
    "fraud_and_theft": "lost_or_stolen_card lost_or_stolen_phone compromised_card card_payment_not_recognised "
    "cash_withdrawal_not_recognised direct_debit_payment_not_recognised",
    "cards": "activate_my_card card_about_to_expire card_arrival card_delivery_estimate card_linking card_not_working "
    "contactless_not_working disposable_card_limits get_disposable_virtual_card get_physical_card getting_spare_card "
    "getting_virtual_card order_physical_card virtual_card_not_working visa_or_mastercard change_pin pin_blocked "
    "card_acceptance",
    "card_payments": "declined_card_payment pending_card_payment reverted_card_payment? transaction_charged_twice "
    "request_refund Refund_not_showing_up",
    "cash_and_atm": "atm_support card_swallowed declined_cash_withdrawal pending_cash_withdrawal "
    "wrong_amount_of_cash_received",
    "transfers": "beneficiary_not_allowed cancel_transfer declined_transfer failed_transfer pending_transfer "
    "transfer_not_received_by_recipient transfer_timing balance_not_updated_after_bank_transfer receiving_money "
    "transfer_into_account",
    "top_ups": "apple_pay_or_google_pay automatic_top_up pending_top_up top_up_by_cash_or_cheque top_up_failed "
    "top_up_limits top_up_reverted topping_up_by_card verify_top_up balance_not_updated_after_cheque_or_cash_deposit "
    "supported_cards_and_currencies",
    "fees_and_rates": "card_payment_fee_charged card_payment_wrong_exchange_rate cash_withdrawal_charge "
    "exchange_charge exchange_rate exchange_via_app extra_charge_on_statement fiat_currency_support "
    "transfer_fee_charged top_up_by_bank_transfer_charge top_up_by_card_charge wrong_exchange_rate_for_cash_withdrawal",
    "account_and_identity": "age_limit country_support edit_personal_details passcode_forgotten terminate_account "
    "unable_to_verify_identity verify_my_identity verify_source_of_funds why_verify_identity",
}
"""The sample job's topics and the intents of the data that belong to each."""


def ask(prompt: str, system: str = "", **fields: Any) -> Ask:
    return Ask(Api.OPENAI, Operation.CHAT, "gpt-4o-mini", system, prompt, **fields)


def test_support_tickets_are_sorted_right_four_times_in_five() -> None:
    jobs = paths.shipped("sample_jobs")
    spec = yaml.safe_load((jobs / "support_tickets.yaml").read_text(encoding="utf-8"))
    topic_of = {intent: topic for topic, intents in TOPICS.items() for intent in intents.split()}
    with (jobs / "support_tickets.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    right, sentiments = 0, set[str]()
    for row in rows:
        prompt = spec["prompt"].replace("{{ text }}", row["text"])
        answer = json.loads(reply(ask(prompt, spec["system"], schema=spec["schema"]), 0))
        assert set(answer) == {"sentiment", "category"}
        right += answer["category"] == row["topic"] == topic_of[row["intent"]]
        sentiments.add(answer["sentiment"])
    assert len(rows) == 1000
    assert right / len(rows) >= 0.80
    assert sentiments == {"positive", "neutral", "negative"}


@pytest.mark.parametrize(
    ("text", "sentiment"),
    [
        ("Somebody stole my card, this is terrible!", "negative"),
        ("My transfer failed again and I am still waiting", "negative"),
        ("Thank you, that was a great help", "positive"),
        ("Which countries do you operate in?", "neutral"),
    ],
)
def test_sentiment_follows_the_words(text: str, sentiment: str) -> None:
    assert choose(text, ["positive", "neutral", "negative"]) == sentiment


def test_labels_nobody_foresaw_are_matched_by_their_words() -> None:
    labels = offered_labels("Classify as one of: late delivery, broken product, other")
    assert labels == ("late delivery", "broken product", "other")
    assert choose("The delivery came too late", labels) == "late delivery"
    assert choose("Zzz", labels) == "other"
    assert reply(ask("Message: My product arrived broken", f"Classify as one of: {', '.join(labels)}"), 0) == labels[1]


def test_json_sketched_in_the_instructions_is_followed() -> None:
    system = 'Answer as JSON: {"mood": "positive|neutral|negative", "urgent": true, "score": 3}'
    answer = json.loads(reply(ask("Text: I hate waiting, this is awful", system), 0))
    assert answer["mood"] == "negative"
    assert isinstance(answer["urgent"], bool)
    assert isinstance(answer["score"], int)
    assert described_schema("JSON, please") == {"type": "object", "properties": {"answer": {"type": "string"}}}


def test_the_subject_is_told_from_the_instructions() -> None:
    assert split_subject("Sort this.\nMessage: hello\nthere") == ("hello\nthere", "Sort this.\n")
    assert split_subject("Sort <text> a message </text> now") == ("a message", "Sort  now")
    assert split_subject("just this") == ("just this", "")


SCHEMAS = st.recursive(
    st.sampled_from(
        [
            {"type": "string"},
            {"type": "string", "maxLength": 5},
            {"type": "string", "minLength": 200},
            {"type": "integer", "minimum": 3, "maximum": 7},
            {"type": "number", "minimum": -1},
            {"type": "boolean"},
            {"type": "null"},
            {"type": ["string", "null"]},
            {"enum": ["a", "b"]},
            {"enum": [1, None, "x"]},
            {"const": 5},
        ]
    ),
    lambda inner: (
        st.builds(lambda item, least: {"type": "array", "items": item, "minItems": least}, inner, st.integers(0, 3))
        | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3).map(
            lambda fields: {
                "type": "object",
                "properties": fields,
                "required": list(fields),
                "additionalProperties": False,
            }
        )
        | inner.map(lambda one: {"anyOf": [{"type": "null"}, one]})
    ),
    max_leaves=6,
)


@given(schema=SCHEMAS, text=st.text(max_size=30))
@settings(deadline=None, max_examples=60)
def test_answers_meet_the_schema(schema: dict[str, Any], text: str) -> None:
    Draft202012Validator(schema).validate(fill(schema, text, 0))


def test_a_schema_cannot_ask_for_more_text_than_there_is_room() -> None:
    assert len(fill({"type": "string", "minLength": 10**9}, "x", 0)) == 100_000


def test_a_recursive_schema_ends() -> None:
    tree = {"type": "object", "properties": {"child": {"$ref": "#"}, "name": {"type": "string"}}}
    assert "name" in fill(tree, "x", 0)
    endless = {"type": "object", "required": ["a"], "properties": {"a": {"type": "array", "minItems": 3}}}
    endless["properties"]["a"]["items"] = {"$ref": "#"}
    fill(endless, "x", 0)


def test_sums_get_a_number_and_simple_ones_the_right_one() -> None:
    problem = "A baker fills 4 trays with 12 rolls each. How many rolls are there?"
    assert arithmetic.is_problem(problem)
    assert reply(ask(f"Problem: {problem}", "Answer with the number only."), 0) == "48"
    assert reply(ask(problem), 0).endswith("#### 48")
    assert not arithmetic.is_problem("How many people live in Paris?")


@given(text=st.text(max_size=200), seed=st.integers(0, 3))
@settings(deadline=None, max_examples=60)
def test_any_prompt_gets_the_same_answer_twice(text: str, seed: int) -> None:
    assert reply(ask(text), seed) == reply(ask(text), seed) != ""


@given(
    numbers=st.lists(
        st.sampled_from(["7", "300%", "9" * 400, "1/0", "5/3", "half", "twice", "each", "1,5", "left", "total"])
    )
)
@settings(deadline=None, max_examples=60)
def test_no_pile_of_numbers_upsets_the_solver(numbers: list[str]) -> None:
    text = " ".join(numbers) + " how many are left in total?"
    assert math.isfinite(float(arithmetic.solve(text)))


def cosine(one: list[float], other: list[float]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


@given(text=st.text(max_size=60), dimensions=st.integers(1, 300))
@settings(deadline=None, max_examples=60)
def test_embeddings_are_unit_vectors_of_the_length_asked_for(text: str, dimensions: int) -> None:
    vector = embed(text, dimensions)
    assert len(vector) == dimensions
    assert math.isclose(cosine(vector, vector), 1.0)


def test_similar_texts_lie_closer_than_different_ones() -> None:
    one = embed("My card payment was declined at the shop", 256)
    near = embed("The shop declined my card payment yesterday", 256)
    far = embed("What is the exchange rate of the euro?", 256)
    assert cosine(one, near) > 0.5 > abs(cosine(one, far)) + 0.2
