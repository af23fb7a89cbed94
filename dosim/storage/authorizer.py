"""What SQL may not do here: SQLite's authorizer with the platform's rules (recorded, workerd 2026-11-17)."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_DENIED_ACTIONS: Final = frozenset(
    (
        sqlite3.SQLITE_ATTACH,
        sqlite3.SQLITE_DETACH,
        sqlite3.SQLITE_CREATE_TEMP_INDEX,
        sqlite3.SQLITE_CREATE_TEMP_TABLE,
        sqlite3.SQLITE_CREATE_TEMP_TRIGGER,
        sqlite3.SQLITE_CREATE_TEMP_VIEW,
    )
)
_MODULES: Final = frozenset(("fts5", "fts5vocab", "rtree", "rtree_i32"))
_PRAGMAS: Final = frozenset(
    "foreign_keys defer_foreign_keys case_sensitive_like ignore_check_constraints legacy_alter_table"
    " recursive_triggers reverse_unordered_selects table_info table_xinfo table_list index_list index_info index_xinfo"
    " foreign_key_list foreign_key_check quick_check optimize data_version".split()
)
#: Functions that tell about or reach the machine.
_FUNCTIONS_DENIED: Final = frozenset(
    "sqlite_version sqlite_source_id sqlite_compileoption_get sqlite_compileoption_used sqlite_log"
    " sqlite_offset fts3_tokenizer".split()
)
_NAMES_A_TABLE: Final = frozenset(
    (
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_INSERT,
        sqlite3.SQLITE_UPDATE,
        sqlite3.SQLITE_DELETE,
        sqlite3.SQLITE_CREATE_TABLE,
        sqlite3.SQLITE_DROP_TABLE,
    )
)
_RENAME: Final = re.compile(r"\s*ALTER\s+TABLE\s+.*\bRENAME\s+TO\s+[\"'`\[]?_cf_", re.IGNORECASE | re.DOTALL)


def is_reserved_rename(statement: str) -> bool:
    """True for a rename to a reserved name, which SQLite's authorizer does not see."""
    return _RENAME.match(statement) is not None


class Authorizer:
    """Asked by SQLite about each action of a statement while it is prepared."""

    def __init__(self) -> None:
        self._aside = 0
        #: (action, table, column) of the writes of the statement prepared last.
        self.touched: set[tuple[int, str, str]] = set()

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """Everything is allowed while the platform itself acts."""
        self._aside += 1
        try:
            yield
        finally:
            self._aside -= 1

    def __call__(self, action: int, first: str | None, second: str | None, database: str | None, by: str | None) -> int:
        if self._aside:
            return sqlite3.SQLITE_OK
        if action in _DENIED_ACTIONS:
            return sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_PRAGMA:
            return self._pragma(str(first).lower(), second)
        if action == sqlite3.SQLITE_CREATE_VTABLE:
            return sqlite3.SQLITE_OK if str(second).lower() in _MODULES else sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_FUNCTION:
            return sqlite3.SQLITE_DENY if str(second).lower() in _FUNCTIONS_DENIED else sqlite3.SQLITE_OK
        if action in _NAMES_A_TABLE and first is not None:
            if first.lower().startswith("_cf_"):
                return sqlite3.SQLITE_DENY
            if action in (sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE) and by is None:
                self.touched.add((action, first, second or ""))
        return sqlite3.SQLITE_OK

    def _pragma(self, name: str, argument: str | None) -> int:
        if name == "page_size":
            return sqlite3.SQLITE_OK if argument is None else sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK if name in _PRAGMAS else sqlite3.SQLITE_DENY
