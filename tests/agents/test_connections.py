"""Connections: ids, tags, states, broadcasting, the protocol's frames, and what survives hibernation."""

# ruff: noqa: RUF012  # a class attribute is how the SDK spells it

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dosim.agents import Agent, AgentOptions
from dosim.agents.connections import checked_tags
from dosim.simulation.sockets import SocketClosed
from tests.agents.talk import MCP, SITE, call, got, logged, opened, own, room, world


class Room(Agent):
    """Says what happens to everybody; does what messages say."""

    started = 0

    async def on_start(self):
        self.started += 1

    async def on_connect(self, connection, context):
        connection.set_state({"path": context.request.url.rpartition("/")[2]})
        self.broadcast(f"joined {connection.id}", exclude=[connection.id])

    async def on_message(self, connection, message):
        if message == "close":
            connection.close(4001, "as you wish")
        elif message == "fail":
            raise ValueError("no")
        elif isinstance(message, bytes):
            connection.send(message[::-1])
        elif message.startswith("state"):
            connection.set_state(lambda state: {**state, "said": message})
        else:
            self.broadcast(f"{connection.id}: {message}", exclude=connection)

    async def on_close(self, connection, code, reason, was_clean):
        self.broadcast(f"left {connection.id} {code} {reason} {was_clean}")

    async def get_connection_tags(self, connection, context):
        return [connection.id[0], *([] if connection.id != "many" else map(str, range(9)))]

    async def seen(self, tag=None):
        return [[c.id, list(c.tags), c.state, c.uri] for c in self.get_connections(tag)]

    async def one(self, connection_id):
        found = self.get_connection(connection_id)
        return None if found is None else found.id


def test_the_identity_comes_first_then_the_servers() -> None:
    """Without a state: who it is connected to, and that there are no MCP servers."""
    sim = world(Room)

    async def story() -> Any:
        async with opened(sim.client(), "ann") as ws:
            await asyncio.sleep(1)
            return got(ws)

    assert [{"type": "cf_agent_identity", "name": "a", "agent": "room"}, MCP] == sim.run(story())


def test_a_connection_has_the_clients_id_its_tags_and_its_url() -> None:
    """The id is `_pk`, and the first of the tags; without one an id of 21 letters is made."""
    sim = world(Room)

    async def story() -> Any:
        async with opened(sim.client(), "ann"), opened(sim.client()):
            return await room(sim).seen()

    made, ann = sim.run(story())

    assert ["ann", ["ann", "a"], {"path": "a?_pk=ann"}, f"{SITE}/agents/room/a?_pk=ann"] == list(ann)
    assert [21, [made[0], made[0][0]]] == [len(made[0]), list(made[1])]


def test_broadcast_excludes_whom_it_says() -> None:
    """By id and by connection; everybody else gets it."""
    sim = world(Room)

    async def story() -> Any:
        async with (
            opened(sim.client(), "ann") as ann,
            opened(sim.client(), "bob") as bob,
            opened(sim.client(), "cem") as c,
        ):
            await ann.send("hello")
            await asyncio.sleep(1)
            return [own(got(ws)) for ws in (ann, bob, c)]

    ann, bob, cem = sim.run(story())

    assert ["joined bob", "joined cem"] == ann
    assert ["joined cem", "ann: hello"] == bob
    assert ["ann: hello"] == cem


def test_connections_by_tag_and_by_id() -> None:
    """A tag finds those that have it; an id finds one."""
    sim = world(Room)

    async def story() -> Any:
        async with opened(sim.client(), "ann"), opened(sim.client(), "abe"), opened(sim.client(), "bob"):
            stub = room(sim)
            tagged = [seen[0] for seen in await stub.seen("a")]
            return tagged, await stub.one("bob"), await stub.one("nobody"), await stub.one("a")

    assert (["ann", "abe"], "bob", None, None) == sim.run(story())


def test_an_id_that_two_connections_have_finds_neither() -> None:
    """Clients choose their ids: DuplicateConnectionIdError names the way out."""
    sim = world(Room)

    async def story() -> Any:
        async with opened(sim.client(), "ann"), opened(sim.client(), "ann"):
            return await room(sim).one("ann")

    with pytest.raises(Exception, match=r"More than one connection found for id ann.*get_connections\(tag\)"):
        sim.run(story())


def test_a_connection_survives_hibernation() -> None:
    """After an hour out of memory: another life, the same id, tags, state and URL."""
    sim = world(Room)

    async def story() -> Any:
        async with opened(sim.client(), "ann") as ws:
            await ws.send("state of things")
            before = await room(sim).seen()
            await asyncio.sleep(3600)
            lives = sim.objects["a"].state
            return before, lives, await room(sim).seen()

    before, state, after = sim.run(story())

    assert "hibernated" == state
    assert before == after
    assert {"path": "a?_pk=ann", "said": "state of things"} == after[0][2]


def test_bytes_come_and_go_as_bytes() -> None:
    """A binary frame is bytes for `on_message`, and `send` of bytes is one."""
    sim = world(Room)

    async def story() -> Any:
        async with opened(sim.client(), "ann") as ws:
            await ws.send(b"abc")
            await asyncio.sleep(1)
            return got(ws)[-1]

    assert b"cba" == sim.run(story())


def test_closing_is_told_to_the_others() -> None:
    """`on_close` has the client's code and reason; the connection that closed is no longer among the open ones."""
    sim = world(Room)

    async def story() -> Any:
        async with opened(sim.client(), "ann") as ann, opened(sim.client(), "bob") as bob:
            await bob.close(4000, "bye")
            await asyncio.sleep(1)
            return own(got(ann))[-1], [seen[0] for seen in await room(sim).seen()]

    assert ("left bob 4000 bye True", ["ann"]) == sim.run(story())


def test_the_agent_closes() -> None:
    """`connection.close(code, reason)` reaches the client."""
    sim = world(Room)

    async def story() -> Any:
        async with opened(sim.client(), "ann") as ws:
            await ws.send("close")
            while True:
                await ws.recv()

    with pytest.raises(SocketClosed) as closed:
        sim.run(story())

    assert (4001, "as you wish") == (closed.value.code, closed.value.reason)


def test_a_message_that_fails_leaves_the_connection_open() -> None:
    """The error is logged by `on_error`'s default; the next message is served."""
    sim = world(Room)

    async def story() -> Any:
        async with opened(sim.client(), "ann") as ann, opened(sim.client(), "bob") as bob:
            await ann.send("fail")
            await ann.send("still here")
            await asyncio.sleep(1)
            return own(got(bob))[-1]

    assert "ann: still here" == sim.run(story())
    assert "Error on server: ValueError: no" in logged(sim)


def test_ten_tags_with_the_id_and_no_more() -> None:
    """The platform's limit; the SDK says which: the handshake ends with an error frame and code 1011."""
    sim = world(Room)

    async def story() -> Any:
        async with opened(sim.client(), "many") as ws:
            frame = await ws.recv()
            try:
                await ws.recv()
            except SocketClosed as closed:
                return frame, closed.code

    frame, code = sim.run(story())

    assert 1011 == code
    assert "A connection can only have 10 tags, including the default id tag." in str(frame)


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ([""], "must not be an empty string"),
        (["x" * 257], "must not exceed 256 characters"),
        ([5], "must be a string. Received: 5"),
        ("abc", "must return a list of tags"),
    ],
)
def test_tags_that_cannot_be(tags: Any, why: str) -> None:
    """Empty, too long, no text, or a text where a list is wanted."""
    with pytest.raises((TypeError, ValueError), match=why):
        checked_tags("id", tags)


class Picky(Agent):
    """Who says "quiet" gets no frames of the protocol; who says "watch" may not change the state."""

    initial_state = {"n": 0}

    async def should_send_protocol_messages(self, connection, context):
        return connection.id != "quiet"

    async def should_connection_be_readonly(self, connection, context):
        return connection.id == "watch"

    async def flags(self):
        return sorted([c.id, c.readonly, c.protocol_enabled] for c in self.get_connections())

    async def touch(self):
        self.set_state({"n": 1})


def test_a_connection_without_the_protocol_gets_no_frame_of_it() -> None:
    """Neither on connecting nor when the state changes; and that is known after hibernation."""
    sim = world(Picky)

    async def story() -> Any:
        async with opened(sim.client(), "quiet") as quiet, opened(sim.client(), "ann") as ann:
            await asyncio.sleep(3600)
            await room(sim).touch()
            await asyncio.sleep(1)
            return got(quiet), len(got(ann)), await room(sim).flags()

    quiet, frames, flags = sim.run(story())

    assert [] == quiet
    assert 5 == frames  # identity, state, MCP servers; those again when it wakes, and the new state
    assert [["ann", False, True], ["quiet", False, False]] == [list(flag) for flag in flags]


class Secretive(Agent):
    options = AgentOptions(send_identity_on_connect=False)
    initial_state = {"n": 0}


def test_the_identity_can_be_kept_back() -> None:
    """`send_identity_on_connect=False`: the state comes, the name does not."""
    sim = world(Secretive)

    async def story() -> Any:
        async with opened(sim.client(), "ann") as ws:
            await asyncio.sleep(1)
            return got(ws)

    assert [{"type": "cf_agent_state", "state": {"n": 0}}, MCP] == sim.run(story())


class Broken(Agent):
    """Fails on connecting; handles the error when the URL says so."""

    handles = False

    async def on_connect(self, connection, context):
        self.handles = "handle" in connection.id
        raise ValueError("not you")

    async def on_error(self, connection, error):
        if not self.handles:
            raise error


def test_a_failed_connect_says_so_and_closes() -> None:
    """`{"error": ...}`, then code 1011."""
    sim = world(Broken)

    async def story() -> Any:
        async with opened(sim.client(), "ann") as ws:
            frame = await ws.recv()
            try:
                await ws.recv()
            except SocketClosed as closed:
                return frame, closed.code, closed.reason

    frame, code, reason = sim.run(story())

    assert '{"error":"ValueError: not you"}' == frame
    assert (1011, "Uncaught exception during session setup") == (code, reason)


def test_an_error_that_is_handled_leaves_the_connection_open() -> None:
    """`on_error` returned: the client is connected, and can call."""
    sim = world(Broken)

    async def story() -> Any:
        async with opened(sim.client(), "handled") as ws:
            return await call(ws, "nothing")

    assert "Method nothing does not exist" == sim.run(story())[0]["error"]


class Raw(Agent):
    """Also accepts a socket by itself, as any object can."""

    async def on_request(self, request):
        from dosim.workers import Response
        from dosim.workers.js import WebSocketPair

        _, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(str(len(list(self.get_connections()))))


def test_sockets_of_the_applications_own_are_none_of_its_connections() -> None:
    """`get_connections` and `broadcast` know the connections alone."""
    sim = world(Raw)

    async def story() -> Any:
        async with opened(sim.client(), "ann"):
            response = await sim.client().fetch(f"{SITE}/agents/room/a")
            return await response.text()

    assert "1" == sim.run(story())
