"""An alarm runs at least once; what it does should not depend on how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

from dosim.platform.facts import ALARM_LIMIT_US
from dosim.simulation import Simulation
from dosim.simulation.errors import ForkError
from dosim.testing.invariants.effects import KEY_HEADER, requests_of
from dosim.testing.invariants.violations import at, of_kinds, plainly, simulation_of, violated
from dosim.trace.records import RawRecord
from dosim.trace.words import cut

_UNHEARD: Final = "its success was not heard"
_CRASHED: Final = "its machine crashed before the first run's writes were confirmed"


def idempotent_alarm(
    source: object, *, ignoring: Iterable[str] = (), make: Callable[[], object] | None = None, runs: int = 3
) -> None:
    """An alarm that runs once more leaves storage, and the world outside, as one run does.

    Why people get it wrong: the alarm is taken for cron, exact and once. It is kept until the platform knows that its
    handler has succeeded: a crash after the e-mail and before the commit, or a success that nobody heard of, and it
    runs again, from the beginning, with the memory gone. A counter that is incremented, a row that is inserted and a
    card that is charged are then there twice. What helps: put what is still to do into storage and take it out in the
    turn that does it; give whatever leaves the object a key that was stored before. `info.isRetry` is no help: it may
    be false in the second run.
    Source: durable-objects/api/alarms ("guaranteed at-least-once execution"). Seen in the field: an early `setAlarm`
    that replaces the retries, callbacks that ran in the constructor and again (cloudflare-docs#15685, actors#113),
    and tests that call the handler instead of the alarm and see none of it (workers-sdk#5394).

    source: a simulation. For the first `runs` alarms of each object that succeeded, its past is lived again up to that
    alarm (`sim.fork`), and from there once with one run and once with each way to a second one: its success was not
    heard, or the machine crashed after it. Compared are the storage of all objects (without the keys and columns in
    `ignoring`, for times that are written down) and the requests that declared services got: other than GET, and those
    with the same Idempotency-Key as one. make: for a simulation that coroutines of yours drove, the function that
    makes and drives it (`run=` of `sim.fork`). Raises InvariantViolated with what differs; ForkError where the past
    cannot be lived again.
    """
    sim = simulation_of(source, "idempotent_alarm", "runs the alarm again")
    skip = frozenset([ignoring] if isinstance(ignoring, str) else ignoring)
    ended = {raw[4] for raw in of_kinds(sim.trace, "return")}
    seen: Counter[str] = Counter()
    for call in list(of_kinds(sim.trace, "call")):
        label = str(call[6][2])
        if call[6][1] != "alarm" or call[4] not in ended or seen[label] >= runs:
            continue
        seen[label] += 1
        _check_run(sim, call, label, skip, make)


def _check_run(sim: Simulation, call: RawRecord, label: str, skip: frozenset[str], make: Any) -> None:
    """Raise when a second run of this alarm leaves something else behind than one."""
    once = _before(sim, call, make)
    due_us = once.objects[label].alarm_us
    _run_alarms(once, label, call[1], 1)
    expected = _left_behind(once, skip)
    ways: list[tuple[str, Simulation]] = []
    if once.objects[label].alarm_us is None:  # a handler that sets the alarm again is not repeated for being unheard
        twice = _before(sim, call, make)
        twice.alarm_twice(label)
        ways.append((_UNHEARD, twice))
    if sim.world.platform.confirm_us:
        crashed = _before(sim, call, make)
        _run_alarms(crashed, label, call[1], 1)
        crashed.crash(label)
        if crashed.objects[label].alarm_us == due_us:
            ways.append((_CRASHED, crashed))
    for why, world in ways:
        if not _run_alarms(world, label, call[1], 2):
            continue
        found = _left_behind(world, skip)
        differences = [
            f"{what}: {_said(expected.get(what))} after one run, {_said(found.get(what))} after two"
            for what in dict.fromkeys([*expected, *found])
            if expected.get(what) != found.get(what)
        ]
        if differences:
            raise violated(
                sim,
                "idempotent_alarm",
                f"the alarm of {label} (#{call[4]}) ran at {at(call[0])}, and once more because {why}. It did not leave"
                f" things as one run does. {'; '.join(differences)}.",
                at_us=call[0],
                request=call[4],
            )


def _before(sim: Simulation, call: RawRecord, make: Any) -> Simulation:
    """The world just before an alarm rings."""
    try:
        return sim.fork(before=call[1], run=make)
    except ForkError as error:
        if make is None:
            error.add_note("idempotent_alarm takes that function as make=: tuned(idempotent_alarm, make=function).")
        raise


def _run_alarms(fork: Simulation, label: str, since: int, times: int) -> bool:
    """Run on until so many runs of the object's alarm have ended; False when that does not happen."""
    with plainly(fork):
        return _run_on(fork, label, since, times)


def _run_on(fork: Simulation, label: str, since: int, times: int) -> bool:
    deadline_us = fork.now.us + times * ALARM_LIMIT_US
    while _ended(fork, label, since) < times:
        if fork.step():
            continue
        due_us = max((int(str(raw[6][0])) for raw in of_kinds(fork.trace, "alarm_set") if raw[3] == label), default=0)
        if fork.now.us > deadline_us or fork.objects[label].alarm_us is None:
            return False
        fork.run(until=f"{max(due_us, fork.now.us + 1)}us")
    return True


def _ended(fork: Simulation, label: str, since: int) -> int:
    """How many runs of the object's alarm have ended since a record."""
    alarms = {raw[4] for raw in of_kinds(fork.trace, "call") if raw[1] >= since and raw[6][1:3] == ("alarm", label)}
    return sum(raw[4] in alarms for raw in of_kinds(fork.trace, "return", "throw"))


def _left_behind(sim: Simulation, skip: frozenset[str]) -> dict[str, Any]:
    """What is there afterwards: entries and tables of all objects, and what was asked of the world outside."""
    found: dict[str, Any] = {}
    for view in sim.objects:
        found |= {f"{view.label} {key!r}": value for key, value in view.storage.items() if key not in skip}
        for table, rows in view.tables.items():
            plain = [{name: value for name, value in row.items() if name not in skip} for row in rows]
            found[f"{view.label} table {table!r}"] = plain
    for service in sim.world.externals.declared:
        keys: set[str] = set()
        for request in requests_of(sim, service.prefix):
            key = request.header(KEY_HEADER)
            if key is None or key not in keys:
                what = f"{request.method} {request.url} {cut(request.body, 60)!r}"
                found[what] = found.get(what, 0) + 1
            keys |= {key} if key is not None else set()
    return found


def _said(value: Any) -> str:
    return "nothing" if value is None else cut(repr(value), 200)
