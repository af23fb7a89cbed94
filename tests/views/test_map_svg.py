"""The map as light SVG: the Figure's words and layout, well formed whatever the labels are, without matplotlib."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from dosim import Simulation
from dosim.geography import find_spot
from dosim.trace import Trace
from dosim.views import world_map, world_map_svg
from dosim.views.insets import spread
from dosim.views.labels import Box
from dosim.views.map_plans import INKS, plan_map
from dosim.views.regions import ALONE, NARROWEST, WORLD
from dosim.workers import DurableObject, Response, WorkerEntrypoint

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</title><script>alert(1)</script>&\"'\x00\x1b"


CROWD = ("Frankfurt", "Tokyo", "New York", "London", "Paris", "Lagos", "Amsterdam")


class Room(DurableObject):
    async def add(self) -> int:
        return 1


class Door(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        name = request.headers.get("X-Room") or "a"
        return Response.json(await self.env.ROOM.getByName(name).add())


def world(*cities: str, room: str = "a", **options: Any) -> Simulation:
    sim = Simulation(Door, durable_objects={"ROOM": Room}, **{"seed": 3, **options})
    for city in cities:
        sim.run(sim.client(city).fetch("https://a.example/", headers={"X-Room": room}))
    return sim


@pytest.fixture(scope="module")
def three() -> Simulation:
    """Clients of three continents and one object; the last request loses its way once."""
    sim = world("Tokyo", "Paris")
    sim.lose("request", of="a")
    sim.client("Lagos").fetch("https://a.example/")
    sim.run(for_="10s")
    return sim


def texts(svg: str) -> list[str]:
    return [text.text or "" for text in ET.fromstring(svg).iter(f"{SVG}text")]


def test_it_is_an_image_with_the_words_of_the_figure(three: Simulation) -> None:
    """
    Role img, a title first, then the Figure's `alt`.
    """
    root = ET.fromstring(world_map_svg(three, title="Three"))

    assert (f"{SVG}svg", "img") == (root.tag, root.get("role"))
    assert ["Three", world_map(three, title="Three").alt] == [root[0].text, root[1].text]
    assert world_map(three).alt == ET.fromstring(world_map_svg(three))[1].text


def test_places_counts_and_losses_are_written(three: Simulation) -> None:
    """
    The names of the places in use, how many objects live there, and what was lost.
    """
    said = texts(world_map_svg(three))

    assert {"Tokyo (NRT)", "Paris (CDG)", "Lagos (LOS)", "Room('a')", "1", "1 lost"} <= set(said)


def test_every_line_tells_itself_when_pointed_at(three: Simulation) -> None:
    """
    A line has a title, which says what went from where to where.
    """
    told = [title.text or "" for title in ET.fromstring(world_map_svg(three)).iter(f"{SVG}title")]

    assert "Paris to Tokyo: 1 call." in told
    assert "Lagos to Tokyo: 2 calls, 1 lost." in told


def test_places_stand_where_the_map_has_them(three: Simulation) -> None:
    """
    On the map of the world Tokyo's square is at its longitude and latitude, in pixels of the picture.
    """
    width = 720
    root = ET.fromstring(world_map_svg(three, region="world", width=width))
    (square,) = [
        path
        for path in root.find(f"{SVG}svg").iter(f"{SVG}path")  # type: ignore[union-attr]
        if (path.get("d") or "").startswith("M-1 -1h2")
    ]
    x, y = re.findall(r"-?[\d.]+", square.get("transform") or "")[:2]
    tokyo, scale = find_spot("Tokyo"), width / (WORLD[2] - WORLD[0])

    assert tokyo is not None
    assert (tokyo.longitude - WORLD[0]) * scale == pytest.approx(float(x), abs=0.06)
    assert (WORLD[3] - tokyo.latitude) * 1.2 * scale == pytest.approx(float(y), abs=0.06)


def test_looks_differ_without_colour(three: Simulation) -> None:
    """
    Each kind of line has dashes of its own, each kind of place a shape or a ring.
    """
    root = ET.fromstring(world_map_svg(three))
    shapes = {path.get("d") for path in root.iter(f"{SVG}path") if "scale" in (path.get("transform") or "")}

    assert len(INKS) == len({ink.dash for ink in INKS.values()})
    assert 3 == len(shapes)  # a square for objects, a circle for clients and Workers, a cross for what was lost


def test_one_moment_has_what_is_under_way(three: Simulation) -> None:
    """
    As many dots on lines as the Figure's words tell.
    """
    sent = [record.t_us for record in three.trace.of_kind("leave")]
    at_us = sent[-1] + 20_000
    plan = plan_map(three, at_us=at_us)
    under_way = sum(len(flow.under_way) for flow in plan.ground.flows)

    assert 1 == under_way
    assert f"{under_way} message under way between places." in " ".join(texts(world_map_svg(three, at_us=at_us)))


def test_one_place_is_shown_with_its_part_of_the_world() -> None:
    """
    A map of one city reaches over sixty degrees, of two close ones over forty-four; its name says that it is a part.
    """
    one, two = plan_map(world("Tokyo")), plan_map(world("London", "Amsterdam"))

    assert [ALONE, NARROWEST] == [pytest.approx(plan.view.wide) for plan in (one, two)]
    assert one.alt.startswith("Map of a part of the world.")
    assert "Map of a part of the world" == ET.fromstring(world_map_svg(world("Tokyo")))[0].text


def test_same_trace_same_text(three: Simulation, tmp_path: Path) -> None:
    """
    Twice, and from the file.
    """
    three.trace.to_jsonl(tmp_path / "trace.jsonl")

    assert world_map_svg(three) == world_map_svg(three) == world_map_svg(Trace.from_jsonl(tmp_path / "trace.jsonl"))


def test_hostile_labels_are_text() -> None:
    """
    A name that would close the title and run a script, with characters that no XML holds, is shown as what it is.
    """
    sim = world("Tokyo", room=HOSTILE.replace("\x00", "").replace("\x1b", ""))
    trace = Trace()
    trace.emit(0, "send", HOSTILE, 1, 0, ("GET", "https://a.example/", HOSTILE))
    trace.emit(5, "edge", "edge NRT", 1, 0, ("NRT",))

    for source in (sim, trace):
        text = world_map_svg(source, title=HOSTILE)
        tags = {element.tag for element in ET.fromstring(text).iter()}

        assert f"{SVG}script" not in tags
        assert "<script" not in text
        assert "alert(1)" in text


def test_it_draws_without_matplotlib_and_loads_nothing_from_elsewhere(three: Simulation, tmp_path: Path) -> None:
    """
    The process that draws it never imports matplotlib; the text has no address but that of the SVG format.
    """
    three.trace.to_jsonl(tmp_path / "trace.jsonl")
    code = (
        "import sys; from dosim.trace import Trace; from dosim.views import world_map_svg, lives_svg;"
        " trace = Trace.from_jsonl(sys.argv[1]); world_map_svg(trace); lives_svg(trace);"
        " sys.exit('matplotlib' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path / "trace.jsonl")], check=False)
    text = world_map_svg(three)

    assert 0 == ran.returncode
    assert ["http://www.w3.org/2000/svg"] == re.findall(r"https?://[^\"<) ]+", text)
    assert not re.search(r"href|url\(|@import|<image|<script", text)


def test_nothing_to_see_is_said() -> None:
    """
    An empty trace, and a simulation without a network: the Figure's words, in the picture too.
    """
    for source in (Trace(), world("Tokyo", network=None)):
        text = world_map_svg(source, title="Nowhere")

        assert world_map(source, title="Nowhere").alt == ET.fromstring(text)[1].text
        assert " ".join(texts(text)[1:]) in world_map(source).alt


def test_retention_says_what_is_missing() -> None:
    """
    The note is in the picture and in its words.
    """
    sim = world("Tokyo", "Paris", "Lagos", retention="last=20")
    text = world_map_svg(sim)
    note = f"Only the last 20 of {sim.trace.count} records are kept: what was before is missing."

    assert note in " ".join(texts(text))
    assert note in (ET.fromstring(text)[1].text or "")


def test_colours_follow_the_page_unless_told(three: Simulation) -> None:
    """
    By classes, as of the other charts.
    """
    assert ["auto", "dark", "light"] == [
        re.findall(r'class="dosim-chart dosim-(\w+)"', world_map_svg(three, dark=dark))[0]
        for dark in (None, True, False)
    ]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"width": 100}, ValueError, "width=100: give at least 360 pixels"),
        ({"width": "wide"}, TypeError, "width='wide' is no number"),
        ({"width": True}, TypeError, "width=True is no number"),
        ({"width": float("nan")}, TypeError, "width=nan is no number of pixels"),
        ({"dark": "yes"}, TypeError, "dark='yes' is not known: use True, False, or None"),
        ({"region": "moon"}, ValueError, "region='moon'"),
        ({"at_us": 1, "end_us": 9}, ValueError, "at_us is one moment"),
        ({"at_us": 1.5}, TypeError, "at_us=1.5: give whole microseconds"),
    ],
)
def test_bad_arguments_are_named(three: Simulation, options: dict[str, Any], error: type[Exception], said: str) -> None:
    """
    The error names the argument and the fix.
    """
    with pytest.raises(error, match=said):
        world_map_svg(three, **options)


def test_a_source_that_is_no_trace_is_refused() -> None:
    """
    With what to give instead.
    """
    with pytest.raises(TypeError, match="neither a simulation nor a trace"):
        world_map_svg(3)


def test_a_crowded_europe_has_an_inset_on_a_wide_map() -> None:
    """
    Four close cities and three far away: each name is once in the picture, and none of the inset's stands outside it.
    """
    sim = world(*CROWD)
    plan = plan_map(sim)
    drawn = spread(plan, 11.0)

    assert drawn.inset is not None and drawn.frame is not None
    assert {"London", "Paris", "Frankfurt", "Amsterdam"} == {name.site.spot.name for name in drawn.inset.names}
    assert {"Tokyo", "New York", "Lagos"} == {name.site.spot.name for name in drawn.whole.names}
    room = Box(0, 0, drawn.inset.atlas.width, drawn.inset.atlas.height)
    assert all(name.placed.box.outside(room) < 1e-9 for name in drawn.inset.names)
    for site in drawn.inset.sites:
        assert drawn.frame.holds(*drawn.whole.atlas.spot(site.spot))
    said = texts(world_map_svg(sim, width=1056))
    assert 1 == sum(text.startswith("London") for text in said)
    assert "is drawn larger at the lower left." in " ".join(said)
    assert "is drawn larger" in " ".join(text.get_text() for text in world_map(sim).texts)


def test_no_inset_where_it_would_hide_or_not_help() -> None:
    """
    Not on a narrow map, not for two places, not over somebody in the southern Pacific, not on a part of the world.
    """
    whole, two = world(*CROWD), world("Frankfurt", "Tokyo", "New York", "London", "Lagos")

    assert spread(plan_map(whole), 11.0).inset is not None
    assert spread(plan_map(whole), 5.0).inset is None
    assert spread(plan_map(two), 11.0).inset is None
    assert spread(plan_map(whole, (-30, 30, 60, 70)), 11.0).inset is None
    for place in ((-20.0, -130.0), (-40.0, -110.0)):
        sim = world(*CROWD)
        sim.client(place).fetch("https://a.example/")
        sim.run(for_="5s")

        assert spread(plan_map(sim), 11.0).inset is None
