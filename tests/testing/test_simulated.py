"""`@simulated`: Hypothesis runs a test under many schedules, wherever tests are run."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import unittest
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

import dosim.testing
from dosim import Simulation
from dosim.kernel.chooser import Chooser, Schedule, exploring
from dosim.testing import BadTest, explore, faults, schedules, simulated
from dosim.testing.exploring import plain_run
from dosim.testing.invariants import InvariantViolated, cost_below, fifo_per_stub, one_instance_per_id
from tests.testing import explored
from tests.testing.explored import Counter, counter

COUNTER: dict[str, Any] = {"durable_objects": {"COUNTER": Counter}, "network": None}
ROOT = Path(__file__).parents[2]


def broken(test: Callable[..., None], *args: Any) -> Any:
    """What a test raises."""
    with pytest.raises(AssertionError) as raised:
        test(*args)
    return raised.value


def note(error: BaseException) -> str:
    """The story that comes with an error."""
    return next(text for text in error.__notes__ if "is broken" in text)


# -- tests of all sorts


@simulated(**COUNTER, faults=("evict",))
async def test_an_async_test_passes(sim: Simulation) -> None:
    """What is on disk survives an eviction."""
    for expected in (1, 2, 3):
        assert expected == await counter(sim).add()


@simulated(**COUNTER, faults=("evict",))
def test_a_plain_test_passes(sim: Simulation) -> None:
    """The same, driven from outside."""
    for expected in (1, 2, 3):
        assert expected == sim.run(counter(sim).add())


def test_an_async_test_that_breaks_is_told() -> None:
    """Its own error, at its own line, with the story and the token."""
    error = broken(explored.forgets)

    assert "forgets is broken, with 1 deviation." in note(error)
    assert "Counter('a') is evicted before #2 Counter('a').remember" in note(error)
    assert error.token.startswith("tests/testing/explored.py::forgets@dosim=")
    assert [] == exploring


def test_a_plain_test_that_breaks_is_told() -> None:
    """As an async one."""

    @simulated(**COUNTER, faults=("evict",))
    def forgets(sim: Simulation) -> None:
        assert [1, 2] == [sim.run(counter(sim).remember()) for _ in range(2)]

    assert 'Simulation(..., seed=0, schedule="object1=evict")' in note(broken(forgets))


def test_hypothesis_shows_the_schedule_that_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    """As code that makes it again."""
    notes = "\n".join(broken(explored.depends_on_the_order).__notes__)

    assert "schedule=Schedule([(('event', 1), 1)])" in notes or "Schedule.parse('event1=1')" in notes


class TestInAClass:
    """Methods are tests, too: of a plain class, for pytest."""

    @simulated(**COUNTER)
    async def test_a_method_passes(self, sim: Simulation) -> None:
        """`self` is given as ever."""
        assert isinstance(self, TestInAClass)
        assert 1 == await counter(sim).add()


def test_methods_of_a_unittest_case_are_tests() -> None:
    """One passes, one breaks, setUp has run, and the story is in the report."""

    class Case(unittest.TestCase):
        def setUp(self) -> None:
            self.expected = [1, 2]

        @simulated(**COUNTER, faults=("evict",))
        async def test_on_disk(self, sim: Simulation) -> None:
            self.assertEqual(  # noqa: PT009 (as a unittest says it)
                self.expected, [await counter(sim).add() for _ in range(2)]
            )

        @simulated(**COUNTER, faults=("evict",))
        def test_in_memory(self, sim: Simulation) -> None:
            self.assertEqual(  # noqa: PT009
                self.expected, [sim.run(counter(sim).remember()) for _ in range(2)]
            )

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)

    assert (2, 1, []) == (result.testsRun, len(result.failures), result.errors)
    case, report = result.failures[0]
    assert "test_in_memory" == case._testMethodName  # type: ignore[attr-defined]
    assert "Unlike a plain run:\n  1. object1=evict" in report


@simulated(**COUNTER, given={"amounts": st.lists(st.integers(1, 9), max_size=4)}, examples=20)
async def test_further_arguments_are_drawn_by_hypothesis(sim: Simulation, amounts: list[int]) -> None:
    """given=: name -> strategy."""
    for amount in amounts:
        await counter(sim).add(amount)
    assert sum(amounts) == await counter(sim).value()


@simulated(**COUNTER, given={"amount": st.integers()}, examples=20)
async def test_assume_rejects_what_does_not_count(sim: Simulation, amount: int) -> None:
    """As in any test of Hypothesis."""
    assume(amount > 0)
    assert amount == await counter(sim).add(amount)


@pytest.fixture
def start() -> int:
    return 40


@pytest.mark.parametrize("more", [1, 2])
@simulated(**COUNTER, examples=10)
async def test_fixtures_and_parameters_are_pytests(sim: Simulation, start: int, more: int) -> None:
    """Made once, for all the runs."""
    assert start == await counter(sim).add(start)
    assert start + more == await counter(sim).add(more)


@simulated(**COUNTER, examples=3)
@pytest.mark.parametrize("more", [1, 2])
async def test_marks_below_the_decorator_count(sim: Simulation, more: int) -> None:
    """Where a mark stands makes no difference."""
    assert more == await counter(sim).add(more)


def test_a_failing_test_with_fixtures_is_told() -> None:
    """The story is that of the run with these values; explore has no value for them."""

    @simulated(**COUNTER, faults=("evict",))
    async def forgets(sim: Simulation, first: int) -> None:
        assert first == await counter(sim).remember()
        assert first + 1 == await counter(sim).remember()

    assert "object1=evict" in note(broken(forgets, 1))
    with pytest.raises(TypeError, match="takes first beside sim, which pytest or Hypothesis gives: explore has no val"):
        explore(forgets)


def test_examples_is_how_many_schedules_are_tried() -> None:
    """And the plain run comes twice before, to be compared."""
    runs: list[str] = []

    @simulated(**COUNTER, examples=17, faults="all", orders="all")
    async def test(sim: Simulation) -> None:
        runs.append(str(sim.world.chooser.schedule))  # type: ignore[union-attr]
        await asyncio.gather(counter(sim).value(), return_exceptions=True)

    test()

    assert 2 + 17 == len(runs)
    assert ["", ""] == runs[:2]
    assert 5 < len(set(runs))


# -- invariants, projects


def test_invariants_are_called_at_the_end() -> None:
    """Those that hold say nothing, the one that does not is told with its story."""

    @simulated(**COUNTER, invariants=[one_instance_per_id, fifo_per_stub, cost_below(usd=0.0)])
    async def test(sim: Simulation) -> None:
        await counter(sim).add()

    error = broken(test)

    assert isinstance(error, InvariantViolated)
    assert "cost_below(usd=0.0, per='month')" == error.invariant
    assert "InvariantViolated: cost_below(usd=0.0, per='month')" in note(error)


def test_an_invariant_sees_what_a_schedule_did() -> None:
    """Its own, as a function of the simulation."""

    def never_evicted(sim: Simulation) -> None:
        assert "evict" not in [record.kind for record in sim.trace]

    @simulated(**COUNTER, faults=("evict",), invariants=[never_evicted])
    async def test(sim: Simulation) -> None:
        await counter(sim).add()
        await counter(sim).add()

    assert "evict" in note(broken(test))


def test_a_project_folder_is_tested(tmp_path: Path) -> None:
    """project=: its Worker and classes, under the names that wrangler's file gives."""
    (tmp_path / "wrangler.jsonc").write_text(
        '{"name": "p", "main": "entry.py", "compatibility_date": "2026-11-01",'
        ' "compatibility_flags": ["python_workers"],'
        ' "durable_objects": {"bindings": [{"name": "MEMO", "class_name": "Memo"}]},'
        ' "migrations": [{"tag": "v1", "new_sqlite_classes": ["Memo"]}]}'
    )
    (tmp_path / "entry.py").write_text(
        "from workers import DurableObject, Response, WorkerEntrypoint\n"
        "class Memo(DurableObject):\n"
        "    seen = 0\n"
        "    async def see(self):\n"
        "        self.seen += 1\n"
        "        return self.seen\n"
        "class Default(WorkerEntrypoint):\n"
        "    async def fetch(self, request):\n"
        "        return Response(str(await self.env.MEMO.getByName('a').see()))\n"
    )

    @simulated(project=tmp_path, faults=("evict",), network=None)
    async def forgets(sim: Simulation) -> None:
        client = sim.client()
        for expected in "12":
            assert expected == await (await client.fetch("https://p.example/")).text()

    assert "evict" in note(broken(forgets))


# -- where tests are run


def test_no_module_hides_a_name_of_the_package() -> None:
    """Names load when they are asked for; a module of the same name would take the place of one."""
    modules = {path.stem for path in Path(dosim.testing.__file__).parent.iterdir()}

    assert set() == modules & set(dosim.testing.__all__)


PROGRAM = """
import asyncio
import unittest
from dosim.testing import ObjectMachine, rule, simulated
from dosim.workers import DurableObject

class Counter(DurableObject):
    count = 0
    async def remember(self):
        self.count += 1
        return self.count

@simulated(durable_objects={"COUNTER": Counter}, faults=("evict",), network=None)
async def test_race(sim):
    stub = sim.env.COUNTER.getByName("a")
    for expected in (1, 2):
        assert expected == await stub.remember()

@simulated(durable_objects={"COUNTER": Counter}, network=None, orders=())
async def test_holds(sim):
    assert 1 == await sim.env.COUNTER.getByName("a").remember()
"""


def test_pytest_runs_them(tmp_path: Path) -> None:
    """One passes; of the other the report has the story and the command that replays it."""
    (tmp_path / "test_them.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_them.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip

    assert "1 failed, 1 passed" in done.stdout
    assert "1. object1=evict at t=0.000000s: Counter('a') is evicted before #2 Counter('a').remember" in done.stdout
    assert "dosim replay test_them.py::test_race@dosim=" in done.stdout


CELL = (
    PROGRAM
    + """
try:
    test_race()
except AssertionError as error:
    print(error.__notes__[-1] if "broken" in error.__notes__[-1] else error.__notes__[0])
test_holds()
"""
)


@pytest.mark.parametrize("running", [False, True], ids=["plain", "in a running loop"])
def test_a_cell_runs_them(running: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Code without a file, with the loop of the notebook running around it."""
    code = compile(CELL, "<ipython-input-1-0123456789ab>", "exec")

    async def cell() -> None:
        exec(code, {"__name__": "__main__"})

    if running:
        asyncio.run(cell())
    else:
        exec(code, {"__name__": "__main__"})
    printed = capsys.readouterr().out

    assert "test_race is broken, with 1 deviation." in printed
    assert 'or in the test: Simulation(..., seed=0, schedule="object1=evict")' in printed
    assert "dosim replay" not in printed  # a cell has no file that another process finds


# -- bad input


def _nothing(sim: Simulation) -> None:
    """A test of nothing."""


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: simulated(examples=0), ValueError, "examples=0: give a whole number, 1 or more."),
        (lambda: simulated(invariants=[7]), TypeError, "invariants has 7, which cannot be called"),
        (lambda: simulated()(lambda: None), TypeError, "takes no `sim`: write it as `async def test(sim): ...`."),
        (lambda: simulated()(Counter), TypeError, "@simulated decorates a function that takes `sim`, not <class"),
        (lambda: simulated()(lambda sim, faults: None), TypeError, "'faults' is what @simulated draws for the test"),
        (lambda: simulated(faults="fire")(lambda sim: None), ValueError, "faults has 'fire', which is none: use evict"),
        (lambda: simulated(orders=["x"])(lambda sim: None), ValueError, "orders has 'x', which is none: use event"),
        (simulated(seeed=1)(_nothing), TypeError, "seeed"),
        (lambda: schedules(most=-1), ValueError, "most=-1: give the largest number of deviations, 0 or more."),
        (lambda: faults("fire"), ValueError, "faults has 'fire'"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(make: Callable[[], Any], error: type[Exception], says: str) -> None:
    """With the fix, when the test is made; what only Simulation knows, when it runs."""
    with pytest.raises(error) as refused:
        make()

    assert says in str(refused.value)


def test_a_strategy_for_an_argument_that_is_none_is_refused() -> None:
    """And an argument for which no strategy is given, by Hypothesis."""
    with pytest.raises(TypeError, match="given has 'amount', and <lambda> takes no such argument"):
        simulated(given={"amount": st.integers()})(lambda sim: None)
    with pytest.raises(InvalidArgument, match="amount=7"):
        simulated(given={"amount": 7})(lambda sim, amount: None)()


def test_a_test_that_differs_from_run_to_run_is_refused() -> None:
    """Before Hypothesis calls it flaky: check_determinism names the line."""
    runs: list[int] = []

    @simulated(**COUNTER)
    async def drifts(sim: Simulation) -> None:
        runs.append(0)
        await counter(sim, f"object {len(runs)}").add()

    with pytest.raises(
        BadTest, match=r"drifts is not deterministic: .* dosim.testing.check_determinism names the line"
    ):
        drifts()


# -- how soon what is found is small


def shrinking(test: Any, number: int) -> tuple[int, int, Schedule]:
    """Hypothesis's own search with a seed: runs until something breaks, runs after that, and what it ends with."""
    subject = test.subject
    decisions = {kind: count + 5 for kind, count in plain_run(subject).chooser.counts.items()}
    log: list[tuple[bool, Schedule]] = []

    @seed(number)
    @settings(
        max_examples=5_000, database=None, deadline=None, phases=(Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
    @given(schedules(subject.orders, decisions=decisions), faults(subject.faults, decisions=decisions))
    def once(schedule: Schedule, plan: Schedule) -> None:
        outcome = subject.run(Chooser(schedule | plan))
        log.append((outcome.error is not None, schedule | plan))
        if outcome.error is not None:
            raise outcome.error

    broken(once)
    until = [fails for fails, _ in log].index(True) + 1
    return until, len(log) - until, log[-1][1]


@pytest.mark.parametrize(
    ("test", "deviations", "most_runs"),
    [(explored.one_copy, 1, 25), (explored.two_copies, 2, 75), (explored.three_copies, 3, 280)],
)
def test_hypothesis_shrinks_to_the_deviations_that_are_needed(test: Any, deviations: int, most_runs: int) -> None:
    """One, two, three of them, in a median of few runs, where a draw for each decision took thousands."""
    measured = [shrinking(test, number) for number in range(9)]
    until, after = ([row[place] for row in measured] for place in (0, 1))
    print(
        f"{test.subject.name}: found after {sorted(until)} runs, shrunk in {sorted(after)} more"
    )  # pytest -s shows it

    assert {deviations} == {len(schedule) for _, _, schedule in measured}
    assert median(after) <= most_runs
