"""Migrations and scripts of a D1 database, as `wrangler d1` runs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dosim.bindings.d1_store import Query
from dosim.storage.statements import read_script

if TYPE_CHECKING:
    from dosim.bindings.d1_store import D1Store

#: Wrangler's own table. Source: wrangler src/d1/migrations/helpers.ts.
_TABLE = """CREATE TABLE IF NOT EXISTS d1_migrations(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT UNIQUE,
    applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)"""


def migrate(store: D1Store, files: Sequence[Path]) -> list[str]:
    """Run the files whose names the database has not noted, each whole or not at all; returns those names.

    Raises JsException "D1_ERROR: ..." for a statement that fails; the files before it stay applied.
    """
    answer = store.run([Query(_TABLE, []), Query("SELECT name FROM d1_migrations", [])])[-1]
    known = {name for (name,) in answer["rows"]}
    fresh = [file for file in files if file.name not in known]
    for file in fresh:
        done = Query("INSERT INTO d1_migrations(name) VALUES (?)", [file.name])
        store.run([*_queries(file.read_text(encoding="utf-8")), done])
    return [file.name for file in fresh]


def execute(store: D1Store, script: str) -> int:
    """Run a script, whole or not at all, as `wrangler d1 execute --file` does; returns how many statements it has.

    Raises JsException "D1_ERROR: ..." for a statement that fails.
    """
    queries = _queries(script)
    if queries:
        store.run(queries)
    return len(queries)


def _queries(script: str) -> list[Query]:
    return [Query(statement.text, []) for statement in read_script(script).statements]
