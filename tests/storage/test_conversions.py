"""What Python values become in storage and back (RULES 2 and RULES-python; FACTS 1.5)."""
# ruff: noqa: DTZ001 (Python Workers take datetimes without a zone as UTC)

from __future__ import annotations

import asyncio
import enum
import math
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dosim import PortabilityWarning
from dosim.web.proxies import clone_raw, to_js
from dosim.workers import Request, Response
from tests.storage.stories import inside, refused


def stored(value: Any) -> Any:
    """The value after a put and a get, looked at inside the object."""
    found: list[Any] = []

    async def story(self: Any) -> None:
        await self.ctx.storage.put("k", value)
        found.append(await self.ctx.storage.get("k"))

    inside(story)
    return found[0]


class Colour(enum.IntEnum):
    RED = 1


class Name(enum.StrEnum):
    ANN = "ann"


class Shade(enum.Enum):
    DARK = 1


@dataclass
class Point:
    x: int


class Pair(NamedTuple):
    x: int


class Own:
    pass


BIG = 2**53 - 1
SAME: list[Any] = [0, -7, 1.5, True, False, None, "", "é😀", "\ud800", BIG - 1, 1 - BIG, [], [1, [2, None]], {}, {1, 2}]
CHANGED: list[tuple[Any, Any, str]] = [
    (1.0, 1, "int"),
    (-0.0, 0, "int"),
    (1e300, 1e300, "float"),
    (float(2**53), float(2**53), "float"),
    (math.inf, math.inf, "float"),
    (BIG, BIG, "JsBigInt"),
    (-BIG, -BIG, "JsBigInt"),
    (2**80, 2**80, "JsBigInt"),
    (b"ab", b"ab", "memoryview"),
    (memoryview(b"ab"), b"ab", "memoryview"),
    (Colour.RED, 1, "int"),
    (Name.ANN, "ann", "str"),
    ({"a": 1}, {"a": 1}, "JsDict"),
    (OrderedDict(b=1, a=2), {"b": 1, "a": 2}, "JsDict"),
    (defaultdict(int, a=1), {"a": 1}, "JsDict"),
]


@pytest.mark.parametrize("value", SAME, ids=repr)
def test_what_comes_back_the_same(value: Any) -> None:
    """Plain values come back equal and of the same type."""
    back = stored(value)

    assert back == value
    assert isinstance(back, type(value))


@pytest.mark.parametrize(("value", "back", "kind"), CHANGED, ids=lambda v: type(v).__name__)
def test_what_comes_back_as_something_else(value: Any, back: Any, kind: str) -> None:
    """Integral floats become int, bytes memoryview, big integers BigInt, dicts JsDict, subclasses their base."""
    found = stored(value)

    assert found == back
    assert type(found).__name__ == kind


def test_nan() -> None:
    """NaN stays NaN."""
    assert math.isnan(stored(math.nan))


def test_dict_keys_become_text() -> None:
    """Keys are text; None is "undefined"; array indexes come first, in numeric order."""
    assert list(stored({"z": 1, "10": 1, "a": 1, "9": 1})) == ["9", "10", "z", "a"]
    assert list(stored({1: "a", None: "b", 2.5: "c"})) == ["1", "undefined", "2.5"]
    assert list(stored({"01": 0, "4294967295": 0, "4294967294": 0, "-1": 0})) == [
        "4294967294",
        "01",
        "4294967295",
        "-1",
    ]


def test_attributes_of_an_object() -> None:
    """A stored dict comes back with attribute access, nested ones too; a missing name is an AttributeError."""
    back = stored({"a": {"b": [{"c": 1}]}})

    assert back.a.b[0].c == 1
    assert not hasattr(back, "x")


@pytest.mark.parametrize("value", [(1, 2), [(1,)], {"a": (1,)}, bytearray(b"x"), Pair(1)], ids=repr)
def test_tuples_and_bytearrays_are_refused_at_the_call(value: Any) -> None:
    """A TypeError of the SDK, before the call is made; dosim warns with the portable spelling."""

    async def story(self: Any) -> Any:
        with pytest.warns(PortabilityWarning, match="lists and bytes"), pytest.raises(TypeError) as caught:
            self.ctx.storage.put("k", value)
        return [str(caught.value), await self.ctx.storage.get("k")]

    text, found = inside(story)

    assert text.endswith("cannot be sent over RPC.")
    assert found is None


def test_tuples_are_accepted_when_friendly() -> None:
    """portability="friendly" takes the Python value, and still warns."""

    async def story(self: Any) -> Any:
        await self.ctx.storage.put("k", {"a": (1, bytearray(b"x"))})
        return await self.ctx.storage.get("k")

    with pytest.warns(PortabilityWarning):
        assert inside(story, portability="friendly") == {"a": [1, b"x"]}


@pytest.mark.parametrize(
    "value",
    [
        frozenset({1}),
        date(2026, 1, 1),
        1j,
        range(3),
        Own(),
        Own,
        Point(1),
        Shade.DARK,
        Decimal("1.5"),
        Fraction(1, 2),
        Path("x"),
        timedelta(1),
        (n for n in "ab"),
        len,
        lambda: 1,
        iter([1]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_cloned(value: Any) -> None:
    """Functions and objects of one's own are a DataCloneError, alone and nested; nothing is written."""

    async def story(self: Any) -> Any:
        put = self.ctx.storage.put
        texts = [await refused(lambda: put("k", value)), await refused(lambda: put("k", [value]))]
        return [texts, await self.ctx.storage.get("k")]

    texts, found = inside(story)

    assert [text.split(":")[0] for text in texts] == ["DataCloneError", "DataCloneError"]
    assert found is None


def test_dates() -> None:
    """A datetime loses its zone (converted to UTC) and its microseconds (cut, not rounded)."""
    east = timezone(timedelta(hours=2))

    assert stored(datetime(2026, 1, 2, 3, 4, 5, 678_999)) == datetime(2026, 1, 2, 3, 4, 5, 678_000)
    assert stored(datetime(2026, 1, 2, 3, 4, 5, tzinfo=east)) == datetime(2026, 1, 2, 1, 4, 5)
    assert stored(datetime(2026, 1, 2, tzinfo=UTC)).tzinfo is None


def test_exceptions_come_back_as_text() -> None:
    """A stored exception comes back as Exception("Error: message"), its class lost."""
    back = stored(ValueError("bad"))

    assert type(back) is Exception
    assert str(back) == "Error: bad"


def test_identity_within_a_value() -> None:
    """Cycles and shared references are kept inside one value, not between values."""
    cycle: list[Any] = [1]
    cycle.append(cycle)
    shared = {"n": 1}
    back = stored(cycle)
    twice = stored([shared, shared])

    assert back[1] is back
    assert twice[0] is twice[1]


def test_a_cycle_in_a_batch() -> None:
    """A cyclic value can be stored in the dict form too."""
    cycle: dict[str, Any] = {}
    cycle["me"] = cycle

    async def story(self: Any) -> Any:
        await self.ctx.storage.put({"a": cycle})
        back = await self.ctx.storage.get("a")
        return back["me"] is back

    assert inside(story) is True


def test_awaitables_are_refused() -> None:
    """A coroutine that was not awaited is no value."""

    async def story(self: Any) -> Any:
        with pytest.warns(PortabilityWarning), pytest.raises(TypeError):
            self.ctx.storage.put("k", asyncio.sleep(0))
        return await self.ctx.storage.get("k")

    assert inside(story) is None


def test_requests_and_blobs() -> None:
    """A Request can be stored; a Response is a body, a Blob has no serialisation."""
    from dosim.workers import Blob

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        await storage.put("request", Request("https://example.com/a", method="POST"))
        found = await storage.get("request")
        return [found.url, await refused(lambda: storage.put("blob", Blob(["x"])))]

    assert inside(story) == [
        "https://example.com/a",
        'DataCloneError: Could not serialize object of type "Blob". This type does not support serialization.',
    ]
    assert Response("x") is not None


def test_an_awaited_storage_value_can_be_changed_and_stored_again() -> None:
    """What get() returned is an ordinary value for put()."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        await storage.put("k", {"list": [1], "bytes": b"x"})
        value = await storage.get("k")
        value.list.append(2)
        value["new"] = 1
        await storage.put("k", value)
        return await storage.get("k")

    assert inside(story) == {"list": [1, 2], "bytes": b"x", "new": 1}


def test_objects_of_javascript_side_by_side_stay_apart() -> None:
    """The clone of `{a: {x}, b: {y}}` made of raw objects has both; it once gave `b` the copy of `a`."""
    value = {"a": {"id": "ann", "tags": ["ann", "a"], "uri": "u"}, "b": {"path": "x"}, "c": [{"n": 1}, {"m": 2}]}
    for _ in range(50):
        assert value == clone_raw(to_js(value))


def test_an_object_of_javascript_that_is_there_twice_is_there_twice() -> None:
    """Identity within one clone is kept for raw objects as for dicts."""
    one = to_js({"n": 1})
    first, second = clone_raw(to_js([one, one]))

    assert first is second
