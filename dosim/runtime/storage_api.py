"""`ctx.storage` as Python Workers have it: Cloudflare's names, arguments, refusals and texts over the engine.

The asynchronous calls act when they are called; what they return only reports. Awaiting one stays in the same turn.
Source: developers.cloudflare.com/durable-objects/api/sqlite-storage-api; texts recorded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Generator, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from dosim.platform.facts import DELETE_ALL_DELETES_ALARM, EPOCH_MS
from dosim.runtime.calls import Flow, current_flow
from dosim.runtime.crossing import as_local
from dosim.runtime.kv_arguments import ListOptions, key_of, list_options, options_of
from dosim.runtime.sql_api import SqlStorage
from dosim.runtime.transaction import Transaction
from dosim.web.errors import JsException, type_error
from dosim.web.values import JsBigInt, JsDict, clone, js_text, refuse

if TYPE_CHECKING:
    from dosim.runtime.gates import CriticalSection
    from dosim.runtime.instance import Instance
    from dosim.storage.engine import Savepoint, Storage

_PUT_USAGE: Final = (
    "put() may only be called with a single key-value pair and optional options as put(key, value, options) or with"
    " multiple key-value pairs and optional options as put(entries, options)"
)
_NO_KV: Final = (
    "The storage.kv (synchronous KV) API is only available for SQLite-backed Durable Objects, but this object's"
    " namespace is not declared to use SQLite. You can use the older, asyncronous interface via methods of `storage`"
    " itself (e.g. `storage.get()`). Alternatively, to enable SQLite, change `new_classes` to `new_sqlite_classes`"
    " within the 'migrations' field in your wrangler.jsonc or wrangler.toml file. If using workerd directly, set"
    " `enableSql = true` in your workerd config for the class. Note that this change cannot be made after the class is"
    " already deployed to production."
)
_NO_PITR: Final = "This Durable Object's storage back-end does not implement point-in-time recovery."
_LIST_INVALIDATED: Final = (
    "kv.list() iterator was invalidated because a new call to kv.list() was started. Only one kv.list() iterator can"
    " exist at a time."
)
#: Dates are nanoseconds in 64 bits: in truth 1677 to 2262, whatever the texts say. Source: workerd jsg/value.h.
_DATE_LIMIT_MS: Final = 2**63 / 1_000_000
#: An alarm time below this is a time in seconds by mistake: it is before 1971 in milliseconds.
_LOOKS_LIKE_SECONDS: Final = 100_000_000_000


class _Tick:
    """One step of the ready queue: an awaited storage call lets the turn's other tasks run, and nobody else."""

    def __await__(self) -> Generator[None, None, None]:
        yield


_TICK: Final = _Tick()


async def resolved(value: Any) -> Any:
    """The promise of a call that has already acted."""
    await _TICK
    return value


async def rejected(error: BaseException) -> Any:
    """The promise of a call that was refused: refusals of asynchronous calls are rejections (recorded)."""
    await _TICK
    raise error


class KvOperations:
    """get, put, delete, list over the engine: what the storage, a transaction and `storage.kv` have in common."""

    def __init__(self, instance: Instance, interface: str = "DurableObjectStorage") -> None:
        self.instance = instance
        #: The interface that refusals name.
        self.interface = interface
        self.engine: Storage = instance.storage
        self.recording = True

    def record(self, operation: str, key: str) -> None:
        instance = self.instance
        if instance.broken is not None:
            raise JsException("This instance has left memory: its storage cannot be used any more.")
        call = instance.turn_call
        instance.world.emit(
            instance.loop.time_us(), "storage", instance.label, call.id if call else 0, call.last if call else 0,
            (operation, key),
        )  # fmt: skip

    def get(self, key: str) -> Any:
        self.record("get", key)
        value = self.engine.kv.get(key)
        return clone(value, storable)

    def get_many(self, keys: list[str]) -> JsDict:
        self._limit_keys(len(keys))
        self.record("get", ", ".join(keys))
        kv = self.engine.kv
        found = JsDict()
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


class DurableObjectStorage:
    """`ctx.storage`."""

    def __init__(self, instance: Instance, root: Flow) -> None:
        self._instance = instance
        self._root = root
        self._kv = KvOperations(instance)
        self._kv_api = SyncKvStorage(self._kv)
        self._sql_api = SqlStorage(instance)

    def _do(
        self, operation: Callable[[str, tuple[Any, ...]], Any], name: str, args: Any, kwargs: Any
    ) -> Coroutine[Any, Any, Any]:
        sent = self._convert(args, kwargs)
        try:
            return resolved(operation(name, sent))
        except JsException as error:
            return rejected(error)

    def _convert(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Arguments as the SDK converts them; keyword arguments become one trailing options object."""
        accept = self._instance.world.portability
        if kwargs:
            args = (*args, dict(kwargs))
        try:
            return tuple([clone(arg, storable) for arg in args])
        except TypeError as error:
            if accept(
                f"storage refuses this value: {str(error).rstrip('.')}",
                "lists and bytes instead of tuples and bytearrays",
            ):
                return tuple([clone(_portable(arg), storable) for arg in args])
            raise
        except JsException as error:
            refused = error
        return (_Refused(refused),)

    def get(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """A key's value, or a JsDict of several keys in key order; missing is None."""
        return self._do(_unless_refused(self._kv.call_get), "get", args, kwargs)

    def put(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, None]:
        """Store a value, or a dict of them. Not durable before the turn ends (recorded)."""
        return self._do(_unless_refused(self._kv.call_put), "put", args, kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Remove a key (True if it was there) or several (how many were)."""
        return self._do(_unless_refused(self._kv.call_delete), "delete", args, kwargs)

    def list(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, JsDict]:
        """Entries in the order of their keys' UTF-8 bytes: start, startAfter, end, prefix, reverse, limit."""
        return self._do(_unless_refused(self._kv.call_list), "list", args, kwargs)

    def deleteAll(self, *_: Any, **__: Any) -> Coroutine[Any, Any, None]:
        """Wipe the object's storage at once; not part of the turn's transaction (recorded)."""
        instance, engine = self._instance, self._kv.engine
        if engine.in_explicit_transaction:
            return rejected(JsException("Cannot call deleteAll() within a transaction"))
        world = instance.world
        alarm_too = world.flag_since("delete_all_deletes_alarm", "delete_all_preserves_alarm", DELETE_ALL_DELETES_ALARM)
        self._kv.record("deleteAll", "")
        engine.delete_all(alarm_too=alarm_too)
        if alarm_too:
            instance.host.alarm.cleared()
        instance.touch()
        return resolved(None)

    def sync(self) -> Coroutine[Any, Any, None]:
        """Resolves when what was written is durable. It lets other events in (recorded)."""
        self._instance.touch()
        return self._synced(None)

    async def _synced(self, value: Any) -> Any:
        await self._instance.loop.io_hop("storage.sync")
        return value

    # -- alarm

    def getAlarm(self, *_: Any, **__: Any) -> Coroutine[Any, Any, int | None]:
        """The alarm's time in milliseconds, or None."""
        return resolved(self._instance.host.alarm.get_ms())

    def setAlarm(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, None]:
        """Set the object's one alarm: milliseconds since 1970 or a datetime; a past time fires at once."""
        sent = self._convert(args, kwargs)
        try:
            set_alarm(self._instance, "DurableObjectStorage", sent)
        except JsException as error:
            return rejected(error)
        return resolved(None)

    def deleteAlarm(self, *_: Any, **__: Any) -> Coroutine[Any, Any, None]:
        """Remove the alarm; none set is fine."""
        delete_alarm(self._instance)
        return resolved(None)

    # -- transactions

    def transaction(self, callback: Callable[[Transaction], Any]) -> Coroutine[Any, Any, Any]:
        """Run `callback(txn)` alone and all or nothing: a section with a savepoint over keys, SQL and alarm."""
        instance, engine = self._instance, self._kv.engine
        txn = Transaction(KvOperations(instance, "DurableObjectTransaction"))
        point: Savepoint | None = None

        def begin() -> Any:
            nonlocal point
            point = engine.savepoint(explicit=True)
            txn.begin(point)
            return callback(txn)

        def finish(_: CriticalSection, __: Any, error: BaseException | None) -> BaseException | None:
            if instance.broken is not None:
                return None
            assert point is not None
            try:
                txn.end(failed=error is not None)
                if point.alive:
                    engine.release(point)
            except JsException as refused:
                instance.reset(refused)
                return None
            if not engine.in_explicit_transaction:
                instance.commit_now()
            return as_local(error) if error is not None else None

        return _wait_for(instance.open_section("transaction", begin, current_flow(self._root), finish))

    def transactionSync(self, callback: Callable[[], Any]) -> Any:
        """Run `callback()` all or nothing; its exception is raised again. An async callback is not covered."""
        engine = self._kv.engine
        alarm = self._instance.host.alarm
        deferred = alarm.deferred_delete
        if not engine.sqlite:
            engine.begin_write()
        point = engine.savepoint()
        self._instance.touch()
        try:
            value = callback()
        except BaseException:
            engine.rollback_to(point)
            alarm.restore_deferred(deferred=deferred)
            raise
        engine.release(point)
        return value

    @property
    def sql(self) -> SqlStorage:
        """SQLite. Raises the platform's error for a class that is not SQLite-backed."""
        self._sql_api.check()
        return self._sql_api

    @property
    def kv(self) -> SyncKvStorage:
        """The synchronous key-value API. Raises the platform's error for a class that is not SQLite-backed."""
        if not self._kv.engine.sqlite:
            raise JsException(_NO_KV)
        return self._kv_api

    # -- bookmarks, as the local runtime has them

    def getCurrentBookmark(self) -> Coroutine[Any, Any, str]:
        """The local runtime's bookmark: a counter (recorded)."""
        engine = self._kv.engine
        self._instance.touch()
        if not engine.sqlite:
            return resolved(f"00000000-00000000-00000000-{'0' * 32}")
        return self._synced(engine.next_bookmark())

    def getBookmarkForTime(self, *_: Any) -> Coroutine[Any, Any, str]:
        return rejected(JsException(_NO_PITR))

    def onNextSessionRestoreBookmark(self, *_: Any) -> Coroutine[Any, Any, str]:
        return rejected(JsException(_NO_PITR))

    def __repr__(self) -> str:
        return f"<storage of {self._instance.label}>"


def set_alarm(instance: Instance, interface: str, args: tuple[Any, ...]) -> None:
    """`setAlarm` on the storage or a transaction, its argument converted already."""
    refused = next((arg for arg in args if isinstance(arg, _Refused)), None)
    when: Any = args[0] if args and refused is None else None
    if hasattr(type(when), "getTime"):
        when = when.getTime()  # a JavaScript Date, given to a raw transaction
    if isinstance(when, datetime):
        when = when.replace(tzinfo=UTC).timestamp() * 1000
    if isinstance(when, (bool, JsBigInt)) or not isinstance(when, (int, float)):
        raise parameter_error("setAlarm", 1, "date", interface)
    if not math.isfinite(when):
        raise type_error("The value cannot be converted because it is not a valid Date.")
    if when >= _DATE_LIMIT_MS:
        raise type_error("This API doesn't support dates after 2189.")
    if when <= -_DATE_LIMIT_MS:
        raise type_error("This API doesn't support dates before 1687.")
    if int(when) <= 0:
        raise type_error("setAlarm() cannot be called with an alarm time <= 0")
    if when < _LOOKS_LIKE_SECONDS:
        instance.world.portability(
            f"setAlarm({when}) is in 1970, so it fires at once", "setAlarm(int(time.time() * 1000) + 60_000)"
        )
    now_ms = EPOCH_MS + instance.loop.time_us() // 1000
    instance.host.alarm.set_ms(max(int(when), now_ms))
    instance.touch()


def delete_alarm(instance: Instance) -> None:
    instance.host.alarm.set_ms(None)
    instance.touch()


def parameter_error(name: str, number: int, wanted: str, interface: str = "DurableObjectStorage") -> JsException:
    """The binding layer's TypeError for an argument of the wrong type (recorded)."""
    return type_error(f"Failed to execute '{name}' on '{interface}': parameter {number} is not of type '{wanted}'.")


class _Refused:
    """An argument that could not be cloned: the call is rejected with its error."""

    def __init__(self, error: JsException) -> None:
        self.error = error


def _unless_refused(operation: Callable[[str, tuple[Any, ...]], Any]) -> Callable[[str, tuple[Any, ...]], Any]:
    def run(name: str, args: tuple[Any, ...]) -> Any:
        if args and type(args[0]) is _Refused:
            raise args[0].error
        return operation(name, args)

    return run


def _portable(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_portable(item) for item in value]
    if isinstance(value, dict):
        return {key: _portable(item) for key, item in value.items()}
    return bytes(value) if isinstance(value, bytearray) else value


def storable(value: object) -> object:
    """What storage takes besides data: requests and headers; functions and objects are refused."""
    if hasattr(type(value), "transfer"):
        name = type(value).__name__.removeprefix("Js")
        if name in ("Blob", "File", "FormData"):
            raise JsException(
                f'Could not serialize object of type "{name}". This type does not support serialization.',
                "DataCloneError",
            )
        return value.transfer()  # type: ignore[attr-defined]
    return refuse(value)


storable.stores = True  # type: ignore[attr-defined]


async def _wait_for(future: Any) -> Any:
    return await future


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
