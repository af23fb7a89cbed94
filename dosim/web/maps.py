"""What Headers, FormData and URLSearchParams share: entries in order, iterators over them, and Python's brackets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

from dosim.web.interface import JsInterface
from dosim.web.proxies import JsObject

T = TypeVar("T")


class JsIterator(JsInterface, Generic[T]):
    """Read once: by `for`, by `list()`, or as JavaScript does, by `next()` with its `done` and `value`."""

    js_name = "Iterator"
    __slots__ = ("_items",)

    def __init__(self, items: Iterable[T]) -> None:
        self._items = iter(items)

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        return next(self._items)

    def next(self) -> JsObject:
        """The next step: a `value`, or that it is `done`."""
        for value in self._items:
            return JsObject({"done": False, "value": value})
        return JsObject({"done": True, "value": None})


class JsMapLike(JsInterface, Generic[T]):
    """A JavaScript object of entries. What has `get`, `has` and `set` can be indexed (documented: pyodide.ffi.JsProxy).

    Subclasses have `listed`, `get`, `has` and `set`.
    """

    __slots__ = ()
    get: Any
    has: Any
    set: Any

    def listed(self) -> list[tuple[str, T]]:
        """(name, value) of each entry, in JavaScript's order."""
        raise NotImplementedError

    def entries(self) -> JsIterator[tuple[str, T]]:
        return JsIterator(self.listed())

    def keys(self) -> JsIterator[str]:
        return JsIterator([name for name, _ in self.listed()])

    def values(self) -> JsIterator[T]:
        return JsIterator([value for _, value in self.listed()])

    def __iter__(self) -> Iterator[tuple[str, T]]:
        return iter(self.listed())

    def __getitem__(self, name: str) -> Any:
        return self.get(name)

    def __setitem__(self, name: str, value: object) -> None:
        self.set(name, value)

    def __contains__(self, name: object) -> bool:
        return bool(self.has(name))
