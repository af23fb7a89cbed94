"""The asynchronous key-value API: arguments, values, order, listing (RULES 2)."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from dosim import PortabilityWarning
from dosim.web.errors import JsException
from tests.storage.stories import inside, refused

USAGE = (
    "TypeError: put() may only be called with a single key-value pair and optional options as put(key, value, options)"
    " or with multiple key-value pairs and optional options as put(entries, options)"
)


def wrong(name: str, number: int, wanted: str) -> str:
    """The binding layer's text for an argument of the wrong type."""
    where = f"'{name}' on 'DurableObjectStorage'"
    return f"TypeError: Failed to execute {where}: parameter {number} is not of type '{wanted}'."


def test_missing_is_none() -> None:
    """get of a key that is not there is None; so is a stored None, but that key is listed."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        await storage.put("null", None)
        return [await storage.get("missing"), await storage.get("null"), list(await storage.list())]

    assert inside(story) == [None, None, ["null"]]


def test_several_keys_come_in_key_order() -> None:
    """get([..]) is in key order, not request order; missing keys are left out, duplicates come once."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        await storage.put({"b": 2, "a": 1, "c": 3})
        return [list(await storage.get(["c", "x", "a", "c", "b"])), await storage.get([])]

    assert inside(story) == [["a", "b", "c"], {}]


def test_several_keys_are_an_object_with_attributes() -> None:
    """get([..]) and list() give a JsDict: keys are attributes too."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        await storage.put({"b": 2, "a": 1})
        several, listed = await storage.get(["b", "a", "none"]), await storage.list()
        return [list(several), several.a, list(listed), listed.b, type(several).__name__, hasattr(several, "none")]

    assert inside(story) == [["a", "b"], 1, ["a", "b"], 2, "JsDict", False]


def test_put_without_value() -> None:
    """put() with a key alone is refused; with nothing at all it lacks its first parameter."""

    async def story(self: Any) -> Any:
        put = self.ctx.storage.put
        return [await refused(lambda: put("k")), await refused(put)]

    assert inside(story) == ["TypeError: put() called with undefined value.", wrong("put", 1, "string or object")]


def test_failures_are_rejections() -> None:
    """Every refusal of the asynchronous API comes when it is awaited, never at the call."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        calls = [
            storage.get(),
            storage.put(),
            storage.put("k"),
            storage.delete(),
            storage.list(limit=0),
            storage.list(start="a", startAfter="a"),
            storage.put("k", lambda: 1),
            storage.setAlarm("x"),
        ]
        assert all(inspect.isawaitable(call) for call in calls)
        return [type(e).__name__ for e in await asyncio.gather(*calls, return_exceptions=True)]

    assert inside(story) == ["JsException"] * 8


def test_wrong_arguments() -> None:
    """Missing first parameters and options that are no object are refused with the binding layer's texts."""

    async def story(self: Any) -> Any:
        s = self.ctx.storage
        return [
            await refused(s.get),
            await refused(s.delete),
            await refused(lambda: s.get("k", 5)),
            await refused(lambda: s.put("k", 1, "x")),
            await refused(lambda: s.delete("k", True)),
            await refused(lambda: s.list(7)),
            await refused(lambda: s.list("abc")),
        ]

    assert inside(story) == [
        wrong("get", 1, "string or Array"),
        wrong("delete", 1, "string or Array"),
        wrong("get", 2, "GetOptions"),
        wrong("put", 3, "PutOptions"),
        wrong("delete", 2, "PutOptions"),
        wrong("list", 1, "ListOptions"),
        wrong("list", 1, "ListOptions"),
    ]


def test_put_of_a_dict_takes_options_only() -> None:
    """put({..}, value) is refused; put({..}, {}) and put({..}, None) are fine."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        text = await refused(lambda: storage.put({"a": 1}, "x"))
        await storage.put({"b": 1}, {})
        await storage.put({"c": 1}, None)
        await storage.put({"d": 1}, allowUnconfirmed=True)
        return [text, list(await storage.list())]

    assert inside(story) == [USAGE, ["b", "c", "d"]]


def test_delete_reports() -> None:
    """delete(key) is whether it was there, delete([..]) how many were, duplicates counted once."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        await storage.put({"a": 1, "b": 2, "c": 3})
        return [
            await storage.delete("a"),
            await storage.delete("a"),
            await storage.delete(["b", "b", "x", "c"]),
            await storage.delete([]),
            len(await storage.list()),
        ]

    assert inside(story) == [True, False, 2, 0, 0]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (1, "1"),
        (5.0, "5"),
        (2.5, "2.5"),
        (1e21, "1e+21"),
        (True, "true"),
        (None, "null"),
        ("", ""),
        (-0.0, "0"),
        (float("nan"), "NaN"),
        ({"a": 1}, "[object Object]"),
    ],
)
def test_keys_are_coerced_to_text(key: Any, text: str) -> None:
    """A key is what JavaScript's String() makes of it; the empty key is legal."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        await storage.delete(key)
        if isinstance(key, dict):
            storage.kv.put(key, "v")
        else:
            await storage.put(key, "v")
        return [list(await storage.list()), await storage.get(text), await storage.get([key])]

    assert inside(story) == [[text], "v", {text: "v"}]


def test_options_change_no_value() -> None:
    """allowConcurrency, allowUnconfirmed and noCache are accepted, as keywords or as a dict."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        await storage.put("a", 1, allowUnconfirmed=True, allowConcurrency=True, noCache=True)
        await storage.put("b", 2, {"noCache": True})
        return [
            await storage.get("a", allowConcurrency=True),
            await storage.get(["b"], {"noCache": True}),
            await storage.list(noCache=True),
            await storage.delete("a", allowUnconfirmed=True),
            await storage.getAlarm(allowConcurrency=True),
            await storage.setAlarm(1_900_000_000_000, allowConcurrency=True),
            await storage.deleteAlarm(allowUnconfirmed=True),
            await storage.deleteAll(noCache=True),
        ]

    assert inside(story) == [1, {"b": 2}, {"a": 1, "b": 2}, True, None, None, None, None]


def test_a_snake_case_option_is_ignored_and_told() -> None:
    """list(start_after=...) is silently ignored on the platform; dosim warns, or raises on demand."""

    async def story(self: Any) -> Any:
        await self.ctx.storage.put({"a": 1, "b": 2})
        return list(await self.ctx.storage.list(start_after="a"))

    with pytest.warns(PortabilityWarning, match="start_after"):
        assert inside(story) == ["a", "b"]
    with pytest.raises(JsException, match=r"PortabilityError: .*start_after"):
        inside(story, portability="error")


def test_values_are_snapshots() -> None:
    """put copies at the call, get gives a fresh copy each time."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        value = {"n": [1]}
        writing = storage.put("k", value)
        value["n"].append(2)
        await writing
        first = await storage.get("k")
        first["n"].append(3)
        return await storage.get("k")

    assert inside(story) == {"n": [1]}


def test_all_values_are_cloned_before_the_first_is_written() -> None:
    """put({..}) with one value that cannot be stored writes nothing; nor does one that is too big."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        with pytest.warns(PortabilityWarning), pytest.raises(TypeError, match="cannot be sent over RPC"):
            storage.put({"a": 1, "b": (1, 2)})
        texts = [
            await refused(lambda: storage.put({"a": 1, "b": lambda: 1})),
            await refused(lambda: storage.put({"a": 1, "b": b"x" * 9_000_000})),
        ]
        return [texts, len(await storage.list())]

    texts, count = inside(story)

    assert texts[0].startswith("DataCloneError: ")
    assert texts[1] == "Error: string or blob too big: SQLITE_TOOBIG"
    assert count == 0


def test_many_keys_in_one_call_locally() -> None:
    """The local runtime has no limit of 128 keys a call."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        names = [f"k{i:03}" for i in range(200)]
        await storage.put(dict.fromkeys(names, 1))
        return [len(await storage.get(names)), await storage.delete(names)]

    assert inside(story) == [200, 200]


ORDERED = ["", "10", "9", "A", "B", "_", "a", "a1", "z", "é", "\uffff", "😀"]


def test_list_is_in_the_order_of_utf_8_bytes() -> None:
    """Code point order: U+FFFF comes before an emoji; the empty key is first. There is no default limit."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        await storage.put(dict.fromkeys(reversed(ORDERED), 0))
        return [[key for key, _ in storage.kv.list()], list(await storage.list())]

    assert inside(story) == [ORDERED, ORDERED]


LISTED: list[tuple[dict[str, Any], str]] = [
    ({}, "a aa ab b ba c"),
    ({"start": "ab"}, "ab b ba c"),
    ({"start": "abc"}, "b ba c"),
    ({"startAfter": "ab"}, "b ba c"),
    ({"startAfter": "abc"}, "b ba c"),
    ({"end": "b"}, "a aa ab"),
    ({"start": "aa", "end": "ba"}, "aa ab b"),
    ({"prefix": "a"}, "a aa ab"),
    ({"prefix": "a", "start": "aa"}, "aa ab"),
    ({"prefix": "a", "startAfter": "aa"}, "ab"),
    ({"prefix": "a", "end": "ab"}, "a aa"),
    ({"prefix": "a", "end": "z"}, "a aa ab"),
    ({"prefix": "a", "start": "b"}, ""),
    ({"prefix": "b", "start": "a"}, "b ba"),
    ({"prefix": ""}, "a aa ab b ba c"),
    ({"prefix": "x"}, ""),
    ({"start": "c", "end": "a"}, ""),
    ({"start": ""}, "a aa ab b ba c"),
    ({"end": ""}, ""),
    ({"limit": 2}, "a aa"),
    ({"limit": 100}, "a aa ab b ba c"),
    ({"limit": 1.9}, "a"),
    ({"limit": "2"}, "a aa"),
    ({"limit": True}, "a"),
    ({"reverse": True}, "c ba b ab aa a"),
    ({"reverse": True, "limit": 2}, "c ba"),
    ({"reverse": True, "start": "aa", "end": "ba"}, "b ab aa"),
    ({"reverse": True, "startAfter": "aa", "end": "ba"}, "b ab"),
    ({"reverse": True, "prefix": "a", "limit": 1}, "ab"),
    ({"reverse": 0}, "a aa ab b ba c"),
    ({"reverse": ""}, "a aa ab b ba c"),
    ({"reverse": "no"}, "c ba b ab aa a"),
    ({"start": 1}, "a aa ab b ba c"),
    ({"start": None}, ""),
    ({"end": None}, "a aa ab b ba c"),
]


@pytest.mark.parametrize(("options", "expected"), LISTED, ids=lambda value: str(value)[:40])
def test_list_options(options: dict[str, Any], expected: str) -> None:
    """start is inclusive, startAfter and end exclusive; reverse turns the walk round, limit counts in walk order."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        await storage.put(dict.fromkeys(["a", "aa", "ab", "b", "ba", "c"], 1))
        return [
            " ".join(await storage.list(**options)),
            " ".join(await storage.list(dict(options))),
            " ".join([key for key, _ in storage.kv.list(**options)]),
        ]

    assert inside(story) == [expected] * 3


def test_start_none_is_the_text_null() -> None:
    """A bound is coerced to text like a key: None is "null"."""

    async def story(self: Any) -> Any:
        await self.ctx.storage.put(dict.fromkeys(["m", "null", "z"], 1))
        return [list(await self.ctx.storage.list(start=None)), list(await self.ctx.storage.list(end=None))]

    assert inside(story) == [["null", "z"], ["m"]]


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf"), None, "x", 0.9, "", [], {}])
def test_limits_that_are_not_positive(limit: Any) -> None:
    """After ToInt32 a limit must be positive."""

    async def story(self: Any) -> Any:
        return [await refused(lambda: self.ctx.storage.list(limit=limit))]

    assert inside(story) == ["TypeError: List limit must be positive."]


@pytest.mark.parametrize("limit", [2**32, 2**31, -(2**31) - 1])
def test_limits_out_of_range(limit: int) -> None:
    """A limit beyond 32 bits is refused with its own text."""

    async def story(self: Any) -> Any:
        return await refused(lambda: self.ctx.storage.list(limit=limit))

    expected = "TypeError: Value out of range. Must be between -2147483648 and 2147483647 (inclusive)."
    assert inside(story) == expected


def test_start_and_start_after_together() -> None:
    """The two lower bounds exclude each other."""

    async def story(self: Any) -> Any:
        return await refused(lambda: self.ctx.storage.list(start="a", startAfter="b"))

    assert inside(story) == "TypeError: list() cannot be called with both start and startAfter values."


def test_the_result_of_list_is_a_snapshot() -> None:
    """Later writes do not change what list() gave."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        await storage.put("a", 1)
        listed = await storage.list()
        await storage.put({"a": 2, "b": 2})
        return listed

    assert inside(story) == {"a": 1}


def test_documented_number_of_keys_on_cloudflare() -> None:
    """On Cloudflare 128 keys a call are the most: get, put and delete."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        names = [f"k{i:03}" for i in range(129)]
        await storage.put(dict.fromkeys(names[:128], 1))
        assert len(await storage.get(names[:128])) == 128
        return [
            await refused(lambda: storage.put(dict.fromkeys(names, 1))),
            await refused(lambda: storage.get(names)),
            await refused(lambda: storage.delete(names)),
        ]

    text = "RangeError: Maximum number of key value pairs is 128. 129 pairs were provided."
    assert inside(story, platform="cloudflare") == [text] * 3


def test_documented_size_on_cloudflare() -> None:
    """On Cloudflare a key and its value may have 2 MB together."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        await storage.put("k", b"x" * 2_000_000)
        return await refused(lambda: storage.put("k", b"x" * 2_097_152))

    assert inside(story, platform="cloudflare") == "Error: string or blob too big: SQLITE_TOOBIG"
