"""`Animal`: one bug of the zoo: the class that has it, the twin that has not, and the check that both are put to."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from dosim.simulation import Simulation

#: What a check is: it drives a simulation as users would, and asserts what they were promised.
Check = Callable[[Simulation], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Animal:
    """A bug that real programs had, small enough to be looked at.

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

    def simulation(self, *, fixed: bool = False, **options: Any) -> Simulation:
        """A world with the buggy class, or with its twin; options are those of `Simulation`."""
        return Simulation(self.worker, **{**self.given(fixed=fixed), **options})

    def given(self, *, fixed: bool = False) -> dict[str, Any]:
        """The arguments of `Simulation`: no distances, so that a run takes about a millisecond, and no output."""
        objects = {"OBJECT": self.fixed if fixed else self.buggy, **self.beside}
        return {"durable_objects": objects, "network": None, "show_output": False, **self.options}

    def run(self, *, fixed: bool = False, **options: Any) -> Simulation:
        """Put one of the two to the check, once. Raises AssertionError when it breaks the promise."""
        sim = self.simulation(fixed=fixed, **options)
        sim.run(self.check(sim))
        return sim

    def source(self, which: type) -> str:
        """The code of a class of the animal."""
        return inspect.getsource(which)

    @property
    def lesson(self) -> str:
        """The docstring of its module: what people believe, what happens, where it was met, what mends it."""
        return inspect.getdoc(inspect.getmodule(self.buggy)) or ""

    def __repr__(self) -> str:
        return f"<animal {self.name}: {self.title}>"
