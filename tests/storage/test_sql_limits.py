"""Limits of values, rows and statements, on both sides of the edge (RULES 4)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.storage.stories import answers, inside, refused

TOO_BIG = "Error: string or blob too big: SQLITE_TOOBIG"
VALUE_BYTES = 8_388_642


def told(query: str, *bindings: Any, before: tuple[str, ...] = (), **options: Any) -> str:
    """ "fine", or the error without SQLite's offset."""
    (found,) = answers([query, *bindings], before=before, **options)
    return re.sub(r" at offset \d+", "", found) if isinstance(found, str) else "fine"


@pytest.mark.parametrize("make", [lambda n: "a" * n, lambda n: b"a" * n], ids=["text", "blob"])
def test_one_value_bound(make: Any) -> None:
    """A bound value may have 8,388,642 bytes."""
    assert told("SELECT length(?)", make(VALUE_BYTES)) == "fine"
    assert told("SELECT length(?)", make(VALUE_BYTES + 1)) == TOO_BIG


def test_one_value_computed() -> None:
    """So may a computed one."""
    assert told(f"SELECT length(zeroblob({VALUE_BYTES}))") == "fine"
    assert told(f"SELECT length(zeroblob({VALUE_BYTES + 1}))") == TOO_BIG


def test_one_row() -> None:
    """The limit is on the whole record: one blob column holds 8,388,637 bytes."""
    before = ("CREATE TABLE t (a)",)

    assert told("INSERT INTO t VALUES (?)", b"a" * (VALUE_BYTES - 5), before=before) == "fine"
    assert told("INSERT INTO t VALUES (?)", b"a" * (VALUE_BYTES - 4), before=before) == TOO_BIG


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("k", b"a" * 8_388_620),
        ("k", "a" * 8_388_628),
        ("k", "é" * 8_388_628),
        ("é", "a" * 8_388_627),
        ("", b"a" * 8_388_621),
    ],
    ids=["bytes", "ascii", "latin-1", "wide key", "empty key"],
)
def test_a_key_and_its_value(key: str, value: Any) -> None:
    """A key-value row has the same limit, its value as V8 serialises it; one byte more is refused by put."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        await storage.put(key, value)
        longer = value + value[:1]
        return [
            await refused(lambda: storage.put(key, longer)),
            await refused(lambda: storage.put({key: longer})),
            await refused(lambda: storage.kv.put(key, longer)),
            len(await storage.get(key)),
        ]

    assert inside(story) == [TOO_BIG, TOO_BIG, TOO_BIG, len(value)]


def test_text_beyond_latin_1_costs_two_bytes() -> None:
    """Such text counts two bytes a UTF-16 unit, and is aligned."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        await storage.put("k", "€" * 4_194_313)
        return [
            await refused(lambda: storage.put("k", "€" * 4_194_315)),
            await refused(lambda: storage.put("k", "😀" * 2_097_157)),
        ]

    assert inside(story) == [TOO_BIG, TOO_BIG]


def test_a_long_key() -> None:
    """A key alone may have 8,388,632 bytes locally."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        await storage.put("k" * 8_388_632, 1)
        return await refused(lambda: storage.put("k" * 8_388_633, 1))

    assert inside(story) == TOO_BIG


def test_a_statement_s_length() -> None:
    """100,000 bytes of UTF-8, comments and all statements of the text included."""
    too_long = "Error: statement too long: SQLITE_TOOBIG"

    def padded(size_bytes: int, filling: str = "x") -> str:
        frame = "SELECT 1 /**/"
        return frame.replace("/**/", f"/*{filling * ((size_bytes - len(frame)) // len(filling.encode()))}*/")

    assert told(padded(100_000)) == "fine"
    assert told(padded(100_001)) == too_long
    assert told(padded(100_003, "é")) == too_long
    assert told("SELECT 1;" * 11_000) == "fine"
    assert told("SELECT 1;" * 11_112) == too_long


def test_parameters() -> None:
    """100 parameters; ?101 has its own text."""
    assert told("SELECT " + ", ".join("?" * 100), *range(100)) == "fine"
    assert told("SELECT " + ", ".join("?" * 101), *range(101)) == "Error: too many SQL variables: SQLITE_ERROR"
    assert told("SELECT ?100", *range(100)) == "fine"
    assert told("SELECT ?101") == "Error: variable number must be between ?1 and ?100: SQLITE_ERROR"
    assert told("SELECT ?0") == "Error: variable number must be between ?1 and ?100: SQLITE_ERROR"


def test_columns() -> None:
    """100 columns in a table and in a result; ALTER TABLE names SQLite's own table."""

    def listed(count: int) -> str:
        return ", ".join(f"c{i}" for i in range(count))

    wide = (f"CREATE TABLE t ({listed(100)})",)

    assert told(f"CREATE TABLE t ({listed(100)})") == "fine"
    assert told(f"CREATE TABLE t ({listed(101)})") == "Error: too many columns on t: SQLITE_ERROR"
    assert (
        told("ALTER TABLE t ADD COLUMN x", before=wide) == "Error: too many columns on sqlite_altertab_t: SQLITE_ERROR"
    )
    assert told("SELECT " + ", ".join("1" * 100)) == "fine"
    assert told("SELECT " + ", ".join("1" * 101)) == "Error: too many columns in result set: SQLITE_ERROR"
    assert told("SELECT *, 1 FROM t", before=wide) == "Error: too many columns in result set: SQLITE_ERROR"


def test_depth_of_expressions() -> None:
    """1+1+... of 100 terms is the deepest; 120 ANDs fail."""
    text = "Error: Expression tree is too large (maximum depth 100): SQLITE_ERROR"

    assert told("SELECT " + "+".join("1" * 100)) == "fine"
    assert told("SELECT " + "+".join("1" * 101)) == text
    assert told("SELECT 1 WHERE " + " AND ".join("1" * 120)) == text


def test_compound_select() -> None:
    """Five terms; rows of VALUES do not count."""
    assert told(" UNION ALL ".join(["SELECT 1"] * 5)) == "fine"
    assert told(" UNION ".join(["SELECT 1"] * 6)) == "Error: too many terms in compound SELECT: SQLITE_ERROR"
    assert told("VALUES " + ", ".join(["(1)"] * 500)) == "fine"


@pytest.mark.parametrize(("platform", "most"), [("workerd", 127), ("cloudflare", 32)])
def test_arguments_of_a_function(platform: str, most: int) -> None:
    """127 arguments locally; Cloudflare documents 32."""
    assert told(f"SELECT max({', '.join('1' * most)})", platform=platform) == "fine"
    assert (
        told(f"SELECT max({', '.join('1' * (most + 1))})", platform=platform)
        == "Error: too many arguments on function max: SQLITE_ERROR"
    )


@pytest.mark.parametrize("operator", ["LIKE", "GLOB"])
def test_patterns(operator: str) -> None:
    """A pattern has at most 50 bytes, found out when it is used."""
    text = "Error: LIKE or GLOB pattern too complex: SQLITE_ERROR"

    assert told(f"SELECT 'a' {operator} ?", "a" * 50) == "fine"
    assert told(f"SELECT 'a' {operator} ?", "a" * 51) == text
    assert told(f"SELECT 'a' {operator} ?", "é" * 25) == "fine"
    assert told(f"SELECT 'a' {operator} ?", "é" * 26) == text
    assert told(f"SELECT a {operator} ? FROM t", "a" * 51, before=("CREATE TABLE t (a)",)) == "fine"


def test_depth_of_triggers() -> None:
    """Triggers nest ten deep."""
    recursive = (
        "CREATE TABLE t (n)",
        "CREATE TRIGGER tr AFTER INSERT ON t WHEN new.n > 0 BEGIN INSERT INTO t VALUES (new.n - 1); END",
        "PRAGMA recursive_triggers = ON",
    )

    assert told("INSERT INTO t VALUES (9)", before=recursive) == "fine"
    assert told("INSERT INTO t VALUES (10)", before=recursive) == "Error: triggers nested too deep: SQLITE_ERROR"


def test_tables_in_a_join() -> None:
    """64 tables."""
    before = ("CREATE TABLE t (a)",)

    assert told("SELECT 1 FROM " + ", ".join(f"t t{i}" for i in range(64)), before=before) == "fine"
    assert (
        told("SELECT 1 FROM " + ", ".join(f"t t{i}" for i in range(65)), before=before)
        == "Error: at most 64 tables in a join: SQLITE_ERROR"
    )


def test_rows_of_one_insert() -> None:
    """As many rows as the statement's length allows."""
    before = ("CREATE TABLE t (a)",)

    assert told("INSERT INTO t VALUES " + ",".join(["(1)"] * 20_000), before=before) == "fine"


@pytest.mark.parametrize("size_bytes", [2_097_152, 2_097_153])
def test_documented_size_of_a_value_on_cloudflare(size_bytes: int) -> None:
    """Cloudflare documents 2 MB for a string, BLOB or row."""
    expected = "fine" if size_bytes == 2_097_152 else TOO_BIG

    assert told("SELECT length(?)", b"a" * size_bytes, platform="cloudflare") == expected
