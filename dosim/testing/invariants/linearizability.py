"""`linearizable`: is there an order of these operations that one machine could have done, and that time allows?

The search is Wing and Gong's (1993) with Lowe's memory of what was tried (2017), as in Porcupine: operations are taken
one after the other as the next to have happened; one may be next if no other, still waiting, returned before it was
invoked; what led nowhere (this set done, this state) is not tried again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from dosim.kernel.loop import NO_LIMIT
from dosim.testing.invariants.drawings import lanes
from dosim.testing.invariants.histories import History, Operation, in_order
from dosim.testing.invariants.models import ANYTHING, Counter, Model
from dosim.testing.invariants.violations import InvariantViolated, at

_NAME: Final = "linearizable"
#: Later than everything: where an operation without an answer ends.
_NEVER: Final = (NO_LIMIT, 0)


def linearizable(
    history: History | Iterable[Operation], model: Model | None = None, *, attempts: int = 1_000_000
) -> None:
    """What callers were told agrees with one machine that did their operations one at a time, each between call and
    answer.

    Why people get it wrong: "single-threaded" and "strongly consistent" are promised of storage, and read as if whole
    handlers were atomic. A handler that reads, awaits a fetch and writes lets others in at the await: both read 1, both
    write 2, and one increment is lost, though no two lines ever ran at once. Each answer by itself is plausible; only
    together they are impossible, and that is what this looks for. An answer that never came allows both: it may have
    happened, or not.
    Source: Herlihy and Wing, "Linearizability" (1990); durable-objects/reference/in-memory-state and the input gate of
    durable-objects/glossary. Seen in the field: real races, found by auditing every
    read-await-write by hand (ColeMurray/background-agents#1760), and maintainers who disagree whether one can happen
    (cloudflare/containers#200).

    history: a `History`, or operations. model: `Register()`, `Counter()`, `Queue()` or a class of yours (see `Model`);
    a counter unless told. attempts: how many steps the search may take; many operations at once, above all without an
    answer, have more orders than can be tried. Raises InvariantViolated with the shortest beginning of the history that
    no order explains, drawn; RuntimeError when the attempts are used up and nothing is known, ValueError for an
    operation that the model does not have, TypeError for what is no history.
    """
    machine: Model = Counter() if model is None else model
    operations = in_order(history)
    key_of = getattr(machine, "key_of", None)
    parts: dict[Any, list[Operation]] = {}
    for operation in operations:
        key = key_of(operation.name, operation.arguments) if key_of is not None else None
        parts.setdefault(key, []).append(operation)
    for part in parts.values():
        if _search(part, machine, attempts) is not None:
            raise _violated(part, machine, attempts)


@dataclass(frozen=True, slots=True)
class _Stuck:
    """The order that explains the most answers, the state after it, and what could have come next."""

    done: tuple[Operation, ...]
    state: Any
    next: tuple[Operation, ...]


def _begin(operation: Operation) -> tuple[int, int]:
    return operation.invoked_us, operation.invoked_at


def _end(operation: Operation) -> tuple[int, int]:
    if not operation.known or operation.returned_us is None:
        return _NEVER
    return operation.returned_us, operation.returned_at


def _search(operations: list[Operation], machine: Model, attempts: int) -> _Stuck | None:
    """None when some order explains the history; else how far one came."""
    ops = sorted(operations, key=_begin)
    times = _Times(ops)
    known = sum(1 << index for index, op in enumerate(ops) if op.known)
    state = machine.initial
    tried: set[tuple[int, Any]] = set()
    #: The order so far: (operation, state before it, candidates that are left there).
    path: list[tuple[int, Any, list[int]]] = []
    done = 0
    left = times.next_after(done)
    furthest, best = (0, 0), _Stuck((), state, tuple(ops[index] for index in left))
    while done & known != known:
        if not left:
            if not path:
                return best
            index, state, left = path.pop()
            done &= ~(1 << index)
            continue
        index, attempts = left.pop(0), attempts - 1
        if attempts < 0:
            raise RuntimeError(
                f"linearizable: no order of these {len(ops)} operations was found, and not all were tried. Give more"
                " attempts=, shorter histories, or keys (Register(by_key=True))."
            )
        after, result = machine.step(state, ops[index].name, ops[index].arguments)
        if ops[index].known and result is not ANYTHING and result != ops[index].result:
            continue
        if (done | 1 << index, after) in tried:
            continue
        tried.add((done | 1 << index, after))
        path.append((index, state, left))
        done, state = done | 1 << index, after
        left = times.next_after(done)
        reached = (done & known).bit_count(), -len(path)
        if reached > furthest:
            order = tuple(ops[step] for step, _, _ in path)
            furthest, best = reached, _Stuck(order, state, tuple(ops[step] for step in left))
    return None


class _Times:
    """When operations, in order of their beginnings, began and ended."""

    def __init__(self, ops: list[Operation]) -> None:
        self._begins = [_begin(op) for op in ops]
        self._ends = [_end(op) for op in ops]
        #: For one without an answer: the one just like it that began before, which may as well go first.
        self._twins: list[int | None] = [None] * len(ops)
        for index, op in enumerate(ops):
            for before in range(index - 1, -1, -1):
                other = ops[before]
                alike = (other.name, other.arguments) == (op.name, op.arguments)
                if alike and not op.known and not other.known:
                    self._twins[index] = before
                    break

    def next_after(self, done: int) -> list[int]:
        """What may happen next: nothing that is still to come returned before it was invoked. Soonest ended first."""
        found: list[int] = []
        first_end = (NO_LIMIT, 1)
        for index, begin in enumerate(self._begins):
            if begin > first_end:
                break
            if done >> index & 1:
                continue
            twin = self._twins[index]
            if twin is None or done >> twin & 1:
                found.append(index)
                first_end = min(first_end, self._ends[index])
        return sorted(found, key=self._ends.__getitem__)


def _prefix(operations: list[Operation], count: int) -> list[Operation]:
    """The history as it was just after its nth answer: later ones have not begun, or have no answer yet."""
    last = sorted(_end(op) for op in operations if op.known)[count - 1]
    cut_off: list[Operation] = []
    for op in operations:
        if _begin(op) > last:
            continue
        if op.known and _end(op) > last:
            op = Operation(op.client, op.name, op.arguments, invoked_us=op.invoked_us, invoked_at=op.invoked_at)  # noqa: PLW2901
        cut_off.append(op)
    return cut_off


def _violated(operations: list[Operation], machine: Model, attempts: int) -> InvariantViolated:
    """The story of the shortest beginning that no order explains: found by halving, as longer ones have none either."""
    low, high = 1, sum(op.known for op in operations)
    while low < high:
        middle = (low + high) // 2
        low, high = (
            (low, middle) if _search(_prefix(operations, middle), machine, attempts) is not None else (middle + 1, high)
        )
    shortest = _prefix(operations, low)
    stuck = _search(shortest, machine, attempts)
    assert stuck is not None
    last = max((op for op in shortest if op.known), key=_end)
    at_us = last.returned_us or 0
    lines = [
        f"no order of these {len(shortest)} operations agrees with what the callers were told: they asked {machine!r}."
        if len(shortest) > 1
        else f"what the caller was told cannot be: it asked {machine!r}.",
        *lanes(shortest),
        f"Until {at(at_us)}, when {last.client}'s {last} returned, there was one."
        if len(shortest) > 1
        else f"{last.client}'s {last} returned at {at(at_us)}.",
        _closest(stuck, machine),
    ]
    return InvariantViolated(_NAME, "\n".join(lines), at_us=at_us)


def _closest(stuck: _Stuck, machine: Model) -> str:
    """How far the best order comes, and what the machine would have answered next."""
    done = ", ".join(f"{op.client}'s {op}" for op in stuck.done[-6:])
    more = "… " if len(stuck.done) > 6 else ""
    said = f"The best order begins {more}{done}; " if stuck.done else "At the beginning "
    wrong = []
    for op in stuck.next:
        _, result = machine.step(stuck.state, op.name, op.arguments)
        if op.known and result is not ANYTHING:
            wrong.append(f"{op.client}'s {op} would have to be {result!r}")
    return said + (", ".join(wrong) if wrong else "nothing that may come next leads on") + "."
