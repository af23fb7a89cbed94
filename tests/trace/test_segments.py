"""The segments of a request partition it exactly, whatever the program, the cities and the load."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

import dosim
from dosim import Simulation, Trace
from dosim.trace import partition, segments
from dosim.trace.segments import by_request
from dosim.workers import DurableObject, Response, WorkerEntrypoint

CITIES = ["Tokyo", "Paris", "Lima", "Sydney", "Johannesburg", "Ashburn", "Mumbai"]

_leaf = st.one_of(
    st.tuples(st.just("sleep"), st.sampled_from([0, 0.001, 0.2, 3])),
    st.tuples(st.just("cpu"), st.sampled_from(["1ms", "70ms"])),
    st.tuples(st.just("put"), st.sampled_from("ab")),
    st.tuples(st.just("sync"), st.just("")),
    st.tuples(st.just("raise"), st.just("")),
)
_step = st.recursive(
    _leaf,
    lambda steps: st.one_of(
        st.tuples(st.just("call"), st.sampled_from("xyz"), st.lists(steps, max_size=3)),
        st.tuples(st.just("fetch"), st.sampled_from("xyz"), st.lists(steps, max_size=2)),
        st.tuples(st.just("block"), st.lists(steps, max_size=3)),
        st.tuples(st.just("gather"), st.lists(steps, max_size=3)),
        st.tuples(st.just("spawn"), st.lists(steps, max_size=2)),
    ),
    max_leaves=8,
)
_plan = st.lists(_step, max_size=4)


async def follow(code, plan):
    """Do what a plan says, in an object or a Worker."""
    for step in plan:
        kind, *rest = step
        if kind == "sleep":
            await asyncio.sleep(rest[0])
        elif kind == "cpu":
            dosim.cpu(rest[0])
        elif kind in ("put", "sync") and hasattr(code.ctx, "storage"):
            await (code.ctx.storage.put(rest[0], 1) if kind == "put" else code.ctx.storage.sync())
        elif kind == "raise":
            raise ValueError("as planned")
        elif kind == "call":
            await code.env.NODE.getByName(rest[0]).run(rest[1])
        elif kind == "fetch":
            PLANS.append(rest[1])
            url = f"http://node/{len(PLANS) - 1}"
            await (await code.env.NODE.getByName(rest[0]).fetch(url)).text()
        elif kind == "block" and hasattr(code.ctx, "storage"):
            await code.ctx.blockConcurrencyWhile(lambda rest=rest: follow(code, rest[0]))
        elif kind == "gather":
            await asyncio.gather(*[follow(code, [each]) for each in rest[0]])
        elif kind == "spawn":
            code.task = asyncio.create_task(follow(code, rest[0]))


PLANS: list[list[object]] = []


class Node(DurableObject):
    async def run(self, plan):
        await follow(self, plan)

    async def fetch(self, request):
        await follow(self, PLANS[int(request.url.rsplit("/", 1)[1])])
        return Response("done")


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        await follow(self, PLANS[int(request.url.rsplit("/", 1)[1])])
        return Response("done")


def freeze(plan):
    """Lists instead of tuples: what may cross an RPC."""
    return [freeze(step) if isinstance(step, (list, tuple)) else step for step in plan]


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(CITIES), _plan, st.sampled_from([0, 1_000, 300_000])), min_size=1, max_size=6),
    st.sampled_from(["input-gates", "one-at-a-time"]),
    st.integers(0, 3),
)
def test_segments_sum_to_latency(requests, concurrency, seed):
    """For every client's request the segments have no gap, no overlap, and sum to its latency."""
    PLANS[:] = [freeze(plan) for _, plan, _ in requests]
    sim = Simulation(Default, durable_objects={"NODE": Node}, seed=seed, concurrency=concurrency, show_output=False)
    calls = []

    async def crowd():
        for number, (city, _, wait_us) in enumerate(requests):
            await asyncio.sleep(wait_us / 1e6)
            calls.append(sim.client(city).fetch(f"http://app/{number}"))
        await asyncio.sleep(600)

    sim.run(crowd())

    for call in calls:
        if call.latency_us is None:
            continue
        parts = segments(sim.trace, call.request)
        assert call.latency_us == sum(part.duration_us for part in parts)
        assert all(before.end_us == after.start_us for before, after in pairwise(parts))
        assert parts[0].start_us + call.latency_us == parts[-1].end_us


@settings(max_examples=20, deadline=None)
@given(_plan, st.integers(0, 3))
def test_a_trace_reads_back_as_it_was_written(plan, seed):
    """JSONL out and in: the same records, the same digest, the same segments."""
    import tempfile
    from pathlib import Path

    PLANS[:] = [freeze(plan)]
    sim = Simulation(Default, durable_objects={"NODE": Node}, seed=seed, show_output=False)
    call = sim.client("Lima").fetch("http://app/0")
    sim.run(for_="700s")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.jsonl"
        sim.trace.to_jsonl(path)
        again = Trace.from_jsonl(path)

    assert sim.trace.digest == again.digest
    assert segments(sim.trace, call.request) == segments(again, call.request)


def test_every_cause_comes_before_its_effect():
    """The trace is a graph: each record's cause is an earlier record, or the outside."""
    PLANS[:] = [[["call", "x", [["put", "a"], ["call", "y", [["sleep", 1]]]]], ["cpu", "70ms"]]]
    sim = Simulation(Default, durable_objects={"NODE": Node}, show_output=False)
    sim.run(sim.client("Paris").fetch("http://app/0"))

    assert all(record.cause < record.seq for record in sim.trace)
    assert {0} == {record.cause for record in sim.trace if record.kind == "send"}


def test_retention_keeps_the_newest_and_folds_see_all():
    """last=5 keeps five records, none keeps none; a fold sees every one."""
    for retention, kept in (("last=5", 5), ("none", 0)):
        PLANS[:] = [[["call", "x", []]]]
        sim = Simulation(Default, durable_objects={"NODE": Node}, retention=retention, show_output=False)
        seen = []
        sim.trace.subscribe(lambda *record, seen=seen: seen.append(record[2]))
        sim.run(sim.client("Paris").fetch("http://app/0"))

        assert kept == len(sim.trace)
        assert sim.trace.count == len(seen)
        assert "start" in seen


def test_partition_of_a_single_request_is_its_own_time():
    """partition() looks at one request alone: its wait for a call is one stretch."""
    PLANS[:] = [[["call", "x", [["sleep", 3]]]]]
    sim = Simulation(Default, durable_objects={"NODE": Node}, show_output=False)
    call = sim.client("Paris").fetch("http://app/0")
    sim.run(call)

    own = partition(by_request(sim.trace)[call.request])

    assert call.latency_us == sum(part.duration_us for part in own)
    assert 1 == sum(part.state == "awaiting" for part in own)


def test_a_trace_is_read_by_position_slice_and_request() -> None:
    """`trace[-1]`, `trace[-2:]` and `trace.of_request(1)` give records with names, in order."""
    trace = Trace()
    for us in range(4):
        trace.emit(us, "warning", "Desk('a')", us % 2, 0, (f"line {us}",))

    assert trace[-1].t_us == 3
    assert [record.t_us for record in trace[-2:]] == [2, 3]
    assert [record.t_us for record in trace.of_request(1)] == [1, 3]
