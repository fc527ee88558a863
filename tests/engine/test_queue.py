"""The ready queue: priority, row order, routes that do not block one another, waiting items."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tui_batch.domain.endpoint import Api, DeploymentKey, Operation
from tui_batch.domain.request import WireRequest
from tui_batch.engine.queue import Call, Prepared, ReadyQueue
from tui_batch.money.exposure import Exposure

A = DeploymentKey("a", "m")
B = DeploymentKey("b", "m")


def prepared(number: int, *, priority: int = 0, key: DeploymentKey = A, body: bytes = b"{}") -> Prepared:
    wire = WireRequest(key, Api.OPENAI, Operation.CHAT, "/chat/completions", body)
    call = Call(wire, number.to_bytes(16, "big"), Exposure)
    return Prepared(number, (-priority, number, 0), (key,), (call,), tokens_in=1, tokens_out=1, max_out=None)


def drained(queue: ReadyQueue) -> list[int]:
    taken = []
    while heads := queue.heads():
        taken.append(queue.pop(heads[0].group).id)
    return taken


@given(st.lists(st.tuples(st.integers(-20, 20), st.sampled_from([A, B])), max_size=60))
def test_items_leave_by_priority_then_row_order_across_routes(rows: list[tuple[int, DeploymentKey]]) -> None:
    queue = ReadyQueue()
    for number, (priority, key) in enumerate(rows):
        queue.push(prepared(number, priority=priority, key=key))
    expected = sorted(range(len(rows)), key=lambda number: (-rows[number][0], number))
    assert drained(queue) == expected
    assert len(queue) == 0
    assert queue.bytes == 0


def test_a_route_that_waits_does_not_hide_another() -> None:
    queue = ReadyQueue()
    for number in range(3):
        queue.push(prepared(number, key=A))
    queue.push(prepared(9, key=B))
    assert [item.id for item in queue.heads()] == [0, 9]


def test_a_waiting_item_is_ready_at_its_time_and_not_before() -> None:
    queue = ReadyQueue()
    queue.wait(prepared(1), due=10.0)
    queue.wait(prepared(2), due=5.0)
    assert queue.next_due == 5.0
    queue.wake(4.9)
    assert queue.heads() == []
    queue.wake(5.0)
    assert drained(queue) == [2]
    queue.wake(10.0)
    assert drained(queue) == [1]


def test_held_bytes_follow_what_is_held() -> None:
    queue = ReadyQueue()
    queue.push(prepared(1, body=b"x" * 100))
    queue.wait(prepared(2, body=b"x" * 10), due=1.0)
    assert (len(queue), queue.waiting, queue.bytes) == (2, 1, 110)
    queue.wake(1.0)
    assert (len(queue), queue.waiting, queue.bytes) == (2, 0, 110)
    assert drained(queue) == [1, 2]
    assert (len(queue), queue.bytes) == (0, 0)


def test_references_count_as_held_but_not_as_sent() -> None:
    item = replace(prepared(1, body=b"12345"), columns={"right": "x" * 1_000, "n": 5})
    queue = ReadyQueue()
    queue.push(item)
    assert (item.size, queue.bytes) == (5, 1_005)
    queue.pop(item.group)
    assert queue.bytes == 0
