"""Named worlds: each is a lesson with the sentence it proves. `dosim run NAME` prints it, `Scenario.run` returns it."""

from __future__ import annotations

from dosim.scenarios.registry import SCENARIOS, BadArgument, Scenario, find_scenario

__all__ = ["SCENARIOS", "BadArgument", "Scenario", "find_scenario"]
