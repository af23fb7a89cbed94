"""`Storage`: everything one object has on disk, with the transaction that all of it shares.

Rules (recorded): every call acts at once; the first write with no transaction open begins the turn's implicit
transaction; the runtime commits it at the end of the turn. Key-value entries live in a dict with an undo journal,
SQL in SQLite, opened at its first use; both begin, commit and roll back together, SQLite first.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Final, Protocol

from dosim.platform.facts import FOREIGN_KEY_RESET_TEXT, Platform
from dosim.storage.packing import Unpackable, pack, unpack
from dosim.storage.sql import CommitRefused, SqlDatabase
from dosim.web.errors import JsException
from dosim.web.sizes import may_exceed, row_size, serialized_size

_MISSING: Final = object()
_ALARM: Final = "\0alarm"
_TABLE: Final = "\0table"
_KV: Final = "_cf_KV"
_METADATA: Final = "_cf_METADATA"
_HIDDEN_TABLES: Final = {
    _KV: "CREATE TABLE IF NOT EXISTS _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID",
    _METADATA: "CREATE TABLE IF NOT EXISTS _cf_METADATA (key INTEGER PRIMARY KEY, value BLOB)",
}
_TOO_BIG: Final = "string or blob too big: SQLITE_TOOBIG"
#: Limits of the store behind classes without SQLite. Documented; grace and texts: workerd io/actor-storage.h.
LEGACY_KEY_BYTES: Final = 2_048
LEGACY_VALUE_BYTES: Final = 131_072
LEGACY_VALUE_GRACE_BYTES: Final = 34
#: Keys and values that are certainly smaller are not measured.
_MEASURED_FROM_BYTES: Final = 1_000_000
PAGE_BYTES: Final = 4096


class CommitFailed(Exception):
    """The turn's transaction could not be committed; `error` is what the platform tells every caller."""

    def __init__(self, error: JsException) -> None:
        super().__init__(str(error))
        self.error = error


class Savepoint:
    """A point to roll back to: `transaction()` opens an explicit one, `transactionSync()` one that is not."""

    __slots__ = ("alive", "explicit", "journal_length", "name")

    def __init__(self, name: str, journal_length: int, *, explicit: bool) -> None:
        self.name = name
        self.journal_length = journal_length
        self.explicit = explicit
        self.alive = True


class Undo:
    """How to take one commit back, until it is confirmed: its journal, and the database before it if SQL was open."""

    __slots__ = ("image", "journal", "until_us")

    def __init__(self, journal: list[tuple[str, object]], image: bytes | None) -> None:
        self.journal = journal
        self.image = image
        self.until_us = 0


class Surroundings(Protocol):
    """What storage takes from the world: time and chance, both simulated."""

    def reference(self) -> str:
        """The random id of an "internal error"."""

    def random_bits(self) -> int:
        """64 bits for SQL's `random()`."""

    def now_ms(self) -> int:
        """Milliseconds since 1970, for SQL's `datetime('now')`."""


class Storage:
    """One object's data."""

    # Many sleep at a time, and 31 attributes are more than CPython shares the keys of.
    __slots__ = (
        "__weakref__", "_before", "_explicit_commit", "_hidden", "_image", "_journal", "_made", "_names", "_packed",
        "_packed_pages", "_savepoints", "_sorted", "_sql", "_unconfirmed", "alarm_ms", "bookmark", "keeps_undo", "kv",
        "life", "list_generation", "platform", "rows_read", "rows_written", "sqlite", "surroundings", "writes",
    )  # fmt: skip

    def __init__(
        self, platform: Platform, surroundings: Surroundings, *, sqlite: bool = True, image: bytes = b""
    ) -> None:
        self.platform = platform
        self.surroundings = surroundings
        self.sqlite = sqlite
        #: Commits can be taken back until they are confirmed.
        self.keeps_undo = False
        self.kv: dict[str, object] = {}
        self.alarm_ms: int | None = None
        self.writes = 0
        self.bookmark = 0
        #: Counts deleteAll calls: an open cursor or iterator of an earlier life is cancelled.
        self.life = 0
        self.list_generation = 0
        self._sorted: list[str] | None = []
        self._journal: list[tuple[str, object]] = []
        self._savepoints: list[Savepoint] = []
        #: The transaction to commit was opened by `transaction()`.
        self._explicit_commit = False
        self._names = 0
        self._sql: SqlDatabase | None = None
        self._packed: bytes | None = None
        self._packed_pages = 0
        #: Rows read and written since `take_rows`, as they are billed: key-value entries count as rows.
        self.rows_read = self.rows_written = 0
        #: Hidden tables in the order in which they came to be; made in SQLite once it is open.
        self._hidden: list[str] = []
        self._made: set[str] = set()
        #: Commits that the world has not confirmed, the oldest first; the database before this turn's first write.
        self._unconfirmed: list[Undo] = []
        self._before: bytes | None = None
        #: The open database as bytes, while nothing was committed since it was opened.
        self._image: bytes | None = None

        if image:
            self.kv = unpack(image)
            self._sorted = None
            self._need_table(_KV)

    def put_away(self) -> Storage | bytes:
        """What to keep of an object that leaves memory: its entries as bytes, or this with its database packed."""
        self.pack()
        self._unconfirmed.clear()
        bare = not self.sqlite or self._packed is None
        if bare and self.alarm_ms is None and not (self.bookmark or self.life) and _METADATA not in self._hidden:
            try:
                return pack(self.kv) if self.kv or not self._hidden else self
            except Unpackable:
                return self
        return self

    # -- the meter

    def count_rows(self, read: int, written: int = 0) -> None:
        """So many rows or key-value entries were read and written."""
        self.rows_read += read
        self.rows_written += written

    def take_rows(self) -> tuple[int, int]:
        """Rows read and written since this was last asked; SQL's are estimates, see `storage.counters`."""
        taken = self.rows_read, self.rows_written
        self.rows_read = self.rows_written = 0
        return taken

    def stored_bytes(self) -> int:
        """Bytes on disk: SQLite's pages in use, and an estimate for key-value rows."""
        pages = self._packed_pages if self._sql is None else self._sql.pages_in_use()
        return pages * PAGE_BYTES + sum(len(key) + serialized_size(value) + 8 for key, value in self.kv.items())

    # -- the transaction

    def begin_write(self) -> None:
        """Begin the turn's implicit transaction, if none is open, and count one write."""
        self.writes += 1
        if self.writes == 1 and self._sql is not None:
            if self.keeps_undo:
                self._before = self._sql.serialize() if self._image is None else self._image
            self._sql.begin()

    @property
    def in_explicit_transaction(self) -> bool:
        """True while a `transaction()` is open: turns end without a commit."""
        return bool(self._savepoints) and any(point.explicit for point in self._savepoints)

    def savepoint(self, *, explicit: bool = False) -> Savepoint:
        """Open a savepoint in the transaction (begun if need be)."""
        self._names += 1
        point = Savepoint(f"dosim_{self._names}", len(self._journal), explicit=explicit)
        self.begin_write()
        if self._sql is not None:
            self._sql.savepoint(point.name)
        self._savepoints.append(point)
        return point

    def is_innermost(self, point: Savepoint) -> bool:
        """True when no savepoint was opened after `point`."""
        return self._savepoints[-1:] == [point]

    def release(self, point: Savepoint) -> None:
        """Keep what was written since `point`. Raises the internal error when that is gone or a writing cursor open."""
        self._close(point)
        self._explicit_commit = point.explicit
        if self._sql is not None:
            try:
                self._sql.release(point.name)
            except CommitRefused:
                self._undo_since(point)
                raise self.internal_error() from None

    def rollback_to(self, point: Savepoint) -> None:
        """Undo what was written since `point`, and close it. Raises the internal error as `release` does."""
        self._close(point)
        self._undo_since(point)
        if self._sql is not None:
            try:
                self._sql.release(point.name)
            except CommitRefused:
                raise self.internal_error() from None

    def _close(self, point: Savepoint) -> None:
        if not point.alive:
            raise self.internal_error()
        while self._savepoints.pop() is not point:
            pass
        point.alive = False

    def _undo_since(self, point: Savepoint) -> None:
        if self._sql is not None:
            self._sql.rollback_to(point.name)
        self._undo(point.journal_length)

    def commit(self) -> None:
        """Make the turn's writes durable. Raises CommitFailed after rolling all of them back.

        Only of an implicit transaction the platform tells which constraint was violated (workerd io/actor-sqlite.c++).
        """
        explicit, self._explicit_commit = self._explicit_commit, False
        if self._sql is not None:
            try:
                self._sql.commit()
            except CommitRefused as refused:
                self.rollback()
                if refused.constraint and not explicit:
                    raise CommitFailed(JsException(FOREIGN_KEY_RESET_TEXT + refused.constraint)) from None
                raise CommitFailed(self.internal_error()) from None
        self._image = None
        if self.keeps_undo:
            self._unconfirmed.append(Undo(self._journal, self._before))
            self._journal, self._before = [], None
        else:
            self._journal.clear()
        self.writes = 0

    def confirms_at(self, now_us: int, when_us: int) -> None:
        """The last commit is confirmed at `when_us`; what is confirmed by now cannot be lost any more."""
        kept = self._unconfirmed
        if kept:
            kept[-1].until_us = when_us
        while kept and kept[0].until_us <= now_us:
            kept.pop(0)

    @property
    def confirmed_us(self) -> int:
        """When the last commit is confirmed, microseconds; 0 when none is waited for."""
        return self._unconfirmed[-1].until_us if self._unconfirmed else 0

    def lose_unconfirmed(self, now_us: int) -> None:
        """The machine is gone: undo every commit that was not confirmed by now."""
        kept, self._unconfirmed = self._unconfirmed, []
        while kept and kept[-1].until_us > now_us:
            undo = kept.pop()
            self._journal = undo.journal
            if undo.image is not None:
                if self._sql is not None:
                    self._sql.close()
                    self._sql = None
                self._packed = zlib.compress(undo.image, 1) if undo.image else None
                self._made.clear()
            self._undo(0)

    def rollback(self) -> None:
        """Undo everything since the last commit."""
        self._drop_savepoints()
        self._explicit_commit = False
        self._before = None
        if self._sql is not None:
            self._sql.rollback()
        self._undo(0)
        self.writes = 0

    def sql_rolled_back(self) -> None:
        """SQLite itself ended the transaction (INSERT OR ROLLBACK): the other half is undone too."""
        self._drop_savepoints()
        self._undo(0)

    def _drop_savepoints(self) -> None:
        for point in self._savepoints:
            point.alive = False
        self._savepoints.clear()

    def _undo(self, length: int) -> None:
        journal = self._journal
        while len(journal) > length:
            key, old = journal.pop()
            if key is _ALARM:
                self.alarm_ms = old  # type: ignore[assignment]
            elif key is _TABLE:
                self._hidden.remove(old)  # type: ignore[arg-type]
            elif old is _MISSING:
                del self.kv[key]
                self._sorted = None
            else:
                if key not in self.kv:
                    self._sorted = None
                self.kv[key] = old
        if self._sql is not None:
            self._made = {name for name in self._hidden if self._sql.has_table(name)}

    def internal_error(self) -> JsException:
        return JsException(f"internal error; reference = {self.surroundings.reference()}")

    # -- keys

    def put(self, key: str, value: object) -> None:
        """Set a key to a value that is already a clone. Raises the platform's error above the size limit."""
        self.check_size(key, value)
        self.begin_write()
        kv = self.kv
        old = kv.get(key, _MISSING)
        self._journal.append((key, old))
        self.rows_written += 1
        if old is _MISSING and self._sorted is not None:
            insort(self._sorted, key)
        kv[key] = value
        if _KV not in self._made:
            self._need_table(_KV)

    def check_size(self, key: str, value: object) -> None:
        """Raises the platform's error when key and value do not fit in a row, or in the older key-value store."""
        pair_limit_bytes = self.platform.kv_pair_limit_bytes
        if not self.sqlite and pair_limit_bytes is not None:
            _check_legacy_size(key, value)
        if len(key) < _MEASURED_FROM_BYTES and not may_exceed(value, _MEASURED_FROM_BYTES):
            return
        key_bytes = len(key.encode("utf-8", "surrogatepass"))
        value_bytes = serialized_size(value)
        if pair_limit_bytes is not None:
            fits = key_bytes + value_bytes <= pair_limit_bytes
        else:
            fits = row_size(key_bytes, value_bytes) <= self.platform.row_limit_bytes
        if not fits:
            raise JsException(_TOO_BIG)

    def delete(self, key: str) -> bool:
        """Remove a key; True when it was there."""
        old = self.kv.get(key, _MISSING)
        self.begin_write()
        if old is _MISSING:
            return False
        self._journal.append((key, old))
        self.rows_written += 1
        del self.kv[key]
        if self._sorted is not None:
            del self._sorted[bisect_left(self._sorted, key)]
        return True

    def sorted_keys(self) -> list[str]:
        """All keys in the order of their UTF-8 bytes, which is the order of code points. Do not change the list."""
        if self._sorted is None:
            self._sorted = sorted(self.kv)
        return self._sorted

    def key_range(self, start: str | None, end: str | None, prefix: str, *, after: bool = False) -> tuple[int, int]:
        """The slice of `sorted_keys()` at or after `start` (after it with `after`), before `end`, with this prefix."""
        keys = self.sorted_keys()
        low = 0 if start is None else (bisect_right if after else bisect_left)(keys, start)
        high = len(keys) if end is None else bisect_left(keys, end)
        if prefix:
            low = max(low, bisect_left(keys, prefix))
            high = min(high, _prefix_end(keys, prefix))
        return low, max(low, high)

    def walk(
        self, start: str | None, end: str | None, prefix: str, *, after: bool, reverse: bool, limit: int | None
    ) -> Iterator[str]:
        """The keys of a live listing: it sees inserts ahead of it and skips deletes."""
        given = 0
        last: str | None = None
        while limit is None or given < limit:
            low, high = self.key_range(start, end, prefix, after=after)
            keys = self.sorted_keys()
            if last is not None and reverse:
                high = min(high, bisect_left(keys, last))
            elif last is not None:
                low = max(low, bisect_right(keys, last))
            if low >= high:
                return
            last = keys[high - 1 if reverse else low]
            given += 1
            yield last

    # -- alarm, deletion, SQL

    def set_alarm(self, alarm_ms: int | None) -> None:
        """Set the one alarm, or clear it with None; part of the turn's transaction. The same again is no write."""
        if alarm_ms == self.alarm_ms:
            return
        self.begin_write()
        self.rows_written += alarm_ms is not None  # documented: "each setAlarm()"; of clearing it nothing is said
        self._journal.append((_ALARM, self.alarm_ms))
        self.alarm_ms = alarm_ms
        self._need_table(_METADATA)

    def delete_all(self, *, alarm_too: bool) -> None:
        """Drop the whole database at once, for good: earlier writes of the turn are discarded with it (recorded)."""
        alarm_ms = self.alarm_ms
        self.rollback()
        self._unconfirmed.clear()
        self.kv.clear()
        self._sorted = []
        self.alarm_ms = None
        self.life += 1
        self.bookmark = 0
        if self._sql is not None:
            self._sql.close()
        self._sql = self._packed = None
        self._hidden.clear()
        self._made.clear()
        if not alarm_too:
            self.set_alarm(alarm_ms)

    def next_bookmark(self) -> str:
        """The bookmark as the local runtime counts it: one more a call (recorded)."""
        self.begin_write()
        self._need_table(_METADATA)
        text = f"00000000-{self.bookmark:08x}-00000000-{'0' * 32}"
        self.bookmark += 1
        return text

    @property
    def sql(self) -> SqlDatabase:
        """The SQLite database, opened (or unpacked) at its first use, inside the transaction that is open."""
        if self._sql is None:
            packed = None if self._packed is None else zlib.decompress(self._packed)
            self._sql = SqlDatabase(self, self.platform, packed)
            self._packed = None
            self._image = packed or b""
            if self.writes:
                self._before = (packed or b"") if self.keeps_undo else None
                self._sql.begin()
            for name in self._hidden:
                self._need_table(name)
            for point in self._savepoints:
                self._sql.savepoint(point.name)
        return self._sql

    def pack(self) -> None:
        """Put the SQLite database away as compressed bytes: the object leaves memory."""
        if self._sql is not None:
            self._packed_pages = self._sql.pages_in_use()
            image = self._sql.image() if self._packed_pages else b""
            self._packed = zlib.compress(image, 1) if image else None
            self._sql.close()
            self._sql = None

    def sql_image(self) -> bytes:
        """The SQLite database as a file's bytes, to look at; empty when nothing was ever written."""
        if self._sql is not None:
            return self._sql.serialize()
        return b"" if self._packed is None else zlib.decompress(self._packed)

    def size_bytes(self) -> int:
        """Bytes of the database: pages in use, of SQL as SQLite counts them, of key-value rows as an estimate."""
        pages = max(1, self.sql.pages_in_use())
        kv_bytes = sum(len(key) + serialized_size(value) + 8 for key, value in self.kv.items())
        return (pages + kv_bytes // PAGE_BYTES) * PAGE_BYTES

    def _need_table(self, name: str) -> None:
        """A hidden table is visible in SQL's schema from its first row on; it is made when SQL is opened."""
        if name not in self._hidden:
            self._hidden.append(name)
            self._journal.append((_TABLE, name))
        if self._sql is not None and name not in self._made:
            self._sql.internal(_HIDDEN_TABLES[name])
            self._made.add(name)


def _check_legacy_size(key: str, value: object) -> None:
    key_bytes = len(key.encode("utf-8", "surrogatepass"))
    if key_bytes > LEGACY_KEY_BYTES:
        told = f"Keys cannot be larger than {LEGACY_KEY_BYTES} bytes. A key of size {key_bytes} was provided."
        raise JsException(told, "RangeError")
    if may_exceed(value, LEGACY_VALUE_BYTES) and (size := serialized_size(value)) > (
        LEGACY_VALUE_BYTES + LEGACY_VALUE_GRACE_BYTES
    ):
        told = f"Values cannot be larger than {LEGACY_VALUE_BYTES} bytes. A value of size {size} was provided."
        raise JsException(told, "RangeError")


def _prefix_end(keys: list[str], prefix: str) -> int:
    """The index after the last key that starts with `prefix`."""
    low, high = bisect_left(keys, prefix), len(keys)
    while low < high:
        middle = (low + high) // 2
        if keys[middle].startswith(prefix):
            low = middle + 1
        else:
            high = middle
    return low
