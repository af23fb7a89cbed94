"""Arguments of bindings beside the objects, on their way from Python through the SDK to the runtime's own types.

Two steps, as on the platform. `sent`: what workers-runtime-sdk 1.9.5 hands to JavaScript. The rest: what workerd's
binding layer (src/workerd/jsg) makes of it, where None is JavaScript's null and an absent argument is undefined.
Observed by running workerd 1.20260426.1 with miniflare 4.20260426.0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.message import Message
from typing import TYPE_CHECKING, Any, Final

from dosim.kernel.loop import SCOPE
from dosim.runtime.kv_arguments import parameter_error
from dosim.web.errors import JsException, noted, type_error
from dosim.web.headers import JsHeaders
from dosim.web.proxies import jsnull
from dosim.web.values import clone, js_text

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.world import World


class Undefined:
    """JavaScript's undefined: an argument that was not given."""


UNDEFINED: Final = Undefined()


def sent(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """The arguments that JavaScript gets: converted, keyword arguments as one trailing object.

    Raises TypeError for what the SDK refuses at the call: tuples, bytearrays, awaitables.
    """
    if kwargs:
        args = (*args, dict(kwargs))
    return tuple([clone(arg, _as_it_is) for arg in args])


def _as_it_is(value: object) -> object:
    """A value that is no plain data: the SDK's wrappers are unwrapped, everything else arrives as an object."""
    found: object = getattr(value, "js_object", value)
    return None if found is jsnull else found


def argument(args: tuple[Any, ...], index: int) -> Any:
    """One argument, `UNDEFINED` if it was not given."""
    return args[index] if len(args) > index else UNDEFINED


def caller_place() -> City | None:
    """Where the code that runs now is; None outside the simulation and without a network."""
    scope: Any = SCOPE.get()
    place: City | None = scope.owner.place if scope is not None else None
    return place


# -- the runtime's types


def is_object(value: object) -> bool:
    """Whether JavaScript calls it an object: everything but text, numbers, truth values, null and undefined."""
    return not (value is None or isinstance(value, (str, int, float, Undefined)))


def struct(value: Any, number: int, kind: str, method: str, interface: str) -> dict[str, Any]:
    """An argument that is an object of options; null and undefined have none. Raises the platform's TypeError."""
    if isinstance(value, dict):
        return dict(value)
    if is_object(value) or value is None or value is UNDEFINED:
        return {}
    raise parameter_error(method, number, kind, interface)


def struct_field(value: Any, field: str, options: str, kind: str) -> dict[str, Any]:
    """An option that is an object itself; null has no fields. Raises the platform's TypeError."""
    if value is None or is_object(value):
        return dict(value) if isinstance(value, dict) else {}
    raise field_error(field, options, kind)


def text(value: Any, number: int, method: str, interface: str, kind: str = "string") -> str:
    """A text argument: anything but undefined is coerced. Raises the platform's TypeError."""
    if value is UNDEFINED:
        raise parameter_error(method, number, kind, interface)
    return js_text(value)


def field_error(field: str, options: str, kind: str) -> JsException:
    """The TypeError for an option of the wrong type."""
    return type_error(
        f"Incorrect type for the '{field}' field on '{options}': the provided value is not of type '{kind}'."
    )


def number(value: Any) -> float:
    """JavaScript's `Number(value)`: null is 0, what is no number is NaN."""
    if value is None:
        return 0.0
    if isinstance(value, (int, float)):
        return float(value)
    try:
        return float(value.strip() or 0) if isinstance(value, str) else math.nan
    except ValueError:
        return math.nan


def int32(value: Any) -> int:
    """A whole number as the runtime reads an `int`: fractions are cut, NaN is 0. Raises TypeError beyond 32 bits."""
    given = number(value)
    whole = math.trunc(given) if math.isfinite(given) else 0
    if not -(2**31) <= whole < 2**31:
        raise type_error("Value out of range. Must be between -2147483648 and 2147483647 (inclusive).")
    return whole


def date_ms(value: Any, field: str, options: str) -> int:
    """A date option in milliseconds since 1970: a datetime, a `js.Date`, or such a number. Raises TypeError."""
    if isinstance(value, datetime):
        return round(value.replace(tzinfo=UTC).timestamp() * 1000)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise noted(field_error(field, options, "date"), f"{field} takes a datetime or a js.Date.")
    return int(value)


# -- traps that the platform says nothing about


def camel_case(world: World, method: str, options: dict[str, Any], names: Iterable[str]) -> None:
    """Warn of options in snake_case, which the platform ignores without a word; accept them where that is wanted."""
    for name in names:
        snake = re.sub("([A-Z])", r"_\1", name).lower()
        if snake == name or snake not in options:
            continue
        if world.portability(f"{method}({snake}=...) is silently ignored", f"{method}({name}=...)"):
            options.setdefault(name, options[snake])


def js_headers(world: World, method: str, option: str, value: Any) -> Any:
    """Headers given as an option; those of Python (`request.headers`) are no JavaScript Headers, and are ignored."""
    if not isinstance(value, Message):
        return value
    trap = f"{method}({option}=request.headers) is silently ignored: these are Python's headers"
    if world.portability(trap, f"{method}({option}=request.js_object.headers)"):
        return JsHeaders.new(value.items())
    return {}
