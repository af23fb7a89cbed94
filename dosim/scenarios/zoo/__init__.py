"""The zoo: small classes with a bug each that real programs had, and their twins without it.

No test of the usual kind shows these bugs: without faults, and with messages as fast as ever, every check passes.
`dosim.testing.explore` finds them.
"""

from __future__ import annotations

from dosim.scenarios.zoo.animal import Animal, Check
from dosim.scenarios.zoo.registry import animals, find_animal

__all__ = ["Animal", "Check", "animals", "find_animal"]
