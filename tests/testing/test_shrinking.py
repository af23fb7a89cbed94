"""Shrinking stays within what the test allows."""

from __future__ import annotations

import asyncio

import pytest

from dosim import Simulation
from dosim.testing import explore
from dosim.workers import DurableObject


class Slow(DurableObject):
    async def work(self) -> str:
        await asyncio.sleep(1)
        return "done"


def works() -> None:
    """Broken by whatever takes the object away in the middle."""
    sim = Simulation(durable_objects={"SLOW": Slow}, network=None, seed=7)
    assert "done" == sim.run(sim.env.SLOW.getByName("a").work())


@pytest.mark.parametrize("fault", ["crash", "reset", "deploy"])
def test_a_fault_that_may_not_come_is_not_tried(fault: str) -> None:
    """
    The choices of one place have an order, and a smaller one breaks the test too; it is not among those allowed.
    """
    failure = explore(works, faults=(fault,), orders=()).failure

    assert failure is not None
    assert f"object1={fault}" == str(failure.schedule)
