"""Which animals there are, without loading them: `animals()` loads all, `find_animal(name)` one."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from dosim.scenarios.registry import BadArgument, did_you_mean
from dosim.scenarios.zoo.animal import Animal

#: In the order in which the book shows them: what interleaves, what is lost with memory, what happens twice, what is
#: half done, what never ends.
NAMES: Final = (
    "lost-update",
    "check-then-act",
    "cache-outlives-its-row",
    "counter-in-module-globals",
    "zombie-after-delete-all",
    "two-upgrades",
    "block-deadlock",
    "memory-only-state",
    "gather-of-increments",
    "broadcast-during-wake",
    "rebuilt-wrong",
    "fire-and-forget",
    "stub-kept-after-reset",
    "double-charge",
    "retry-without-key",
    "keys-in-memory",
    "queue-not-idempotent",
    "rescued-twice",
    "lock-without-fence",
    "write-then-abort",
    "memory-after-rollback",
    "half-migrated",
    "half-transfer",
    "armed-before-throw",
    "unbounded-alarm-loop",
)


def animals() -> tuple[Animal, ...]:
    """All of them, in the book's order."""
    return tuple(map(_load, NAMES))


def find_animal(name: str) -> Animal:
    """The animal of this name. Raises BadArgument with the nearest names, and all there are."""
    if name not in NAMES:
        raise BadArgument("animal", name, f"is not known{did_you_mean(name, NAMES)} Use one of {', '.join(NAMES)}.")
    return _load(name)


def _load(name: str) -> Animal:
    animal: Animal = import_module(f"dosim.scenarios.zoo.{name.replace('-', '_')}").ANIMAL
    return animal
