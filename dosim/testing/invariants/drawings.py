"""Operations that overlap, drawn in text: a lane for each client, from call to answer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from dosim.kernel.loop import NO_LIMIT
from dosim.testing.invariants.histories import Operation

#: A drawing is at most so wide, in letters; what would be wider is told as a list.
_WIDEST: Final = 110


def lanes(operations: Sequence[Operation]) -> list[str]:
    """One line a client, operations as bars with what was asked and answered; time runs to the right, not to scale.

        Ann  |--- increment() -> 1 ---|
        Ben       |--- increment() -> 1 ---|

    A bar without an end has no answer. More than a line can hold is told with times instead.
    """
    clients = list(dict.fromkeys(operation.client for operation in sorted(operations, key=_begin)))
    columns = _columns(operations)
    margin = max(map(len, clients), default=0) + 2
    drawn = [_lane(client, operations, columns, margin) for client in clients]
    if max(map(len, drawn), default=0) <= _WIDEST:
        return drawn
    return [_told(operation) for operation in sorted(operations, key=_begin)]


def _begin(operation: Operation) -> tuple[int, int]:
    return operation.invoked_us, operation.invoked_at


def _end(operation: Operation) -> tuple[int, int]:
    if not operation.known:
        return NO_LIMIT, operation.invoked_at
    return operation.returned_us or 0, operation.returned_at


def _columns(operations: Sequence[Operation]) -> dict[tuple[int, int], int]:
    """Where each beginning and end stands: in order, far enough apart for every bar to hold its text."""
    moments = sorted({_begin(operation) for operation in operations} | {_end(operation) for operation in operations})
    columns = dict.fromkeys(moments, 0)
    for before, moment in pairwise([None, *moments]):
        assert moment is not None
        least = 0 if before is None else columns[before] + 3
        ending = [operation for operation in operations if _end(operation) == moment]
        columns[moment] = max([least, *(columns[_begin(op)] + len(str(op)) + 5 for op in ending)])
    return columns


def _lane(client: str, operations: Sequence[Operation], columns: dict[tuple[int, int], int], margin: int) -> str:
    line = client.ljust(margin)
    for operation in sorted((each for each in operations if each.client == client), key=_begin):
        start, end = columns[_begin(operation)], columns[_end(operation)]
        text = f"{' ' if not line.endswith(' ') else ''}"
        line = (line + text).ljust(margin + start)
        width = end - start
        line += "|" + f" {operation} ".center(width - 1, "-") + ("|" if operation.known else "...")
    return line


def _told(operation: Operation) -> str:
    end = f"{operation.returned_us / 1e6:.6f}s" if operation.returned_us is not None else "…"
    return f"  {operation.client}: {operation}  from {operation.invoked_us / 1e6:.6f}s to {end}"
