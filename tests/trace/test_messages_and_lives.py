"""Messages and lives: what travelled, and the states of every object, from the records alone."""

from __future__ import annotations

from typing import Any

from dosim import Simulation
from dosim.trace import Trace, lives, messages
from dosim.workers import DurableObject, Response, WorkerEntrypoint, fetch, js


class Room(DurableObject):
    async def fetch(self, request: Any) -> Response:
        client, server = js.WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: Any, message: str) -> None:
        ws.send(f"echo {message}")

    async def hello(self) -> int:
        await self.ctx.storage.put("seen", True)
        return await self.env.ROOM.getByName("b").there()

    async def there(self) -> int:
        return 2

    async def pays(self) -> str:
        return await (await fetch("https://bank.example/pay")).text()

    async def fails(self) -> None:
        raise ValueError("no")


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        room = self.env.ROOM.getByName("a")
        if request.url.endswith("/ws"):
            return await room.fetch(request)
        return Response(str(await getattr(room, request.url.rpartition("/")[2])()))


def world(**options: Any) -> Simulation:
    sim = Simulation(Default, durable_objects={"ROOM": Room}, seed=7, **options)
    place = None if "network" in options else "Sydney"
    sim.external("https://bank.example", lambda request: "ok", latency="30ms", place=place)
    return sim


def told(sim: Simulation) -> list[str]:
    return [f"{m.source} -> {m.target}: {m.kind} {m.label}" for m in messages(sim.trace)]


def test_a_request_goes_to_the_worker_on_to_the_objects_and_back() -> None:
    """Each leg is one message, with both ends and their places; the answer goes the other way."""
    sim = world()
    sim.run(sim.client("Tokyo").fetch("https://x.example/hello"))

    assert [
        "Tokyo -> worker@NRT: request GET /hello",
        "worker@NRT -> Room('a'): call hello",
        "Room('a') -> Room('b'): call there",
        "Room('b') -> Room('a'): answer there",
        "Room('a') -> worker@NRT: answer hello",
        "worker@NRT -> Tokyo: response 200",
    ] == told(sim)
    places = [(message.source_place, message.target_place) for message in messages(sim.trace)]
    assert ("Tokyo", "NRT") == places[0] and ("NRT", "Tokyo") == places[-1]


def test_the_ways_are_those_of_the_segments() -> None:
    """What travels takes exactly as long as the segments say that the request was on its way."""
    sim = world()
    call = sim.client("Tokyo").fetch("https://x.example/pays")
    sim.run(call)

    on_the_way = {"client link", "client link back", "hop", "hop back"}
    expected_us = sum(part.duration_us for part in sim.explain(call).segments if part.state in on_the_way)
    assert expected_us == sum(message.duration_us for message in messages(sim.trace))
    assert "SYD" in {message.target_place for message in messages(sim.trace)}


def test_an_answer_that_is_an_error_has_failed() -> None:
    """The call's answer and the client's response are marked."""
    sim = world()
    sim.run(sim.client("Tokyo").fetch("https://x.example/fails"))

    assert ["answer", "response"] == [message.kind for message in messages(sim.trace) if message.failed]


def test_a_lost_message_never_arrives() -> None:
    """It says why, and has no record at its end; what was tried again is a message of its own."""
    sim = world()
    sim.run(sim.env.ROOM.getByName("a").there())
    sim.lose("request", sim.objects["a"])
    sim.run(sim.client("Tokyo").fetch("https://x.example/there"))

    calls = [message for message in messages(sim.trace) if message.kind == "call"]
    assert [False, True, False] == [bool(message.lost) for message in calls]
    assert 0 == calls[1].end_seq < calls[2].end_seq


def test_frames_travel_between_the_two_ends_of_a_socket() -> None:
    """With their sizes; a client's sockets are the client's."""
    sim = world()
    socket = sim.run(sim.client("Tokyo").websocket("https://x.example/ws"))
    socket.send("hi")
    sim.run(for_="1s")

    frames = [message for message in messages(sim.trace) if message.kind == "frame"]
    assert [("Tokyo", "Room('a')", "message, 2 bytes"), ("Room('a')", "Tokyo", "message, 7 bytes")] == [
        (message.source, message.target, message.label) for message in frames
    ]
    assert all(message.end_us > message.start_us for message in frames)


def test_frames_of_a_cut_connection_are_lost() -> None:
    """A partition between the client and the object loses them, and they say so."""
    sim = world()
    room = sim.env.ROOM.getByName("a", locationHint="weur")
    sim.run(room.there())
    socket = sim.run(sim.client("Tokyo").websocket("https://x.example/ws"))
    sim.partition("Tokyo", sim.objects["a"].colo)
    socket.send("hi")
    sim.run(for_="5s")

    sent = [message for message in messages(sim.trace) if message.kind == "frame" and "2 bytes" in message.label]
    assert [("the connection is cut", 0)] == [(message.lost, message.duration_us) for message in sent]


def test_what_is_under_way_ends_with_the_trace() -> None:
    """A run that is stopped has messages that have not arrived."""
    sim = world()
    sim.client("Tokyo").fetch("https://x.example/there")
    sim.run(for_="2ms")

    assert [(0, "request", 0)] == [(m.start_us, m.kind, m.end_seq) for m in messages(sim.trace)]


def test_without_a_network_nothing_is_anywhere() -> None:
    """The messages are the same, without places and in no time."""
    near, far = world(network=None), world()
    for sim in (near, far):
        sim.run(sim.client("Tokyo").fetch("https://x.example/hello"))

    assert [(m.kind, m.label) for m in messages(far.trace)] == [(m.kind, m.label) for m in messages(near.trace)]
    assert {("", 0)} == {(m.source_place + m.target_place, m.duration_us) for m in messages(near.trace)}


def test_a_life_passes_from_state_to_state_without_gaps() -> None:
    """Woken, running, idle, hibernated with its socket, woken anew, crashed."""
    sim = world()
    socket = sim.run(sim.client("Tokyo").websocket("https://x.example/ws"))
    sim.run(sim.client("Tokyo").fetch("https://x.example/hello"))
    sim.run(for_="1m")
    socket.send("hi")
    sim.run(for_="1s")
    sim.crash(sim.objects["a"])
    sim.run(for_="1s")

    life = lives(sim.trace)["Room('a')"]
    states = [stretch.state for stretch in life.stretches]
    assert ["idle", "running", "idle", "hibernated", "idle", "evicted"] == states
    assert "its machine crashed" == life.stretches[-1].why
    assert (2, "NRT") == (life.instances, life.place)
    ends = [stretch.end_us for stretch in life.stretches[:-1]]
    assert ends == [stretch.start_us for stretch in life.stretches[1:]]


def test_a_visit_that_takes_no_time_is_told() -> None:
    """It makes no stretch, since nobody is inside between two moments; the life has when it was, and which request."""
    sim = world(network=None)
    for _ in range(2):
        sim.run(sim.env.ROOM.getByName("a").there())
        sim.run(for_="1s")
    life = lives(sim.trace)["Room('a')"]
    came = [(record.t_us, record.request) for record in sim.trace.of_kind("start") if record.actor == life.label]

    assert 2 == len(came) and tuple(came) == life.visits
    assert "running" not in [stretch.state for stretch in life.stretches]


def test_a_hibernated_object_says_what_it_keeps() -> None:
    """Its sockets, and the bytes that it has stored."""
    sim = world()
    sim.run(sim.client("Tokyo").websocket("https://x.example/ws"))
    sim.run(sim.client("Tokyo").fetch("https://x.example/hello"))
    sim.run(for_="1m")

    asleep = lives(sim.trace)["Room('a')"].stretches[-1]
    assert ("hibernated", 0, 1) == (asleep.state, asleep.instance, asleep.sockets)
    assert asleep.stored_bytes is not None and asleep.stored_bytes > 0


def test_a_trace_read_back_tells_the_same(tmp_path: Any) -> None:
    """Messages and lives need the records alone."""
    sim = world()
    socket = sim.run(sim.client("Tokyo").websocket("https://x.example/ws"))
    socket.send("hi")
    sim.run(for_="1m")
    sim.trace.to_jsonl(tmp_path / "t.jsonl")
    again = Trace.from_jsonl(tmp_path / "t.jsonl")

    assert messages(sim.trace) == messages(again)
    assert lives(sim.trace) == lives(again)


def test_a_trace_of_the_last_records_is_read_as_far_as_it_goes() -> None:
    """What began before the first kept record is left out, and nothing fails."""
    sim = world(retention="last=12")
    sim.run(sim.client("Tokyo").fetch("https://x.example/hello"))

    whole = {"answer there", "answer hello", "response 200"}
    assert {f"{message.kind} {message.label}" for message in messages(sim.trace)} <= whole
    assert ["Room('b')", "Room('a')"] == list(lives(sim.trace))
