"""The SQL half of an object's storage: SQLite with the platform's refusals, limits and error texts.

What SQLite says is what the platform says (the runtime is SQLite too); this module adds the authorizer, the limits,
the names of error codes, the rule for bindings, and cursors with their fetch-ahead. Recorded in the storage cases.
"""

from __future__ import annotations

import math
import sqlite3
import sys
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from dosim.platform.facts import TRANSACTION_SQL_TEXT, Platform
from dosim.storage import counters
from dosim.storage.authorizer import Authorizer, is_reserved_rename
from dosim.storage.functions import add_functions
from dosim.storage.statements import Script, Statement, read_script
from dosim.web.errors import JsException
from dosim.web.values import BIGINT_FROM, JsBigInt, JsDict, clone, js_text

if TYPE_CHECKING:
    from dosim.storage.engine import Storage

#: Statement text, bytes, comments included (recorded).
SQL_LENGTH_BYTES: Final = 100_000
_NO_STATEMENT: Final = "SQL code did not contain a statement."
_ONLY_LAST: Final = (
    "When executing multiple SQL statements in a single call, only the last statement can have parameters."
)
_WRONG_COUNT: Final = "Wrong number of parameter bindings for SQL query."
#: Marks the platform's own statements: Python keeps prepared statements by their text, and user code's are checked.
_OWN: Final = "/*dosim*/ "
#: SQLite 3.54's words for what older ones say.
_REWORDED: Final = {"too many levels of trigger recursion": "triggers nested too deep"}
#: These Pythons deprecate `?1` by mistake. Source: github.com/python/cpython/issues/117995
_WARNS_OF_NUMBERS: Final = (3, 12) <= sys.version_info < (3, 12, 4)
_script = lru_cache(maxsize=512)(read_script)

#: SQLite's result codes by number. Source: sqlite.org/rescode.html
_CODES: Final = {
    1: "SQLITE_ERROR", 3: "SQLITE_PERM", 4: "SQLITE_ABORT", 5: "SQLITE_BUSY", 6: "SQLITE_LOCKED", 7: "SQLITE_NOMEM",
    8: "SQLITE_READONLY", 9: "SQLITE_INTERRUPT", 10: "SQLITE_IOERR", 11: "SQLITE_CORRUPT", 13: "SQLITE_FULL",
    17: "SQLITE_SCHEMA", 18: "SQLITE_TOOBIG", 19: "SQLITE_CONSTRAINT", 20: "SQLITE_MISMATCH", 21: "SQLITE_MISUSE",
    23: "SQLITE_AUTH", 25: "SQLITE_RANGE", 26: "SQLITE_NOTADB",
}  # fmt: skip
#: Extended codes that SQL can meet, besides those of constraints.
_EXTENDED: Final = {
    257: "SQLITE_ERROR_MISSING_COLLSEQ", 267: "SQLITE_CORRUPT_VTAB", 513: "SQLITE_ERROR_RETRY",
    516: "SQLITE_ABORT_ROLLBACK", 518: "SQLITE_LOCKED_VTAB", 769: "SQLITE_ERROR_SNAPSHOT",
}  # fmt: skip
_CONSTRAINTS: Final = {
    1: "CHECK", 2: "COMMITHOOK", 3: "FOREIGNKEY", 4: "FUNCTION", 5: "NOTNULL", 6: "PRIMARYKEY", 7: "TRIGGER",
    8: "UNIQUE", 9: "VTAB", 10: "ROWID", 11: "PINNED", 12: "DATATYPE",
}  # fmt: skip


#: Words of statements that leave the schema as it is: their programs can be kept.
_PLAIN: Final = frozenset(("SELECT", "VALUES", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "PRAGMA", "EXPLAIN"))


class CommitRefused(Exception):
    """SQLite would not commit; `constraint` is the violated constraint in the platform's words, if that is why."""

    def __init__(self, constraint: str = "") -> None:
        super().__init__(constraint)
        self.constraint = constraint


def sql_error(error: sqlite3.Error) -> JsException:
    """A SQLite error in the platform's words: message, code, extended code."""
    code = getattr(error, "sqlite_errorcode", None)
    message = str(error)
    if code is None:
        if "bindings" in message:
            return JsException(_WRONG_COUNT)
        return JsException(f"{message}: SQLITE_ERROR")
    name = _CODES.get(code & 0xFF, "SQLITE_ERROR")
    text = f"{_REWORDED.get(message, message)}: {name}"
    extended = _EXTENDED.get(code)
    if name == "SQLITE_CONSTRAINT" and code >> 8 in _CONSTRAINTS:
        extended = f"SQLITE_CONSTRAINT_{_CONSTRAINTS[code >> 8]}"
    return JsException(text if extended is None else f"{text} (extended: {extended})")


#: What SQLite is given.
Value = float | str | bytes | None


def bind(value: object) -> Value:
    """A binding as the platform passes it to SQLite: every number is REAL, a boolean is the text 'true' (recorded)."""
    if value is None:
        return None
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, bool):
        return js_text(value)
    if isinstance(value, JsBigInt):
        raise JsException("Cannot convert a BigInt value to a number", "TypeError")
    if isinstance(value, (int, float)):
        number = float(value)
        return None if math.isnan(number) else number
    if isinstance(value, memoryview):
        return bytes(value)
    return js_text(value)


def unbind(value: Any) -> object:
    """A column's value as Python Workers read it: whole numbers are int up to 2^53, blobs memoryview."""
    if type(value) is int:
        return value if -BIGINT_FROM <= value <= BIGINT_FROM else float(value)
    if type(value) is float:
        return int(value) if value.is_integer() and abs(value) <= BIGINT_FROM else value
    if type(value) is bytes:
        return memoryview(value)
    return value


def _text(value: bytes) -> str:
    """Text that is no UTF-8 is read with U+FFFD in it, as JavaScript does."""
    return str(value, "utf-8", "replace")


class SqlDatabase:
    """One object's SQLite database in memory."""

    def __init__(self, owner: Storage, platform: Platform, packed: bytes | None = None) -> None:
        self._owner = owner
        self._connection = connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        if packed:
            connection.deserialize(packed)
        self._authorizer = Authorizer()
        connection.text_factory = _text
        connection.execute("PRAGMA foreign_keys = ON")
        _set_limits(connection, platform)
        add_functions(connection, owner.surroundings)
        connection.set_authorizer(self._authorizer)
        self.transaction_lost = False
        self._begun = False
        self._programs: dict[str, counters.Program] = {}
        self._marks = 0
        #: Cursors of this transaction's INSERT ... RETURNING and the like: unread ones stay open, as on the platform.
        self._returning: list[sqlite3.Cursor] = []

    # -- the transaction, on the platform's behalf

    def internal(self, statement: str) -> None:
        """Run a statement of the platform's own, past the authorizer."""
        with self._authorizer.set_aside():
            self._connection.execute(_OWN + statement)

    def begin(self) -> None:
        if not self._begun:
            self.internal("BEGIN")
            self._begun = True

    def savepoint(self, name: str) -> None:
        self.internal(f"SAVEPOINT {name}")

    def release(self, name: str) -> None:
        """Close a savepoint. Raises CommitRefused while a writing cursor is open."""
        if self._connection.in_transaction:
            try:
                self.internal(f"RELEASE {name}")
            except sqlite3.Error:
                raise CommitRefused from None

    def rollback_to(self, name: str) -> None:
        if self._connection.in_transaction:
            self.internal(f"ROLLBACK TO {name}")

    def commit(self) -> None:
        """Commit. Raises CommitRefused: a deferred constraint violated, a writing cursor open, a transaction lost."""
        lost, self.transaction_lost = self.transaction_lost, False
        if not self._begun:
            return
        if lost:
            raise CommitRefused
        try:
            self.internal("COMMIT")
        except sqlite3.IntegrityError as error:
            code = f"SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_{_CONSTRAINTS[error.sqlite_errorcode >> 8]})"
            raise CommitRefused(f"{error}: {code}") from None
        except sqlite3.Error:
            raise CommitRefused from None
        self._begun = False
        self._returning.clear()

    def rollback(self) -> None:
        self.transaction_lost = False
        self._returning.clear()
        if self._connection.in_transaction:
            self.internal("ROLLBACK")
        self._begun = False

    def serialize(self) -> bytes:
        """The database file as bytes; empty when nothing was ever written."""
        return self.image() if self.pages_in_use() else b""

    def image(self) -> bytes:
        """The database file as bytes, of a database that has pages."""
        with self._authorizer.set_aside():
            return self._connection.serialize()

    def close(self) -> None:
        self._connection.close()

    def has_table(self, name: str) -> bool:
        with self._authorizer.set_aside():
            found = self._connection.execute(f"{_OWN}SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone()
        return found is not None

    def pages_in_use(self) -> int:
        with self._authorizer.set_aside():
            pages: int = self._connection.execute(f"{_OWN}PRAGMA page_count").fetchone()[0]
            free: int = self._connection.execute(f"{_OWN}PRAGMA freelist_count").fetchone()[0]
        return pages - free

    # -- user statements

    def exec(self, query: str, bindings: list[object]) -> Cursor:
        """Run the statements of `query`; the cursor is the last one's. Raises JsException in the platform's words."""
        if len(query.encode("utf-8", "surrogatepass")) > SQL_LENGTH_BYTES:
            raise JsException("statement too long: SQLITE_TOOBIG")
        values = [bind(value) for value in bindings]
        script: Script = _script(query)
        if not script.statements:
            raise JsException(_NO_STATEMENT)
        last = len(script.statements) - (0 if script.empty_tail else 1)
        for statement in script.statements[:last]:
            if statement.parameters:
                self._prepare_only(statement)
                raise JsException(_ONLY_LAST)
            self._run(statement, []).finish()
        if script.empty_tail:
            raise JsException(_NO_STATEMENT)
        return self._run(script.statements[-1], values)

    def _prepare_only(self, statement: Statement) -> None:
        """Let SQLite object to the statement itself first, as preparing it does."""
        explain = "" if statement.word == "EXPLAIN" else "EXPLAIN "
        try:
            self._execute(f"{explain}{statement.text}\n{self._mark()}", [None] * statement.parameters).close()
        except sqlite3.Error as error:
            raise self._failed(error, statement, statement.parameters) from None

    def _run(self, statement: Statement, values: list[Value]) -> Cursor:
        if is_reserved_rename(statement.text):
            raise JsException("not authorized: SQLITE_AUTH")
        if statement.writes:
            self._owner.begin_write()
        self._authorizer.prepare()
        program = self.program(statement, values) if statement.writes else ()  # now: EXPLAIN sets changes() to 0
        created = counters.schema_rows_written(program) if statement.word == "CREATE" else 0
        upsert = counters.is_upsert(program)
        inserted = self._last_rowid() if upsert else 0
        before = self._connection.total_changes
        try:
            cursor = self._execute(statement.text, values)
        except sqlite3.Error as error:
            raise self._failed(error, statement, len(values)) from None
        except OverflowError:
            raise JsException("string or blob too big: SQLITE_TOOBIG") from None
        if statement.writes and cursor.description:
            self._returning.append(cursor)
        changes = self._connection.total_changes - before
        if statement.word not in _PLAIN:
            self._programs.clear()  # the schema may have changed
        updated = upsert and inserted == self._last_rowid()
        return Cursor(self, self._owner, statement, values, cursor, changes, created, updated)

    def _last_rowid(self) -> int:
        rowid: int = self._connection.execute("SELECT last_insert_rowid()").fetchone()[0]
        return rowid

    def _execute(self, text: str, values: Sequence[Value]) -> sqlite3.Cursor:
        if not (_WARNS_OF_NUMBERS and values):
            return self._connection.execute(text, values)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return self._connection.execute(text, values)

    def _failed(self, error: sqlite3.Error, statement: Statement, given: int) -> JsException:
        if self._authorizer.transaction:
            return JsException(TRANSACTION_SQL_TEXT)
        if self._begun and not self._connection.in_transaction and not self.transaction_lost:
            self.transaction_lost = True
            self._owner.sql_rolled_back()
        if isinstance(error, sqlite3.ProgrammingError) and given != statement.parameters:
            return JsException(_WRONG_COUNT)
        return sql_error(error)

    # -- counters

    @property
    def total_changes(self) -> int:
        return self._connection.total_changes

    def program(self, statement: Statement, values: list[Value]) -> counters.Program:
        """The statement's program; empty when SQLite refuses the statement."""
        known = self._programs.get(statement.text)
        if known is not None:
            return known
        explain = "" if statement.word == "EXPLAIN" else "EXPLAIN "
        try:
            with self._authorizer.set_aside():
                steps = self._execute(f"{_OWN}{explain}{statement.text}\n{self._mark()}", values).fetchall()
        except sqlite3.Error:
            return ()
        if steps and len(steps[0]) < 8:
            return ()  # EXPLAIN QUERY PLAN shows no program
        program = tuple([counters.Operation(step[1], step[2], step[3], step[6]) for step in steps])
        if statement.word in _PLAIN:
            self._programs[statement.text] = program
        return program

    def _mark(self) -> str:
        """A comment that makes a text new: SQLite (3.40 at least) crashes when a cached EXPLAIN meets a new schema."""
        self._marks += 1
        return f"-- {self._marks}"

    def rows_in(self, roots: list[int]) -> int:
        """How many rows the tables and indexes with these root pages have."""
        count = 0
        with self._authorizer.set_aside():
            for root in roots:
                named = self._connection.execute(
                    f"{_OWN}SELECT tbl_name FROM sqlite_master WHERE rootpage = ?", (root,)
                )
                for (name,) in named.fetchall():
                    quoted = name.replace('"', '""')
                    count += self._connection.execute(f'{_OWN}SELECT count(*) FROM "{quoted}"').fetchone()[0]
        return count


class Cursor:
    """One forward stream of rows, shared by every way of reading it. Each read fetches one row ahead (recorded)."""

    def __init__(
        self,
        database: SqlDatabase,
        owner: Storage,
        statement: Statement,
        values: list[Value],
        cursor: sqlite3.Cursor,
        changes: int,
        created: int,
        updated: bool,
    ) -> None:
        self._database = database
        self._owner = owner
        self._life = owner.life
        self._statement = statement
        self._values = values
        self._cursor = cursor
        self._changes = changes
        self._created = created
        self._updated = updated
        self._given = 0
        self._ended = False
        #: Rows read and written that the owner knows of.
        self._metered = (0, 0)
        self.columns = [statement.column_name(column[0]) for column in cursor.description or ()]
        if changes or created:
            self._meter()

    def next_row(self) -> tuple[object, ...] | None:
        """The next row, or None at the end. Raises JsException when the database was deleted or the row fails."""
        if self._ended:
            return None
        if self._life != self._owner.life:
            raise JsException("SQLite query was canceled because the database was deleted.")
        before = self._database.total_changes
        try:
            row = self._cursor.fetchone() if self.columns else None
        except sqlite3.Error as error:
            self.finish()
            raise sql_error(error) from None
        self._changes += self._database.total_changes - before  # RETURNING: counted when the statement has ended
        if row is None:
            self._ended = True
            self._meter()
            return None
        self._given += 1
        return tuple(map(unbind, row))

    def finish(self) -> None:
        """Let go of the statement: nothing more will be read."""
        if not self._ended and self.columns:
            self._meter()
        self._ended = True
        if self._life == self._owner.life:
            self._cursor.close()

    def _meter(self) -> None:
        """Tell the owner what has been read and written since this was last called."""
        read, written = self.rows_read, self.rows_written
        self._owner.count_rows(read - self._metered[0], written - self._metered[1])
        self._metered = read, written

    @property
    def rows_read(self) -> int:
        """Rows scanned so far, the one fetched ahead too; an estimate."""
        given = self._given + (0 if self._ended or not self.columns else 1)
        if self._life != self._owner.life or not self.columns:
            return given
        program = self._database.program(self._statement, self._values)
        if counters.reads_all_first(program) or (self._ended and not counters.is_limited(program)):
            return max(given, self._database.rows_in(counters.scanned_roots(program)))
        return given

    @property
    def rows_written(self) -> int:
        """Rows and index rows written so far; an estimate."""
        if not self._changes or self._life != self._owner.life:
            return self._changes + self._created
        program = self._database.program(self._statement, self._values)
        return counters.rows_written(program, self._changes, updated=self._updated)

    def rows(self) -> Iterator[JsDict]:
        """The remaining rows as objects; of columns with one name the last one stays."""
        while (row := self.next_row()) is not None:
            yield clone(dict(zip(self.columns, row, strict=True)))

    def one(self) -> JsDict:
        """The only remaining row. Raises the platform's errors for none and for several; the cursor is finished."""
        row = self.next_row()
        if row is None:
            raise JsException("Expected exactly one result from SQL query, but got no results.")
        if self.next_row() is not None:
            self.finish()
            raise JsException("Expected exactly one result from SQL query, but got multiple results.")
        found: JsDict = clone(dict(zip(self.columns, row, strict=True)))
        return found


def _set_limits(connection: sqlite3.Connection, platform: Platform) -> None:
    """The platform's limits (recorded by bisection; where documents say less, `platform` does)."""
    for limit, value in (
        (sqlite3.SQLITE_LIMIT_LENGTH, platform.row_limit_bytes),
        (sqlite3.SQLITE_LIMIT_SQL_LENGTH, 2 * SQL_LENGTH_BYTES),
        (sqlite3.SQLITE_LIMIT_COLUMN, 100),
        (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 100),
        (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 5),
        (sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 100),
        (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
        (sqlite3.SQLITE_LIMIT_FUNCTION_ARG, platform.sql_function_arguments),
        (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 10),
        (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
    ):
        connection.setlimit(limit, value)
