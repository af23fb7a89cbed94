"""Key-value data of an object that is not in memory, as bytes: a dict of one entry costs five times as much.

Values are what the structured clone makes (dosim.web.values); what has no place in the format (a Request, a value that
contains itself or one value twice) is not packed, and its object keeps the dict.
"""

from __future__ import annotations

import marshal
from datetime import datetime
from typing import Any

from dosim.web.values import JsBigInt, JsDict, StoredError

_PLAIN = frozenset((str, int, float, bool, type(None)))


class Unpackable(Exception):
    """The value has no place in the format."""


def pack(kv: dict[str, object]) -> bytes:
    """The entries as bytes. Raises Unpackable."""
    seen: set[int] = set()
    return marshal.dumps({key: _packed(value, seen) for key, value in kv.items()})


def unpack(image: bytes) -> dict[str, object]:
    """The entries that `pack` made bytes of."""
    return {key: _unpacked(value) for key, value in marshal.loads(image).items()}


def _packed(value: Any, seen: set[int]) -> object:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if id(value) in seen:
        raise Unpackable
    seen.add(id(value))
    if kind is JsDict:
        return {key: _packed(item, seen) for key, item in value.items()}
    if kind is list:
        return [_packed(item, seen) for item in value]
    if kind is set:
        return {_packed(item, seen) for item in value}
    if kind is memoryview:
        return bytes(value)
    if kind is datetime:
        return ("date", value.isoformat())
    if kind is JsBigInt:
        return ("bigint", int(value))
    if kind is StoredError:
        return ("error", value.text)
    raise Unpackable


def _unpacked(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return JsDict({key: _unpacked(item) for key, item in value.items()})
    if kind is list:
        return [_unpacked(item) for item in value]
    if kind is set:
        return {_unpacked(item) for item in value}
    if kind is bytes:
        return memoryview(value)
    if kind is tuple:
        return _TAGS[value[0]](value[1])
    return value


_TAGS: dict[str, Any] = {"date": datetime.fromisoformat, "bigint": JsBigInt, "error": StoredError}
