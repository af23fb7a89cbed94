"""`workspace`: routes, migrations, a monthly alarm, and no life in between."""

from __future__ import annotations

import time

import pytest

from dosim.scenarios.workspace import run


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_the_routes(lesson) -> None:
    """Not before init; init once; projects by name; 404 for anything else."""
    answers = [(status, body) for _, status, body in lesson.facts["answers"]]
    assert [
        (404, "no such workspace"), (200, '{"created": true}'), (200, '{"created": false}'),
        (200, "1"), (200, "2"), (200, '["boat", "house"]'), (404, "not found"), (200, "3"),
    ] == answers[:8]  # fmt: skip


def test_the_cleanup_archives_what_is_older_than_a_month(lesson) -> None:
    """After two alarms all three are: the third was made on the twentieth day."""
    assert 2 == lesson.facts["alarms"]
    assert "[]" == lesson.facts["answers"][-1][2]


def test_migrations_run_once(lesson) -> None:
    """However often the object is constructed."""
    assert 3 == lesson.facts["migrations"]
    assert lesson.facts["lives"] == 5


def test_it_is_hardly_ever_in_memory(lesson) -> None:
    """Ten seconds after each visit."""
    assert lesson.facts["in_memory_us"] < 61_000_000


def test_sixty_days_take_less_than_a_second() -> None:
    """Of real time, and the same seed gives the same run."""
    began_s = time.perf_counter()
    first = run()
    assert time.perf_counter() - began_s < 1
    assert run().to_json() == first.to_json()
