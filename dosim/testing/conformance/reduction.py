"""
Delta debugging of cases: the smallest program that still differs, where a whole run is the only question asked.

Hypothesis shrinks what it draws; a live runtime is slower and may disagree with itself, so its differences are shrunk
here, on the finished case, with few questions: lists of steps lose halves, quarters, then single steps, at every depth.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

Json = Any

#: The keys of a storage case under which lists of steps stand.
PROGRAMS = ("steps", "body", "events", "alarm")


def shrunk(
    case: Json,
    differs: Callable[[Json], bool],
    questions: int = 200,
    candidates: Callable[[Json], Iterator[Json]] | None = None,
) -> Json:
    """
    The smallest case found for which `differs` holds, which must hold for `case`.

    `candidates` gives the cases to try instead of one; without it they are those of `smaller`.

    Asks at most `questions` times; gives a new case, `case` stays as it is.
    """
    best, asked = copy.deepcopy(case), 0
    progress = True
    while progress:
        progress = False
        for candidate in (candidates or smaller)(best):
            if asked == questions:
                return best
            asked += 1
            if differs(candidate):
                best, progress = candidate, True
                break
    return best


def smaller(case: Json) -> Iterator[Json]:
    """Cases with less in them: big parts are taken away first, then single steps, then ends and labels of steps."""
    places = list(lists(case))
    longest = max((len(at(case, place)) for place in places), default=0)
    size = longest
    while size:
        for place in places:
            items = at(case, place)
            for start in range(0, len(items) - size + 1, size):
                if len(items) > size or place != ("steps",):
                    yield without(case, place, start, size)
        size //= 2
    for place in list(ends(case)):
        yield without_end(case, place)


def lists(value: Json, place: tuple[Json, ...] = ()) -> Iterator[tuple[Json, ...]]:
    """The places of every list of steps in a case, outer ones first."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in PROGRAMS and isinstance(item, list):
                yield (*place, key)
            if key in PROGRAMS or not place:
                yield from lists(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from lists(item, (*place, index))


def ends(value: Json, place: tuple[Json, ...] = ()) -> Iterator[tuple[Json, ...]]:
    """The places of steps of the storage language that end with more than a return."""
    if isinstance(value, dict):
        if value.get("end") is not None:
            yield place
        for key, item in value.items():
            yield from ends(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from ends(item, (*place, index))


def at(case: Json, place: tuple[Json, ...]) -> Json:
    """The value at a place."""
    for key in place:
        case = case[key]
    return case


def without(case: Json, place: tuple[Json, ...], start: int, size: int) -> Json:
    """A copy of the case without `size` items of the list at `place`."""
    cut = copy.deepcopy(case)
    del at(cut, place)[start : start + size]
    return cut


def without_end(case: Json, place: tuple[Json, ...]) -> Json:
    """A copy of the case in which the step at `place` just returns."""
    cut = copy.deepcopy(case)
    at(cut, place)["end"] = None
    return cut
