"""Something good happens in the end, once the faults are over."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final

from dosim.kernel.chooser import FAULTS
from dosim.kernel.durations import duration_us
from dosim.simulation import Simulation
from dosim.simulation.errors import Deadlock
from dosim.testing.invariants.violations import Invariant, at, kept_trace, named, of_kinds, plainly, violated
from dosim.trace.records import RawRecord, Trace
from dosim.trace.words import last_line, stretch
from dosim.web.errors import JsException

#: How often the condition is looked at between now and the deadline.
_LOOKS: Final = 20
#: A verb, and what undoes it.
_UNDONE_BY: Final = {
    "partition": "repair", "slow": "repair", "cut": "mend", "colo_down": "colo_up", "overload": "relieve",
    "storage_fails": "relieve", "lose": "keep_all",
}  # fmt: skip


def eventually(condition: Callable[[Any], Any], within: object = "1m") -> Invariant:
    """An invariant: at most so long after the last fault, the condition holds.

    Why people get it wrong: tests ask that nothing bad happens, and a system that does nothing passes them all. A
    queue object whose stub broke and is kept for ever, an alarm that was used up by a throw, a schedule that stops
    after a restart: nothing wrong was ever answered, and nothing will be answered any more. Faults end (a partition is
    repaired, a deploy is over); what has to come back is asked for here, with a deadline, because "some time" cannot
    be tested.
    Source: durable-objects/best-practices/error-handling (what an exception leaves behind, and who has to retry).
    Seen in the field: a cached stub that could never recover (cloudflare/cloudflare-os#58), a schedule that silently
    stops after a restart (cloudflare/agents#1119).

    condition: a function of the simulation, async or not, that says whether it holds; it may ask objects and clients.
    One that raises a platform's error (JsException, AbortError, a lost connection) or never ends does not hold yet.
    within: from the last fault on, or the undoing of one; without any, from now. The simulation is run on as far as
    needed, plainly: no schedule or exploration brings another fault meanwhile. Of a trace the end is looked at, with
    the trace as argument. Returns a function that raises InvariantViolated with the last fault and what is under way.
    Raises TypeError or ValueError that name the argument.
    """
    if not callable(condition):
        raise TypeError(f"condition={condition!r} cannot be called: give a function of the simulation.")
    within_us = duration_us(within, "within")
    said = getattr(condition, "__name__", "condition")
    name = f"eventually({said if said != '<lambda>' else 'condition'})"

    def check(source: Any) -> None:
        trace = kept_trace(source, name)
        if not isinstance(source, Simulation):
            if not condition(trace):
                raise violated(source, name, "it does not hold where the trace ends.")
            return
        faults = _faults(trace)
        now_us = source.now.us
        since_us = faults[-1][0] if faults else now_us
        deadline_us = max(now_us, since_us + within_us)
        trouble = ""
        with plainly(source):
            for look in range(_LOOKS + 1):
                moment_us = now_us + (deadline_us - now_us) * look // _LOOKS
                if moment_us > source.now.us:
                    source.run(until=f"{moment_us}us")
                holds, trouble = _holds(source, condition)
                if holds:
                    return
        story = _last_fault(faults) + f" At {at(source.now.us)}, {stretch(source.now.us - since_us)} later, it still"
        story += f" does not hold{trouble}. " + _under_way(source)
        raise violated(source, name, story, at_us=source.now.us)

    return named(check, name, eventually.__doc__)


def _faults(trace: Trace) -> list[RawRecord]:
    """Every fault, and what undoes one: of a verb, or of a schedule, which tells some of its own as a verb's too."""
    found: list[RawRecord] = []
    for raw in filter(_is_fault, of_kinds(trace, "fault", "choice")):
        if not found or found[-1][2] != "choice" or raw[2] == "choice" or raw[1] != found[-1][1] + 1:
            found.append(raw)
    return found


def _is_fault(raw: RawRecord) -> bool:
    """Whether a record is of a fault: of a verb, or of one that a schedule brought; orders and delays are none."""
    return raw[2] == "fault" or str(raw[6][0]).partition("=")[0].rstrip("0123456789") in FAULTS


def _holds(sim: Simulation, condition: Callable[[Any], Any]) -> tuple[bool, str]:
    """Whether it holds, and the error that asking for it has met, in words."""
    try:
        answer = condition(sim)
        if inspect.isawaitable(answer):
            answer = sim.run(answer)
    except (JsException, OSError, Deadlock) as error:
        return False, f" (asking for it raised: {last_line(error)})"
    return bool(answer), ""


def _last_fault(faults: list[Any]) -> str:
    """The last fault, and those that nobody has undone."""
    if not faults:
        return "There was no fault."
    t_us, _, kind, _, _, _, (verb, what) = faults[-1]
    said = (
        f"The last fault, {what if kind == 'choice' else f'{verb} of {what}'.removesuffix(' of ')}, was at {at(t_us)}."
    )
    standing = []
    for number, fault in enumerate(faults):
        undo = _UNDONE_BY.get(fault[6][0])
        later = [(verb, what) for *_, (verb, what) in faults[number + 1 :]]
        if undo and not any(verb == undo and (what in ("", fault[6][1])) for verb, what in later):
            standing.append(f"{fault[6][0]} of {fault[6][1]}")
    return said + (f" Nobody has undone {', '.join(standing)}." if standing else "")


def _under_way(sim: Simulation) -> str:
    """What is still going on."""
    calls = [f"#{call.request} {call.said}" for call in sim.calls]
    alarms = [view.label for view in sim.objects if view.alarm_us is not None]
    return (
        (f"Under way: {', '.join(calls)}." if calls else "No call is under way.")
        + (f" Alarms are set in {', '.join(alarms)}." if alarms else " No alarm is set.")
    )  # fmt: skip
