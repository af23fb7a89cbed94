"""`linearizable`: histories, models, the search, the story."""

from __future__ import annotations

import random
import time
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dosim import Simulation
from dosim.testing.invariants import (
    ANYTHING,
    Counter,
    History,
    InvariantViolated,
    Model,
    Operation,
    Queue,
    Register,
    linearizable,
)
from dosim.workers import DurableObject, fetch
from tests.testing.invariants.worlds import Counter as CounterObject


def op(
    client: str, name: str, *arguments: Any, at: tuple[int, int | None], result: Any = None, error: str = ""
) -> Operation:
    return Operation(client, name, arguments, result, at[0], at[1], error)


class LostUpdate(DurableObject):
    """Reads, asks somebody, writes: others get in at the await."""

    async def increment(self) -> int:
        n = (await self.ctx.storage.get("n") or 0) + 1
        await fetch("https://audit.example/")
        await self.ctx.storage.put("n", n)
        return n


def incrementing(cls: type) -> History:
    sim = Simulation(durable_objects={"COUNTER": cls}, seed=6)
    sim.external("https://audit.example", lambda request: "ok", latency="20ms")
    history = History()

    async def client(name: str) -> None:
        counter = history.of(sim.env.COUNTER.getByName("demo"), name)
        await counter.increment()
        await counter.increment()

    async def both() -> None:
        import asyncio

        await asyncio.gather(client("Ann"), client("Ben"))

    sim.run(both())
    return history


def test_an_object_that_lets_nobody_in_is_linearizable() -> None:
    """
    Storage awaits keep the gate closed: four increments, four numbers.
    """
    history = incrementing(CounterObject)

    linearizable(history, Counter())
    assert [1, 2, 3, 4] == sorted(operation.result for operation in history)


def test_a_lost_update_is_drawn_and_told() -> None:
    """
    Two clients read 0, both are told 1: the shortest beginning, two lanes, and what the second would have to be.

    Ann has asked again by then; that this may have happened already does not help.
    """
    with pytest.raises(InvariantViolated) as caught:
        linearizable(incrementing(LostUpdate), Counter())

    lines = str(caught.value).splitlines()
    assert (
        "linearizable: no order of these 3 operations agrees with what the callers were told: they asked a counter that"
        " begins at 0."
    ) == lines[0]
    assert [
        "Ann  |- increment() -> 1 -|  |- increment() -> ? (no answer yet) -...",
        "Ben     |--- increment() -> 1 --|",
    ] == lines[1:3]
    assert lines[3].startswith("Until t=0.0") and lines[3].endswith(
        "when Ben's increment() -> 1 returned, there was one."
    )
    assert "The best order begins Ann's increment() -> 1; Ben's increment() -> 1 would have to be 2." == lines[4]


def test_a_history_is_written_by_hand_too() -> None:
    """
    A read that follows a write in time must see it; one that overlaps it may or may not.
    """
    write = op("Ann", "write", "new", at=(0, 10))

    linearizable([write, op("Ben", "read", at=(5, 15), result="old")], Register("old"))
    linearizable([write, op("Ben", "read", at=(5, 15), result="new")], Register("old"))
    linearizable([write, op("Ben", "read", at=(10, 15), result="old")], Register("old"))
    with pytest.raises(InvariantViolated) as caught:
        linearizable([write, op("Ben", "read", at=(11, 15), result="old")], Register("old"))
    assert [
        "Ann  |- write('new') -> None -|",
        "Ben                              |- read() -> 'old' -|",
    ] == str(caught.value).splitlines()[1:3]
    assert 15 == caught.value.at_us


def test_a_single_answer_may_be_impossible() -> None:
    """
    An empty queue that hands something out.
    """
    with pytest.raises(InvariantViolated) as caught:
        linearizable([op("Ann", "dequeue", at=(0, 5), result="a ghost")], Queue())

    assert (
        "linearizable: what the caller was told cannot be: it asked a queue that begins with [].\n"
        "Ann  |- dequeue() -> 'a ghost' -|\n"
        "Ann's dequeue() -> 'a ghost' returned at t=0.000005s.\n"
        "At the beginning Ann's dequeue() -> 'a ghost' would have to be None."
    ) == str(caught.value)


def test_what_failed_may_have_happened_or_not() -> None:
    """
    A write whose answer was lost: both reads agree with it, but not both one after the other, backwards.
    """
    failed = op("Ann", "write", "new", at=(0, 10), error="Network connection lost.")
    pending = op("Ann", "write", "new", at=(0, None))
    for unknown in (failed, pending):
        for seen in ("old", "new"):
            linearizable([unknown, op("Ben", "read", at=(20, 30), result=seen)], Register("old"))
        linearizable(
            [
                unknown,
                op("Ben", "read", at=(20, 30), result="old"),
                op("Ben", "read", at=(40, 50), result="new"),
            ],
            Register("old"),
        )
        with pytest.raises(InvariantViolated) as caught:
            linearizable(
                [
                    unknown,
                    op("Ben", "read", at=(20, 30), result="new"),
                    op("Ben", "read", at=(40, 50), result="old"),
                ],
                Register("old"),
            )
        assert "..." in str(caught.value).splitlines()[1]


def test_keys_are_checked_apart() -> None:
    """
    Two registers in one history; the story is about the one that fails.
    """
    good = [op("Ann", "write", "x", 1, at=(0, 10)), op("Ben", "read", "x", at=(20, 30), result=1)]
    bad = [op("Ann", "write", "y", 2, at=(0, 10)), op("Ben", "read", "y", at=(20, 30), result=1)]

    linearizable(good, Register(by_key=True))
    with pytest.raises(InvariantViolated, match="no order of these 2 operations") as caught:
        linearizable([*good, *bad], Register(by_key=True))
    assert "'x'" not in str(caught.value)


def test_calls_of_every_kind_are_written_down() -> None:
    """
    From outside, with a result of one's own, failed, and without an answer.
    """
    sim = Simulation(durable_objects={"COUNTER": CounterObject}, seed=6)
    stub, history = sim.env.COUNTER.getByName("demo"), History()
    assert 1 == sim.run(history.call("increment", stub.increment(), client="Ann"))
    sim.run(history.call("add", stub.increment(), 1, client="Ben", result=lambda n: n))
    failed = history.call("increment", stub.no_such_method(), client="Cid")
    sim.run(for_="1s")
    history.call("increment", stub.increment(), client="Dan")

    assert failed.exception() is not None
    assert (
        "Ann: increment() -> 1\nBen: add(1) -> 2\nCid: increment() -> ? (it failed)\n"
        "Dan: increment() -> ? (no answer yet)"
    ) == repr(history)
    linearizable(history)


class Asking(DurableObject):
    """Asks the counter from inside, and writes that down."""

    async def ask(self) -> None:
        counter = ASKED.of(self.env.COUNTER.getByName("demo"), "Ann")
        await counter.increment()
        try:
            await counter.no_such_method()
        except Exception:
            return


ASKED = History()


def test_calls_from_inside_an_object_are_written_down_too() -> None:
    """
    In virtual time as well; outside every simulation there is none.
    """
    ASKED.operations.clear()
    sim = Simulation(durable_objects={"COUNTER": CounterObject, "ASKING": Asking}, seed=6)
    sim.run(for_="1s")
    sim.run(sim.env.ASKING.getByName("a").ask())

    async def outside() -> None:
        return None

    assert "Ann: increment() -> 1\nAnn: no_such_method() -> ? (it failed)" == repr(ASKED)
    first = ASKED.operations[0]
    assert 1_000_000 <= first.invoked_us < (first.returned_us or 0)
    coroutine = outside()
    with pytest.raises(RuntimeError, match="a coroutine outside every simulation"):
        History().call("read", coroutine)
    coroutine.close()


def test_a_history_with_too_many_orders_is_not_decided() -> None:
    """
    Nine writes at once in a queue and an impossible answer: it says that it has given up, and what would help.
    """
    history = [op(f"c{n}", "enqueue", n, at=(0, 10)) for n in range(9)]
    history += [op("late", "dequeue", at=(20, 30), result="a ghost")]

    with pytest.raises(RuntimeError, match="no order of these 10 operations was found, and not all were tried"):
        linearizable(history, Queue(), attempts=1_000)


class Ordered:
    """A model of one's own: a set to which things are added."""

    initial: frozenset[str] = frozenset()

    def step(self, state: Any, operation: str, arguments: tuple[Any, ...]) -> tuple[Any, Any]:
        if operation == "add":
            return state | {arguments[0]}, ANYTHING
        return state, arguments[0] in state


def test_a_model_of_ones_own() -> None:
    """
    Any class with `initial` and `step`.
    """
    model: Model = Ordered()
    linearizable([op("a", "add", "x", at=(0, 1)), op("b", "has", "x", at=(2, 3), result=True)], model)
    with pytest.raises(InvariantViolated):
        linearizable([op("a", "add", "x", at=(0, 1)), op("b", "has", "x", at=(2, 3), result=False)], model)


def test_histories_that_are_none() -> None:
    """
    A simulation, a stranger among the operations, an operation that the model does not have, a time machine.
    """
    with pytest.raises(TypeError, match="is no history: a trace has no results"):
        linearizable(Simulation(), Counter())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="'read' in the history is no Operation"):
        linearizable(["read"], Counter())  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"a counter has no operation write\(5\)"):
        linearizable([op("a", "write", 5, at=(0, 1))], Counter())
    with pytest.raises(ValueError, match="returned before it was invoked"):
        linearizable([op("a", "read", at=(5, 1))], Counter())
    with pytest.raises(TypeError, match="5 cannot be awaited"):
        History().call("read", 5)  # type: ignore[arg-type]


# -- the search against all orders there are


def brute(operations: list[Operation], model: Model) -> bool:
    """Whether some order of the known operations and some of the others agrees with time and the model."""
    known = [one for one in operations if one.known]
    others = [one for one in operations if not one.known]
    for mask in range(1 << len(others)):
        chosen = known + [one for bit, one in enumerate(others) if mask >> bit & 1]
        if any(agrees(order, model) for order in permutations(chosen)):
            return True
    return False


def agrees(order: tuple[Operation, ...], model: Model) -> bool:
    for place, later in enumerate(order):
        if any(later.known and later.returned_us < before.invoked_us for before in order[:place]):
            return False
    state = model.initial
    for one in order:
        state, result = model.step(state, one.name, one.arguments)
        if one.known and result is not ANYTHING and result != one.result:
            return False
    return True


_values = st.integers(0, 2)
_spans = st.tuples(st.integers(0, 8), st.one_of(st.integers(0, 4), st.none()))
_HISTORIES = {
    "register": (
        Register(0),
        st.one_of(
            st.tuples(st.just("write"), st.tuples(_values), st.none()),
            st.tuples(st.just("read"), st.just(()), _values),
            st.tuples(st.just("cas"), st.tuples(_values, _values), st.booleans()),
        ),
    ),
    "counter": (
        Counter(),
        st.one_of(
            st.tuples(st.just("increment"), st.just(()), st.integers(1, 4)),
            st.tuples(st.just("read"), st.just(()), st.integers(0, 3)),
        ),
    ),
    "queue": (
        Queue(),
        st.one_of(
            st.tuples(st.just("enqueue"), st.tuples(_values), st.none()),
            st.tuples(st.just("dequeue"), st.just(()), st.one_of(_values, st.none())),
        ),
    ),
}


@pytest.mark.parametrize("kind", _HISTORIES)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_the_search_agrees_with_trying_all_orders(kind: str, data: st.DataObject) -> None:
    """
    On small histories of anything, answers that never came included.
    """
    model, asked = _HISTORIES[kind]
    drawn = data.draw(st.lists(st.tuples(asked, _spans), min_size=1, max_size=5))
    operations = [
        op(f"c{number}", name, *arguments, at=(start, None if span is None else start + span), result=result)
        for number, ((name, arguments, result), (start, span)) in enumerate(drawn)
    ]
    try:
        linearizable(operations, model)
        found = True
    except InvariantViolated:
        found = False

    assert brute(operations, model) == found


@pytest.mark.parametrize("holds", [True, False])
def test_ten_clients_take_no_time(holds: bool) -> None:
    """
    Twenty increments of ten clients, all at once or nearly so, with an impossible answer at the end or without.
    """
    random_ = random.Random(5)
    start_us = [random_.randrange(10) for _ in range(20)]
    numbers = sorted(range(20), key=lambda number: start_us[number] // 3)
    results = {number: place + 1 for place, number in enumerate(numbers)}
    operations = [
        op(f"client {number % 10}", "increment", at=(start_us[number], 100 + number), result=results[number])
        for number in range(20)
    ]
    if not holds:
        operations.append(op("late", "read", at=(500, 510), result=19))
    began = time.perf_counter()
    try:
        linearizable(operations, Counter())
    except InvariantViolated:
        assert not holds
    else:
        assert holds

    assert time.perf_counter() - began < 0.1
