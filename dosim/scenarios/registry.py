"""Which scenarios there are, without loading them: `dosim run` lists them, and finds them by name."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named world: what it shows in one line, the module that holds it, the options it takes on the command line."""

    name: str
    shows: str
    module: str
    options: frozenset[str]

    def run(self, **options: Any) -> Any:
        """Run it; the result prints itself, and has `to_json()`, `blocks()`, `figure()`."""
        return import_module(self.module).run(**options)


SCENARIOS: Final[dict[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "ten-by-five",
            "ten requests of 5 s meet one object at the same instant, in five variants",
            "dosim.scenarios.ten_by_five",
            frozenset({"variant", "requests", "seconds", "seed", "json", "png", "trace", "code"}),
        ),
        Scenario(
            "one-instance",
            "a hundred requests from everywhere meet a hundred Worker instances, and one object",
            "dosim.scenarios.one_instance",
            frozenset({"requests", "seed", "json", "trace", "code"}),
        ),
    )
}


def find_scenario(name: str) -> Scenario:
    """The scenario of this name. Raises ValueError with the nearest names, and all there are."""
    found = SCENARIOS.get(name)
    if found is None:
        near = difflib.get_close_matches(name, SCENARIOS, n=2, cutoff=0.5)
        guess = f"did you mean {' or '.join(near)}? " if near else ""
        raise ValueError(
            f"{name!r} is neither a scenario nor a project folder: {guess}The scenarios are {', '.join(SCENARIOS)};"
            " a project is a folder with a wrangler.jsonc."
        )
    return found
