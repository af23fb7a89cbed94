"""The structured clone as Python Workers see it: what survives storage and RPC, what changes, what is refused.

`clone(value)` is `python_to_rpc`, the platform's structured clone and `python_from_rpc` in one pass. Observed on
workers-runtime-sdk 1.9.5 in workerd 2026-11-17: integral floats become int, bytes become memoryview, dict keys become
text (array indexes first, in numeric order), tuples and bytearrays are refused at the call, a datetime loses its zone
and its microseconds. Identity and cycles inside one value are kept.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from dosim.web.errors import JsException, noted

#: Integers from here on are a JavaScript BigInt. Source: FACTS of Pyodide 314, observed.
BIGINT_FROM = 2**53 - 1
_ATOMS = frozenset((str, bool, type(None)))


class JsDict(dict[str, Any]):
    """A JavaScript object or Map in Python: a dict whose keys are attributes too (`workers.rpc.JsDict`)."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


JsDict.__module__ = "workers.rpc"


class JsBigInt(int):
    """An integer beyond 2^53 - 2 in size: a BigInt in JavaScript (`pyodide.ffi.JsBigInt`); not allowed in SQL."""


JsBigInt.__module__ = "pyodide.ffi"


class StoredError:
    """An exception as storage keeps it: its text. Read back it is an `Exception("Error: text")` (recorded)."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Transferable(Protocol):
    """A value with its own way to the other side: Request, Response, Blob, a function stub."""

    def transfer(self) -> Transferable: ...


#: What `clone` does with a value that is no data: a function in RPC becomes a stub, in storage it is refused.
Other = Callable[[object], object]


def clone(value: object, other: Other | None = None) -> Any:
    """An independent copy of `value`, as the other side reads it.

    `other` is asked about functions and about values that are no plain data; without it they are refused.
    Raises TypeError for what the SDK refuses at the call, `JsException` named DataCloneError for the rest.
    """
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is int:
        return value if -BIGINT_FROM < value < BIGINT_FROM else JsBigInt(value)  # type: ignore[operator,call-overload]
    if kind is float:
        return _number(value)  # type: ignore[arg-type]
    return _clone(value, Copies(), other or refuse)


def weighed_clone(value: object, other: Other) -> tuple[Any, int]:
    """`clone`, and a number of bytes that the copy, serialised, does not exceed: found on the way, for nothing."""
    if type(value) is str:
        return value, 16 + 2 * len(value)
    if value is None or isinstance(value, (bool, int, float)):
        return clone(value, other), 16
    copies = Copies()
    return _clone(value, copies, other), copies.bound_bytes


class Copies(dict[int, object]):
    """What one clone has copied already, by address, and a bound of its size serialised.

    16 bytes a value or key cover every tag, length and number; text takes up to two bytes a character.
    """

    __slots__ = ("bound_bytes",)

    def __init__(self) -> None:
        self.bound_bytes = 16


def _number(value: float) -> int | float:
    return int(value) if value.is_integer() and abs(value) <= BIGINT_FROM else value


def _clone(value: Any, seen: Copies, other: Other) -> Any:
    kind = type(value)
    if kind is str:
        seen.bound_bytes += 2 * len(value)
        return value
    if kind in _ATOMS:
        return value
    if kind is int:
        return value if -BIGINT_FROM < value < BIGINT_FROM else JsBigInt(value)
    if kind is float:
        return _number(value)
    known = seen.get(id(value))
    if known is not None:
        return known
    if isinstance(value, dict):
        return _clone_dict(value, seen, other)
    if isinstance(value, list):
        return _clone_list(value, seen, other)
    return _clone_rare(value, seen, other)


def _clone_list(value: list[object], seen: Copies, other: Other) -> list[object]:
    copy: list[object] = []
    seen[id(value)] = copy
    bound_bytes = 16 * len(value)
    for item in value:
        kind = type(item)
        if kind is str:
            bound_bytes += 2 * len(item)  # type: ignore[arg-type]
            copy.append(item)
        else:
            copy.append(item if kind in _ATOMS else _clone(item, seen, other))
    seen.bound_bytes += bound_bytes
    return copy


def _clone_dict(value: Mapping[object, object], seen: Copies, other: Other) -> JsDict:
    copy = JsDict()
    seen[id(value)] = copy
    bound_bytes = 32 * len(value)
    for key, item in value.items():
        text = key if type(key) is str else key_text(key)
        bound_bytes += 2 * len(text)
        kind = type(item)
        if kind is str:
            bound_bytes += 2 * len(item)  # type: ignore[arg-type]
            copy[text] = item
        elif kind is int and -BIGINT_FROM < item < BIGINT_FROM:  # type: ignore[operator]
            copy[text] = item
        else:
            copy[text] = item if kind in _ATOMS else _clone(item, seen, other)
    seen.bound_bytes += bound_bytes
    if any(map(str.isdigit, copy)):
        order = sorted((k for k in copy if is_index(k)), key=int) + [k for k in copy if not is_index(k)]
        if order != list(copy):
            items = {k: copy[k] for k in order}
            copy.clear()
            copy.update(items)
    return copy


def _clone_rare(value: Any, seen: Copies, other: Other) -> Any:
    """Everything that is no atom, dict or list."""
    _refuse_as_sdk(value)
    if isinstance(value, str):
        seen.bound_bytes += 2 * len(value)
        return str.__str__(value)
    if isinstance(value, (int, float)):
        return _base_number(value)
    if isinstance(value, (bytes, memoryview)):
        return _buffer(bytes(value), seen)
    if isinstance(value, set):
        seen.bound_bytes += 16 * len(value)
        return {_clone(item, seen, other) for item in value}
    if isinstance(value, datetime):
        return js_date(value)
    if isinstance(value, StoredError):
        seen.bound_bytes += 2 * len(value.text)
        return Exception(f"Error: {value.text}")
    kind = type(value)
    if hasattr(kind, "as_plain"):
        plain = value.as_plain()
        seen.setdefault(0, []).append(plain)  # type: ignore[attr-defined]  # kept: another one must not get its address
        copy = seen[id(value)] = _clone(plain, seen, other)
        return copy
    if hasattr(kind, "to_bytes"):
        return _buffer(value.to_bytes(), seen)
    if isinstance(value, Exception) and not hasattr(kind, "transfer"):
        text = str(value)
        seen.bound_bytes += 2 * len(text)
        return StoredError(text) if getattr(other, "stores", False) else Exception(f"Error: {text}")
    return other(value)


def _buffer(data: bytes, seen: Copies) -> memoryview:
    seen.bound_bytes += 2 * len(data)
    return memoryview(data)


def _refuse_as_sdk(value: object) -> None:
    """Raises TypeError for what the SDK refuses before anything is sent: tuples, bytearrays, awaitables."""
    if isinstance(value, (tuple, bytearray)):
        base = "list" if isinstance(value, tuple) else "bytes"
        raise noted(
            TypeError(f"{type(value)} cannot be sent over RPC."), f"{value!r:.80} cannot cross: send {base}(value)."
        )
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()
        raise noted(
            TypeError(f"Awaitable {type(value)} cannot be sent over RPC."),
            "An await is missing: await it first, and send what it gives.",
        )
    if isinstance(value, frozenset):
        for item in value:
            _refuse_as_sdk(item)


def _base_number(value: float) -> Any:
    """A number of a subclass (IntEnum, numpy's scalars) as its base; a BigInt stays one."""
    if isinstance(value, JsBigInt):
        return JsBigInt(value)
    return clone(int(value)) if isinstance(value, int) else _number(float(value))


def refuse(value: object) -> object:
    """Storage's answer to a function or an object of one's own. Raises DataCloneError."""
    error = JsException("[object Object] could not be cloned.", "DataCloneError")
    raise noted(error, f"It is a {type(value).__name__}: storage keeps plain data, so store a dict of its fields.")


def js_date(value: datetime) -> datetime:
    """A datetime as JavaScript's Date keeps it: UTC without zone, whole milliseconds (cut, not rounded)."""
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def is_index(key: str) -> bool:
    """True for a JavaScript array index, which an object lists first, in numeric order."""
    return key.isascii() and key.isdigit() and (key == "0" or key[0] != "0") and int(key) < 2**32 - 1


def key_text(key: object) -> str:
    """A dict key as the text that JavaScript makes of it: None is "undefined" here (recorded)."""
    return "undefined" if key is None else js_text(key)


def js_text(value: object) -> str:
    """`String(value)` of a converted value: True is "true", 5.0 is "5", None is "null", a list is joined by commas."""
    if isinstance(value, str):
        return str.__str__(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return number_text(float(value)) if abs(value) < BIGINT_FROM else str(int(value))
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, list):
        return ",".join("" if item is None else js_text(item) for item in value)
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo is not None else value
        return moment.strftime("%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)")
    if isinstance(value, (memoryview, bytes)):
        return ",".join(map(str, bytes(value)))
    if isinstance(value, set):
        return "[object Set]"
    return "[object Object]"


def number_text(value: float) -> str:
    """A number as JavaScript prints it."""
    if math.isnan(value):
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    text = repr(value)
    if "e" in text:
        digits, exponent = text.split("e")
        power = int(exponent)
        if -7 <= power < 0:
            return f"{value:.{len(digits.replace('.', '').lstrip('-')) - power - 1}f}".rstrip("0")
        return f"{digits.removesuffix('.0')}e{'+' if power > 0 else '-'}{abs(power)}"
    return text
