"""Values that are quick to make are frozen dataclasses in all but the refusal of an assignment."""

from __future__ import annotations

import copy
import pickle
from dataclasses import fields, is_dataclass, replace

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.item import ItemRecord, ItemState
from tui_batch.domain.outcome import Outcome, OutcomeClass, Usage


def _record() -> ItemRecord:
    outcome = Outcome(OutcomeClass.OK, text="yes", usage=Usage(1, 2))
    return ItemRecord(1, 2, ItemState.DONE, 1, 0, 0.0, outcome, DeploymentKey("local", "model"), 3, 4.0)


def test_equal_values_are_equal_and_have_one_hash() -> None:
    assert _record() == _record()
    assert len({_record(), _record(), replace(_record(), cost_nano=4)}) == 2


def test_they_are_dataclasses_without_a_dict_and_can_be_sent_elsewhere() -> None:
    assert is_dataclass(Outcome)
    assert [one.name for one in fields(Usage)][:2] == ["input_tokens", "output_tokens"]
    assert not hasattr(Usage(), "__dict__")
    assert pickle.loads(pickle.dumps(_record())) == copy.copy(_record()) == _record()
