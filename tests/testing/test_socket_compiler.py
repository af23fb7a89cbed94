"""The WebSocket operations of concurrency cases as Python Workers source, their helpers, and how they are judged."""

from __future__ import annotations

import ast
import asyncio
import sys
import types
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dosim.testing.conformance import rules
from dosim.testing.conformance.concurrency_compiler import compile_case
from dosim.testing.conformance.concurrency_judge import Judge
from dosim.testing.conformance.concurrency_prelude import PRELUDE
from dosim.testing.conformance.concurrency_sockets import SOCKET_HELPERS


def case_of(*program: object, to: str | None = "A:x", **objects: object) -> dict[str, object]:
    """A case of one step at time 0, whose program runs in an object, or in the client without `to`."""
    step: dict[str, object] = {"req": "r", "at": 0, "do": list(program)}
    if to:
        step["to"] = to
    return {"id": "t-01", "objects": objects, "steps": [step], "expect": {"log": [], "results": []}, "versions": {}}


def source_of(*program: object, **objects: object) -> str:
    """The compiled program without its helpers."""
    entry = compile_case(case_of(*program, **objects)).entry  # type: ignore[arg-type]
    ast.parse(entry)
    return entry.replace(PRELUDE, "").replace(SOCKET_HELPERS, "")


WS = {"$var": "s"}
FIVE_MS = datetime.fromtimestamp(0, UTC).replace(tzinfo=None) + timedelta(milliseconds=5)


@pytest.mark.parametrize(
    ("op", "line"),
    [
        (["ws_pair", "c", "s"], "v_c, v_s = WebSocketPair.new().object_values()"),
        (["ws_accept", WS], "self.ctx.acceptWebSocket(v_s)"),
        (["ws_accept", WS, ["a", "b"]], "self.ctx.acceptWebSocket(v_s, raw(['a', 'b']))"),
        (["ws_accept", WS, "a"], "self.ctx.acceptWebSocket(v_s, 'a')"),
        (["ws_accept", "nope"], "self.ctx.acceptWebSocket('nope')"),
        (["ws_accept_std", WS], "accept(v_s)"),
        (["ws_send", WS, "text"], "v_s.send('text')"),
        (["ws_send", WS, {"$repeat": ["a", 3]}], "v_s.send('a' * 3)"),
        (["ws_send", WS, {"$bytes": [1, 2]}], "v_s.send(raw(b'\\x01\\x02'))"),
        (["ws_send", WS, {"$buffer": [4]}], "v_s.send(raw(b'\\x04'))"),
        (["ws_send", WS, {"$undefined": True}], "v_s.send(None)"),
        (["ws_send", WS, None], "v_s.send(jsnull)"),
        (["ws_close", WS], "v_s.close()"),
        (["ws_close", WS, 4000, "bye"], "v_s.close(4000, 'bye')"),
        (["ws_close", WS, {"$undefined": True}, "bye"], "v_s.close(None, 'bye')"),
        (["let", "r", ["ws_ready", WS]], "v_r = v_s.readyState"),
        (["ws_attach", WS, {"a": [1, {"$date": 5}]}], "v_s.serializeAttachment(raw({'a': [1, date(5)]}))"),
        (["ws_attach", WS, 7], "v_s.serializeAttachment(7)"),
        (["let", "r", ["ws_attachment", WS]], "v_r = plain(v_s.deserializeAttachment())"),
        (["let", "r", ["ws_tags", WS]], "v_r = list(self.ctx.getTags(v_s))"),
        (["let", "r", ["ws_list"]], "v_r = list(self.ctx.getWebSockets())"),
        (["let", "r", ["ws_list", "a"]], "v_r = list(self.ctx.getWebSockets('a'))"),
        (["return_op", ["ws_list_attachments"]],
         "return [plain(socket.deserializeAttachment()) for socket in self.ctx.getWebSockets()]"),
        (["return_op", ["ws_count"]], "return len(self.ctx.getWebSockets())"),
        (["return_op", ["ws_count", "a"]], "return len(self.ctx.getWebSockets('a'))"),
        (["ws_auto"], "self.ctx.setWebSocketAutoResponse()"),
        (["ws_auto", "ping", "pong"],
         "self.ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair.new('ping', 'pong'))"),
        (["let", "r", ["ws_auto_get"]], "v_r = auto_response(self.ctx)"),
        (["let", "r", ["ws_auto_ts", WS]], "v_r = auto_time(self.ctx, v_s)"),
        (["ws_event_timeout", 500], "self.ctx.setHibernatableWebSocketEventTimeout(500)"),
        (["let", "r", ["ws_event_timeout_get"]], "v_r = plain(self.ctx.getHibernatableWebSocketEventTimeout())"),
        (["return", {"$upgrade": WS}], "return Response(None, status=101, web_socket=v_s)"),
    ],
)  # fmt: skip
def test_each_operation_is_one_call(op: list[object], line: str) -> None:
    """Every socket operation as a Python Workers program says it."""
    source = source_of(["set", "s", None], op)

    assert f"        {line}\n" in source


def test_what_is_used_is_imported() -> None:
    """`js` and `jsnull` are imported only where the program needs them, the helpers only beside sockets."""
    plain = compile_case(case_of(["log", 1])).entry
    pair = compile_case(case_of(["ws_pair", "c", "s"], ["ws_send", WS, None])).entry

    assert "WebSocket" not in plain.replace(PRELUDE, "")
    assert SOCKET_HELPERS not in plain
    assert "from js import WebSocketPair\nfrom pyodide.ffi import jsnull\n" in pair
    assert "WebSocketRequestResponsePair" not in pair
    assert SOCKET_HELPERS in compile_case(case_of(A={"webSocketMessage": []})).entry


def test_a_connection_sets_its_variable_and_answers() -> None:
    """`ws_connect` keeps the old variable when there is no socket, and gives the status."""
    entry = compile_case(case_of(["let", "a", ["ws_connect", "c", "A:x", "http://do/p"]], to=None)).entry

    assert "nonlocal v_a, v_c" in entry
    assert "response_1 = await upgrade(self.env.A.getByName('x'), 'http://do/p')" in entry
    assert "v_c = client_end(response_1, 'c', v_c)\n        v_a = await answered(response_1)" in entry
    assert "upgrade(self.env.A.getByName('x'), 'http://do/ws')" in source_of(["ws_connect", "c", "A:x"])


def test_listeners_are_functions_of_their_own() -> None:
    """They read their creator's variables and get the socket and what the event carries."""
    handlers = {"message": [["set", "n", {"$var": "message"}]], "error": [["log", {"$var": "error"}]], "close": None}
    source = source_of(["set", "n", 0], ["set", "s", None], ["ws_accept_std", WS, handlers])

    assert "async def fn_1(v_ws_1=None, v_message_1=None, *_rest):" in source
    assert "v_n_1 = v_n\n" in source
    assert "v_n_1 = v_message_1" in source
    assert "async def fn_2(v_ws_2=None, v_error_2=None, *_rest):" in source
    assert "accept(v_s, message=fn_1, error=fn_2)" in source


def test_handlers_get_python_values() -> None:
    """A binary message is bytes before the program sees it."""
    program = [["log", {"$var": "message"}], ["ws_send", {"$var": "ws"}, {"$var": "message"}]]
    source = source_of(A={"webSocketMessage": program, "webSocketClose": [["log", {"$var": "wasClean"}]]})

    assert "async def webSocketMessage(self, ws, message):" in source
    assert "v_message = received(message)" in source
    assert "v_ws.send(raw(v_message))" in source
    assert "async def webSocketClose(self, ws, code, reason, wasClean):" in source


@pytest.mark.parametrize(
    ("op", "adapted"),
    [
        (["ws_accept", WS], False),
        (["ws_send", WS, "text"], False),
        (["ws_attach", WS, 5], False),
        (["ws_list"], False),
        (["ws_accept", WS, ["a"]], True),
        (["ws_send", WS, {"$bytes": [1]}], True),
        (["ws_attach", WS, {"a": 1}], True),
        (["ws_attachment", WS], True),
    ],
)
def test_conversions_are_a_rule(op: list[object], adapted: bool) -> None:
    """C6 is noted where the program must convert by hand, and nowhere else."""
    compiled = compile_case(case_of(["set", "s", None], op))

    assert compiled.rules == ({rules.RAW_SOCKET.id} if adapted else set())


def test_what_python_cannot_attach_masks_the_try_around_it() -> None:
    """A symbol, and an instance of the program's own class."""
    tries = [["try", [["ws_attach", WS, value]], "e", []] for value in ({"$symbol": "s"}, {"$unclonable": True})]
    compiled = compile_case(case_of(["set", "s", None], *tries))

    assert compiled.masks.reasons == {rules.SYMBOL.id, rules.CLASS_INSTANCE.id}
    assert "serializeAttachment" not in compiled.entry.replace(SOCKET_HELPERS, "")


def test_an_attachment_python_cannot_have_gets_a_stand_in(helpers: dict[str, Any]) -> None:
    """Reading it later is masked; the program goes on."""
    value = {"$map": [[1, "a"]]}
    compiled = compile_case(case_of(["set", "s", None], ["ws_attach", WS, value], ["log", "after"]))

    assert compiled.masks.reasons == {rules.MAP_KEYS.id}
    assert "v_s.serializeAttachment(raw(Masked('NS9')))" in compiled.entry
    assert helpers["encode"](helpers["plain"](helpers["raw"](helpers["Masked"]("NS9")))) == {"$masked": "NS9"}


def test_a_listener_is_masked_like_any_program() -> None:
    """The smallest `try` inside it, and the connection to a class that Python cannot have."""
    heard = {"message": [["try", [["rpc_get", "A:x", "p"]], "e", []], ["log", "after"]]}
    compiled = compile_case(case_of(["set", "s", None], ["ws_accept_std", WS, heard]))

    assert compiled.masks.reasons == {rules.PROPERTY_READ.id}
    assert "log(who, req, 'after')" in compiled.entry
    without_base = compile_case(case_of(["ws_connect", "c", "N:x"], to=None, N={"options": {"base": "none"}}))
    assert without_base.masks.step_reasons == {0: rules.NO_BASE.id}


# -- the helpers, on stand-ins of the platform's raw values


class JsNull:
    """JavaScript's null."""

    def __bool__(self) -> bool:
        return False


class JsDate:
    def __init__(self, time_ms: int) -> None:
        self.time_ms = time_ms

    def getTime(self) -> int:
        return self.time_ms


class Raw:
    """A raw array, object or buffer; `to_bytes` only where it is a buffer."""

    def __init__(self, value: Any) -> None:
        self.value = value
        if isinstance(value, bytes):
            self.to_bytes = lambda: value

    def to_py(self) -> Any:
        return memoryview(self.value) if isinstance(self.value, bytes) else self.value


class JsBlob:
    size = 3

    async def arrayBuffer(self) -> None: ...


class Socket:
    """A socket that remembers its listeners; two of one name are two proxies of one socket."""

    readyState = 1

    def __init__(self, name: str = "s") -> None:
        self.name = name
        self.heard: dict[str, Callable[[Any], None]] = {}
        self.accepted = False

    def accept(self) -> None:
        self.accepted = True

    def addEventListener(self, kind: str, heard: Callable[[Any], None]) -> None:
        self.heard[kind] = heard

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Socket) and self.name == other.name

    __hash__ = None  # type: ignore[assignment]


@pytest.fixture
def helpers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The helpers of a compiled program with sockets, with stand-ins behind them."""
    for name in ("js", "workers", "pyodide", "pyodide.ffi"):
        module = types.ModuleType(name)
        for part in ("DurableObject", "Response", "WorkerEntrypoint", "JsException"):
            setattr(module, part, type(part, (Exception,), {}))
        module.to_js = lambda value, **_: ("js", value)  # type: ignore[attr-defined]
        module.create_proxy = lambda value: value  # type: ignore[attr-defined]
        module.Object = types.SimpleNamespace(fromEntries=None)  # type: ignore[attr-defined]
        module.Date = types.SimpleNamespace(new=JsDate, now=lambda: 1000)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, module)
    namespace: dict[str, Any] = {"__name__": "entry"}
    exec(PRELUDE + SOCKET_HELPERS, namespace)
    namespace["START_MS"].append(1000)
    return namespace


def test_values_are_made_raw(helpers: dict[str, Any]) -> None:
    """Text and numbers as they are, data through to_js, dates as JavaScript's Date."""
    raw, socket = helpers["raw"], Socket()

    assert [raw(value) for value in ("a", 5, None, True)] == ["a", 5, None, True]
    assert raw(socket) is socket
    assert raw(b"ab") == ("js", b"ab")
    assert raw({"a": [1]}) == ("js", {"a": ("js", [1])})
    assert raw(FIVE_MS).getTime() == 5


def test_raw_values_are_made_plain(helpers: dict[str, Any]) -> None:
    """null is None, a raw object its data, a Date inside it a datetime."""
    plain = helpers["plain"]

    assert plain(None) is plain(JsNull()) is None
    assert plain("s") == "s"
    assert plain(Raw({"a": [JsNull(), JsDate(5)]})) == {"a": [None, FIVE_MS]}
    assert bytes(plain(Raw(b"\x01"))) == b"\x01"
    assert helpers["received"](Raw(b"\x02")) == b"\x02"
    assert helpers["received"]("text") == "text"


def test_raw_values_are_written_with_their_tags(helpers: dict[str, Any]) -> None:
    """A socket, a Blob with its size, a buffer as bytes, a time of its own kind."""
    encode = helpers["encode"]

    assert encode([Socket(), JsBlob(), Raw(b"\x07")]) == [{"$ws": True}, {"$blob": 3}, {"$bytes": [7]}]
    assert encode({"t": helpers["Time"](200)}) == {"$dict": [["t", {"$time": 200}]]}
    assert helpers["same"](Socket(), Socket())
    assert not helpers["same"](Socket(), Socket("other"))


def test_a_listener_gets_the_socket_and_the_event(helpers: dict[str, Any]) -> None:
    """It runs to its first wait at once; what it raises is nobody's."""
    seen: list[object] = []
    socket = Socket()

    async def message(*values: object) -> None:
        seen.append(values)
        raise ValueError("nobody's")

    async def close(*values: object) -> None:
        seen.append(values)

    async def error(*values: object) -> None:
        seen.append(values)

    async def events() -> None:
        helpers["accept"](socket, message=message, close=close, error=error)
        socket.heard["message"](types.SimpleNamespace(data=Raw(b"\x01")))
        socket.heard["close"](types.SimpleNamespace(code=1000, reason="z", wasClean=True))
        socket.heard["error"](types.SimpleNamespace(error=JsNull(), message="lost"))

    asyncio.run(events())

    assert socket.accepted
    assert seen == [(socket, b"\x01"), (socket, 1000, "z", True), (socket, "lost")]


def test_a_client_logs_its_events(helpers: dict[str, Any]) -> None:
    """The client end of an upgrade is accepted and heard; an answer without one leaves the variable."""
    socket = Socket()
    upgraded = types.SimpleNamespace(status=101, js_object=types.SimpleNamespace(webSocket=socket))
    refused = types.SimpleNamespace(status=426, js_object=types.SimpleNamespace(webSocket=JsNull()))
    client_end, log = helpers["client_end"], helpers["LOG"]

    assert client_end(upgraded, "c1", None) is socket
    assert client_end(refused, "c1", "before") == "before"
    assert asyncio.run(helpers["answered"](upgraded)) == {"status": 101}
    socket.heard["message"](types.SimpleNamespace(data="m"))
    socket.heard["close"](types.SimpleNamespace(code=1006, reason="", wasClean=False))
    socket.heard["error"](types.SimpleNamespace(message="lost"))

    assert log == [
        [0, "client", "c1", {"$dict": [["message", "m"]]}],
        [0, "client", "c1", {"$dict": [["close", [1006, "", False]]]}],
        [0, "client", "c1", {"$dict": [["error", "lost"]]}],
    ]


def test_auto_response_is_data_or_none(helpers: dict[str, Any]) -> None:
    """A pair is its two texts, a timestamp milliseconds since the first step, both None when unset."""
    pair = types.SimpleNamespace(request="ping", response="pong")
    ctx = types.SimpleNamespace(
        getWebSocketAutoResponse=lambda: pair, getWebSocketAutoResponseTimestamp=lambda _: JsDate(1200)
    )
    unset = types.SimpleNamespace(getWebSocketAutoResponse=JsNull, getWebSocketAutoResponseTimestamp=lambda _: None)

    assert helpers["auto_response"](ctx) == ["ping", "pong"]
    assert helpers["auto_time"](ctx, Socket()) == {"t": 200}
    assert helpers["auto_response"](unset) is helpers["auto_time"](unset, Socket()) is None


# -- judging


@pytest.mark.parametrize(
    ("expected", "got", "same"),
    [
        ({"$ws": True}, {"$ws": True}, True),
        ({"$blob": 3}, {"$blob": 3}, True),
        ({"$blob": 3}, {"$blob": 4}, False),
        ({"$blob": 1}, {"$bytes": [1]}, False),
        ({"$buffer": [1]}, {"$bytes": [1]}, True),
        ({"$buffer": [1]}, {"$bytes": [2]}, False),
        ({"t": 200}, {"$dict": [["t", {"$time": 200}]]}, True),
        ({"t": 203}, {"$dict": [["t", {"$time": 200}]]}, True),
        ({"t": 300}, {"$dict": [["t", {"$time": 200}]]}, False),
        ({"t": None}, {"$dict": [["t", {"$time": 200}]]}, False),
    ],
)
def test_socket_values_are_compared(expected: object, got: object, same: bool) -> None:
    """A Blob by its size, a buffer by its bytes, the time of an auto-response rounded as times are."""
    assert Judge(case_of(["ws_send", WS, {"$bytes": [1]}]), 100).same(expected, got) is same


def test_a_refused_upgrade_is_an_error_of_fetch() -> None:
    """C1 holds for `ws_connect`, which is a fetch."""
    judge = Judge(case_of(["ws_connect", "c", "A:x"]), 100)
    got = {"$error": {"class": "workers.AbortError", "js": False, "text": "TypeError: no"}}

    assert judge.same({"$error": {"name": "TypeError", "message": "no", "remote": True}}, got)
    assert judge.verdict.used == {rules.FETCH_ERROR.id}
