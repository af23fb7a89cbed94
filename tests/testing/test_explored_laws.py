"""Whatever is decided, what is recorded of the platform holds: the invariants of any run, under random schedules."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from dosim.kernel.chooser import Schedule
from dosim.testing import faults, schedules
from dosim.testing.invariants import (
    fifo_per_stub,
    no_unconfirmed_output,
    one_instance_per_id,
    segments_sum_to_latency,
    turns_never_overlap,
)
from dosim.testing.searching import Plan
from tests.testing.explored import mixed

LAWS = (one_instance_per_id, turns_never_overlap, fifo_per_stub, segments_sum_to_latency, no_unconfirmed_output)
#: As many decisions as the world has of each kind, and some more.
DECISIONS = {kind: count + 10 for kind, count in mixed("", network="earth").world.chooser.counts.items()}  # type: ignore[union-attr]


def holds(schedule: Any, network: str | None) -> None:
    sim = mixed(schedule, network=network)
    for law in LAWS:
        law(sim)


@pytest.mark.parametrize("network", [None, "earth"])
@settings(max_examples=60, deadline=None)
@given(orders=schedules("all", most=6, decisions=DECISIONS), plan=faults(most=6, decisions=DECISIONS))
def test_no_schedule_breaks_what_is_recorded(network: str | None, orders: Schedule, plan: Schedule) -> None:
    """Up to twelve deviations of every kind, in a world with calls, sections, alarms, sockets and writes."""
    holds(orders | plan, network)


@pytest.mark.slow
@pytest.mark.parametrize("network", [None, "earth"])
@settings(max_examples=1_000, deadline=None)
@given(orders=schedules("all", most=12, decisions=DECISIONS), plan=faults(most=12, decisions=DECISIONS))
def test_no_schedule_breaks_what_is_recorded_in_a_thousand(
    network: str | None, orders: Schedule, plan: Schedule
) -> None:
    """The same, longer and with more deviations."""
    holds(orders | plan, network)


def test_an_answer_that_a_failed_commit_made_an_error_says_nothing_of_earlier_writes() -> None:
    """It leaves at once, while an earlier turn's write waits for its confirmation: it is the platform's own error."""
    commits = range(1, DECISIONS["commit"])

    assert 1 < len(commits)
    for number in commits:
        holds(f"commit{number}=disk_fails", None)


@pytest.mark.parametrize("number", range(20))
def test_no_priorities_break_what_is_recorded(number: int) -> None:
    """PCT deviates at many decisions at once."""
    kinds = ("event", "waiter", "delay", "ready")
    plan = Plan(Schedule(), pct=number, kinds=kinds, length=sum(DECISIONS[kind] for kind in kinds))

    holds(plan.chooser(200_000), None)
    holds(plan.chooser(200_000), "earth")
