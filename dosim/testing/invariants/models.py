"""What an object is supposed to be, as a sequential machine: a register, a counter, a queue, or one of your own."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final, Protocol


class _Anything:
    """The result of an operation that tells its caller nothing of the state: every answer agrees with it."""

    def __repr__(self) -> str:
        return "anything"


ANYTHING: Final = _Anything()


class Model(Protocol):
    """A sequential specification: the state at the beginning, and what one operation does to it.

    States can be hashed and compared. A `step` that returns `ANYTHING` as result says nothing about the answer; one
    that raises ValueError says that there is no such operation. A model may have `key_of(operation, arguments)`: then
    operations with different keys are about different things, which are checked apart (and much faster).
    """

    @property
    def initial(self) -> Any: ...

    def step(self, state: Any, operation: str, arguments: tuple[Any, ...]) -> tuple[Any, Any]: ...


class Register:
    """A cell: read() -> value, write(value), and cas(old, new) -> whether it was old and is new now.

    Other names of theirs: get, put, set. initial: the value before the first write. by_key: many of them; every
    operation's first argument is its key: read("x"), write("x", 1).
    """

    def __init__(self, initial: Any = None, *, by_key: bool = False) -> None:
        self.initial = initial
        self._by_key = by_key

    def key_of(self, operation: str, arguments: tuple[Any, ...]) -> Hashable:
        """The key of an operation; None when there is one cell."""
        return _hashable(arguments[0], operation) if self._by_key and arguments else None

    def step(self, state: Any, operation: str, arguments: tuple[Any, ...]) -> tuple[Any, Any]:
        values = arguments[1:] if self._by_key else arguments
        if operation in ("read", "get") and not values:
            return state, state
        if operation in ("write", "put", "set") and len(values) == 1:
            return _hashable(values[0], operation), ANYTHING
        if operation == "cas" and len(values) == 2:
            return (_hashable(values[1], operation), True) if state == values[0] else (state, False)
        raise _unknown("a register", operation, arguments, "read(), write(value), cas(old, new)")

    def __repr__(self) -> str:
        kind = "registers by key" if self._by_key else "a register"
        return f"{kind} that begins with {self.initial!r}"


class Counter:
    """A number: increment(by=1) -> the new one, decrement(by=1) likewise, read() -> it.

    Other names of theirs: add, get, value. initial: where it begins. tells: whether increments answer with the new
    number; False: their answers say nothing.
    """

    def __init__(self, initial: int = 0, *, tells: bool = True) -> None:
        self.initial = initial
        self._tells = tells

    def step(self, state: Any, operation: str, arguments: tuple[Any, ...]) -> tuple[Any, Any]:
        if operation in ("read", "get", "value") and not arguments:
            return state, state
        if operation in ("increment", "add", "decrement") and len(arguments) <= 1:
            by = arguments[0] if arguments else 1
            new = state - by if operation == "decrement" else state + by
            return new, new if self._tells else ANYTHING
        raise _unknown("a counter", operation, arguments, "increment(by), decrement(by), read()")

    def __repr__(self) -> str:
        return f"a counter that begins at {self.initial!r}"


class Queue:
    """First in, first out: enqueue(value), dequeue() -> the oldest, `empty` when there is none.

    Other names of theirs: push, pop. initial: what is in it, oldest first.
    """

    def __init__(self, initial: tuple[Any, ...] = (), *, empty: Any = None) -> None:
        self.initial = tuple(initial)
        self._empty = empty

    def step(self, state: Any, operation: str, arguments: tuple[Any, ...]) -> tuple[Any, Any]:
        if operation in ("enqueue", "push") and len(arguments) == 1:
            return (*state, _hashable(arguments[0], operation)), ANYTHING
        if operation in ("dequeue", "pop") and not arguments:
            return (state[1:], state[0]) if state else (state, self._empty)
        raise _unknown("a queue", operation, arguments, "enqueue(value), dequeue()")

    def __repr__(self) -> str:
        return f"a queue that begins with {list(self.initial)!r}"


def _unknown(what: str, operation: str, arguments: tuple[Any, ...], known: str) -> ValueError:
    asked = f"{operation}({', '.join(map(repr, arguments))})"
    return ValueError(f"{what} has no operation {asked}: it has {known}. History.of(stub, put='write') renames.")


def _hashable(value: Any, operation: str) -> Any:
    """A value that can be part of a state: lists and dicts are turned into tuples. Raises TypeError."""
    if isinstance(value, list):
        return tuple(_hashable(item, operation) for item in value)
    if isinstance(value, dict):
        return tuple((key, _hashable(item, operation)) for key, item in value.items())
    try:
        hash(value)
    except TypeError:
        raise TypeError(f"{operation}({value!r}): a model's values must be hashable.") from None
    return value
