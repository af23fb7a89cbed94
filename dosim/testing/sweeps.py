"""`sweep`: a scenario at every point of a grid, with several seeds, here or on many machines: rows to count with."""

from __future__ import annotations

import csv
import inspect
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from warnings import warn

from dosim.testing.executors import check_executor
from dosim.testing.measuring import OWN, Measured, Measuring, Point, cell, digest_of, said, seeded, watched
from dosim.testing.points import WorkerDied, run_points
from dosim.testing.progress import progress_bar
from dosim.trace.tables import html_table
from dosim.trace.words import counted, cut

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dosim.trace import Trace

#: Rows that a notebook shows.
_SHOWN: Final = 40


class PointFailed(RuntimeError):
    """A point of a sweep with on_error="raise" failed. `token` is the call that fails again."""

    def __init__(self, text: str, token: str) -> None:
        super().__init__(text)
        self.token = token

    def __reduce__(self) -> tuple[type[PointFailed], tuple[str, str]]:
        return PointFailed, (str(self), self.token)


def sweep(
    scenario: Callable[..., Any],
    grid: Mapping[str, Iterable[Any]] | Iterable[Mapping[str, Any]],
    seeds: int | Iterable[int | str] = 1,
    executor: Executor | None = None,
    *,
    progress: bool = True,
    chunk: int | None = None,
    on_error: str = "keep",
) -> Sweep:
    """Run a scenario at every point of a grid and return a table: `Sweep`.

    scenario: a function that takes the grid's parameters, and `seed` if it names it; it makes a Simulation, runs it,
    and returns a dict of measurements, a number, a dataclass, or the Simulation for the usual measurements.
    grid: name -> values, for every combination (the last name varies fastest), or a list of dicts, one a point.
    seeds: how many (0, 1, …), or which. executor: None runs here; a ProcessPoolExecutor uses the cores, and
    `dask.distributed.Client.get_executor()` a cluster. The rows and digests are the same, in the same order.
    progress: a bar of tqdm's in a terminal or notebook. chunk: points sent to a worker at once (1): more for points
    that take less than a millisecond. on_error: "keep" makes a failing point a row with its error, "raise" stops there.

    The scenario must follow from its arguments: the module `random` is seeded for it; numpy's generators, the real
    clock and files are not. A set of strings iterates in an order that PYTHONHASHSEED decides: workers that do not
    share it are told of above the table. A worker that dies costs time only: its points run again.
    Raises ValueError or TypeError that name the argument, before anything runs; PointFailed.
    """
    points, columns = _points(scenario, grid, seeds)
    if on_error not in ("keep", "raise"):
        raise ValueError(f'on_error={on_error!r} is not known: use "keep" or "raise".')
    check_executor(executor)
    measured: list[Measured] = []
    with progress_bar("sweep", len(points), "point", wanted=progress) as bar:
        results = run_points(
            Measuring(scenario), points, executor, progress=bar, chunk=1 if chunk is None else chunk, what="scenario"
        )
        with closing(results):  # type: ignore[type-var]
            for point, result in zip(points, results, strict=True):
                one = Measured(error=f"WorkerDied: {result}") if isinstance(result, WorkerDied) else result
                if one.error and on_error == "raise":
                    raise _failed(scenario, point, one)
                measured.append(one)
    return Sweep(scenario, columns, points, measured)


class Sweep:
    """What a sweep measured: `rows`, a dict each, in the order of the grid; it shows itself as a table.

    A row has the parameters, `seed`, the measurements (None where it failed), `digest` (of its simulations' traces;
    None where one does not keep every record), `error` ("" for none) and `token`, the call that runs it again.
    """

    def __init__(
        self,
        scenario: Callable[..., Any],
        columns: Sequence[str],
        points: Sequence[Point],
        measured: Sequence[Measured],
    ) -> None:
        self.scenario = scenario
        self.parameters = tuple(columns)
        self.measurements = tuple(dict.fromkeys(name for one in measured for name in one.values))
        self._points = points
        self._measured = measured
        self.rows: list[dict[str, Any]] = [self._row(*each) for each in zip(points, measured, strict=True)]

    def _row(self, point: Point, one: Measured) -> dict[str, Any]:
        return {
            **{name: point.parameters.get(name) for name in self.parameters},
            "seed": point.seed,
            **{name: one.values.get(name) for name in self.measurements},
            "digest": one.digest,
            "error": one.error,
            "token": _token(self.scenario, point, one.found),
        }

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    @property
    def failures(self) -> list[dict[str, Any]]:
        """The rows with an error."""
        return [row for row in self.rows if row["error"]]

    def replay(self, row: int | Mapping[str, Any]) -> Any:
        """Run a row's point again, here: returns what the scenario returns, or raises what it raises.

        row: one of `rows`, or its number. Warns when another trace comes out: then the scenario depends on more than
        its arguments. Raises ValueError for another row, RuntimeError where it would kill this process, or where what
        failed does not fail again.
        """
        number = self._number(row)
        point, before = self._points[number], self._measured[number]
        token = self.rows[number]["token"]
        if before.error.startswith("WorkerDied:"):
            raise RuntimeError(
                f"this point killed its process: run it in one of its own, python -c {shlex.quote(str(token))}"
            )
        traces: list[Trace] = []
        with watched(traces, silent=False), seeded(point.seed):
            result = self.scenario(**point.arguments)
        if before.error:
            raise RuntimeError(
                f"the point failed in the sweep ({before.error}) and does not fail here: {_depends(before)}"
            )
        if digest_of(traces) != before.digest:
            warn(f"the point made another trace in the sweep: {_depends(before)}", RuntimeWarning, stacklevel=2)
        return result

    def _number(self, row: int | Mapping[str, Any]) -> int:
        if isinstance(row, int) and not isinstance(row, bool):
            if not -len(self.rows) <= row < len(self.rows):
                raise ValueError(f"row={row}: there are {counted(len(self.rows), 'row')}, from 0 on.")
            return row % len(self.rows)
        for number, known in enumerate(self.rows):
            if row is known:
                return number
        raise ValueError("row= is none of this sweep's: give one of its rows or failures, or a row's number.")

    # -- for others

    def to_dataframe(self, library: str | None = None) -> Any:
        """The rows as a DataFrame of pandas, or of polars if pandas is not installed; `library` chooses.

        Classes, functions and other values that are not plain are there as text. Raises ImportError when neither is
        installed, ValueError for another library.
        """
        from dosim.export.frames import frame_of

        return frame_of(self._cells(), library, "sweep.rows")

    def to_pandas(self) -> Any:
        """`to_dataframe("pandas")`."""
        return self.to_dataframe("pandas")

    def to_polars(self) -> Any:
        """`to_dataframe("polars")`."""
        return self.to_dataframe("polars")

    def save(self, path: str | Path) -> None:
        """Write the rows as CSV, with a line of names. Raises OSError that names the path."""
        with Path(path).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [*self._columns], lineterminator="\n")
            writer.writeheader()
            writer.writerows(self._cells())

    def plot(
        self,
        x: str,
        y: str,
        *,
        by: str | None = None,
        log: bool = False,
        width: float = 8.0,
        dark: bool = False,
        title: str = "",
    ) -> Figure:
        """A Figure of a measurement over a parameter: the median, and a band from the least to the greatest.

        x: a parameter. y: a measurement. by: a parameter with a line for each of its values. log: a logarithmic axis
        for y. What else varies, the seed as well, is in the band. Raises ValueError or TypeError by name.
        """
        from dosim.testing.sweep_figures import sweep_figure

        return sweep_figure(self, x, y, by, log=log, width=width, dark=dark, title=title)

    @property
    def _columns(self) -> tuple[str, ...]:
        return (*self.parameters, "seed", *self.measurements, *OWN[1:])

    def _cells(self) -> list[dict[str, object]]:
        return [{name: cell(value) for name, value in row.items()} for row in self.rows]

    @property
    def remarks(self) -> list[str]:
        """What is to know of the table: its size, what failed, and whether the workers hashed strings alike."""
        points = len(self.rows)
        told = [f"{counted(points, 'run')}."]
        if self.failures:
            told.append(f"{len(self.failures)} failed: sweep.failures, and sweep.replay(row) runs one again.")
        orders = {one.hashing for one in self._measured if one.hashing}
        if len(orders) > 1:
            told.append(
                f"The workers hash strings in {len(orders)} ways, so a scenario that iterates over a set of strings may"
                " give other rows next time: set PYTHONHASHSEED, to 111 as on the platform, before Python starts."
            )
        return told

    def __repr__(self) -> str:
        names = ", ".join((*self.parameters, *self.measurements))
        failed = f", {len(self.failures)} failed" if self.failures else ""
        return f"<Sweep: {counted(len(self.rows), 'run')} of {names or 'no parameters'}{failed}>"

    def _repr_html_(self) -> str:
        columns = [name for name in self._columns if name != "token" and (name != "error" or self.failures)]
        rows = [[_shown(name, row[name]) for name in columns] for row in self.rows[:_SHOWN]]
        more = [f"The first {_SHOWN} are shown."] if len(self.rows) > _SHOWN else []
        return html_table(columns, rows, " ".join([*self.remarks, *more]))


# -- points


def _points(scenario: object, grid: object, seeds: object) -> tuple[list[Point], list[str]]:
    """The points in order, and the parameters' names. Raises ValueError or TypeError that name the argument."""
    if not callable(scenario):
        raise TypeError(f"scenario={scenario!r} cannot be called: give a function of the grid's parameters.")
    if inspect.iscoroutinefunction(scenario):
        raise TypeError(
            f"scenario={said(scenario)} is asynchronous: give a plain function, where `sim.run(...)` runs coroutines."
        )
    chosen = _combinations(grid)
    signature = inspect.signature(scenario)
    seeded = "seed" in signature.parameters
    several = _seeds(seeds)
    if len(several) > 1 and not seeded:
        raise ValueError(
            f"seeds={seeds!r}, but {said(scenario)} takes no seed, so all its rows would be alike: give it a parameter"
            " `seed`, for Simulation(seed=seed)."
        )
    for parameters in chosen:
        _check_parameters(scenario, signature, parameters, seeded)
    columns = list(dict.fromkeys(name for parameters in chosen for name in parameters))
    usual = {
        name: known.default
        for name in columns
        if (known := signature.parameters.get(name)) is not None and known.default is not known.empty
    }
    points = [Point({**usual, **parameters}, seed if seeded else None) for parameters in chosen for seed in several]
    return points, columns


def _combinations(grid: object) -> list[Mapping[str, Any]]:
    if isinstance(grid, Mapping):
        values = {name: _values(name, each) for name, each in grid.items()}
        return [dict(zip(values, each, strict=True)) for each in product(*values.values())]
    if isinstance(grid, (str, bytes)) or not isinstance(grid, Iterable):
        raise TypeError(f"grid={grid!r} is no grid: give a dict of lists, {{'shards': [1, 2]}}, or a list of dicts.")
    points = list(grid)
    for point in points:
        if not isinstance(point, Mapping):
            raise TypeError(f"grid: {point!r} is no point: give a list of dicts, [{{'shards': 1}}, {{'shards': 2}}].")
    if not points:
        raise ValueError("grid: the list has no points.")
    return points


def _values(name: str, values: object) -> list[Any]:
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise TypeError(f"grid: {name}={said(values)} is no list of values: write {name}=[{said(values)}], say.")
    if isinstance(values, (set, frozenset)):
        raise TypeError(f"grid: {name} is a set, which has no order: give a list, sorted(...).")
    listed = list(values)
    if not listed:
        raise ValueError(f"grid: {name} has no values, so there are no points.")
    return listed


def _seeds(seeds: object) -> list[int | str]:
    if isinstance(seeds, (bool, str, bytes)) or not isinstance(seeds, (int, Iterable)):
        raise TypeError(f"seeds={seeds!r}: give how many, or a list of them.")
    if isinstance(seeds, (set, frozenset)):
        raise TypeError("seeds is a set, which has no order: give a list, sorted(...).")
    several: list[Any] = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    if not several:
        raise ValueError(f"seeds={seeds!r} are none, so nothing would run: give 1 or more.")
    for seed in several:
        if isinstance(seed, bool) or not isinstance(seed, (int, str)):
            raise TypeError(f"seeds: {seed!r} is no seed: give whole numbers or texts.")
    return several


def _check_parameters(
    scenario: object, signature: inspect.Signature, parameters: Mapping[str, Any], seeded: bool
) -> None:
    for name in parameters:
        if name in OWN:
            told = ": give it as seeds=" if name == "seed" else ", which is a column of every row: rename it"
            raise ValueError(f"grid: {name!r} cannot be a parameter of it{told}.")
    try:
        signature.bind(**parameters, **({"seed": 0} if seeded else {}))
    except TypeError as error:
        raise TypeError(f"grid: {said(scenario)}{signature} cannot be called with a point of it: {error}.") from None


# -- words


def _token(scenario: object, point: Point, found: str) -> str:
    """The call as text, to be pasted; with the token of what `explore` found, if any."""
    name, module = said(scenario), getattr(scenario, "__module__", "__main__")
    outer = name.partition(".")[0]
    given = {**point.parameters, **({} if point.seed is None else {"seed": point.seed})}
    call = f"{name}({', '.join(f'{key}={said(value)}' for key, value in given.items())})"
    reached = module != "__main__" and outer.isidentifier() and "<locals>" not in name
    call = f"from {module} import {outer}; {call}" if reached else call
    return f"{call}  # dosim replay {shlex.quote(found)}" if found else call


def _failed(scenario: object, point: Point, one: Measured) -> PointFailed:
    token = _token(scenario, point, one.found)
    failed = PointFailed(f"{one.error}\nreplay: {token}", token)
    if one.traceback:
        failed.add_note(one.traceback.rstrip())
    return failed


def _depends(before: Measured) -> str:
    here = hash("PYTHONHASHSEED")
    why = "the module's state, a file, the real clock, numpy's generators"
    if before.hashing not in (0, here):
        why = f"the order of a set (the worker hashed strings differently: set PYTHONHASHSEED, and start anew), {why}"
    return f"it depends on more than its arguments, such as {why}."


def _shown(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if name == "digest":
        return str(value)[:12]
    return cut(str(cell(value)).partition("\n")[0], 80)
