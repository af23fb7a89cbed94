"""The lives of objects: what each kept in memory and in storage, as data, and the figure that is drawn of it."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dosim import Simulation
from dosim.trace import Stretch, Trace
from dosim.views import lives
from dosim.views.figures import save_png
from dosim.views.room_plans import size_text
from dosim.views.stays import MOST_OBJECTS, apart, read_stays, thinned
from dosim.workers import DurableObject, Response, WorkerEntrypoint, js

S_US = 1_000_000


class Room(DurableObject):
    async def add(self, pause_s: float = 0) -> int:
        n: int = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        if pause_s:
            await asyncio.sleep(pause_s)
        return n

    async def look(self) -> str:
        return "nothing is stored"

    async def arm(self, delay_ms: int) -> None:
        await self.ctx.storage.setAlarm(js.Date.now() + delay_ms)

    async def alarm(self, info: Any) -> None:
        await self.ctx.storage.put("rung", 1)

    async def fetch(self, request: Any) -> Response:
        client, server = js.WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: Any, message: str) -> None:
        await self.ctx.storage.put("last", message)


class Door(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        room = self.env.ROOM.getByName(request.url.rpartition("/")[2])
        answer: Response = await room.fetch(request)
        return answer


def world(**options: Any) -> Simulation:
    return Simulation(Door, durable_objects={"ROOM": Room}, **{"seed": 11, **options})


@pytest.fixture(scope="module")
def rooms() -> Simulation:
    """A lobby that hibernates and is woken, a diary that is crashed and deployed over, a clock that rings."""
    sim = world()
    ann = sim.run(sim.client("Tokyo").websocket("wss://a.example/lobby"))
    sim.run(for_="20s")
    ann.send("still there?")
    diary = sim.env.ROOM.getByName("diary")
    sim.run(diary.add())
    sim.run(sim.env.ROOM.getByName("clock").arm(30_000))
    call = diary.add(10)
    sim.run(for_="5s")
    sim.crash("diary")
    with pytest.raises(Exception, match="lost"):
        sim.run(call)
    sim.run(for_="20s")
    sim.run(diary.add())
    sim.deploy()
    sim.run(for_="1m")
    sim.run(sim.env.ROOM.getByName("clock").look())
    return sim


def texts(figure: Any) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts] + [text.get_text() for text in figure.texts]


def test_instances_are_the_lives_in_memory(rooms: Simulation) -> None:
    """
    A hibernation, a crash and a deploy each end an instance; the next use begins another.
    """
    stays = {stay.label: stay for stay in read_stays(rooms.trace).objects}

    assert [1, 2] == [number for number, _, _ in stays["Room('lobby')"].instances]
    assert [1, 2] == [number for number, _, _ in stays["Room('diary')"].instances]
    for stay in stays.values():
        assert all(before[2] <= after[1] for before, after in pairwise(stay.instances))


def test_marks_are_what_befell_each(rooms: Simulation) -> None:
    """
    The crash, the reset by the deploy and the alarm are told of the object that they met.
    """
    stays = read_stays(rooms.trace)
    marks = {stay.label: [mark.what for mark in stay.marks] for stay in stays.objects}

    assert ["crash", "wake", "reset"] == marks["Room('diary')"]
    assert "alarm" in marks["Room('clock')"] and "alarm" not in marks["Room('lobby')"]
    assert [
        record.t_us for record in rooms.trace.of_kind("fault") if record.detail["verb"] == "deploy"
    ] == stays.deploys


def test_drawers_begin_with_the_first_write() -> None:
    """
    An object that only looks has nothing in its drawers; one that writes keeps it from its first commit on.
    """
    sim = world(network=None)
    sim.run(sim.env.ROOM.getByName("a").look())
    sim.run(for_="1m")
    nothing = read_stays(sim.trace).objects[0].keeps_from_us
    sim.run(sim.env.ROOM.getByName("a").add())
    sim.run(for_="1m")

    assert nothing is None
    assert sim.trace.of_kind("commit")[0].t_us == read_stays(sim.trace).objects[0].keeps_from_us


def test_what_is_stored_survives_what_ends_an_instance(rooms: Simulation) -> None:
    """
    The whiteboard has a gap after the crash; the drawers are one bar to the end of the picture.
    """
    figure = lives(rooms, objects=["diary"])
    drawn = figure.axes[0].collections
    yellow = [c for c in drawn if c.get_facecolor().tolist() == [[240 / 255, 228 / 255, 66 / 255, 1.0]]]
    orange = [c for c in drawn if c.get_facecolor().tolist() == [[230 / 255, 159 / 255, 0.0, 1.0]]]

    assert [2] == [len(c.get_paths()) for c in yellow]
    assert [1] == [len(c.get_paths()) for c in orange]
    assert figure.axes[0].get_xlim()[1] == orange[0].get_paths()[0].get_extents().x1


def test_objects_by_label_name_or_view(rooms: Simulation) -> None:
    """
    Whatever names an object names it here, in the order given.
    """
    wanted = ["clock", "Room('diary')", rooms.objects["lobby"]]

    assert ["Room('clock')", "Room('diary')", "Room('lobby')"] == [
        stay.label for stay in read_stays(rooms.trace, wanted).objects
    ]


def test_an_object_that_is_not_there_is_refused_with_those_that_are(rooms: Simulation) -> None:
    """
    The error names it and lists the others.
    """
    with pytest.raises(ValueError, match=r"objects: 'attic' is not in the trace.*Room\('lobby'\)"):
        lives(rooms, objects=["attic"])


def test_more_objects_than_fit_are_counted() -> None:
    """
    Twenty objects: sixteen lanes, and the picture says how many it leaves out.
    """
    sim = world(network=None)
    for number in range(20):
        sim.run(sim.env.ROOM.getByName(f"r{number}").look())
    figure = lives(sim)

    assert any(f"The first {MOST_OBJECTS} of 20 objects are shown" in text for text in texts(figure))
    assert "4 more objects not shown." in figure.alt


def test_same_stretch_same_axes(rooms: Simulation) -> None:
    """
    start_us and end_us fix the axis, whatever the trace holds.
    """
    sim = world(network=None)
    sim.run(sim.env.ROOM.getByName("a").add())
    limits = [lives(source, start_us=0, end_us=90 * S_US).axes[0].get_xlim() for source in (rooms, sim)]

    assert [(0, 90 * S_US)] * 2 == limits


def test_a_month_has_ticks_in_days() -> None:
    """
    Long runs are read in days, not in millions of seconds.
    """
    sim = world(network=None)
    sim.run(sim.env.ROOM.getByName("a").add())
    sim.run(until="30d")
    sim.run(sim.env.ROOM.getByName("a").add())
    labels = [tick.get_text() for tick in lives(sim).axes[0].get_xticklabels()]

    assert 4 <= len(labels) <= 10
    assert all(label.endswith(" d") for label in labels[1:])


def test_stretches_of_one_dot_are_joined_and_the_most_awake_is_seen() -> None:
    """
    A thousand visits of a microsecond, a second apart, in a picture of ticks of a minute: a few bars, all running.
    """
    stretches = []
    for second in range(1000):
        at_us = second * S_US
        stretches.append(Stretch(at_us, at_us + 1, "running", 1, 1))
        stretches.append(Stretch(at_us + 1, at_us + S_US, "idle", 1))
    joined = thinned(stretches, 60 * S_US)

    assert len(joined) < 40
    assert (0, 1000 * S_US) == (joined[0].start_us, joined[-1].end_us)
    assert {"running"} == {stretch.state for stretch in joined}
    assert stretches == thinned(stretches, 0)


def test_moments_closer_than_a_tick_are_one() -> None:
    """
    The first of them stays.
    """
    assert [0, 10, 25] == apart([0, 4, 10, 12, 25, 26], 10)


def test_sizes_have_three_digits() -> None:
    """
    Bytes up to gigabytes, as people say them.
    """
    assert ["0 B", "999 B", "1 kB", "1.5 kB", "2.1 MB", "128 MB", "10 GB"] == [
        size_text(size) for size in (0, 999, 1000, 1500, 2_097_152, 128_000_000, 10_000_000_000)
    ]


def test_alt_tells_each_life(rooms: Simulation) -> None:
    """
    Instances, time in each state, what befell it and what is stored; the states sum to the time shown since its start.
    """
    alt = lives(rooms).alt
    told = next(line for line in alt.splitlines() if line.startswith("Room('diary')"))

    assert "2 instances" in told and "1 crash" in told and "1 reset" in told
    assert "Deployed at " in alt


def test_same_trace_same_bytes(rooms: Simulation, tmp_path: Path) -> None:
    """
    Drawn twice, read back from a file: one picture, byte for byte, light and dark.
    """
    rooms.trace.to_jsonl(tmp_path / "trace.jsonl")
    for dark in (False, True):
        save_png(lives(rooms, dark=dark), tmp_path / "a.png")
        save_png(lives(Trace.from_jsonl(tmp_path / "trace.jsonl"), dark=dark), tmp_path / "b.png")

        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_nothing_to_see_is_said() -> None:
    """
    An empty trace, a trace without objects, and one whose beginning is not kept.
    """
    sim = world(retention="last=6", network=None)
    for _ in range(3):
        sim.run(sim.env.ROOM.getByName("a").add())
    bare = Trace()
    bare.emit(0, "log", "worker", 0, 0, ("log", "hello"))

    assert "Nothing happened yet: the trace is empty." == lives(Trace()).alt
    assert "No object was used in this trace." == lives(bare).alt
    assert f"Only the last 6 of {sim.trace.count} records are kept" in lives(sim).alt


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"width": 3}, ValueError, "width=3"),
        ({"start_us": 9, "end_us": 3}, ValueError, "end_us=3 is not after start_us=9"),
        ({"end_us": 1.5}, TypeError, "end_us=1.5"),
        ({"start_us": 10**15}, ValueError, "after the last record"),
    ],
)
def test_bad_arguments_are_named(rooms: Simulation, options: dict[str, Any], error: type[Exception], said: str) -> None:
    """
    The error names the argument and the fix.
    """
    with pytest.raises(error, match=said):
        lives(rooms, **options)
