"""Testing: explore schedules and faults, say what must hold, shrink what breaks it, replay it; conformance; sweeps.

What is here loads when it is used: Hypothesis with `@simulated`, `schedules`, `faults` and `ObjectMachine`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dosim.kernel.chooser import Schedule
    from dosim.testing.determinism import NotDeterministic, check_determinism
    from dosim.testing.exploring import Exploration, explore
    from dosim.testing.failures import Failure
    from dosim.testing.machine import ObjectMachine, rule
    from dosim.testing.marks import sometimes
    from dosim.testing.simulating import simulated
    from dosim.testing.strategies import faults, schedules
    from dosim.testing.subjects import BadTest
    from dosim.testing.sweeps import Sweep, sweep
    from dosim.testing.tokens import BadToken

__all__ = [
    "BadTest",
    "BadToken",
    "Exploration",
    "Failure",
    "NotDeterministic",
    "ObjectMachine",
    "Schedule",
    "Sweep",
    "check_determinism",
    "explore",
    "faults",
    "rule",
    "schedules",
    "simulated",
    "sometimes",
    "sweep",
]

_HOME = {
    "BadTest": "dosim.testing.subjects",
    "BadToken": "dosim.testing.tokens",
    "Exploration": "dosim.testing.exploring",
    "Failure": "dosim.testing.failures",
    "NotDeterministic": "dosim.testing.determinism",
    "ObjectMachine": "dosim.testing.machine",
    "Schedule": "dosim.kernel.chooser",
    "Sweep": "dosim.testing.sweeps",
    "check_determinism": "dosim.testing.determinism",
    "explore": "dosim.testing.exploring",
    "faults": "dosim.testing.strategies",
    "rule": "dosim.testing.machine",
    "schedules": "dosim.testing.strategies",
    "simulated": "dosim.testing.simulating",
    "sometimes": "dosim.testing.marks",
    "sweep": "dosim.testing.sweeps",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'dosim.testing' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
