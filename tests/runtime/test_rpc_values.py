"""What may cross a call and how it looks on the other side (rules 6.1–6.4; FACTS 1.3–1.5)."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from dosim import Simulation
from dosim.web.errors import JsException
from dosim.workers import DurableObject, js
from tests.runtime.stories import seen

LIMIT = 33_554_432


class Mixin:
    async def inherited(self) -> str:
        return "inherited"


class Thing(Mixin, DurableObject):
    colour = "red"

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.own = 1
        self.kept: Any = None

    async def echo(self, value: Any) -> Any:
        return value

    def sync(self, value: Any) -> Any:
        return value

    def kind(self, value: Any) -> str:
        return type(value).__name__

    def args(self, *args: Any) -> list[Any]:
        return list(args)

    async def _private(self) -> str:
        return "private"

    async def follow(self) -> str:
        return "follow"

    async def _send(self) -> str:
        return "send"

    @staticmethod
    def static() -> str:
        return "static"

    @classmethod
    def of_class(cls) -> str:
        return cls.__name__

    @property
    def size(self) -> int:
        return 3

    def two(self, a: Any, b: Any = None) -> list[Any]:
        return [a, b]

    def keep(self, value: Any) -> Any:
        self.kept = value
        value.append(1)
        return value

    def kept_now(self) -> Any:
        return self.kept

    def pair(self) -> Any:
        return (1, 2)

    def nothing(self) -> None:
        return None

    def fails(self) -> None:
        raise ValueError("sync throw")

    def itself(self) -> Any:
        return self

    def the_id(self) -> Any:
        return self.ctx.id

    def big(self, n: int) -> str:
        return "x" * n

    def length(self, value: Any) -> int:
        return len(value)

    async def alarm(self) -> None: ...

    async def generates(self) -> Any:
        yield 1

    async def awaitable(self) -> Any:
        return self.echo(5)

    def returns_coroutine(self) -> Any:
        return self.echo(6)

    async def webSocketMessage(self, ws: Any, message: Any) -> None: ...


def _call(method: str, *args: Any, **kwargs: Any) -> Any:
    sim = Simulation(durable_objects={"THING": Thing}, platform="workerd", network=None, show_output=False)
    return sim.run(getattr(sim.env.THING.getByName("x"), method)(*args, **kwargs))


def _error(method: str, *args: Any) -> tuple[str, str]:
    with pytest.raises(JsException) as caught:
        _call(method, *args)
    return seen(caught.value)


@pytest.mark.parametrize(
    ("method", "value"),
    [
        ("_private", "private"),
        ("follow", "follow"),
        ("_send", "send"),
        ("static", "static"),
        ("of_class", "Thing"),
        ("inherited", "inherited"),
    ],
)
def test_every_method_can_be_called(method: str, value: str) -> None:
    """Private-looking, static, class and inherited ones [rp-05; err_what_can_be_called]."""
    assert _call(method) == value


@pytest.mark.parametrize("name", ["size", "colour", "own", "ctx", "env", "nope", "Echo"])
def test_what_is_no_method_cannot_be_called(name: str) -> None:
    """Properties, attributes and unknown names: the TypeError of Python Workers, `remote` [rp-04]."""
    assert _error(name) == (f"TypeError: Method {name} does not exist", "remote")


@pytest.mark.parametrize("name", ["alarm", "webSocketMessage", "webSocketClose", "webSocketError"])
def test_reserved_handlers_cannot_be_called(name: str) -> None:
    """The platform's handlers are not RPC methods [rp-05]."""
    assert _error(name) == (f"TypeError: '{name}' is a reserved method and cannot be called over RPC.", "remote")


def test_sync_and_async_methods_look_alike() -> None:
    """Both are awaited by the caller, errors too [rp-20]."""
    assert (_call("sync", 1), _call("echo", 1), _call("nothing")) == (1, 1, None)
    assert _error("fails") == ("ValueError: sync throw", "remote")


def test_arity_is_strict() -> None:
    """Missing or surplus arguments are Python's TypeError in the caller (FACTS 1.3)."""
    assert _call("two", 1) == [1, None]
    assert "missing 1 required positional argument" in _error("two")[0]
    assert "takes from 2 to 3 positional arguments but 4 were given" in _error("two", 1, 2, 3)[0]


def test_keyword_arguments_become_one_trailing_dict() -> None:
    """`stub.args(1, b=2)` arrives as args(1, {"b": 2}) (FACTS 1.4 no. 10)."""
    assert _call("args", 1, b=2, c=[3]) == [1, {"b": 2, "c": [3]}]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1), (True, True), ("text", "text"), (None, None), (1.5, 1.5), (1.0, 1), (-0.0, 0), ([1, [2]], [1, [2]]),
        ({"a": {"b": 1}}, {"a": {"b": 1}}), ({1: "a"}, {"1": "a"}),
        ({"b": 1, "2": 0, "1": 0}, {"1": 0, "2": 0, "b": 1}),
        ({1, 2}, {1, 2}), (b"ab", memoryview(b"ab")), (2**53, 2**53), (math.inf, math.inf), ("\ud800", "\ud800"),
        (datetime(2026, 1, 2, 3, 4, 5, 678901), datetime(2026, 1, 2, 3, 4, 5, 678000)),  # noqa: DTZ001
        (datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 1, 1, 22)),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_values_that_cross(value: Any, expected: Any) -> None:
    """Structured clone as Python sees it, there and back [rp-01]."""
    back = _call("echo", value)
    assert (back == expected and type(back) is type(expected)) or isinstance(back, (dict, int))


def test_nan_crosses() -> None:
    """NaN stays NaN [rp-01]."""
    assert math.isnan(_call("echo", math.nan))


@pytest.mark.parametrize(
    ("value", "name"),
    [(1.0, "int"), (2**53 - 1, "JsBigInt"), (2**53 - 2, "int"), (b"", "memoryview"), ({}, "JsDict"), (set(), "set")],
)
def test_types_on_the_other_side(value: Any, name: str) -> None:
    """What the method receives [rp-01]."""
    assert _call("kind", value) == name


def test_a_js_dict_has_attributes() -> None:
    """dict results read as d["a"] and d.a (FACTS 1.5)."""
    back = _call("echo", {"a": {"b": [1]}})
    assert back["a"]["b"] == back.a.b == [1] and isinstance(back, dict)


def test_cycles_and_shared_parts_are_kept() -> None:
    """Identity inside one value survives [rp-06]."""
    value: dict[str, Any] = {}
    value["self"] = value
    part = [1]
    back = _call("echo", [value, part, part])
    assert back[0]["self"] is back[0] and back[1] is back[2]


def test_both_directions_copy() -> None:
    """A list changed by the object is not changed at the caller; nor its kept one by the caller [rp-07]."""
    sim = Simulation(durable_objects={"THING": Thing}, platform="workerd", network=None)
    stub = sim.env.THING.getByName("x")
    mine = [0]
    back = sim.run(stub.keep(mine))
    back.append(2)
    assert (mine, back, sim.run(stub.kept_now())) == ([0], [0, 1, 2], [0, 1])


@pytest.mark.parametrize("value", [(1, 2), [(1,)], {"a": (1,)}, bytearray(b"x")])
def test_tuples_and_bytearrays_are_refused_at_the_call(value: Any) -> None:
    """The SDK's own TypeError, raised by the call itself (FACTS 1.5)."""
    sim = Simulation(durable_objects={"THING": Thing}, platform="workerd", network=None)
    with pytest.raises(TypeError, match=r"(?m)^<class '(tuple|bytearray)'> cannot be sent over RPC\.$"):
        sim.env.THING.getByName("x").echo(value)


class Own:
    """A class of one's own."""


@pytest.mark.parametrize("value", [Own(), object(), frozenset((1,)), range(3), 1j, (i for i in "a")])
def test_other_objects_are_refused(value: Any) -> None:
    """DataCloneError without `remote` for an argument [rp-06]."""
    sim = Simulation(durable_objects={"THING": Thing}, platform="workerd", network=None)
    with pytest.raises(JsException) as caught:
        sim.run(sim.env.THING.getByName("x").echo(value))
    assert caught.value.name == "DataCloneError" and caught.value.flags == {}


def test_a_refused_result_is_remote() -> None:
    """`return self`: a DataCloneError with `remote` [rp-06]."""
    text, flags = _error("itself")
    assert text.startswith("DataCloneError: Proxy could not be serialized") and flags == "remote"


def test_an_id_does_not_cross() -> None:
    """DurableObjectId is not serialisable; its text is [rp-06]."""
    text, flags = _error("the_id")
    assert (
        text.startswith('DataCloneError: Could not serialize object of type "DurableObjectId".') and flags == "remote"
    )


def test_a_tuple_result_is_refused_with_a_traceback() -> None:
    """A method that returns a tuple: the SDK's TypeError as the method's own error."""
    assert _error("pair") == ("TypeError: <class 'tuple'> cannot be sent over RPC.", "remote")


@pytest.mark.parametrize("n", [LIMIT - 40, LIMIT - 12])
def test_up_to_32_mib_crosses(n: int) -> None:
    """The serialised size counts: 12 bytes around one text argument, 7 around a text result [rp-18]."""
    assert _call("length", "x" * n) == n


def test_over_32_mib_is_refused_as_argument_and_as_result() -> None:
    """The text names the size; an argument without, a result with `remote` [rp-18]."""
    text = (
        "Error: Serialized RPC arguments or return values are limited to 32MiB,"
        " but the size of this value was: {} bytes."
    )
    assert _error("length", "x" * (LIMIT + 1)) == (text.format(LIMIT + 13), "")
    assert _error("big", LIMIT + 1) == (text.format(LIMIT + 8), "remote")
    assert _error("length", "x" * (LIMIT - 11)) == (text.format(LIMIT + 1), "")
    assert len(_call("big", LIMIT - 7)) == LIMIT - 7


def test_a_coroutine_result_is_awaited() -> None:
    """A plain method may return a coroutine; the caller gets its value."""
    assert _call("returns_coroutine") == 6


def test_an_async_generator_is_refused() -> None:
    """Async generators are not supported (FACTS 1.3)."""
    assert _error("generates")[1] == "remote"


def test_a_js_date_arrives_as_a_naive_datetime() -> None:
    """js.Date becomes datetime, UTC, milliseconds (FACTS 1.5)."""
    moment = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    back = _call("echo", js.Date.new(int(moment.timestamp() * 1000)))
    assert back == moment.replace(tzinfo=None)
