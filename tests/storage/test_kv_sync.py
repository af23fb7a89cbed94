"""`ctx.storage.kv`: synchronous, one key a call, live listing (RULES 2)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dosim.web.errors import JsException
from tests.storage.stories import INTERNAL_ERROR, inside, refused

INVALIDATED = (
    "Error: kv.list() iterator was invalidated because a new call to kv.list() was started. Only one kv.list() iterator"
    " can exist at a time."
)


def wrong(name: str, number: int, wanted: str) -> str:
    """The binding layer's text for an argument of the wrong type."""
    return f"TypeError: Failed to execute '{name}' on 'SyncKvStorage': parameter {number} is not of type '{wanted}'."


def test_same_data_as_the_asynchronous_api() -> None:
    """What one API writes the other reads."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        storage.kv.put("a", [1])
        await storage.put("b", 2)
        return [await storage.get("a"), storage.kv.get("b"), storage.kv.delete("a"), await storage.delete("b")]

    assert inside(story) == [[1], 2, True, True]


def test_basics() -> None:
    """put is None, get of a missing key None, delete whether it was there."""

    async def story(self: Any) -> Any:
        kv = self.ctx.storage.kv
        return [kv.put("k", None), kv.get("k"), kv.get("x"), kv.delete("k"), kv.delete("k"), list(kv.list())]

    assert inside(story) == [None, None, None, True, False, []]


def test_one_key_a_call() -> None:
    """A list is no several keys: it is coerced to one text."""

    async def story(self: Any) -> Any:
        kv = self.ctx.storage.kv
        kv.put(["a", "b"], 1)
        kv.put(None, 2)
        return [list(kv.list()), kv.get(["a", "b"]), kv.get("a,b"), kv.delete(["a", "b"])]

    assert inside(story) == [[["a,b", 1], ["null", 2]], 1, 1, True]


def test_errors_come_at_the_call() -> None:
    """Wrong arguments are raised at once, in the binding layer's words."""

    async def story(self: Any) -> Any:
        kv = self.ctx.storage.kv
        found = []
        for call in (kv.get, kv.put, kv.delete, lambda: kv.put("k"), lambda: kv.list(limit=0), lambda: kv.list(5)):
            with pytest.raises(JsException) as caught:
                call()
            found.append(str(caught.value))
        return found

    assert inside(story) == [
        wrong("get", 1, "string"),
        wrong("put", 1, "string"),
        wrong("delete", 1, "string"),
        wrong("put", 2, "Value"),
        "TypeError: List limit must be positive.",
        wrong("list", 1, "ListOptions"),
    ]


def test_values_are_cloned() -> None:
    """put copies, get gives fresh copies, functions are refused."""

    async def story(self: Any) -> Any:
        kv = self.ctx.storage.kv
        value = [1]
        kv.put("k", value)
        value.append(2)
        kv.get("k").append(3)
        return [kv.get("k"), await refused(lambda: kv.put("f", lambda: 1))]

    value, text = inside(story)

    assert value == [1]
    assert text.startswith("DataCloneError: ")


def test_the_listing_is_live() -> None:
    """An iterator sees inserts ahead of it, skips deletes, and does not see inserts behind it."""

    async def story(self: Any) -> Any:
        kv = self.ctx.storage.kv
        for key in "bdf":
            kv.put(key, key)
        seen = []
        for key, _ in kv.list():
            seen.append(key)
            if key == "b":
                kv.put("a", 1)
                kv.put("c", 1)
                kv.delete("d")
        return seen

    assert inside(story) == ["b", "c", "f"]


def test_a_live_listing_backwards_with_a_limit() -> None:
    """reverse and limit count as the iterator goes."""

    async def story(self: Any) -> Any:
        kv = self.ctx.storage.kv
        for key in "abcd":
            kv.put(key, key)
        listing = iter(kv.list(reverse=True, limit=3))
        first = next(listing)[0]
        kv.delete("c")
        return [first, *[key for key, _ in listing]]

    assert inside(story) == ["d", "b", "a"]


def test_next_as_in_javascript() -> None:
    """next() gives {"done", "value"}; after the end it stays done."""

    async def story(self: Any) -> Any:
        self.ctx.storage.kv.put("a", 1)
        listing = self.ctx.storage.kv.list()
        return [listing.next(), listing.next(), listing.next()]

    end = {"done": True, "value": None}
    assert inside(story) == [{"done": False, "value": ["a", 1]}, end, end]


@pytest.mark.parametrize("other", ["kv.list()", "list()"])
def test_a_new_listing_ends_the_old_iterator(other: str) -> None:
    """Any new kv.list() or list() invalidates the iterator that is open."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        storage.kv.put("a", 1)
        storage.kv.put("b", 1)
        listing = storage.kv.list()
        listing.next()
        if other == "list()":
            await storage.list()
        else:
            storage.kv.list()
        return await refused(listing.next)

    assert inside(story) == INVALIDATED


def test_a_listing_that_ended_is_not_invalidated() -> None:
    """An iterator at its end just stays at its end."""

    async def story(self: Any) -> Any:
        kv = self.ctx.storage.kv
        kv.put("a", 1)
        ended = kv.list()
        assert len(list(ended)) == 1
        kv.list()
        return ended.next()

    assert inside(story) == {"done": True, "value": None}


def test_delete_all_breaks_an_open_iterator() -> None:
    """Going on with an iterator after deleteAll is an internal error."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        storage.kv.put("a", 1)
        storage.kv.put("b", 1)
        listing = storage.kv.list()
        listing.next()
        await storage.deleteAll()
        return await refused(listing.next)

    assert re.fullmatch(INTERNAL_ERROR, inside(story))
