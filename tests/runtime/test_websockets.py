"""WebSockets (rule 8): accepting, messages, tags, attachments, automatic answers, what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from dosim import PortabilityError, PortabilityWarning
from dosim.platform.facts import EPOCH_MS
from dosim.web.errors import JsException
from dosim.web.proxies import jsnull
from dosim.web.sizes import serialized_size
from dosim.workers import DurableObject, js
from dosim.workers.ffi import create_proxy, to_js
from tests.runtime.socket_stories import (
    LOST,
    SocketStory,
    echo,
    heard,
    hibernatable,
    log_close,
    standard,
    texts,
    upgrade,
)

MIXED = "Error: Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`"
NOT_ACCEPTED = (
    "TypeError: You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages."
)


def refused(act: Callable[[], Any]) -> str:
    """The text of the JavaScript error that `act` raises; "" if it raises none."""
    try:
        act()
    except JsException as error:
        return str(error)
    return ""


def in_room(program: Callable[..., Any], *, sockets: int = 1, **options: Any) -> Any:
    """What a program finds in a room that has accepted so many sockets."""
    story = SocketStory(**options)
    for _ in range(sockets):
        story.open()
    return story.do(program)


def new_pair() -> Any:
    return js.WebSocketPair.new().object_values()


# -- messages, rule 8.1


def test_messages_arrive_in_order() -> None:
    """Twenty messages, twenty events in their order, each answered [ws-03]."""
    story = SocketStory(handlers={"webSocketMessage": echo})
    client = story.open()
    for number in range(20):
        client.send(f"m{number}")
    story.rest()

    assert [f"m{number}" for number in range(20)] == story.events()
    assert [f"m{number} {number + 1}" for number in range(20)] == texts(client)


def test_a_handler_that_awaits_does_not_hold_back_the_next_message() -> None:
    """The second message of the same socket is answered while the first handler sleeps [ws-03 ws-05]."""

    async def slow_first(o: Any, ws: Any, message: str) -> None:
        o.log(("begins", message))
        if message == "slow":
            await asyncio.sleep(1)
        o.log(("ends", message))

    story = SocketStory(handlers={"webSocketMessage": slow_first})
    client = story.open()
    client.send("slow")
    client.send("quick")
    story.rest(2)

    assert [("begins", "slow"), ("begins", "quick"), ("ends", "quick"), ("ends", "slow")] == story.events()
    times = [ms for ms, _ in story.log]
    assert (times[1] - times[0], times[2] - times[0], times[3] - times[0]) == (0, 0, 1000)


def test_so_it_is_with_listeners() -> None:
    """accept() and an async listener: the next message comes while it waits [ws-04]."""

    def connect(o: Any, server: Any, _: Any) -> None:
        async def listener(event: Any) -> None:
            o.log(("begins", event.data))
            await asyncio.sleep(1 if event.data == "slow" else 0)
            o.log(("ends", event.data))

        server.accept()
        server.addEventListener("message", create_proxy(listener))

    story = SocketStory(connect=connect)
    client = story.open()
    client.send("slow")
    client.send("quick")
    story.rest(2)

    assert [("begins", "slow"), ("begins", "quick"), ("ends", "quick"), ("ends", "slow")] == story.events()


@pytest.mark.parametrize("connect", [hibernatable, standard])
def test_messages_wait_at_the_input_gate(connect: Any) -> None:
    """A section of 2 s holds a message back, hibernatable or not; it comes when the section ends [ws-07]."""
    story = SocketStory(connect=connect, handlers={"webSocketMessage": lambda o, ws, message: o.log(("room", message))})
    client = story.open()

    async def section(o: Any) -> None:
        o.log("in")
        await asyncio.sleep(2)
        o.log("out")

    async def blocks(o: Any) -> None:
        await o.ctx.blockConcurrencyWhile(lambda: section(o))

    blocked = story.start(blocks)
    story.rest(1)
    client.send("hello")
    story.rest(5)

    assert blocked.done()
    assert ["in", "out", ("room", "hello")] == story.events()
    assert story.log[2][0] == story.log[1][0]


def test_a_message_does_not_come_between_storage_calls() -> None:
    """get, put: no message of the same instant is delivered in between, so no update is lost [ws-06]."""

    async def counts(o: Any, ws: Any, message: str) -> None:
        n = await o.ctx.storage.get("n") or 0
        await o.ctx.storage.put("n", n + 1)

    story = SocketStory(handlers={"webSocketMessage": counts})
    clients = [story.open() for _ in range(3)]
    for client in clients * 5:
        client.send("count")
    story.rest()

    assert {"n": 15} == story.room.storage


def test_what_is_sent_before_the_end_is_accepted_waits() -> None:
    """The room greets at once, its peer accepts 2 s later and gets both greetings then, in order [ws-34]."""

    def connect(o: Any, server: Any, _: Any) -> None:
        o.ctx.acceptWebSocket(server)
        server.send("hello")
        server.send("again")

    async def program(o: Any) -> None:
        socket = await upgrade(o, accept=False)
        await asyncio.sleep(2)
        o.log("accepts")
        socket.accept()
        await asyncio.sleep(1)

    story = SocketStory(connect=connect)
    story.peer(program)

    assert [(2000, "accepts"), (2000, ("peer", "hello")), (2000, ("peer", "again"))] == story.log


def test_both_ends_of_a_pair_in_one_object() -> None:
    """What one end sends, the other gets, as events of the object."""

    async def program(o: Any) -> None:
        one, other = new_pair()
        one.accept()
        heard(o, one, "one")
        one.send("early")
        other.accept()
        heard(o, other, "other")
        other.send("back")
        await asyncio.sleep(1)

    story = SocketStory()
    story.do(program)

    assert sorted([("one", "back"), ("other", "early")]) == sorted(story.events())


# -- missing and failing handlers (8.2)


def test_missing_handlers() -> None:
    """A class without webSocketMessage and webSocketClose: what comes is dropped, the socket lives [ws-25]."""
    story = SocketStory()
    first, second = story.open(), story.open()
    first.send("anybody?")
    second.close(4000, "bye")
    story.rest()

    assert [] == story.sim.trace.of_kind("throw")
    assert 1 == story.do(lambda o: len(o.ctx.getWebSockets()))
    assert first.closed is None


def test_a_handler_that_throws_harms_nobody() -> None:
    """Socket, object and memory live on; webSocketError is not called [ws-23 ws-24]."""

    async def fails(o: Any, ws: Any, message: str) -> None:
        o.n += 1
        if message == "bad":
            raise ValueError("bad message")
        ws.send(f"{message} {o.n}")

    handlers = {"webSocketMessage": fails, "webSocketError": lambda o, ws, error: o.log("webSocketError")}
    story = SocketStory(handlers=handlers)
    client = story.open()
    for message in ("good", "bad", "good"):
        client.send(message)
    story.rest()

    assert ["good 1", "good 3"] == texts(client)
    assert ([], 1) == (story.log, story.room.instance)


def test_a_close_handler_that_throws_harms_nobody() -> None:
    """The socket leaves the list all the same, the object stays [ws-24]."""

    async def fails(o: Any, *_: Any) -> None:
        raise ValueError("no")

    story = SocketStory(handlers={"webSocketClose": fails})
    story.open().close()
    story.rest()

    assert (0, 1) == (story.do(lambda o: len(o.ctx.getWebSockets())), story.room.instance)


def test_handlers_may_take_fewer_arguments() -> None:
    """Surplus arguments are dropped: webSocketClose(self, ws) is enough (FACTS 1.3)."""
    handlers = {
        "webSocketMessage": lambda o, ws: o.log("message"),
        "webSocketClose": lambda o, ws, code: o.log(code),
    }
    story = SocketStory(handlers=handlers)
    client = story.open()
    client.send("x")
    client.close(4321)
    story.rest()

    assert ["message", 4321] == story.events()


# -- the list and the tags (8.3)


def test_all_sockets_newest_first_those_of_a_tag_oldest_first() -> None:
    """getWebSockets() and getWebSockets(tag) go in opposite orders [ws-08]."""

    def connect(o: Any, server: Any, _: Any) -> None:
        o.n += 1
        o.ctx.acceptWebSocket(server, to_js([f"s{o.n}", "odd" if o.n % 2 else "even"]))

    def orders(o: Any) -> Any:
        found = [o.ctx.getWebSockets(), o.ctx.getWebSockets("odd"), o.ctx.getWebSockets("none")]
        return [[next(iter(o.ctx.getTags(ws))) for ws in sockets] for sockets in found]

    found = in_room(orders, sockets=4, connect=connect)
    assert [["s4", "s3", "s2", "s1"], ["s1", "s3"], []] == found


def test_the_list_is_a_javascript_array() -> None:
    """len, index, iteration and == of sockets work; tags become a list with list() (FACTS 1.4)."""

    def program(o: Any) -> Any:
        sockets = o.ctx.getWebSockets()
        again = o.ctx.getWebSockets()
        return [len(sockets), sockets[0] == again[0], sockets[0] == sockets[1], list(sockets) == list(again)]

    assert [2, True, False, True] == in_room(program, sockets=2)


def test_only_hibernatable_sockets_are_listed() -> None:
    """A socket accepted with accept() is not in the list [ws-37]."""
    assert 0 == in_room(lambda o: len(o.ctx.getWebSockets()), connect=standard)


def test_a_closing_socket_is_listed_until_its_handler_has_ended() -> None:
    """Inside webSocketClose it is there, also after an await; then it is gone, with its tag [ws-19]."""

    def connect(o: Any, server: Any, _: Any) -> None:
        o.ctx.acceptWebSocket(server, to_js(["t"]))

    async def slow(o: Any, ws: Any, *_: Any) -> None:
        o.log(len(o.ctx.getWebSockets()))
        await asyncio.sleep(1)
        o.log(len(o.ctx.getWebSockets("t")))

    story = SocketStory(connect=connect, handlers={"webSocketClose": slow})
    story.open().close()
    story.rest(2)

    assert [1, 1] == story.events()
    assert [0, 0] == story.do(lambda o: [len(o.ctx.getWebSockets()), len(o.ctx.getWebSockets("t"))])


def tagged(tags: Any) -> Any:
    """The tags that a socket gets, or the text of the refusal."""

    def program(o: Any) -> Any:
        _, server = new_pair()
        why = refused(lambda: o.ctx.acceptWebSocket(server, tags))
        return why or list(o.ctx.getTags(server))

    return in_room(program, sockets=0)


def test_tags() -> None:
    """Duplicates are dropped, the order is kept; the empty one is allowed, others are made texts [ws-09 ws-27]."""
    assert ["b", "a", "", "5", "true"] == tagged(to_js(["b", "a", "b", "", 5, True]))
    assert [] == tagged(None) == tagged(to_js([]))


def test_ten_tags_of_256_characters_are_the_limit() -> None:
    """The eleventh and the 257th are refused, with the recorded texts [ws-09 ws-27]."""
    ten = [f"{n}".ljust(256, "x") for n in range(10)]

    assert ten == tagged(to_js(ten))
    assert "Error: a Hibernatable WebSocket cannot have more than 10 tags" == tagged(to_js([*ten, "y"]))
    too_long = "y" * 257
    assert f'Error: "{too_long}" is longer than the max tag length (256 characters).' == tagged(to_js([too_long]))


@pytest.mark.parametrize("tags", [["t"], ("t",), "t", 5, {"t": 1}])
def test_tags_that_are_no_array(tags: Any) -> None:
    """A Python list is none either: the text is the platform's, the note says to_js (FACTS 1.4)."""
    text = "TypeError: Failed to execute 'acceptWebSocket' on 'DurableObjectState': parameter 2 is not of type 'Array'."
    assert text == tagged(tags)


def test_a_refused_socket_is_not_accepted() -> None:
    """After a refusal for its tags the same end can be accepted."""

    def program(o: Any) -> Any:
        _, server = new_pair()
        refused(lambda: o.ctx.acceptWebSocket(server, ["t"]))
        o.ctx.acceptWebSocket(server, to_js(["t"]))
        return [list(o.ctx.getTags(server)), len(o.ctx.getWebSockets())]

    assert [["t"], 1] == in_room(program, sockets=0)


def test_python_lists_as_tags_in_friendly_mode() -> None:
    """portability="friendly" takes them, with a warning that says what to write."""

    def connect(o: Any, server: Any, _: Any) -> None:
        o.ctx.acceptWebSocket(server, ["a", "b"])

    with pytest.warns(PortabilityWarning, match="to_js"):
        found = in_room(
            lambda o: list(o.ctx.getTags(o.ctx.getWebSockets()[0])), connect=connect, portability="friendly"
        )
    assert ["a", "b"] == found


def test_no_more_sockets_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket beyond the documented 32,768 is refused (here: beyond the third)."""
    monkeypatch.setattr("dosim.runtime.hibernation.HIBERNATABLE_SOCKETS", 3)
    text = "Error: only 3 websockets can be accepted on a single Durable Object instance"
    assert text == in_room(lambda o: refused(lambda: o.ctx.acceptWebSocket(new_pair()[1])), sockets=3)


# -- attachments, rule 8.4


def with_socket(act: Callable[[Any], Any], **options: Any) -> Any:
    """What `act(ws)` returns for the room's one socket."""
    return in_room(lambda o: act(o.ctx.getWebSockets()[0]), **options)


def test_an_attachment_is_a_copy() -> None:
    """What was attached does not change with its source or with what was read; the last one wins [ws-10 ws-39]."""

    def act(ws: Any) -> Any:
        data = to_js({"name": "Ada", "seen": [1, 2]})
        ws.serializeAttachment(to_js({"name": "first"}))
        ws.serializeAttachment(data)
        data.name = "Eve"
        ws.deserializeAttachment().name = "Bob"
        found = ws.deserializeAttachment()
        return [found.name, found.to_py()]

    assert ["Ada", {"name": "Ada", "seen": [1, 2]}] == with_socket(act)


def test_without_an_attachment_it_is_null() -> None:
    """jsnull: falsy, and not None; undefined (None) can be attached and comes back [ws-10, FACTS 1.4]."""

    def act(ws: Any) -> Any:
        before = ws.deserializeAttachment()
        ws.serializeAttachment(None)
        return [before is jsnull, bool(before), before is None, ws.deserializeAttachment() is None]

    assert [True, False, False, True] == with_socket(act)


def test_an_attachment_has_at_most_16384_bytes() -> None:
    """A text of 16,379 characters is 16,384 bytes serialised: one more does not fit, and the old one stays [ws-11]."""

    def act(ws: Any) -> Any:
        ws.serializeAttachment("a" * 16_379)
        why = refused(lambda: ws.serializeAttachment("a" * 16_380))
        return [why, len(ws.deserializeAttachment())]

    text = "Error: A WebSocket 'attachment' cannot be larger than 16384 bytes.'attachment' was 16385 bytes."
    assert [text, 16_379] == with_socket(act)


def test_an_attachment_that_is_an_object_is_measured_too() -> None:
    """What `to_js` made of a dict counts as what is in it."""

    def act(ws: Any) -> Any:
        ws.serializeAttachment(to_js({"text": "a" * 16_000}))
        why = refused(lambda: ws.serializeAttachment(to_js({"text": "a" * 17_000})))
        return [why.partition(" bytes.")[0], len(ws.deserializeAttachment().text)]

    assert ["Error: A WebSocket 'attachment' cannot be larger than 16384", 16_000] == with_socket(act)


@pytest.mark.parametrize(
    ("length", "size"), [(0, 4), (127, 131), (128, 133), (16_383, 16_388), (16_384, 16_390), (20_000, 20_006)]
)
def test_the_serialised_size_of_a_text(length: int, size: int) -> None:
    """n + 4 below 128 characters, n + 5 below 16,384, n + 6 above [ws-11]."""
    assert size == serialized_size("a" * length)


def test_the_size_of_a_long_text() -> None:
    """From 16,384 characters on the length itself takes a byte more [ws-11]."""
    why = with_socket(lambda ws: refused(lambda: ws.serializeAttachment("a" * 20_000)))
    assert why.endswith("'attachment' was 20006 bytes.")


@pytest.mark.parametrize("value", [{"a": 1}, [1], (1, 2), {1, 2}, object()])
def test_attachments_that_cannot_be_cloned(value: Any) -> None:
    """Python's own containers and objects are refused; the older attachment stays (FACTS 1.4) [ws-11]."""

    def act(ws: Any) -> Any:
        ws.serializeAttachment("old")
        return [refused(lambda: ws.serializeAttachment(value)).partition(":")[0], ws.deserializeAttachment()]

    assert ["DataCloneError", "old"] == with_socket(act)


# -- automatic answers (8.5)


def pings(o: Any, server: Any, _: Any) -> None:
    o.ctx.acceptWebSocket(server)
    o.ctx.setWebSocketAutoResponse(js.WebSocketRequestResponsePair.new("ping", "pong"))


def test_an_exact_text_is_answered_without_an_event() -> None:
    """ "ping" is answered, "ping " and bytes reach the handler; no call is made for the first [ws-12 ws-14]."""
    story = SocketStory(connect=pings, handlers={"webSocketMessage": lambda o, ws, message: o.log(message)})
    client = story.open()
    for message in ("ping", "ping ", "Ping"):
        client.send(message)
    story.rest()

    assert (["pong"], ["ping ", "Ping"]) == (texts(client), story.events())
    assert 1 == len(story.sim.trace.of_kind("auto_response"))


def test_it_is_answered_while_the_object_is_busy() -> None:
    """In the middle of a section of 5 s: at once [ws-12]."""
    story = SocketStory(connect=pings)
    client = story.open()

    async def blocks(o: Any) -> None:
        await o.ctx.blockConcurrencyWhile(lambda: asyncio.sleep(5))

    busy = story.start(blocks)
    story.rest(1)
    client.send("ping")
    sent_us = story.sim.now.us
    story.rest(1)

    assert not busy.done()
    assert [("pong", sent_us)] == [(received.message, received.at_us) for received in client.received]


def test_it_is_answered_while_a_handler_of_the_same_socket_sleeps() -> None:
    """The handler goes on for 5 s; the ping behind its message is answered at once [ws-12]."""

    async def slow(o: Any, ws: Any, message: str) -> None:
        await asyncio.sleep(5)
        ws.send(message)

    story = SocketStory(connect=pings, handlers={"webSocketMessage": slow})
    client = story.open()
    client.send("slow")
    client.send("ping")
    story.rest(1)
    assert ["pong"] == texts(client)
    story.rest(5)
    assert ["pong", "slow"] == texts(client)


def test_the_pair_can_be_read_and_unset() -> None:
    """null before and after; the last pair counts [ws-12 ws-14]."""

    def program(o: Any) -> Any:
        before = o.ctx.getWebSocketAutoResponse()
        for request in ("a", "b"):
            o.ctx.setWebSocketAutoResponse(js.WebSocketRequestResponsePair.new(request, "r"))
        pair = o.ctx.getWebSocketAutoResponse()
        o.ctx.setWebSocketAutoResponse()
        after = o.ctx.getWebSocketAutoResponse()
        return [before is jsnull, pair.request, pair.response, after is jsnull]

    assert [True, "b", "r", True] == in_room(program)


def test_when_it_was_answered_last() -> None:
    """A Date of the last automatic answer, each socket its own; null for never [ws-12]."""
    story = SocketStory(connect=pings)
    client, _ = story.open(), story.open()
    story.rest(3)
    client.send("ping")
    at_ms = story.sim.now.us // 1000
    story.rest(1)

    def program(o: Any) -> Any:
        second, first = o.ctx.getWebSockets()
        never = o.ctx.getWebSocketAutoResponseTimestamp(second)
        return [o.ctx.getWebSocketAutoResponseTimestamp(first).getTime(), never is jsnull]

    assert [EPOCH_MS + at_ms, True] == story.do(program)


@pytest.mark.parametrize(("what", "texts_"), [("Request", ("é" * 1025, "r")), ("Response", ("r", "x" * 2050))])
def test_automatic_answers_are_at_most_2048_bytes(what: str, texts_: tuple[str, str]) -> None:
    """Bytes, not characters, of each; 2,048 are allowed [ws-13]."""

    def program(o: Any) -> Any:
        o.ctx.setWebSocketAutoResponse(js.WebSocketRequestResponsePair.new("x" * 2048, "é" * 1024))
        return refused(lambda: o.ctx.setWebSocketAutoResponse(js.WebSocketRequestResponsePair.new(*texts_)))

    text = f"RangeError: {what} cannot be larger than 2048 bytes. A {what.lower()} of size 2050 was provided."
    assert text == in_room(program)


def test_an_automatic_answer_that_is_no_pair() -> None:
    """A Python tuple is refused by name."""
    why = in_room(lambda o: refused(lambda: o.ctx.setWebSocketAutoResponse(("ping", "pong"))))
    assert "parameter 1 is not of type 'WebSocketRequestResponsePair'" in why


# -- accepting, rule 8.9


def test_what_can_be_accepted_how() -> None:
    """The recorded refusals of every mixture; accept() twice is fine [ws-26]."""

    def program(o: Any) -> Any:
        found = []
        _, server = new_pair()
        server.accept()
        server.accept()
        found.append(refused(lambda: o.ctx.acceptWebSocket(server)))
        _, server = new_pair()
        o.ctx.acceptWebSocket(server)
        found.append(refused(lambda: o.ctx.acceptWebSocket(server)))
        found.append(refused(server.accept))
        return found

    assert [MIXED, MIXED, "TypeError: Can't accept() WebSocket after enabling hibernation."] == in_room(program)


def test_nothing_is_sent_before_accepting() -> None:
    """send and close on an end that nobody has accepted; it is open all the same [ws-26 ws-15]."""

    def program(o: Any) -> Any:
        _, server = new_pair()
        return [refused(lambda: server.send("x")), refused(server.close), server.readyState]

    assert [NOT_ACCEPTED, NOT_ACCEPTED, 1] == in_room(program)


def test_tags_of_what_is_not_hibernatable() -> None:
    """getTags of an unaccepted end and of one accepted with accept() [ws-26]."""

    def program(o: Any) -> Any:
        _, server = new_pair()
        before = refused(lambda: o.ctx.getTags(server))
        server.accept()
        return [before, refused(lambda: o.ctx.getTags(server))]

    unaccepted = "Error: you must call 'acceptWebSocket()' before attempting to access the tags of a WebSocket."
    assert [unaccepted, "Error: only hibernatable websockets can have tags."] == in_room(program)


@pytest.mark.parametrize("method", ["acceptWebSocket", "getTags", "getWebSocketAutoResponseTimestamp"])
@pytest.mark.parametrize("value", [None, "socket", 5, object()])
def test_what_is_no_socket(method: str, value: Any) -> None:
    """The platform's TypeError names the method."""
    said = f"Failed to execute '{method}' on 'DurableObjectState': parameter 1 is not of type 'WebSocket'."
    assert f"TypeError: {said}" == in_room(lambda o: refused(lambda: getattr(o.ctx, method)(value)))


def test_a_socket_needs_the_upgrade_header() -> None:
    """A 101 for an ordinary request is refused with the recorded text [ws-28]."""
    story = SocketStory()
    with pytest.raises(Exception, match="Worker tried to return a WebSocket in a response to a request") as caught:
        story.sim.run(story.sim.env.ROOM.getByName("x").fetch("https://do/"))
    text = (
        "Worker tried to return a WebSocket in a response to a request which did not contain the header"
        ' "Upgrade: websocket".'
    )
    assert text in str(caught.value)


def test_a_pair_as_pyodide_shows_it() -> None:
    """object_values(), or unpacking; no index (FACTS 1.4)."""

    def program(o: Any) -> Any:
        pair = js.WebSocketPair.new()
        client, server = pair
        try:
            pair[0]
        except TypeError as error:
            return [[client, server] == pair.object_values(), client == server, "object_values" in str(error)]
        return None

    assert [True, False, True] == in_room(program)


def test_a_pair_outside_of_a_program() -> None:
    """Nothing outside makes one; the error says where it works."""
    with pytest.raises(RuntimeError, match="inside a Worker or a Durable Object"):
        js.WebSocketPair.new()


def test_accept_outside_of_a_program() -> None:
    """A test that calls stub.fetch itself cannot accept the socket; the error says where accept() works."""
    story = SocketStory()
    response = story.sim.run(story.sim.env.ROOM.getByName("x").fetch("https://do/", headers={"Upgrade": "websocket"}))
    with pytest.raises(RuntimeError, match="inside a Worker or a Durable Object"):
        response.js_object.webSocket.accept()


# -- what is sent (8.11, FACTS 1.4)


def sent(value: Any, **options: Any) -> Any:
    """What a client gets when the room sends this."""
    story = SocketStory(**options)
    client = story.open()
    story.do(lambda o: o.ctx.getWebSockets()[0].send(value))
    story.rest()
    return texts(client)


def test_what_send_makes_of_its_argument() -> None:
    """Texts as they are; a JavaScript buffer is binary; everything else is its text (FACTS 1.4)."""
    assert ["grüße"] == sent("grüße")
    assert [b"ab"] == sent(to_js(b"ab"))
    assert ["undefined"] == sent(None)
    assert ["5"] == sent(5)
    assert ["true"] == sent(True)
    assert [""] == sent("")


@pytest.mark.parametrize(
    ("value", "text", "instead"), [(b"ab", "b'ab'", "to_js"), ({"a": 1}, "{'a': 1}", "json.dumps")]
)
def test_the_silent_traps_of_send(value: Any, text: str, instead: str) -> None:
    """bytes and dicts are sent as Python's text of them; dosim warns, or raises if told to."""
    with pytest.warns(PortabilityWarning, match=instead):
        assert [text] == sent(value)
    with pytest.raises(Exception, match=PortabilityError.__name__):
        sent(value, portability="error")


def test_bytes_in_friendly_mode() -> None:
    """portability="friendly" sends them as binary, with a warning."""
    with pytest.warns(PortabilityWarning, match="to_js"):
        assert [b"ab"] == sent(b"ab", portability="friendly")


def test_binary_messages() -> None:
    """webSocketMessage gets an ArrayBuffer, at every date [ws-29]."""
    story = SocketStory(
        handlers={"webSocketMessage": lambda o, ws, message: o.log([message.constructor.name, message.to_bytes()])}
    )
    story.open().send(b"\x00\xff")
    story.rest()

    assert [["ArrayBuffer", b"\x00\xff"]] == story.events()


@pytest.mark.parametrize(("date", "kind"), [("2026-03-16", "ArrayBuffer"), ("2026-03-17", "Blob")])
def test_binary_messages_of_listeners(date: str, kind: str) -> None:
    """A Blob from 2026-03-17 on, before that an ArrayBuffer [ws-29]."""

    def connect(o: Any, server: Any, _: Any) -> None:
        server.accept()
        server.addEventListener("message", create_proxy(lambda event: o.log(event.data.constructor.name)))

    story = SocketStory(connect=connect, compatibility_date=date)
    story.open().send(b"ab")
    story.rest()

    assert [kind] == story.events()


# -- listeners


def test_a_listener_on_a_hibernatable_socket_is_never_called() -> None:
    """It is accepted and has no effect (RULES-python 36)."""

    def connect(o: Any, server: Any, _: Any) -> None:
        o.ctx.acceptWebSocket(server)
        heard(o, server, "listener")

    story = SocketStory(connect=connect)
    client = story.open()
    client.send("x")
    client.close()
    story.rest()

    assert [] == story.log


def test_listeners_are_called_in_order_once_each_until_removed() -> None:
    """The same function twice is one listener; a removed one is not called; one that raises stops no other."""

    def connect(o: Any, server: Any, _: Any) -> None:
        def fails(event: Any) -> None:
            o.log("fails")
            raise ValueError(event.data)

        def removed(_: Any) -> None:
            o.log("removed")

        def last(event: Any) -> None:
            o.log(event.data)
            server.removeEventListener("message", last)

        server.accept()
        for listener in (fails, fails, removed, last):
            server.addEventListener("message", listener)
        server.removeEventListener("message", removed)

    story = SocketStory(connect=connect)
    client = story.open()
    client.send("one")
    client.send("two")
    story.rest()

    assert ["fails", "one", "fails"] == story.events()
    assert client.closed is None


def test_an_async_listener_that_raises() -> None:
    """It harms neither the socket nor the object."""

    def connect(o: Any, server: Any, _: Any) -> None:
        async def listener(event: Any) -> None:
            await asyncio.sleep(0.1)
            o.log(event.data)
            raise ValueError("no")

        server.accept()
        server.addEventListener("message", listener)

    story = SocketStory(connect=connect)
    client = story.open()
    client.send("one")
    story.rest()
    client.send("two")
    story.rest()

    assert (["one", "two"], 1) == (story.events(), story.room.instance)


# -- the event timeout (8.10)


def test_the_event_timeout_can_be_read() -> None:
    """null by default, 0 unsets, a week is the most [ws-32]."""

    def program(o: Any) -> Any:
        read = o.ctx.getHibernatableWebSocketEventTimeout
        found = [read() is jsnull]
        for timeout_ms in (604_800_000, 500, 0):
            o.ctx.setHibernatableWebSocketEventTimeout(timeout_ms)
            found.append(read())
        found[-1] = found[-1] is jsnull
        return [*found, refused(lambda: o.ctx.setHibernatableWebSocketEventTimeout(604_800_001))]

    refusal = "Error: Event timeout should not exceed 604800000 ms."
    assert [True, 604_800_000, 500, True, refusal] == in_room(program)


def test_a_handler_past_the_event_timeout_is_cut_off() -> None:
    """It does not go on after 500 ms, silently; object, memory and socket live on [ws-33]."""

    async def sleeps(o: Any, ws: Any, message: str) -> None:
        o.n += 1
        if message == "slow":
            try:
                await asyncio.sleep(1)
            finally:
                o.log("went on")
        ws.send(f"{message} {o.n}")

    def connect(o: Any, server: Any, _: Any) -> None:
        o.ctx.acceptWebSocket(server)
        o.ctx.setHibernatableWebSocketEventTimeout(500)

    handlers = {"webSocketMessage": sleeps, "webSocketError": lambda o, ws, error: o.log("webSocketError")}
    story = SocketStory(connect=connect, handlers=handlers)
    client = story.open()
    client.send("slow")
    story.rest(2)
    client.send("quick")
    story.rest(2)

    assert (["quick 2"], []) == (texts(client), story.log)
    assert client.closed is None
    assert ["idle", 1] == [story.room.state, story.room.instance]


def test_a_handler_in_time_is_not_cut_off() -> None:
    """500 ms allowed, 400 ms taken."""

    async def sleeps(o: Any, ws: Any, message: str) -> None:
        await asyncio.sleep(0.4)
        ws.send(message)

    def connect(o: Any, server: Any, _: Any) -> None:
        o.ctx.acceptWebSocket(server)
        o.ctx.setHibernatableWebSocketEventTimeout(500)

    story = SocketStory(connect=connect, handlers={"webSocketMessage": sleeps})
    client = story.open()
    client.send("x")
    story.rest(2)

    assert ["x"] == texts(client)


# -- the output gate (3.4)


def test_a_message_waits_for_the_writes_before_it() -> None:
    """On "cloudflare" a write is confirmed after a time: the message sent after it leaves then, not before."""

    async def writes(o: Any, ws: Any, message: str) -> None:
        if message == "write":
            await o.ctx.storage.put("k", 1)
        ws.send(message)

    story = SocketStory(handlers={"webSocketMessage": writes}, platform="cloudflare")
    client = story.open()
    sent_us = []
    for message in ("read", "write"):
        story.rest(1)
        sent_us.append(story.sim.now.us)
        client.send(message)
    story.rest(1)

    delays = [received.at_us - at_us for received, at_us in zip(client.received, sent_us, strict=True)]
    assert [0, story.sim.world.platform.confirm_us] == delays


def test_a_failed_commit_delivers_no_message_and_drops_the_socket() -> None:
    """A broken foreign key: what the turn sent is gone, the client sees 1006 [og-12]."""

    def constructor(o: Any) -> None:
        o.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS a(id INTEGER PRIMARY KEY)")
        o.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS b(a INTEGER REFERENCES a(id) DEFERRABLE INITIALLY DEFERRED)")

    async def breaks(o: Any, ws: Any, message: str) -> None:
        ws.send("before")
        o.ctx.storage.sql.exec("INSERT INTO b VALUES (7)")
        ws.send("after")

    story = SocketStory(constructor=constructor, handlers={"webSocketMessage": breaks, "webSocketClose": log_close})
    client = story.open()
    client.send("break")
    story.rest()

    assert ([], LOST) == (texts(client), (client.closed.code, client.closed.reason, client.closed.was_clean))
    assert [] == story.log


def test_sockets_are_kept_in_lists_or_by_their_js_id() -> None:
    """As Pyodide's JsProxy they cannot be hashed; they compare by identity, and js_id is a key."""

    def program(o: Any) -> Any:
        sockets = list(o.ctx.getWebSockets())
        with pytest.raises(TypeError, match="unhashable"):
            set(sockets)
        by_id = {ws.js_id: ws for ws in sockets}
        again = list(o.ctx.getWebSockets())
        same = [by_id[ws.js_id] == ws for ws in again]
        again.remove(sockets[1])
        return [len(by_id), all(same), sockets[1] in again, len(again)]

    assert [3, True, False, 2] == in_room(program, sockets=3)


def test_handlers_are_not_called_over_rpc() -> None:
    """webSocketMessage and its siblings are reserved [rp-05]."""
    story = SocketStory(handlers={"webSocketMessage": echo})
    for method in ("webSocketMessage", "webSocketClose", "webSocketError"):
        with pytest.raises(JsException, match=f"'{method}' is a reserved method and cannot be called over RPC."):
            story.sim.run(getattr(story.sim.env.ROOM.getByName("x"), method)("x"))


def test_the_handlers_names_are_camel_case() -> None:
    """web_socket_message is never called (FACTS 1.1)."""
    story = SocketStory(handlers={"web_socket_message": lambda o, ws, message: o.log(message)})
    story.open().send("x")
    story.rest()

    assert [] == story.log
    assert not hasattr(DurableObject, "web_socket_message")
