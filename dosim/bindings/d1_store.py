"""`D1Store`: what one D1 database is on its own side: SQLite, transactions, the figures of `meta`.

A D1 database is a Durable Object with SQLite (documented: d1/reference/data-location, durable-objects/concepts), so it
runs on the same engine as an object's storage: the same limits, refusals and texts (recorded: they are the same).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from dosim.platform.facts import EPOCH_MS
from dosim.storage.engine import CommitFailed, Storage
from dosim.web.errors import JsException
from dosim.web.values import JsDict

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.world import World

#: What one request costs besides its statements (assumed: nothing is published).
REQUEST_US: Final = 1_000
#: What one statement takes. Documented as an example: duration 0.2552 ms in d1/worker-api/return-object.
STATEMENT_US: Final = 255

_NO_STATEMENTS: Final = "No SQL statements detected."
#: What the database takes for an empty statement; not a comment at the very beginning of a line (miniflare d1).
_INDENTED_COMMENT: Final = re.compile(r"^\s+--.*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Query:
    """SQL and its values: text, numbers, None, and lists of bytes."""

    sql: str
    values: list[Any]


class D1Store:
    """One database of a world. `place`: where it lives; None: near to whoever uses it first.

    `rows_read` and `rows_written` are estimates, as `dosim.storage.counters` explains: stock SQLite counts no rows. A
    statement that returns no columns counts no rows read, where the platform counts what an UPDATE or DELETE scans.
    """

    def __init__(self, world: World, name: str, place: City | None = None) -> None:
        self.world = world
        self.name = name
        self.place = place
        self._key = int.from_bytes(blake2b(f"d1\0{name}".encode(), digest_size=6).digest(), "big")
        self._draws = 0
        self._storage = Storage(world.platform, self)
        #: The state after the last request, as a session's bookmark (recorded: one more a request).
        self.bookmark = ""

    def home(self, caller: City | None) -> City | None:
        """Where the database lives, chosen now if this is its first use. Source: d1/configuration/data-location."""
        network = self.world.network
        if self.place is None and network is not None:
            self.place = network.place(caller or network.default)
        return self.place

    # -- what storage takes from the world

    def reference(self) -> str:
        return self.world.reference(self.name)

    def random_bits(self) -> int:
        self._draws += 1
        return self.world.user_stream.bits(self._key, self._draws)

    def now_ms(self) -> int:
        return EPOCH_MS + self.world.loop.time_us() // 1000

    # -- statements

    def run(self, queries: Sequence[Query]) -> list[JsDict]:
        """Run statements in one transaction: {columns, rows, meta} of each.

        Raises JsException in SQLite's words; nothing of them is kept then.
        """
        wanted = [query for query in queries if _INDENTED_COMMENT.sub("", query.sql).strip()]
        if not wanted:
            raise JsException(_NO_STATEMENTS)
        storage = self._storage
        try:
            answers = [self._run(query) for query in wanted]
            storage.commit()
        except CommitFailed as failed:
            raise failed.error from None
        except JsException:
            storage.rollback()
            raise
        self.bookmark = storage.next_bookmark()
        storage.commit()
        self._tell_meter(answers)
        return answers

    def _tell_meter(self, answers: Sequence[JsDict]) -> None:
        """Records for the bill: rows, and what is stored. A request that failed tells nothing."""
        world, label = self.world, f"D1 {self.name}"
        rows = tuple(sum(answer.meta[what] for answer in answers) for what in ("rows_read", "rows_written"))
        world.emit(world.loop.time_us(), "rows", label, 0, 0, rows)
        if any(answer.meta.changed_db for answer in answers):
            world.emit(world.loop.time_us(), "stored", label, 0, 0, (self._storage.size_bytes(),))

    def _run(self, query: Query) -> JsDict:
        storage = self._storage
        size_bytes = storage.size_bytes()
        changes, last_row_id = self._counts()
        cursor = storage.sql.exec(query.sql, [_value(value) for value in query.values])
        rows = [[_column(value) for value in row] for row in iter(cursor.next_row, None)]
        changes_after, last_row_id_after = self._counts()
        size_after = storage.size_bytes()
        changed = changes_after != changes or last_row_id_after != last_row_id or size_after != size_bytes
        meta = JsDict(
            **self._served(),
            duration=STATEMENT_US / 1000,
            changes=changes_after - changes,
            last_row_id=last_row_id_after,
            changed_db=changed,
            size_after=size_after,
            rows_read=cursor.rows_read,
            rows_written=cursor.rows_written,
        )
        return JsDict(columns=list(cursor.columns), rows=rows, meta=meta)

    def _counts(self) -> tuple[int, int]:
        """Rows changed since the database was opened, and the last row's id."""
        row: Any = self._storage.sql.exec("SELECT total_changes(), last_insert_rowid()", []).next_row()
        return row[0], row[1]

    def _served(self) -> dict[str, Any]:
        """Who served a statement. Production's part is documented (d1/worker-api/return-object), the local recorded."""
        if self.world.platform.name == "workerd":
            return {"served_by": "miniflare.db"}
        place = self.place
        where = {} if place is None else {"served_by_region": place.hint.upper(), "served_by_colo": place.colo}
        timings = JsDict(sql_duration_ms=STATEMENT_US / 1000)
        return {"served_by": "v3-prod", **where, "served_by_primary": True, "timings": timings}

    def __repr__(self) -> str:
        return f"<D1Store {self.name}>"


def _value(value: Any) -> Any:
    """A value as JSON brings it: no NaN and no infinity; a list is bytes (fractions are cut)."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return memoryview(bytes(map(int, value))) if isinstance(value, list) else value


def _column(value: object) -> object:
    """A column as JSON brings it back: a BLOB is a list of numbers."""
    return list(bytes(value)) if isinstance(value, memoryview) else value
