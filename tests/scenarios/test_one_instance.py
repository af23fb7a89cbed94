"""`one-instance`: a hundred Worker instances with globals of their own, and one object."""

from __future__ import annotations

from typing import Any

import pytest

from dosim.scenarios import BadArgument
from dosim.scenarios.one_instance import PROJECT, run


def test_hundred_requests_meet_a_hundred_workers_and_one_object() -> None:
    """
    Every Worker's global says 1; the one object counts 1 to 100, in the order of arrival.
    """
    result = run()

    assert (result.workers, result.instances) == (100, 1)
    assert len({row.colo for row in result.rows}) == 100
    assert [row.worker_global for row in result.rows] == [1] * 100
    assert [row.object_count for row in result.rows] == list(range(1, 101))
    assert [row.arrived_us for row in result.rows] == sorted(row.arrived_us for row in result.rows)


def test_second_request_at_a_colo_meets_the_same_worker() -> None:
    """
    With more requests than colos some enter where another did: there the module's global has counted on.
    """
    result = run(requests=400)
    by_colo: dict[str, list[int]] = {}
    for row in result.rows:
        by_colo.setdefault(row.colo, []).append(row.worker_global)

    assert result.workers == len(by_colo) < 400
    assert all(sorted(counts) == list(range(1, len(counts) + 1)) for counts in by_colo.values())


def test_runs_of_one_seed_are_equal() -> None:
    """
    Rows and digest repeat with the seed and differ with another.
    """
    assert run(requests=20).to_json() == run(requests=20).to_json()
    assert run(requests=20).trace.digest != run(requests=20, seed=1).trace.digest


def test_printed_summary() -> None:
    """
    The claim and the summary, as a pipe gets them.
    """
    text = str(run())

    assert text.startswith(
        "100 requests for one name, sent from everywhere at the same instant, meet 100 Worker instances, each"
    )
    assert "the Worker        100  global of its module       1\n" in text
    assert "the object          1  attribute of the instance  1 … 100, each in turn\n" in text


def test_project_is_one_that_the_platform_could_run() -> None:
    """
    The scenario runs a real project folder, which imports the platform's modules alone.
    """
    source = (PROJECT / "src" / "entry.py").read_text("utf-8")

    assert [line for line in source.splitlines() if "import" in line] == [
        "from workers import DurableObject, Response, WorkerEntrypoint"
    ]


def test_bad_number_of_requests_is_refused() -> None:
    """
    A refusal names the argument and its range.
    """
    with pytest.raises(BadArgument, match="requests=0 is out of range: give how many clients send one, from 1 to 2000"):
        run(requests=0)


def test_picture_has_a_tick_for_each_visit_of_the_object() -> None:
    """
    A lane for each request, by arrival, and one for the object, with a tick where each came by.
    """
    result = run(requests=6)
    figure: Any = result.figure()
    ticks = [drawn for drawn in figure.axes[0].collections if drawn.get_label().endswith(": visit")]
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]

    assert labels[:6] == [f"from {row.city}" for row in result.rows]
    assert labels[6].startswith("Counter('the-one') in ")
    assert len(ticks) == 6
    assert repr(run(requests=1)) == "<one-instance: 1 request, 1 Worker, 1 object>"
