"""`ctx.storage.kv`: the synchronous key-value API, one key a call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from dosim.runtime.kv_arguments import ListOptions, key_of, list_options, parameter_error
from dosim.runtime.kv_operations import storable
from dosim.web.errors import JsException
from dosim.web.values import JsDict, clone

if TYPE_CHECKING:
    from dosim.runtime.kv_operations import KvOperations

_LIST_INVALIDATED: Final = (
    "kv.list() iterator was invalidated because a new call to kv.list() was started. Only one kv.list() iterator can"
    " exist at a time."
)


class SyncKvStorage:
    """`ctx.storage.kv`: one key a call, at once."""

    def __init__(self, operations: KvOperations) -> None:
        self._operations = operations

    def _args(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        if kwargs:
            args = (*args, dict(kwargs))
        if not args:
            raise parameter_error(name, 1, "string", "SyncKvStorage")
        return tuple([clone(arg, storable) for arg in args])

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """A key's value, None if missing."""
        return self._operations.get(key_of(self._args("get", args, kwargs)[0]))

    def put(self, *args: Any, **kwargs: Any) -> None:
        """Store a value."""
        sent = self._args("put", args, kwargs)
        if len(sent) < 2:
            raise parameter_error("put", 2, "Value", "SyncKvStorage")
        self._operations.put(key_of(sent[0]), sent[1])

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        """Remove a key; True if it was there."""
        return self._operations.delete(key_of(self._args("delete", args, kwargs)[0]))

    def list(self, *args: Any, **kwargs: Any) -> KvIterator:
        """A live iterator of [key, value]; a new listing ends an older one."""
        if kwargs:
            args = (*args, dict(kwargs))
        sent = tuple([clone(arg, storable) for arg in args])
        operations = self._operations
        options = list_options("list", sent, operations.instance.world.portability, "SyncKvStorage")
        operations.record("list", options.prefix)
        if not options.is_empty:
            operations.engine.list_generation += 1
        return KvIterator(operations, options)


class KvIterator:
    """What `kv.list()` returns: iterable once, and `next()` as in JavaScript."""

    def __init__(self, operations: KvOperations, options: ListOptions) -> None:
        self._operations = operations
        self._generation = operations.engine.list_generation
        self._life = operations.engine.life
        self._keys = options.walk(operations.engine)
        self._ended = False

    def _check(self) -> None:
        engine = self._operations.engine
        if self._ended:
            return
        if self._life != engine.life:
            raise engine.internal_error()
        if self._generation != engine.list_generation:
            raise JsException(_LIST_INVALIDATED)

    def __iter__(self) -> Iterator[list[Any]]:
        while True:
            entry = self.next()
            if entry["done"]:
                return
            yield entry["value"]

    def next(self) -> JsDict:
        """{"done": False, "value": [key, value]}, and {"done": True, "value": None} at the end."""
        self._check()
        key = next(self._keys, None)
        if key is None:
            self._ended = True
            return JsDict(done=True, value=None)
        return JsDict(done=False, value=[key, clone(self._operations.engine.kv[key], storable)])
