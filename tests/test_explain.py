"""`explain`: sentences that say who waited, how long, for what, held by whom, and sum to the latency."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import dosim
from dosim import Simulation, Trace
from dosim.explain import Story, explain, slowest
from dosim.trace.words import exact
from dosim.workers import DurableObject, Response, WorkerEntrypoint


class Desk(DurableObject):
    async def awaits(self) -> str:
        await asyncio.sleep(2)
        return "served"

    async def blocks(self) -> str:
        await self.ctx.blockConcurrencyWhile(self.awaits)
        return "served"

    async def computes(self) -> str:
        dosim.cpu("2s")
        return "served"

    async def writes(self) -> str:
        await self.ctx.storage.put("k", 1)
        return "served"

    async def throws(self) -> None:
        await asyncio.sleep(1)
        raise ValueError("no such desk <b>")

    async def hangs(self) -> None:
        await asyncio.Event().wait()


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        desk = self.env.DESK.getByName("a")
        return Response(await getattr(desk, request.url.rpartition("/")[2])())


def world(**options: Any) -> Simulation:
    return Simulation(Default, durable_objects={"DESK": Desk}, **{"network": None, **options})


def fetched(sim: Simulation, method: str, *cities: str) -> list[Any]:
    """Requests from these cities at the same instant, answered."""
    calls = [sim.client(city).fetch(f"https://desk.example/{method}") for city in cities]
    sim.run(*calls)
    return calls


def test_one_at_a_time_names_whoever_was_inside() -> None:
    """
    Without a network, a story told to the word: the second request waited in line for the first, then awaited a timer.
    """
    sim = world(concurrency="one-at-a-time")
    calls = fetched(sim, "awaits", "Tokyo", "Lagos")

    assert str(sim.explain(calls[1])) == (
        "#2 GET https://desk.example/awaits from Lagos, sent at t=0.000000 s, was answered 200 after 4 s.\n"
        "  +0 µs  It waited 2 s in line at Desk('a'), which served one request at a time: #1 from Tokyo was inside.\n"
        "   +2 s  Desk('a').awaits awaited a timer for 2 s.\n"
        "Together 4 s: 2 s waiting in line, 2 s awaiting."
    )


def test_input_gate_names_the_section_that_held_it() -> None:
    """
    A wait at the input gate says which request's blockConcurrencyWhile held it, and who came in between.
    """
    sim = world()
    calls = fetched(sim, "blocks", "Tokyo", "Lagos", "Lima")

    assert str(sim.explain(calls[2])) == (
        "#3 GET https://desk.example/blocks from Lima, sent at t=0.000000 s, was answered 200 after 6 s.\n"
        "  +0 µs  It waited 4 s at the input gate of Desk('a'), held by blockConcurrencyWhile of #1 from Tokyo:"
        " Desk('a').blocks, then #2 from Lagos.\n"
        "   +4 s  Desk('a').blocks awaited a timer for 2 s in its blockConcurrencyWhile: the input gate was closed to"
        " everybody else.\n"
        "Together 6 s: 4 s waiting at the input gate, 2 s awaiting."
    )


def test_open_gate_is_said() -> None:
    """
    An await that lets others in says so, and nobody waits for it.
    """
    sim = world()
    calls = fetched(sim, "awaits", "Tokyo", "Lagos")

    assert sim.explain(calls[1]).sentences[1:] == (
        "Desk('a').awaits awaited a timer for 2 s; the input gate was open meanwhile.",
        "Together 2 s: 2 s awaiting.",
    )


def test_cpu_work_is_running() -> None:
    """
    CPU time is told as computing, and whoever waits for it is told who computes.
    """
    sim = world()
    calls = fetched(sim, "computes", "Tokyo", "Lagos")

    assert sim.explain(calls[1]).sentences[1:3] == (
        "It waited 2 s at the input gate of Desk('a'), held by #1 from Tokyo: Desk('a').computes.",
        "Desk('a').computes computed for 2 s: nothing can interleave with that.",
    )


def test_output_gate_is_told() -> None:
    """
    An answer that waits for its writes to be confirmed says so.
    """
    sim = world()
    calls = fetched(sim, "writes", "Tokyo")

    assert "The answer waited 5 ms in the output gate of Desk('a'), until its writes were confirmed." in str(
        sim.explain(calls[0])
    )


def test_failure_says_what_was_thrown_and_where() -> None:
    """
    What an object threw is told where it threw it, and where it went through the Worker to the client.
    """
    sim = world()
    calls = fetched(sim, "throws", "Tokyo")
    told = sim.explain(calls[0]).sentences

    assert told[0].endswith("failed with status 500 after 1 s: ValueError: no such desk <b>")
    assert told[2:4] == (
        "Desk('a').throws threw: ValueError: no such desk <b>",
        "The Worker threw: ValueError: no such desk <b>",
    )


def test_request_without_an_answer_says_where_it_stands() -> None:
    """
    A request that is still under way is told up to the end of the trace, with what it waits for.
    """
    sim = world()
    call = sim.client("Tokyo").fetch("https://desk.example/hangs")
    sim.run(for_="3s")
    told = sim.explain(call)

    assert told.latency_us is None
    assert told.sentences[0].endswith("has no answer yet.")
    assert "Here the trace ends: it is still awaiting something in Desk('a')." in told.sentences


def test_wait_behind_a_request_that_never_ends_is_told() -> None:
    """
    With one request at a time, whoever waits behind one that hangs is told to be in line, with the time so far.
    """
    sim = world(concurrency="one-at-a-time")
    sim.client("Tokyo").fetch("https://desk.example/hangs")
    call = sim.client("Lagos").fetch("https://desk.example/hangs")
    sim.run(for_="1s")
    sim.run(sim.env.DESK.getByName("b").awaits())

    assert "It has waited 3 s in line at Desk('a') so far, which serves one request at a time." in str(
        sim.explain(call)
    )


@pytest.mark.parametrize("concurrency", ["input-gates", "one-at-a-time"])
@pytest.mark.parametrize("seed", [0, 1, "a"])
def test_parts_sum_to_the_latency(concurrency: str, seed: int | str) -> None:
    """
    On the network of the earth, segments, parts and latency agree to the microsecond, whatever the handlers do.
    """
    sim = world(network="earth", concurrency=concurrency, seed=seed)
    methods = ("awaits", "blocks", "computes", "writes", "throws")
    cities = ("Tokyo", "Lagos", "Lima", "Paris")
    calls = [sim.client(city).fetch(f"https://desk.example/{method}") for city in cities for method in methods]
    sim.run(*calls)
    story = Story(sim.trace)

    for call in calls:
        told = explain(sim.trace, call.request, story=story)
        assert call.latency_us == told.latency_us == sum(told.parts_us.values())
        assert call.latency_us == sum(segment.duration_us for segment in told.segments)


def test_trace_from_a_file_tells_the_same(tmp_path: Path) -> None:
    """
    Everything told is in the records: a trace read back from JSON lines explains every request in the same words.
    """
    sim = world(network="earth")
    calls = [call for method in ("blocks", "throws") for call in fetched(sim, method, "Tokyo", "Lagos")]
    sim.trace.to_jsonl(tmp_path / "trace.jsonl")
    read = Trace.from_jsonl(tmp_path / "trace.jsonl")

    assert [str(explain(read, call.request)) for call in calls] == [str(sim.explain(call)) for call in calls]


def test_slowest_is_the_longest_from_outside() -> None:
    """
    `slowest` compares requests from outside: of two clients', the one that waited for the other.
    """
    sim = world(concurrency="one-at-a-time")
    calls = fetched(sim, "awaits", "Tokyo", "Lagos")

    assert slowest(Story(sim.trace)) == calls[1].request


def test_unknown_request_is_refused_with_those_there_are() -> None:
    """
    A number that no request has is refused with the numbers that can be explained.
    """
    sim = world()
    fetched(sim, "awaits", "Tokyo", "Lagos")

    with pytest.raises(ValueError, match=r"request=99 is not in the trace.*give one of 1, 2\."):
        sim.explain(99)


def test_trace_that_keeps_the_last_records_says_so() -> None:
    """
    A request that is not kept is refused with what the trace keeps and how to keep everything.
    """
    sim = world(retention="last=5")
    fetched(sim, "awaits", "Tokyo", "Lagos")
    with pytest.raises(ValueError, match=r"not in the trace, which keeps the last 5 records only.*retention='full'"):
        sim.explain(99)

    nothing = world(retention="none")
    fetched(nothing, "awaits", "Tokyo")
    with pytest.raises(ValueError, match=r"which keeps no records: make the simulation with retention='full'\.$"):
        nothing.explain(1)


def test_request_whose_beginning_is_not_kept_has_no_latency() -> None:
    """
    With the last records only, a latency would be counted from the wrong moment: there is none.
    """
    sim = world(retention="last=5")
    fetched(sim, "awaits", "Tokyo")
    told = sim.explain(1)

    assert told.latency_us is None
    assert "its first records are no longer kept" in told.heading
    assert told.heading.endswith("was answered 200.")


def test_waits_have_the_names_of_the_platforms_own_traces() -> None:
    """
    `attributes` gives the waits in milliseconds by Cloudflare's names.
    """
    sim = world(concurrency="one-at-a-time")
    calls = fetched(sim, "awaits", "Tokyo", "Lagos")
    told = [sim.explain(number) for number in (1, 2)]
    in_line_us = [explanation.parts_us.get("waiting in line", 0) for explanation in told]

    assert calls
    assert max(in_line_us) > 0
    assert [explanation.attributes["queue_time_ms"] for explanation in told] == [us / 1000 for us in in_line_us]
    assert set(told[0].attributes) == {"queue_time_ms", "input_gate_lock_wait_ms"}


class Child(DurableObject):
    async def work(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "worked"


class Parent(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        works = [self.env.CHILD.getByName(f"c{n}").work(n) for n in (1, 3)]
        return Response(",".join(await asyncio.gather(*works)))


def test_calls_side_by_side_are_told_with_their_true_durations() -> None:
    """
    Of a call that was under way while another was awaited, a sentence gives the rest and the whole.
    """
    sim = Simulation(Parent, durable_objects={"CHILD": Child}, network=None)
    call = sim.client("Tokyo").fetch("https://desk.example/")
    sim.run(call)

    assert [sentence for sentence in sim.explain(call).sentences if "timer" in sentence] == [
        "Child('c1').work awaited a timer for 1 s; the input gate was open meanwhile.",
        "Child('c3').work awaited a timer for another 2 s (3 s in all); the input gate was open meanwhile.",
    ]


def test_answers_under_way_together_are_named_with_their_whole_way() -> None:
    """
    Where several answers are under way, each is named; the part that was not told yet comes with the whole.
    """

    class Twins(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Response:
            children = [self.env.CHILD.getByName(f"c{n}") for n in range(6)]
            return Response(",".join(await asyncio.gather(*[child.work(0) for child in children])))

    sim = Simulation(Twins, durable_objects={"CHILD": Child})
    client = sim.client("Tokyo")
    sim.run(client.fetch("https://desk.example/"))
    call = client.fetch("https://desk.example/")
    sim.run(call)
    took = {r.request: -r.t_us for r in sim.trace.of_kind("reply")}
    for record in sim.trace.of_kind("result"):
        took[record.request] += record.t_us
    told = sim.explain(call)
    answers = {
        segment.request: sentence.text
        for segment, sentence in zip(told.segments, told.told, strict=True)
        if segment.state == "hop back"
    }

    assert len(answers) > 1
    for at, (request, text) in enumerate(answers.items()):
        name = Story(sim.trace).what(request)
        if at:
            assert text.startswith(f"The answer of {name} was under way another ")
            assert text.endswith(f" ({took[request]} µs in all).")
        else:
            assert text == f"The answer of {name} travelled {took[request]} µs inside NRT."


def test_repr_and_html_are_for_reading() -> None:
    """
    The repr says how long and how many; the table escapes what code has said.
    """
    sim = world()
    told = sim.explain(fetched(sim, "throws", "Tokyo")[0])

    assert repr(told) == "<explanation of #1: 1 s, 1 segment>"
    assert told._repr_html_().count("no such desk &lt;b&gt;") == 3 and "desk <b>" not in told._repr_html_()


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (0, "0 µs"),
        (999, "999 µs"),
        (1_000, "1 ms"),
        (5_309, "5.309 ms"),
        (1_000_000, "1 s"),
        (45_000_123, "45.000123 s"),
    ],
)
def test_durations_are_exact(us: int, text: str) -> None:
    """
    A duration is told to the microsecond, without zeros at its end.
    """
    assert exact(us) == text
