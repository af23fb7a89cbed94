"""Tests that `@simulated` made, planted as those of `planted`; apart from them, as Hypothesis takes long to import."""

from __future__ import annotations

from hypothesis import strategies

from dosim import Simulation
from dosim.testing import simulated
from tests.testing.planted import Board, Caller


@simulated(durable_objects={"BOARD": Board, "CALLER": Caller}, network=None)
async def explored_objects(sim: Simulation) -> None:
    await sim.env.CALLER.getByName("one").call_objects()


@simulated(durable_objects={"BOARD": Board}, network=None)
async def explored_steady(sim: Simulation) -> None:
    await sim.env.BOARD.getByName("one").note("seen")


@simulated(durable_objects={"BOARD": Board}, network=None, given={"key": strategies.text()})
async def explored_with_more(sim: Simulation, key: str) -> None:
    await sim.env.BOARD.getByName("one").note(key)
