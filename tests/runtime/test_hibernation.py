"""Hibernation (rule 9): what survives, what wakes an object, in which order, and what it costs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dosim.platform.facts import EPOCH_MS
from dosim.web.proxies import jsnull
from dosim.workers import js
from dosim.workers.ffi import to_js
from tests.runtime.socket_stories import (
    SocketStory,
    answer_close,
    echo,
    hibernatable,
    log_close,
    standard,
    texts,
)


def constructor(o: Any) -> None:
    o.log(("constructor", len(o.ctx.getWebSockets())))


def sleeping(story: SocketStory) -> None:
    """Let 11 s pass: the room hibernates."""
    story.rest(11)
    assert "hibernated" == story.room.state


def test_after_ten_idle_seconds_memory_is_gone_and_the_socket_stays() -> None:
    """Fields are lost, the socket answers, the same socket as before [hb-01, RULES-python 37]."""
    story = SocketStory(handlers={"webSocketMessage": echo})
    client = story.open()
    client.send("a")
    client.send("b")
    sleeping(story)
    client.send("c")
    story.rest()

    assert ["a 1", "b 2", "c 1"] == texts(client)
    assert (2, 1, None) == (story.room.instance, story.room.sockets, client.closed)


@pytest.mark.parametrize(("wait_s", "state"), [(9.9, "idle"), (10.1, "hibernated")])
def test_it_is_ten_seconds(wait_s: float, state: str) -> None:
    """From the end of the last event on [hb-01]."""
    story = SocketStory(handlers={"webSocketMessage": echo})
    client = story.open()
    story.rest(5)
    client.send("x")
    story.rest(wait_s)

    assert state == story.room.state


def test_each_message_restarts_the_clock() -> None:
    """A message every 9 s keeps the memory [hb-02]."""
    story = SocketStory(handlers={"webSocketMessage": echo})
    client = story.open()
    for _ in range(5):
        client.send("x")
        story.rest(9)

    assert ["x 1", "x 2", "x 3", "x 4", "x 5"] == texts(client)


def test_without_sockets_it_is_evicted_instead() -> None:
    """The same 10 s; the state says which of both [lc-17]."""
    story = SocketStory()
    story.do(lambda o: None)
    story.rest(11)
    assert "evicted" == story.room.state


def test_tags_attachments_automatic_answer_and_timeout_survive() -> None:
    """Everything but the fields [hb-01 hb-03 ws-32]."""

    def connect(o: Any, server: Any, _: Any) -> None:
        o.ctx.acceptWebSocket(server, to_js(["b", "a"]))
        server.serializeAttachment(to_js({"name": "Ada"}))
        o.ctx.setWebSocketAutoResponse(js.WebSocketRequestResponsePair.new("ping", "pong"))
        o.ctx.setHibernatableWebSocketEventTimeout(5000)
        o.n = 7

    def program(o: Any) -> Any:
        socket = o.ctx.getWebSockets("a")[0]
        pair = o.ctx.getWebSocketAutoResponse()
        return {
            "tags": list(o.ctx.getTags(socket)),
            "attachment": socket.deserializeAttachment().to_py(),
            "pair": [pair.request, pair.response],
            "timeout": o.ctx.getHibernatableWebSocketEventTimeout(),
            "state": socket.readyState,
            "n": o.n,
        }

    story = SocketStory(connect=connect)
    story.open()
    sleeping(story)

    assert {
        "tags": ["b", "a"],
        "attachment": {"name": "Ada"},
        "pair": ["ping", "pong"],
        "timeout": 5000,
        "state": 1,
        "n": 0,
    } == story.do(program)


def test_an_automatic_answer_does_not_wake() -> None:
    """It comes from outside the object; the timestamp is there after the next wake [hb-03]."""

    def connect(o: Any, server: Any, _: Any) -> None:
        o.ctx.acceptWebSocket(server)
        o.ctx.setWebSocketAutoResponse(js.WebSocketRequestResponsePair.new("ping", "pong"))

    story = SocketStory(connect=connect, handlers={"webSocketMessage": echo})
    client = story.open()
    sleeping(story)
    client.send("ping")
    at_ms = story.sim.now.us // 1000
    story.rest()

    assert (["pong"], "hibernated", 1) == (texts(client), story.room.state, story.room.instance)

    def when(o: Any) -> Any:
        found = o.ctx.getWebSocketAutoResponseTimestamp(o.ctx.getWebSockets()[0])
        return found is not jsnull and found.getTime()

    assert EPOCH_MS + at_ms == story.do(when)


def test_an_automatic_answer_does_not_keep_the_object_awake() -> None:
    """A ping every 5 s: it hibernates 10 s after its last event all the same [hb-03]."""

    def connect(o: Any, server: Any, _: Any) -> None:
        o.ctx.acceptWebSocket(server)
        o.ctx.setWebSocketAutoResponse(js.WebSocketRequestResponsePair.new("ping", "pong"))

    story = SocketStory(connect=connect)
    client = story.open()
    for _ in range(3):
        story.rest(4)
        client.send("ping")
        story.rest(1)

    assert ("hibernated", ["pong"] * 3) == (story.room.state, texts(client))


# -- what wakes it


def test_a_close_wakes_it_and_finds_the_attachment() -> None:
    """constructor, then webSocketClose with the socket and what is attached to it [hb-07]."""

    def connect(o: Any, server: Any, _: Any) -> None:
        o.ctx.acceptWebSocket(server)
        server.serializeAttachment("Ada")

    async def closes(o: Any, ws: Any, *args: Any) -> None:
        o.log((ws.deserializeAttachment(), *args))

    story = SocketStory(connect=connect, constructor=constructor, handlers={"webSocketClose": closes})
    client = story.open()
    sleeping(story)
    client.close(4000, "bye")
    story.rest()

    assert [("constructor", 0), ("constructor", 1), ("Ada", 4000, "bye", True)] == story.events()


def test_a_vanished_client_wakes_it() -> None:
    """A lost connection is a close, too."""
    story = SocketStory(handlers={"webSocketClose": log_close})
    client = story.open()
    sleeping(story)
    client.vanish()
    story.rest()

    assert 1006 == story.events()[0][1]


def test_a_call_and_a_request_wake_it() -> None:
    """The constructor lists the sockets already, newest first [hb-08]."""

    def connect(o: Any, server: Any, _: Any) -> None:
        server_name = f"s{len(o.ctx.getWebSockets())}"
        o.ctx.acceptWebSocket(server, to_js([server_name]))

    def lists(o: Any) -> None:
        o.log([next(iter(o.ctx.getTags(ws))) for ws in o.ctx.getWebSockets()])

    story = SocketStory(connect=connect, constructor=lists)
    story.open()
    story.open()
    sleeping(story)
    story.do(lambda o: None)
    sleeping(story)
    story.open()

    assert [[], ["s1", "s0"], ["s1", "s0"]] == story.events()


def test_an_alarm_wakes_it_and_can_send() -> None:
    """constructor, then alarm, which reaches the client [hb-06]."""

    async def alarm(o: Any, info: Any) -> None:
        for socket in o.ctx.getWebSockets():
            socket.send(f"alarm {o.n}")

    story = SocketStory(handlers={"alarm": alarm})
    client = story.open()

    async def sets(o: Any) -> None:
        o.n = 1
        await o.ctx.storage.setAlarm(js.Date.now() + 60_000)

    story.do(sets)
    sleeping(story)
    story.rest(60)

    assert (["alarm 0"], "hibernated", 2) == (texts(client), story.room.state, story.room.instance)


def test_constructor_then_its_sections_then_the_event() -> None:
    """blockConcurrencyWhile in the constructor comes before the message that woke the object [hb-08]."""

    def with_section(o: Any) -> None:
        async def loads() -> None:
            await asyncio.sleep(1)
            o.log("loaded")

        o.log("constructor")
        o.ctx.blockConcurrencyWhile(loads)

    story = SocketStory(constructor=with_section, handlers={"webSocketMessage": echo})
    client = story.open()
    sleeping(story)
    story.log.clear()
    client.send("hello")
    story.rest(2)

    assert ["constructor", "loaded", "hello"] == story.events()
    assert 1000 == story.log[2][0] - story.log[0][0]


def test_several_messages_find_one_constructor() -> None:
    """Five messages at once, also of two clients: constructed once, delivered in order [hb-11]."""
    story = SocketStory(constructor=constructor, handlers={"webSocketMessage": echo})
    clients = [story.open(), story.open()]
    sleeping(story)
    story.log.clear()
    for number in range(5):
        clients[0].send(f"a{number}")
    clients[1].send("b")
    story.rest()

    events = story.events()
    assert ("constructor", 2) == events[0]
    assert ["a0", "a1", "a2", "a3", "a4"] == [event for event in events[1:] if event != "b"]
    assert 7 == len(events)


def test_sent_while_waking_arrives() -> None:
    """A message sent by the constructor reaches the client, before the handler's own."""

    def greets(o: Any) -> None:
        for socket in o.ctx.getWebSockets():
            socket.send("back")

    story = SocketStory(constructor=greets, handlers={"webSocketMessage": echo})
    client = story.open()
    sleeping(story)
    client.send("hello")
    story.rest()

    assert ["back", "hello 1"] == texts(client)


def test_a_held_python_socket_is_the_same_after_waking() -> None:
    """The socket of the handler is the one of the list, which has its attachment."""

    async def message(o: Any, ws: Any, text: str) -> None:
        o.log(ws == o.ctx.getWebSockets()[0])
        ws.serializeAttachment(text)
        o.log(o.ctx.getWebSockets()[0].deserializeAttachment())

    story = SocketStory(handlers={"webSocketMessage": message})
    client = story.open()
    sleeping(story)
    client.send("x")
    story.rest()

    assert [True, "x"] == story.events()


# -- what prevents it


def test_a_timer_prevents_it() -> None:
    """setTimeout of 30 s: awake until 40 s after [hb-05]."""
    story = SocketStory(handlers={"webSocketMessage": echo})
    story.open()
    story.do(lambda o: js.setTimeout(lambda: None, 30_000) and None)
    story.rest(39)
    assert "idle" == story.room.state
    story.rest(2)
    assert "hibernated" == story.room.state


def test_a_standard_socket_prevents_it() -> None:
    """One accept() beside a hibernatable socket: no hibernation until it is closed [hb-04 hb-09]."""
    connects = iter([hibernatable, standard])

    def connect(o: Any, server: Any, request: Any) -> None:
        next(connects)(o, server, request)

    story = SocketStory(connect=connect, handlers={"webSocketMessage": echo})
    sleeper, pinned = story.open(), story.open()
    sleeper.send("x")
    story.rest(120)
    sleeper.send("y")
    story.rest()
    assert (["x 1", "y 2"], "active") == (texts(sleeper), story.room.state)

    pinned.close()
    sleeping(story)
    sleeper.send("z")
    story.rest()
    assert "z 1" == texts(sleeper)[-1]


def test_a_sleeping_handler_prevents_it() -> None:
    """A message's handler of 30 s keeps the object; the socket's next message finds its memory [lc-18]."""

    async def slow(o: Any, ws: Any, message: str) -> None:
        o.n += 1
        await asyncio.sleep(30)
        ws.send(f"{message} {o.n}")

    story = SocketStory(handlers={"webSocketMessage": slow})
    client = story.open()
    client.send("a")
    story.rest(20)
    client.send("b")
    story.rest(40)

    assert ["a 2", "b 2"] == texts(client)


def test_a_closed_socket_leaves_an_object_that_is_evicted() -> None:
    """Nothing of the closed socket is kept: the object is evicted, not hibernated."""
    story = SocketStory(handlers={"webSocketClose": answer_close})
    client = story.open()
    client.close()
    story.rest(11)

    assert ("evicted", 0) == (story.room.state, story.room.sockets)


def test_a_socket_that_closes_while_it_hibernates_leaves_an_evicted_object() -> None:
    """Woken for webSocketClose, and 10 s later out of memory without sockets."""
    story = SocketStory(handlers={"webSocketClose": answer_close})
    client = story.open()
    sleeping(story)
    client.close()
    story.rest(12)

    assert ("evicted", 0, 2) == (story.room.state, story.room.sockets, story.room.instance)


def test_prevent_eviction_prevents_it() -> None:
    """The option for a class keeps its objects in memory, sockets or not [lc-23]."""
    story = SocketStory(handlers={"webSocketMessage": echo}, prevent_eviction=["Room"])
    client = story.open()
    client.send("a")
    story.rest(1000)
    client.send("b")
    story.rest()

    assert ["a 1", "b 2"] == texts(client)


# -- the verb, the views, the cost


def test_the_evict_verb_hibernates() -> None:
    """sim.evict(object): now, and its sockets stay."""
    story = SocketStory(handlers={"webSocketMessage": echo})
    client = story.open()
    client.send("a")
    story.rest()
    story.sim.evict("x")
    assert "hibernated" == story.room.state
    client.send("b")
    story.rest()

    assert ["a 1", "b 1"] == texts(client)


def test_why_not_hibernating() -> None:
    """Says what it waits for, that it hibernates, or that there is no socket."""
    story = SocketStory()
    story.do(lambda o: None)
    assert "no socket accepted with acceptWebSocket" in repr(story.room.why_not_hibernating())

    story.open()
    story.rest()
    assert "it hibernates at" in repr(story.room.why_not_hibernating())
    assert [] == list(story.room.why_not_hibernating())

    sleeping(story)
    assert "is hibernating, with 1 socket" in repr(story.room.why_not_hibernating())


def test_a_thousand_hibernated_sockets_cost_no_events() -> None:
    """An idle hour with 1,000 hibernated sockets: no record, no event of the loop."""
    story = SocketStory(handlers={"webSocketMessage": echo})
    client = story.sim.client()
    sockets = story.sim.run(*[client.websocket("wss://app.example/") for _ in range(1000)])
    sleeping(story)
    loop, records = story.sim.world.loop, story.sim.trace.count
    handled = 0

    def done() -> bool:  # asked once before each event
        nonlocal handled
        handled += 1
        return False

    with loop.entered():
        assert loop.run_slice(done, until_us=loop.now_us + 3_600_000_000)

    assert (1, 0, 1000) == (handled, story.sim.trace.count - records, story.room.sockets)
    sockets[500].send("still there?")
    story.rest()
    assert ["still there? 1"] == texts(sockets[500])


def test_one_request_at_a_time_hibernates_too() -> None:
    """Under the popular belief the second message waits for the first; waking is the same."""

    async def slow(o: Any, ws: Any, message: str) -> None:
        o.n += 1
        await asyncio.sleep(1)
        ws.send(f"{message} {o.n}")

    story = SocketStory(handlers={"webSocketMessage": slow}, concurrency="one-at-a-time")
    client = story.open()
    client.send("a")
    client.send("b")
    story.rest(5)
    sleeping(story)
    client.send("c")
    story.rest(5)

    assert ["a 1", "b 2", "c 1"] == texts(client)
