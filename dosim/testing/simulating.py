"""`@simulated`: a test of a simulated world, which Hypothesis runs under many schedules and faults."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dosim.kernel.chooser import FAULTS, ORDERS, Chooser, Schedule
from dosim.kernel.making import making
from dosim.simulation import Simulation
from dosim.testing.exploring import plain_run
from dosim.testing.failures import Failure
from dosim.testing.invariants.violations import Invariant
from dosim.testing.subjects import BadTest, Subject, quiet, reference_of

if TYPE_CHECKING:
    from hypothesis import strategies as st

#: Examples that Hypothesis tries, unless told.
EXAMPLES = 100
#: Decisions of a kind beyond those of the plain run: a deviation brings new ones.
_MORE = 5


def simulated(
    worker: type | None = None,
    *,
    project: str | Path | None = None,
    faults: Any = (),
    orders: Any = None,
    invariants: Sequence[Invariant] = (),
    examples: int = EXAMPLES,
    given: Mapping[str, Any] | None = None,
    **options: Any,
) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Make a test of a function, async or not, that takes `sim`: run under many schedules, by Hypothesis.

        @simulated(durable_objects={"COUNTER": Counter}, faults=("evict",))
        async def test_no_increment_is_lost(sim):
            stub = sim.env.COUNTER.getByName("a")
            await asyncio.gather(stub.increment(), stub.increment())
            assert await stub.value() == 2

    worker and options: those of `Simulation`; or project: a folder, for `Simulation.from_project`. faults: the kinds
    that may come (a test says what it can live with; none unless told). orders: the orders that are open ("event",
    "waiter", "delay", "retry" unless told). invariants: functions of the simulation, called at the end. examples: how
    many schedules Hypothesis tries. given: further arguments of the test, name -> Hypothesis strategy.

    The result takes no `sim`: pytest and unittest run it, and so does a cell that calls it; fixtures are made once for
    all runs. `dosim explore PATH::test` and `explore(test)` search longer. What fails has the story as a note, with the
    schedule to replay it. A world that goes round for ever is ended, and named; a Python loop without any await or
    storage operation in it is not: nothing can stop that but Ctrl-C.
    """
    if not isinstance(examples, int) or examples < 1:
        raise ValueError(f"examples={examples!r}: give a whole number, 1 or more.")
    for invariant in invariants:
        if not callable(invariant):
            raise TypeError(f"invariants has {invariant!r}, which cannot be called: give functions of a simulation.")

    def decorate(test: Callable[..., Any]) -> Callable[..., None]:
        if not callable(test) or isinstance(test, type):
            raise TypeError(f"@simulated decorates a function that takes `sim`, not {test!r}.")
        return _decorated(test, make, tuple(invariants), faults, orders, examples, dict(given or {}))

    def make() -> Simulation:
        return Simulation(worker, **options) if project is None else Simulation.from_project(project, **options)

    return decorate


def _decorated(
    test: Callable[..., Any],
    make: Callable[[], Simulation],
    invariants: tuple[Invariant, ...],
    faults: Any,
    orders: Any,
    examples: int,
    drawn: dict[str, Any],
) -> Callable[..., None]:
    from hypothesis import HealthCheck, Phase, given, reject, settings

    rest = _parameters(test)
    for known in drawn:
        if known not in [parameter.name for parameter in rest]:
            raise TypeError(f"given has {known!r}, and {getattr(test, '__name__', test)} takes no such argument.")
    by_place = [parameter.name for parameter in rest if parameter.kind is not parameter.KEYWORD_ONLY]

    def drive(**values: Any) -> Simulation:
        sim = make()
        sim.driven_by = functools.partial(drive, **values)
        result = test(sim=sim, **values)
        if inspect.iscoroutine(result):
            sim.run(result)
        return sim

    def body(**values: Any) -> None:
        sim = drive(**values)
        for invariant in invariants:
            check_invariant(invariant, sim)

    name = getattr(test, "__qualname__", repr(test))
    needs = [parameter.name for parameter in rest if parameter.default is parameter.empty]
    subject = Subject(
        body, name=name, reference=reference_of(test), faults=faults, orders=orders, code=test, needs=needs
    )  # fmt: skip

    def runs(*args: Any, schedule: Schedule, faults: Schedule, **values: Any) -> None:
        once = subject.with_function(functools.partial(body, **dict(zip(by_place, args, strict=False)), **values))
        with quiet():
            outcome = once.run(Chooser(schedule | faults))
            rejected = outcome.rejected
            error = None if outcome.error is None else Failure(once, outcome, first=outcome.schedule).told_error()
            del outcome
        if rejected:
            reject()
        if error is not None:
            raise error

    _disguise(runs, test, rest)
    schedule, plan = _strategies(subject)
    tested: Any = given(schedule=schedule, faults=plan, **drawn)(runs)
    phases = [phase for phase in Phase if phase is not Phase.explain]  # the story explains, without dosim's own lines
    # A world takes the time it takes; fixtures and the cases of a unittest class are made once for all runs.
    calm = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.differing_executors)
    tested = settings(max_examples=examples, deadline=None, phases=phases, suppress_health_check=calm)(tested)
    tested.subject = subject
    return tested  # type: ignore[no-any-return]


def _parameters(test: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a test but `sim`. Raises TypeError when it does not take that, or takes one of ours."""
    parameters = dict(inspect.signature(test).parameters)
    if parameters.pop("sim", None) is None:
        raise TypeError(f"{getattr(test, '__name__', test)} takes no `sim`: write it as `async def test(sim): ...`.")
    for name in ("schedule", "faults"):
        if name in parameters:
            raise TypeError(f"{name!r} is what @simulated draws for the test; name the test's own argument otherwise.")
    return list(parameters.values())


def _disguise(runs: Callable[..., None], test: Callable[..., Any], rest: Sequence[inspect.Parameter]) -> None:
    """Let a function look like the test, but take what is drawn instead of `sim`."""
    functools.update_wrapper(runs, test, assigned=("__module__", "__name__", "__qualname__", "__doc__"), updated=())
    del runs.__wrapped__  # type: ignore[attr-defined]  # its signature is not ours
    if hasattr(test, "pytestmark"):
        runs.pytestmark = test.pytestmark  # type: ignore[attr-defined]
    ours = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in ("schedule", "faults")]
    runs.__signature__ = inspect.Signature([*rest, *ours])  # type: ignore[attr-defined]


def _strategies(subject: Subject) -> tuple[st.SearchStrategy[Schedule], st.SearchStrategy[Schedule]]:
    """What is drawn for a test: from the decisions that its plain run has, once that has been seen."""
    from hypothesis import strategies as st

    from dosim.testing import strategies

    @functools.cache
    def decisions() -> dict[str, int]:
        if subject.needs:
            return dict.fromkeys((*ORDERS, *FAULTS), strategies.DECISIONS)
        counts = plain_run(subject).chooser.counts
        return {kind: count + _MORE for kind, count in counts.items()}

    return (
        st.deferred(lambda: strategies.schedules(subject.orders, decisions=decisions())),
        st.deferred(lambda: strategies.faults(subject.faults, decisions=decisions())),
    )


def check_invariant(invariant: Invariant, sim: Simulation) -> None:
    """Call an invariant. Raises BadTest when it is broken itself: it raised something but an AssertionError."""
    watching, making[:] = [*making], []  # the forks that an invariant makes are not the test's
    try:
        invariant(sim)
    except AssertionError:
        raise
    except Exception as error:
        name = getattr(invariant, "__name__", repr(invariant))
        raise BadTest(
            f"the invariant {name} raised {type(error).__name__}: {error}. An invariant raises AssertionError when it"
            " is violated; anything else is a mistake in it."
        ) from error
    finally:
        making[:] = watching
