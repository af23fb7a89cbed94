"""Reading the arguments of key-value calls as the platform's binding layer reads them (texts recorded)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dosim.web.errors import JsException, type_error
from dosim.web.values import js_text

if TYPE_CHECKING:
    from dosim.storage.engine import Storage

_SNAKE: Final = {"start_after": "startAfter", "allow_concurrency": "allowConcurrency", "no_cache": "noCache"}


@dataclass(frozen=True, slots=True)
class ListOptions:
    """A range of keys, and how to walk it."""

    start: str | None
    after: bool
    end: str | None
    prefix: str
    reverse: bool
    limit: int | None

    @property
    def is_empty(self) -> bool:
        """True when the bounds leave no room for any key: such a listing does not even end an open iterator."""
        start, end = self.start or "", self.end
        if self.prefix and start > self.prefix and not start.startswith(self.prefix):
            return True
        return end is not None and end <= max(start, self.prefix)

    def walk(self, engine: Storage) -> Iterator[str]:
        return engine.walk(self.start, self.end, self.prefix, after=self.after, reverse=self.reverse, limit=self.limit)


def key_of(value: Any) -> str:
    """A key as text: anything is coerced (recorded)."""
    return js_text(value)


def options_of(name: str, args: tuple[Any, ...], index: int, kind: str, interface: str) -> None:
    """Raises the platform's TypeError for options that are no object. Their values change no result (recorded)."""
    if len(args) > index and not (args[index] is None or isinstance(args[index], (dict, list))):
        raise type_error(f"Failed to execute '{name}' on '{interface}': parameter {index + 1} is not of type '{kind}'.")


def list_options(
    name: str, args: tuple[Any, ...], portability: Callable[[str, str], bool], interface: str = "DurableObjectStorage"
) -> ListOptions:
    """The options of `list`. An unknown name is ignored, as on the platform; a snake_case one also warns."""
    given = args[0] if args else None
    if given is not None and not isinstance(given, (dict, list)):
        raise type_error(f"Failed to execute '{name}' on '{interface}': parameter 1 is not of type 'ListOptions'.")
    options: dict[str, Any] = dict(given) if isinstance(given, dict) else {}
    for snake, camel in _SNAKE.items():
        if snake in options and portability(f"list({snake}=...) is silently ignored", f"list({camel}=...)"):
            options.setdefault(camel, options[snake])
    start = js_text(options["start"]) if "start" in options else None
    after = js_text(options["startAfter"]) if "startAfter" in options else None
    if start is not None and after is not None:
        raise type_error("list() cannot be called with both start and startAfter values.")
    return ListOptions(
        start=after if after is not None else start,
        after=after is not None,
        end=js_text(options["end"]) if "end" in options else None,
        prefix=js_text(options["prefix"]) if "prefix" in options else "",
        reverse=_truthy(options.get("reverse", False)),
        limit=_limit(options["limit"]) if "limit" in options else None,
    )


def _truthy(value: Any) -> bool:
    return bool(value) or isinstance(value, (dict, list, set))


def _limit(value: Any) -> int:
    """A limit by JavaScript's ToInt32. Raises the platform's TypeErrors."""
    if isinstance(value, str):
        try:
            number = float(value.strip() or 0)
        except ValueError:
            number = 0.0
    elif value is None:
        number = 0.0
    else:
        number = float(value) if isinstance(value, (int, float)) else 0.0
    whole = math.trunc(number) if math.isfinite(number) else 0
    if not -(2**31) <= whole < 2**31:
        raise type_error("Value out of range. Must be between -2147483648 and 2147483647 (inclusive).")
    if whole <= 0:
        raise type_error("List limit must be positive.")
    return whole


def parameter_error(name: str, number: int, wanted: str, interface: str = "DurableObjectStorage") -> JsException:
    """The binding layer's TypeError for an argument of the wrong type (recorded)."""
    return type_error(f"Failed to execute '{name}' on '{interface}': parameter {number} is not of type '{wanted}'.")
