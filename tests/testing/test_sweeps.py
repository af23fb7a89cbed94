"""Sweeps: the same rows whoever runs them, errors that keep their token, workers that die."""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from dosim import Simulation
from dosim.testing import points as points_module
from dosim.testing.exploring import explore
from dosim.testing.points import WorkerDied, run_points
from dosim.testing.progress import progress_bar
from dosim.testing.sweeps import PointFailed, Sweep, sweep
from tests.testing import designs

LOADS = {"load": [0.2, 0.5, 0.9]}


def processes(workers: int = 2) -> ProcessPoolExecutor:
    """A pool whose workers start from nothing: what a test process has in memory is not there."""
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with processes() as executor:
        yield executor


class Elsewhere(Executor):
    """An executor of somebody else's, which breaks after so many pieces of work."""

    def __init__(self, pieces: int) -> None:
        self.left = pieces

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.left -= 1
        if self.left < 0:
            future.set_exception(BrokenExecutor("the cluster is gone"))
            return future
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Bar:
    def __init__(self) -> None:
        self.done = 0

    def update(self, n: int, /) -> None:
        self.done += n


# -- rows


def test_a_row_has_parameters_seed_measurements_digest_error_and_token() -> None:
    """Rows come in the order of the grid, the seed fastest, each with the digest of its own simulation."""
    swept = sweep(designs.waits, {"load": [0.5]}, seeds=[3, 4])
    sim = designs.queue(0.5, seed=4)

    assert [3, 4] == [row["seed"] for row in swept.rows]
    assert ["load", "seed", "mean_ms", "objects", "digest", "error", "token"] == list(swept.rows[1])
    assert (0.5, 1, sim.trace.digest, "") == tuple(
        swept.rows[1][name] for name in ("load", "objects", "digest", "error")
    )
    assert "from tests.testing.designs import waits; waits(load=0.5, seed=4)" == swept.rows[1]["token"]
    assert "<Sweep: 2 runs of load, mean_ms, objects>" == repr(swept)


def test_every_combination_runs_and_the_last_name_varies_fastest() -> None:
    """A dict of lists is their product."""
    swept = sweep(lambda a, b: a * b, {"a": [1, 2], "b": (3, 4)})

    assert [(1, 3, 3), (1, 4, 4), (2, 3, 6), (2, 4, 8)] == [(row["a"], row["b"], row["value"]) for row in swept]


def test_a_list_of_dicts_is_a_list_of_points_and_what_one_leaves_out_has_its_default() -> None:
    """Points need not be a whole grid."""
    swept = sweep(lambda a, b=7: a * b, [{"a": 1}, {"b": 2, "a": 3}])

    assert [(1, 7, 7), (3, 2, 6)] == [(row["a"], row["b"], row["value"]) for row in swept]


def test_a_simulation_that_is_returned_is_measured() -> None:
    """The usual measurements agree with what the simulation says of itself."""
    sim = designs.queue(0.5)
    [row] = sweep(designs.queue, {"load": [0.5]}).rows

    assert (12, 12) == (row["requests"], row["answered"])
    assert float(sim.bill().usd) == row["cost_usd"]
    assert sim.world.loop.time_us() / 1e6 == row["virtual_s"]
    assert 0 < row["latency_p50_ms"] <= row["latency_p99_ms"]


def test_a_trace_that_is_not_kept_has_no_digest_and_no_latencies() -> None:
    """What needs every record is left out, not made up."""
    [row] = sweep(designs.keeps_nothing, {"load": [1]}).rows

    assert row["digest"] is None and not row["error"]
    assert ["load", "seed", "cost_usd", "virtual_s", "digest", "error", "token"] == list(row)


def test_a_scenario_of_two_simulations_has_one_digest_of_both() -> None:
    """The digest of several traces is that of neither, and the same again."""
    one, two = (sweep(designs.two_simulations, {"load": [0.5]}).rows[0]["digest"] for _ in range(2))

    assert one == two
    assert one not in {designs.queue(0.5, seed=seed).trace.digest for seed in (0, 1)}


def test_simulated_code_prints_nothing_in_a_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    """A thousand runs that print would hide the table; a replay shows what is printed."""
    swept = sweep(designs.queue, {"load": [0.5]})
    silent = capsys.readouterr()
    swept.replay(0)

    assert ("", "") == (silent.out, silent.err)
    assert "served" in capsys.readouterr().out


# -- whoever runs them


def test_processes_give_the_same_rows_and_digests(pool: ProcessPoolExecutor) -> None:
    """Two processes that have hash seeds of their own, points one by one or in chunks: the rows of this process."""
    here = sweep(designs.queue, LOADS, seeds=3)

    assert here.rows == sweep(designs.queue, LOADS, seeds=3, executor=pool).rows
    assert here.rows == sweep(designs.queue, LOADS, seeds=3, executor=pool, chunk=4).rows


def test_another_executor_gives_the_same_rows_and_digests() -> None:
    """Any concurrent.futures.Executor may run the points."""
    here = sweep(designs.waits, LOADS, seeds=2)

    assert here.rows == sweep(designs.waits, LOADS, seeds=2, executor=Elsewhere(1_000)).rows


def test_the_module_random_follows_from_the_seed_and_is_given_back(pool: ProcessPoolExecutor) -> None:
    """A scenario that draws from `random` outside of its simulation has the same rows in any process."""
    state = random.getstate()
    here = sweep(designs.outside_random, LOADS, seeds=2)

    assert state == random.getstate()
    assert here.rows == sweep(designs.outside_random, LOADS, seeds=2, executor=pool).rows


def test_a_scenario_that_changes_its_arguments_changes_its_own(pool: ProcessPoolExecutor) -> None:
    """A list in the grid is the same list for every point, here as in processes."""
    here = sweep(designs.changes_its_list, {"numbers": [[1, 2]]}, seeds=3)

    assert [3, 3, 3] == [row["value"] for row in here]
    assert here.rows == sweep(designs.changes_its_list, {"numbers": [[1, 2]]}, seeds=3, executor=pool).rows


def test_workers_that_hash_strings_differently_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """A set of strings iterates as PYTHONHASHSEED says; the table says when the workers do not share it."""
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    with processes(1) as one, processes(1) as other:
        swept = [sweep(designs.order_of_a_set, {"load": [1]}, executor=executor) for executor in (one, other)]
    points = [point for each in swept for point in each._points]
    both = Sweep(designs.order_of_a_set, ["load"], points, [known for each in swept for known in each._measured])

    assert ["1 run."] == swept[0].remarks
    assert "The workers hash strings in 2 ways" in both.remarks[1]


# -- failing points


def test_a_failing_point_is_a_row_with_its_error_and_token_and_the_others_go_on() -> None:
    """A token is a call to paste, and carries what `explore` found, if the error has that."""
    swept = sweep(designs.fails_above, LOADS, seeds=1)
    [row] = swept.failures

    assert ["", "", "Broken: too much: 0.9"] == [row["error"] for row in swept]
    assert (
        "from tests.testing.designs import fails_above; fails_above(load=0.9, seed=0)  # dosim replay o17=1"
        == row["token"]
    )
    assert row["records"] is None and designs.queue(0.9).trace.digest == row["digest"]
    with pytest.raises(designs.Broken, match=r"too much: 0\.9"):
        exec(row["token"], {})


def test_a_failing_point_fails_alike_in_a_process_and_fails_again_here(pool: ProcessPoolExecutor) -> None:
    """An error that cannot be pickled breaks no pool: its text comes back, and `replay` raises it."""
    swept = sweep(designs.fails_above, LOADS, seeds=2, executor=pool)

    assert sweep(designs.fails_above, LOADS, seeds=2).rows == swept.rows
    with pytest.raises(designs.Broken, match=r"too much: 0\.9"):
        swept.replay(swept.failures[0])


def test_replay_returns_what_the_scenario_returns() -> None:
    """A row's simulation can be looked at: `sweep.replay(row).timeline()`."""
    swept = sweep(designs.queue, LOADS)

    assert swept.rows[1]["digest"] == swept.replay(swept.rows[1]).trace.digest
    assert swept.rows[2]["digest"] == swept.replay(-1).trace.digest


def test_replay_says_when_a_scenario_follows_from_more_than_its_arguments() -> None:
    """A second run that goes another way is not passed over."""
    runs = count(1)
    swept = sweep(lambda load: designs.queue(load, seed=next(runs)), {"load": [0.5]})
    tries = count()
    failed = sweep(lambda load: 1 // next(tries), {"load": [0.5]})

    with pytest.warns(RuntimeWarning, match="another trace in the sweep: it depends on more than its arguments"):
        swept.replay(0)
    with pytest.raises(RuntimeError, match=r"ZeroDivisionError.*does not fail here: it depends on more"):
        failed.replay(0)


def test_on_error_raise_stops_at_the_first_failing_point(pool: ProcessPoolExecutor) -> None:
    """The first in the order of the grid, whoever runs it, with its token and the worker's traceback."""
    for executor in (None, pool):
        with pytest.raises(PointFailed, match=r"Broken: too much: 0\.9\nreplay: from tests") as caught:
            sweep(designs.fails_above, {"load": [0.5, 0.9, 0.95]}, executor=executor, on_error="raise")

        assert caught.value.token.endswith("fails_above(load=0.9, seed=0)  # dosim replay o17=1")
        assert "raise Broken" in caught.value.__notes__[0]


def test_what_explore_finds_in_a_scenario_keeps_its_token() -> None:
    """A search at each point: where it finds something, the row says how to see it again."""
    swept = sweep(designs.searched, {"runs": [1, 50]})
    found = explore(designs.remembers, runs=50, faults=("evict",)).failure

    assert found is not None
    assert ["", "AssertionError"] == [row["error"] for row in swept]
    assert swept.rows[1]["token"].endswith(f"searched(runs=50, seed=0)  # dosim replay {found.token}")


def test_a_scenario_that_leaves_the_process_is_a_row() -> None:
    """sys.exit() in a scenario ends its point only."""
    [row] = sweep(lambda load: sys.exit(3), {"load": [1]}).rows

    assert "SystemExit: 3" == row["error"]


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        (lambda load: object, "the scenario returned type: let it return a dict"),
        (lambda load: {"x": object()}, "measured x=<object object>, a object: give numbers"),
        (lambda load: {"error": 1}, "measured 'error', which is a column of every row"),
        (lambda load: {"load": 2}, "measured 'load', and that is a parameter"),
        (lambda load: {1: 2}, "measured 1, and a measurement's name is a text"),
        (lambda load: designs_coroutine(), "returned something to await"),
    ],
)
def test_what_is_no_measurement_is_an_error_that_says_what_is(scenario: Any, said: str) -> None:
    """The row says what a scenario may return."""
    [row] = sweep(scenario, {"load": [1]}).rows

    assert row["error"].startswith("TypeError: ")
    assert said in row["error"]


async def designs_coroutine() -> None:
    """Never awaited."""


# -- workers that die


@pytest.mark.parametrize("times", [1, 2])
def test_a_killed_worker_loses_nothing_but_time(tmp_path: Path, times: int) -> None:
    """A worker killed in the middle, once or twice: the pool is made anew and the rows are those of no death."""
    whole = sweep(designs.queue, LOADS, seeds=3)
    with processes() as executor:
        swept = sweep(designs.dies, {**LOADS, "marks": [str(tmp_path)], "times": [times]}, seeds=3, executor=executor)

    assert times == len([*tmp_path.iterdir()])
    assert [row["digest"] for row in whole] == [row["digest"] for row in swept]
    assert not swept.failures


def test_a_point_that_kills_its_worker_every_time_is_a_row_and_the_others_go_on(tmp_path: Path) -> None:
    """After three deaths it is given up, and it alone."""
    with processes() as executor:
        swept = sweep(designs.dies, {**LOADS, "marks": [str(tmp_path)], "times": [99]}, seeds=3, executor=executor)
    [row] = swept.failures

    assert (0.5, 1) == (row["load"], row["seed"])
    assert "WorkerDied: the worker process that ran it died each time, 3 times" == row["error"]
    assert points_module.TRIES == len([*tmp_path.iterdir()])
    with pytest.raises(RuntimeError, match="killed its process: run it in one of its own, python -c 'from tests"):
        swept.replay(row)


def test_only_the_killer_in_a_chunk_is_given_up() -> None:
    """A chunk that died is taken apart."""
    with processes() as executor:
        results = list(run_points(designs.square_or_die, range(7), executor, chunk=3))

    assert [0, 1, 4, WorkerDied(3), 16, 25, 36] == results


def test_another_executor_that_breaks_is_replaced_with_a_warning() -> None:
    """What cannot be made anew gives way to processes here; nothing is lost."""
    here = sweep(designs.queue, LOADS)
    with pytest.warns(RuntimeWarning, match="Elsewhere is broken and cannot be made anew"):
        swept = sweep(designs.queue, LOADS, executor=Elsewhere(2))

    assert here.rows == swept.rows


def test_workers_that_die_at_once_are_an_error_that_names_the_usual_reason() -> None:
    """A pool that never works ends in words, not in a loop."""
    with (
        ProcessPoolExecutor(
            1, mp_context=get_context("spawn"), initializer=designs.square_or_die, initargs=(3,)
        ) as bad,
        pytest.raises(RuntimeError, match=r'die before they do anything.*if __name__ == "__main__"'),
    ):
        sweep(designs.queue, LOADS, executor=bad)


# -- run_points


def test_results_come_in_order_and_closing_stops(pool: ProcessPoolExecutor) -> None:
    """Endless points: a few are taken ahead, and no more once the results are closed."""
    taken = []

    def endless() -> Iterator[int]:
        for number in count():
            taken.append(number)
            yield number

    results = run_points(designs.square, endless(), pool)
    first = [next(results) for _ in range(5)]
    results.close()

    assert [0, 1, 4, 9, 16] == first
    assert len(taken) <= 5 + points_module._AHEAD * 4
    assert [9] == list(run_points(designs.square, [3], pool))  # the pool is still its owner's, and works


def test_points_that_are_done_are_counted(pool: ProcessPoolExecutor) -> None:
    """Progress is told of each point once."""
    here, there = Bar(), Bar()
    list(run_points(designs.square, range(9), progress=here))
    list(run_points(designs.square, range(9), pool, chunk=2, progress=there))

    assert (9, 9) == (here.done, there.done)


def test_what_the_function_raises_is_raised(pool: ProcessPoolExecutor) -> None:
    """Results before it come first; an error that cannot be pickled comes as its text."""
    for executor, kind, chunk in ((None, designs.Broken, 1), (pool, RuntimeError, 1), (pool, RuntimeError, 3)):
        results = run_points(designs.raises, range(4), executor, chunk=chunk)

        assert [0, 1] == [next(results), next(results)]
        with pytest.raises(kind, match="of its own"):
            list(results)


# -- tables and pictures


def test_frames_and_csv_have_the_rows(tmp_path: Path) -> None:
    """pandas, polars and CSV agree; a class in the grid is there by its name."""
    swept = sweep(lambda room, load: load * 2, {"room": [designs.Desk], "load": [1.5, 2.5]})
    path = tmp_path / "swept.csv"
    swept.save(path)
    with path.open(newline="") as file:
        read = list(csv.DictReader(file))

    assert ["Desk", "Desk"] == [row["room"] for row in read] == list(swept.to_pandas()["room"])
    assert [3.0, 5.0] == [float(row["value"]) for row in read] == swept.to_polars()["value"].to_list()
    assert designs.Desk is swept.rows[0]["room"]
    assert list(swept.rows[0]) == list(swept.to_dataframe().columns)
    with pytest.raises(ValueError, match="library='numpy' makes no data frames here"):
        swept.to_dataframe("numpy")


def test_a_table_in_a_notebook_says_what_failed() -> None:
    """Forty rows at most, the digest short, errors in one line."""
    shown = sweep(designs.fails_above, LOADS)._repr_html_()
    many = sweep(lambda n: n, {"n": range(50)})._repr_html_()

    assert "3 runs. 1 failed: sweep.failures" in shown
    assert f"<td>{designs.queue(0.2).trace.digest[:12]}</td>" in shown
    assert "Broken: too much: 0.9" in shown
    assert "The first 40 are shown." in many and 41 == many.count("<tr>")


def test_a_picture_has_a_line_for_each_value_and_says_what_it_shows() -> None:
    """The line is the median; failed runs are left out, and said."""
    swept = sweep(
        lambda load, shards, seed: 1 / (load < 0.9) * load * seed / shards,
        {"load": [0.5, 0.9], "shards": [1, 2]},
        seeds=[2, 4, 9],
    )
    figure = swept.plot("load", "value", by="shards")
    drawn = figure.axes[0].get_lines()
    lines = {line.get_label(): line.get_ydata().tolist() for line in drawn if line.get_marker() != "None"}

    assert {"1": [2.0], "2": [1.0]} == lines
    assert (
        "value over load. Each point is the median of 3 runs, which differ in seed; around it, from the least to the"
        " greatest. 6 runs without this measurement left out. 1: 2 at 0.5. 2: 1 at 0.5." == figure.alt
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"x": "lod", "y": "value"}, "x='lod' is no parameter of this sweep: use 'load', 'seed'"),
        ({"x": "load", "y": "lod"}, "y='lod' is no measurement of this sweep: it has 'value'"),
        ({"x": "load", "y": "value", "by": "load"}, "x and by are both 'load'"),
        ({"x": "seed", "y": "value", "by": "load"}, "by='load' has 8 values, and 7 lines can be told apart"),
        ({"x": "load", "y": "value", "log": True}, "y='value' is 0 in a row, which a logarithmic axis cannot show"),
    ],
)
def test_a_picture_that_cannot_be_is_refused_by_name(arguments: Any, said: str) -> None:
    """Bad arguments name the fix."""
    swept = sweep(lambda load, seed: load, {"load": range(8)})

    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the text is compared below)
        swept.plot(**arguments)

    assert str(caught.value).startswith(said)


# -- bad input


def nested() -> Callable[[float], int]:
    def scenario(load: float) -> int:
        return 1

    return scenario


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        (lambda load: 1, "a lambda has no name by which it could be found there. Put it at the top level of a module"),
        (nested(), r"it is defined inside a function \(nested\), where no import reaches it. Put it"),
    ],
)
def test_what_no_process_could_load_is_refused_before_anything_starts(scenario: Any, said: str) -> None:
    """The error names the function, the reason and the way out; the pool has started no process."""
    with processes() as executor:
        with pytest.raises(TypeError, match=said):
            sweep(scenario, {"load": [1]}, executor=executor)

        assert not executor._processes


def test_a_function_of_a_notebook_is_refused_where_processes_start_from_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a notebook `__main__` has no file that a new process could run."""
    main = sys.modules["__main__"]
    monkeypatch.delattr(main, "__file__", raising=False)
    monkeypatch.setattr(designs.square, "__module__", "__main__")
    with processes() as executor, pytest.raises(TypeError, match=r"scenario=square cannot be sent .* in a notebook"):
        sweep(designs.square, {"number": [1]}, executor=executor)


def test_a_value_that_no_process_could_load_is_refused(pool: ProcessPoolExecutor) -> None:
    """A lambda in the grid is named with its point."""
    with pytest.raises(TypeError, match=r"cannot be sent to another process .*: give plain values"):
        sweep(designs.changes_its_list, {"numbers": [lambda: 1]}, seeds=1, executor=pool)


def test_threads_are_refused_with_the_reason() -> None:
    """Two simulations cannot run at once in one process."""
    with (
        ThreadPoolExecutor() as threads,
        pytest.raises(TypeError, match=r"threads of one process.*ProcessPoolExecutor"),
    ):
        sweep(designs.queue, LOADS, executor=threads)


async def asynchronous(load: float) -> None:
    """A scenario that is none."""


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"scenario": 7}, TypeError, "scenario=7 cannot be called"),
        ({"scenario": asynchronous}, TypeError, "scenario=asynchronous is asynchronous: give a plain function"),
        ({"grid": {"load": 0.5}}, TypeError, "grid: load=0.5 is no list of values: write load=[0.5], say."),
        ({"grid": {"load": {0.5}}}, TypeError, "grid: load is a set, which has no order"),
        ({"grid": {"load": []}}, ValueError, "grid: load has no values"),
        ({"grid": {"lod": [1]}}, TypeError, "grid: queue(load: 'float', "),
        ({"grid": {"seed": [1]}}, ValueError, "grid: 'seed' cannot be a parameter of it: give it as seeds="),
        ({"grid": {"load": [1], "error": [1]}}, ValueError, "grid: 'error' cannot be a parameter of it, which is"),
        ({"grid": 5}, TypeError, "grid=5 is no grid"),
        ({"grid": []}, ValueError, "grid: the list has no points"),
        ({"grid": [5]}, TypeError, "grid: 5 is no point"),
        ({"seeds": 0}, ValueError, "seeds=0 are none"),
        ({"seeds": "ab"}, TypeError, "seeds='ab': give how many"),
        ({"seeds": [1.5]}, TypeError, "seeds: 1.5 is no seed"),
        ({"seeds": 2, "scenario": designs.two_simulations}, ValueError, "seeds=2, but two_simulations takes no seed"),
        ({"executor": "dask"}, TypeError, "executor='dask' is no executor"),
        ({"chunk": 0}, ValueError, "chunk=0: a worker needs at least one point"),
        ({"chunk": "2"}, TypeError, "chunk='2' is no number of points"),
        ({"on_error": "skip"}, ValueError, "on_error='skip' is not known"),
    ],
)
def test_bad_input_is_refused_by_name(arguments: Any, kind: type[Exception], said: str) -> None:
    """Before anything runs, an error names the argument and the fix."""
    with pytest.raises(kind) as caught:
        sweep(**{"scenario": designs.queue, "grid": LOADS, **arguments})

    assert str(caught.value).startswith(said)


def test_replay_takes_rows_of_its_own_sweep() -> None:
    """Another row is refused."""
    swept = sweep(lambda load: 1, {"load": [1]})

    with pytest.raises(ValueError, match="there are 1 row, from 0 on"):
        swept.replay(1)
    with pytest.raises(ValueError, match="none of this sweep's"):
        swept.replay({"load": 1})


# -- progress


def test_nobody_who_looks_sees_no_bar(capfd: pytest.CaptureFixture[str]) -> None:
    """In a pipe there is neither a bar nor any other word."""
    sweep(designs.queue, LOADS, progress=True)

    captured = capfd.readouterr()
    assert ("", "") == (captured.out, captured.err)


def test_a_terminal_has_a_bar_that_goes_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error only, and only after a moment; without tqdm nothing happens."""
    monkeypatch.setattr("dosim.testing.progress._SILENT_S", 0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    pytest.importorskip("tqdm")
    with progress_bar("sweep", 4, "point") as bar:
        for _ in range(4):
            bar.update(1)
    captured = capsys.readouterr()
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with progress_bar("sweep", 4, "point") as silent:
        silent.update(4)
        silent.set_postfix_str("2 markers")

    assert "" == captured.out and "sweep" in captured.err
    assert ("", "") == tuple(capsys.readouterr())


def test_a_sweep_leaves_no_watcher_behind() -> None:
    """A simulation made afterwards prints again."""
    sweep(designs.fails_above, LOADS)

    assert Simulation().world.show_output
