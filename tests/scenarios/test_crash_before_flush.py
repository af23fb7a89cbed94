"""`crash-before-flush`: a write is confirmed after its turn, and nobody is told of it before."""

from __future__ import annotations

import pytest

from dosim.cli import main
from dosim.scenarios.crash_before_flush import MOMENTS, run


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_a_crash_before_the_confirmation_takes_the_write_and_the_answer(lesson) -> None:
    """5 ms: the first two crashes come earlier, the client gets an error, the first deposit stays."""
    assert 5_000 == lesson.facts["confirm_us"]
    lost = [run for run in lesson.facts["runs"] if run["balance_after"] == 10]
    assert ["1ms", "4ms"] == [run["crash_after"] for run in lost]
    assert {"an error (500)"} == {run["told"] for run in lost}


def test_a_crash_after_it_takes_nothing(lesson) -> None:
    """Whoever was told 20 finds 20."""
    kept = [run for run in lesson.facts["runs"] if run["crash_after"] in ("6ms", "100ms")]
    assert [("20", 20)] * 2 == [(run["told"], run["balance_after"]) for run in kept]


def test_in_every_run_put_had_returned(lesson) -> None:
    """Both deposits printed their balance before the crash; a crash is one record of each world."""
    assert len(MOMENTS) == len(lesson.worlds)
    for world in lesson.worlds:
        trace = world.sim.trace
        assert 2 == len(trace.of_kind("log"))
        (crash,) = trace.of_kind("fault")
        assert trace.of_kind("log")[-1].t_us < crash.t_us


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()


def test_it_prints_its_claim(capsys: pytest.CaptureFixture[str]) -> None:
    """By name, from the command line."""
    assert 0 == main(["run", "crash-before-flush"])
    assert "Nobody was told of a write that was lost." in " ".join(capsys.readouterr().out.split())
