"""Virtual time and seeded randomness for simulated code, while it runs; the real ones for everybody else.

Inside, `time`, `datetime`, `random`, `secrets`, `uuid` and `os.urandom` are functions of the simulation alone, under
every spelling: time stands still until the next event, naive times are UTC, the same seed gives the same values in any
process. Outside, and on every other thread, nothing is changed.

Three ways lead there, each for what the others cannot reach:

- The wall clock is changed in place, in C, by time-machine, whose time source is made to read the simulation's. That
  reaches names already imported and leaves `datetime` the class it is. A browser has no time-machine: there `time` and
  `datetime` are replaced by name (`kernel.module_clock`).
- The other clocks, `os.urandom` and what is refused (`kernel.refusals`) are replaced by name: in their module, and
  wherever code keeps one that it took before (`kernel.names`).
- The functions of `random` are methods of one hidden generator: its state is exchanged.

Not covered: numpy's generators (give them a seed), what C libraries read by themselves, files such as /dev/urandom.
Two things belong to the whole process, so other threads see them too while simulated code runs: the C library's time
zone, and the state of the global `random`.
"""

from __future__ import annotations

import os
import random
import sys
import time
import timeit
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from hashlib import blake2b
from operator import index
from threading import get_ident
from types import MethodType, ModuleType
from typing import Any

from dosim.kernel.module_clock import module_clock
from dosim.kernel.names import Names, Namespace, Patch, namespaces_of
from dosim.kernel.refusals import loaded, refusals

#: Clocks that count from an unspecified moment. Inside, all of them count from the simulation's start.
_COUNTERS = ("monotonic", "perf_counter", "process_time", "thread_time")
#: What `clock_gettime` calls the wall clock.
_WALL_CLOCKS = frozenset(
    getattr(time, name) for name in ("CLOCK_REALTIME", "CLOCK_REALTIME_COARSE", "CLOCK_TAI") if hasattr(time, name)
)
#: What the uuid module remembers between two calls, as it is at first. Without the two functions at the end, which ask
#: the system, it reads `time` and `random`.
_UUID_STATE: dict[str, object] = {
    "_last_timestamp": None,
    "_last_timestamp_v6": None,
    "_last_timestamp_v7": None,
    "_last_counter_v7": 0,
    "_generate_time_safe": None,
    "_UuidCreate": None,
}
_ABSENT = object()

_asctime, _ctime, _localtime, _urandom = time.asctime, time.ctime, time.localtime, os.urandom
_seed = random.Random.seed
_generator = random._inst


@contextmanager
def undisturbed() -> Iterator[None]:
    """What is drawn in here does not shift the values of the simulation that is entered: imports that happen once."""
    owner = _inside.owner
    generators = [random._inst, *([owner.bytes] if owner is not None else [])]
    before = [generator.getstate() for generator in generators]
    try:
        yield
    finally:
        for generator, state in zip(generators, before, strict=True):
            generator.setstate(state)


class Entropy:
    """Virtual time and seeded randomness for the code of one simulation, while it runs on this thread.

    `now_us()` is the virtual wall clock, microseconds since the Unix epoch; `monotonic_us()` counts from the
    simulation's start. `seed` decides every random value. One Entropy can be entered at a time in a process.
    """

    def __init__(self, *, now_us: Callable[[], int], monotonic_us: Callable[[], int], seed: int | str) -> None:
        if not isinstance(seed, (int, str)):
            raise TypeError(f"seed must be an int or a str, not {type(seed).__name__}: give Simulation(seed=7), say.")
        self.now_us = now_us
        self.monotonic_us = monotonic_us
        #: What `os.urandom` and everything built on it returns.
        self.bytes = random.Random(_key(seed, "bytes"))
        self._random = random.Random(_key(seed, "random")).getstate()
        node = _key(seed, "node") & (1 << 48) - 1 | 1 << 40  # a random node has the multicast bit set, RFC 9562 6.10
        self._uuid = {"_node": node, **_UUID_STATE}
        self._adopted: dict[int, Namespace] = {}
        self._names: Names | None = None
        self._depth = 0
        self._undo = ExitStack()

    def reseed(self, seed: int | str) -> None:
        """Draw from this seed's generators, from now on; call it while it is not entered. The host's name stays."""
        self.bytes = random.Random(_key(seed, "bytes"))
        self._random = random.Random(_key(seed, "random")).getstate()

    def adopt(self, *code: ModuleType | type | Callable[..., object]) -> None:
        """Also cover what this code holds: for modules outside `sys.modules`, classes defined inside a function.

        Not needed for code that is loaded while the simulation is entered: that takes the virtual functions at once.
        """
        for item in code:
            for key, namespace in namespaces_of(item).items():
                self._adopted.setdefault(key, namespace)
        if self._names is not None and _inside.owner is self:
            self._names.swap_in(self._adopted.values())

    def enter(self) -> None:
        """Begin: what follows on this thread, up to `leave()`, is simulated code. Entering again inside counts.

        Raises RuntimeError when another Entropy, or this one on another thread, is entered.
        """
        if _inside.owner is not None:
            if _inside.owner is not self or _inside.thread != get_ident():
                raise RuntimeError(
                    "two simulations cannot run at the same time in one process: the clocks and random generators that"
                    " simulated code sees belong to one of them. Wait until the first run has ended."
                )
            self._depth += 1
            return
        with ExitStack() as undo:  # undoes what is done so far if this is interrupted
            self._swap_in(undo)
            self._undo = undo.pop_all()
        self._depth = 1

    def leave(self) -> None:
        """End: everything is again exactly what it was before `enter()`. Does nothing when not entered."""
        self._depth = max(0, self._depth - 1)
        if self._depth == 0:
            self._undo.close()

    def _swap_in(self, undo: ExitStack) -> None:
        """Register each way back before going there, so that an interrupt at any point finds it."""
        undo.callback(_surely, _inside.end)
        _inside.owner, _inside.bytes = self, self.bytes
        _inside.now_us, _inside.monotonic_us = self.now_us, self.monotonic_us
        _enter_utc(undo)
        in_place = _enter_time_machine(undo)
        self._enter_uuid(undo)
        self._enter_random(undo)
        plan, self._names = _plan(in_place, loaded()), _names(in_place)
        before = [(patch, vars(patch.owner).get(patch.name, _ABSENT)) for patch in plan]
        undo.callback(_surely, _unpatch, before)
        for patch in plan:
            setattr(patch.owner, patch.name, patch.virtual)
        undo.callback(_surely, self._names.swap_out, self._adopted.values())
        self._names.swap_in(self._adopted.values())
        undo.callback(_surely, _inside.pause)
        _inside.thread = get_ident()

    def _enter_uuid(self, undo: ExitStack) -> None:
        state = vars(uuid)
        outside = {name: state[name] for name in self._uuid if name in state}
        undo.callback(_surely, state.update, outside)
        state.update({name: self._uuid[name] for name in outside})
        undo.callback(_surely, lambda: self._uuid.update({name: state[name] for name in outside}))

    def _enter_random(self, undo: ExitStack) -> None:
        undo.callback(_surely, _generator.setstate, _generator.getstate())
        _generator.setstate(self._random)
        undo.callback(_surely, self._keep_random)

    def _keep_random(self) -> None:
        self._random = _generator.getstate()


class _Inside:
    """The simulation that runs now, if any, and the functions that need more than a number from it.

    One for the process. Its bound methods stand in for functions: bound, because a plain function that a class holds
    (`clock = time.monotonic`) would be passed `self`. On other threads, and when no simulation runs, each calls the
    real function, so simulated code can take one away with it without harm.
    """

    def __init__(self) -> None:
        self.owner: Entropy | None = None
        self.thread: int | None = None
        self.end()

    def end(self) -> None:
        self.owner = self.thread = None
        self.now_us: Callable[[], int] = int
        self.monotonic_us: Callable[[], int] = int
        self.bytes = _generator

    def pause(self) -> None:
        self.thread = None

    def here(self) -> bool:
        """Does the calling thread run simulated code?"""
        return get_ident() == self.thread

    def wall_us(self) -> int:
        return self.now_us()

    def urandom(self, size: int, /) -> bytes:
        if get_ident() != self.thread:
            return _urandom(size)
        if index(size) < 0:
            raise ValueError("negative argument not allowed")
        return self.bytes.randbytes(size)

    def getrandom(self, size: int, flags: int = 0) -> bytes:
        return self.urandom(size) if self.here() else _real_getrandom(size, flags)

    def ctime(self, seconds: float | None = None, /) -> str:
        return _ctime(self.now_us() // 1_000_000 if seconds is None and self.here() else seconds)

    def asctime(self, *when: Any) -> str:
        return _asctime(_localtime(self.now_us() // 1_000_000)) if not when and self.here() else _asctime(*when)

    def clock_gettime(self, clock: int, /) -> float:
        return self.clock_us(clock) / 1_000_000 if self.here() else _real_clock_gettime(clock)

    def clock_gettime_ns(self, clock: int, /) -> int:
        return self.clock_us(clock) * 1000 if self.here() else _real_clock_gettime_ns(clock)

    def clock_us(self, clock: int) -> int:
        return self.now_us() if clock in _WALL_CLOCKS else self.monotonic_us()

    def time_ns(self) -> int:
        """time-machine's source. For other threads it is the real clock."""
        if get_ident() == self.thread:
            return self.now_us() * 1000
        import time_machine

        try:
            return time_machine.escape_hatch.time.time_ns()
        except ValueError:  # the simulation was left since the call began
            return time.time_ns()


class _Counter:
    """One of the clocks that count from the simulation's start."""

    def __init__(self, real: Callable[[], Any]) -> None:
        self._real = real

    def seconds(self) -> float:
        return _inside.monotonic_us() / 1_000_000 if get_ident() == _inside.thread else self._real()

    def nanoseconds(self) -> int:
        return _inside.monotonic_us() * 1000 if get_ident() == _inside.thread else self._real()


_inside = _Inside()
# Not on every system; where they are missing nothing is patched and these are not called.
_real_clock_gettime: Callable[[int], float] = getattr(time, "clock_gettime", float)
_real_clock_gettime_ns: Callable[[int], int] = getattr(time, "clock_gettime_ns", int)
_real_getrandom: Callable[[int, int], bytes] = getattr(os, "getrandom", int.to_bytes)


def _seed_inside(generator: random.Random, a: Any = None, version: int = 2) -> None:
    """`random.Random.seed`, where no seed means one from the simulation."""
    if a is None and _inside.here():
        a = _inside.bytes.getrandbits(256)
    _seed(generator, a, version)


@cache
def _plan(in_place: bool, _: tuple[bool, ...]) -> tuple[Patch, ...]:
    """Everything that is replaced by name: all clocks but those changed in place, randomness, refusals."""
    return (*_functions(in_place), Patch(random.Random, "seed", _seed, _seed_inside), *refusals(_inside.here))


@cache
def _functions(in_place: bool) -> tuple[Patch, ...]:
    own: list[tuple[Any, str, object]] = [
        (os, "urandom", _inside.urandom),
        (random, "_urandom", _inside.urandom),
        (os, "getrandom", _inside.getrandom),
        (random, "seed", MethodType(_seed_inside, _generator)),
        (time, "ctime", _inside.ctime),
        (time, "asctime", _inside.asctime),
        (time, "clock_gettime", _inside.clock_gettime),
        (time, "clock_gettime_ns", _inside.clock_gettime_ns),
    ]
    for name in _COUNTERS:
        if real := getattr(time, name, None):
            own.append((time, name, counter := _Counter(real).seconds))
            own.append((time, f"{name}_ns", _Counter(getattr(time, f"{name}_ns")).nanoseconds))
            if timeit.default_timer is real:
                own.append((timeit, "default_timer", counter))
    patches = [
        Patch(owner, name, getattr(owner, name), virtual) for owner, name, virtual in own if hasattr(owner, name)
    ]
    return (*patches, *(() if in_place else module_clock(_inside.here, _inside.wall_us)))


@cache
def _names(in_place: bool) -> Names:
    return Names(_plan(in_place, loaded()))


def _unpatch(before: Iterable[tuple[Patch, object]]) -> None:
    for patch, value in before:
        if value is not _ABSENT:
            setattr(patch.owner, patch.name, value)
        elif patch.name in vars(patch.owner):
            delattr(patch.owner, patch.name)


def _enter_utc(undo: ExitStack) -> None:
    """Make UTC the zone of naive times, as in a Worker. Windows has no way to: there they stay in the host's zone."""
    if hasattr(time, "tzset") and (time.tzname != ("UTC", "UTC") or time.timezone or time.daylight):
        undo.callback(_surely, _set_zone, os.environ.get("TZ"))
        _set_zone("UTC")


def _set_zone(name: str | None) -> None:
    if name is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = name
    time.tzset()


def _enter_time_machine(undo: ExitStack) -> bool:
    """Let time-machine read the simulation's clock, if it is there."""
    if sys.platform == "emscripten":
        return False
    try:
        from time_machine import escape_hatch, travel
    except ImportError:
        return False
    journey, nested = travel(0, tick=False), escape_hatch.is_travelling()

    def back() -> None:
        if nested or escape_hatch.is_travelling():
            journey.stop()

    undo.callback(_surely, back)
    journey.start().time_ns = _inside.time_ns  # type: ignore[method-assign]
    return True


def _surely(step: Callable[..., object], *args: object) -> None:
    """Take a step back, from the beginning if Ctrl-C interrupts it. Each step may be taken twice."""
    try:
        step(*args)
    except BaseException:
        step(*args)
        raise


def _key(seed: int | str, name: str) -> int:
    """256 bits that depend on the seed and the name alone."""
    return int.from_bytes(blake2b(f"{seed}\0{name}".encode(), digest_size=32).digest(), "big")
