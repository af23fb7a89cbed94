"""Hypothesis strategies: schedules and faults as a few deviations, so that what is found shrinks to one, two or three.

A strategy that draws every decision makes thousands of draws, and shrinking has to make all of them plain. These draw a
short list of deviations: left out, it is the plain run; each one that stays reads as a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from dosim.kernel.chooser import Schedule
from dosim.testing.subjects import EVERY_FAULT, allowed, checked_faults, checked_orders

#: Decisions of each kind that are drawn from unless told; those that a run does not have are without effect.
DECISIONS = 100
#: Deviations at most, of each of the two.
MOST = 3
_LAST_PLACE = 5


def schedules(
    orders: Any = None, *, most: int = MOST, decisions: int | Mapping[str, int] = DECISIONS
) -> st.SearchStrategy[Schedule]:
    """Schedules with at most `most` orders that are not the plain ones: `delay12=100ms,event3=1`.

    orders: kinds ("event", "waiter", "delay", "retry", "ready", or "all"); by default all but "ready". decisions: how
    many a run has, of each kind or kind -> number. Raises ValueError or TypeError that name the argument.
    """
    return _deviations(allowed((), checked_orders(orders)), most, decisions)


def faults(
    kinds: Any = EVERY_FAULT, *, most: int = MOST, decisions: int | Mapping[str, int] = DECISIONS
) -> st.SearchStrategy[Schedule]:
    """Fault plans with at most `most` faults: `object7=crash,message3=reply_lost`.

    kinds: which may come ("evict", "crash", "reset", "deploy", "request_lost", "reply_lost", "disk_fails",
    "alarm_late", "alarm_twice"; all unless told). A plan is a Schedule: `schedule | plan` has both. Raises ValueError
    or TypeError that name the argument.
    """
    return _deviations(allowed(checked_faults(kinds), ()), most, decisions)


def _deviations(
    open_to: Mapping[str, tuple[int, ...]], most: int, decisions: int | Mapping[str, int]
) -> st.SearchStrategy[Schedule]:
    if isinstance(most, bool) or not isinstance(most, int) or most < 0:
        raise ValueError(f"most={most!r}: give the largest number of deviations, 0 or more.")
    of_kinds = []
    for kind, choices in open_to.items():
        count = decisions if isinstance(decisions, int) else decisions.get(kind, 0)
        if count > 0:
            choice = st.sampled_from(choices) if choices else st.integers(1, _LAST_PLACE)
            of_kinds.append(st.tuples(st.tuples(st.just(kind), st.integers(1, count)), choice))
    if not of_kinds or not most:
        return st.just(Schedule())
    deviations = st.lists(st.one_of(of_kinds), max_size=most, unique_by=lambda deviation: deviation[0])
    return deviations.map(Schedule)
