"""exec, cursors, several statements, counters, features of SQLite (RULES 3)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from dosim import Simulation
from dosim.workers import DurableObject
from tests.storage.stories import answers, inside, refused, rows, world

NO_STATEMENT = "Error: SQL code did not contain a statement."
ONLY_LAST = (
    "Error: When executing multiple SQL statements in a single call, only the last statement can have parameters."
)


def test_exec_runs_at_once() -> None:
    """Writing happens at the call, even when nobody reads the cursor; RETURNING writes all rows before the first."""

    async def story(self: Any) -> Any:
        sql = self.ctx.storage.sql
        sql.exec("CREATE TABLE t (a)")
        cursor = sql.exec("INSERT INTO t VALUES (1), (2), (3) RETURNING a")
        count = rows(sql, "SELECT count(*) FROM t")
        return [count, cursor.toArray()]

    assert inside(story) == [[[3]], [{"a": 1}, {"a": 2}, {"a": 3}]]


def test_one_stream_for_every_way_of_reading() -> None:
    """next, iteration, raw, toArray and one share one forward stream; break does not close it."""

    async def story(self: Any) -> Any:
        sql = self.ctx.storage.sql
        cursor = sql.exec("WITH n (i) AS (VALUES (1), (2), (3), (4), (5)) SELECT i FROM n")
        seen: list[Any] = [cursor.next()]
        for row in cursor:
            seen.append(row)
            break
        seen.append(cursor.raw().next())
        seen.append(cursor.toArray())
        seen += [cursor.toArray(), cursor.next(), list(cursor), list(cursor.raw()), cursor.columnNames]
        return seen

    end = {"done": True, "value": None}
    assert inside(story) == [
        {"done": False, "value": {"i": 1}},
        {"i": 2},
        {"done": False, "value": [3]},
        [{"i": 4}, {"i": 5}],
        [],
        end,
        [],
        [],
        ["i"],
    ]


def test_one_counts_the_remaining_rows() -> None:
    """one() wants exactly one remaining row; the cursor is finished when there were more."""

    async def story(self: Any) -> Any:
        sql = self.ctx.storage.sql
        query = "SELECT * FROM (SELECT 1 AS a UNION SELECT 2)"
        second = sql.exec(query)
        second.next()
        many = sql.exec(query)
        text = await refused(many.one)
        return [second.one(), text, many.toArray(), await refused(sql.exec("SELECT 1 WHERE 0").one)]

    assert inside(story) == [
        {"a": 2},
        "Error: Expected exactly one result from SQL query, but got multiple results.",
        [],
        "Error: Expected exactly one result from SQL query, but got no results.",
    ]


def test_rows_are_objects_with_attributes() -> None:
    """A row is a JsDict: keys and attributes."""

    async def story(self: Any) -> Any:
        row = self.ctx.storage.sql.exec("SELECT 1 AS a, 'x' AS b").one()
        return [row["a"], row.b, type(row).__name__]

    assert inside(story) == [1, "x", "JsDict"]


def test_column_names() -> None:
    """Of columns with one name an object keeps the last; raw() keeps all; unnamed ones are called by their text."""

    async def story(self: Any) -> Any:
        sql = self.ctx.storage.sql
        sql.exec("CREATE TABLE t (a)")
        cursor = sql.exec("SELECT 1 AS x, 2 AS x, 3 AS y")
        unnamed = sql.exec("SELECT count(*), 1+1, max(a) FROM t")
        named = sql.exec("SELECT :value, ?", 1, 2)
        return [
            cursor.columnNames,
            cursor.one(),
            next(iter(sql.exec("SELECT 1 AS x, 2 AS x").raw())),
            unnamed.columnNames,
            named.columnNames,
            sql.exec("INSERT INTO t VALUES (1)").columnNames,
            sql.exec("SELECT * FROM t WHERE 0").columnNames,
        ]

    assert inside(story) == [
        ["x", "x", "y"],
        {"x": 2, "y": 3},
        [1, 2],
        ["count(*)", "1+1", "max(a)"],
        [":value", "?"],
        [],
        ["a"],
    ]


def test_a_cursor_has_no_length() -> None:
    """len(cursor) is a TypeError, next(cursor) too: cursors are iterable, not iterators."""

    async def story(self: Any) -> Any:
        cursor = self.ctx.storage.sql.exec("SELECT 1")
        with pytest.raises(TypeError):
            len(cursor)
        with pytest.raises(TypeError):
            next(cursor)
        return bool(cursor)

    assert inside(story) is True


def test_a_cursor_survives_awaits_commits_and_the_event() -> None:
    """It reads on after a timer, after writes, and in the next event of the same instance."""

    class A(DurableObject):
        async def open(self) -> Any:
            sql = self.ctx.storage.sql
            sql.exec("CREATE TABLE t (a)")
            sql.exec("INSERT INTO t VALUES (1), (2), (3), (4)")
            self.cursor = sql.exec("SELECT a FROM t ORDER BY rowid")
            first = self.cursor.next().value.a
            await asyncio.sleep(1)
            self.ctx.storage.kv.put("k", 1)
            await self.ctx.storage.sync()
            return [first, self.cursor.next().value.a]

        async def read(self) -> Any:
            return [row.a for row in self.cursor]

    sim = world(A)
    stub = sim.env.A.getByName("x")

    assert sim.run(stub.open()) == [1, 2]
    assert sim.run(stub.read()) == [3, 4]


def test_an_open_cursor_sees_later_rows() -> None:
    """A half-read SELECT allows inserts, and goes on into them."""

    async def story(self: Any) -> Any:
        sql = self.ctx.storage.sql
        sql.exec("CREATE TABLE t (a)")
        sql.exec("INSERT INTO t VALUES (1), (2), (3)")
        cursor = sql.exec("SELECT a FROM t")
        cursor.next()
        sql.exec("INSERT INTO t VALUES (4)")
        return [row.a for row in cursor]

    assert inside(story) == [2, 3, 4]


def test_one_text_in_two_open_cursors() -> None:
    """The same statement can be open twice."""

    async def story(self: Any) -> Any:
        sql = self.ctx.storage.sql
        query = "SELECT * FROM (SELECT 1 AS a UNION SELECT 2 UNION SELECT 3)"
        one, two = sql.exec(query), sql.exec(query)
        return [one.next().value.a, two.next().value.a, one.next().value.a, len(two.toArray()), len(one.toArray())]

    assert inside(story) == [1, 1, 2, 2, 1]


def test_an_open_cursor_locks_its_table() -> None:
    """DROP TABLE under a half-read cursor is refused; after `del cursor` it works."""

    async def story(self: Any) -> Any:
        sql = self.ctx.storage.sql
        sql.exec("CREATE TABLE t (a)")
        sql.exec("INSERT INTO t VALUES (1), (2), (3)")
        cursor = sql.exec("SELECT a FROM t")
        cursor.next()
        text = await refused(lambda: sql.exec("DROP TABLE t"))
        del cursor
        sql.exec("DROP TABLE t")
        return [text, rows(sql, "SELECT name FROM sqlite_master")]

    assert inside(story) == ["Error: database table is locked: SQLITE_LOCKED", []]


def test_an_error_while_reading_comes_one_row_early() -> None:
    """Each read fetches one row ahead: the row before the failing one is lost."""

    async def story(self: Any) -> Any:
        sql = self.ctx.storage.sql
        cursor = sql.exec("WITH n (i) AS (VALUES (1), (2), (-9223372036854775808)) SELECT abs(i) AS a FROM n")
        return [cursor.next().value.a, await refused(cursor.next)]

    assert inside(story) == [1, "Error: integer overflow: SQLITE_ERROR"]


def test_an_error_in_the_first_row_comes_at_exec() -> None:
    """The first row is fetched by exec itself."""
    assert answers("SELECT abs(-9223372036854775808)") == ["Error: integer overflow: SQLITE_ERROR"]


@pytest.mark.parametrize(
    "query",
    ["", "  \n", "-- comment", "/* comment */", ";", ";;", "SELECT 1;;", "SELECT 1; -- tail", "SELECT 1; /* t */"],
)
def test_text_without_a_statement(query: str) -> None:
    """Nothing, blanks, comments and semicolons are no statement; nor may they follow one."""
    assert answers(query) == [NO_STATEMENT]


@pytest.mark.parametrize(
    "query", ["SELECT 1", ";;SELECT 1", "SELECT 1; \n\t ", "SELECT 1 -- tail", "/* a */ SELECT 1;"]
)
def test_text_with_one_statement(query: str) -> None:
    """Leading semicolons, trailing blanks, and a comment before the semicolon are fine."""
    assert answers(query) == [[[1]]]


def test_a_statement_before_a_tail_has_run() -> None:
    """`INSERT ...; -- tail` writes, then fails; with parameters it does not write."""
    found = answers(
        "INSERT INTO t VALUES (1); -- tail",
        ["INSERT INTO t VALUES (?); -- tail", 2],
        "SELECT a FROM t",
        before=("CREATE TABLE t (a)",),
    )

    assert found == [NO_STATEMENT, ONLY_LAST, [[1]]]


def test_several_statements() -> None:
    """Only the last one's rows are returned, only it may have parameters."""
    found = answers(
        ["CREATE TABLE t (a); INSERT INTO t VALUES (1); SELECT a, ? AS b FROM t", 7],
        ["INSERT INTO t VALUES (?); SELECT 1", 7],
        "SELECT 5; SELECT 6",
        ["SELECT 'a;b' AS x; SELECT ';'", *[]],
        "SELECT count(*) FROM t",
    )

    assert found == [[[1, 7]], ONLY_LAST, [[6]], [[";"]], [[1]]]


@pytest.mark.parametrize("broken", ["SELEC 1", "SELECT * FROM missing", "INSERT INTO t VALUES (1, 2)", "SELECT ?"])
def test_earlier_statements_stay_when_a_later_one_fails(broken: str) -> None:
    """Even a syntax error in the second statement leaves the first one's effect."""
    found = answers(f"INSERT INTO t VALUES (1); {broken}", "SELECT a FROM t", before=("CREATE TABLE t (a)",))

    assert isinstance(found[0], str)
    assert found[1] == [[1]]


def test_a_bad_binding_stops_everything() -> None:
    """Bindings are converted before the first statement runs: a BigInt leaves nothing written."""
    found = answers(
        ["INSERT INTO t VALUES (1); INSERT INTO t VALUES (?)", 2**53], "SELECT a FROM t", before=("CREATE TABLE t (a)",)
    )

    assert found == ["TypeError: Cannot convert a BigInt value to a number", []]


def test_the_same_text_again_runs_all_of_it() -> None:
    """Repeating a text of several statements repeats them all."""
    query = "INSERT INTO t VALUES (1); SELECT count(*) FROM t"

    assert answers(query, query, query, before=("CREATE TABLE t (a)",)) == [[[1]], [[2]], [[3]]]


def test_an_endless_earlier_statement_is_not_read() -> None:
    """Of statements before the last one only the first row is fetched."""
    endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"

    assert answers(f"{endless}; SELECT 'last'") == [[["last"]]]


def test_counters_and_size_stand_still_after_the_first_reading() -> None:
    """The SDK caches databaseSize, rowsRead, rowsWritten; `_binding` moves."""

    async def story(self: Any) -> Any:
        sql = self.ctx.storage.sql
        empty = sql.databaseSize
        sql.exec("CREATE TABLE t (a)")
        cached, moved = sql.databaseSize, sql._binding.databaseSize
        sql.exec("INSERT INTO t VALUES (1), (2), (3)")
        cursor = sql.exec("SELECT a FROM t")
        first = cursor.rowsRead
        cursor.toArray()
        return [empty, cached, moved, first, cursor.rowsRead, cursor._binding.rowsRead]

    assert inside(story) == [4096, 4096, 8192, 1, 1, 3]


def test_database_size() -> None:
    """An empty object has 4096 bytes, the first table makes it 8192, each table or index adds 4096."""

    async def story(self: Any) -> Any:
        sql, sizes = self.ctx.storage.sql, []
        for statement in ("SELECT 1", "CREATE TABLE t (a)", "CREATE TABLE u (a)", "CREATE INDEX i ON t (a)"):
            sql.exec(statement)
            sizes.append(sql._binding.databaseSize)
        sql.exec("DROP TABLE u")
        sizes.append(sql._binding.databaseSize)
        await self.ctx.storage.deleteAll()
        return [*sizes, sql._binding.databaseSize]

    assert inside(story) == [4096, 8192, 12288, 16384, 12288, 4096]


def test_rows_written() -> None:
    """Table rows and index rows: UPDATE counts the index whose column changes, DELETE one a row."""

    async def story(self: Any) -> Any:
        sql = self.ctx.storage.sql
        sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v, w)")
        counts = [sql.exec("INSERT INTO t VALUES (1, 'a', 0), (2, 'b', 0)").rowsWritten]
        sql.exec("CREATE INDEX i ON t (v)")
        statements = (
            "INSERT INTO t VALUES (3, 'c', 0)",
            "UPDATE t SET v = v WHERE id <= 2",
            "UPDATE t SET w = 1 WHERE id <= 2",
            "DELETE FROM t WHERE id = 3",
            "DELETE FROM t WHERE id = 300",
            "SELECT * FROM t",
        )
        counts += [sql.exec(statement).rowsWritten for statement in statements]
        returning = sql.exec("INSERT INTO t VALUES (4, 'd', 0) RETURNING id")
        returning.toArray()
        return [*counts, returning.rowsWritten]

    assert inside(story) == [2, 2, 4, 2, 1, 0, 0, 2]


def test_rows_written_by_an_upsert() -> None:
    """As counted by workerd 2026-11-17: the index is written only by the upsert that inserts."""

    async def story(self: Any) -> Any:
        sql = self.ctx.storage.sql
        sql.exec("CREATE TABLE d (name TEXT PRIMARY KEY, edits INTEGER)")
        sql.exec("CREATE TABLE n (id INTEGER PRIMARY KEY, edits INTEGER)")
        named = "INSERT INTO d VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET edits = excluded.edits"
        numbered = "INSERT INTO n VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET edits = excluded.edits RETURNING id"
        counts = [sql.exec(named, name, at).rowsWritten for at, name in enumerate(("a", "a", "b", "b"))]
        for at in range(2):
            cursor = sql.exec(numbered, 1, at)
            cursor.toArray()
            counts.append(cursor.rowsWritten)
        return counts

    assert inside(story) == [2, 1, 2, 1, 1, 1]


def test_rows_read() -> None:
    """A scan counts each row, an aggregate all rows at once, an index hit one; a filtered scan what it went through."""

    async def story(self: Any) -> Any:
        sql = self.ctx.storage.sql
        sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
        sql.exec("INSERT INTO t (v) VALUES ('a'), ('b'), ('a'), ('b'), ('a'), ('b'), ('c')")
        counts = []
        for query in (
            "SELECT * FROM t",
            "SELECT count(*) FROM t",
            "SELECT count(*) FROM t WHERE v = 'b'",
            "SELECT * FROM t WHERE id = 3",
            "SELECT * FROM t WHERE v = 'c'",
            "SELECT * FROM t LIMIT 2",
            "SELECT 1 WHERE 0",
        ):
            cursor = sql.exec(query)
            cursor.toArray()
            counts.append(cursor.rowsRead)
        return [*counts, sql.exec("SELECT max(v) FROM t").rowsRead, sql.exec("CREATE TABLE u (a)").rowsWritten]

    assert inside(story) == [7, 7, 7, 1, 7, 2, 0, 7, 2]


def test_what_sqlite_offers() -> None:
    """FTS5, JSON, mathematics, windows, UPSERT, RETURNING, generated columns, AUTOINCREMENT work."""
    found = answers(
        "SELECT json_extract('{\"a\": [1, 2]}', '$.a[1]'), '{\"a\": 5}' ->> 'a'",
        "SELECT value FROM json_each('[1, 2]')",
        "SELECT pow(2, 3), ceil(1.5), round(pi(), 2)",
        "SELECT sum(a) OVER (ORDER BY a) FROM (SELECT 1 AS a UNION SELECT 2)",
        "INSERT INTO u VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = n + 1 RETURNING n",
        "INSERT INTO u VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = n + 1 RETURNING n",
        "INSERT INTO g (a) VALUES (2) RETURNING b",
        "INSERT INTO auto (v) VALUES ('x') RETURNING id",
        "SELECT body FROM f WHERE f MATCH 'quick'",
        "SELECT highlight(f, 0, '[', ']') FROM f WHERE f MATCH 'fox'",
        "SELECT concat('a', NULL, 1), concat_ws('-', 'a', NULL, 'b'), string_agg(a, '+') FROM (SELECT 'x' AS a)",
        "SELECT octet_length('é'), hex(unhex('4142')), iif(1, 2, 3), char(65), unicode('A')",
        before=(
            "CREATE TABLE u (id INTEGER PRIMARY KEY, n)",
            "CREATE TABLE g (a, b GENERATED ALWAYS AS (a * 2) STORED)",
            "CREATE TABLE auto (id INTEGER PRIMARY KEY AUTOINCREMENT, v)",
            "CREATE VIRTUAL TABLE f USING fts5 (body)",
            "INSERT INTO f VALUES ('the quick fox'), ('a dog')",
        ),
    )

    assert found == [
        [[2, 5]],
        [[1], [2]],
        [[8, 2, 3.14]],
        [[1], [3]],
        [[1]],
        [[2]],
        [[4]],
        [[1]],
        [["the quick fox"]],
        [["the quick [fox]"]],
        [["a1", "a-b", "x"]],
        [[2, "4142", 2, "A", 65]],
    ]


def test_triggers_and_views() -> None:
    """A trigger's body may hold semicolons and CASE ... END; views are read like tables."""
    found = answers(
        "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES (CASE WHEN new.a > 1 THEN 'big' ELSE 'small'"
        " END); INSERT INTO log VALUES ('end;'); END; SELECT 'made'",
        "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)",
        "SELECT a FROM log",
        "SELECT n FROM v",
        before=("CREATE TABLE t (a)", "CREATE TABLE log (a)", "CREATE VIEW v AS SELECT count(*) AS n FROM log"),
    )

    assert found == [[["made"]], [], [["small"], ["end;"], ["big"], ["end;"]], [[4]]]


def test_strict_tables() -> None:
    """STRICT refuses a wrong type; without it affinity decides."""
    found = answers(
        ["INSERT INTO s VALUES (?)", "x"],
        ["INSERT INTO s VALUES (?)", 1.5],
        ["INSERT INTO s VALUES (?)", 2],
        "SELECT a, typeof(a) FROM s",
        before=("CREATE TABLE s (a INTEGER) STRICT",),
    )

    datatype = ": SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_DATATYPE)"
    assert found == [
        f"Error: cannot store TEXT value in INTEGER column s.a{datatype}",
        f"Error: cannot store REAL value in INTEGER column s.a{datatype}",
        [],
        [[2, "integer"]],
    ]


def test_time_in_sql_is_simulated() -> None:
    """datetime('now'), current_timestamp and unixepoch() follow the simulation's clock."""

    class A(DurableObject):
        async def read(self) -> Any:
            sql = self.ctx.storage.sql
            return rows(
                sql, "SELECT datetime('now'), current_timestamp, unixepoch(), strftime('%H'), date('now', '+1 day')"
            )

    sim = world(A)
    stub = sim.env.A.getByName("x")
    first = sim.run(stub.read())
    sim.run(for_="1h")

    assert first == [["2026-12-01 00:00:00", "2026-12-01 00:00:00", 1796083200, "00", "2026-12-02"]]
    assert sim.run(stub.read()) == [["2026-12-01 01:00:00", "2026-12-01 01:00:00", 1796086800, "01", "2026-12-02"]]


def test_sql_has_no_zone_but_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """The modifiers localtime and utc change nothing, whatever this machine's zone is."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        found = answers("SELECT datetime('now', 'localtime'), datetime('2026-07-01 12:00', 'utc')")
    finally:
        monkeypatch.undo()
        time.tzset()

    assert found == [[["2026-12-01 00:00:00", "2026-07-01 12:00:00"]]]


def test_jsonb() -> None:
    """JSONB functions can be used where JSON ones are, with an older SQLite as text."""
    query = "SELECT json(jsonb('{\"a\": 1}')), jsonb_extract('[1, 2]', '$[1]'), json(jsonb_set('{}', '$.x', 5))"

    assert answers(query) == [[['{"a":1}', 2, '{"x":5}']]]


def test_a_default_of_current_timestamp_is_simulated() -> None:
    """A column default takes the simulation's time too."""
    found = answers(
        "INSERT INTO t (a) VALUES (1) RETURNING at", before=("CREATE TABLE t (a, at DEFAULT CURRENT_TIMESTAMP)",)
    )

    assert found == [[["2026-12-01 00:00:00"]]]


def test_chance_in_sql_is_seeded() -> None:
    """random() and randomblob() follow the seed."""

    def drawn(seed: int) -> Any:
        return answers("SELECT random(), hex(randomblob(8))", "SELECT random()", seed=seed)

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert drawn(1)[0][0][0] != drawn(1)[1][0][0]


def test_deleted_database_cancels_cursors() -> None:
    """Reading on after deleteAll tells that the database was deleted."""

    async def story(self: Any) -> Any:
        sql = self.ctx.storage.sql
        sql.exec("CREATE TABLE t (a)")
        sql.exec("INSERT INTO t VALUES (1), (2), (3)")
        cursor, ended = sql.exec("SELECT a FROM t"), sql.exec("SELECT a FROM t")
        cursor.next()
        ended.toArray()
        await self.ctx.storage.deleteAll()
        return [await refused(cursor.next), await refused(cursor.toArray), ended.toArray(), cursor.columnNames]

    text = "Error: SQLite query was canceled because the database was deleted."
    assert inside(story) == [text, text, [], ["a"]]


def test_methods_that_need_the_experimental_flag() -> None:
    """prepare, ingest and friends do not exist."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        names = ["prepare", "ingest", "setMaxPageCountForTest"]
        return [hasattr(storage.sql, name) for name in names] + [
            hasattr(storage, name) for name in ("waitForBookmark", "primary", "ensureReplicas")
        ]

    assert inside(story) == [False] * 6


def test_pragmas_of_the_connection_last_until_the_instance_ends() -> None:
    """foreign_keys=OFF holds over events and is back ON in the next instance; within a written turn it is ignored."""

    class A(DurableObject):
        async def off(self, write_first: bool) -> Any:
            sql = self.ctx.storage.sql
            if write_first:
                self.ctx.storage.kv.put("k", 1)
            sql.exec("PRAGMA foreign_keys = OFF")
            return rows(sql, "PRAGMA foreign_keys")[0][0]

        async def look(self) -> Any:
            return rows(self.ctx.storage.sql, "PRAGMA foreign_keys")[0][0]

    sim = world(A)
    stub = sim.env.A.getByName("x")

    assert sim.run(stub.look()) == 1
    assert sim.run(stub.off(True)) == 1
    assert sim.run(stub.off(False)) == 0
    assert sim.run(stub.look()) == 0
    sim.run(for_="11s")
    assert sim.run(stub.look()) == 1


def test_a_table_that_is_made_anew_takes_the_same_statement() -> None:
    """Drop, create, insert, and again: the programs that are read for the meter belong to the schema of the moment."""

    class Desk(DurableObject):
        async def again(self) -> int:
            sql = self.ctx.storage.sql
            for _ in range(3):
                sql.exec("DROP TABLE IF EXISTS t")
                sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)")
                sql.exec("INSERT INTO t (name) VALUES (?)", "a")
            return sql.exec("SELECT COUNT(*) AS n FROM t").one()["n"]

    sim = Simulation(durable_objects={"DESK": Desk}, network=None)
    assert 1 == sim.run(sim.env.DESK.getByName("a").again())
