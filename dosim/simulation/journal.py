"""`Journal`: what the world outside did to a simulation, and when, so that a fork can do it again.

An action is kept with the number of events that had been handled before it and with the virtual time, which together
are its place between two events. Runs are kept as what they came to: so many events, then this time. What cannot be
done again (a coroutine of the user's, which is half done at any moment) is kept as the reason.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterable
from copy import deepcopy
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar
from weakref import WeakValueDictionary

from dosim.bindings.namespace import StubLink
from dosim.bindings.services import ServiceLink
from dosim.kernel.loop import SCOPE
from dosim.runtime.calls import OutsideCall
from dosim.simulation.sockets import ClientSocket
from dosim.web.body import JsBody
from dosim.web.headers import JsHeaders
from dosim.workers.forms import FormData
from dosim.workers.http import PyodideFetchResponse, Request

if TYPE_CHECKING:
    from dosim.runtime.world import World

P = ParamSpec("P")
R = TypeVar("R")

#: Who acts: ("simulation", 0), ("client", its number), ("socket", its number), ("response", the request's number),
#: ("stub", its link).
Actor = tuple[str, Any]

_WITH_BODY = (bytearray, Request, JsBody, JsHeaders, FormData)
_DOSIM = str(Path(__file__).parents[1])
_FIX = (
    "put everything, from Simulation(...) to the last run, into a function and give that, sim.fork(at=...,"
    " run=function); or make the calls outside, as in `call = client.fetch(url)` and `sim.run(call)`"
)


def kept(value: Any) -> Any:
    """A value as it is now: containers and what has a body are copied, the rest is what it is."""
    return changed(value, lambda leaf: deepcopy(leaf) if isinstance(leaf, _WITH_BODY) else leaf, {})


def changed(value: Any, change: Callable[[Any], Any], known: dict[int, Any]) -> Any:
    """A copy of plain containers with everything else in them changed; parts that are shared, and cycles, stay so."""
    kind = type(value)
    if kind not in (dict, list, tuple, set):
        return change(value)
    if id(value) in known:
        return known[id(value)]
    if kind is dict:
        copy: Any = known.setdefault(id(value), {})
        for key, item in value.items():
            copy[key] = changed(item, change, known)
    elif kind is list:
        copy = known.setdefault(id(value), [])
        copy.extend(changed(item, change, known) for item in value)
    else:
        copy = known[id(value)] = kind(changed(item, change, known) for item in value)
    return copy


class Action(NamedTuple):
    """One thing that the outside did, or ("ran") a stretch of running, at its end."""

    actor: Actor
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    #: Events handled before it, and the time of the loop: for a stretch of running, after it.
    events: int
    now_us: int
    at_us: int

    @property
    def is_run(self) -> bool:
        return self.name == "ran"


class Journal:
    """The actions of the outside on one simulation, in order. Kept only where every record is: retention "full"."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids_drawn = 0
        self.actions: list[Action] = []
        #: Why what follows cannot be done again: the reason, and when it was met, microseconds.
        self.refusal: tuple[str, int] | None = None
        #: Calls from outside, by number, while somebody holds them.
        self.calls: WeakValueDictionary[int, OutsideCall] = WeakValueDictionary()
        #: Responses whose calls may be gone: id -> response, number of its request.
        self._responses: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self._response_of: dict[int, int] = {}
        #: A fork is being made from it: nothing may be done to it meanwhile.
        self.replaying = False

    #: A value as it is now, for what is noted later.
    kept = staticmethod(kept)

    # -- what is noted

    def note(self, actor: Actor, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """An action that has just been made. Raises RuntimeError while a fork of this simulation is being made."""
        loop = self._world.loop
        if self.replaying:
            raise RuntimeError(
                f"{name}() was called on the simulation that is being forked, by code that is replayed: it holds on to"
                " that simulation. Let a function make the simulation and this code, and give fork that function,"
                " sim.fork(at=..., run=function)."
            )
        if loop.running:
            self.refuse(f"{name}() was called by a callback or handler of yours in the middle of a run")
            return
        self.actions.append(Action(actor, name, args, kwargs, loop.events, loop.now_us, loop.time_us()))

    def stub_called(self, link: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], call: Any) -> None:
        """A stub was called; by simulated code, that is none of the outside's business."""
        if SCOPE.get() is None:
            if not isinstance(link, (StubLink, ServiceLink)):
                self.refuse(f"{link.label}.{name} was called, a function that came with an answer")
            if isinstance(call, OutsideCall):
                self.calls[call.request] = call
            self.note(("stub", link), name, kept(args), kept(kwargs))

    def ran(self) -> None:
        """A stretch of running has ended; several in a row are one."""
        loop = self._world.loop
        self._ids_drawn = self._world.ids_drawn
        if self.actions and self.actions[-1].is_run:
            self.actions.pop()
        self.actions.append(Action(("simulation", 0), "ran", (), {}, loop.events, loop.now_us, loop.time_us()))

    def awaits(self, awaitables: Iterable[Any]) -> None:
        """A run was given these to wait for: what makes something happen by being awaited is an action, too."""
        if self._world.ids_drawn != self._ids_drawn:  # newUniqueId() outside: the next one inside is another
            self.note(("simulation", 0), "_ids_drawn", (self._world.ids_drawn,), {})
        for awaitable in awaitables:
            if not inspect.iscoroutine(awaitable):
                continue
            reader = self._reader(awaitable)
            if reader is None:
                name = getattr(awaitable, "__qualname__", type(awaitable).__name__)
                self.refuse(f"sim.run() was given {name}(), a coroutine that dosim cannot run a second time")
            else:
                actor, args, kwargs = reader
                self.note(actor, awaitable.cr_code.co_name, args, kwargs)

    def _reader(self, coroutine: Coroutine[Any, Any, Any]) -> tuple[Actor, tuple[Any, ...], dict[str, Any]] | None:
        """A method of a response or socket that is about to start: whose it is, and its arguments."""
        code = coroutine.cr_code  # type: ignore[attr-defined]
        if inspect.getcoroutinestate(coroutine) != "CORO_CREATED" or not code.co_filename.startswith(_DOSIM):
            return None
        given = dict(inspect.getcoroutinelocals(coroutine))  # a new Python gives a view
        owner = given.pop("self", None)
        actor = self._actor_of(owner)
        if actor is None or not callable(getattr(owner, code.co_name, None)):
            return None
        more = given.pop("kwargs", {})
        return actor, (), {**given, **more}

    def _actor_of(self, owner: Any) -> Actor | None:
        if isinstance(owner, ClientSocket):
            return ("socket", owner.number)
        request = self._response_of.get(id(owner)) if self._responses.get(id(owner)) is owner else None
        if request is None:
            request = next((n for n, call in [*self.calls.items()] if result_of(call) is owner), None)
        return None if owner is None or request is None else ("response", request)

    def answered(self, awaitables: Iterable[Any]) -> None:
        """A run is over: remember whose the responses are, as their calls may be dropped now."""
        for call in awaitables:
            if isinstance(call, OutsideCall) and isinstance(response := result_of(call), PyodideFetchResponse):
                self._responses[id(response)] = response
                self._response_of[id(response)] = call.request

    def refuse(self, reason: str) -> None:
        """What follows cannot be done again; the first reason counts."""
        if self.refusal is None:
            self.refusal = (reason, self._world.loop.now_us)

    def why_not(self) -> str:
        """The refusal for people, with the fix."""
        assert self.refusal is not None
        reason, at_us = self.refusal
        return f"it cannot be forked from recorded calls alone: at t={at_us / 1e6:.6f}s {reason}. The fix: {_FIX}."


def recorded(verb: Callable[P, R]) -> Callable[P, R]:
    """A method of the simulation that acts on the world: done, it is noted in the journal."""

    @wraps(verb)
    def act(*args: P.args, **kwargs: P.kwargs) -> R:
        result = verb(*args, **kwargs)
        simulation: Any = args[0]
        if simulation._journal is not None:
            simulation._journal.note(("simulation", 0), verb.__name__, kept(args[1:]), kept(kwargs))
        return result

    return act


def result_of(call: Any) -> Any:
    """What a call came to; None while it is under way, and when it failed."""
    return call.result() if call.done() and not call.cancelled() and call.exception() is None else None
