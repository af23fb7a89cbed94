"""Alarms: they run at least once, and they may not keep an object awake for ever."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from dosim.kernel.choosing import Endless
from dosim.simulation import Simulation
from dosim.testing.invariants.violations import InvariantViolated
from dosim.testing.invariants.wakes import never_wakes_only_itself
from dosim.testing.projects.driving import OTHER_WAYS, Driver, Way, aside
from dosim.testing.projects.masks import Path as MaskPath
from dosim.testing.projects.masks import canonical, differences
from dosim.testing.projects.rules import Rule
from dosim.trace.words import cut

#: An alarm that is due at once must not ring before the program has ended.
_SOON: Final = "150ms"
#: An alarm's repetition comes some seconds after it; what is late in another run of it.
_AFTERWARDS: Final = "30s"
_LATE: Final = "3s"
#: Wakes in a row that are a loop, at most ten minutes apart, and how long is watched for them.
WAKES: Final = 60
_WATCHED: Final = ("1s", "9s", "50s", "9m", "50m", "5h", "6h")
_MONTH_US: Final = 30 * 86_400_000_000
#: What a loop must cost for an object and an idle month to be found, at list prices.
IDLE_MONTH_USD: Final = 1
_KEY: Final = "idempotency-key"


class AlarmTwice(Rule):
    """An alarm that runs once more leaves what it leaves when it runs once."""

    word = "alarm"
    says = "An alarm runs at least once: once more leaves the same as once."

    def __call__(self) -> None:
        driver, rang = self._rung(Way(gap=_SOON), twice=True)
        if not rang:
            return
        with aside():
            once = self._left(Way(gap=_SOON))
            if once is None:
                return
            twice = left_behind(driver)
            if canonical(once, frozenset()) == canonical(twice, frozenset()):
                return
            others = [self._left(replace(other, gap=_SOON)) for other in OTHER_WAYS]
            others.append(self._left(Way(gap=_SOON), late=True))
        masks: set[MaskPath] = set()
        for other in others:
            masks |= differences(once, other) if other is not None else set()
        told = self._difference(once, twice, frozenset(masks))
        if told:
            story = f"the alarm of {' and '.join(rang)} ran twice, and did not leave things as one run does: {told}."
            raise self._broken(driver.simulation, "idempotent_alarm", story)

    def _rung(self, way: Way, *, twice: bool = False, late: bool = False) -> tuple[Driver, list[str]]:
        """The program, and then its alarms; whose they were."""
        driver = Driver(self.folder, way)
        driver.run(self.program)
        sim = driver.simulation
        due = {view.label: view.alarm_us for view in sim.objects if view.alarm_us is not None}
        for label in due:
            if twice:
                sim.alarm_twice(label)
            if late:
                sim.alarm_late(label, _LATE)
        last_us = max((us for us in due.values() if us is not None), default=0)
        if due and last_us > sim.now.us:
            sim.run(until=f"{last_us}us")
        sim.run(for_=_AFTERWARDS)
        return driver, list(due)

    def _left(self, way: Way, *, late: bool = False) -> dict[str, Any] | None:
        """What is left after one run; None when that failed, or the alarm has set another."""
        driver, rang = self._rung(way, late=late)
        sim = driver.simulation
        alarms = {raw[4] for raw in sim.trace.raw if raw[2] == "call" and raw[6][1] == "alarm"}
        thrown = any(raw[2] == "throw" and raw[4] in alarms for raw in sim.trace.raw)
        again = any(sim.objects[label].alarm_us is not None for label in rang)
        return None if thrown or again or len(alarms) != len(rang) else left_behind(driver)

    @staticmethod
    def _difference(once: dict[str, Any], twice: dict[str, Any], masks: frozenset[MaskPath]) -> str:
        for key in dict.fromkeys([*once, *twice]):
            one, two = once.get(key), twice.get(key)
            if canonical(one, masks, (key,)) != canonical(two, masks, (key,)):
                return f"{key} is {cut(repr(two), 160)}, and {cut(repr(one), 160)} after one run"
        return ""


def left_behind(driver: Driver) -> dict[str, Any]:
    """What there is after a run: entries, tables, and what was asked of the outside (each idempotency key once)."""
    left: dict[str, Any] = {}
    for view in driver.simulation.objects:
        left |= {f"the storage of {view.label}": view.storage} if view.storage else {}
        left |= {f"table {name} of {view.label}": rows for name, rows in view.tables.items()}
    keys: set[str] = set()
    for request in driver.outside.requests:
        key = request.header(_KEY)
        if request.method == "GET" or key in keys:
            continue
        keys |= {key} if key is not None else set()
        what = f"the number of {request.method} {request.url}"
        left[what] = left.get(what, 0) + 1
    return left


class Idle(Rule):
    """Nobody asks for anything any more: an object that goes on by its own alarm goes on for ever, and is billed."""

    word = "idle"
    says = "When nobody asks for anything, no object goes on waking only itself at a price."

    def __call__(self) -> None:
        driver = Driver(self.folder)
        driver.run(self.program)
        loop = self.loop(driver.simulation)
        if loop is not None and loop[1] >= IDLE_MONTH_USD:
            raise self._broken(driver.simulation, "never_wakes_only_itself", f"{loop[0]}.", loop[2])

    def cheap_loop(self) -> str:
        """A loop that costs too little to be a finding, in words; "" for none."""
        with aside():
            driver = Driver(self.folder)
            driver.run(self.program)
            loop = self.loop(driver.simulation)
        return loop[0] if loop is not None and loop[1] < IDLE_MONTH_USD else ""

    @staticmethod
    def loop(sim: Simulation) -> tuple[str, float, int] | None:
        """Run on, and watch: what goes on for ever, in words, dollars for an object and month, and a request of it."""
        before, began_us = sim.bill(), sim.now.us
        for span in _WATCHED:
            try:
                sim.run(for_=span)
            except Endless:
                return None
            violation = _looping(sim)
            if violation is not None:
                label = violation.story.partition(" was woken")[0]
                bill = sim.bill(since=before).by_object.get(label)
                length_us = sim.now.us - began_us
                usd = float(bill.usd) * _MONTH_US / length_us if bill is not None else 0.0
                price = f"${usd:,.2f}" if usd >= 0.005 else "less than a cent"
                story = violation.story.partition(", for every object")[0]
                return f"{story}. An idle month costs {price} for each object, at list prices", usd, violation.request
        return None


def _looping(sim: Simulation) -> InvariantViolated | None:
    try:
        never_wakes_only_itself(sim, alarms=WAKES)
    except InvariantViolated as violation:
        return violation
    return None
