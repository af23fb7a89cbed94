"""`ctx.storage.sql` and its cursors as Python Workers have them.

Recorded quirk kept: the SDK caches an attribute that is no method at its first reading, so `databaseSize`, `rowsRead`
and `rowsWritten` stand still after that; `cursor._binding.rowsRead` moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from dosim.storage.sql import Cursor
from dosim.web.errors import JsException, type_error
from dosim.web.values import JsDict, clone, js_text

if TYPE_CHECKING:
    from dosim.runtime.instance import Instance

_NO_SQL: Final = (
    "SQL is not enabled for this Durable Object class. To enable it, change `new_classes` to `new_sqlite_classes`"
    " within the 'migrations' field in your wrangler.jsonc or wrangler.toml file. If using workerd directly,set"
    " `enableSql = true` in your workerd config for the class. Note that this change cannot be made after the class is"
    " already deployed to production."
)


class _RawSql:
    """The unconverted `sql`: its attributes move."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    @property
    def databaseSize(self) -> int:
        return self._instance.storage.size_bytes()


class SqlStorage:
    """`ctx.storage.sql`."""

    #: The class of cursors, as on the platform.
    Cursor: Final = object

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._binding = _RawSql(instance)

    def check(self) -> None:
        """Raises the platform's error for a class that is not SQLite-backed."""
        if not self._instance.storage.sqlite:
            raise JsException(_NO_SQL)

    def exec(self, *args: Any, **kwargs: Any) -> SqlStorageCursor:
        """Run SQL at once, up to its first row. Every number binds as REAL; errors have SQLite's text."""
        if kwargs:
            args = (*args, dict(kwargs))
        if not args:
            raise type_error("Failed to execute 'exec' on 'SqlStorage': parameter 1 is not of type 'String'.")
        query, *bindings = [clone(arg, lambda _: "[object Object]") for arg in args]
        instance = self._instance
        instance.check_alive()
        text = js_text(query)
        call = instance.turn_call
        instance.world.emit(
            instance.loop.time_us(), "storage", instance.label, call.id if call else 0, call.last if call else 0,
            ("sql", " ".join(text.split())[:80]),
        )  # fmt: skip
        instance.touch()
        return SqlStorageCursor(instance.storage.sql.exec(text, bindings))

    @cached_property
    def databaseSize(self) -> int:
        """Bytes of the database when this was first read."""
        return self._binding.databaseSize

    def __repr__(self) -> str:
        return f"<sql of {self._instance.label}>"


class _RawCursor:
    """The unconverted cursor: its counters move."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    @property
    def rowsRead(self) -> int:
        return self._cursor.rows_read

    @property
    def rowsWritten(self) -> int:
        return self._cursor.rows_written

    @property
    def columnNames(self) -> list[str]:
        return list(self._cursor.columns)


class SqlStorageCursor:
    """Rows of one query, read once, forward."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._binding = _RawCursor(cursor)

    def __iter__(self) -> Iterator[JsDict]:
        return self._cursor.rows()

    def toArray(self) -> list[JsDict]:
        """The remaining rows."""
        return list(self._cursor.rows())

    def one(self) -> JsDict:
        """The only remaining row. Raises the platform's errors for none and several."""
        return self._cursor.one()

    def next(self) -> JsDict:
        """{"done": False, "value": row}, then {"done": True, "value": None}."""
        row = next(self._cursor.rows(), None)
        return JsDict(done=row is None, value=row)

    def raw(self) -> RawRows:
        """The remaining rows as lists; columns of one name are all kept."""
        return RawRows(self._cursor)

    @cached_property
    def columnNames(self) -> list[str]:
        return self._binding.columnNames

    @cached_property
    def rowsRead(self) -> int:
        """Rows scanned when this was first read; an estimate: stock SQLite has no such counter."""
        return self._binding.rowsRead

    @cached_property
    def rowsWritten(self) -> int:
        """Rows and index rows written when this was first read."""
        return self._binding.rowsWritten

    def __len__(self) -> int:
        raise TypeError("'Cursor' object has no len()")

    def __bool__(self) -> bool:
        return True


class RawRows:
    """What `cursor.raw()` returns."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def __iter__(self) -> Iterator[list[Any]]:
        while (row := self._cursor.next_row()) is not None:
            yield list(row)

    def toArray(self) -> list[list[Any]]:
        return list(self)

    def next(self) -> JsDict:
        row = self._cursor.next_row()
        return JsDict(done=row is None, value=None if row is None else list(row))
