"""Parameters and values of SQL, in and out (RULES 3)."""
# ruff: noqa: DTZ001 (Python Workers take datetimes without a zone as UTC)

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.storage.stories import answers, inside, refused

WRONG_COUNT = "Error: Wrong number of parameter bindings for SQL query."


@pytest.mark.parametrize(
    ("query", "bindings", "expected"),
    [
        ("SELECT ?", (), WRONG_COUNT),
        ("SELECT 1", (1,), WRONG_COUNT),
        ("SELECT ?, ?", (1,), WRONG_COUNT),
        ("SELECT ?", (1, 2), WRONG_COUNT),
        ("SELECT ?2, ?1", (1, 2), [[2, 1]]),
        ("SELECT ?1, ?1", (5,), [[5, 5]]),
        ("SELECT ?3", (1, 2, 3), [[3]]),
        ("SELECT ?3", (3,), WRONG_COUNT),
        ("SELECT ?2, ?", (1, 2, 3), [[2, 3]]),
        ("SELECT :a, @b, $c", (1, 2, 3), [[1, 2, 3]]),
        ("SELECT :a, :b, :a", (1, 2), [[1, 2, 1]]),
        ("SELECT :a, @a, $a", (1, 2, 3), [[1, 2, 3]]),
        ("SELECT :1", (7,), [[7]]),
        ("SELECT ?, :a, ?", (1, 2, 3), [[1, 2, 3]]),
        ("SELECT '?', \"?\", ? -- ?\n /* ? :b */", (1,), [["?", "?", 1]]),
        ("SELECT :a", ({"a": 1},), [["[object Object]"]]),
    ],
)
def test_parameters(query: str, bindings: tuple[Any, ...], expected: Any) -> None:
    """The count must match; names are numbered in order of appearance, an object is no set of names."""
    assert answers([query, *bindings]) == [expected]


def test_keyword_arguments_are_one_more_binding() -> None:
    """exec(query, b=2) sends {"b": 2} as a binding."""

    async def story(self: Any) -> Any:
        sql = self.ctx.storage.sql
        return [await refused(lambda: sql.exec("SELECT 1", b=2)), sql.exec("SELECT ? AS x", b=2).one().x]

    assert inside(story) == [WRONG_COUNT, "[object Object]"]


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (1, "real", "1.0"),
        (1.5, "real", "1.5"),
        (float("nan"), "null", None),
        (float("inf"), "real", "Inf"),
        ("é", "text", "é"),
        (b"ab", "blob", "ab"),
        (memoryview(b""), "blob", ""),
        (None, "null", None),
        (True, "text", "true"),
        (False, "text", "false"),
        ([1, 2], "text", "1,2"),
        ([], "text", ""),
        ([1, None, [2]], "text", "1,,2"),
        ({}, "text", "[object Object]"),
        (datetime(2026, 1, 2, 3, 4, 5), "text", "Fri Jan 02 2026 03:04:05 GMT+0000 (Coordinated Universal Time)"),
    ],
)
def test_values_in(value: Any, kind: str, text: Any) -> None:
    """Numbers are REAL always, NaN is NULL, booleans, lists, dicts and dates are JavaScript's text of them."""
    assert answers(["SELECT typeof(?1), CAST(?1 AS TEXT)", value]) == [[[kind, text]]]


def test_a_bound_number_is_real() -> None:
    """1/2 of a bound 1 is 0.5; an INTEGER column converts back, a TEXT column stores '7.0'."""
    found = answers(
        ["SELECT ? / 2", 1],
        "SELECT typeof(a), b, typeof(c) FROM t",
        "SELECT CAST('true' AS INTEGER)",
        ["SELECT a FROM t WHERE a = ?", 7],
        before=("CREATE TABLE t (a INTEGER, b TEXT, c)", "INSERT INTO t SELECT 7, 7.0, 7.0"),
    )

    assert found == [[[0.5]], [["integer", "7.0", "real"]], [[0]], [[7]]]


@pytest.mark.parametrize("value", [2**53 - 1, -(2**53), 2**70])
def test_big_integers_are_refused(value: int) -> None:
    """From 2^53 - 1 on an int is a BigInt, which SQL does not take."""
    assert answers(["SELECT ?", value]) == ["TypeError: Cannot convert a BigInt value to a number"]


def test_values_out() -> None:
    """INTEGER and REAL are numbers (rounded above 2^53), BLOB memoryview, NULL None; no booleans."""

    async def story(self: Any) -> Any:
        sql = self.ctx.storage.sql
        row = next(iter(sql.exec("SELECT 1, 1.0, 1.5, 9007199254740993, 'a', x'0102', NULL, 1 = 1, x''").raw()))
        return [list(row), [type(value).__name__ for value in row]]

    values, kinds = inside(story)

    assert values == [1, 1, 1.5, 9007199254740992.0, "a", b"\x01\x02", None, 1, b""]
    assert kinds == ["int", "int", "float", "float", "str", "memoryview", "NoneType", "int", "memoryview"]


def test_text_that_is_not_unicode() -> None:
    """Bytes cast to TEXT that are no UTF-8 read as U+FFFD; a lone surrogate is bound as U+FFFD; NUL is kept."""
    found = answers("SELECT CAST(x'61ff' AS TEXT)", ["SELECT ?", "\ud800"], ["SELECT ?", "a\0b"])

    assert found == [[["a\ufffd"]], [["\ufffd"]], [["a\0b"]]]


def test_a_query_that_is_no_text() -> None:
    """It is coerced and parsed; without any the binding layer refuses."""

    async def story(self: Any) -> Any:
        sql = self.ctx.storage.sql
        return [
            (await refused(lambda: sql.exec(5))).replace(" at offset 0", ""),
            (await refused(lambda: sql.exec(None))).replace(" at offset 0", ""),
            await refused(sql.exec),
        ]

    assert inside(story) == [
        'Error: near "5": syntax error: SQLITE_ERROR',
        'Error: near "null": syntax error: SQLITE_ERROR',
        "TypeError: Failed to execute 'exec' on 'SqlStorage': parameter 1 is not of type 'String'.",
    ]
