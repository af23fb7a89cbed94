"""The pytest plugin: a section on failures, and tests that are run twice."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from dosim.kernel.making import making
from dosim.testing import plugin

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
#: As an option, whether or not this dosim is installed with its entry point.
LOADED = ("-p", "no:dosim", "-p", "dosim.testing.plugin", "-p", "no:cacheprovider")

BOARD = """
import unittest
import pytest
from dosim import Simulation
from dosim.workers import DurableObject

class Board(DurableObject):
    async def note(self, *keys):
        for key in keys:
            await self.ctx.storage.put(key, 1)

def board():
    return Simulation(durable_objects={"BOARD": Board}, network=None, seed=5)

def note(sim, *keys):
    sim.run(sim.env.BOARD.getByName("one").note(*keys))

@pytest.fixture
def sim():
    return board()
"""


def run(pytester: pytest.Pytester, tests: str, *args: str, twice: bool = True) -> pytest.RunResult:
    """The outcome of these tests, in a process of their own."""
    pytester.makepyfile(BOARD + tests)
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    more = ("--dosim-determinism",) if twice else ()
    return pytester.runpytest_subprocess(*LOADED, *more, *args)


def test_a_failing_test_shows_its_simulations(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """How to make each again, its time and digest, and the notes of the exception that say how to come there."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    tests = """
    def test_it(sim):
        note(sim, "a")
        sim.run(until="2s")
        print("digest", sim.trace.digest[:16], sim.trace.count)
        board()
        error = ValueError("no")
        error.add_note("dosim replay abc")
        error.add_note("of no interest")
        raise error

    def test_without():
        assert False
    """
    result = run(pytester, tests.replace("\n    ", "\n"), twice=False)
    digest, count = next(line for line in result.outlines if line.startswith("digest")).split()[1:]

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "*- dosim -*",
            f"simulation 1: t=2.000000s, records: {count}, digest {digest}",
            "  replay: Simulation(seed=5)",
            "simulation 2: t=0.000000s, records: 0, digest *",
            "  replay: Simulation(seed=5)",
            "dosim replay abc",
        ],
        consecutive=True,
    )
    assert 1 == sum("- dosim -" in line for line in result.outlines)


def test_a_test_of_many_simulations_shows_the_last(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A property's are hundreds."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    tests = "def test_it():\n    sims = [board() for _ in range(9)]\n    assert not sims[8].trace.count and 0\n"
    result = run(pytester, tests, twice=False)

    result.stdout.fnmatch_lines(["9 simulations were made; the last 3:", "simulation 7: *"], consecutive=True)
    result.stdout.fnmatch_lines(["simulation 9: *"])


TESTS = """
runs = []

def test_steady(sim):
    note(sim, "a", "b")

def test_leftover(sim):
    runs.append(1)
    note(sim, f"run {len(runs)}")

def test_no_simulation():
    runs.append(1)

def test_fails(sim):
    assert sim is None

@pytest.mark.skip
def test_skipped(): ...

@pytest.mark.xfail(strict=True)
def test_expected(sim):
    assert sim is None

calls = []

def test_passes_once(sim):
    calls.append(1)
    assert len(calls) == 1, "the second time"

class TestOld(unittest.TestCase):
    def setUp(self):
        self.sim = board()

    def test_steady(self):
        note(self.sim, "a")
"""


@pytest.mark.parametrize("processes", [(), pytest.param(("-n1",), marks=pytest.mark.slow)], ids=["here", "xdist"])
def test_tests_that_make_simulations_run_twice(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, processes: tuple[str, ...]
) -> None:
    """Fixtures and all; the one that differs fails, with the record and the line. Others are as they are."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    result = run(pytester, TESTS, *processes)
    line = 1 + BOARD.strip().splitlines().index("            await self.ctx.storage.put(key, 1)")

    result.assert_outcomes(passed=3, failed=3, skipped=1, xfailed=1)
    result.stdout.fnmatch_lines(["dosim: tests that make simulations run twice here, and have to do the same"])
    result.stdout.fnmatch_lines(
        [
            "test_leftover is not deterministic: the second run parts from the first run at record *",
            "  the first run: *put 'run 1'",
            "  the second run: *put 'run 2'",
            f"  the line: *.py:{line}, in Board.note",
            "likely: something that one run leaves to the next: *",
        ]
    )
    result.stdout.fnmatch_lines(
        ["test_passes_once is not deterministic: the traces are equal, *call failed: AssertionError: the second time*"]
    )
    result.stdout.fnmatch_lines(["dosim: 4 tests ran again, 2 the same, 2 not"])


FIXTURES = """
made = []

@pytest.fixture(scope="module")
def shared():
    made.append("up")
    yield board()
    made.append("down")

def test_one(shared):
    note(shared, "a")

def test_both(shared, sim):
    note(shared, "a")
    note(sim, "a")

def test_once_up(shared, sim):
    assert ["up"] == made

@pytest.fixture
def inner(sim):
    yield sim
    note(sim, f"run {len(made)}")
    made.append("left")

def test_teardown_counts(inner):
    note(inner, "a")
"""


def test_wider_fixtures_stand_while_a_test_runs_again(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are set up once, and their simulations are no test's; what a test's own fixtures do at the end is."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    result = run(pytester, FIXTURES)

    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*test_teardown_counts is not deterministic: *"])
    result.stdout.fnmatch_lines(["dosim: 3 tests ran again, 2 the same, 1 not"])


HYPOTHESIS = """
from hypothesis import given, settings, strategies
from dosim.testing import simulated

@given(strategies.text())
@settings(max_examples=5)
def test_text(key):
    note(board(), key[:9])

@given(strategies.text())
@settings(max_examples=5)
def test_with_one_run(key):
    note(board(), key[:9])

test_with_one_run.dosim_once = lambda: note(board(), *{str(Hashed()) for _ in range(2)})

class Hashed:
    def __str__(self):
        return str(id(self))

@simulated(durable_objects={"BOARD": Board}, network=None)
async def test_simulated(sim):
    await sim.env.BOARD.getByName("one").note("a")

@simulated(durable_objects={"BOARD": Board}, network=None)
async def test_simulated_fails(sim):
    await sim.env.BOARD.getByName("one").note("a")
    assert False
"""


@pytest.mark.slow
def test_a_hypothesis_test_is_compared_by_one_run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain run of `@simulated`, or one that is kept; without, it is left out, and counted."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    result = run(pytester, HYPOTHESIS)

    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["test_with_one_run is not deterministic: *"])
    result.stdout.fnmatch_lines(["*- dosim -*", "simulation *", "*replay: dosim replay *"])
    result.stdout.fnmatch_lines(
        ["dosim: 2 tests ran again, 1 the same, 1 not; 1 left out, whose examples Hypothesis *"]
    )


FULL = """
def test_strings(sim):
    note(sim, *set("ann bob cid dan eve fay gus hal".split()))

@pytest.mark.parametrize("key", ["a::b"])
def test_steady(sim, key):
    note(sim, key)
"""


@pytest.mark.slow
def test_full_runs_each_in_fresh_processes_too(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under other hash seeds; the line is named as ever."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    result = run(pytester, FULL, "--dosim-determinism=full", twice=False)

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["dosim: tests that make simulations run twice here and in 2 fresh processes, *"])
    result.stdout.fnmatch_lines(
        [
            "test_strings is not deterministic: a fresh process with PYTHONHASHSEED=[12] parts from *",
            "  the line: *.py:*, in Board.note",
            "likely: the order of a set of strings *",
        ]
    )
    result.stdout.fnmatch_lines(["dosim: 2 tests ran again, 1 the same, 1 not"])


def test_full_says_when_a_fresh_process_cannot_run_the_test(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What pytest said there is in the report."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    tests = 'import os\nassert "DOSIM_PLANTED" not in os.environ\nos.environ["DOSIM_PLANTED"] = "1"\n'
    result = run(pytester, tests + "def test_it(sim):\n    note(sim)\n", "--dosim-determinism=full", twice=False)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*::test_it could not be run in a fresh process with PYTHONHASHSEED=1; pytest ended *"]
    )


def test_another_value_is_refused(pytester: pytest.Pytester) -> None:
    """And a path after the option is a path."""
    pytester.makepyfile(test_a="def test_it(): ...")

    assert pytest.ExitCode.USAGE_ERROR == pytester.runpytest_inprocess(*LOADED, "--dosim-determinism=half").ret
    pytester.runpytest_inprocess(*LOADED, "--dosim-determinism", "test_a.py").assert_outcomes(passed=1)


def test_the_plugin_loads_next_to_nothing() -> None:
    """No simulation, no trace, no third-party package: every pytest where dosim is installed loads it."""
    program = (
        "import sys, pytest; before = set(sys.modules); import dosim.testing.plugin;"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert ["dosim", "dosim.kernel", "dosim.kernel.making", "dosim.testing", "dosim.testing.plugin"] == (
        done.stdout.split()
    )


def test_watchers_are_taken_away() -> None:
    """While this test runs, at most the plugin of this very pytest watches."""
    assert [] == [watch for watch in making if not isinstance(getattr(watch, "__self__", None), plugin.Seen)]


def test_the_entry_point_is_declared() -> None:
    """pytest finds the plugin by it, under the name that `-p no:dosim` turns off."""
    project = (ROOT / "pyproject.toml").read_text()
    found = importlib.metadata.EntryPoint("dosim", "dosim.testing.plugin", "pytest11")

    assert '[project.entry-points.pytest11]\ndosim = "dosim.testing.plugin"\n' in project
    assert plugin is found.load()
