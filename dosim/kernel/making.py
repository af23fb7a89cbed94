"""Who is told of every simulation that is made: forks, the determinism check, the pytest plugin.

A module of its own that imports nothing, so that a test runner can watch before the rest of dosim is loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: Each is called with every simulation, when it has just been made. Whoever adds one takes it away again.
making: list[Callable[[Any], None]] = []
