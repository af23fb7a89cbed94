"""The map: what is where and went where, as data, and the figure that is drawn of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dosim import Simulation
from dosim.trace import Trace, messages
from dosim.views import world_map
from dosim.views.figures import save_png
from dosim.views.flows import read_ground, spot_of
from dosim.views.labels import Box, Wanted, place
from dosim.views.regions import WORLD
from dosim.workers import DurableObject, Response, WorkerEntrypoint, js

TEN = ("Tokyo", "Sydney", "London", "Paris", "Frankfurt", "New York", "São Paulo", "Lagos", "Mumbai", "Los Angeles")


class Room(DurableObject):
    async def add(self) -> int:
        n: int = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return n

    async def fetch(self, request: Any) -> Response:
        client, server = js.WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: Any, message: str) -> None:
        ws.send(message)


class Door(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        room = self.env.ROOM.getByName(request.url.rpartition("/")[2])
        if request.headers.get("Upgrade"):
            socket: Response = await room.fetch(request)
            return socket
        return Response.json(await room.add())


def world(**options: Any) -> Simulation:
    return Simulation(Door, durable_objects={"ROOM": Room}, **{"seed": 7, **options})


def ask(sim: Simulation, city: Any, room: str) -> None:
    sim.run(sim.client(city).fetch(f"https://a.example/{room}"))


@pytest.fixture(scope="module")
def ten() -> Simulation:
    """An object in Asia, one in Europe, and ten cities that ask one of them."""
    sim = world()
    ask(sim, "Tokyo", "asia")
    ask(sim, "Frankfurt", "europe")
    for number, city in enumerate(TEN):
        sim.client(city).fetch(f"https://a.example/{('asia', 'europe')[number % 2]}")
    sim.run(for_="5s")
    return sim


@pytest.fixture(scope="module")
def europe() -> Simulation:
    """Rooms in London and Amsterdam, a socket, two requests and one reply that are lost."""
    sim = world()
    ask(sim, "London", "a")
    ask(sim, "Amsterdam", "b")
    socket = sim.run(sim.client("Madrid").websocket("wss://a.example/b"))
    socket.send("hello")
    sim.run(for_="1s")
    sim.lose("request", of="a", count=2)
    sim.client("Paris").fetch("https://a.example/a")
    sim.client("Paris").fetch("https://a.example/a")
    sim.run(for_="5s")
    sim.lose("reply", of="b")
    sim.client((52.5, 5.0)).fetch("https://a.example/b")
    sim.run(for_="5s")
    return sim


def axes_of(figure: Any) -> tuple[float, float]:
    """How wide and high the map is, inches."""
    axes = figure.axes[0]
    return axes.get_xlim()[1], axes.get_ylim()[1]


def texts(figure: Any) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts] + [text.get_text() for text in figure.texts]


def test_objects_and_requests_are_where_they_belong(ten: Simulation) -> None:
    """
    Each object is in the city of its colo; each client's requests count where it stands.
    """
    ground = read_ground(ten.trace)

    assert {"Tokyo": ["Room('asia')"], "Frankfurt": ["Room('europe')"]} == {
        name: site.objects for name, site in ground.sites.items() if site.objects
    }
    assert {**dict.fromkeys(TEN, 1), "Tokyo": 2, "Frankfurt": 2} == {
        name: site.sent for name, site in ground.sites.items()
    }


def test_flows_count_one_way(ten: Simulation) -> None:
    """
    A call from each city to the object that it asked, each once; answers are not counted, nor what stays in a city.
    """
    ground = read_ground(ten.trace)
    expected = {(city, ("Tokyo", "Frankfurt")[n % 2], "call", 1) for n, city in enumerate(TEN)}

    assert {flow for flow in expected if flow[0] != flow[1]} == {
        (flow.start, flow.end, flow.kind, flow.count) for flow in ground.flows
    }


def test_what_was_lost_is_counted_by_direction(europe: Simulation) -> None:
    """
    Calls that never arrived (the platform sent them again), and an answer that never came back, stand on their line.
    """
    ground = read_ground(europe.trace)
    lost = {(f.start, f.end, f.kind): (f.lost, f.lost_back) for f in ground.flows if f.lost or f.lost_back}

    assert {("Paris", "London", "call"): (2, 0), ("Amsterdam", "Amsterdam", "call"): (0, 1)} == lost
    assert 3 == ground.lost


def test_frames_go_both_ways(europe: Simulation) -> None:
    """
    A message and its echo are two lines, with the client's city at one end.
    """
    frames = [(f.start, f.end, f.count) for f in read_ground(europe.trace).flows if f.kind == "frame"]

    assert [("Madrid", "Amsterdam", 1), ("Amsterdam", "Madrid", 1)] == frames


def test_coordinates_are_a_place() -> None:
    """
    A client given by latitude and longitude is on the map; a name that no city bears is not.
    """
    spot = spot_of("(52.5, 5.0)")

    assert spot is not None and (52.5, 5.0) == (spot.latitude, spot.longitude)
    assert spot_of("Atlantis") is None


def test_one_moment_has_what_is_under_way(ten: Simulation) -> None:
    """
    Every dot is between 0 and 1 of its way, and they are exactly the messages that are between two places then.
    """
    at_us = 800_000
    ground = read_ground(ten.trace, at_us=at_us)
    dots = [gone for flow in ground.flows for gone, _ in flow.under_way]
    between = [
        m
        for m in messages(ten.trace)
        if m.start_us <= at_us <= m.end_us and spot_of(m.source_place) != spot_of(m.target_place)
    ]

    assert len(between) == len(dots) == 4
    assert all(0 <= gone <= 1 for gone in dots)


def test_world_or_fit(ten: Simulation, europe: Simulation) -> None:
    """
    What is used all over the world is drawn on the world; what is used in Europe is drawn larger, unless told.
    """
    world_shape = pytest.approx(11 * (WORLD[3] - WORLD[1]) * 1.2 / 360)

    assert world_shape == axes_of(world_map(ten))[1]
    assert world_shape == axes_of(world_map(europe, region="world"))[1]
    assert axes_of(world_map(europe))[1] == axes_of(world_map(europe, region="fit"))[1] != world_shape


def test_given_region_is_a_fixed_frame(ten: Simulation, europe: Simulation) -> None:
    """
    Two runs in the same degrees have the same axes, also across the Pacific.
    """
    for region in ((-12, 40, 30, 60), (100, -45, -60, 60)):
        assert axes_of(world_map(ten, region=region)) == axes_of(world_map(europe, region=region))


def test_across_the_pacific_the_map_goes_over_the_date_line() -> None:
    """
    Tokyo and Los Angeles fit a map of the Pacific: nobody's line runs round the world.
    """
    sim = world()
    ask(sim, "Tokyo", "asia")
    ask(sim, "Los Angeles", "asia")
    figure = world_map(sim, region="fit")
    lines = [line for line in figure.axes[0].lines if str(line.get_label()).startswith("call")]

    assert ["call: Los Angeles to Tokyo"] == [line.get_label() for line in lines]
    assert 0 < min(lines[0].get_xdata()) and max(lines[0].get_xdata()) < axes_of(figure)[0]


def test_names_do_not_overlap(ten: Simulation, europe: Simulation) -> None:
    """
    London, Paris and Frankfurt on the map of the world: each has its name, off the others.
    """
    for figure in (world_map(ten), world_map(europe)):
        figure.canvas.draw()
        names = [t for t in figure.axes[0].texts if t.get_fontweight() == "bold" and t.get_fontsize() > 8.1]
        boxes = [name.get_window_extent() for name in names]
        clear = [not boxes[a].overlaps(boxes[b]) for a in range(len(boxes)) for b in range(a)]

        assert len(names) > 4 and all(clear)


def test_labels_take_free_places() -> None:
    """
    Ten labels for one point: none overlaps another, all stay inside.
    """
    whole = Box(0, 0, 6, 4)
    placed = place([Wanted(3, 2, 0.1, 1.0, 0.2)] * 10, whole)
    boxes = [label.box for label in placed]

    assert [] == [(a, b) for a in range(10) for b in range(a) if boxes[a].overlap(boxes[b]) > 1e-9]
    assert all(box.outside(whole) < 1e-9 for box in boxes)


def test_alt_tells_the_map(europe: Simulation) -> None:
    """
    Who lives where, who asked, how much went where and what was lost, in words.
    """
    told = world_map(europe, title="Europe").alt.splitlines()

    assert "Europe." == told[0]
    assert "In London (LHR) live Room('a')." in told
    assert "Requests of clients: London 1, Amsterdam 1, Madrid 1, Paris 2, (52.5, 5.0) 1." in told
    assert "Paris to London: 4 calls, 2 lost." in told
    assert {"1 lost", "2 lost"} <= set(texts(world_map(europe)))


def test_same_trace_same_bytes(europe: Simulation, tmp_path: Path) -> None:
    """
    Drawn twice, read back from a file: one picture, byte for byte, light and dark.
    """
    europe.trace.to_jsonl(tmp_path / "trace.jsonl")
    for dark in (False, True):
        save_png(world_map(europe, dark=dark), tmp_path / "a.png")
        save_png(world_map(Trace.from_jsonl(tmp_path / "trace.jsonl"), dark=dark), tmp_path / "b.png")

        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_without_a_network_nothing_is_anywhere() -> None:
    """
    The picture says so, and how to have a network; of an empty trace, that it is empty.
    """
    sim = world(network=None)
    ask(sim, "Tokyo", "a")
    figure = world_map(sim, title="Nowhere")

    assert figure.alt.startswith("Nowhere: This simulation has no network: nothing is anywhere")
    assert "Nothing happened yet: the trace is empty." == world_map(Trace()).alt


def test_retention_says_what_is_missing() -> None:
    """
    The last records are drawn, and the picture says that there were more.
    """
    sim = world(retention="last=20")
    for city in ("Tokyo", "Paris", "Lagos"):
        ask(sim, city, "a")

    assert f"Only the last 20 of {sim.trace.count} records are kept" in world_map(sim).alt


def test_a_place_that_the_map_does_not_know_is_named() -> None:
    """
    A trace of another map: its places are listed, not guessed.
    """
    trace = Trace()
    trace.emit(0, "send", "Atlantis", 1, 0, ("GET", "https://a.example/", "Atlantis"))
    trace.emit(5, "edge", "edge NRT", 1, 0, ("NRT",))

    assert any("Not on this map: Atlantis." in text for text in texts(world_map(trace)))


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"region": "moon"}, ValueError, "region='moon'"),
        ({"region": (10, 50, 20)}, ValueError, "four numbers"),
        ({"region": (10, 60, 20, 40)}, ValueError, "is no part of the globe"),
        ({"region": (10, "a", 20, 40)}, ValueError, "four numbers"),
        ({"width": 2}, ValueError, "width=2"),
        ({"start_us": 5, "end_us": 5}, ValueError, "end_us=5 is not after start_us=5"),
        ({"start_us": "1s"}, TypeError, "start_us='1s'"),
        ({"at_us": -1}, ValueError, "time starts at 0"),
        ({"at_us": 1, "end_us": 9}, ValueError, "at_us is one moment"),
    ],
)
def test_bad_arguments_are_named(ten: Simulation, options: dict[str, Any], error: type[Exception], said: str) -> None:
    """
    The error names the argument and the fix.
    """
    with pytest.raises(error, match=said.replace("(", r"\(")):
        world_map(ten, **options)


def test_a_source_that_is_no_trace_is_refused() -> None:
    """
    With what to give instead.
    """
    with pytest.raises(TypeError, match="neither a simulation nor a trace"):
        world_map(3)


def test_the_method_draws_the_same(ten: Simulation) -> None:
    """
    `sim.map` is the function with times in words.
    """
    assert world_map(ten, start_us=1_000_000).alt == ten.map(start="1s").alt
