"""Forks: another simulation that stands at a moment of this one's past, to go on differently from there.

State is not copied, it is lived again (docs/decisions/0009): the fork is made with the same arguments, and what the
outside did is done to it again at the same places between the same events. Everything inside follows from that. The
records of both up to the moment are compared, so a fork that is returned is known to have the same past.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from dosim.bindings.external import ExternalService
from dosim.bindings.namespace import DurableObjectNamespace, Stub, StubLink
from dosim.bindings.outside import OutsideSocket
from dosim.bindings.stubs import RemoteStub
from dosim.kernel.chooser import exploring
from dosim.kernel.durations import instant_us
from dosim.kernel.loop import NO_LIMIT, Loop
from dosim.kernel.making import making
from dosim.network import Network
from dosim.platform.facts import EPOCH_MS
from dosim.runtime.calls import OutsideCall
from dosim.simulation.clients import Client
from dosim.simulation.errors import ForkError
from dosim.simulation.journal import Action, changed, kept, result_of
from dosim.simulation.objects import ObjectView
from dosim.simulation.options import check_seed
from dosim.trace import Record
from dosim.web.ids import DurableObjectId
from dosim.workers.http import PyodideFetchResponse

if TYPE_CHECKING:
    from dosim.simulation.journal import Journal
    from dosim.simulation.simulation import Simulation

#: As late as a run may be told to stop.
_LATEST_US = NO_LIMIT - 1


@dataclass(frozen=True)
class Moment:
    """Where a fork is to stand: at a time, or behind the event that made a record, or before it. All None: now."""

    time_us: int | None = None
    record: int | None = None
    before: bool = False
    #: Between which events: the number of actions made, then of events handled. Found out for `before`.
    place: tuple[int, int] | None = None


def moment_of(simulation: Simulation, at: object, before: object) -> Moment:
    """The moment that the arguments of `Simulation.fork` name. Raises ValueError or TypeError."""
    if at is not None and before is not None:
        raise ValueError("at and before were both given: at is a time or a record, before a record; give one.")
    if before is not None:
        return Moment(record=_record(simulation, "before", before), before=True)
    if at is None:
        return Moment()
    if isinstance(at, (Record, int)) and not isinstance(at, bool):
        return Moment(record=_record(simulation, "at", at))
    time_us = instant_us(at, "at", EPOCH_MS)
    if not 0 <= time_us <= simulation.world.loop.time_us():
        raise ValueError(f"at={at!r} has not been yet: it is {simulation.now!r}. Fork at a moment of the past.")
    return Moment(time_us=time_us)


def _record(simulation: Simulation, argument: str, value: object) -> int:
    number = value.seq if isinstance(value, Record) else value
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError(f"{argument}={value!r} is no record: give one of sim.trace, or its number (seq).")
    if not 1 <= number <= simulation.trace.count:
        raise ValueError(f"{argument}={number}: the trace has records 1 to {simulation.trace.count}.")
    return number


def forked(simulation: Simulation, moment: Moment, *, seed: int | str | None, run: Callable[[], object] | None) -> Any:
    """See `Simulation.fork`."""
    journal: Journal | None = simulation._journal
    if journal is None:
        raise ValueError(
            f"a fork needs every record, and retention is {simulation.trace.retention!r}: make the simulation with"
            ' retention="full".'
        )
    if seed is not None:
        check_seed(seed)
    loop = simulation.world.loop
    if loop.running or inspect.iscoroutinefunction(run):
        raise RuntimeError(
            "sim.fork() was called inside a run: call it between two runs."
            if loop.running
            else "run= was given a coroutine function, and a fork calls it outside: give a plain function, in which"
            " sim.run(...) runs your coroutine."
        )
    if simulation._runner.interrupted_us is not None:
        raise RuntimeError("this simulation was interrupted in the middle of an event, so no fork can be compared.")
    if run is None and journal.refusal is not None:
        run = simulation.driven_by
    if run is None:
        fork, twins = _replayed(simulation, journal, moment)
    else:
        fork, twins = _rerun(simulation, moment, run), None
    fork._twins = twins
    fork.world.made_by = f"{simulation.world.replay}, its calls, .fork({_told(fork, moment)}{_seeded(seed)})"
    if seed is not None:
        fork._reseed(seed)
    return fork


def _told(fork: Simulation, moment: Moment) -> str:
    if moment.record is not None:
        return f"{'before' if moment.before else 'at'}={moment.record}"
    return f"at='{fork.world.loop.time_us()}us'"


def _seeded(seed: int | str | None) -> str:
    return "" if seed is None else f", seed={seed!r}"


# -- from recorded actions


def _replayed(simulation: Simulation, journal: Journal, moment: Moment) -> tuple[Simulation, Twins]:
    """A new simulation to which the recorded actions were done, up to the moment, and who is who in it."""
    if journal.refusal is not None and not _is_before(moment, simulation, journal.refusal[1]):
        raise ForkError(journal.why_not())
    if moment.before:
        scout = Twins(simulation)
        _same_past(simulation, scout, moment)
        moment = replace(moment, place=scout.place)
    twins = Twins(simulation)
    _same_past(simulation, twins, moment)
    return twins.fork, twins


def _is_before(moment: Moment, simulation: Simulation, at_us: int) -> bool:
    """Whether the moment is earlier than this time."""
    if moment.record is not None:
        return simulation.trace[moment.record - 1].t_us < at_us
    return moment.time_us is not None and moment.time_us < at_us


def _same_past(simulation: Simulation, twins: Twins, moment: Moment) -> None:
    """Live the past again, quietly. Raises ForkError when it comes out differently."""
    journal: Any = simulation._journal
    world = twins.fork.world
    shown, world.show_output = world.show_output, False
    journal.replaying = True
    failure: Exception | None = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            twins.replay(journal.actions, moment)
    except Exception as error:
        failure = error
    finally:
        journal.replaying = False
        world.show_output = shown
    difference = first_difference(simulation, twins.fork) or _missing(simulation, twins.fork, moment)
    if difference or failure is not None:
        said = difference or f"{type(failure).__name__}: {failure}"
        raise ForkError(
            f"the same actions led somewhere else: {said}\nYour code depends on something outside the simulation (a"
            " module global or class attribute that the first run changed, a file, a handler's variable), or something"
            " from outside was done behind the simulation's methods (sim.network.cut for sim.cut)."
            " The fix: let a function make the classes, the simulation and the calls, and give fork that function,"
            " sim.fork(at=..., run=function)."
        ) from failure


def first_difference(simulation: Simulation, fork: Simulation) -> str:
    """The first record in which the fork's past is another one, in words; "" when its records begin the original's."""
    theirs: Any = iter(simulation.trace.raw)
    for number, mine in enumerate(fork.trace.raw):
        other = next(theirs, None)
        if mine != other:
            was = "the run had ended" if other is None else str(simulation.trace[number]).strip()
            return f"record {number + 1} was\n  {was}\nand is now\n  {str(fork.trace[number]).strip()}"
    return ""


def _missing(simulation: Simulation, fork: Simulation, moment: Moment) -> str:
    """The first record that should have come before the moment and did not, in words; "" when all are there."""
    count = fork.trace.count
    if count == simulation.trace.count:
        return ""
    missing = simulation.trace[count]
    if moment.record is not None:
        late = moment.place is not None or count >= moment.record
    else:
        late = moment.time_us is not None and missing.t_us >= moment.time_us
    return "" if late else f"record {count + 1} was\n  {str(missing).strip()}\nand did not come again"


def made_again(simulation: Simulation) -> Simulation:
    """A new simulation with the same arguments, at its start."""
    scripts, adopt, options, cuts = simulation._made_of
    network = options.network.with_cuts(cuts) if isinstance(options.network, Network) else options.network
    fork = type(simulation).__new__(type(simulation))
    chooser = None if options.chooser is None else options.chooser.again(simulation._decided_before)
    fork._start(scripts, adopt, replace(options, network=network, schedule=chooser))
    return fork


class Twins:
    """A simulation and the fork that is being made of it: who in the one is who in the other."""

    def __init__(self, original: Simulation) -> None:
        self._original = original
        self.fork = made_again(original)
        #: Number of actions and of events before the step that made the record that was looked for.
        self.place = (0, 0)
        self._clients: dict[int, Client] = {}
        #: Calls from outside by their numbers, which are the same in both; a handshake by its request's.
        self._calls: dict[int, Any] = {}
        #: id of a link in the original -> the link, which is kept, and the stub in the fork.
        self._stubs: dict[int, tuple[Any, RemoteStub]] = {}

    # -- living again

    def replay(self, actions: Sequence[Action], moment: Moment) -> None:
        """Do to the fork what was done to the original, up to the moment."""
        for index, action in enumerate(actions):
            if action.is_run:
                if self._run(index, action, moment):
                    return
                continue
            self.place = (index, self.fork.world.loop.events)
            late = moment.time_us is not None and action.at_us >= moment.time_us
            if late or self.place == moment.place:
                return
            self._act(action)
            if self._has_record(moment):
                return

    def _has_record(self, moment: Moment) -> bool:
        return moment.place is None and moment.record is not None and self.fork.trace.count >= moment.record

    def _run(self, index: int, action: Action, moment: Moment) -> bool:
        """A stretch of running, to its end or to the moment; True when that has come."""
        loop, runner = self.fork.world.loop, self.fork._runner
        last = action.events
        if moment.place is not None and moment.place[0] == index:
            last = moment.place[1]
        latest_us = _LATEST_US if moment.time_us is None else moment.time_us
        slices = 1 if moment.record is not None and moment.place is None else NO_LIMIT
        with runner._entered([]):
            self.place = (index, loop.events)
            ended = loop.run_slice(_never, budget=0)
            while not ended and loop.events < last and not self._has_record(moment):
                self.place = (index, loop.events)
                ended = loop.run_slice(_never, until_us=latest_us, budget=min(slices, last - loop.events))
            if not ended and last == action.events and not self._has_record(moment):
                loop.stop_at(min(action.now_us, latest_us))
        if ended and moment.time_us is None:
            raise ForkError(f"nothing is left to happen after {loop.events} events; there were {last}")
        at_place = moment.place is not None and moment.place[0] == index
        return ended or at_place or action.now_us > latest_us or self._has_record(moment)

    def _act(self, action: Action) -> None:
        kind, key = action.actor
        args, kwargs = self.of(kept(action.args)), self.of(kept(action.kwargs))
        result = getattr(self._actor(kind, key), action.name)(*args, **kwargs)
        if isinstance(result, Client):
            self._clients[result._number] = result
        elif isinstance(result, OutsideCall):
            self._calls[result.request] = result
        elif inspect.iscoroutine(result):
            self.fork._journal.awaits([result])  # type: ignore[union-attr]
            self.fork._runner._future(result)

    def _actor(self, kind: str, key: Any) -> Any:
        if kind == "client":
            return self._clients[key]
        if kind == "socket":
            return self._socket(key)
        if kind == "response":
            return result_of(self._calls[key])
        return self._stub(key) if kind == "stub" else self.fork

    # -- who is who

    def of(self, thing: Any) -> Any:
        """The fork's own client, call, response, socket, stub, id or object; containers too; the rest is what it is."""
        return changed(thing, self._of, {})

    def _of(self, thing: Any) -> Any:
        if isinstance(thing, Client):
            return self._clients[thing._number]
        if isinstance(thing, OutsideCall):
            return self._calls[thing.request]
        if isinstance(thing, OutsideSocket):
            return self._socket(thing.number)
        if isinstance(thing, Stub):
            return self._stub(thing._link)
        if isinstance(thing, DurableObjectId):
            return self._id(thing)
        if isinstance(thing, ObjectView):
            return self.fork.objects[str(thing.id)]
        if isinstance(thing, DurableObjectNamespace):
            return getattr(self.fork.env, thing._binding.name)
        if isinstance(thing, ExternalService):
            theirs, ours = self._original._stores.externals.declared, self.fork._stores.externals.declared
            return next(ours[n] for n, service in enumerate(theirs) if service is thing and n < len(ours))
        if isinstance(thing, PyodideFetchResponse):
            actor = self._original._journal._actor_of(thing)  # type: ignore[union-attr]
            return result_of(self._calls[-1 if actor is None else actor[1]])
        return self.fork if thing is self._original else thing

    def _socket(self, number: int) -> OutsideSocket:
        sockets = (result_of(call) for call in self._calls.values())
        return next(socket for socket in sockets if isinstance(socket, OutsideSocket) and socket.number == number)

    def _stub(self, link: Any) -> RemoteStub:
        if id(link) not in self._stubs:
            self._stubs[id(link)] = link, self._new_stub(link)
        return self._stubs[id(link)][1]

    def _new_stub(self, link: Any) -> RemoteStub:
        if isinstance(link, StubLink):
            return Stub(self.fork.world, self._binding(link._binding), self._id(link.object_id), link._options)
        bound = vars(self._original.env)
        name = next(name for name, stub in bound.items() if isinstance(stub, RemoteStub) and stub._link is link)
        stub: RemoteStub = getattr(self.fork.env, name)
        return stub

    def _binding(self, binding: Any) -> Any:
        programs = self.fork._deployment.programs.values()
        return next(b for program in programs for b in program.bindings if b.unique_key == binding.unique_key)

    def _id(self, object_id: DurableObjectId) -> DurableObjectId:
        programs = self._original._deployment.programs.values()
        of = (b for program in programs for b in program.bindings if b.ids is object_id.namespace)
        binding = next(of, None)
        namespace = object_id.namespace if binding is None else self._binding(binding).ids
        return DurableObjectId(str(object_id), object_id.name, object_id.jurisdiction, namespace)


def twin_of(fork: Simulation, thing: Any) -> Any:
    """See `Simulation.twin`."""
    if fork._twins is None:
        raise ValueError(
            "only a fork of recorded calls knows twins: this simulation is the original, or its fork was made with run="
        )
    try:
        return fork._twins.of(thing)
    except (KeyError, StopIteration, AttributeError):
        raise ValueError(f"{thing!r} has no twin in this fork: it came later than the moment of the fork.") from None


def _never() -> bool:
    return False


# -- from a function that makes and drives it


class Halted(BaseException):
    """The moment has come. Passes through the function that drives the simulation, which ends there."""


class _Halt:
    """Runs the slices of a simulation that may be the original over again; ends them at the moment."""

    def __init__(self, original: Simulation, fork: Simulation, moment: Moment) -> None:
        self._original = original
        self.fork = fork
        self._moment = moment
        self._compared = 0
        self.same = True
        #: The number of events before the one that made the record.
        self.events_before = -1

    def compare(self) -> bool:
        """Whether its records so far begin the original's."""
        if self.same:
            count = self.fork.trace.count
            mine = islice(self.fork.trace.raw, self._compared, count)
            theirs = list(islice(self._original.trace.raw, self._compared, count))
            self.same, self._compared = list(mine) == theirs, count
        return self.same

    def __call__(self, loop: Loop, done: Callable[[], bool], until_us: int, budget: int, drain: bool) -> bool:
        left = budget
        if self.compare():
            before = loop.events
            ended = self._up_to_the_moment(loop, done, until_us, budget, drain)
            if ended is not None:
                return ended
            if self.compare():
                raise Halted
            left -= loop.events - before  # another simulation of the function: it goes on
        return loop.run_slice(done, until_us=until_us, budget=left, drain=drain)

    def _up_to_the_moment(
        self, loop: Loop, done: Callable[[], bool], until_us: int, budget: int, drain: bool
    ) -> bool | None:
        """`Loop.run_slice`, to the moment at most; None when that has come."""
        moment, trace = self._moment, self.fork.trace
        if moment.place is not None:
            left = min(budget, moment.place[1] - loop.events)
            ended = loop.run_slice(done, until_us=until_us, budget=left, drain=drain) if left > 0 else False
            return None if loop.events == moment.place[1] else ended
        if moment.record is not None:
            while trace.count < moment.record:
                self.events_before = loop.events
                if budget <= 0 or loop.run_slice(done, until_us=until_us, budget=1, drain=drain):
                    return budget > 0
                budget -= 1
            return None
        if moment.time_us is None:
            return loop.run_slice(done, until_us=until_us, budget=budget, drain=drain)
        ended = loop.run_slice(done, until_us=min(until_us, moment.time_us), budget=budget, drain=drain)
        return None if ended and until_us >= moment.time_us <= loop.now_us and not done() else ended


def _rerun(simulation: Simulation, moment: Moment, run: Callable[[], object]) -> Simulation:
    """Call the function again and stop its simulation at the moment. Raises ForkError when it made no such one."""
    if not callable(run):
        raise TypeError(f"run={run!r} cannot be called: give the function that makes the simulation and drives it.")
    halt = _halted(simulation, moment, run)
    if moment.before:
        if halt.events_before < 0:
            raise ForkError(f"record {moment.record} was made by the function itself, between two runs: fork at it.")
        halt = _halted(simulation, replace(moment, place=(0, halt.events_before)), run)
    return halt.fork


def _halted(simulation: Simulation, moment: Moment, run: Callable[[], object]) -> _Halt:
    made: list[_Halt] = []

    def watch(new: Simulation) -> None:
        if new._journal is not None:
            new.world.show_output = False
            new._runner.halt = _Halt(simulation, new, moment)
            made.append(new._runner.halt)

    making.append(watch)
    chooser = simulation.world.chooser
    if chooser is not None:  # what the function makes without a schedule is decided as this was
        exploring.append(chooser.again({}))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run()
    except Halted:
        pass
    finally:
        if chooser is not None:
            exploring.pop()
        making.remove(watch)
        for halt in made:
            halt.fork._runner.halt = None
            halt.fork.world.show_output = simulation.world.show_output
    found = next((halt for halt in reversed(made) if halt.compare() and _has_come(halt, moment)), None)
    if found is None:
        differences = [said for halt in made if (said := first_difference(simulation, halt.fork))]
        said = differences[-1] if differences else f"it made {len(made)} of them, none of which came to the moment"
        raise ForkError(f"run= drives no simulation with the past of this one: {said}\nGive the function that made it.")
    return found


def _has_come(halt: _Halt, moment: Moment) -> bool:
    loop, trace = halt.fork.world.loop, halt.fork.trace
    if moment.place is not None:
        return loop.events == moment.place[1]
    if moment.record is not None:
        return trace.count >= moment.record
    if moment.time_us is None:
        return trace.count == halt._original.trace.count
    if loop.time_us() < moment.time_us:
        return halt._original.world.loop.events == loop.events
    return True
