"""How a connection ends (rules 8.6 to 8.8): codes, states, who answers whose close by which date, and what is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dosim.web.errors import JsException
from dosim.workers import js
from tests.runtime.socket_stories import (
    BEFORE,
    LOST,
    SINCE,
    SocketStory,
    answer_close,
    hibernatable,
    log_close,
    standard,
    texts,
    upgrade,
)

NO_ANSWER = {"webSocketClose": log_close}


def refused_close(*args: Any) -> str:
    """The refusal of `ws.close(*args)`; "" if it is allowed."""

    def program(o: Any) -> str:
        try:
            o.ctx.getWebSockets()[0].close(*args)
        except JsException as error:
            return str(error)
        return ""

    story = SocketStory()
    story.open()
    return story.do(program)


def how(client: Any) -> tuple[int, str, bool] | None:
    """How a client's connection ended, None while it is open."""
    ended = client.closed
    return None if ended is None else (ended.code, ended.reason, ended.was_clean)


# -- codes and reasons, rule 8.6


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1014, 1016, 3000, 4000, 4999])
def test_codes_that_are_allowed(code: int) -> None:
    """1000 to 4999 but for four of them [ws-17]."""
    assert "" == refused_close(code, "why")


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 5000, -1])
def test_codes_that_are_refused(code: int) -> None:
    """The four that only say what happened, and all beyond [ws-17]."""
    assert f"InvalidAccessError: Invalid WebSocket close code: {code}." == refused_close(code)


def test_reasons() -> None:
    """At most 123 bytes of UTF-8, and only with a code [ws-18]."""
    too_long = "SyntaxError: WebSocket close reason must not be longer than 123 bytes when UTF-8 encoded."
    no_code = "InvalidAccessError: If you specify a WebSocket close reason, you must also specify a code."

    assert "" == refused_close(1000, "x" * 123) == refused_close(1000, "é" * 61) == refused_close()
    assert too_long == refused_close(1000, "x" * 124) == refused_close(1000, "é" * 62)
    assert no_code == refused_close(None, "why")


def test_without_a_code_the_other_side_sees_1005() -> None:
    """close() alone [ws-18]."""
    story = SocketStory()
    client = story.open()
    story.do(lambda o: o.ctx.getWebSockets()[0].close())
    story.rest()

    assert (1005, "") == how(client)[:2]


def test_after_close() -> None:
    """send raises, a second close is ignored whatever it says: the first code arrives [ws-16]."""

    def program(o: Any) -> str:
        socket = o.ctx.getWebSockets()[0]
        socket.close(4001, "first")
        socket.close(4002, "second")
        try:
            socket.send("x")
        except JsException as error:
            return str(error)
        return ""

    story = SocketStory()
    client = story.open()

    assert "TypeError: Can't call WebSocket send() after close()." == story.do(program)
    story.rest()
    by_room = [record for record in story.sim.trace.of_kind("frame") if record.actor == story.room.label]
    assert 1 == len(by_room)
    assert (4001, "first") == how(client)[:2]


def test_a_refused_close_closes_nothing() -> None:
    """After close(999) the socket is open and sends."""

    def program(o: Any) -> int:
        socket = o.ctx.getWebSockets()[0]
        with pytest.raises(JsException):
            socket.close(999)
        socket.send("still here")
        return socket.readyState

    story = SocketStory()
    client = story.open()
    assert 1 == story.do(program)
    story.rest()
    assert (["still here"], None) == (texts(client), how(client))


def test_ready_states() -> None:
    """1 open; 2 when one side has closed; in webSocketClose 2, after ws.close() 3 [ws-15]."""

    async def closes(o: Any, ws: Any, code: int, *_: Any) -> None:
        o.log(ws.readyState)
        ws.close(code)
        o.log(ws.readyState)

    def connect(o: Any, server: Any, _: Any) -> None:
        o.log(server.readyState)
        o.ctx.acceptWebSocket(server)
        o.log(server.readyState)

    story = SocketStory(connect=connect, handlers={"webSocketClose": closes})
    first, _ = story.open(), story.open()
    first.close()
    story.rest()
    assert [1, 1, 1, 1, 2, 3] == story.events()

    def own(o: Any) -> list[int]:
        socket = o.ctx.getWebSockets()[0]
        socket.close(1000)
        return [socket.readyState, socket.READY_STATE_CLOSING]

    assert [2, 2] == story.do(own)


# -- the client closes (8.7)


@pytest.mark.parametrize("date", [BEFORE, SINCE])
def test_a_client_waits_for_the_room_to_close(date: str) -> None:
    """webSocketClose(code, reason, true); the client's close event comes when the room calls close(), else never
    [ws-19 ws-20 ws-36]."""
    silent = SocketStory(handlers=NO_ANSWER, compatibility_date=date)
    waiting = silent.open()
    waiting.close(4001, "bye")
    silent.rest(60)
    assert ([("closed", 4001, "bye", True, 2, 1)], None) == (silent.events(), how(waiting))

    answering = SocketStory(handlers={"webSocketClose": answer_close}, compatibility_date=date)
    client = answering.open()
    client.close(4001, "bye")
    answering.rest()
    assert ([("closed", 4001, "bye", True, 2, 1)], (4001, "bye", True)) == (answering.events(), how(client))


def test_a_room_may_send_after_the_client_has_closed() -> None:
    """The client gets it, although it has closed itself [ws-35 ws-38]."""

    async def last_words(o: Any, ws: Any, *_: Any) -> None:
        ws.send("last words")
        await asyncio.sleep(1)
        ws.send("and more")
        ws.close(1000)

    story = SocketStory(handlers={"webSocketClose": last_words})
    client = story.open()
    client.close(4001)
    story.rest(3)

    assert (["last words", "and more"], 1000) == (texts(client), how(client)[0])


def test_a_close_comes_after_the_messages_before_it() -> None:
    """Messages, then the close, in the order they were sent."""
    handlers = {"webSocketMessage": lambda o, ws, message: o.log(message), **NO_ANSWER}
    story = SocketStory(handlers=handlers)
    client = story.open()
    client.send("a")
    client.send("b")
    client.close(4000, "c")
    story.rest()

    assert ["a", "b", ("closed", 4000, "c", True, 2, 1)] == story.events()


def test_a_message_that_crosses_the_room_s_close_is_dropped_after_the_answer() -> None:
    """What a client sends after its close is refused on its own side."""
    story = SocketStory()
    client = story.open()
    client.close(4000)
    with pytest.raises(ConnectionError):
        client.send("too late")


@pytest.mark.parametrize(
    ("date", "room", "peer"),
    [
        # Before: nobody answers by itself; the accept()ed room learns it, the peer waits.
        (BEFORE, [("room", 4001, "bye", True, 2)], []),
        # Since: the accept()ed room answers with the same code, and is closed when its listener runs.
        (SINCE, [("room", 4001, "bye", True, 3)], [("peer", 4001, "bye", True, 3)]),
    ],
)
def test_standard_sockets_answer_a_close_by_date(date: str, room: list[Any], peer: list[Any]) -> None:
    """accept() on both sides: the answer to a close by web_socket_auto_reply_to_close, 2026-04-07
    [ws-36, RULES-python 2]."""

    async def program(o: Any) -> None:
        socket = await upgrade(o)
        socket.close(4001, "bye")
        await asyncio.sleep(5)

    story = SocketStory(connect=standard, compatibility_date=date)
    story.peer(program)

    assert sorted(room + peer) == sorted(story.events())


@pytest.mark.parametrize(
    ("date", "flag", "answers"),
    [(BEFORE, "web_socket_auto_reply_to_close", True), (SINCE, "web_socket_manual_reply_to_close", False)],
)
def test_the_flags_that_say_who_answers(date: str, flag: str, answers: bool) -> None:
    """Each compatibility flag overrides the date."""

    async def program(o: Any) -> None:
        socket = await upgrade(o)
        socket.close(4001, "bye")
        await asyncio.sleep(5)

    story = SocketStory(connect=standard, compatibility_date=date, compatibility_flags=[flag])
    story.peer(program)

    assert answers == (("peer", 4001, "bye", True, 3) in story.events())


# -- the room closes (8.7)


async def kicks(o: Any, ws: Any, message: str) -> None:
    ws.send("goodbye")
    ws.close(4002, "kicked")
    o.log(("listed", len(o.ctx.getWebSockets())))


def test_the_room_closes_a_peer_since_the_date() -> None:
    """The peer answers by itself: webSocketClose comes at once, with readyState 3; until then the socket is listed
    [ws-21 ws-36, RULES-python 35]."""

    async def program(o: Any) -> None:
        socket = await upgrade(o)
        socket.send("kick me")
        await asyncio.sleep(5)

    story = SocketStory(handlers={"webSocketMessage": kicks, **NO_ANSWER}, compatibility_date=SINCE)
    story.peer(program)

    assert [
        (0, ("listed", 1)),
        (0, ("peer", "goodbye")),
        (0, ("peer", 4002, "kicked", True, 3)),
        (0, ("closed", 4002, "kicked", True, 3, 1)),
        (0, ("peer", "Uncaught Error: Network connection lost.")),
    ] == story.log
    assert 0 == story.do(lambda o: len(o.ctx.getWebSockets()))


def test_the_room_closes_a_peer_before_the_date() -> None:
    """The peer learns it at once, the socket stays listed; webSocketClose comes when the peer closes back, and then
    the peer gets "Network connection lost." [ws-21]."""

    async def program(o: Any) -> None:
        socket = await upgrade(o)
        socket.send("kick me")
        await asyncio.sleep(3)
        o.log(("listed", await o.room().run(sockets)))
        o.log("closes back")
        socket.close(4003, "all right")
        await asyncio.sleep(3)
        o.log(("listed", await o.room().run(sockets)))

    story = SocketStory(handlers={"webSocketMessage": kicks, **NO_ANSWER}, compatibility_date=BEFORE)
    story.programs.append(lambda o: len(o.ctx.getWebSockets()))
    sockets = 0
    story.peer(program)

    assert [
        ("listed", 1),
        ("peer", "goodbye"),
        ("peer", 4002, "kicked", True, 2),
        ("listed", 1),
        "closes back",
        ("closed", 4003, "all right", True, 3, 1),
        ("peer", "Uncaught Error: Network connection lost."),
        ("listed", 0),
    ] == story.events()


def test_the_room_closes_a_client_outside() -> None:
    """A browser answers a close by itself, at every date."""
    for date in (BEFORE, SINCE):
        story = SocketStory(handlers={"webSocketMessage": kicks, **NO_ANSWER}, compatibility_date=date)
        client = story.open()
        client.send("kick me")
        story.rest()

        assert (["goodbye"], (4002, "kicked", True)) == (texts(client), how(client))
        assert [("listed", 1), ("closed", 4002, "kicked", True, 3, 1)] == story.events()


def test_both_sides_close_at_once() -> None:
    """The closes cross: each side sees the other's code, and it is over."""
    story = SocketStory(handlers=NO_ANSWER, network="earth")
    client = story.open("Tokyo")
    story.rest()
    client.close(4001, "mine")
    story.start(lambda o: o.ctx.getWebSockets()[0].close(4002, "yours"))
    story.rest()

    assert (4002, "yours", True) == how(client)
    assert [("closed", 4001, "mine", True, 3, 1)] == story.events()


# -- lost connections (8.8)


def test_a_client_that_vanishes() -> None:
    """webSocketClose(1006, the recorded text, false); the socket leaves the list [ws-22]."""
    story = SocketStory(handlers=NO_ANSWER)
    client = story.open()
    client.vanish()
    story.rest()

    assert [("closed", *LOST)] == [event[:4] for event in story.events()]
    assert 0 == story.do(lambda o: len(o.ctx.getWebSockets()))


def test_messages_before_vanishing_arrive() -> None:
    """What was sent is under way already."""
    handlers = {"webSocketMessage": lambda o, ws, message: o.log(message), **NO_ANSWER}
    story = SocketStory(handlers=handlers)
    client = story.open()
    client.send("help")
    client.vanish()
    story.rest()

    assert ["help", 1006] == [story.events()[0], story.events()[1][1]]


def test_sending_to_who_has_vanished() -> None:
    """Nothing happens, before the room knows and after."""

    async def closes(o: Any, ws: Any, *_: Any) -> None:
        ws.send("are you there?")
        ws.close(1000)
        o.log("tried")

    story = SocketStory(handlers={"webSocketClose": closes}, network="earth")
    client = story.open("Sydney")
    client.vanish()
    story.start(lambda o: o.ctx.getWebSockets()[0].send("hello?"))
    story.rest()

    assert (["tried"], []) == (story.events(), texts(client))


def test_a_standard_socket_s_client_vanishes() -> None:
    """The close listener is told the same."""
    story = SocketStory(connect=standard)
    story.open().vanish()
    story.rest()

    assert [("room", *LOST, 3)] == story.events()


@pytest.mark.parametrize("connect", [hibernatable, standard])
def test_a_reset_drops_every_socket(connect: Any) -> None:
    """abort(): clients see 1006 with the recorded text, unclean; no webSocketClose, and the next instance has no
    socket [ws-31, RULES-python 36]."""
    story = SocketStory(connect=connect, handlers=NO_ANSWER)
    clients = [story.open(), story.open()]
    with pytest.raises(JsException):
        story.do(lambda o: o.ctx.abort("enough"))
    story.rest()

    assert [LOST, LOST] == [how(client) for client in clients]
    assert [] == story.log
    assert (0, 2) == (story.do(lambda o: len(o.ctx.getWebSockets())), story.room.instance)


def test_a_reset_in_a_message_handler_drops_the_others_too() -> None:
    """One socket's message aborts the object: all connections are lost [ws-31]."""

    async def message(o: Any, ws: Any, text: str) -> None:
        o.ctx.abort(text)

    story = SocketStory(handlers={"webSocketMessage": message, **NO_ANSWER})
    first, second = story.open(), story.open()
    first.send("enough")
    story.rest()

    assert (LOST, LOST, []) == (how(first), how(second), story.log)


def test_queued_messages_are_lost_with_a_reset() -> None:
    """What waits at the gate when the object is reset is never delivered."""

    async def fails() -> None:
        await asyncio.sleep(2)
        raise ValueError("no")

    async def blocks(o: Any) -> None:
        await o.ctx.blockConcurrencyWhile(fails)

    story = SocketStory(handlers={"webSocketMessage": lambda o, ws, message: o.log(message), **NO_ANSWER})
    client = story.open()
    story.start(blocks).add_done_callback(lambda done: done.exception())
    story.rest()
    client.send("hello")
    story.rest(3)

    assert (LOST, []) == (how(client), story.log)


def test_a_restart_drops_every_socket() -> None:
    """sim.restart(): the process is gone, and with it its connections."""
    story = SocketStory(handlers=NO_ANSWER)
    client = story.open()
    story.sim.restart()
    story.rest()

    assert (1006, False) == (how(client)[0], how(client)[2])
    assert 0 == story.do(lambda o: len(o.ctx.getWebSockets()))


def test_after_a_reset_the_client_can_come_again() -> None:
    """A new handshake reaches the next instance."""

    async def message(o: Any, ws: Any, text: str) -> None:
        if text == "die":
            o.ctx.abort("x")
        ws.send(f"alive {len(o.ctx.getWebSockets())}")

    story = SocketStory(handlers={"webSocketMessage": message})
    story.open().send("die")
    story.rest()
    client = story.open()
    client.send("?")
    story.rest()

    assert ["alive 1"] == texts(client)


def test_a_socket_closed_in_the_handler_that_accepts_it() -> None:
    """Accept, say why, close: the client gets the message and the code."""

    def connect(o: Any, server: Any, _: Any) -> None:
        o.ctx.acceptWebSocket(server)
        server.send("room is full")
        server.close(4003, "full")

    story = SocketStory(connect=connect, handlers=NO_ANSWER)
    client = story.open()
    story.rest()

    assert (["room is full"], (4003, "full", True)) == (texts(client), how(client))
    assert ("closed", 4003, "full", True, 3) == story.events()[0][:5]


def test_a_pair_of_which_one_end_is_never_used() -> None:
    """An end that nobody takes keeps nobody: the object goes on and is evicted."""

    def program(o: Any) -> None:
        _, server = js.WebSocketPair.new().object_values()
        o.ctx.acceptWebSocket(server)
        server.send("to nobody")
        server.close(1000)

    story = SocketStory()
    story.do(program)
    story.rest(20)

    assert story.room.state in ("hibernated", "evicted")
