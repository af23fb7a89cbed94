"""Latencies: exact numbers, and the figure of them."""

from __future__ import annotations

import asyncio
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dosim
from dosim import Simulation
from dosim.explain import explain
from dosim.trace import Trace
from dosim.views import Latencies, Limits, latency, read_latencies
from dosim.views.figures import save_png
from dosim.views.latencies import MOST_CUT, Latency
from dosim.workers import DurableObject, Response, WorkerEntrypoint
from tests.views.told import Told

MS_US = 1000


class Desk(DurableObject):
    async def serve(self) -> str:
        dosim.cpu("3ms")
        await self.ctx.storage.put("n", 1)
        return "served"

    async def ring(self) -> None:
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + 1000)

    async def alarm(self, info: object = None) -> None:
        await asyncio.sleep(1)


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        return Response(await self.env.DESK.getByName("a").serve())


def run(*cities: str, **options: Any) -> Simulation:
    sim = Simulation(Default, durable_objects={"DESK": Desk}, seed=3, **options)
    sim.run(*[sim.client(city).fetch("https://desk.example/") for city in cities])
    return sim


def told(*latencies_us: int, city: str = "Oslo") -> Told:
    story = Told()
    for latency_us in latencies_us:
        story.request(city, 10 * MS_US, 10 * MS_US + latency_us)
    return story


def texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


# -- numbers


def test_percentiles_are_nearest_ranks() -> None:
    """
    Of ten requests of 1 to 10 ms, half took 5 ms or less, nine 9 ms, and every higher rank is the longest.
    """
    data = read_latencies(told(*(MS_US * n for n in range(10, 0, -1))).trace)

    assert data.marked_us == {"50": 5000, "90": 9000, "99": 10_000, "99.9": 10_000}
    assert (data.percentile_us(0), data.percentile_us(1), data.percentile_us(10.1)) == (1000, 1000, 2000)
    assert data.mean_us == 5500


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=60), st.sampled_from(["0.1", "50", "90", "99", "99.9", "100"])
)
def test_percentile_is_the_least_value_that_enough_do_not_exceed(values: list[int], percent: str) -> None:
    """
    It is one of the values; so many percent are not above it; below it there are not so many.
    """
    found = Latencies(Latency(n, "", us) for n, us in enumerate(values, 1)).percentile_us(percent)
    need = Fraction(percent) * len(values) / 100

    assert found in values
    assert sum(us <= found for us in values) >= need > sum(us < found for us in values)


def test_latency_is_from_sending_to_answer() -> None:
    """
    Failures count, requests without an answer do not, cities are in order of their medians.
    """
    story = Told()
    story.request("Lima", 0, 300)
    story.request("Rome", 100, 200, status=500)
    story.request("Rome", 100, 220)
    story.request("Rome", 150, None)
    data = read_latencies(story.trace)

    assert [(each.request, each.city, each.latency_us) for each in data.samples] == [
        (1, "Lima", 300),
        (2, "Rome", 100),
        (3, "Rome", 120),
    ]
    assert [(city, each.values_us) for city, each in data.by_city.items()] == [("Rome", (100, 120)), ("Lima", (300,))]
    assert (data.open, data.cut) == (1, 0)


def test_own_calls_count_and_alarms_do_not() -> None:
    """
    A call that your coroutine made is from outside, without a city; for an alarm nobody waits.
    """
    sim = Simulation(durable_objects={"DESK": Desk}, network=None)
    sim.run(sim.env.DESK.getByName("a").ring())
    sim.run(for_="10s")
    data = read_latencies(sim)

    assert [record.detail["via"] for record in sim.trace.of_kind("call")] == ["rpc", "alarm"]
    assert [(each.request, each.city) for each in data.samples] == [(1, "")]
    assert list(data.by_city) == ["no city"]


def test_parts_sum_to_the_mean_latency() -> None:
    """
    What requests waited for adds up, and is what `explain` says of each.
    """
    sim = run(*["Tokyo", "Lagos", "Lima"] * 8)
    data = read_latencies(sim)
    longest = sorted(data.samples, key=lambda each: (-each.latency_us, each.request))[:2]
    parts = [explain(sim.trace, each.request).parts_us for each in longest]
    by_name = {group.name: group for group in data.groups}

    assert list(by_name) == ["all", "slowest half", "slowest 10 %"]
    assert sum(by_name["all"].parts_us.values()) == pytest.approx(data.mean_us)
    assert by_name["slowest 10 %"].requests == 2
    assert by_name["slowest 10 %"].parts_us == {
        name: (parts[0].get(name, 0) + parts[1].get(name, 0)) / 2 for name in {**parts[0], **parts[1]}
    }


def test_percentiles_of_each_part_are_nearest_ranks() -> None:
    """
    Ten calls ran 1 to 10 ms and travelled not at all; five waited, 1 to 5 ms: the fifth of ten did not, the ninth did
    4 ms, and every higher rank is the longest wait.
    """
    story = Told()
    for number in range(1, 11):
        at_us, wait_us = number * 100 * MS_US, max(0, number - 5) * MS_US
        end_us = at_us + wait_us + number * MS_US
        call = story.visit("Desk('a')", at_us, at_us + wait_us, end_us)
        story.trace.emit(end_us, "result", "Desk('a')", call, 0, ())
    data = read_latencies(story.trace)
    figure: Any = latency(data, by="segment")
    table = data._repr_html_().replace(" style='text-align:right'", "")
    rows = {tick.get_text(): at for at, tick in enumerate(figure.axes[1].get_yticklabels())}
    drawn = {(line.get_ydata()[0], line.get_marker()): line.get_xdata()[0] for line in figure.axes[1].lines}

    assert {part: each.marked_us for part, each in data.by_part.items()} == {
        "waiting at the input gate": {"50": 0, "90": 4000, "99": 5000, "99.9": 5000},
        "running": {"50": 5000, "90": 9000, "99": 10_000, "99.9": 10_000},
    }
    assert data.by_part["running"].percentile_us(10) == 1000
    assert "<td>waiting at the input gate</td><td>5</td><td>0 µs</td><td>4 ms</td><td>5 ms</td><td>5 ms</td>" in table
    assert "<td>running</td><td>10</td><td>5 ms</td><td>9 ms</td><td>10 ms</td><td>10 ms</td>" in table
    assert list(rows) == ["waiting at the input gate", "running"]
    assert [drawn[rows["running"], marker] for marker in "os^D"] == [5000, 9000, 10_000, 10_000]
    assert [drawn[0, marker] for marker in "os^D"] == [figure.axes[1].get_xlim()[0], 4000, 5000, 5000]
    assert "Of waiting at the input gate: p50 0 µs, p90 4 ms, p99 5 ms, p99.9 5 ms." in figure.alt


def test_percentiles_of_parts_are_those_of_what_explain_says() -> None:
    """
    Of a real run, each part's values are what `explain` says of each request, 0 where it says nothing.
    """
    sim = run(*["Tokyo", "Lagos", "Lima"] * 4)
    data = read_latencies(sim)
    each = [explain(sim.trace, sample.request).parts_us for sample in data.samples]

    assert {part: times.values_us for part, times in data.by_part.items()} == {
        part: tuple(sorted(parts.get(part, 0) for parts in each)) for part in {name for parts in each for name in parts}
    }


def test_requests_can_be_chosen() -> None:
    """
    By number or by call; what is no request from outside is refused by name.
    """
    sim = Simulation(Default, durable_objects={"DESK": Desk}, network=None)
    calls = [sim.client("Tokyo").fetch("https://desk.example/") for _ in range(3)]
    sim.run(*calls)

    assert [each.request for each in read_latencies(sim, [calls[1]]).samples] == [calls[1].request]
    with pytest.raises(ValueError, match="requests: 99 is no request from outside of this trace; it has 3 requests"):
        read_latencies(sim, [99])
    with pytest.raises(TypeError, match="requests=7 is no list"):
        read_latencies(sim, 7)  # type: ignore[arg-type]


def test_latencies_show_themselves() -> None:
    """
    A line in a terminal, a table in a notebook, and both without any request.
    """
    data = read_latencies(told(2000, 4000).trace)

    assert repr(data) == "<latencies of 2 requests: p50 2 ms, p90 4 ms, p99 4 ms, p99.9 4 ms>"
    assert "<td>Oslo</td><td>2</td><td>2 ms</td><td>4 ms</td>" in data._repr_html_().replace(
        " style='text-align:right'", ""
    )
    assert repr(read_latencies(Trace())) == "<latencies of 0 requests>"
    assert "No request from outside" in read_latencies(Trace())._repr_html_()


# -- the figure


def test_figure_marks_the_percentiles() -> None:
    """
    The curve rises through them, the legend names them, and the words give the numbers to the microsecond.
    """
    figure: Any = latency(told(*(MS_US * n + 1 for n in range(1, 101))).trace, title="A hundred")
    curve, parts, marked, cities = figure.axes
    marks = {line.get_label(): (line.get_xdata()[0], line.get_ydata()[0]) for line in curve.lines[1:]}

    assert marks["p50  50 ms"] == (50_001, 0.5)
    assert texts(curve) == ["p50  50 ms", "p90  90 ms", "p99  99 ms", "p99.9  100 ms"]
    assert [tick.get_text() for tick in parts.get_yticklabels()] == [
        "all (100)",
        "slowest half (50)",
        "slowest 10 % (10)",
    ]
    assert [tick.get_text() for tick in marked.get_yticklabels()] == ["travelling"]
    assert [tick.get_text() for tick in cities.get_yticklabels()] == ["Oslo (100)"]
    assert figure.alt.startswith("A hundred. 100 answered requests.")
    assert "Of all requests, 50 % took 50.001 ms or less, 90 % took 90.001 ms or less, 99 % took 99.001" in figure.alt


@pytest.mark.parametrize(
    ("by", "titles"), [("city", ["By city"]), ("segment", ["What they waited for: mean of each part", "By part"])]
)
def test_one_panel_can_be_drawn_alone(by: str, titles: list[str]) -> None:
    """
    `by` chooses it.
    """
    figure: Any = latency(run("Tokyo", "Lima"), by=by, log=False)

    assert [axes.get_title("left") for axes in figure.axes] == titles


def test_few_requests_are_said_to_be_few() -> None:
    """
    A high percentile of few requests is the longest of them, and the picture says so.
    """
    figure: Any = latency(told(*range(1000, 1020)).trace)

    assert "Of so few, p99 and p99.9 are the longest." in figure.alt
    assert "Of so few" not in latency(told(5000).trace).alt  # type: ignore[attr-defined]


def test_two_runs_share_their_axes() -> None:
    """
    `limits` takes numbers, an earlier figure or its data, or several, whose axes then hold all.
    """
    short, long = told(1000, 2000), told(5000, 900_000)
    first: Any = latency(short.trace)
    same: Any = latency(long.trace, limits=first)
    both: Any = latency(short.trace, limits=[read_latencies(short.trace), read_latencies(long.trace)])
    given_us: Any = latency(short.trace, limits=(100, 10_000))

    assert same.axes[0].get_xlim() == first.axes[0].get_xlim() == first.limits.x
    assert both.axes[0].get_xlim() == (first.limits.x[0], read_latencies(long.trace).limits.x[1])
    assert [axes.get_xlim() for axes in given_us.axes] == [
        (100, 10_000),
        (0, 10_000),
        (100, 10_000),
        (100, 10_000),
    ]


def test_many_requests_are_thinned_and_said() -> None:
    """
    Percentiles are of all, the curve goes through some, parts are those of evenly chosen ones; all that is said.
    """
    story = told(*(1000 + n for n in range(3 * MOST_CUT)))
    figure: Any = latency(story.trace)
    curve = figure.axes[0].lines[0]

    assert len(curve.get_xdata()) < 2300
    assert read_latencies(story.trace).percentile_us("99.9") == 1000 + 3 * MOST_CUT - MOST_CUT * 3 // 1000 - 1
    assert f"Parts are those of {MOST_CUT:,} of them, chosen evenly." in figure.alt
    assert f"The curve goes through {len(curve.get_xdata()) - 2:,} of them." in figure.alt


def test_same_trace_gives_the_same_bytes(tmp_path: Path) -> None:
    """
    Two runs of one program, drawn twice.
    """
    for name in ("a.png", "b.png"):
        save_png(latency(run("Tokyo", "Lagos"), dark=True), tmp_path / name)

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


# -- bad input


def test_empty_trace_is_an_empty_picture() -> None:
    """
    It says that nothing was sent, and how to send something; an open request is not nothing.
    """
    empty: Any = latency(Trace())
    waiting = Told()
    waiting.request("Oslo", 5, None)
    open_one: Any = latency(waiting.trace)

    assert [text.get_text() for text in empty.axes[0].texts] == ["Nothing has been answered yet"]
    assert "No request from outside is in this trace: send one" in empty.alt
    assert "0 answered requests, 1 had no answer when the trace ended." in open_one.alt


def test_trace_that_keeps_some_records_says_what_is_missing() -> None:
    """
    Answers whose sending is not kept do not count; a trace that keeps nothing is refused.
    """
    story = Told("last=4")
    story.request("Oslo", 0, 10_000)
    story.request("Oslo", 1, 20_001)
    figure: Any = latency(story.trace)

    assert [each.latency_us for each in read_latencies(story.trace).samples] == [20_000]
    assert "1 answered request, 1 answer more to requests sent before." in figure.alt
    assert "Only the last 4 of 6 records are kept" in figure.alt
    with pytest.raises(ValueError, match=r"keeps no records .retention='none'.: make the simulation with"):
        latency(Trace("none"))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"by": "colo"}, ValueError, 'by=\'colo\' is not known: use "city", "segment" or None'),
        ({"width": 2}, ValueError, "width=2 is too narrow for a latency"),
        ({"limits": (5, 5)}, ValueError, "the second must be above the first"),
        ({"limits": (0, 5)}, ValueError, "a logarithmic axis begins above 0: give log=False"),
        ({"limits": "wide"}, TypeError, "limits='wide' is nothing to draw within"),
        (
            {"limits": Limits("costs", (0, 1), (0, 1))},
            ValueError,
            "these are of a costs picture, and this is a latency",
        ),
        ({"requests": [1]}, ValueError, "requests: the latencies are chosen already"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    """
    By the name of the argument, with the fix.
    """
    with pytest.raises(error, match=message):
        latency(read_latencies(told(1000).trace), **options)


def test_source_that_is_no_trace_is_refused() -> None:
    """
    As every view does.
    """
    with pytest.raises(TypeError, match="is neither a simulation nor a trace"):
        latency(7)


def test_percent_that_is_none_is_refused() -> None:
    """
    Percentiles go from 0 to 100.
    """
    with pytest.raises(ValueError, match="percent=101 is none"):
        read_latencies(Trace()).percentile_us(101)
