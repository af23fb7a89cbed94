"""Invariants that hold of every run: of instances, turns, messages, segments and output."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import dosim
from dosim import Simulation
from dosim.scenarios.registry import SCENARIOS
from dosim.testing.invariants import (
    InvariantViolated,
    fifo_per_stub,
    no_unconfirmed_output,
    one_instance_per_id,
    segments_sum_to_latency,
    tuned,
    turns_never_overlap,
)
from dosim.trace import Trace
from dosim.trace.records import RawRecord
from dosim.workers import DurableObject, fetch
from tests.testing.invariants.worlds import Counter, Default, counting, tampered, without

OF_ANY_RUN = (
    one_instance_per_id,
    turns_never_overlap,
    fifo_per_stub,
    segments_sum_to_latency,
    no_unconfirmed_output,
)


@pytest.mark.parametrize("invariant", OF_ANY_RUN, ids=lambda one: one.__name__)
def test_they_hold_of_a_run_and_of_its_trace(invariant: Callable[[Any], None], tmp_path: Any) -> None:
    """
    The three clients of a counter, with evictions: nothing to complain of, in the world, its trace, or a file of it.
    """
    sim = counting()
    sim.trace.to_jsonl(tmp_path / "run.jsonl")

    invariant(sim)
    invariant(sim.trace)
    invariant(Trace.from_jsonl(tmp_path / "run.jsonl"))


@pytest.mark.parametrize("name", ["deploy-mid-request", "crash-before-flush", "chat-room", "identity", "slow-api"])
def test_they_hold_of_every_world_of_a_lesson(name: str) -> None:
    """
    Deploys, crashes, sockets, bindings: what a lesson breaks is not what the platform promises.
    """
    worlds = SCENARIOS[name].run().worlds

    assert worlds
    for world in worlds:
        for invariant in OF_ANY_RUN:
            invariant(world.sim)


# -- one instance


def test_a_second_instance_beside_the_first_is_told() -> None:
    """
    A trace in which nothing evicts the first instance: both lives are named, and for whom they came.
    """
    sim = counting()
    with pytest.raises(InvariantViolated) as caught:
        one_instance_per_id(tampered(sim.trace, without("evict")))

    first, second = sim.trace.of_kind("construct")[:2]
    assert (
        f"one_instance_per_id: at t={second.t_us / 1e6:.6f}s instance 2 of Counter('demo') was constructed for"
        f" #{second.request} Counter('demo').increment, and instance 1, constructed at t={first.t_us / 1e6:.6f}s for"
        f" #{first.request} Counter('demo').increment, was still alive: nothing had evicted, crashed or reset it. From"
        " then on two copies of its memory answer for one id."
    ) == str(caught.value)
    assert ("one_instance_per_id", second.t_us, second.request) == (
        caught.value.invariant,
        caught.value.at_us,
        caught.value.request,
    )


# -- turns


class Busy(DurableObject):
    async def work(self) -> str:
        dosim.cpu("5s")
        return "done"


def test_turns_that_compute_stand_in_line() -> None:
    """
    Three calls of 5 s of CPU time: one after the other, and the invariant agrees.
    """
    sim = Simulation(durable_objects={"BUSY": Busy}, network=None)
    stub = sim.env.BUSY.getByName("a")
    sim.run(stub.work(), stub.work(), stub.work())

    turns_never_overlap(sim)
    assert [0, 5_000_000, 10_000_000] == [record.t_us for record in sim.trace.of_kind("cpu")]


@pytest.mark.parametrize("kind", ["start", "cpu"])
def test_a_turn_in_the_middle_of_another_is_told(kind: str) -> None:
    """
    The second call's turn moved into the first one's: who computed, from when to when, and who came in between.
    """
    sim = Simulation(durable_objects={"BUSY": Busy}, network=None)
    stub = sim.env.BUSY.getByName("a")
    sim.run(stub.work(), stub.work())

    def earlier(raw: RawRecord) -> Iterator[RawRecord]:
        yield (2_000_000, *raw[1:]) if raw[2] == kind and raw[4] == 2 else raw

    with pytest.raises(InvariantViolated) as caught:
        turns_never_overlap(tampered(sim.trace, earlier))

    assert (
        "turns_never_overlap: Busy('a') computed for #1 Busy('a').work from t=0.000000s to t=5.000000s, and at"
        " t=2.000000s, in the middle of it, a turn of #2 Busy('a').work began. Code between two awaits must be alone."
    ) == str(caught.value)


# -- messages


class Caller(DurableObject):
    async def fan(self, count: int) -> list[int]:
        stub = self.env.COUNTER.getByName("x", locationHint="weur")
        calls = [stub.increment() for _ in range(count)]
        return [await call for call in calls]

    async def two_stubs(self) -> None:
        first = self.env.COUNTER.getByName("x", locationHint="weur").increment()
        second = self.env.COUNTER.getByName("x", locationHint="weur").increment()
        await first
        await second


def fanning(method: str, *args: Any) -> Simulation:
    """An object in one place calls another elsewhere several times at once."""
    sim = Simulation(durable_objects={"COUNTER": Counter, "CALLER": Caller}, seed=3)
    caller = sim.env.CALLER.getByName("y")
    sim.run(getattr(caller, method)(*args))
    return sim


def swapped(kind: str, requests: tuple[int, int]) -> Callable[[RawRecord], Iterator[RawRecord]]:
    """Exchanges two requests in the records of a kind."""
    other = dict(zip(requests, reversed(requests), strict=True))

    def change(raw: RawRecord) -> Iterator[RawRecord]:
        yield (*raw[:4], other.get(raw[4], raw[4]), *raw[5:]) if raw[2] == kind else raw

    return change


@pytest.mark.parametrize(("kind", "what"), [("arrive", "the call"), ("result", "the answer to")])
def test_messages_of_one_stub_that_changed_places_are_told(kind: str, what: str) -> None:
    """
    The arrivals of two calls, or of two answers, exchanged: the stub, both requests, and when they left and arrived.
    """
    sim = fanning("fan", 4)
    fifo_per_stub(sim)
    with pytest.raises(InvariantViolated) as caught:
        fifo_per_stub(tampered(sim.trace, swapped(kind, (3, 4))))

    assert str(caught.value).startswith(
        f"fifo_per_stub: through one stub of Counter('x') (stub 2) {what} #3 Counter('x').increment left at t="
    )
    assert "but the second arrived first: at t=" in str(caught.value)
    assert 4 == caught.value.request


def test_two_stubs_of_one_object_may_overtake_each_other() -> None:
    """
    The platform promises no order between them, so neither does the invariant.
    """
    sim = fanning("two_stubs")

    fifo_per_stub(tampered(sim.trace, swapped("arrive", (2, 3))))
    assert [2, 3] == [record.detail["stub"] for record in sim.trace.of_kind("leave")][1:]


def test_a_request_that_was_lost_and_sent_again_counts_from_its_last_departure() -> None:
    """
    The first of three calls is lost and sent again: it arrives last, and that is in order.
    """
    sim = Simulation(durable_objects={"COUNTER": Counter, "CALLER": Caller}, seed=3)
    sim.run(sim.env.CALLER.getByName("y").fan(1))
    sim.lose("request", "x")
    sim.run(sim.env.CALLER.getByName("y").fan(3))

    arrived = [record.request for record in sim.trace.of_kind("arrive") if record.actor == "Counter('x')"]
    assert arrived[-3:] != sorted(arrived[-3:])
    fifo_per_stub(sim)


# -- segments


def test_a_latency_that_its_segments_do_not_explain_is_told() -> None:
    """
    A response that is said to have come a millisecond earlier than it did.
    """
    sim = counting()

    def earlier(raw: RawRecord) -> Iterator[RawRecord]:
        yield (raw[0] - 300_000, *raw[1:]) if raw[2] == "response" and raw[4] == 1 else raw

    latency_us = next(record.t_us for record in sim.trace.of_kind("response") if record.request == 1)
    with pytest.raises(InvariantViolated) as caught:
        segments_sum_to_latency(tampered(sim.trace, earlier))

    story = str(caught.value)
    assert story.startswith("segments_sum_to_latency: #1 GET https://app.example/ from Tokyo left at t=0.000000s")
    assert f"{latency_us - 300_000} µs later; but its " in story
    assert "segments sum to" in story


# -- output


class Till(DurableObject):
    async def plain(self) -> str:
        await self.ctx.storage.put("paid", True)
        await fetch("https://pay.example/charge", method="POST", body="order 1")
        return "done"

    async def unconfirmed(self) -> str:
        await self.ctx.storage.put("paid", True, {"allowUnconfirmed": True})
        return "done"

    async def hasty(self) -> str:
        async def work(txn: Any) -> None:
            await txn.put("paid", True)
            await fetch("https://pay.example/charge", method="POST", body="order 1")

        await self.ctx.storage.transaction(work)
        return "done"

    async def failing(self) -> str:
        async def work(txn: Any) -> None:
            await txn.put("paid", True)
            await fetch("https://pay.example/charge", method="POST", body="order 1")
            raise ValueError("no stock")

        await self.ctx.storage.transaction(work)
        return "never"

    async def undone(self) -> str:
        async def work(txn: Any) -> None:
            await txn.put("paid", True)
            raise ValueError("no stock")

        try:
            await self.ctx.storage.transaction(work)
        except Exception:
            return "sold out"
        return "never"


def shop() -> Simulation:
    sim = Simulation(durable_objects={"TILL": Till}, seed=1)
    sim.external("https://pay.example", lambda request: "ok", latency="50ms")
    return sim


def test_the_output_gate_holds_what_follows_a_write() -> None:
    """
    A fetch after a put waits until the put is confirmed; an answer after a transaction that was undone needs nothing;
    dosim has an answer wait for a put with allowUnconfirmed too.
    """
    sim = shop()
    till = sim.env.TILL.getByName("a")
    sim.run(till.plain())
    sim.run(till.undone())
    sim.run(till.plain())
    sim.run(till.unconfirmed())

    no_unconfirmed_output(sim)
    assert sim.world.platform.confirm_us == sim.trace.of_kind("reply")[-1].detail["held_us"]


def test_a_fetch_inside_a_transaction_leaves_before_anything_is_decided() -> None:
    """
    A genuine hole: the charge is on its way while the write before it is not even committed.
    """
    sim = shop()
    sim.run(sim.env.TILL.getByName("a").hasty())
    with pytest.raises(InvariantViolated) as caught:
        no_unconfirmed_output(sim)

    assert str(caught.value).startswith(
        "no_unconfirmed_output: the call #2 https://pay.example.fetch left Till('a') at t=0.000000s, after put('paid')"
        " at t=0.000000s by #1 Till('a').hasty. That write was confirmed only at t=0.055"
    )
    assert "replay: Simulation(seed=1)" in caught.value.__notes__


def test_the_crash_that_makes_it_matter_is_told() -> None:
    """
    The machine goes while the charge is under way: the card is charged, and the object knows nothing of it.
    """
    sim = shop()
    call = sim.env.TILL.getByName("a").hasty()
    sim.run(for_="20ms")
    sim.crash("a")
    sim.run(for_="1s")

    assert call.exception() is not None
    assert {} == sim.objects["a"].storage
    with pytest.raises(InvariantViolated, match=r"the machine crashed and took the write with it: the world has seen"):
        no_unconfirmed_output(sim.trace)


def test_a_transaction_that_takes_the_write_back_is_told() -> None:
    """
    Charged, then rolled back.
    """
    sim = shop()
    call = sim.env.TILL.getByName("a").failing()
    sim.run(for_="1s")

    assert call.exception() is not None
    with pytest.raises(InvariantViolated, match="the transaction failed and took the write back"):
        no_unconfirmed_output(sim)


def test_an_answer_that_does_not_wait_is_told() -> None:
    """
    A trace in which the gate opens at once.
    """
    sim = shop()
    sim.run(sim.env.TILL.getByName("a").plain())

    def ungated(raw: RawRecord) -> Iterator[RawRecord]:
        yield (raw[0] - 5_000, *raw[1:]) if raw[2] == "leave" and raw[4] == 2 else raw

    with pytest.raises(InvariantViolated, match=r"a crash in these 5 ms would have taken it"):
        no_unconfirmed_output(tampered(sim.trace, ungated))


# -- what all of them share


def test_bad_sources_are_refused_by_name() -> None:
    """
    Something else, and a trace that keeps nothing.
    """
    blind = Simulation(Default, durable_objects={"COUNTER": Counter}, retention="none")

    with pytest.raises(TypeError, match="is neither a simulation nor a trace"):
        one_instance_per_id(5)
    with pytest.raises(ValueError, match="fifo_per_stub reads records, and this trace keeps none"):
        fifo_per_stub(blind)
    with pytest.raises(TypeError, match="one_instance_per_id has no option 'often'; its options: none"):
        tuned(one_instance_per_id, often=3)


def test_a_violation_reaches_another_process_whole() -> None:
    """
    Pickled and back: text, name, moment, request and notes.
    """
    error = InvariantViolated("mine", "it broke.", at_us=5, request=2)
    error.add_note("replay: Simulation(seed=1)")
    again = pickle.loads(pickle.dumps(error))

    assert ("mine: it broke.", "mine", 5, 2) == (str(again), again.invariant, again.at_us, again.request)
    assert ["replay: Simulation(seed=1)"] == again.__notes__
