"""`Animal`: one bug of the zoo: the class that has it, the twin that has not, and the check that both are put to."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dosim.simulation import Simulation
from dosim.testing.subjects import Subject

#: What a check is: it drives a simulation as users would, and asserts what they were promised.
Check = Callable[[Simulation], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Animal:
    """A bug that real programs had, small enough to be looked at: `explore(animal)` finds it.

    The class under check is bound as OBJECT; `beside` are the bindings of other objects, `worker` the entrypoint, where
    the story needs them. `faults` are the kinds of faults that the check expects users to live through; orders (how
    long a message takes, who goes first) are always open. `options` are further ones of `Simulation`.
    """

    name: str
    title: str
    buggy: type
    fixed: type
    check: Check
    faults: tuple[str, ...] = ()
    worker: type | None = None
    beside: Mapping[str, type] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def twin(self) -> Animal:
        """The same story with the fixed class in the place of the buggy one: `explore(animal.twin)` finds nothing."""
        return replace(self, buggy=self.fixed)

    def simulation(self, **options: Any) -> Simulation:
        """A world for the check, without distances, so that a run takes about a millisecond, and without output.

        The options are further ones of `Simulation`.
        """
        objects = {"OBJECT": self.buggy, **self.beside}
        plain = {"durable_objects": objects, "network": None, "show_output": False}
        return Simulation(self.worker, **{**plain, **self.options, **options})

    def run(self, **options: Any) -> Simulation:
        """Put the class to the check, once. Raises AssertionError when it breaks the promise."""
        sim = self.simulation(**options)
        sim.run(self.check(sim))
        return sim

    @property
    def subject(self) -> Subject:
        """What `explore` takes: runs of the check, and where another process finds it, for `dosim replay`."""
        module = inspect.getmodule(self.check)
        is_twin = self.buggy is self.fixed
        reference = f"{self.check.__module__}::ANIMAL{'.twin' if is_twin else ''}"
        name = f"{self.name}{', the twin' if is_twin else ''}"
        return Subject(self.run, name=name, reference=reference, faults=self.faults, code=module)

    @property
    def lesson(self) -> str:
        """The docstring of its module: what people believe, what happens, where it was met, what mends it."""
        return inspect.getdoc(inspect.getmodule(self.check)) or ""

    def __repr__(self) -> str:
        return f"<animal {self.name}: {self.title}>"
