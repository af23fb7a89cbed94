"""The space-time diagram: columns, rows and arrows as data, the figure and the SVG that are drawn of them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from dosim import Simulation
from dosim.trace import Trace, messages
from dosim.trace.clocks import vector_clocks
from dosim.views import spacetime, spacetime_svg
from dosim.views.diagrams import MOST_ACTORS, MOST_MESSAGES, read_diagram
from dosim.views.figures import save_png
from dosim.workers import DurableObject, Response, WorkerEntrypoint

ALL = ("Tokyo", "Sydney", "London", "Paris", "Frankfurt", "New York", "São Paulo", "Lagos", "Mumbai", "Los Angeles")


class Room(DurableObject):
    async def add(self) -> int:
        n: int = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return n


class Slow(DurableObject):
    async def work(self) -> None:
        await asyncio.sleep(60)


class Door(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        return Response.json(await self.env.ROOM.getByName(request.url.rpartition("/")[2]).add())


def world(**options: Any) -> Simulation:
    return Simulation(Door, durable_objects={"ROOM": Room}, **{"seed": 7, **options})


def ask(sim: Simulation, city: str, room: str = "desk") -> Any:
    return sim.client(city).fetch(f"https://a.example/{room}")


@pytest.fixture(scope="module")
def two() -> Simulation:
    """Two clients, one desk; a reply is lost, the desk crashes, ten minutes pass."""
    sim = world()
    sim.run(ask(sim, "Tokyo"))
    sim.run(ask(sim, "Tokyo"), ask(sim, "Paris"))
    sim.lose("reply", of="desk")
    ask(sim, "Paris")
    sim.run(for_="3s")
    sim.crash("desk")
    sim.run(for_="10m")
    sim.run(ask(sim, "Tokyo"))
    return sim


def texts(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_columns_are_clients_with_their_workers_and_then_objects(two: Simulation) -> None:
    """
    From left to right, as a request goes.
    """
    diagram = read_diagram(two.trace)

    assert ["Tokyo", "worker@NRT", "Paris", "worker@CDG", "Room('desk')"] == diagram.actors
    assert ["Room('desk')"] == list(diagram.lives)


def test_every_message_is_an_arrow_down(two: Simulation) -> None:
    """
    Each has its row of leaving and a later one of arriving; the lost reply has none.
    """
    diagram = read_diagram(two.trace)

    assert messages(two.trace) == [arrow.message for arrow in sorted(diagram.arrows, key=lambda a: a.message.seq)]
    assert [True] == [bool(arrow.message.lost) for arrow in diagram.arrows if arrow.end_row is None]
    assert all(arrow.row < arrow.end_row for arrow in diagram.arrows if arrow.end_row is not None)


def test_rows_are_in_order_of_time_and_nobody_is_twice_in_one(two: Simulation) -> None:
    """
    With a network and without, where all happens at one moment.
    """
    still = world(network=None)
    still.run(ask(still, "Tokyo"), ask(still, "Paris"))
    for sim in (two, still):
        diagram = read_diagram(sim.trace, clocks=True)
        places = [(dot.row, dot.column) for dot in diagram.dots]

        assert all(before <= after for before, after in pairwise(diagram.rows))
        assert len(places) == len(set(places)) > 10
        assert all(diagram.rows[dot.row] == dot.event.t_us for dot in diagram.dots)


def test_dots_carry_the_vector_clocks(two: Simulation) -> None:
    """
    A count for each column, those of `vector_clocks`; each actor's own counts by one from dot to dot.
    """
    diagram = read_diagram(two.trace, clocks=True)
    expected = [
        tuple(told.clock.get(actor, 0) for actor in diagram.actors)
        for told in vector_clocks(two.trace)
        if told.host in diagram.actors
    ]

    assert expected == [dot.clock for dot in diagram.dots]
    for number in range(len(diagram.actors)):
        own = [dot.clock[number] for dot in diagram.dots if dot.column == number]
        assert list(range(1, len(own) + 1)) == own
    assert all(not dot.clock for dot in read_diagram(two.trace).dots)


def test_an_error_leaves_below_the_crash_that_brought_it_about() -> None:
    """
    Who waits for an object whose machine crashes gets the error because of it: its arrow begins under the mark.
    """
    sim = Simulation(durable_objects={"ROOM": Slow}, seed=7)
    call = sim.env.ROOM.getByName("desk").work()
    sim.run(for_="1s")
    sim.crash("desk")
    sim.run(for_="3s")
    diagram = read_diagram(sim.trace)
    mark = next(dot for dot in diagram.dots if dot.event.kind == "crash")
    error = next(arrow for arrow in diagram.arrows if arrow.message.failed)

    assert call.done() and error.message.start_us == mark.event.t_us
    assert mark.row < error.row


def test_clocks_are_written_beside_the_dots(two: Simulation) -> None:
    """
    In the picture, and in the SVG, the first event of the first client is (1,0,0,0,0).
    """
    assert "(1,0,0,0,0)" in texts(spacetime(two, clocks=True))
    assert "(1,0,0,0,0)" in spacetime_svg(two, clocks=True)
    assert "(1,0,0,0,0)" not in texts(spacetime(two))


def test_requests_choose_with_all_their_calls(two: Simulation) -> None:
    """
    One request: its way to the object and back, four messages, three actors.
    """
    diagram = read_diagram(two.trace, requests=[1])

    assert ["GET /desk", "add", "add", "200"] == [arrow.message.label for arrow in diagram.arrows]
    assert ["Tokyo", "worker@NRT", "Room('desk')"] == diagram.actors


def test_a_stretch_chooses_what_left_in_it(two: Simulation) -> None:
    """
    start_us and end_us bound when a message left.
    """
    arrows = read_diagram(two.trace, start_us=600_000_000, end_us=700_000_000).arrows

    assert 4 == len(arrows)
    assert all(600_000_000 <= arrow.message.start_us <= 700_000_000 for arrow in arrows)


def test_ten_at_once_fit() -> None:
    """
    Ten cities, their ten Workers and the object, forty messages: nothing is left out.
    """
    sim = world()
    sim.run(*[ask(sim, city) for city in ALL])
    diagram = read_diagram(sim.trace)

    assert (21, 40, 0, 0) == (len(diagram.actors), len(diagram.arrows), diagram.left_out, diagram.actors_left_out)


def test_what_does_not_fit_is_counted() -> None:
    """
    Of thirty requests the first that fit are drawn whole, each with its answer; the picture says how many are not.
    """
    sim = world()
    sim.run(*[ask(sim, city, f"{number}") for number, city in enumerate(ALL * 3)])
    diagram = read_diagram(sim.trace)
    figure = spacetime(sim)
    left_out = 120 - len(diagram.arrows)

    assert len(diagram.actors) <= MOST_ACTORS and 0 < len(diagram.arrows) <= MOST_MESSAGES
    assert left_out == diagram.left_out > 0
    assert 0 == len(diagram.arrows) % 4
    assert f"{left_out} more messages left out." in figure.alt
    assert any(f"{left_out:,} left out" in text for text in texts(figure))


def test_one_request_that_is_too_long_shows_its_beginning() -> None:
    """
    A request with 60 messages is not left out: its first 50 are drawn.
    """

    class Many(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Response:
            for _ in range(29):
                await self.env.ROOM.getByName("desk").add()
            return Response("done")

    sim = Simulation(Many, durable_objects={"ROOM": Room}, seed=7)
    sim.run(ask(sim, "Tokyo"))
    diagram = read_diagram(sim.trace)

    assert (MOST_MESSAGES, 10) == (len(diagram.arrows), diagram.left_out)
    assert messages(sim.trace)[:MOST_MESSAGES] == [arrow.message for arrow in diagram.arrows]


def test_under_way_when_the_trace_ends(two: Simulation) -> None:
    """
    A request that has not arrived goes to the foot of the picture, and is told so.
    """
    sim = world()
    ask(sim, "Tokyo")
    sim.run(for_="1ms")
    sim.client("Paris")
    figure = spacetime(sim)

    assert [None] == [arrow.end_row for arrow in read_diagram(sim.trace).arrows]
    assert "under way when the trace ends" in figure.alt


def test_to_scale_rows_stand_where_the_clock_says(two: Simulation) -> None:
    """
    Equal times are equal lengths; unless told, each moment has a row as high as the next.
    """
    figures = [spacetime(two, to_scale=scale, start_us=0, end_us=1_000_000) for scale in (True, False)]

    assert not any("not to scale" in text for text in texts(figures[0]))
    assert any("not to scale" in text for text in texts(figures[1]))
    assert figures[0].get_size_inches()[1] < figures[1].get_size_inches()[1]


def test_long_waits_are_told(two: Simulation) -> None:
    """
    Ten minutes in which nothing happens are said, not drawn.
    """
    assert "10 min later" in texts(spacetime(two))


def test_labels_do_not_overlap(two: Simulation) -> None:
    """
    No two texts of the picture cover one another.
    """
    figure = spacetime(two)
    figure.canvas.draw()
    boxes = [(text.get_text(), text.get_window_extent()) for text in figure.axes[0].texts]

    assert [] == [(a[0], b[0]) for n, a in enumerate(boxes) for b in boxes[:n] if a[1].overlaps(b[1])]


def test_slanted_names_end_inside_the_picture() -> None:
    """
    Among many columns names are slanted; the long one of the last column is not cut off by the edge.
    """
    sim = world()
    for city in ("London", "Paris", "Madrid", "Rome", "Berlin", "Vienna", "Tokyo"):
        sim.run(ask(sim, city, "a-workshop-with-a-long-name"))
    figure = spacetime(sim)
    figure.canvas.draw()
    slanted = [text for text in figure.axes[0].texts if text.get_rotation()]

    assert "Room('a-workshop-with-a…" == slanted[-1].get_text()
    assert all(text.get_window_extent().x1 <= figure.bbox.x1 for text in slanted)


def test_alt_tells_every_message(two: Simulation) -> None:
    """
    In order, with when, from whom to whom, how long, and what was lost.
    """
    lines = spacetime(two, title="Two").alt.splitlines()

    assert "Two: 20 messages between 5 actors." == lines[0]
    assert "0.000000 s: request GET /desk, from Tokyo to worker@NRT, 5.373 ms." == lines[1]
    assert 21 == len(lines)
    assert 1 == sum(": lost, " in line for line in lines)


def test_svg_is_an_image_with_words_and_small(two: Simulation) -> None:
    """
    It is well-formed, has a title and a description, tells each arrow, and loads nothing.
    """
    text = spacetime_svg(two, title="<Two & one>")
    root = ET.fromstring(text)
    tag = "{http://www.w3.org/2000/svg}"

    assert ("img", "<Two & one>") == (root.get("role"), root.findtext(f"{tag}title"))
    assert spacetime(two, title="<Two & one>").alt == root.findtext(f"{tag}desc")
    assert 20 <= sum(group.findtext(f"{tag}title", "").count(", from ") > 0 for group in root.iter(f"{tag}g"))
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert len(text) < 40_000


def test_svg_needs_no_matplotlib() -> None:
    """
    A page without it can draw the diagram.
    """
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from dosim.trace import Trace\n"
        "from dosim.views import spacetime_svg\n"
        "trace = Trace(); trace.emit(0, 'send', 'Oslo', 1, 0, ('GET', 'https://a.example/', 'Oslo'))\n"
        "print(spacetime_svg(trace)[:4])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "<svg" == run.stdout.strip()


def test_same_trace_same_bytes(two: Simulation, tmp_path: Path) -> None:
    """
    Drawn twice, read back from a file: one picture and one text, byte for byte, light and dark.
    """
    two.trace.to_jsonl(tmp_path / "trace.jsonl")
    back = Trace.from_jsonl(tmp_path / "trace.jsonl")
    for dark in (False, True):
        save_png(spacetime(two, dark=dark), tmp_path / "a.png")
        save_png(spacetime(back, dark=dark), tmp_path / "b.png")

        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
        assert spacetime_svg(two, dark=dark) == spacetime_svg(back, dark=dark)


def test_nothing_to_see_is_said() -> None:
    """
    An empty trace, one without messages, a stretch without any, and one whose beginning is not kept.
    """
    bare = Trace()
    bare.emit(0, "log", "worker", 0, 0, ("log", "hello"))
    sim = world(retention="last=10")
    sim.run(ask(sim, "Tokyo"))

    assert "Nothing happened yet: the trace is empty." == spacetime(Trace()).alt
    assert "Nobody sent anybody a message in this trace." == spacetime(bare).alt
    assert "No message left in this stretch of time." == spacetime(bare, start_us=5).alt
    assert "Nothing happened yet: the trace is empty." in spacetime_svg(Trace())
    assert f"Only the last 10 of {sim.trace.count} records are kept" in spacetime(sim).alt


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"requests": [999]}, ValueError, "requests: 999 is no request"),
        ({"requests": ["first"]}, ValueError, "requests: 'first' is no request"),
        ({"width": 1}, ValueError, "width=1"),
        ({"start_us": 9, "end_us": 3}, ValueError, "end_us=3 is not after start_us=9"),
        ({"start_us": True}, TypeError, "start_us=True"),
    ],
)
def test_bad_arguments_are_named(two: Simulation, options: dict[str, Any], error: type[Exception], said: str) -> None:
    """
    The error names the argument and the fix, in both forms of the picture.
    """
    for draw in (spacetime, spacetime_svg):
        with pytest.raises(error, match=said):
            draw(two, **options)


@pytest.mark.parametrize("dpi", [72, 80, 110])
def test_a_long_wait_is_told_whole(dpi: int) -> None:
    """
    The words for a time in which nothing happens begin inside the picture, on screens of few dots too.
    """
    sim = world()
    for wait in ("849ms", "717ms", "138s"):
        sim.run(ask(sim, "Tokyo"))
        sim.run(for_=wait)
    sim.run(ask(sim, "Tokyo"))
    figure: Any = spacetime(sim, dark=True)
    figure.set_dpi(dpi)
    figure.canvas.draw()
    waits = [text for text in figure.axes[0].texts if text.get_text().endswith(" later")]

    assert "849 ms later" in [text.get_text() for text in waits]
    assert all(text.get_window_extent().x0 >= 0 for text in waits)
