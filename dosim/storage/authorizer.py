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
_NO_ARGUMENT: Final = frozenset(("data_version", "page_size"))
_BOOLEAN: Final = frozenset(
    "case_sensitive_like foreign_keys defer_foreign_keys ignore_check_constraints legacy_alter_table"
    " recursive_triggers reverse_unordered_selects".split()
)
_NAMES_AN_OBJECT: Final = frozenset("table_info table_xinfo foreign_key_list index_info index_list index_xinfo".split())
_BOOLEAN_WORDS: Final = ("true", "false", "yes", "no", "on", "off", "1", "0")
#: The functions that SQL may call. Source: workerd util/sqlite.c++, ALLOWED_SQLITE_FUNCTIONS (August 2026).
_FUNCTIONS: Final = frozenset(
    # core
    "abs changes char coalesce concat concat_ws format glob hex ifnull iif instr last_insert_rowid length like"
    " likelihood likely load_extension lower ltrim max_scalar min_scalar nullif octet_length printf quote random"
    " randomblob replace round rtrim sign soundex substr substring total_changes trim typeof unhex unicode unlikely"
    " upper zeroblob"
    # dates
    " date time datetime julianday unixepoch strftime timediff current_date current_time current_timestamp"
    # aggregates and windows
    " avg count group_concat max min string_agg sum total row_number rank dense_rank percent_rank cume_dist ntile lag"
    " lead first_value last_value nth_value"
    # mathematics
    " acos acosh asin asinh atan atan2 atanh ceil cos cosh degrees exp floor ln log log2 mod pi pow radians sin sinh"
    " sqrt tan tanh trunc"
    # JSON
    " json jsonb json_array jsonb_array json_array_length json_extract jsonb_extract -> ->> json_insert jsonb_insert"
    " json_object jsonb_object json_patch jsonb_patch json_remove jsonb_remove json_replace jsonb_replace json_set"
    " jsonb_set json_type json_valid json_quote json_group_array jsonb_group_array json_group_object"
    " jsonb_group_object json_each json_tree"
    # FTS5, R*Tree, and what ALTER TABLE calls
    " match highlight bm25 snippet rtreecheck sqlite_rename_column sqlite_rename_table sqlite_rename_test"
    " sqlite_drop_column sqlite_rename_quotefix".split()
)
#: Actions whose first argument is the name of what is read, written, made or dropped.
_NAMES_FIRST: Final = frozenset(
    (
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_INSERT,
        sqlite3.SQLITE_UPDATE,
        sqlite3.SQLITE_DELETE,
        sqlite3.SQLITE_CREATE_TABLE,
        sqlite3.SQLITE_DROP_TABLE,
        sqlite3.SQLITE_CREATE_VIEW,
        sqlite3.SQLITE_DROP_VIEW,
        sqlite3.SQLITE_REINDEX,
    )
)
#: Actions that name an index or trigger, and its table.
_NAMES_BOTH: Final = frozenset(
    (
        sqlite3.SQLITE_CREATE_INDEX,
        sqlite3.SQLITE_DROP_INDEX,
        sqlite3.SQLITE_CREATE_TRIGGER,
        sqlite3.SQLITE_DROP_TRIGGER,
    )
)
_VIRTUAL_TABLES: Final = frozenset((sqlite3.SQLITE_CREATE_VTABLE, sqlite3.SQLITE_DROP_VTABLE))
_TRANSACTIONS: Final = frozenset((sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_SAVEPOINT))
_RENAME: Final = re.compile(r"\s*ALTER\s+TABLE\s+.*\bRENAME\s+TO\s+[\"'`\[]?_cf_", re.IGNORECASE | re.DOTALL)


def is_reserved_rename(statement: str) -> bool:
    """True for a rename to a reserved name, which SQLite's authorizer does not see."""
    return _RENAME.match(statement) is not None


def is_reserved(name: str | None) -> bool:
    """True for a name of the platform's own."""
    return name is not None and name[:4].lower() == "_cf_"


class Authorizer:
    """Asked by SQLite about each action of a statement while it is prepared."""

    def __init__(self) -> None:
        self._aside = 0
        #: The statement prepared last would begin or end a transaction.
        self.transaction = False

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """Everything is allowed while the platform itself acts."""
        self._aside += 1
        try:
            yield
        finally:
            self._aside -= 1

    def prepare(self) -> None:
        """A statement of user code comes next."""
        self.transaction = False

    def __call__(self, action: int, first: str | None, second: str | None, database: str | None, by: str | None) -> int:
        if self._aside or self._allows(action, first, second):
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    def _allows(self, action: int, first: str | None, second: str | None) -> bool:
        if action in _NAMES_FIRST:
            return not is_reserved(first)
        if action == sqlite3.SQLITE_FUNCTION:
            return second in _FUNCTIONS
        if action == sqlite3.SQLITE_PRAGMA:
            return _allows_pragma(str(first), second)
        if action in _TRANSACTIONS:
            self.transaction = True
            return False
        if action in _NAMES_BOTH:
            return not is_reserved(first) and not is_reserved(second)
        if action in _VIRTUAL_TABLES:
            return str(second).lower() in _MODULES and not is_reserved(first)
        if action == sqlite3.SQLITE_ALTER_TABLE:
            return not is_reserved(second)
        return action not in _DENIED_ACTIONS


def _allows_pragma(name: str, argument: str | None) -> bool:
    """Pragma names are told apart by case, as in workerd: `PRAGMA FOREIGN_KEYS` is refused."""
    if name == "table_list":
        return True
    if name in _NO_ARGUMENT:
        return argument is None
    if name in _NAMES_AN_OBJECT:
        return argument is not None and not is_reserved(argument)
    if name in ("foreign_key_check", "quick_check"):
        return not is_reserved(argument)
    if name == "optimize":
        return argument is None or re.fullmatch(r"[+-]?(0[xX][0-9a-fA-F]+|\d+)", argument) is not None
    if name in _BOOLEAN:
        return argument is None or argument.strip("'\"").lower().startswith(_BOOLEAN_WORDS)
    return False
