"""What SQL refuses, and in which words (RULES 3: errors, forbidden statements, foreign keys)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dosim.web.errors import JsException
from dosim.workers import DurableObject
from tests.storage.stories import answers, inside, refused, rows, world

DENIED = "Error: not authorized: SQLITE_AUTH"
TRANSACTION = (
    "Error: To execute a transaction, please use the state.storage.transaction() or state.storage.transactionSync()"
    " APIs instead of the SQL BEGIN TRANSACTION or SAVEPOINT statements. The JavaScript API is safer because it will"
    " automatically roll back on exceptions, and because it interacts correctly with Durable Objects' automatic atomic"
    " write coalescing."
)
TABLES = (
    "CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE, n NOT NULL DEFAULT 1, c CHECK (c > 0))",
    "CREATE TABLE child (p REFERENCES t (id))",
    "INSERT INTO t (id, u) VALUES (1, 1)",
)


def refusal(query: str, *bindings: Any, before: tuple[str, ...] = ()) -> str:
    """The one error of a query, without SQLite's offset, which Python's sqlite3 does not tell."""
    (found,) = answers([query, *bindings], before=before)
    assert isinstance(found, str), found
    return re.sub(r" at offset \d+", "", found)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("SELEC 1", 'near "SELEC": syntax error: SQLITE_ERROR'),
        ("SELECT * FROM missing", "no such table: missing: SQLITE_ERROR"),
        ("SELECT x", "no such column: x: SQLITE_ERROR"),
        ("SELECT (", "incomplete input: SQLITE_ERROR"),
        ("CREATE TABLE", "incomplete input: SQLITE_ERROR"),
        ("SELECT 'a", 'unrecognized token: "\'a": SQLITE_ERROR'),
        ("SELECT nope(1)", "no such function: nope: SQLITE_ERROR"),
        ("SELECT abs(1, 2)", "wrong number of arguments to function abs(): SQLITE_ERROR"),
        ("INSERT INTO t VALUES (1)", "table t has 4 columns but 1 values were supplied: SQLITE_ERROR"),
        ("CREATE TABLE t (a)", "table t already exists: SQLITE_ERROR"),
        ("DROP TABLE missing", "no such table: missing: SQLITE_ERROR"),
        (
            "INSERT INTO t (id) VALUES (1)",
            "UNIQUE constraint failed: t.id: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_PRIMARYKEY)",
        ),
        (
            "INSERT INTO t (u) VALUES (1)",
            "UNIQUE constraint failed: t.u: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)",
        ),
        (
            "INSERT INTO t (n) VALUES (NULL)",
            "NOT NULL constraint failed: t.n: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_NOTNULL)",
        ),
        (
            "INSERT INTO t (c) VALUES (0)",
            "CHECK constraint failed: c > 0: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_CHECK)",
        ),
        (
            "INSERT INTO child VALUES (9)",
            "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)",
        ),
        ("INSERT INTO t (id) VALUES ('x')", "datatype mismatch: SQLITE_MISMATCH"),
        (
            "SELECT 'a' COLLATE nope = 'b'",
            "no such collation sequence: nope: SQLITE_ERROR (extended: SQLITE_ERROR_MISSING_COLLSEQ)",
        ),
        ("SELECT json('{')", "malformed JSON: SQLITE_ERROR"),
        ("SELECT RAISE(FAIL, 'x')", "RAISE() may only be used within a trigger-program: SQLITE_ERROR"),
    ],
)
def test_texts(query: str, text: str) -> None:
    """SQLite's message, the code's name, and the extended code of constraints."""
    assert refusal(query, before=TABLES) == f"Error: {text}"


def test_raise_in_a_trigger() -> None:
    """RAISE(ABORT, text) is a constraint with the trigger's text."""
    text = refusal(
        "INSERT INTO t VALUES (1)",
        before=("CREATE TABLE t (a)", "CREATE TRIGGER tr BEFORE INSERT ON t BEGIN SELECT RAISE(ABORT, 'no!'); END"),
    )

    assert text == "Error: no!: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_TRIGGER)"


def test_errors_are_plain() -> None:
    """The class is JsException, its name Error, it has no flags."""

    async def story(self: Any) -> Any:
        with pytest.raises(JsException) as caught:
            self.ctx.storage.sql.exec("SELECT x FROM missing")
        return [caught.value.name, caught.value.message, caught.value.flags]

    assert inside(story) == ["Error", "no such table: missing: SQLITE_ERROR", {}]


def test_unknown_double_quoted_names_are_text() -> None:
    """A double-quoted name that is no column is a string."""
    assert answers('SELECT "nothing"') == [[["nothing"]]]


def test_a_failing_statement_is_atomic() -> None:
    """The second row's conflict undoes the first; OR FAIL keeps it, OR IGNORE skips, OR REPLACE replaces."""
    before = ("CREATE TABLE t (id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES (5, 'old')")
    left = []
    for how in ("", "OR ABORT", "OR FAIL", "OR IGNORE", "OR REPLACE"):
        found = answers(
            f"INSERT {how} INTO t VALUES (1, 'new'), (5, 'new'), (6, 'new')", "SELECT id, v FROM t", before=before
        )
        left.append((isinstance(found[0], str), found[1]))

    assert left == [
        (True, [[5, "old"]]),
        (True, [[5, "old"]]),
        (True, [[1, "new"], [5, "old"]]),
        (False, [[1, "new"], [5, "old"], [6, "new"]]),
        (False, [[1, "new"], [5, "new"], [6, "new"]]),
    ]


def test_a_caught_error_does_not_poison_the_transaction() -> None:
    """After a failing statement the transaction goes on, and commits."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        storage.sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY)")

        def callback() -> str:
            storage.sql.exec("INSERT INTO t VALUES (1)")
            with pytest.raises(JsException):
                storage.sql.exec("INSERT INTO t VALUES (1)")
            storage.sql.exec("INSERT INTO t VALUES (2)")
            return "kept"

        return [storage.transactionSync(callback), rows(storage.sql, "SELECT id FROM t")]

    assert inside(story) == ["kept", [[1], [2]]]


@pytest.mark.parametrize(
    "query",
    [
        "BEGIN",
        "begin immediate",
        "COMMIT",
        "END",
        "ROLLBACK",
        "SAVEPOINT a",
        "RELEASE a",
        "ROLLBACK TO a",
        "-- now\nBEGIN",
        "/* x */ commit;",
        "EXPLAIN BEGIN",
        "SELECT 1; BEGIN",
    ],
)
def test_transactions_are_the_platform_s(query: str) -> None:
    """Every statement that begins or ends a transaction is refused with the long text."""
    assert answers(query) == [TRANSACTION]


def test_an_internal_statement_opens_no_door() -> None:
    """What the platform runs itself stays forbidden: the refusal does not depend on what ran before."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        storage.kv.put("k", 1)
        assert storage.sql.databaseSize == 8192
        storage.transactionSync(lambda: storage.kv.put("k", 2))
        return [
            await refused(lambda q=q: storage.sql.exec(q))
            for q in ("BEGIN", "COMMIT", "PRAGMA page_count", "PRAGMA freelist_count")
        ]

    assert inside(story) == [TRANSACTION, TRANSACTION, DENIED, DENIED]


@pytest.mark.parametrize(
    "query",
    [
        "ATTACH ':memory:' AS a",
        "DETACH a",
        "CREATE TEMP TABLE x (a)",
        "CREATE TEMPORARY VIEW x AS SELECT 1",
        "CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE x USING fts4 (a)",
        "CREATE VIRTUAL TABLE x USING dbstat",
        "PRAGMA user_version",
        "PRAGMA journal_mode",
        "PRAGMA journal_mode = WAL",
        "PRAGMA cache_size",
        "PRAGMA page_count",
        "PRAGMA page_size = 512",
        "PRAGMA integrity_check",
        "PRAGMA compile_options",
        "PRAGMA function_list",
        "PRAGMA pragma_list",
        "PRAGMA database_list",
        "PRAGMA collation_list",
        "PRAGMA schema_version",
        "PRAGMA writable_schema = ON",
        "PRAGMA synchronous",
        "PRAGMA encoding",
        "PRAGMA auto_vacuum",
        "PRAGMA wal_checkpoint",
        "PRAGMA application_id",
        "PRAGMA case_sensitive_like = 5",
        "PRAGMA foreign_keys = maybe",
        "PRAGMA FOREIGN_KEYS",
        "PRAGMA Table_Info(t)",
        "PRAGMA table_info",
        "PRAGMA table_info(_cf_KV)",
        "PRAGMA index_list",
        "PRAGMA data_version = 1",
        "PRAGMA optimize(x)",
        "SELECT * FROM pragma_page_count",
        "SELECT * FROM pragma_database_list",
    ],
)
def test_not_authorized(query: str) -> None:
    """ATTACH, temporary things, other virtual tables and all pragmas that are not on the list."""
    assert answers(query, before=("CREATE TABLE t (a)",)) == [DENIED]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("PRAGMA foreign_keys", [[1]]),
        ("PRAGMA foreign_keys = ON", []),
        ("PRAGMA foreign_keys = 'off'", []),
        ("PRAGMA foreign_keys(yes)", []),
        ("PRAGMA main.foreign_keys = No", []),
        ("PRAGMA defer_foreign_keys", [[0]]),
        ("PRAGMA case_sensitive_like = 1", []),
        ("PRAGMA ignore_check_constraints = true", []),
        ("PRAGMA legacy_alter_table", [[0]]),
        ("PRAGMA recursive_triggers", [[0]]),
        ("PRAGMA reverse_unordered_selects", [[0]]),
        ("PRAGMA table_info(t)", [[0, "a", "", 0, None, 0]]),
        ("PRAGMA table_xinfo(t)", [[0, "a", "", 0, None, 0, 0]]),
        ("PRAGMA index_list(t)", [[0, "i", 0, "c", 0]]),
        ("PRAGMA index_info(i)", [[0, 0, "a"]]),
        ("PRAGMA foreign_key_list(t)", []),
        ("PRAGMA foreign_key_check", []),
        ("PRAGMA foreign_key_check(t)", []),
        ("PRAGMA quick_check", [["ok"]]),
        ("PRAGMA quick_check(5)", [["ok"]]),
        ("PRAGMA quick_check(t)", [["ok"]]),
        ("PRAGMA optimize", []),
        ("PRAGMA optimize(-1)", []),
        ("PRAGMA page_size", [[4096]]),
        ("SELECT name FROM pragma_table_info('t')", [["a"]]),
        ("ANALYZE", []),
        ("REINDEX", []),
        ("ALTER TABLE t ADD COLUMN b", []),
        ("ALTER TABLE t RENAME TO u", []),
        ("SELECT type, name FROM sqlite_master ORDER BY name", [["index", "i"], ["table", "t"]]),
    ],
)
def test_authorized(query: str, expected: list[list[Any]]) -> None:
    """The pragmas on the list, and statements that need no permission."""
    assert answers(query, before=("CREATE TABLE t (a)", "CREATE INDEX i ON t (a)")) == [expected]


def test_explain_works() -> None:
    """EXPLAIN and EXPLAIN QUERY PLAN give rows."""
    found = answers("EXPLAIN QUERY PLAN SELECT * FROM t", "EXPLAIN SELECT 1", before=("CREATE TABLE t (a)",))

    assert found[0][0][-1] == "SCAN t"
    assert found[1][0][1] == "Init"


def test_table_list_shows_the_hidden_tables() -> None:
    """_cf_KV is visible in PRAGMA table_list after the first put, _cf_METADATA after the first alarm."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage

        def names() -> list[str]:
            listed = [row.name for row in storage.sql.exec("PRAGMA table_list")]
            return sorted(name for name in listed if name.startswith("_cf"))

        seen = [names()]
        storage.kv.put("k", 1)
        seen.append(names())
        await storage.setAlarm(1_900_000_000_000)
        return [*seen, names()]

    assert inside(story) == [[], ["_cf_KV"], ["_cf_KV", "_cf_METADATA"]]


@pytest.mark.parametrize("name", ["sqlite_version", "sqlite_source_id", "log10", "power", "ceiling"])
def test_functions_that_are_not_on_the_list(name: str) -> None:
    """Only the functions that workerd lists may be called: pow and ceil, not power and ceiling."""
    argument = {"log10": "100", "power": "2, 3", "ceiling": "1.5"}.get(name, "")

    assert refusal(f"SELECT {name}({argument})") == f"Error: not authorized to use function: {name}: SQLITE_ERROR"


def test_vacuum_and_load_extension() -> None:
    """VACUUM finds a transaction open; load_extension is on the list and not authorized all the same."""
    assert answers("VACUUM", "SELECT load_extension('x')") == [
        "Error: cannot VACUUM from within a transaction: SQLITE_ERROR",
        "Error: not authorized: SQLITE_ERROR",
    ]


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM _cf_KV",
        "UPDATE _cf_KV SET value = 1",
        "INSERT INTO _cf_KV VALUES ('x', x'00')",
        "DROP TABLE _cf_KV",
        "CREATE TABLE _cf_mine (a)",
        "CREATE TABLE _CF_MINE (a)",
        "CREATE VIEW _cf_v AS SELECT 1",
        "CREATE INDEX _cf_i ON t (a)",
        "CREATE INDEX i ON _cf_KV (value)",
        "CREATE TRIGGER _cf_tr AFTER INSERT ON t BEGIN SELECT 1; END",
        "CREATE TRIGGER tr AFTER INSERT ON _cf_KV BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE _cf_f USING fts5 (a)",
        "ALTER TABLE t RENAME TO _cf_t",
        'ALTER TABLE t RENAME TO "_CF_t"',
        "ALTER TABLE _cf_KV RENAME TO t2",
        "ALTER TABLE _cf_KV ADD COLUMN x",
    ],
)
def test_reserved_names_cannot_be_written(query: str) -> None:
    """Names that begin with _cf_, in any case, are the platform's."""

    async def story(self: Any) -> Any:
        self.ctx.storage.kv.put("k", 1)
        self.ctx.storage.sql.exec("CREATE TABLE t (a)")
        text = await refused(lambda: self.ctx.storage.sql.exec(query))
        return [text, self.ctx.storage.kv.get("k")]

    assert inside(story) == [DENIED, 1]


def test_reserved_tables_cannot_be_read() -> None:
    """SELECT names the column; a table that is not there yet is just missing; _cfx is no reserved name."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        missing = await refused(lambda: storage.sql.exec("SELECT * FROM _cf_METADATA"))
        storage.kv.put("k", 1)
        storage.sql.exec("CREATE TABLE _cfx (a)")
        return [missing, await refused(lambda: storage.sql.exec("SELECT * FROM _cf_KV"))]

    assert inside(story) == [
        "Error: no such table: _cf_METADATA: SQLITE_ERROR",
        "Error: access to _cf_KV.key is prohibited: SQLITE_AUTH",
    ]


def test_foreign_keys_are_on() -> None:
    """A violated immediate key fails the statement; ON DELETE CASCADE works."""
    found = answers(
        "INSERT INTO c VALUES (9)",
        "INSERT INTO c VALUES (1)",
        "DELETE FROM p",
        "SELECT * FROM c",
        before=(
            "CREATE TABLE p (id INTEGER PRIMARY KEY)",
            "INSERT INTO p VALUES (1)",
            "CREATE TABLE c (p REFERENCES p (id) ON DELETE CASCADE)",
        ),
    )

    assert found[0].startswith("Error: FOREIGN KEY constraint failed")
    assert found[1:] == [[], [], []]


def test_a_deferred_key_that_is_mended_commits() -> None:
    """PRAGMA defer_foreign_keys lets a turn be inconsistent in between; it holds for one transaction."""

    class A(DurableObject):
        def __init__(self, ctx: Any, env: Any) -> None:
            super().__init__(ctx, env)
            ctx.storage.sql.exec("CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p (id))")

        async def run(self) -> Any:
            sql = self.ctx.storage.sql
            sql.exec("PRAGMA defer_foreign_keys = ON")
            sql.exec("INSERT INTO c VALUES (1)")
            sql.exec("INSERT INTO p VALUES (1)")
            await self.ctx.storage.sync()
            return [rows(sql, "SELECT * FROM c"), rows(sql, "PRAGMA defer_foreign_keys")]

    sim = world(A)

    assert sim.run(sim.env.A.getByName("x").run()) == [[[1]], [[0]]]


def test_ignored_constraints() -> None:
    """ignore_check_constraints and foreign_keys = OFF take the checks away."""

    async def story(self: Any) -> Any:
        sql = self.ctx.storage.sql
        sql.exec("CREATE TABLE t (a CHECK (a > 0)); CREATE TABLE c (p REFERENCES t (a))")
        await self.ctx.storage.sync()
        sql.exec("PRAGMA ignore_check_constraints = ON")
        sql.exec("PRAGMA foreign_keys = OFF")
        sql.exec("INSERT INTO t VALUES (-1)")
        sql.exec("INSERT INTO c VALUES (7)")
        return rows(sql, "SELECT a, (SELECT p FROM c) FROM t")

    assert inside(story) == [[-1, 7]]
