"""Smaller programs: fewer operations, then simpler ones, as long as the same rule is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from dosim.testing.projects.programs import CLOSE, CONNECT, EVICT, METHODS, RESTART, SEND, Operation, Program, Step
from dosim.testing.projects.survey import NAMES
from dosim.testing.projects.values import TEXTS

#: Programs that are tried, at most.
MOST_TRIES: Final = 40


def shrunk(program: Program, breaks: Callable[[Program], bool]) -> tuple[Program, int]:
    """The smallest program found that `breaks`, and how many were tried."""
    tried: set[Program] = {program}
    tries = 0
    again = True
    while again:
        again = False
        for smaller in candidates(program):
            if smaller in tried:
                continue
            if tries >= MOST_TRIES:
                return program, tries
            tried.add(smaller)
            tries += 1
            if breaks(smaller):
                program, again = smaller, True
                break
    return program, tries


def candidates(program: Program) -> Iterator[Program]:
    """Smaller programs: without a step, without one of several operations, with simpler ones."""
    steps = program.steps
    for place, step in reversed(list(enumerate(steps))):  # what was added to look at the rest goes first
        if len(step) == 1 and len(steps) > 1 and _is_whole(kept := steps[:place] + steps[place + 1 :]):
            yield Program(kept)
    for place, step in enumerate(steps):
        for number in range(len(step)) if len(step) > 2 else ():
            yield Program((*steps[:place], step[:number] + step[number + 1 :], *steps[place + 1 :]))
    for place, step in enumerate(steps):
        for number, operation in enumerate(step):
            simpler = _simpler(operation)
            if simpler != operation:
                changed: Step = (*step[:number], simpler, *step[number + 1 :])
                yield Program((*steps[:place], changed, *steps[place + 1 :]))
    renamed = Program(tuple(tuple(map(_renamed, step)) for step in steps))
    if renamed != program:
        yield renamed


def _is_whole(steps: tuple[Step, ...]) -> bool:
    """Whether every message has its socket."""
    opened: set[str] = set()
    for operation in (operation for step in steps for operation in step):
        if operation.verb == CONNECT:
            opened.add(operation.args[0])
        if operation.verb in (SEND, CLOSE) and operation.args[0] not in opened:
            return False
    return True


def _simpler(operation: Operation) -> Operation:
    if operation == Operation(RESTART):
        return Operation(EVICT)
    args = tuple(TEXTS[0] if arg == TEXTS[1] else arg for arg in operation.args)
    return Operation(operation.verb, args, operation.binding, operation.name)


def _renamed(operation: Operation) -> Operation:
    """With the first object's name in place of the second's."""
    first, second = NAMES
    name = first if operation.name == second else operation.name
    args = operation.args
    if args and isinstance(args[0], str) and args[0].startswith("/"):
        args = ("/".join(first if part == second else part for part in args[0].split("/")), *args[1:])
    if operation.verb in (*METHODS, SEND):
        args = (*args[:1], *(arg.replace(f'"{second}"', f'"{first}"') for arg in args[1:]))
    return Operation(operation.verb, args, operation.binding, name)
