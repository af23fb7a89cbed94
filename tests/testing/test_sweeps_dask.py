"""Sweeps on a real dask cluster of two worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pytest

from dosim.testing.exploring import explore
from dosim.testing.points import WorkerDied, run_points
from dosim.testing.sweeps import sweep
from tests.testing import designs

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.slow  # two processes start, each with dask

LOADS = {"load": [0.2, 0.5, 0.9]}


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs="CRITICAL"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.wait_for_workers(2, timeout=60)
        yield client


@pytest.fixture
def executor(client: Any) -> Executor:
    executor: Executor = client.get_executor()
    return executor


def test_a_cluster_gives_the_same_rows_and_digests(executor: Executor) -> None:
    """Two worker processes of dask's: the rows of this process, in the same order."""
    here = sweep(designs.queue, LOADS, seeds=4)

    assert here.rows == sweep(designs.queue, LOADS, seeds=4, executor=executor).rows
    assert here.rows == sweep(designs.queue, LOADS, seeds=4, executor=executor, chunk=3).rows


def test_a_failing_point_fails_alike_on_a_cluster(executor: Executor) -> None:
    """Errors and their tokens are those of this process."""
    assert (
        sweep(designs.fails_above, LOADS, seeds=2).rows
        == sweep(designs.fails_above, LOADS, seeds=2, executor=executor).rows
    )


def test_a_closure_goes_to_a_cluster(executor: Executor) -> None:
    """dask sends what a notebook defines, too."""
    seen = designs.queue(0.5).trace.digest

    def scenario(load: float) -> dict[str, bool]:
        return {"same": designs.queue(load).trace.digest == seen}

    assert [False, True, False] == [row["same"] for row in sweep(scenario, LOADS, executor=executor)]


def test_a_cluster_stops_early(executor: Executor) -> None:
    """Results come in order, from endless points; closing them leaves the cluster free for other work."""
    results = run_points(designs.square, iter(range(10**9)), executor)
    first = [next(results) for _ in range(5)]
    results.close()

    assert [0, 1, 4, 9, 16] == first
    assert [49] == list(run_points(designs.square, [7], executor))


def test_a_killed_worker_of_a_cluster_loses_nothing_but_time(executor: Executor, tmp_path: Path) -> None:
    """dask starts another worker and runs the point again."""
    whole = sweep(designs.queue, LOADS, seeds=2)
    swept = sweep(designs.dies, {**LOADS, "marks": [str(tmp_path)], "times": [1]}, seeds=2, executor=executor)

    assert 1 == len([*tmp_path.iterdir()])
    assert [row["digest"] for row in whole] == [row["digest"] for row in swept]


def test_a_point_that_kills_every_worker_of_a_cluster_is_given_up(executor: Executor) -> None:
    """It alone has no result."""
    results = list(run_points(designs.square_or_die, range(6), executor))

    assert [0, 1, 4, 16, 25] == [result for result in results if not isinstance(result, WorkerDied)]
    assert isinstance(results[3], WorkerDied)


def test_a_search_on_a_cluster_finds_the_same(executor: Executor) -> None:
    """`explore` sends its runs there: the same failure, shrunk alike, after as many runs."""
    here = explore(designs.remembers, runs=200, faults=("evict",))
    there = explore(designs.remembers, runs=200, faults=("evict",), executor=executor)

    assert here.failure is not None and there.failure is not None
    assert (here.runs, here.failure.token) == (there.runs, there.failure.token)
