"""`watching`: every simulation that is made meanwhile, its records, and the line of user code that made each.

A record that the platform makes by itself (a message arrives, a commit is confirmed) has no line: the records that
caused it may have one.
"""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import FrameType
from typing import Any, Final

from dosim.kernel.choosing import ChoosingLoop
from dosim.kernel.loop import Loop
from dosim.kernel.making import making
from dosim.trace import Trace
from dosim.trace.words import file_name

_DOSIM: Final = str(Path(__file__).parents[1]) + os.sep
#: Code that dosim ships and simulates: its lines are a user's.
_SIMULATED: Final = (f"{_DOSIM}scenarios{os.sep}", f"{_DOSIM}project{os.sep}template{os.sep}")
_STDLIB: Final = tuple(sysconfig.get_paths()[name] + os.sep for name in ("stdlib", "platstdlib"))
_INSTALLED: Final = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
#: Frames outside these belong to whoever runs the simulation, not to the event that is handled.
_EVENTS_CODE: Final = frozenset((Loop.run_slice.__code__, ChoosingLoop.run_slice.__code__))


@dataclass(frozen=True, slots=True)
class Place:
    """A line of code: its file, its number from 1, and the qualified name of the function around it."""

    file: str
    line: int
    function: str

    @property
    def source(self) -> str:
        """The line itself, "" where its file cannot be read."""
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        """The file as seen from the working directory; of a notebook only that it is a cell."""
        name = file_name(self.file)
        file = self.file.removeprefix(os.getcwd() + os.sep) if self.file.endswith(name) else name
        function = "" if self.function == "<module>" else f", in {self.function.replace('<locals>.', '')}"
        return f"{file}:{self.line}{function}"


class Witness:
    """The trace of one simulation, and where each record came from, as far as that was watched."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        #: Number of a record -> the line that made it.
        self.places: dict[int, Place] = {}
        self._text = None if trace.retention == "full" else sha256()

    @property
    def digest(self) -> str:
        """The trace's digest; where not every record is kept, a hash of those since it is watched."""
        return self.trace.digest if self._text is None else self._text.hexdigest()

    def watch(self) -> None:
        """Note the line of every record from now on."""
        self.trace.subscribe(self._see)

    def _see(self, *raw: Any) -> None:
        place = _place(sys._getframe(2))
        if place is not None:
            self.places[raw[1]] = place
        if self._text is not None:
            self._text.update(repr(raw).encode())

    def place_of(self, number: int) -> tuple[Place | None, int]:
        """The line behind a record, and the number of the record that it made: this one, or the nearest cause.

        (None, 0) when the whole chain of causes was made by the platform.
        """
        causes = {raw[1]: raw[5] for raw in self.trace.raw if raw[1] <= number}
        while number in causes:
            if number in self.places:
                return self.places[number], number
            number = causes[number]
        return None, 0


@contextmanager
def watching() -> Iterator[list[Witness]]:
    """The witnesses of the simulations that are made inside, in order, with the line of every record."""
    found: list[Witness] = []

    def watch(simulation: Any) -> None:
        witness = Witness(simulation.trace)
        witness.watch()
        found.append(witness)

    making.append(watch)
    try:
        yield found
    finally:
        making.remove(watch)


def _place(frame: FrameType | None) -> Place | None:
    """The innermost line of user code on the stack of this event; else of an installed package's."""
    installed: Place | None = None
    while frame is not None and frame.f_code not in _EVENTS_CODE:
        code = frame.f_code
        whose = _whose(code.co_filename)
        if whose == "user":
            return _placed(code.co_filename, frame.f_lineno, code.co_qualname)
        if whose == "installed" and installed is None:
            installed = _placed(code.co_filename, frame.f_lineno, code.co_qualname)
        frame = frame.f_back
    return installed


#: One for all records of a line.
_placed = cache(Place)


@cache
def _whose(file: str) -> str:
    """Whose code a file is: "user", "installed" (a package of others), or "" (dosim, the standard library, none)."""
    if file.startswith(_DOSIM):
        return "user" if file.startswith(_SIMULATED) else ""
    if any(part in file for part in _INSTALLED):
        return "installed"
    return "" if file.startswith((*_STDLIB, "<frozen ")) else "user"
