"""`ctx.storage` as Python Workers have it: Cloudflare's names, arguments, refusals and texts over the engine.

The asynchronous calls act when they are called; what they return only reports. Awaiting one stays in the same turn.
Source: developers.cloudflare.com/durable-objects/api/sqlite-storage-api; texts recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from dosim.platform.facts import DELETE_ALL_DELETES_ALARM
from dosim.runtime.alarm_api import delete_alarm, set_alarm
from dosim.runtime.calls import Flow, current_flow
from dosim.runtime.crossing import as_local
from dosim.runtime.kv_operations import KvOperations, storable
from dosim.runtime.kv_sync import SyncKvStorage
from dosim.runtime.promises import awaited, rejected, resolved
from dosim.runtime.sql_api import SqlStorage
from dosim.runtime.transaction import Transaction
from dosim.web.errors import JsException
from dosim.web.values import JsDict, clone

if TYPE_CHECKING:
    from dosim.runtime.gates import CriticalSection
    from dosim.runtime.instance import Instance
    from dosim.storage.engine import Savepoint

_NO_KV: Final = (
    "The storage.kv (synchronous KV) API is only available for SQLite-backed Durable Objects, but this object's"
    " namespace is not declared to use SQLite. You can use the older, asyncronous interface via methods of `storage`"
    " itself (e.g. `storage.get()`). Alternatively, to enable SQLite, change `new_classes` to `new_sqlite_classes`"
    " within the 'migrations' field in your wrangler.jsonc or wrangler.toml file. If using workerd directly, set"
    " `enableSql = true` in your workerd config for the class. Note that this change cannot be made after the class is"
    " already deployed to production."
)
_NO_PITR: Final = "This Durable Object's storage back-end does not implement point-in-time recovery."


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
        try:
            return resolved(operation(name, self._convert(args, kwargs)))
        except JsException as error:
            return rejected(error)

    def _convert(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Arguments as the SDK converts them; keyword arguments become one trailing options object.

        Raises TypeError for what the SDK refuses at the call, JsException for what cannot be cloned: a rejection.
        """
        if kwargs:
            args = (*args, dict(kwargs))
        try:
            return tuple([clone(arg, storable) for arg in args])
        except TypeError as error:
            if self._instance.world.portability(
                f"storage refuses this value: {str(error).rstrip('.')}",
                "lists and bytes instead of tuples and bytearrays",
            ):
                return tuple([clone(_portable(arg), storable) for arg in args])
            raise

    def get(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """A key's value, or a JsDict of several keys in key order; missing is None."""
        return self._do(self._kv.call_get, "get", args, kwargs)

    def put(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, None]:
        """Store a value, or a dict of them. Not durable before the turn ends (recorded)."""
        return self._do(self._kv.call_put, "put", args, kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Remove a key (True if it was there) or several (how many were)."""
        return self._do(self._kv.call_delete, "delete", args, kwargs)

    def list(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, JsDict]:
        """Entries in the order of their keys' UTF-8 bytes: start, startAfter, end, prefix, reverse, limit."""
        return self._do(self._kv.call_list, "list", args, kwargs)

    def deleteAll(self, *_: Any, **__: Any) -> Coroutine[Any, Any, None]:
        """Wipe the object's storage at once; not part of the turn's transaction (recorded)."""
        instance, engine = self._instance, self._kv.engine
        if engine.in_explicit_transaction or instance.rolled_back:
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
        await self._instance.synced()
        return value

    # -- alarm

    def getAlarm(self, *_: Any, **__: Any) -> Coroutine[Any, Any, int | None]:
        """The alarm's time in milliseconds, or None."""
        return resolved(self._instance.host.alarm.get_ms())

    def setAlarm(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, None]:
        """Set the object's one alarm: milliseconds since 1970 or a datetime; a past time fires at once."""
        try:
            sent = self._convert(args, kwargs)
        except JsException:
            sent = ()  # what cannot be cloned is no date either
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
            instance.rolled_back = False
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

        return awaited(instance.open_section("transaction", begin, current_flow(self._root), finish))

    def transactionSync(self, callback: Callable[[], Any]) -> Any:
        """Run `callback()` all or nothing; its exception is raised again. An async callback is not covered."""
        self._instance.check_alive()
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
        self._instance.check_alive()
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


def _portable(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_portable(item) for item in value]
    if isinstance(value, dict):
        return {key: _portable(item) for key, item in value.items()}
    return bytes(value) if isinstance(value, bytearray) else value
