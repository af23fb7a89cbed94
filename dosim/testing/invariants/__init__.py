"""Invariants: what must hold of every run, as named functions that you import.

An invariant is called with a simulation or a trace: it returns None, or raises `InvariantViolated`, an AssertionError
whose text is a short story (who, what, when, in which request) and whose notes say how to come to the same run again.
Use one after a run, or let every run of an exploration be held to it: `@simulated(..., invariants=[one_instance_per_id,
cost_below(usd=6)])`. Those with a parameter are made by calling; options of the others are set with `tuned`.

    of any run            one_instance_per_id, turns_never_overlap, fifo_per_stub, segments_sum_to_latency,
                          no_unconfirmed_output, never_wakes_only_itself
    made by calling       cost_below(usd=...), eventually(condition), exactly_once_effect(of)
    of a simulation       idempotent_alarm: lives the past again
    checks by themselves  linearizable(history, model), survives_eviction(test),
                          migrates_from_any_version(versions, ...)
"""

from __future__ import annotations

from dosim.testing.invariants.alarms import idempotent_alarm
from dosim.testing.invariants.costs import cost_below
from dosim.testing.invariants.effects import exactly_once_effect
from dosim.testing.invariants.evictions import survives_eviction
from dosim.testing.invariants.histories import History, Operation
from dosim.testing.invariants.linearizability import linearizable
from dosim.testing.invariants.liveness import eventually
from dosim.testing.invariants.messages import fifo_per_stub, segments_sum_to_latency
from dosim.testing.invariants.migrations import migrates_from_any_version
from dosim.testing.invariants.models import ANYTHING, Counter, Model, Queue, Register
from dosim.testing.invariants.output import no_unconfirmed_output
from dosim.testing.invariants.turns import one_instance_per_id, turns_never_overlap
from dosim.testing.invariants.violations import Invariant, InvariantViolated, tuned
from dosim.testing.invariants.wakes import never_wakes_only_itself

__all__ = [
    "ANYTHING",
    "Counter",
    "History",
    "Invariant",
    "InvariantViolated",
    "Model",
    "Operation",
    "Queue",
    "Register",
    "cost_below",
    "eventually",
    "exactly_once_effect",
    "fifo_per_stub",
    "idempotent_alarm",
    "linearizable",
    "migrates_from_any_version",
    "never_wakes_only_itself",
    "no_unconfirmed_output",
    "one_instance_per_id",
    "segments_sum_to_latency",
    "survives_eviction",
    "tuned",
    "turns_never_overlap",
]
