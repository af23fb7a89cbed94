"""The lives of objects as light SVG: the Figure's words and layout, states told apart without colour."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from dosim import Simulation
from dosim.trace import Trace
from dosim.views import lives, lives_svg
from dosim.views.room_plans import BOARD_COLOUR, DRAWERS_COLOUR, STATES, plan_rooms
from dosim.views.room_svgs import TEXTURES
from dosim.workers import DurableObject, js

SVG = "{http://www.w3.org/2000/svg}"
S_US = 1_000_000
HOSTILE = "</title><script>alert(1)</script>&\"'\x07"


class Room(DurableObject):
    async def add(self) -> int:
        n: int = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return n

    async def arm(self, delay_ms: int) -> None:
        await self.ctx.storage.setAlarm(js.Date.now() + delay_ms)

    async def alarm(self, info: Any) -> None:
        await self.ctx.storage.put("rung", 1)


def world(**options: Any) -> Simulation:
    return Simulation(durable_objects={"ROOM": Room}, **{"seed": 5, "network": None, **options})


@pytest.fixture(scope="module")
def rooms() -> Simulation:
    """A room that is used, crashed, deployed over and used again, and one whose alarm rings."""
    sim = world()
    diary = sim.env.ROOM.getByName("diary")
    sim.run(diary.add())
    sim.run(sim.env.ROOM.getByName("clock").arm(30_000))
    sim.run(for_="5s")
    sim.crash("diary")
    sim.run(for_="40s")
    sim.run(diary.add())
    sim.deploy()
    sim.run(for_="30s")
    return sim


def texts(svg: str) -> list[str]:
    return [text.text or "" for text in ET.fromstring(svg).iter(f"{SVG}text")]


def boxes(svg: str, colour: str) -> list[tuple[float, float]]:
    """From where to where the boxes of a colour reach, pixels; the legend's own is left out."""
    paths = [path for path in ET.fromstring(svg).iter(f"{SVG}path") if path.get("fill") == colour]
    found = re.findall(r"M([\d.]+) [\d.]+h([\d.]+)v", " ".join(path.get("d") or "" for path in paths))
    return [(float(x), float(x) + float(wide)) for x, wide in found]


def test_it_is_an_image_with_the_words_of_the_figure(rooms: Simulation) -> None:
    """
    Role img, a title first, then the Figure's `alt`.
    """
    root = ET.fromstring(lives_svg(rooms, title="Rooms"))

    assert (f"{SVG}svg", "img") == (root.tag, root.get("role"))
    assert ["Rooms", lives(rooms, title="Rooms").alt] == [root[0].text, root[1].text]
    assert "The lives of objects" == ET.fromstring(lives_svg(rooms))[0].text


def test_the_whiteboard_is_wiped_and_the_drawers_stay(rooms: Simulation) -> None:
    """
    Two instances of the diary have two whiteboards; its drawers are one box to the end of the axis.
    """
    text = lives_svg(rooms, objects=["diary"], width=640)

    assert 2 == len(boxes(text, BOARD_COLOUR))
    assert [616] == [round(right) for _, right in boxes(text, DRAWERS_COLOUR)]


def test_names_marks_and_legend_are_written(rooms: Simulation) -> None:
    """
    Every object by its label, the deploy above its line, and the legend for what is in the picture, not for the rest.
    """
    said = texts(lives_svg(rooms))

    assert {"Room('diary')", "Room('clock')", "deploy", "crash", "its alarm rings", "2 instances"} <= set(said)
    assert STATES["evicted"].words in said
    assert STATES["hibernated"].words not in said


def test_states_are_told_apart_without_colour() -> None:
    """
    Those that the Figure hatches have lines of paper, each its own; the others differ by being alone without one.
    """
    hatched = {state for state, look in STATES.items() if look.hatch}

    assert hatched == set(TEXTURES)
    assert len(hatched) == len(set(TEXTURES.values()))


def test_a_short_life_is_seen_in_a_long_picture() -> None:
    """
    Ten idle seconds of an hour: each instance takes a millimetre in both rows, and the foot note says so.
    """
    sim = world()
    for _ in range(4):
        sim.run(sim.env.ROOM.getByName("a").add())
        sim.run(for_="20m")
    text = lives_svg(sim)
    millimetre = 96 / 25.4

    for colour in (BOARD_COLOUR, STATES["idle"].colour):
        wide = [right - left for left, right in boxes(text, colour)]

        assert 4 == len(wide)
        assert all(millimetre <= each + 0.2 for each in wide)
    assert "An instance is drawn at least a millimetre wide" in " ".join(texts(text))


def test_an_instance_at_the_very_end_stays_inside(rooms: Simulation) -> None:
    """
    A millimetre to the left of the axis' end, not beyond it.
    """
    sim = world()
    sim.run(for_="1h")
    sim.run(sim.env.ROOM.getByName("a").add())
    sim.run(sim.env.ROOM.getByName("a").add())
    text = lives_svg(sim, start_us=0, width=640)

    for colour in (BOARD_COLOUR, STATES["idle"].colour):
        assert all(right <= 616.1 for _, right in boxes(text, colour))
    assert boxes(text, BOARD_COLOUR)


def test_long_lives_need_no_note() -> None:
    """
    Where every instance is as wide as it lasts, nothing is said of widening.
    """
    sim = world()
    sim.run(sim.env.ROOM.getByName("a").add())
    sim.run(for_="20s")

    assert not any("millimetre" in note for note in plan_rooms(sim, None, None, None, 4.0, "").notes)


def test_same_trace_same_text(rooms: Simulation, tmp_path: Path) -> None:
    """
    Twice, and from the file.
    """
    rooms.trace.to_jsonl(tmp_path / "trace.jsonl")

    assert lives_svg(rooms) == lives_svg(rooms) == lives_svg(Trace.from_jsonl(tmp_path / "trace.jsonl"))


def test_same_stretch_same_ticks(rooms: Simulation) -> None:
    """
    start_us and end_us fix the axis, whatever the trace holds.
    """
    sim = world()
    sim.run(sim.env.ROOM.getByName("a").add())
    ticks = [
        [text for text in texts(lives_svg(source, start_us=0, end_us=90 * S_US)) if re.fullmatch(r"\d+ s", text)]
        for source in (rooms, sim)
    ]

    assert ticks[0] == ticks[1] != []


def test_hostile_labels_are_text() -> None:
    """
    A name that would close the title and run a script, with a character that no XML holds, is shown as what it is.
    """
    trace = Trace()
    trace.emit(0, "construct", HOSTILE, 0, 0, (1, "new", 0))
    trace.emit(9, "start", HOSTILE, 1, 0, (0, ""))
    text = lives_svg(trace, title=HOSTILE)

    assert f"{SVG}script" not in {element.tag for element in ET.fromstring(text).iter()}
    assert "<script" not in text
    assert "alert(1)" in text


def test_it_loads_nothing_from_elsewhere(rooms: Simulation) -> None:
    """
    The text has no address but that of the SVG format.
    """
    text = lives_svg(rooms)

    assert ["http://www.w3.org/2000/svg"] == re.findall(r"https?://[^\"<) ]+", text)
    assert not re.search(r"href|url\(|@import|<image|<script", text)


def test_nothing_to_see_is_said() -> None:
    """
    An empty trace and a trace without objects: the Figure's words, in the picture too.
    """
    bare = Trace()
    bare.emit(0, "log", "worker", 0, 0, ("log", "hello"))

    for source in (Trace(), bare):
        assert lives(source).alt == ET.fromstring(lives_svg(source))[1].text
        assert lives(source).alt in texts(lives_svg(source))


def test_retention_says_what_is_missing() -> None:
    """
    The note is in the picture and in its words.
    """
    sim = world(retention="last=6")
    for _ in range(3):
        sim.run(sim.env.ROOM.getByName("a").add())
    note = f"Only the last 6 of {sim.trace.count} records are kept: what was before is missing."

    assert note in " ".join(texts(lives_svg(sim)))
    assert note in (ET.fromstring(lives_svg(sim))[1].text or "")


def test_colours_follow_the_page_unless_told(rooms: Simulation) -> None:
    """
    By classes, as of the other charts.
    """
    assert ["auto", "dark", "light"] == [
        re.findall(r'class="dosim-chart dosim-(\w+)"', lives_svg(rooms, dark=dark))[0] for dark in (None, True, False)
    ]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"width": 100}, ValueError, "width=100: give at least 360 pixels"),
        ({"width": None}, TypeError, "width=None is no number"),
        ({"dark": "yes"}, TypeError, "dark='yes' is not known: use True, False, or None"),
        ({"objects": ["attic"]}, ValueError, "objects: 'attic' is not in the trace"),
        ({"start_us": 9, "end_us": 3}, ValueError, "end_us=3 is not after start_us=9"),
        ({"start_us": 10**15}, ValueError, "after the last record"),
    ],
)
def test_bad_arguments_are_named(rooms: Simulation, options: dict[str, Any], error: type[Exception], said: str) -> None:
    """
    The error names the argument and the fix.
    """
    with pytest.raises(error, match=said):
        lives_svg(rooms, **options)


def test_a_source_that_is_no_trace_is_refused() -> None:
    """
    With what to give instead.
    """
    with pytest.raises(TypeError, match="neither a simulation nor a trace"):
        lives_svg("trace")
