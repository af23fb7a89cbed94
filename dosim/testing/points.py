"""`run_points`: one function of many points, here or by any executor; results come in the order of the points.

A worker that dies takes its points along. They are run again in a fresh pool: first with the others, then, if that
breaks too, each alone, so that whoever kills its worker is known. After `TRIES` times its result is `WorkerDied`.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Protocol, TypeVar

from dosim.testing.executors import ONE_AT_A_TIME, Crew, died

#: A point that was under way each of so many times when its worker died, the last time alone, is not run again.
TRIES: Final = 3
#: So many results, in windows, may wait for an earlier one.
_AHEAD: Final = 16

P = TypeVar("P")
R = TypeVar("R")


class Progress(Protocol):
    """What is told of points that are done, as tqdm's bars are."""

    def update(self, n: int, /) -> object: ...


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """The result of a point whose worker died every time that it ran there."""

    times: int

    def __str__(self) -> str:
        return f"the worker process that ran it died each time, {self.times} times"


def run_points(
    function: Callable[[P], R],
    points: Iterable[P],
    executor: Executor | None = None,
    *,
    progress: Progress | None = None,
    chunk: int = 1,
    what: str = "function",
) -> Iterator[R | WorkerDied]:
    """`function(point)` of each point, in order. Close the iterator to stop early: what has not begun never does.

    points may be endless: only a few are taken ahead. executor: None (here, one after the other), or any Executor but
    threads. progress: its `update(n)` is called in this thread for points that are done. chunk: so many points go to a
    worker at once. what: the argument that errors name.
    What the function raises is raised here, and ends it. Raises TypeError, at once, for an executor that cannot be, and
    a function that cannot be sent to it.
    """
    if isinstance(chunk, bool) or not isinstance(chunk, int):
        raise TypeError(f"chunk={chunk!r} is no number of points: give 1 or more.")
    if chunk < 1:
        raise ValueError(f"chunk={chunk}: a worker needs at least one point at a time.")
    if executor is None:
        return _here(function, points, progress)
    most = -(-len(points) // chunk) if isinstance(points, Sized) else None
    return _Line(Crew(executor, function, what, most), iter(points), progress, chunk).results()


def _here(function: Callable[[P], R], points: Iterable[P], progress: Progress | None) -> Iterator[R]:
    for point in points:
        with ONE_AT_A_TIME:
            result = function(point)
        if progress is not None:
            progress.update(1)
        yield result


class _Batch:
    """Points that go to a worker together."""

    future: Future[bytes]

    def __init__(self, points: list[Any], packed: bytes) -> None:
        self.points = points
        self.packed = packed
        self.results: list[Any] | None = None
        #: What the function raised after them.
        self.error: BaseException | None = None
        #: How often its worker died, and whether it has to be given away anew.
        self.losses = 0
        self.lost = False


class _Line:
    """The batches that are under way, or done and not yet handed out, in order."""

    def __init__(self, crew: Crew, points: Iterator[Any], progress: Progress | None, chunk: int) -> None:
        self.crew = crew
        self.points = points
        self.progress = progress
        self.chunk = chunk
        self.line: deque[_Batch] = deque()
        #: Has a worker died since the executor was made?
        self.stale = False

    def results(self) -> Iterator[Any]:
        try:
            while True:
                self._fill()
                if not self.line:
                    return
                first = self.line[0]
                if first.results is None:
                    self._wait()
                    continue
                self.line.popleft()
                yield from first.results
                if first.error is not None:
                    raise first.error
        finally:
            for batch in self.line:
                batch.future.cancel()
            self.crew.close()

    def _open(self) -> list[_Batch]:
        return [batch for batch in self.line if batch.results is None]

    def _fill(self) -> None:
        room = min(self.crew.window - len(self._open()), _AHEAD * self.crew.window - len(self.line))
        for _ in range(room):
            points = list(islice(self.points, self.chunk))
            if not points:
                return
            batch = _Batch(points, self.crew.pack(points))
            self._submit(batch)
            self.line.append(batch)

    def _wait(self) -> None:
        """Until something is done, or lost."""
        self.crew.settle([batch.future for batch in self._open()], FIRST_COMPLETED)
        taken = [self._take(batch) for batch in self._open() if batch.future.done()]
        if not all(taken):
            self._recover()

    def _take(self, batch: _Batch) -> bool:
        """Take what has come of a batch; False when its worker died."""
        results, error = _outcome(batch.future)
        if error is not None and died(error):
            batch.losses += _losses(error)
            batch.lost = True
            return False
        batch.error = error
        self._done(batch, results)
        return True

    def _done(self, batch: _Batch, results: list[Any]) -> None:
        batch.results = results
        if self.progress is not None:
            self.progress.update(len(results))

    def _recover(self) -> None:
        """A worker died: run again what had no result."""
        rest = [batch for batch in self._open() if not batch.lost]
        self.crew.settle([batch.future for batch in rest])  # of a broken pool all are lost at once; dask's others go on
        for batch in rest:
            self._take(batch)
        suspects = [batch for batch in self._open() if batch.losses >= TRIES - 1]
        if suspects:
            self.crew.renew(workers=1)
        for batch in suspects:
            self._done(batch, [self._alone(point, batch.losses) for point in batch.points])
        self.stale = True
        for batch in self._open():
            batch.lost = False
            self._submit(batch)

    def _submit(self, batch: _Batch) -> None:
        if self.stale:
            self.crew.renew()
            self.stale = False
        batch.future = self.crew.submit(batch.packed)

    def _alone(self, point: Any, losses: int) -> Any:
        """The result of a point while nothing else is under way: if the worker dies now, nobody else can be why."""
        packed = self.crew.pack([point])
        while losses < TRIES:
            future = self.crew.submit(packed)
            self.crew.settle([future])
            results, error = _outcome(future)
            if error is None:
                return results[0]
            if not died(error):
                raise error
            losses += _losses(error)
            self.crew.renew(workers=1)
        return WorkerDied(losses)


def _outcome(future: Future[bytes]) -> tuple[list[Any], BaseException | None]:
    """A future's results, and the error that ended them, if any: the function's, or that its worker died."""
    try:
        error = future.exception()
    except CancelledError:
        return [], RuntimeError("the executor dropped work that it had taken: was it, or its cluster, closed?")
    if error is not None:
        return [], error
    outcome: tuple[list[Any], BaseException | None] = pickle.loads(future.result())
    return outcome


def _losses(error: BaseException) -> int:
    """How often a worker died: dask has tried several times before it says so."""
    return TRIES - 1 if type(error).__name__ == "KilledWorker" else 1
