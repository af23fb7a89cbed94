"""`workspace`: routes, migrations, a monthly alarm, and no life in between."""

from __future__ import annotations

import time

import pytest

from dosim.cli import main
from dosim.scenarios.workspace import run


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_the_routes(lesson) -> None:
    """Not before init; init once; projects by name; 404 for anything else."""
    answers = [(one["status"], one["answer"]) for one in lesson.facts["asked"]]
    assert answers[:8] == [
        (404, "no such workspace"), (200, '{"created": true}'), (200, '{"created": false}'),
        (200, "1"), (200, "2"), (200, '["boat", "house"]'), (404, "not found"), (200, "3"),
    ]  # fmt: skip


def test_the_cleanup_archives_what_is_a_month_old(lesson) -> None:
    """The first comes 28 ms too early for the oldest; after the second none is left."""
    assert lesson.facts["cleanups"] == 2
    assert lesson.facts["shown_on_day_31"] == ["boat", "house", "garden"]
    assert 0 < lesson.facts["too_young_by_us"] < 1_000_000
    assert lesson.facts["archived"] == ["boat", "house", "garden"]
    assert lesson.facts["asked"][-1]["answer"] == "[]"


def test_migrations_run_once(lesson) -> None:
    """However often the object is constructed: a version is a row of its own."""
    tables = lesson.worlds[0].sim.objects["acme"].tables
    assert [row["version"] for row in tables["versions"]] == [1, 2, 3]
    assert len(lesson.facts["lives"]) == 6


def test_it_is_hardly_ever_in_memory(lesson) -> None:
    """Ten seconds after each visit; two of the visits are alarms, at thirty and sixty days."""
    assert [life["woken_by"] == "alarm" for life in lesson.facts["lives"]] == [False, False, True, False, True, False]
    assert [round(life["day"], 3) for life in lesson.facts["lives"]] == [0, 20, 30, 31, 60, 61]
    assert all(10_000_000 <= life["in_memory_us"] < 10_200_000 for life in lesson.facts["lives"])


def test_sixty_days_take_less_than_a_second() -> None:
    """Of real time, and the same seed gives the same run."""
    began_s = time.perf_counter()
    first = run()
    assert time.perf_counter() - began_s < 1
    assert run().to_json() == first.to_json()


def test_it_prints_its_claim(capsys: pytest.CaptureFixture[str]) -> None:
    """By name, from the command line."""
    assert main(["run", "workspace"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "In 61 days the workspace was in memory for 60.079 s, in 6 lives: 10 requests came, 2 alarms" in printed
