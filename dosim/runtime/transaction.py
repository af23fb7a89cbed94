"""The `txn` that `storage.transaction(callback)` hands out: raw, as Python Workers get it, with its end states."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from dosim.runtime.alarm_api import delete_alarm, set_alarm
from dosim.runtime.promises import rejected, resolved
from dosim.web.errors import JsException
from dosim.web.proxies import clone_raw, jsnull, raw
from dosim.web.values import JsDict, js_text

if TYPE_CHECKING:
    from dosim.runtime.kv_operations import KvOperations
    from dosim.storage.engine import Savepoint

_NESTED_RUNS: Final = "Cannot roll back an outer transaction while a nested transaction is still running."


class Transaction:
    """get, put, delete, list, rollback, getAlarm, setAlarm, deleteAlarm. Arguments and results are not converted."""

    def __init__(self, operations: KvOperations) -> None:
        self._operations = operations
        self._point: Savepoint | None = None
        self._state = "open"
        self._deferred = False

    def begin(self, point: Savepoint) -> None:
        """The section has started; `point` is what a rollback goes back to."""
        self._point = point
        self._deferred = self._operations.instance.host.alarm.deferred_delete

    def end(self, *, failed: bool) -> None:
        """The callback has ended: nothing more goes through this handle. What a failed one wrote is undone."""
        if self._state == "open" and failed:
            self._undo()
        elif self._state == "open":
            self._state = "committed"

    def _undo(self) -> None:
        """Roll back what was written so far. What the callback writes after that is in no transaction (recorded)."""
        self._state = "rolled back"
        assert self._point is not None
        if self._point.alive:
            self._operations.engine.rollback_to(self._point)
        self._operations.instance.host.alarm.restore_deferred(deferred=self._deferred)

    def _do(self, name: str, operation: Callable[[], Any]) -> Coroutine[Any, Any, Any]:
        if self._state == "rolled back":
            return rejected(JsException(f"Cannot {name}() on rolled back transaction"))
        if self._state == "committed":
            return rejected(_committed(name))
        try:
            return resolved(operation())
        except JsException as error:
            return rejected(error)

    def _kv(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Coroutine[Any, Any, Any]:
        if kwargs:
            args = (*args, JsDict(kwargs))
        operation = getattr(self._operations, f"call_{name}")

        def run() -> Any:
            sent = tuple([arg if isinstance(arg, JsDict) else clone_raw(arg) for arg in args])
            found = operation(name, sent)
            if found is None and name == "get":
                return jsnull if js_text(sent[0]) in self._operations.engine.kv else None
            return found if found is None or isinstance(found, bool) else raw(found)

        return self._do(name, run)

    def get(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        return self._kv("get", args, kwargs)

    def put(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        return self._kv("put", args, kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        return self._kv("delete", args, kwargs)

    def list(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        return self._kv("list", args, kwargs)

    def getAlarm(self, *_: Any) -> Coroutine[Any, Any, int | None]:
        return self._do("getAlarm", self._operations.instance.host.alarm.get_ms)

    def setAlarm(self, *args: Any) -> Coroutine[Any, Any, None]:
        return self._do("setAlarm", lambda: set_alarm(self._operations.instance, "DurableObjectTransaction", args))

    def deleteAlarm(self, *_: Any) -> Coroutine[Any, Any, None]:
        return self._do("deleteAlarm", lambda: delete_alarm(self._operations.instance))

    def deleteAll(self, *_: Any) -> Coroutine[Any, Any, None]:
        return rejected(JsException("Cannot call deleteAll() within a transaction"))

    def rollback(self) -> None:
        """Undo what the transaction has written so far; the callback goes on."""
        if self._state == "committed":
            raise _committed("rollback")
        assert self._point is not None
        if self._point.alive and not self._operations.engine.is_innermost(self._point):
            raise JsException(_NESTED_RUNS)
        if self._state == "open":
            self._undo()
            self._operations.instance.rolled_back = True
            self._operations.instance.touch()


def _committed(name: str) -> JsException:
    return JsException(
        f"Cannot call {name}() on transaction that has already committed: did you move `txn` outside of the closure?"
    )
