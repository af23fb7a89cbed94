"""`rowsRead` and `rowsWritten`, estimated from a statement's program as EXPLAIN shows it.

The platform's SQLite counts rows in its virtual machine; stock SQLite has no such counters. As recorded on workerd:
a scan reads its rows one by one, an aggregate or a sort all of them before the first result, a row written counts once
for its table and once for each index touched, a deleted row once, CREATE TABLE 2. An upsert that updates counts what
the update touches. Joins, triggers, and upserts of which some rows insert and others update are approximate.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Operations that need all rows before the first result.
_BLOCKING = frozenset(("Count", "AggFinal", "SorterSort"))
_SCANS = frozenset(("Rewind", "Last", "Count"))
_INSERTS = frozenset(("Insert", "IdxInsert"))
#: OPFLAG_ISUPDATE: this Insert puts a changed row back (https://sqlite.org/src/file/src/sqliteInt.h).
_IS_UPDATE = 0x04


@dataclass(frozen=True, slots=True)
class Operation:
    """One instruction of a program: its name, its cursor, its second operand, its flags."""

    name: str
    cursor: int
    operand: int
    flags: int

    @property
    def puts_back(self) -> bool:
        return self.name == "Insert" and bool(self.flags & _IS_UPDATE)


Program = tuple[Operation, ...]


def rows_written(program: Program, changes: int, *, updated: bool = False) -> int:
    """Rows and index rows, of a statement that changed so many rows; `updated`: an upsert that has inserted none."""
    if is_upsert(program):
        past_update = 1 + max(at for at, operation in enumerate(program) if operation.puts_back)
        opened = tuple(operation for operation in program if operation.name == "OpenWrite")
        program = opened + (program[:past_update] if updated else program[past_update:])
    return changes * max(1, len(_written_cursors(program)))


def is_upsert(program: Program) -> bool:
    """True when a row may be inserted, or found and put back."""
    return len({operation.puts_back for operation in program if operation.name == "Insert"}) == 2


def schema_rows_written(program: Program) -> int:
    """Rows of the schema that a CREATE statement writes."""
    written = _written_cursors(program)
    return sum(operation.name in _INSERTS and operation.cursor in written for operation in program)


def scanned_roots(program: Program) -> list[int]:
    """The root pages of the tables and indexes that the program goes through from one end to the other."""
    roots = {operation.cursor: operation.operand for operation in program if operation.name == "OpenRead"}
    scanned = {operation.cursor: None for operation in program if operation.name in _SCANS}
    return [roots[cursor] for cursor in scanned if cursor in roots]


def reads_all_first(program: Program) -> bool:
    """True when the first result needs all rows."""
    return any(operation.name in _BLOCKING for operation in program)


def is_limited(program: Program) -> bool:
    """True when a LIMIT may end the scan early."""
    return any(operation.name == "DecrJumpZero" for operation in program)


def _written_cursors(program: Program) -> set[int]:
    opened = {operation.cursor for operation in program if operation.name == "OpenWrite"}
    return {operation.cursor for operation in program if operation.name in _INSERTS} & opened
