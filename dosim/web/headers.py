"""HTTP headers with JavaScript's interface: names without case, repeated values joined by ", ", Set-Cookie apart.

Texts of the errors: workerd api/headers.c++ of August 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from dosim.web.errors import type_error
from dosim.web.interface import argument_text
from dosim.web.maps import JsMapLike
from dosim.web.proxies import JsNull, JsObject, jsnull

_TOKEN = re.compile(r"""[^\x00-\x20\x7f()<>@,;:\\"/\[\]?={}]*""")
_BAD_VALUE = re.compile(r"[\x00\r\n]")
_WHITESPACE = " \t\r\n"


class JsHeaders(JsMapLike[str]):
    """`js.Headers`. Iterates over `(name, value)`, names in lower case and sorted.

    The headers of a request that arrived, of a fetched response and of `Response.redirect` are immutable.
    """

    js_name = "Headers"
    __slots__ = ("_values", "immutable")

    def __init__(self) -> None:
        self._values: dict[str, tuple[str, ...]] = {}
        self.immutable = False

    @classmethod
    def new(cls, init: object = None) -> JsHeaders:
        """Headers from a dict or an object, from (name, value) pairs or from other Headers; always mutable."""
        self = cls()
        if init is None:
            return self
        if isinstance(init, JsHeaders):
            self._values = init._values.copy()
            return self
        for name, value in _pairs(init):
            self.append(name, value)
        return self

    def clone(self) -> JsHeaders:
        """A copy that is immutable if this is."""
        copy = JsHeaders.new(self)
        copy.immutable = self.immutable
        return copy

    def delivered(self) -> JsHeaders:
        """The immutable copy that the other side of a fetch gets."""
        copy = JsHeaders()
        copy._values = self._values.copy()
        copy.immutable = True
        return copy

    def get(self, name: str) -> str | JsNull:
        """The value as JavaScript has it: `jsnull` when there is none."""
        values = self._values.get(_key(name))
        return jsnull if values is None else ", ".join(values)

    def find(self, name: str) -> str | None:
        """The value as Python has it: None when there is none."""
        values = self._values.get(_key(name))
        return None if values is None else ", ".join(values)

    def has(self, name: str) -> bool:
        return _key(name) in self._values

    def set(self, name: str, value: object) -> None:
        self._check_mutable()
        self._values[_key(name)] = (_value(value),)

    def append(self, name: object, value: object) -> None:
        self._check_mutable()
        text = _value(value)
        key = _key(name)
        self._values[key] = (*self._values.get(key, ()), text)

    def delete(self, name: str) -> None:
        self._check_mutable()
        self._values.pop(_key(name), None)

    def getSetCookie(self) -> list[str]:
        return list(self._values.get("set-cookie", ()))

    def getAll(self, name: str) -> list[str]:
        if _key(name) != "set-cookie":
            raise type_error('getAll() can only be used with the header name "Set-Cookie".')
        return self.getSetCookie()

    def listed(self) -> list[tuple[str, str]]:
        """(name, value) for each name, sorted; one entry for each Set-Cookie."""
        found: list[tuple[str, str]] = []
        for name in sorted(self._values):
            values = self._values[name]
            if name == "set-cookie":
                found.extend((name, value) for value in values)
            else:
                found.append((name, ", ".join(values)))
        return found

    def add_missing(self, key: str, text: str) -> None:
        """Sets a header that is not there yet; key in lower case and text are trusted, immutable or not."""
        self._values.setdefault(key, (text,))

    def _check_mutable(self) -> None:
        if self.immutable:
            raise type_error("Can't modify immutable headers.")


def _pairs(init: object) -> Iterable[tuple[object, object]]:
    if isinstance(init, JsObject):
        return list(init.as_plain().items())
    items = getattr(init, "items", None)
    if isinstance(init, Mapping) or (callable(items) and not isinstance(init, (str, bytes))):
        return list(items()) if callable(items) else []
    if isinstance(init, Iterable) and not isinstance(init, (str, bytes)):
        return [_pair(entry) for entry in init]
    raise type_error(
        "Failed to construct 'Headers': constructor parameter 1 is not of type 'Headers', 'Array', or 'Object'."
    )


def _pair(entry: object) -> tuple[object, object]:
    parts = list(entry) if isinstance(entry, Iterable) and not isinstance(entry, (str, bytes)) else []
    if len(parts) != 2:
        raise type_error(
            "To initialize a Headers object from a sequence, each inner sequence must have exactly two elements."
        )
    return parts[0], parts[1]


def _key(name: object) -> str:
    return _text_key(name if type(name) is str else argument_text(name))


@lru_cache(maxsize=1024)
def _text_key(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise type_error("Invalid header name.")
    return text.lower()


def _value(value: object) -> str:
    text = (value if type(value) is str else argument_text(value)).strip(_WHITESPACE)
    if _BAD_VALUE.search(text):
        raise type_error("Invalid header value.")
    return text
