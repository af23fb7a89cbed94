"""The timeline: lanes as data, and the figure that is drawn of them."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import dosim
from dosim import Simulation
from dosim.views import Panel, panels, read_lanes, timeline
from dosim.views.figures import save_png
from dosim.views.style import LOOKS
from dosim.workers import DurableObject, Response, WorkerEntrypoint


class Desk(DurableObject):
    async def serve(self) -> str:
        await asyncio.sleep(2)
        return "served"

    async def blocks(self) -> str:
        await self.ctx.blockConcurrencyWhile(self.serve)
        return "served"

    async def computes(self) -> str:
        dosim.cpu("1s")
        return await self.serve()

    async def delegates(self) -> str:
        result: str = await self.env.DESK.getByName("b").computes()
        return result

    async def looks(self) -> str:
        return "seen"

    async def hangs(self) -> str:
        await asyncio.Event().wait()
        return "never"


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        desk = self.env.DESK.getByName("a")
        return Response(await getattr(desk, request.url.rpartition("/")[2])())


def run(method: str, *cities: str, **options: Any) -> Simulation:
    """A world in which these cities have called the desk at the same instant."""
    sim = Simulation(Default, durable_objects={"DESK": Desk}, **{"network": None, **options})
    sim.run(*[sim.client(city).fetch(f"https://desk.example/{method}") for city in cities])
    return sim


def test_lanes_of_one_at_a_time() -> None:
    """
    The second request queues while the first awaits, and the object's lane says who is inside.
    """
    lanes = read_lanes(run("serve", "Tokyo", "Lagos", concurrency="one-at-a-time").trace)

    assert [lane.label for lane in lanes.all] == ["#1 from Tokyo", "#2 from Lagos", "Desk('a')"]
    assert [[(bar.start_us, bar.end_us, bar.look) for bar in lane.bars] for lane in lanes.requests] == [
        [(0, 2_000_000, "awaiting")],
        [(0, 2_000_000, "queued"), (2_000_000, 4_000_000, "awaiting")],
    ]
    assert [(bar.start_us, bar.end_us, bar.text) for bar in lanes.objects[0].bars] == [
        (0, 2_000_000, "Tokyo"),
        (2_000_000, 4_000_000, "Lagos"),
    ]


def test_lanes_of_input_gates() -> None:
    """
    Requests that interleave share the object's lane: it says how many are inside.
    """
    lanes = read_lanes(run("serve", "Tokyo", "Lagos").trace)

    assert [bar.text for bar in lanes.objects[0].bars] == ["2 at once"]
    assert lanes.looks == ["awaiting"]


def test_object_s_lane_shows_where_its_own_code_computes() -> None:
    """
    CPU work is a bar over whoever is inside; the CPU work of an object that it calls is not in its lane.
    """
    lanes = read_lanes(run("delegates", "Tokyo").trace)
    bars = [[(bar.start_us, bar.end_us, bar.look) for bar in lane.bars] for lane in lanes.objects]

    assert [lane.label for lane in lanes.objects] == ["Desk('a')", "Desk('b')"]
    assert bars == [
        [(0, 3_000_000, "awaiting")],
        [(0, 3_000_000, "awaiting"), (0, 1_000_000, "running")],
    ]


def test_critical_section_closes_the_object_s_lane() -> None:
    """
    While blockConcurrencyWhile runs, the object's lane is marked closed, and others wait at the gate.
    """
    lanes = read_lanes(run("blocks", "Tokyo", "Lagos").trace)

    assert [(b.start_us, b.end_us) for b in lanes.objects[0].bars if b.look == "closed"] == [
        (0, 2_000_000),
        (2_000_000, 4_000_000),
    ]
    assert [bar.look for bar in lanes.requests[1].bars] == ["gate", "awaiting"]


def test_bars_of_a_request_cover_its_life() -> None:
    """
    From the city to the object and back, a request's bars follow each other without gaps.
    """
    lane = read_lanes(run("serve", "Tokyo", network="earth").trace).requests[0]
    edges = [(bar.start_us, bar.end_us) for bar in lane.bars]

    assert edges[0][0] == lane.sent_us and edges[-1][1] == lane.answered_us
    assert all(before[1] == after[0] for before, after in pairwise(edges))
    assert [bar.look for bar in lane.bars] == ["travelling", "starting", "travelling", "awaiting", "travelling"]


def test_figure_has_a_lane_for_every_request_and_object() -> None:
    """
    The axes carry a row for each lane, a bar for each stretch, a mark where each was sent and answered, and a legend.
    """
    figure: Any = run("serve", "Tokyo", "Lagos", concurrency="one-at-a-time").timeline()
    axes = figure.axes[0]
    drawn = [container.get_label() for container in axes.containers]

    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["#1 from Tokyo", "#2 from Lagos", "Desk('a')"]
    assert drawn.count("#2 from Lagos: queued") == 1 and drawn.count("Desk('a'): awaiting") == 2
    assert [line.get_marker() for line in axes.lines] == [">", "o", ">", "o"]
    assert LOOKS["queued"].words in [text.get_text() for text in figure.legends[0].get_texts()]


def test_bars_say_how_long() -> None:
    """
    Where there is room, a bar says its duration and an object's bar says who is inside.
    """
    figure: Any = run("serve", "Tokyo", "Lagos", concurrency="one-at-a-time").timeline()

    written = [text.get_text() for text in figure.axes[0].texts]

    assert written == ["awaits 2 s", "waits 2 s", "awaits 2 s", "Tokyo", "Lagos"]


def test_looks_can_be_told_apart_without_colour() -> None:
    """
    No two looks have the same hatch and height.
    """
    shapes = [(look.hatch, look.height) for look in LOOKS.values()]

    assert len(set(shapes)) == len(shapes)


def test_alternative_text_says_what_the_picture_shows() -> None:
    """
    `figure.alt` tells every lane in words.
    """
    figure: Any = run("serve", "Tokyo", "Lagos", concurrency="one-at-a-time").timeline(title="Two in line")

    assert figure.alt == (
        "Two in line\n"
        "#1 from Tokyo: its code awaits for 2 s.\n"
        "#2 from Lagos: waits in line: one request at a time for 2 s, its code awaits for 2 s.\n"
        "Desk('a'): Tokyo from 0 to 2 s, Lagos from 2 to 4 s."
    )


def test_visit_of_no_time_is_a_tick() -> None:
    """
    Code that takes no time is a tick in the object's lane, in the legend, and a moment in the words.
    """
    sim = run("looks", "Tokyo", network="earth")
    figure: Any = sim.timeline()
    at_s = next(record.t_us for record in sim.trace.of_kind("start")) / 1e6
    (tick,) = [drawn for drawn in figure.axes[0].collections if drawn.get_label() == "Desk('a') in NRT: visit"]

    assert [tuple(point[0] for point in path.vertices) for path in tick.get_paths()] == [(at_s, at_s)]
    assert LOOKS["visit"].words in [text.get_text() for text in figure.legends[0].get_texts()]
    assert figure.alt.endswith(f"Desk('a') in NRT: visited at {at_s:.6f} s by Tokyo.")


def test_visits_at_one_moment_are_listed() -> None:
    """
    Who was inside at the same moment is listed, those after the second as a count.
    """
    lanes = read_lanes(run("looks", "Tokyo", "Lagos", "Lima", "Paris").trace)

    assert [(bar.start_us, bar.end_us, bar.text) for bar in lanes.objects[0].bars] == [
        (0, 0, "Tokyo, Lagos and 2 more")
    ]


def test_axis_ends_a_little_after_the_last_answer() -> None:
    """
    A request that hangs, and an hour in which nothing is answered, do not make dots of those that were.
    """
    sim = run("serve", "Tokyo")
    sim.client("Lagos").fetch("https://desk.example/hangs")
    sim.run(for_="1h")
    figure: Any = sim.timeline()
    first_s, last_s = figure.axes[0].get_xlim()

    assert len(figure.axes[0].get_yticklabels()) == 3
    assert -0.1 < first_s < 0 and 2 < last_s < 2.1


def test_start_and_end_choose_the_stretch_and_its_requests() -> None:
    """
    `start` and `end` count from the simulation's start; requests that are not under way then are left out.
    """
    sim = run("serve", "Tokyo")
    sim.run(until="10s")
    sim.run(sim.client("Lagos").fetch("https://desk.example/serve"))
    late: Any = sim.timeline(start="11s", end="11500ms")
    early: Any = sim.timeline(end="5s")
    written = [text for text in late.axes[0].texts if text.get_text() == "awaits 2 s"]

    assert late.axes[0].get_xlim() == pytest.approx((11, 11.5), abs=0.01)
    assert late.axes[0].get_yticklabels()[0].get_text() == "#3 from Lagos"
    assert [11 < text.get_position()[0] < 11.5 for text in written] == [True]
    assert [tick.get_text() for tick in early.axes[0].get_yticklabels()] == ["#1 from Tokyo", "Desk('a')"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": 5}, "start=5 has no unit"),
        ({"end": "soon"}, "end='soon' is no duration"),
        ({"start": "2s", "end": "1s"}, "end='1s' is not after start"),
        ({"start": "1h"}, "start, end: no request is under way then. The last one was answered at 2.000000 s"),
    ],
)
def test_stretch_that_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    """
    A duration without a unit, an end before the start, a stretch without requests: refused with the fix.
    """
    with pytest.raises((TypeError, ValueError), match=message):
        run("serve", "Tokyo").timeline(**options)


def test_help_names_the_options() -> None:
    """
    `help(sim.timeline)` lists what it takes, as the view itself does, which takes moments in microseconds.
    """
    mine = inspect.signature(Simulation.timeline).parameters
    view = inspect.signature(timeline).parameters

    assert list(mine)[1:] == ["requests", "start", "end", "width", "dark", "title"]
    assert list(view)[1:] == ["requests", "start_us", "end_us", "width", "dark", "title"]
    assert [mine[name].default for name in list(mine)[1:]] == [view[name].default for name in list(view)[1:]]


def test_more_than_sixty_requests_are_cut_and_said() -> None:
    """
    Of 70 requests the first 60 are drawn, and the title says so.
    """
    figure: Any = run("serve", *["Tokyo"] * 70).timeline()

    assert len(figure.axes[0].get_yticklabels()) == 61
    assert "the first 60 of 70 requests" in [text.get_text() for text in figure.texts]


def test_chosen_requests_alone_are_drawn() -> None:
    """
    `requests` takes numbers or calls, and leaves the others out.
    """
    figure: Any = run("serve", "Tokyo", "Lagos", "Lima").timeline(requests=[2])

    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["#2 from Lagos", "Desk('a')"]


def test_request_that_the_trace_does_not_have_is_refused() -> None:
    """
    A number that no request has is refused by the name of the argument.
    """
    with pytest.raises(ValueError, match="requests: 99 is no request of this trace"):
        run("serve", "Tokyo").timeline(requests=[99])


def test_panels_share_one_scale() -> None:
    """
    Several traces below one another are drawn on the same scale of time.
    """
    short, long = run("serve", "Tokyo"), run("blocks", "Tokyo", "Lagos")
    figure: Any = panels([Panel(short.trace, title="one"), Panel(long.trace, title="two")])

    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()


def test_same_trace_gives_the_same_png(tmp_path: Path) -> None:
    """
    Two runs of one program give the same bytes: no date, no tool's name.
    """
    for name in ("a.png", "b.png"):
        save_png(run("serve", "Tokyo", "Lagos").timeline(dark=True), tmp_path / name)

    data = (tmp_path / "a.png").read_bytes()

    assert data == (tmp_path / "b.png").read_bytes()
    assert data.startswith(b"\x89PNG") and b"Software" not in data


def test_figure_shows_itself_in_a_notebook() -> None:
    """
    Its HTML is an image with the alternative text.
    """
    figure: Any = run("serve", "Tokyo").timeline(title="A <desk>")

    assert figure._repr_html_().startswith('<img alt="A &lt;desk&gt;')


def test_matplotlib_loads_when_a_picture_is_drawn() -> None:
    """
    Importing the views loads no matplotlib, and drawing loads no pyplot.
    """
    code = (
        "import sys, dosim.views as views\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from dosim.trace import Trace\n"
        "views.timeline(Trace())\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
