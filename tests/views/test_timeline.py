"""The timeline: lanes as data, and the figure that is drawn of them."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from matplotlib.colors import to_hex

import dosim
from dosim import Simulation
from dosim.trace import Trace
from dosim.views import Panel, panels, read_lanes, timeline
from dosim.views.figures import save_png
from dosim.views.style import DARK, LOOKS, MARKS
from dosim.workers import DurableObject, Response, WorkerEntrypoint
from dosim.workers.js import WebSocketPair


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


class Room(DurableObject):
    async def fetch(self, request: Any) -> Response:
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: Any, message: str) -> None:
        for peer in self.ctx.getWebSockets():
            peer.send(message)
        if message == "two":
            await self.ctx.storage.setAlarm(int(time.time() * 1000) + 10_000)

    async def alarm(self, info: object = None) -> None:
        await asyncio.sleep(1)


class Front(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Any:
        return await self.env.ROOM.getByName("lobby").fetch(request)


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
    Where there is room, a bar says its duration and why, and an object's bar says who is inside.
    """
    figure: Any = run("serve", "Tokyo", "Lagos", concurrency="one-at-a-time").timeline()

    written = [text.get_text() for text in figure.axes[0].texts]

    assert written == ["awaits 2 s (timer)", "waits 2 s behind Tokyo", "awaits 2 s (timer)", "Tokyo", "Lagos"]


def test_looks_can_be_told_apart_without_colour() -> None:
    """
    No two looks have the same hatch and height.
    """
    shapes = [(look.hatch, look.height) for look in LOOKS.values()]

    assert len(set(shapes)) == len(shapes)


def test_what_is_black_on_light_paper_is_not_on_dark() -> None:
    """The bar of a lost message, and its entry in the legend, are drawn in ink, which is light on dark paper."""
    trace = Trace()
    trace.emit(0, "send", "Oslo", 1, 0, ("GET", "https://a.example/", "Oslo"))
    trace.emit(1_000_000, "lost", "Oslo", 1, 0, ("request", "cut off"))
    trace.emit(3_000_000, "failed", "Oslo", 1, 0, ("Error: lost",))
    figure: Any = timeline(trace, dark=True)
    [bar] = [each for each in figure.axes[0].containers if each.get_label() == "#1 from Oslo: lost"]
    [entry] = [each for each in figure.legends[0].get_patches() if each.get_label() == LOOKS["lost"].words]

    assert [to_hex(each.get_facecolor()).upper() for each in (bar[0], entry)] == [DARK.ink] * 2


def test_alternative_text_says_what_the_picture_shows() -> None:
    """
    `figure.alt` tells every lane in words.
    """
    figure: Any = run("serve", "Tokyo", "Lagos", concurrency="one-at-a-time").timeline(title="Two in line")

    assert figure.alt == (
        "Two in line\n"
        "#1 from Tokyo: its code awaits for 2 s (timer).\n"
        "#2 from Lagos: waits in line: one request at a time for 2 s behind Tokyo, its code awaits for 2 s (timer).\n"
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
    written = [text for text in late.axes[0].texts if text.get_text() == "awaits 2 s (timer)"]

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


def test_long_runs_have_ticks_of_minutes_hours_and_days() -> None:
    """
    Seconds are told up to three minutes; a run of two hours has ticks of a quarter of an hour and says so in words.
    """
    sim = run("serve", "Tokyo")
    sim.run(for_="2h")
    sim.run(sim.client("Lagos").fetch("https://desk.example/serve"))
    figure: Any = sim.timeline()
    short: Any = sim.timeline(end="1m")
    ticks = figure.axes[0].get_xticklabels()

    assert [tick.get_text() for tick in ticks] == [
        "0 s",
        *[f"{m} min" for m in (15, 30, 45)],
        "1 h",
        *[f"1 h {m} min" for m in (15, 30, 45)],
        "2 h",
    ]
    assert list(figure.axes[0].get_xticks()) == [900.0 * k for k in range(9)]
    assert (figure.axes[0].get_xlabel(), short.axes[0].get_xlabel()) == ("simulated time", "seconds of simulated time")
    assert "Lagos from 2 h 2 s to 2 h 4 s" in figure.alt


def test_alarms_and_frames_are_marks_in_the_object_s_lane() -> None:
    """
    A star where an alarm rings, a triangle down for each frame that comes in, one up for each that goes out: those
    of the second message when the alarm that it set is written, 5 ms later.
    """
    sim = Simulation(Front, durable_objects={"ROOM": Room}, network=None)
    ann, bob = (sim.run(sim.client(city).websocket("wss://room.example/")) for city in ("Tokyo", "Lagos"))
    ann.send("one")
    sim.run(for_="10s")
    bob.send("two")
    sim.run(for_="1m")
    lane = read_lanes(sim.trace).objects[0]
    figure: Any = sim.timeline()
    drawn = {line.get_label(): list(line.get_xdata()) for line in figure.axes[0].lines if ":" in line.get_label()}
    words = [text.get_text() for text in figure.legends[0].get_texts()]

    assert [(mark.at_us, mark.look) for mark in lane.marks] == [
        (0, "frame in"),
        (0, "frame out"),
        (0, "frame out"),
        (10_000_000, "frame in"),
        (10_005_000, "frame out"),
        (10_005_000, "frame out"),
        (20_000_000, "alarm"),
    ]
    assert drawn == {
        "Room('lobby'): alarm": [20.0],
        "Room('lobby'): frame in": [0.0, 10.0],
        "Room('lobby'): frame out": [0.0, 0.0, 10.005, 10.005],
    }
    assert [look.words for look in MARKS.values()] == [word for word in words if "alarm" in word or "frame" in word]
    assert figure.alt.endswith("; its alarm rang at 20 s, 2 WebSocket frames came in, 4 WebSocket frames went out.")


def test_frames_of_chosen_requests_alone_are_marked() -> None:
    """
    What another message sent is left out.
    """
    sim = Simulation(Front, durable_objects={"ROOM": Room}, network=None)
    ann = sim.run(sim.client("Tokyo").websocket("wss://room.example/"))
    for text in ("one", "two"):
        ann.send(text)
        sim.run(for_="1s")
    first = sim.trace.of_kind("call")[1].request
    lane = read_lanes(sim.trace, [first]).objects[0]

    assert [mark.look for mark in lane.marks] == ["frame in", "frame out"]


def test_more_than_sixty_requests_are_cut_and_said() -> None:
    """
    Of 70 requests the first 60 are drawn, and the title says so.
    """
    figure: Any = run("serve", *["Tokyo"] * 70).timeline()

    assert len(figure.axes[0].get_yticklabels()) == 61
    assert "the first 60 of 70 requests" in [text.get_text() for text in figure.texts]
    assert "Drawn: the first 60 of 70 requests." in figure.alt


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
