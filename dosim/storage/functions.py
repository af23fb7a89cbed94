"""SQL functions that SQLite would take from the real world (time, chance), and those of newer SQLites.

SQLite reads the clock and the entropy pool in C, past every patch: here they are the simulation's.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dosim.storage.engine import Surroundings

_DATE_FUNCTIONS: Final = ("date", "time", "datetime", "julianday", "unixepoch", "strftime")
#: The platform's zone is UTC: these change nothing there, and would bring in this machine's zone here.
_ZONE_MODIFIERS: Final = ("localtime", "utc")
#: Modifiers that may stand in the place of the moment, which is now then.
_FRACTIONS: Final = ("subsec", "subsecond")
_JSONB: Final = ("", "_array", "_extract", "_insert", "_object", "_patch", "_remove", "_replace", "_set")
_NOW_KEYWORDS: Final = {"current_date": "date", "current_time": "time", "current_timestamp": "datetime"}


@cache
def _calculator() -> sqlite3.Connection:
    """A SQLite of our own that computes dates from a given moment."""
    return sqlite3.connect(":memory:", check_same_thread=False)


def add_functions(connection: sqlite3.Connection, surroundings: Surroundings) -> None:
    """Give a connection the simulation's clock and chance, and what its SQLite is too old for."""
    for name in _DATE_FUNCTIONS:
        connection.create_function(name, -1, _DateFunction(name, surroundings), deterministic=True)
    for keyword, name in _NOW_KEYWORDS.items():
        connection.create_function(keyword, 0, _DateFunction(name, surroundings), deterministic=True)
    connection.create_function("random", 0, lambda: surroundings.random_bits() - (1 << 63))
    connection.create_function("randomblob", 1, lambda size: _random_blob(size, surroundings))
    if sqlite3.sqlite_version_info < (3, 43):
        connection.create_function("octet_length", 1, _octet_length, deterministic=True)
        connection.create_function("unhex", -1, _unhex, deterministic=True)
    if sqlite3.sqlite_version_info < (3, 45):
        for suffix in _JSONB:
            connection.create_function(f"jsonb{suffix}", -1, _Jsonb(f"json{suffix}"), deterministic=True)
    if sqlite3.sqlite_version_info < (3, 44):
        connection.create_function("concat", -1, lambda *parts: "".join(map(_text, parts)), deterministic=True)
        connection.create_function("concat_ws", -1, _concat_ws, deterministic=True)
        connection.create_aggregate("string_agg", 2, _StringAgg)  # type: ignore[arg-type]


class _DateFunction:
    """SQLite's own date function, with 'now' (or no moment at all) replaced by the simulation's."""

    def __init__(self, name: str, surroundings: Surroundings) -> None:
        self._name = name
        self._surroundings = surroundings

    def __call__(self, *args: Any) -> Any:
        first = 1 if self._name == "strftime" else 0
        given = [arg for arg in args if str(arg).lower() not in _ZONE_MODIFIERS]
        if len(given) == first or str(given[first]).lower() in _FRACTIONS:
            given.insert(first, "now")
        if len(given) > first and isinstance(given[first], str) and given[first].strip().lower() == "now":
            moment = datetime.fromtimestamp(self._surroundings.now_ms() / 1000, UTC)
            given[first] = f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"
        marks = ", ".join("?" * len(given))
        return _calculator().execute(f"SELECT {self._name}({marks})", given).fetchone()[0]


class _Jsonb:
    """A JSONB function in a SQLite that has none: its result is JSON text, which reads and stores the same way."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *args: Any) -> Any:
        marks = ", ".join("?" * len(args))
        return _calculator().execute(f"SELECT {self._name}({marks})", args).fetchone()[0]


def _random_blob(size: Any, surroundings: Surroundings) -> bytes:
    count = max(1, int(size))
    blocks = [surroundings.random_bits().to_bytes(8, "big") for _ in range((count + 7) // 8)]
    return b"".join(blocks)[:count]


def _octet_length(value: object) -> int | None:
    if value is None:
        return None
    return len(value) if isinstance(value, bytes) else len(str(value).encode("utf-8", "surrogatepass"))


def _unhex(digits: object, ignored: object = "") -> bytes | None:
    """The bytes that hexadecimal digits stand for; `ignored` characters may stand between bytes."""
    if digits is None or ignored is None:
        return None
    text = "".join("" if c in str(ignored) and not c.isalnum() else c for c in str(digits))
    try:
        return bytes.fromhex(text) if " " not in text else None
    except ValueError:
        return None


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _concat_ws(separator: object, *parts: object) -> str | None:
    return None if separator is None else _text(separator).join(_text(part) for part in parts if part is not None)


class _StringAgg:
    """`string_agg(value, separator)`."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.separator = ""

    def step(self, value: object, separator: object) -> None:
        if value is not None:
            self.parts.append(_text(value))
            self.separator = _text(separator)

    def finalize(self) -> str | None:
        return self.separator.join(self.parts) if self.parts else None
