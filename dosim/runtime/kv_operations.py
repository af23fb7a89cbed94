"""Key-value operations over the engine: what `ctx.storage`, a transaction and `ctx.storage.kv` have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dosim.runtime.kv_arguments import ListOptions, list_options, options_of, parameter_error
from dosim.web.errors import JsException, type_error
from dosim.web.interface import interface_name
from dosim.web.values import JsDict, clone, js_text, refuse

if TYPE_CHECKING:
    from dosim.runtime.instance import Instance
    from dosim.storage.engine import Storage

_PUT_USAGE: Final = (
    "put() may only be called with a single key-value pair and optional options as put(key, value, options) or with"
    " multiple key-value pairs and optional options as put(entries, options)"
)


class KvOperations:
    """get, put, delete, list over the engine: what the storage, a transaction and `storage.kv` have in common."""

    def __init__(self, instance: Instance, interface: str = "DurableObjectStorage") -> None:
        self.instance = instance
        #: The interface that refusals name.
        self.interface = interface
        self.engine: Storage = instance.storage

    def record(self, operation: str, key: str) -> None:
        instance = self.instance
        instance.check_alive()
        call = instance.turn_call
        instance.world.emit(
            instance.loop.time_us(), "storage", instance.label, call.id if call else 0, call.last if call else 0,
            (operation, key),
        )  # fmt: skip

    def get(self, key: str) -> Any:
        self.record("get", key)
        self.engine.count_rows(1)
        value = self.engine.kv.get(key)
        return clone(value, storable)

    def get_many(self, keys: list[str]) -> JsDict:
        self._limit_keys(len(keys))
        self.record("get", ", ".join(keys))
        kv = self.engine.kv
        found = JsDict()
        self.engine.count_rows(len(set(keys)))
        for key in sorted(set(keys)):
            if key in kv:
                found[key] = clone(kv[key], storable)
        return found

    def put(self, key: str, value: Any) -> None:
        self.record("put", key)
        self.engine.put(key, value)
        self.instance.touch()

    def put_many(self, entries: JsDict) -> None:
        self._limit_keys(len(entries))
        for key, value in entries.items():
            self.engine.check_size(key, value)
        for key, value in entries.items():
            self.put(key, value)

    def delete(self, key: str) -> bool:
        self.record("delete", key)
        self.instance.touch()
        return self.engine.delete(key)

    def delete_many(self, keys: list[str]) -> int:
        self._limit_keys(len(keys))
        return sum([self.delete(key) for key in dict.fromkeys(keys)])

    def list(self, options: ListOptions) -> JsDict:
        self.record("list", options.prefix)
        if not options.is_empty:
            self.engine.list_generation += 1
        kv = self.engine.kv
        found = JsDict()
        for key in options.walk(self.engine):
            dict.__setitem__(found, key, clone(kv[key], storable))
        self.engine.count_rows(len(found))
        return found

    def _limit_keys(self, count: int) -> None:
        limit = self.instance.world.platform.keys_per_call
        if limit is not None and count > limit:
            raise JsException(
                f"Maximum number of key value pairs is {limit}. {count} pairs were provided.", "RangeError"
            )  # text: workerd io/actor-storage.c++

    # -- the asynchronous spelling: arguments as Python Workers pass them

    def call_get(self, name: str, args: tuple[Any, ...]) -> Any:
        if not args:
            raise parameter_error(name, 1, "string or Array", self.interface)
        options_of(name, args, 1, "GetOptions", self.interface)
        key = args[0]
        return self.get_many([js_text(k) for k in key]) if isinstance(key, list) else self.get(js_text(key))

    def call_put(self, name: str, args: tuple[Any, ...]) -> None:
        if not args:
            raise parameter_error(name, 1, "string or object", self.interface)
        if isinstance(args[0], dict):
            if len(args) > 1 and not (args[1] is None or isinstance(args[1], dict)):
                raise type_error(_PUT_USAGE)
            self.put_many(args[0])  # type: ignore[arg-type]
            return
        if len(args) < 2:
            raise type_error("put() called with undefined value.")
        options_of(name, args, 2, "PutOptions", self.interface)
        self.put(js_text(args[0]), args[1])

    def call_delete(self, name: str, args: tuple[Any, ...]) -> Any:
        if not args:
            raise parameter_error(name, 1, "string or Array", self.interface)
        options_of(name, args, 1, "PutOptions", self.interface)
        key = args[0]
        return self.delete_many([js_text(k) for k in key]) if isinstance(key, list) else self.delete(js_text(key))

    def call_list(self, name: str, args: tuple[Any, ...]) -> JsDict:
        return self.list(list_options(name, args, self.instance.world.portability, self.interface))


def storable(value: object) -> object:
    """What storage takes besides data: requests and headers; functions and objects are refused."""
    if hasattr(type(value), "transfer"):
        name = interface_name(value) or type(value).__name__
        if name in ("Blob", "File", "FormData"):
            raise JsException(
                f'Could not serialize object of type "{name}". This type does not support serialization.',
                "DataCloneError",
            )
        return value.transfer()  # type: ignore[attr-defined]
    return refuse(value)


storable.stores = True  # type: ignore[attr-defined]
