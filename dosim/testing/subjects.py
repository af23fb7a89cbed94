"""What is explored: a function that makes a world, drives it, and raises when a promise was broken; and its runs."""

from __future__ import annotations

import inspect
import linecache
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import SkipTest

from dosim.kernel.chooser import FAULTS, KIND_OF, OPEN_ORDERS, ORDERS, Chooser, Schedule, exploring
from dosim.kernel.choosing import Endless
from dosim.kernel.making import making
from dosim.testing.marks import counting
from dosim.trace.words import counted, cut, file_name

if TYPE_CHECKING:
    from dosim.simulation import Simulation

#: Every fault there is, and every order that can be open.
EVERY_FAULT = tuple(KIND_OF)
EVERY_ORDER = tuple(ORDERS)


class BadTest(Exception):
    """The test itself cannot be explored: it fails without any deviation, differs from run to run, never ends."""


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings: a fault leaves calls that nobody awaits, run after run. Around what drops the runs, too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def checked_faults(faults: object) -> tuple[str, ...]:
    """Kinds of faults as they are given: names, or "all". Raises ValueError or TypeError."""
    return _checked("faults", faults, EVERY_FAULT)


def checked_orders(orders: object) -> tuple[str, ...]:
    """Kinds of orders as they are given: names, "all", or None for those that the platform leaves open."""
    return OPEN_ORDERS if orders is None else _checked("orders", orders, EVERY_ORDER)


def _checked(argument: str, given: Any, known: Sequence[str]) -> tuple[str, ...]:
    if given == "all":
        return tuple(known)
    if isinstance(given, str):
        given = [name.strip() for name in given.split(",") if name.strip()]
    if given is not None and not isinstance(given, (list, tuple, set, frozenset)):
        raise TypeError(f"{argument}={given!r} are no names: use {', '.join(known)}, or 'all'.")
    names = tuple(given or ())
    for name in names:
        if name not in known:
            raise ValueError(f"{argument} has {name!r}, which is none: use {', '.join(known)}, or 'all'.")
    return names


@dataclass
class Outcome:
    """One run: what it raised, and what it made. `where` is the line of the test, or the code, that raised."""

    error: BaseException | None
    chooser: Chooser
    simulations: list[Simulation]
    marks: dict[str, bool] = field(default_factory=dict)
    where: str = ""
    #: `hypothesis.assume` said that this run does not count.
    rejected: bool = False

    @property
    def schedule(self) -> Schedule:
        return self.chooser.taken

    @property
    def signature(self) -> tuple[str, str]:
        """Two failures with the same are the same bug: the error's class (an invariant's name) and its line."""
        error = self.error
        name = getattr(error, "invariant", None) or type(error).__name__
        return (str(name), self.where) if error is not None else ("", "")

    @property
    def digest(self) -> str:
        """Of all its traces; of one that keeps no records, how many there were."""
        traces = [simulation.trace for simulation in self.simulations]
        return "+".join(
            trace.digest if trace.retention == "full" else f"{trace.count} records until {simulation.world.loop.now_us}"
            for simulation, trace in zip(self.simulations, traces, strict=True)
        )


class Subject:
    """A test to explore: `function()` makes its simulations itself, and they are decided by the run's chooser."""

    def __init__(
        self,
        function: Callable[[], object],
        *,
        name: str,
        reference: str = "",
        faults: Sequence[str] = (),
        orders: Sequence[str] | None = None,
        code: Any = None,
        needs: Sequence[str] = (),
    ) -> None:
        self._function = function
        self.name = name
        #: Where another process finds it, PATH::name or module::name; "": nowhere.
        self.reference = reference
        self.faults = checked_faults(faults)
        self.orders = checked_orders(orders)
        #: The function whose source a token answers for.
        self.code = code or function
        #: Arguments that only pytest or Hypothesis can give; a test that has some cannot be explored.
        self.needs = tuple(needs)

    @classmethod
    def of(cls, test: Any) -> Subject:
        """What `explore` was given. Raises TypeError that says what it takes."""
        if isinstance(test, Subject):
            return test
        made = getattr(test, "subject", None)
        if isinstance(made, Subject):
            if made.needs:
                raise TypeError(
                    f"{made.name} takes {', '.join(made.needs)} beside sim, which pytest or Hypothesis gives: explore"
                    " has no value for it. Give it a default, or explore a function that calls it."
                )
            return made
        if not callable(test) or isinstance(test, type):
            raise TypeError(f"test={test!r} cannot be explored: give a function, or what @simulated made of one.")
        if inspect.iscoroutinefunction(test):
            raise TypeError(
                f"{_name(test)} is a coroutine function, which needs a simulation to run in: decorate it,"
                " @simulated(..., durable_objects={...}), and let it take `sim`."
            )
        needed = [p.name for p in inspect.signature(test).parameters.values() if p.default is p.empty and _counts(p)]
        if needed:
            raise TypeError(
                f"{_name(test)} takes {', '.join(needed)}: explore calls a function without arguments that makes its"
                " own Simulation, or what @simulated(...) made of one that takes `sim`."
            )
        return cls(test, name=_name(test), reference=reference_of(test))

    def with_function(self, function: Callable[[], object]) -> Subject:
        """The same test, called so."""
        twin = copy(self)
        twin._function = function
        return twin

    def run(self, chooser: Chooser) -> Outcome:
        """Run it once, decided by this chooser."""
        made: list[Simulation] = []
        exploring.append(chooser)
        making.append(made.append)
        try:
            with counting() as marks, quiet():
                error = self._error()
        finally:
            making.remove(made.append)
            exploring.remove(chooser)
        if isinstance(error, Endless):
            error.args = (f"{error}{_busiest(made)}",)
        if type(error).__name__ == "UnsatisfiedAssumption":
            return Outcome(None, chooser, made, marks, rejected=True)
        return Outcome(error, chooser, made, marks, where_of(error))

    def _error(self) -> BaseException | None:
        try:
            self._function()
        except (BadTest, SkipTest):
            raise
        except Exception as error:
            return error
        except BaseException as error:
            if isinstance(error, _failed_in_pytest()):
                return error
            raise
        return None

    def __repr__(self) -> str:
        return f"<{self.name}>"


def _counts(parameter: inspect.Parameter) -> bool:
    return parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)


def _name(test: Any) -> str:
    return getattr(test, "__qualname__", None) or repr(test)


def reference_of(test: Any) -> str:
    """Where another process finds a function: PATH::name as seen from here; "" for what has no file and name."""
    name = getattr(test, "__qualname__", "<lambda>")
    file = getattr(getattr(inspect.unwrap(test), "__code__", None), "co_filename", "")
    path = Path(file)
    if "<" in name or not path.is_file() or "ipykernel" in file:
        return ""
    here = Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    return f"{shown.as_posix()}::{name}"


def where_of(error: BaseException | None) -> str:
    """The innermost line of somebody else's code in an error's traceback: file, line, what is written there."""
    found = _their_frame(error)
    if found is None:
        return ""
    frame, line = found
    file = frame.f_code.co_filename
    return f"{file_name(file)}:{line} ({linecache.getline(file, line).strip()})"


def values_at(error: BaseException | None) -> str:
    """The plain values that the names on that line had: "n = 3, got = 1"."""
    found = _their_frame(error)
    if found is None:
        return ""
    frame, line = found
    names = dict.fromkeys(_NAME.findall(linecache.getline(frame.f_code.co_filename, line)))
    shown = {name: frame.f_locals[name] for name in names if name in frame.f_locals}
    plain = [f"{name} = {cut(repr(value), _LONGEST)}" for name, value in shown.items() if _is_plain(value)]
    return ", ".join(plain)


def _their_frame(error: BaseException | None) -> tuple[Any, int] | None:
    frames = [] if error is None else list(traceback.walk_tb(error.__traceback__))
    theirs = [(frame, line) for frame, line in frames if not _is_ours(frame.f_code.co_filename)]
    return theirs[-1] if theirs else None


def _is_plain(value: object) -> bool:
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(_is_plain(key) and _is_plain(item) for key, item in value.items())
    return value is None or isinstance(value, (bool, int, float, str, bytes))


_NAME = re.compile(r"[^\W\d]\w*")
#: Letters of a value that are shown.
_LONGEST = 80
_DOSIM = f"{Path(__file__).parents[1]}{os.sep}"
_SCENARIOS = f"{_DOSIM}scenarios{os.sep}"
_PYTHON = f"{Path(traceback.__file__).parent}{os.sep}"
_PACKAGES = f"{os.sep}site-packages{os.sep}"


def _is_ours(file: str) -> bool:
    """Whether a file is dosim's or Python's; dosim's scenarios are users, and so is what is installed."""
    if file.startswith(_DOSIM):
        return not file.startswith(_SCENARIOS)
    return file.startswith("<") or (file.startswith(_PYTHON) and _PACKAGES not in file)


def _failed_in_pytest() -> tuple[type[BaseException], ...]:
    """What `pytest.fail` raises, which is no Exception; () where pytest is not in use."""
    outcomes: Any = sys.modules.get("_pytest.outcomes")
    return () if outcomes is None else (outcomes.Failed,)


def _busiest(made: Sequence[Simulation]) -> str:
    """Who made the most records in the last simulation, as a sentence to add."""
    counts: dict[str, int] = {}
    for raw in made[-1].trace.raw if made else ():
        counts[raw[3]] = counts.get(raw[3], 0) + 1
    if not counts:
        return ""
    actor = max(counts, key=lambda name: counts[name])
    return f" The busiest is {actor}: {counted(counts[actor], 'record')} of {sum(counts.values()):,} are its."


#: Fault or order -> the kind of decision, and the choices it stands for.
def allowed(faults: Sequence[str], orders: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Kind of decision -> the choices that may be explored, beside the plain one; of an order by place: ()."""
    open_to: dict[str, tuple[int, ...]] = {}
    for order in orders:
        open_to[order] = tuple(range(1, len(ORDERS[order]) + 1))
    for kind, names in FAULTS.items():
        choices = tuple(number for number, name in enumerate(names, 1) if name in faults)
        if choices:
            open_to[kind] = choices
    return open_to
