"""What one point of a sweep is, and what is measured when a scenario runs at it: in the worker, whichever that is."""

from __future__ import annotations

import random
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, fields, is_dataclass
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from inspect import isawaitable
from typing import Any, Final

from dosim.kernel.making import making
from dosim.simulation import Simulation
from dosim.trace import Trace

#: Columns that every row has besides the parameters and what was measured.
OWN: Final = ("seed", "digest", "error", "token")
_PLAIN: Final = (bool, int, float, str, type(None))
_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")
#: Two processes that hash this alike iterate over their sets alike.
_HASHED: Final = "PYTHONHASHSEED"


@dataclass(frozen=True)
class Point:
    """The arguments of one call of a scenario. seed: None for a scenario that takes none."""

    parameters: Mapping[str, Any]
    seed: int | str | None

    @property
    def arguments(self) -> dict[str, Any]:
        """As keywords, copied: a scenario that changes a list changes its own."""
        own = {name: _copied(value) for name, value in self.parameters.items()}
        return own if self.seed is None else {**own, "seed": self.seed}


@dataclass(frozen=True)
class Measured:
    """What came of a point. digest: None without a trace that keeps every record. error, traceback: "" for none."""

    values: dict[str, Any] = field(default_factory=dict)
    digest: str | None = None
    error: str = ""
    traceback: str = ""
    #: The token of a failure that `explore` found, if the error carries one.
    found: str = ""
    #: How this process hashes strings.
    hashing: int = 0


@dataclass(frozen=True)
class Measuring:
    """Runs a scenario at points, and never raises what it raises."""

    scenario: Callable[..., Any]

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        return self.scenario

    def __call__(self, point: Point) -> Measured:
        """What is measured at a point; its simulations print nothing."""
        traces: list[Trace] = []
        values: dict[str, Any] = {}
        error = told = found = ""
        with watched(traces, silent=True), seeded(point.seed):
            try:
                values = measurements(self.scenario(**point.arguments), point.parameters)
            except (KeyboardInterrupt, GeneratorExit):
                raise
            except BaseException as failure:  # SystemExit as well: a point fails, the sweep goes on
                error = f"{type(failure).__name__}: {_ADDRESS.sub('', str(failure))}".removesuffix(": ")
                told, found = "".join(traceback.format_exception(failure)), token_of(failure)
        return Measured(values, digest_of(traces), error, told, found, hash(_HASHED))


@contextmanager
def watched(traces: list[Trace], *, silent: bool) -> Iterator[None]:
    """Collect the trace of every simulation that is made; silent: what their code prints is not shown."""

    def watch(made: Simulation) -> None:
        traces.append(made.trace)
        if silent:
            made.world.show_output = False

    making.append(watch)
    try:
        yield
    finally:
        making.remove(watch)


@contextmanager
def seeded(seed: int | str | None) -> Iterator[None]:
    """The module `random`, outside of simulations, follows from the seed, and is afterwards as it was."""
    before = random.getstate()
    random.seed(f"sweep {seed!r}")
    try:
        yield
    finally:
        random.setstate(before)


def digest_of(traces: list[Trace]) -> str | None:
    """The digest of a trace, or one of the digests of several; None without any, or where records are not kept."""
    if not traces or any(trace.retention != "full" for trace in traces):
        return None
    digests = [trace.digest for trace in traces]
    return digests[0] if len(digests) == 1 else sha256("\n".join(digests).encode()).hexdigest()


def token_of(failure: BaseException) -> str:
    """The token that an error, or what caused it, carries; "" for none."""
    seen: set[int] = set()
    error: BaseException | None = failure
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(token := getattr(error, "token", None), str):
            return token
        error = error.__cause__ or error.__context__
    return ""


# -- measurements


def measurements(returned: object, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What a scenario returned, by name. Raises TypeError for what is no measurement, with the fix."""
    if isawaitable(returned):
        close = getattr(returned, "close", None)
        if close is not None:
            close()
        raise TypeError("the scenario returned something to await: let it run it, `return sim.run(...)`.")
    values = {name: plain(name, value) for name, value in _named(returned).items()}
    for name in [*values]:
        if name in OWN:
            raise TypeError(f"the scenario measured {name!r}, which is a column of every row: give it another name.")
        if name in parameters:
            if values[name] != parameters[name]:
                raise TypeError(f"the scenario measured {name!r}, and that is a parameter: give it another name.")
            del values[name]
    return values


def _named(returned: object) -> dict[Any, Any]:
    if returned is None:
        return {}
    if isinstance(returned, Simulation):
        return of_simulation(returned)
    if isinstance(returned, Mapping):
        return dict(returned)
    if is_dataclass(returned) and not isinstance(returned, type):
        return {each.name: getattr(returned, each.name) for each in fields(returned)}
    if isinstance(returned, tuple) and hasattr(returned, "_asdict"):
        named: dict[Any, Any] = returned._asdict()
        return named
    if isinstance(returned, (int, float, Decimal, Fraction)) or hasattr(returned, "item"):
        return {"value": returned}
    raise TypeError(
        f"the scenario returned {type(returned).__name__}: let it return a dict of measurements, a number, a dataclass,"
        " or its Simulation for the usual ones."
    )


def of_simulation(sim: Simulation) -> dict[str, Any]:
    """The usual measurements: requests from outside, their latency, the cost at list prices, and the virtual time.

    Requests and latencies are known where every record is kept (retention="full"), else left out.
    """
    measured: dict[str, Any] = {}
    if sim.trace.retention == "full":
        from dosim.views import read_latencies

        latencies = read_latencies(sim)
        measured = {"requests": len(latencies) + latencies.open, "answered": len(latencies)}
        for percent in (50, 99):
            us = latencies.percentile_us(percent)
            measured[f"latency_p{percent}_ms"] = None if us is None else us / 1_000
    return {**measured, "cost_usd": float(sim.bill().usd), "virtual_s": sim.world.loop.time_us() / 1e6}


def plain(name: object, value: Any) -> Any:
    """A measurement as a plain value, the same in every process. Raises TypeError for what is none."""
    if not isinstance(name, str):
        raise TypeError(f"the scenario measured {name!r}, and a measurement's name is a text.")
    if type(value) in _PLAIN:
        return value
    if isinstance(value, (Decimal, Fraction)):
        return float(value)
    if isinstance(value, (list, tuple)):
        return [plain(name, each) for each in value]
    if hasattr(value, "item") and not getattr(value, "shape", ()):  # a number of numpy's
        return plain(name, value.item())
    for kind in (bool, int, float, str):
        if isinstance(value, kind):  # an enumeration, say
            return kind(value)
    raise TypeError(
        f"the scenario measured {name}={said(value)}, a {type(value).__name__}: give numbers, texts, True, False, None,"
        " or lists of them."
    )


def said(value: object) -> str:
    """A value as text that is the same in every process: classes and functions by name, no memory address."""
    name = getattr(value, "__qualname__", None)
    return name if isinstance(name, str) else _ADDRESS.sub("", repr(value))


def cell(value: object) -> object:
    """A value for a table: plain ones as they are, all others as text."""
    return value if type(value) in _PLAIN else said(value)


def _copied(value: Any) -> Any:
    try:
        return deepcopy(value)
    except Exception:  # a module, a lock: shared, as it would be without us
        return value
