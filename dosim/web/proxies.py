"""JavaScript data that Python holds unconverted: objects, arrays, null (`pyodide.ffi.JsProxy`), and `to_js`.

Where the platform does not convert (what `ctx` itself returns, attachments, a raw transaction), Python sees these:
attributes instead of keys, `to_py()` to convert.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from dosim.web.buffers import JsUint8Array
from dosim.web.interface import Constructor, interface_name
from dosim.web.values import JsDict, clone, key_text


class JsNull:
    """JavaScript's null (`pyodide.ffi.jsnull`): falsy, and not None."""

    def toString(self) -> str:
        return "null"

    def __bool__(self) -> bool:
        return False

    def as_plain(self) -> None:
        """What the structured clone makes of it."""

    def __repr__(self) -> str:
        return "jsnull"


jsnull = JsNull()


class JsObject:
    """A plain JavaScript object: its properties are attributes."""

    constructor = Constructor("Object")

    def __init__(self, properties: dict[str, Any]) -> None:
        self.__dict__.update(properties)

    def to_py(self, **_: object) -> dict[str, Any]:
        """A Python dict of it, nested ones too."""
        return {name: _to_py(value) for name, value in self.__dict__.items()}

    def object_keys(self) -> list[str]:
        return list(self.__dict__)

    def object_values(self) -> list[Any]:
        return list(self.__dict__.values())

    def object_entries(self) -> list[list[Any]]:
        return [[name, value] for name, value in self.__dict__.items()]

    def as_plain(self) -> dict[str, Any]:
        """The properties, for the structured clone."""
        return dict(self.__dict__)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return "[object Object]"

    __repr__ = __str__


class JsArray:
    """A JavaScript array."""

    constructor = Constructor("Array")

    def __init__(self, items: list[Any]) -> None:
        self._items = items

    @property
    def length(self) -> int:
        return len(self._items)

    def push(self, *items: Any) -> int:
        self._items.extend(items)
        return len(self._items)

    def to_py(self, **_: object) -> list[Any]:
        return [_to_py(item) for item in self._items]

    def as_plain(self) -> list[Any]:
        return list(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Any:
        return self._items[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __str__(self) -> str:
        return ",".join(map(str, self._items))

    __repr__ = __str__


def _to_py(value: Any) -> Any:
    if value is jsnull:
        return None
    if isinstance(value, (JsObject, JsArray)):
        return value.to_py()
    return value


def to_js(value: Any, *, dict_converter: Callable[[Any], Any] | None = None, **_: object) -> Any:
    """`pyodide.ffi.to_js`: dicts become plain objects (Pyodide 314), lists and tuples arrays, bytes a Uint8Array."""
    if isinstance(value, dict):
        properties = {key_text(key): to_js(item, dict_converter=dict_converter) for key, item in value.items()}
        return JsObject(properties)
    if isinstance(value, (list, tuple)):
        return JsArray([to_js(item, dict_converter=dict_converter) for item in value])
    if isinstance(value, (bytes, bytearray, memoryview)):
        return JsUint8Array(bytes(value))
    return value


def raw(value: Any) -> Any:
    """A converted value as JavaScript's own: what unconverted results look like in Python."""
    if value is None:
        return jsnull
    if isinstance(value, JsDict):
        return JsObject({name: raw(item) for name, item in value.items()})
    if isinstance(value, list):
        return JsArray([raw(item) for item in value])
    if isinstance(value, memoryview):
        return JsUint8Array(bytes(value))
    return value


def clone_raw(value: Any) -> Any:
    """The structured clone of an argument that is not converted first. Raises DataCloneError for Python objects."""
    from dosim.web.errors import JsException

    plain = (str, int, float, bool, datetime, JsObject, JsArray, JsNull)
    if value is None or isinstance(value, plain) or interface_name(value) is not None:
        return clone(value)
    raise JsException("[object Object] could not be cloned.", "DataCloneError")
