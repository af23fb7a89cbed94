"""In which order calls arrive and answers come (rule 6.7)."""

from __future__ import annotations

import asyncio
from typing import Any

from dosim.workers import Response
from tests.runtime.stories import Story, resting, saying


async def _answer(o: Any, request: Any) -> Response:
    o.log(request.url.rpartition("/")[2])
    return Response("")


def test_calls_on_one_stub_arrive_in_order() -> None:
    """Ten calls without await over one stub [or-01]."""
    story = Story()

    async def caller(o: Any) -> None:
        stub = o.env.A.getByName("x")
        await asyncio.gather(*[story.on(stub, saying(n)) for n in range(10)])

    story.play((0, "B:y", caller))
    assert story.events() == list(range(10))


def test_calls_over_two_stubs_of_one_object_arrive_in_order() -> None:
    """Alternating between two stubs [or-02]."""
    story = Story()

    async def caller(o: Any) -> None:
        stubs = [o.env.A.getByName("x"), o.env.A.getByName("x")]
        await asyncio.gather(*[story.on(stubs[n % 2], saying(n)) for n in range(10)])

    story.play((0, "B:y", caller))
    assert story.events() == list(range(10))


def test_calls_from_object_to_object_arrive_in_order() -> None:
    """Also when their starts are spread over turns and timers [or-03]."""
    story = Story()

    async def caller(o: Any) -> None:
        stub = o.env.A.getByName("x")
        calls = []
        for n in range(5):
            calls.append(asyncio.ensure_future(story.on(stub, saying(n))))
            if n % 2:
                await o.storage.get("k")
            else:
                await asyncio.sleep(0.01)
        await asyncio.gather(*calls)

    story.play((0, "B:y", caller))
    assert story.events() == list(range(5))


def test_separate_callers_at_one_instant_arrive_in_the_order_of_their_starts() -> None:
    """Five calls from outside at time 0 [or-08]."""
    story = Story()
    story.sim.run(*[story.call("A:x", saying(n)) for n in range(5)])
    assert story.events() == list(range(5))


def test_order_is_kept_across_a_cold_start() -> None:
    """Calls that wait for the constructor's section run in the order in which they came [or-05]."""
    story = Story()
    story.constructors["A"] = lambda o: o.ctx.blockConcurrencyWhile(lambda: asyncio.sleep(0.2))

    async def caller(o: Any) -> None:
        stub = o.env.A.getByName("x")
        await asyncio.gather(*[story.on(stub, saying(n)) for n in range(5)])

    story.play((0, "B:y", caller), (100, "A:x", saying("late")))
    assert story.timed() == [(200, n) for n in (0, 1, 2, 3, 4, "late")]


def test_order_is_kept_across_sections() -> None:
    """Calls that wait for a section run in order, before what comes after it [or-06]."""
    story = Story()

    async def blocks(o: Any) -> None:
        await o.block(lambda: o.call("C:z", resting, 100))
        o.log("section over")

    async def caller(o: Any) -> None:
        stub = o.env.A.getByName("x")
        await asyncio.gather(story.on(stub, blocks), *[story.on(stub, saying(n)) for n in range(5)])

    story.play((0, "B:y", caller))
    assert story.events() == ["section over", 0, 1, 2, 3, 4]


def test_answers_come_in_the_order_of_completion() -> None:
    """300, 100, 200 ms: the answers at 100, 200, 300 [or-04]."""
    story = Story()

    async def caller(o: Any) -> None:
        async def one(ms: int) -> None:
            await o.call("A:x", resting, ms)
            o.log(ms)

        await asyncio.gather(one(300), one(100), one(200))

    story.play((0, "B:y", caller))
    assert story.timed() == [(100, 100), (200, 200), (300, 300)]


def test_fetch_overtakes_the_rpcs_issued_before_it_in_the_turn() -> None:
    """RPC 0, fetch 1, RPC 2, fetch 3, RPC 4 in one turn arrive 1, 3, 0, 2, 4 [or-07]."""
    story = Story()
    story.fetches["A"] = _answer

    async def caller(o: Any) -> None:
        stub = o.env.A.getByName("x")
        await asyncio.gather(
            story.on(stub, saying("0")), stub.fetch("https://a/1"), story.on(stub, saying("2")),
            stub.fetch("https://a/3"), story.on(stub, saying("4")),
        )  # fmt: skip

    story.play((0, "B:y", caller))
    assert story.events() == ["1", "3", "0", "2", "4"]


def test_a_fetch_of_a_later_turn_does_not_overtake() -> None:
    """Only within one turn [or-07]."""
    story = Story()
    story.fetches["A"] = _answer

    async def caller(o: Any) -> None:
        stub = o.env.A.getByName("x")
        first = asyncio.ensure_future(story.on(stub, saying("rpc")))
        await asyncio.sleep(0.01)
        await stub.fetch("https://a/fetch")
        await first

    story.play((0, "B:y", caller))
    assert story.events() == ["rpc", "fetch"]


def test_calls_of_one_turn_to_several_objects_arrive_in_the_order_of_the_calls() -> None:
    """Fan-out: c, a, b."""
    story = Story()

    async def caller(o: Any) -> None:
        await asyncio.gather(*[o.call(f"A:{name}", saying(name)) for name in "cab"])

    story.play((0, "B:y", caller))
    assert story.events() == ["c", "a", "b"]


def test_the_network_keeps_the_order_of_one_stub() -> None:
    """With jitter on the way two messages over one stub never overtake each other."""
    story = Story(network="earth", platform="cloudflare", seed=3)

    async def caller(o: Any) -> None:
        stub = o.env.A.getByName("x", locationHint="weur")
        calls = []
        for n in range(20):
            calls.append(asyncio.ensure_future(story.on(stub, saying(n))))
            await asyncio.sleep(0.0001)
        await asyncio.gather(*calls)

    story.play((0, "B:y", caller))
    assert story.events() == list(range(20))


def test_the_network_keeps_the_order_of_answers_to_one_caller() -> None:
    """Answers that leave 0.1 ms apart do not overtake each other on the way back [or-04]."""
    story = Story(network="earth", platform="cloudflare", seed=3)

    async def caller(o: Any) -> None:
        stub = o.env.A.getByName("x", locationHint="apac")
        await story.on(stub, saying("warm"))

        async def one(n: int) -> None:
            await story.on(stub, _after, n / 10_000)
            o.log(n)

        await asyncio.gather(*map(one, range(20)))

    story.play((0, "B:y", caller))
    assert story.events("B:y") == list(range(20))


async def _after(o: Any, seconds: float) -> None:
    await asyncio.sleep(seconds)
