"""Schedules, and the loop that follows one: with nothing decided otherwise, a run is the run that it is without it."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dosim import Simulation
from dosim.kernel.chooser import DELAYS_US, FAULTS, ORDERS, PLAIN, Chooser, Schedule, exploring
from dosim.kernel.choosing import Endless
from dosim.kernel.making import making
from dosim.scenarios import SCENARIOS
from dosim.testing.conformance.runner import Item, find_cases, run_item
from tests.testing.explored import mixed

#: Those that take a second or more here.
SLOW = ("should-i", "threads", "hibernating-chat", "knee-and-shards", "subscription", "three-architectures")
CASES = Path(__file__).parents[1] / "conformance" / "concurrency" / "cases"


def digests(function: Callable[[], Any], chooser: Chooser | None) -> list[str]:
    """A hash of every record of every simulation that a function makes, whatever its trace keeps."""
    hashes: list[Any] = []

    def watch(sim: Simulation) -> None:
        digest = sha256()
        hashes.append(digest)
        sim.trace.subscribe(lambda *record: digest.update(repr(record).encode()))

    making.append(watch)
    exploring.extend([] if chooser is None else [chooser])
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function()
    finally:
        making.remove(watch)
        del exploring[:]
    return [digest.hexdigest() for digest in hashes]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in SCENARIOS]
)
def test_a_scenario_with_an_empty_schedule_is_the_scenario(name: str) -> None:
    """Decisions are met, all of them plainly, and not a record differs."""
    chooser = Chooser(most_events=sys.maxsize)
    plain = digests(SCENARIOS[name].run, None)

    assert plain == digests(SCENARIOS[name].run, chooser)
    assert sum(chooser.counts.values()) and PLAIN == chooser.taken


def _judged(item: Item) -> None:
    """Every fifth case is quick; all of them are slow."""
    result = run_item(item)
    chooser = Chooser()
    again: list[Any] = []

    assert digests(lambda: run_item(item), None) == digests(lambda: again.append(run_item(item)), chooser)
    assert (result.status, result.got) == (again[0].status, again[0].got)


@pytest.mark.parametrize(
    "item",
    [
        item if place % 5 == 0 else pytest.param(item, marks=pytest.mark.slow)
        for place, item in enumerate(find_cases([CASES]))
    ],
    ids=lambda item: item.path.stem,
)
def test_a_recorded_case_with_an_empty_schedule_ends_as_without(item: Item) -> None:
    """What was recorded of the real runtime is what the plain choices lead to."""
    _judged(item)


# -- the same schedule, the same run

SCHEDULE = "event2=1,delay9=100ms,object7=crash,object12=evict,message14=reply_lost,alarm1=alarm_twice"
PROGRAM = f"""
from tests.testing.explored import mixed
print(mixed({SCHEDULE!r}, network="earth").trace.digest)
"""


def test_the_same_schedule_makes_the_same_run() -> None:
    """Twice here; and it differs from the plain run."""
    assert mixed(SCHEDULE, network="earth").trace.digest == mixed(SCHEDULE, network="earth").trace.digest
    assert mixed("", network="earth").trace.digest != mixed(SCHEDULE, network="earth").trace.digest


def test_a_run_follows_from_its_schedule_in_any_process() -> None:
    """Whatever the hash seed: the digest of this process."""
    here = mixed(SCHEDULE, network="earth").trace.digest
    there = []
    for seed in ("1", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        there.append(done.stdout.strip())

    assert [here, here] == there


def test_what_was_taken_leads_there_again() -> None:
    """A place behind the end of a line is taken as its last, a fault that cannot come not at all."""
    first = mixed("event1=9,message1=reply_lost,object5=crash")
    taken = first.world.chooser.taken  # type: ignore[union-attr]

    assert "object5=crash" in str(taken) and "message1" not in str(taken)
    assert first.trace.digest == mixed(taken).trace.digest


# -- schedules

_kinds = {**ORDERS, **FAULTS}
_choices = st.sampled_from([*_kinds]).flatmap(
    lambda kind: st.tuples(st.tuples(st.just(kind), st.integers(1, 10**9)), st.integers(0, len(_kinds[kind]) or 10**6))
)
schedules = st.lists(_choices, unique_by=lambda item: item[0]).map(Schedule)


@given(schedules)
def test_a_schedule_is_what_its_text_says(schedule: Schedule) -> None:
    """`parse` reads what `str` writes, which `repr` shows; plain choices are not kept."""
    assert schedule == Schedule.parse(str(schedule))
    assert hash(schedule) == hash(Schedule.parse(str(schedule)))
    assert schedule == eval(repr(schedule))
    assert 0 not in schedule.values()
    assert schedule is Schedule.of(schedule) and schedule == Schedule.of(str(schedule)) == Schedule.of(dict(schedule))


@given(schedules, schedules)
def test_two_schedules_are_joined(one: Schedule, other: Schedule) -> None:
    """The second says what both name."""
    assert {**one, **other} == dict(one | other)


def test_the_order_of_a_text_does_not_matter() -> None:
    """Kinds stand in their own order, then numbers."""
    text = "event1=2,delay3=1s,object2=evict,object10=crash"

    assert text == str(Schedule.parse(" object10=crash, delay3=1s,object2=evict ,event1=2,,"))
    assert "Schedule()" == repr(Schedule()) and "" == str(Schedule())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("crash", "schedule: 'crash' is no decision; write them as in 'delay12=100ms,object203=crash'."),
        ("object3=", "schedule: 'object3=' is no decision"),
        ("object=crash", "schedule: 'object=crash' is no decision"),
        ("o203=crash", "schedule: 'o203=crash' is of no kind there is (event, waiter, ready, delay, retry, object,"),
        ("object3=burn", "schedule: 'object3=burn' names no choice; object has evict, crash, reset, deploy."),
        ("delay1=2s", "schedule: 'delay1=2s' names no choice; delay has 1ms, 10ms, 100ms, 1s."),
        ("event1=crash", "'event1=crash' names no place in a line: write a number, as in event1=1."),
        ("event0=1", "schedule: event 0 is no number of a decision; they are counted from 1 on."),
    ],
)
def test_a_text_that_is_no_schedule_is_refused(text: str, says: str) -> None:
    """The part that cannot be read is named, with what can be written there."""
    with pytest.raises(ValueError, match=re.escape(says)):
        Schedule.parse(text)
    with pytest.raises(ValueError, match=re.escape(says)):
        Simulation(schedule=text)


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({("nothing", 1): 1}, "'nothing' is no kind of decision"),
        ({("event", 0): 1}, "event 0 is no number of a decision"),
        ({("event", 1): -1}, "-1 is no choice for event1: it has many"),
        ({("delay", 1): 5}, f"5 is no choice for delay1: it has {len(DELAYS_US)}"),
    ],
)
def test_choices_that_are_none_are_refused(choices: dict[Any, Any], says: str) -> None:
    """A mapping is checked as a text is."""
    with pytest.raises(ValueError, match=says):
        Schedule(choices)


def test_what_is_no_schedule_is_refused() -> None:
    """With what to give."""
    with pytest.raises(TypeError, match=r"schedule=7 is none: give a text such as 'delay12=100ms,object203=crash'"):
        Simulation(schedule=7)  # type: ignore[arg-type]


# -- a run that never ends


def test_a_simulation_with_a_schedule_may_run_as_long_as_any() -> None:
    """Only an exploration ends a run that goes on; whoever gives a schedule asked for all of it."""
    sim = Simulation(schedule="")

    assert sim.world.chooser is not None
    assert 10**12 < sim.world.chooser.most_events


def test_a_run_is_ended_at_the_event_that_is_one_too_many() -> None:
    """The number of events that it takes is enough."""
    enough = mixed("").world.loop.events

    mixed(Chooser(most_events=enough))
    with pytest.raises(Endless, match=rf"did not end within {enough - 1:,} events, at t="):
        mixed(Chooser(most_events=enough - 1))
