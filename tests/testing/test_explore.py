"""`explore`: what breaks a test is found, shrunk, told and replayed; what cannot be explored is refused in words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from dosim import Simulation
from dosim.kernel.chooser import Chooser, Schedule, exploring
from dosim.kernel.making import making
from dosim.testing import BadTest, Exploration, explore, simulated, sometimes
from dosim.testing.searching import STRATEGIES
from dosim.testing.subjects import Subject
from dosim.workers import DurableObject, js
from tests.testing import explored
from tests.testing.explored import Counter, counter


def found(exploration: Exploration) -> str:
    """The schedule that breaks the test."""
    assert exploration.failure is not None, str(exploration)
    return str(exploration.failure.schedule)


# -- strategies


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("test", [explored.loses_an_update, explored.depends_on_the_order], ids=["late", "order"])
def test_every_strategy_finds_an_order_that_breaks(test: Any, strategy: str) -> None:
    """Shrunk, it is one deviation, whichever way it was found."""
    failure = explore(test, strategy=strategy).failure

    assert failure is not None
    assert 1 == len(failure.schedule)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_finds_a_fault_that_breaks(strategy: str) -> None:
    """An eviction between two requests; the others draw it, PCT beside its priorities."""
    assert re.fullmatch(r"object\d+=evict", found(explore(explored.forgets, strategy=strategy)))


@pytest.mark.parametrize(
    ("test", "deviations"), [(explored.one_copy, 1), (explored.two_copies, 2), (explored.three_copies, 3)]
)
def test_what_needs_several_deviations_is_found_and_shrunk_to_them(test: Any, deviations: int) -> None:
    """One, two, three evictions, of as many objects."""
    failure = explore(test, runs=4_000).failure

    assert failure is not None
    assert [deviations, {"evict"}] == [
        len(failure.schedule),
        {text.partition("=")[2] for text in str(failure.schedule).split(",")},
    ]


def test_an_exhaustive_search_proves_a_small_world() -> None:
    """Every schedule with up to two evictions was tried, and three are needed."""
    proved = explore(explored.three_copies, strategy="exhaustive", runs=100_000, orders=(), shrink=False)
    refuted = explore(explored.two_copies, strategy="exhaustive", orders=())

    assert (2, "failure") == (proved.complete_to, proved.ended)
    assert 1 == refuted.complete_to and refuted.failure is not None and 2 == len(refuted.failure.schedule)


def test_an_exhaustive_search_ends_when_everything_was_tried() -> None:
    """Two calls on one stub leave little open: the answer to the first, or the arrival of the second."""

    def two_calls() -> None:
        sim = Simulation(durable_objects={"COUNTER": Counter}, network=None)
        one = counter(sim)
        assert [1, 2] == sim.run(one.add(), one.add())

    exploration = explore(two_calls, strategy="exhaustive", orders=("event",))

    assert exploration and "exhausted" == exploration.ended
    assert exploration.runs < 20
    assert f"Every schedule with at most {exploration.complete_to} deviation" in str(exploration)


def test_a_mixed_search_says_that_every_single_deviation_was_tried() -> None:
    """When its runs were enough for that."""
    singles = explore(explored.holds, strategy="exhaustive", runs=1)

    assert 0 == explore(explored.holds, runs=10).complete_to
    exploration = explore(explored.holds, runs=400)
    assert exploration, exploration.text
    assert 1 == exploration.complete_to and singles
    assert "Every schedule with at most 1 deviation was tried." in str(exploration)


def test_random_search_draws_that_a_lost_request_is_not_sent_again() -> None:
    """No plain run comes to that decision: a request must be lost first."""

    def is_sent_again() -> None:
        sim = Simulation(durable_objects={"COUNTER": Counter}, network=None)
        assert 1 == sim.run(counter(sim).add())

    exploration = explore(is_sent_again, strategy="random", faults=("request_lost",), orders=("retry",))

    assert "retry1=never,message1=request_lost" == found(exploration)


# -- the same again


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_seed_decides_the_search(strategy: str) -> None:
    """The same runs, to the same failure; another seed takes another way, where chance has a part."""
    first, again = (explore(explored.three_copies, strategy=strategy, seed=5, runs=150) for _ in range(2))

    assert str(first) == str(again)
    assert (first.runs, first.decisions, first.sometimes) == (again.runs, again.decisions, again.sometimes)


def test_another_seed_is_another_search() -> None:
    """Three evictions are found after another number of runs."""
    runs = {explore(explored.two_copies, strategy="random", seed=seed, shrink=False).runs for seed in range(5)}

    assert 1 < len(runs)


def spawned() -> Executor:
    return ProcessPoolExecutor(2, mp_context=get_context("spawn"))


@pytest.mark.parametrize("strategy", [pytest.param(name, marks=pytest.mark.slow) for name in STRATEGIES] + ["mixed"])
def test_processes_find_the_same(strategy: str) -> None:
    """The result does not depend on who runs: the same failure after as many runs."""
    options: dict[str, Any] = {"strategy": strategy, "runs": 300}
    here = explore(explored.two_copies, **options)
    with spawned() as executor:
        there = explore(explored.two_copies, **options, executor=executor)
        quiet = explore(explored.holds, runs=60, executor=executor)

    assert str(here) == str(there)
    assert (here.runs, here.sometimes, here.complete_to) == (there.runs, there.sometimes, there.complete_to)
    assert str(explore(explored.holds, runs=60)) == str(quiet)


# -- budgets, marks, progress


def test_the_budget_may_be_in_seconds() -> None:
    """It ends soon after; how many runs that were is said."""
    exploration = explore(explored.holds, seconds=0.3)

    assert exploration and "seconds" == exploration.ended
    assert f"nothing broke in {exploration.runs} runs" in str(exploration)


def test_the_budget_may_be_in_runs() -> None:
    """Exactly so many, and progress is told of each."""

    class Bar:
        done = 0

        def update(self, count: int) -> None:
            self.done += count

    bar = Bar()
    exploration = explore(explored.holds, runs=73, progress=bar)

    assert (73, 73, "runs") == (exploration.runs, bar.done, exploration.ended)


def test_sometimes_counts_the_runs_that_came_to_a_mark() -> None:
    """What was never reached is named: it was not tested."""
    exploration = explore(explored.holds, runs=400)

    assert ["more was added than was told", "less was added than was told", "an addition fails"] == [
        *exploration.sometimes
    ]
    assert ["less was added than was told"] == exploration.never
    assert 0 < exploration.sometimes["more was added than was told"] < 401
    assert "never reached: less was added than was told: what it guards was not tested" in str(exploration)


def test_sometimes_outside_an_exploration_is_without_effect() -> None:
    """And a mark is a text."""
    sometimes("anything", condition=True)
    with pytest.raises(TypeError, match=r"mark=7 is no text: write sometimes\('what should happen', condition\)"):
        sometimes(7)  # type: ignore[arg-type]


def test_ctrl_c_ends_an_exploration_and_leaves_nothing() -> None:
    """Whatever it comes into: the next simulation is decided by nobody."""
    runs = 0

    def interrupted() -> None:
        nonlocal runs
        runs += 1
        sim = Simulation(durable_objects={"COUNTER": Counter}, network=None)
        assert 1 == sim.run(counter(sim).add())
        if runs == 9:
            raise KeyboardInterrupt

    watching = [*making]
    with pytest.raises(KeyboardInterrupt):
        explore(interrupted)

    assert (9, [], watching) == (runs, exploring, making)
    assert Simulation().world.chooser is None


# -- what is found is told


STORY = """\
forgets is broken, found after 1 run, with 1 deviation.

AssertionError
  at explored.py:LINE (assert expected == await counter(sim).remember())
  where expected = 2

Unlike a plain run:
  1. object1=evict at t=0.000000s: Counter('a') is evicted before #2 Counter('a').remember

        time  #1 Counter('a').remember               | #2 Counter('a').remember
        0 µs  Counter('a'): instance 1 begins
        0 µs  starts                                 |
        0 µs  returns                                |
        0 µs  >> object1=evict: Counter('a') is evicted before #2 Counter('a').remember
        0 µs  Counter('a'): instance 1 leaves memory
        0 µs  Counter('a'): instance 2 begins
        0 µs                                         | starts
        0 µs                                         | returns

replay: dosim replay tests/testing/explored.py::forgets@dosim=VERSION,code=CODE,object1=evict
or in the test: Simulation(..., seed=0, schedule="object1=evict")"""


def test_a_failure_tells_its_story() -> None:
    """What broke, what was otherwise, what happened to whom, and how to see it again."""
    failure = explore(explored.forgets, orders=()).failure

    assert failure is not None
    story = re.sub(r"explored\.py:\d+", "explored.py:LINE", failure.story)
    story = re.sub(r"dosim=[^,]+,code=[0-9a-f]{8}", "dosim=VERSION,code=CODE", story)
    assert STORY == story


def test_check_raises_what_broke_with_its_story() -> None:
    """The same class of error, at the same line, with the story as a note and the token."""
    exploration = explore(explored.forgets)
    with pytest.raises(AssertionError) as raised:
        exploration.check()

    assert exploration.failure is not None
    assert exploration.failure.story in raised.value.__notes__
    assert exploration.failure.token == raised.value.token  # type: ignore[attr-defined]
    assert not exploration and "broken by object" in repr(exploration)


def test_a_failure_can_be_replayed_and_walked_to() -> None:
    """The same run again; and from the last schedule that passes to the one that fails."""
    failure = explore(explored.two_copies).failure

    assert failure is not None
    assert failure.outcome.digest == failure.replay().digest
    lines = failure.history().replace("\n  ", " ").splitlines()  # long lines are folded
    assert ["plain: passes", True, True] == [lines[0], lines[1].endswith(": passes"), ": fails: " in lines[2]]


def test_a_failure_can_be_drawn(tmp_path: Path) -> None:
    """As SVG; the file's name may ask for a PNG."""
    failure = explore(explored.forgets).failure

    assert failure is not None
    assert failure.save_picture(tmp_path / "failure.svg").read_text().startswith("<svg")
    assert b"\x89PNG" == failure.save_picture(tmp_path / "failure.png").read_bytes()[:4]
    assert "<svg" in failure._repr_html_()


def test_a_failure_in_the_plain_run_is_told_as_such() -> None:
    """No deviation is needed, so none is looked for."""

    def broken() -> None:
        sim = Simulation(durable_objects={"COUNTER": Counter}, network=None)
        assert 2 == sim.run(counter(sim).add())

    exploration = explore(broken)

    assert 0 == exploration.runs and "" == found(exploration)
    assert "is broken, in a plain run, without any deviation." in str(exploration)
    assert "replay:" not in str(exploration)  # a function in a function has no name for another process


def test_what_pytest_fail_raises_is_a_failure() -> None:
    """It is no Exception, and a test's way to fail all the same."""

    def fails() -> None:
        sim = Simulation(durable_objects={"COUNTER": Counter}, network=None)
        one = counter(sim)
        if sim.run(one.remember()) + sim.run(counter(sim).remember()) != 3:
            pytest.fail("forgotten")

    exploration = explore(fails, faults=("evict",))

    assert "object1=evict" == found(exploration)
    assert "Failed: forgotten" in str(exploration)


def test_a_test_that_skips_itself_is_skipped() -> None:
    """Here, too: there is nothing to explore in it."""
    with pytest.raises(pytest.skip.Exception):
        explore(lambda: pytest.skip("not today"))


# -- forks


def test_a_fork_of_an_explored_simulation_has_its_past_and_schedule() -> None:
    """From recorded calls, from the function that made it, and at a moment of it."""

    def story() -> Simulation:
        sim = Simulation(durable_objects={"COUNTER": Counter})
        for _ in range(3):
            sim.run(counter(sim).remember())
        return sim

    outcome = Subject.of(story).run(Chooser(Schedule.parse("delay1=10ms,object2=evict,object9=crash")))
    sim = outcome.simulations[0]

    assert "delay1=10ms,object2=evict" == str(outcome.schedule)
    for fork in (sim.fork(), sim.fork(run=story), sim.fork(at=sim.trace[-1])):
        assert sim.trace.digest == fork.trace.digest
        assert outcome.schedule == fork.world.chooser.taken  # type: ignore[union-attr]
    early = sim.fork(at=1)
    assert "delay1=10ms" == str(early.world.chooser.taken)  # type: ignore[union-attr]
    assert "delay1=10ms,object2=evict,object9=crash" == str(early.world.chooser.schedule)  # type: ignore[union-attr]


def test_the_failing_simulation_can_be_forked() -> None:
    """To go on from just before what broke it: the schedule is the failure's."""
    failure = explore(explored.forgets, orders=()).failure

    assert failure is not None and failure.simulation is not None
    choice = next(record for record in failure.simulation.trace if record.kind == "choice")
    fork = failure.simulation.fork(before=choice)

    assert choice.seq - 1 == fork.trace.count
    fork.run()
    assert failure.simulation.trace.digest == fork.trace.digest


# -- bad input


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"strategy": "dfs"}, ValueError, "strategy='dfs' is not known: use 'mixed', 'random', 'exhaustive', 'pct'."),
        ({"runs": 0}, ValueError, "runs=0: give a whole number, 1 or more."),
        ({"runs": True}, ValueError, "runs=True: give a whole number, 1 or more."),
        ({"most_events": 1.5}, ValueError, "most_events=1.5: give a whole number, 1 or more."),
        ({"seconds": 0}, ValueError, "seconds=0: give a number of seconds of real time, more than 0."),
        ({"seed": "x"}, TypeError, "seed='x' is no seed of a search: give a whole number."),
        ({"faults": ("fire",)}, ValueError, "faults has 'fire', which is none: use evict, crash, reset, deploy,"),
        ({"orders": ("events",)}, ValueError, "orders has 'events', which is none: use event, waiter, ready, delay,"),
        ({"faults": "evict, fire"}, ValueError, "faults has 'fire'"),
        ({"faults": 7}, TypeError, "faults=7"),
        ({"executor": 4}, TypeError, "executor=4"),
    ],
)
def test_bad_arguments_are_named(options: dict[str, Any], error: type[Exception], says: str) -> None:
    """With what to give instead."""
    with pytest.raises(error, match=re.escape(says)):
        explore(explored.holds, **options)


async def a_coroutine_function() -> None:
    """Needs a simulation to run in."""


@pytest.mark.parametrize(
    ("test", "says"),
    [
        (a_coroutine_function, "a_coroutine_function is a coroutine function, which needs a simulation to run in"),
        (lambda sim: None, "takes sim: explore calls a function without arguments"),
        (Counter, "cannot be explored: give a function, or what @simulated made of one."),
        ("tests.py::test", "test='tests.py::test' cannot be explored"),
    ],
)
def test_what_is_no_test_is_refused(test: Any, says: str) -> None:
    """With what explore takes."""
    with pytest.raises(TypeError, match=re.escape(says)):
        explore(test)


def test_a_test_without_a_simulation_is_refused() -> None:
    """There is nothing to explore in it; nor in one that has a schedule of its own."""
    with pytest.raises(BadTest, match="made no Simulation, so there is nothing to explore in it"):
        explore(lambda: None)
    with pytest.raises(BadTest, match=re.escape("gives its Simulation a schedule of its own")):
        explore(lambda: Simulation(schedule="") and None)


@pytest.mark.parametrize("name", ["<lambda>", "inner"])
def test_what_has_no_name_cannot_go_to_another_process(name: str) -> None:
    """A lambda, a function in a function: said before anything is sent."""

    def inner() -> None:
        Simulation()

    test: Callable[[], Any] = inner if name == "inner" else lambda: Simulation() and None
    with spawned() as executor, pytest.raises(TypeError, match="cannot be sent to another process: it has no file"):
        explore(test, executor=executor)


def test_a_test_that_fails_only_elsewhere_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """It depends on its process, and the search says so."""
    import os

    monkeypatch.setenv("DOSIM_EXPLORED_HERE", str(os.getpid()))
    with spawned() as executor, pytest.raises(BadTest, match=r"failed in another process with schedule .*check_determ"):
        explore(explored.dies_once_in_a_worker, runs=5, executor=executor)


def test_a_test_that_differs_from_run_to_run_is_refused() -> None:
    """Nothing that is found could be replayed: the record where they part is shown, and who names the line."""
    runs: list[int] = []

    def drifts() -> None:
        runs.append(0)
        sim = Simulation(durable_objects={"COUNTER": Counter}, network=None)
        sim.run(counter(sim).add(len(runs)), counter(sim, f"object {len(runs)}").add())

    with pytest.raises(BadTest, match=r"is not deterministic: .*dosim.testing.check_determinism names") as refused:
        explore(drifts)

    assert "object 2" in str(refused.value)


def test_a_test_that_differs_only_when_it_fails_is_refused() -> None:
    """What is found does not come again."""
    runs: list[int] = []

    def once() -> None:
        runs.append(0)
        sim = Simulation(durable_objects={"COUNTER": Counter}, network=None)
        sim.run(counter(sim).add())
        assert len(runs) != 7

    with pytest.raises(BadTest, match="is not deterministic"):
        explore(once)


def test_an_invariant_that_is_broken_itself_is_named() -> None:
    """KeyError is no verdict."""

    def has_a_key(sim: Simulation) -> None:
        raise KeyError("missing")

    @simulated(durable_objects={"COUNTER": Counter}, invariants=[has_a_key])
    async def test(sim: Simulation) -> None:
        await counter(sim).add()

    says = "the invariant has_a_key raised KeyError: 'missing'. An invariant raises AssertionError when it is violated"
    with pytest.raises(BadTest, match=re.escape(says)):
        explore(test)
    with pytest.raises(BadTest, match=re.escape(says)):
        test()


# -- worlds that never end


class Endless(DurableObject):
    """Methods that never end."""

    async def ping(self, other: str) -> None:
        await self.env.ENDLESS.getByName(other).ping(self.ctx.id.name)

    async def sleep(self) -> None:
        while True:  # noqa: ASYNC110 (it is meant to go round)
            await asyncio.sleep(0)

    async def get(self) -> None:
        while True:
            await self.ctx.storage.get("n")

    async def get_whatever_comes(self) -> None:
        while True:
            try:
                await self.ctx.storage.get("n")
            except Exception:
                continue

    async def sql(self) -> None:
        while True:
            self.ctx.storage.sql.exec("SELECT 1")

    async def timer(self) -> None:
        while True:  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    async def alarm(self, info: Any = None) -> None:
        await self.ctx.storage.setAlarm(js.Date.now())

    async def arm(self) -> None:
        await self.ctx.storage.setAlarm(js.Date.now())
        await asyncio.get_running_loop().create_future()


STEPS = "Endless('a'), in #1 Endless('a').{}, took more than 2,000 steps within one event, at t="
EVENTS = "the run did not end within 2,000 events, at t="


@pytest.mark.parametrize(
    ("method", "says", "busiest"),
    [
        ("ping", EVENTS, "The busiest is Endless('"),
        ("timer", EVENTS, "The busiest is Endless('a'): "),
        ("arm", EVENTS, "The busiest is Endless('a'): "),
        ("sleep", STEPS, "The busiest is Endless('a'): "),
        ("get", STEPS, "The busiest is Endless('a'): "),
        ("get_whatever_comes", STEPS, "The busiest is Endless('a'): "),
        ("sql", STEPS, "The busiest is Endless('a'): "),
    ],
)
def test_an_endless_world_is_ended_and_its_busiest_object_named(method: str, says: str, busiest: str) -> None:
    """Two that call each other for ever; a timer, an alarm; a loop that never waits for anything."""

    @simulated(durable_objects={"ENDLESS": Endless}, network=None)
    async def test(sim: Simulation) -> None:
        other = ("b",) if method == "ping" else ()
        await getattr(sim.env.ENDLESS.getByName("a"), method)(*other)

    with pytest.raises(BadTest) as ended:
        explore(test, most_events=2_000)

    assert says.format(method) in str(ended.value) and busiest in str(ended.value)


def test_an_endless_test_is_ended() -> None:
    """What goes round is the test's own coroutine."""

    @simulated(durable_objects={"COUNTER": Counter}, network=None)
    async def test(sim: Simulation) -> None:
        while await counter(sim).value() == 0:
            pass

    @simulated(durable_objects={"COUNTER": Counter}, network=None)
    async def waits(sim: Simulation) -> None:
        while True:  # noqa: ASYNC110 (it is meant to go round)
            await asyncio.sleep(0)

    with pytest.raises(BadTest, match="did not end within 500 events"):
        explore(test, most_events=500)
    with pytest.raises(BadTest, match="the test itself took more than 500 steps within one event"):
        explore(waits, most_events=500)


def test_what_is_endless_only_when_something_is_lost_is_a_failure() -> None:
    """A caller that tries again for ever: found, and told with the busiest object."""

    @simulated(durable_objects={"COUNTER": Counter}, network=None, faults=("evict",))
    async def waits_for_ever(sim: Simulation) -> None:
        await counter(sim).remember()
        count = await counter(sim).remember()
        while count != 2:
            count = await counter(sim).value()

    exploration = explore(waits_for_ever, most_events=3_000, orders=())

    assert "Endless: the run did not end within 3,000 events" in str(exploration)
    assert "The busiest is Counter('a'): " in str(exploration)
