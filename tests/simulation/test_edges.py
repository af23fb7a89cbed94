"""Edges of sockets, services and configuration where dosim was wrong once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from dosim import Simulation
from dosim.project import ProjectError, read_config
from dosim.workers import DurableObject, Response, WorkerEntrypoint, fetch, js
from tests.runtime.socket_stories import BEFORE, SocketStory, echo, standard


def test_explain_of_one_way_events() -> None:
    """a message's event ends with its handler, it does not wait in the output gate."""
    story = SocketStory(handlers={"webSocketMessage": echo})
    story.open().send("x")
    story.rest(20)
    call = next(r for r in story.sim.trace.of_kind("call") if r.detail["via"] == "websocket")
    assert "output gate" not in str(story.sim.explain(call.request))


def test_waiting_for_the_close_with_a_timeout() -> None:
    """a cancelled wait_closed() must not break the world."""
    story = SocketStory()
    ws = story.open()

    async def impatient() -> Any:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ws.wait_closed(), 1)
        ws.vanish()
        return (await ws.wait_closed()).code

    assert 1006 == story.sim.run(impatient())


def test_cut_off_during_a_call() -> None:
    """the object hibernates after the answer that nobody waits for has come."""

    async def slow(o: Any) -> None:
        await asyncio.sleep(5)

    async def message(o: Any, ws: Any, text: str) -> None:
        o.story.programs.append(slow)
        await o.env.PEER.getByName("p").run(len(o.story.programs) - 1)

    def connect(o: Any, server: Any, _: Any) -> None:
        o.ctx.acceptWebSocket(server)
        o.ctx.setHibernatableWebSocketEventTimeout(500)

    story = SocketStory(connect=connect, handlers={"webSocketMessage": message})
    story.open().send("x")
    story.rest(60)
    assert "hibernated" == story.room.state


def test_event_timeout_keeps_no_run_going() -> None:
    """sim.run() ends when the handler has, not a week later."""

    def connect(o: Any, server: Any, _: Any) -> None:
        o.ctx.acceptWebSocket(server)
        o.ctx.setHibernatableWebSocketEventTimeout(604_800_000)

    story = SocketStory(connect=connect, handlers={"webSocketMessage": echo})
    story.open().send("x")
    story.sim.run()
    assert story.sim.now.us < 60_000_000


def test_external_redirect_to_another_host() -> None:
    """a redirect goes to the service of its own address."""

    class Default(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            return Response(await (await fetch("https://a.example/go")).text())

    sim = Simulation(Default, network=None)
    sim.external("https://a.example", lambda request: Response.redirect("https://b.example/x", 302))
    sim.external("https://b.example", lambda request: "b")
    assert "b" == sim.run(sim.run(sim.client().fetch("https://app.example/")).text())


@pytest.mark.parametrize(
    ("prefix", "url"),
    [("https://a.example/v1", "https://a.example/v1?x=1"), ("https://A.example", "https://a.example/x"),
     ("https://a.example:443", "https://a.example/x")],
)  # fmt: skip
def test_external_prefixes(prefix: str, url: str) -> None:
    """a query, an upper-case host, a default port."""

    class Default(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            return Response(await (await fetch(url)).text())

    sim = Simulation(Default, network=None, platform="workerd")
    sim.external(prefix, lambda request: "found")
    assert "found" == sim.run(sim.run(sim.client().fetch("https://app.example/")).text())


def test_object_env_does_not_depend_on_who_touched_it_first() -> None:
    """the object is the main Worker's, and so is its env."""

    class Obj(DurableObject):
        async def names(self) -> Any:
            return sorted(vars(self.env))

    class Auth(WorkerEntrypoint):
        async def names(self) -> Any:
            return await self.env.OBJ.getByName("o").names()

    def names(first: bool) -> Any:
        sim = Simulation(durable_objects={"OBJ": Obj}, services={"AUTH": Auth}, network=None)
        if first:
            sim.run(sim.env.AUTH.names())
        return sim.run(sim.env.OBJ.getByName("o").names())

    assert names(False) == names(True)


def test_messages_sent_while_the_handshake_s_answer_travels() -> None:
    """a message needs the whole way, the last leg too."""

    def connect(o: Any, server: Any, _: Any) -> None:
        o.ctx.acceptWebSocket(server)
        js.setTimeout(lambda: server.send("late"), 25)

    story = SocketStory(connect=connect, network="earth", platform="cloudflare")
    client = story.sim.client((-60.0, -130.0))
    ws = story.sim.run(client.websocket("wss://app.example/"))
    story.rest(1)
    frame = story.sim.trace.of_kind("frame")[0]
    network = story.sim.network
    leg_us = network.access_us(client.city) + network.delay_us(client.city, network.entry(client.city), 0.0)
    assert ws.received[0].at_us - frame.t_us >= leg_us


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "public").mkdir()
    (tmp_path / "entry.py").write_text(
        "from workers import Response, WorkerEntrypoint\n"
        "class Default(WorkerEntrypoint):\n"
        "    async def fetch(self, request):\n"
        "        return Response(await self.env.OTHER.hi())\n"
    )
    return tmp_path


def config(folder: Path, **settings: Any) -> Path:
    (folder / "wrangler.jsonc").write_text(
        json.dumps({"main": "entry.py", "compatibility_date": "2026-11-01", **settings})
    )
    return folder


def test_missing_service(folder: Path) -> None:
    config(folder, services=[{"binding": "OTHER", "service": "nowhere"}])
    try:
        sim = Simulation.from_project(folder, network=None)
    except ProjectError:
        return
    assert 500 == sim.run(sim.client().fetch("https://app.example/")).status


def test_calls_of_one_service_binding_keep_their_order() -> None:
    """None overtakes another."""
    seen: list[int] = []

    class Service(WorkerEntrypoint):
        async def note(self, n: int) -> None:
            seen.append(n)

    class Default(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            await asyncio.gather(*[self.env.S.note(n) for n in range(20)])
            return Response("x")

    sim = Simulation(Default, services={"S": Service})
    sim.run(sim.client("Tokyo").fetch("https://a.example/"))
    assert list(range(20)) == seen


def test_js_fetch_starts_at_the_call() -> None:
    """js.fetch is JavaScript's: the request is under way before it is awaited."""
    found: list[int] = []

    class Default(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            pending = js.fetch("https://a.example/")
            await asyncio.sleep(1)
            found.append(len(service.requests))
            await pending
            return Response("x")

    sim = Simulation(Default, network=None)
    service = sim.external("https://a.example", lambda request: "x")
    sim.run(sim.client().fetch("https://app.example/"))
    assert [1] == found


@pytest.mark.parametrize(
    ("text", "value"),
    [('A="x" # c\n', "x"), ('A="l1\\nl2"\n', "l1\nl2"), ('A="l1\nl2"\n', "l1\nl2"), ("A=x#y\n", "x"), ("A: x\n", "x"),
     ("\ufeffA=x\n", "x")],
)  # fmt: skip
def test_dotenv(folder: Path, text: str, value: str) -> None:
    """what dotenv makes of it."""
    config(folder)
    (folder / ".dev.vars").write_text(text, encoding="utf-8")
    assert {"A": value} == read_config(folder).services.secrets


@pytest.mark.parametrize(
    "settings",
    [
        {"assets": {"directory": "public", "run_worker_first": 5}},
        {"assets": {"directory": "public", "html_handling": "foo"}},
        {"assets": {"directory": "public", "not_found_handling": "foo"}},
        {"assets": {"directory": "public", "binding": 5}},
        {"kv_namespaces": [{"binding": "KV", "id": 5}]},
        {"kv_namespaces": [{"binding": ""}]},
        {"kv_namespaces": [{"binding": "my-kv"}]},
        {"r2_buckets": [{"binding": "B", "bucket_name": ["x"]}]},
        {"d1_databases": [{"binding": "DB", "migrations_dir": 5}]},
        {"services": [{"binding": "A", "service": "b", "entrypoint": 5}]},
        {"queues": {"consumers": [{"queue": "q", "dead_letter_queue": 5}]}},
        {"queues": {"producers": [{"binding": "Q", "queue": "q", "delivery_delay": "soon"}]}},
        {"queues": {"consumers": [{"queue": "q", "type": "pull"}]}},
        {"triggers": {"crons": ["61 * * * *"]}},
    ],
)
def test_wrong_values_are_refused_when_the_configuration_is_read(folder: Path, settings: Any) -> None:
    """a ProjectError that names file and key."""
    with pytest.raises(ProjectError, match=r"wrangler\.jsonc"):
        read_config(config(folder, **settings))


def test_run_worker_first_for_some_paths(folder: Path) -> None:
    """run_worker_first may be a list of patterns."""
    (folder / "public/a.txt").write_text("file")
    config(folder, assets={"directory": "public", "run_worker_first": ["/api/*"]})
    sim = Simulation.from_project(folder, network=None)
    assert "file" == sim.run(sim.run(sim.client().fetch("https://app.example/a.txt")).text())


def test_http_pull_consumers_need_no_handler(folder: Path) -> None:
    Simulation.from_project(config(folder, queues={"consumers": [{"queue": "q", "type": "http_pull"}]}))


def test_a_lost_connection_after_a_close_lets_go() -> None:
    """before 2026-04-07 nobody answered the close; then the client vanishes."""
    story = SocketStory(connect=standard, compatibility_date=BEFORE)
    ws = story.open()
    ws.close()
    story.rest(1)
    ws.vanish()
    story.rest(60)
    assert "evicted" == story.room.state


def test_a_handshake_that_was_given_up() -> None:
    """the room learns that its client is gone."""
    story = SocketStory(network="earth", handlers={"webSocketMessage": echo})
    client = story.sim.client("Tokyo")

    async def impatient() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.websocket("wss://app.example/"), 0.01)

    story.sim.run(impatient())
    story.rest(60)
    assert 0 == story.room.sockets


def test_a_negative_event_timeout() -> None:
    """Not accepted, or no timeout; today every handler is cut off at once, silently."""

    def connect(o: Any, server: Any, _: Any) -> None:
        o.ctx.acceptWebSocket(server)
        o.ctx.setHibernatableWebSocketEventTimeout(-5)

    async def slow(o: Any, ws: Any, message: str) -> None:
        await asyncio.sleep(1)
        ws.send(message)

    story = SocketStory(connect=connect, handlers={"webSocketMessage": slow})
    try:
        ws = story.open()
    except ConnectionError:
        return
    ws.send("x")
    story.rest(3)
    assert ["x"] == [received.message for received in ws.received]
