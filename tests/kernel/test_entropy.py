"""Virtual time and seeded randomness: every spelling, restored to the bit, on the simulation's thread alone."""

# Naive times are what is tested, and a lambda must look its name up when it is called.
# ruff: noqa: DTZ001, DTZ002, DTZ003, DTZ005, DTZ006, DTZ007, DTZ011, PLW0108

from __future__ import annotations

import copy
import datetime as dt
import functools
import importlib
import linecache
import os
import pickle
import random
import secrets
import socket
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
import timeit
import traceback
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from multiprocessing import Process
from os import urandom
from pathlib import Path
from random import SystemRandom, choice, randint, shuffle
from random import random as draw
from random import seed as reseed
from secrets import token_hex
from socket import create_connection, getaddrinfo
from threading import Thread
from time import monotonic, sleep, time_ns
from time import perf_counter as stopwatch
from time import time as now
from types import ModuleType
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dosim.kernel import entropy as entropy_module
from dosim.kernel.entropy import Entropy
from dosim.kernel.names import Names

START = dt.datetime(2026, 12, 1, 12, 30, 45, 123_457, tzinfo=dt.UTC)
NOW_US = 1_796_128_245_123_457
MONOTONIC_US = 7_000_001
NAIVE = START.replace(tzinfo=None)
TREE = Path(__file__).parents[2]


@pytest.fixture(params=["in place", "by name"])
def clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to the wall clock: with time-machine, and as in a browser."""
    if request.param == "by name":
        monkeypatch.setattr(sys, "platform", "emscripten")
    return str(request.param)


@pytest.fixture
def inside(clock: str) -> Iterator[Entropy]:
    """Simulated code runs."""
    entropy = make()
    entropy.enter()
    yield entropy
    entropy.leave()


def make(seed: int | str = 7, *, now_us: Callable[[], int] | None = None) -> Entropy:
    return Entropy(now_us=now_us or (lambda: NOW_US), monotonic_us=lambda: MONOTONIC_US, seed=seed)


def run(call: Callable[[], object], seed: int | str = 7) -> object:
    """What `call` returns as simulated code."""
    entropy = make(seed)
    entropy.enter()
    try:
        return call()
    finally:
        entropy.leave()


# -- clocks


class HoldsClocks:
    in_class = time.monotonic
    static = staticmethod(time.perf_counter)

    def method(self, clock: Callable[[], float] = time.monotonic) -> float:
        return clock()

    @property
    def read(self) -> float:
        return time.monotonic()

    @classmethod
    def keyword(cls, *, clock: Callable[[], float] = time.monotonic) -> float:
        return clock()

    class Inner:
        clock = time.monotonic


@dataclass
class Entry:
    made: float = field(default_factory=time.monotonic)
    at: float = field(default_factory=time.time)


def closure_over(clock: Callable[[], float]) -> Callable[[], float]:
    return lambda: clock()


def plain_default(scale: int, clock: Callable[[], float] = monotonic) -> float:
    return scale * clock()


def decorated(function: Callable[..., float]) -> Callable[..., float]:
    @functools.wraps(function)
    def call(*args: int) -> float:
        return function(*args)

    return call


@decorated
def behind_decorator(scale: int, clock: Callable[[], float] = time.monotonic) -> float:
    return scale * clock()


in_closure = closure_over(time.monotonic)

SECONDS = NOW_US / 1_000_000
WALL: dict[str, tuple[Callable[[], object], object]] = {
    "time.time": (lambda: time.time(), SECONDS),
    "time.time_ns": (lambda: time.time_ns(), NOW_US * 1000),
    "from time import time as now": (lambda: now(), SECONDS),
    "from time import time_ns": (lambda: time_ns(), NOW_US * 1000),
    "datetime.datetime.now": (lambda: dt.datetime.now(), NAIVE),
    "datetime.datetime.now(UTC)": (lambda: dt.datetime.now(dt.UTC), START),
    "datetime.now(tz=...)": (lambda: datetime.now(tz=dt.timezone(dt.timedelta(hours=9))), START),
    "from datetime import datetime": (lambda: datetime.now(), NAIVE),
    "datetime.today": (lambda: datetime.today(), NAIVE),
    "datetime.utcnow": (lambda: datetime.utcnow(), NAIVE),
    "datetime.now().astimezone": (lambda: datetime.now().astimezone(), START),
    "datetime.fromtimestamp(time)": (lambda: datetime.fromtimestamp(time.time()), NAIVE),
    "naive timestamp": (lambda: datetime.now().timestamp(), SECONDS),
    "date.today": (lambda: dt.date.today(), dt.date(2026, 12, 1)),
    "from datetime import date": (lambda: date.today(), dt.date(2026, 12, 1)),
    "time.gmtime": (lambda: time.gmtime()[:6], (2026, 12, 1, 12, 30, 45)),
    "time.localtime": (lambda: time.localtime()[:6], (2026, 12, 1, 12, 30, 45)),
    "time.localtime(None)": (lambda: time.localtime(None)[:6], (2026, 12, 1, 12, 30, 45)),
    "time.strftime": (lambda: time.strftime("%F %T %Z"), "2026-12-01 12:30:45 UTC"),
    "time.ctime": (lambda: time.ctime(), "Tue Dec  1 12:30:45 2026"),
    "time.asctime": (lambda: time.asctime(), "Tue Dec  1 12:30:45 2026"),
    "time.mktime": (lambda: time.mktime(time.localtime()), NOW_US // 1_000_000),
    "time.clock_gettime": (lambda: time.clock_gettime(time.CLOCK_REALTIME), SECONDS),
    "time.clock_gettime_ns": (lambda: time.clock_gettime_ns(time.CLOCK_REALTIME), NOW_US * 1000),
    "dataclass default_factory": (lambda: Entry().at, SECONDS),
}
ELAPSED = MONOTONIC_US / 1_000_000
COUNTERS: dict[str, tuple[Callable[[], object], object]] = {
    "time.monotonic": (lambda: time.monotonic(), ELAPSED),
    "time.monotonic_ns": (lambda: time.monotonic_ns(), MONOTONIC_US * 1000),
    "time.perf_counter": (lambda: time.perf_counter(), ELAPSED),
    "time.perf_counter_ns": (lambda: time.perf_counter_ns(), MONOTONIC_US * 1000),
    "time.process_time": (lambda: time.process_time(), ELAPSED),
    "time.process_time_ns": (lambda: time.process_time_ns(), MONOTONIC_US * 1000),
    "time.thread_time": (lambda: time.thread_time(), ELAPSED),
    "time.thread_time_ns": (lambda: time.thread_time_ns(), MONOTONIC_US * 1000),
    "CLOCK_MONOTONIC": (lambda: time.clock_gettime(time.CLOCK_MONOTONIC), ELAPSED),
    "CLOCK_MONOTONIC in ns": (lambda: time.clock_gettime_ns(time.CLOCK_MONOTONIC), MONOTONIC_US * 1000),
    "timeit.default_timer": (lambda: timeit.default_timer(), ELAPSED),
    "from time import monotonic": (lambda: monotonic(), ELAPSED),
    "from time import perf_counter as stopwatch": (lambda: stopwatch(), ELAPSED),
    "import inside the function": (lambda: importlib.import_module("time").monotonic(), ELAPSED),
    "class attribute": (lambda: HoldsClocks.in_class(), ELAPSED),
    "class attribute by an instance": (lambda: HoldsClocks().in_class(), ELAPSED),
    "static class attribute": (lambda: HoldsClocks().static(), ELAPSED),
    "inner class": (lambda: HoldsClocks.Inner.clock(), ELAPSED),
    "default argument": (lambda: plain_default(1), ELAPSED),
    "default argument of a method": (lambda: HoldsClocks().method(), ELAPSED),
    "keyword-only default": (lambda: HoldsClocks.keyword(), ELAPSED),
    "behind a decorator": (lambda: behind_decorator(1), ELAPSED),
    "closure": (lambda: in_closure(), ELAPSED),
    "dataclass default_factory": (lambda: Entry().made, ELAPSED),
}


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow")
@pytest.mark.parametrize("spelling", WALL)
def test_wall_clock_is_virtual(spelling: str, inside: Entropy) -> None:
    """Inside, each spelling of the wall clock reads the simulation's, to the microsecond and in UTC."""
    read, expected = WALL[spelling]

    assert read() == expected
    assert read() == expected  # frozen


@pytest.mark.parametrize("spelling", COUNTERS)
def test_counters_are_virtual(spelling: str, inside: Entropy) -> None:
    """Inside, each spelling of the other clocks counts from the simulation's start."""
    read, expected = COUNTERS[spelling]

    assert read() == expected


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow")
@pytest.mark.parametrize("spelling", [*WALL, *COUNTERS])
def test_outside_every_clock_is_real(spelling: str, clock: str) -> None:
    """After a run, each spelling reads the real clock."""
    read, expected = {**WALL, **COUNTERS}[spelling]

    run(read)

    assert read() != expected


def test_taken_inside_a_clock_stays_harmless(clock: str) -> None:
    """A function that simulated code took away with it is real outside and virtual in the next slice."""
    entropy = make()
    entropy.enter()
    taken = [time.monotonic, time.time, time.clock_gettime_ns]
    entropy.leave()
    outside = taken[0](), taken[1](), taken[2](time.CLOCK_REALTIME)
    entropy.enter()
    inside = taken[0](), taken[1](), taken[2](time.CLOCK_REALTIME)
    entropy.leave()

    assert abs(outside[0] - time.monotonic()) < 60
    assert abs(outside[1] - time.time()) < 60
    assert abs(outside[2] - time.time_ns()) < 60e9
    assert inside == (ELAPSED, SECONDS, NOW_US * 1000)


def test_time_follows_the_simulation(clock: str) -> None:
    """A reading shows the simulation's time at that moment: nothing has to be told when it moves."""
    moment = [NOW_US]
    entropy = make(now_us=lambda: moment[0])
    entropy.enter()
    first = time.time_ns(), datetime.now()
    moment[0] += 1
    second = time.time_ns(), datetime.now()
    entropy.leave()

    assert second[0] - first[0] == 1000
    assert second[1] - first[1] == dt.timedelta(microseconds=1)


@settings(max_examples=60, deadline=None)
@given(st.integers(min_value=0, max_value=4_102_444_800_000_000))
def test_time_is_exact(now_us: int) -> None:
    """No reading rounds: whole microseconds go in, the same come out."""
    entropy = make(now_us=lambda: now_us)
    entropy.enter()
    seconds, ns, naive, aware = time.time(), time.time_ns(), datetime.now(), datetime.now(dt.UTC)
    entropy.leave()

    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert seconds == now_us / 1e6
    assert ns == now_us * 1000
    assert aware == epoch + dt.timedelta(microseconds=now_us)
    assert naive == aware.replace(tzinfo=None)


def test_datetime_stays_what_it_is(inside: Entropy) -> None:
    """repr, isinstance, issubclass, arithmetic, parsing and pickling see no difference inside."""
    moment = datetime.now()

    assert repr(moment) == "datetime.datetime(2026, 12, 1, 12, 30, 45, 123457)"
    assert repr(datetime) == "<class 'datetime.datetime'>"
    assert isinstance(moment, datetime)
    assert isinstance(moment, date)
    assert not isinstance(date.today(), datetime)
    assert issubclass(datetime, date)
    assert isinstance(datetime(2020, 1, 2, tzinfo=dt.UTC), dt.datetime)
    assert datetime.fromisoformat("2026-12-01T12:30:45.123457") == moment
    assert datetime.strptime("2026", "%Y") == datetime(2026, 1, 1)
    assert datetime.combine(date(2026, 12, 1), dt.time(1)) == datetime(2026, 12, 1, 1)
    assert pickle.loads(pickle.dumps([moment, date.today()])) == [moment, date(2026, 12, 1)]
    assert copy.deepcopy(moment) == moment
    assert moment - dt.timedelta(days=1) == datetime(2026, 11, 30, 12, 30, 45, 123_457)


def test_class_derived_from_datetime_inside(inside: Entropy) -> None:
    """A subclass made by simulated code has virtual time and instances of its own class."""

    class Stamp(datetime):
        pass

    moment = Stamp.now()

    assert type(moment) is Stamp
    assert moment == NAIVE
    assert not isinstance(datetime.now(), Stamp)


def test_instances_made_inside_are_real_ones(clock: str) -> None:
    """A moment made inside has the real class outside."""
    moment = run(lambda: (datetime.now(), date.today(), datetime(2020, 1, 1), datetime.fromtimestamp(0)))

    assert [type(value) for value in moment] == [datetime, date, datetime, datetime]  # type: ignore[attr-defined]


# -- randomness


class HoldsRandomness:
    token = staticmethod(urandom)

    def method(self, source: Callable[[int], bytes] = os.urandom) -> bytes:
        return source(4)


def shuffled() -> list[int]:
    values = list(range(10))
    shuffle(values)
    return values


def reseeded(seed: Callable[[], None]) -> float:
    seed()
    return random.random()


RANDOM: dict[str, Callable[[], object]] = {
    "random.random": lambda: random.random(),
    "random.shuffle": shuffled,
    "random.gauss": lambda: random.gauss(),
    "from random import random as draw": lambda: draw(),
    "from random import choice": lambda: choice(range(10**9)),
    "from random import randint": lambda: randint(0, 10**9),
    "random.Random()": lambda: random.Random().random(),
    "random.Random(None)": lambda: random.Random(None).random(),
    "random.seed()": lambda: reseeded(random.seed),
    "from random import seed as reseed": lambda: reseeded(reseed),
    "random.seed(None)": lambda: reseeded(lambda: random.seed(None)),
    "random.SystemRandom": lambda: random.SystemRandom().random(),
    "from random import SystemRandom": lambda: SystemRandom().getrandbits(64),
    "secrets.token_hex": lambda: secrets.token_hex(),
    "from secrets import token_hex": lambda: token_hex(8),
    "secrets.token_bytes": lambda: secrets.token_bytes(),
    "secrets.token_urlsafe": lambda: secrets.token_urlsafe(),
    "secrets.randbelow": lambda: secrets.randbelow(10**9),
    "secrets.choice": lambda: secrets.choice(range(10**9)),
    "secrets.randbits": lambda: secrets.randbits(64),
    "os.urandom": lambda: os.urandom(8),
    "from os import urandom": lambda: urandom(8),
    "os.getrandom": lambda: os.getrandom(8) if hasattr(os, "getrandom") else os.urandom(8),
    "static class attribute": lambda: HoldsRandomness().token(8),
    "default argument": lambda: HoldsRandomness().method(),
    "uuid.uuid1": lambda: uuid.uuid1(),
    "uuid.uuid4": lambda: uuid.uuid4(),
    "from uuid import uuid4": lambda: uuid4(),
}


@pytest.mark.parametrize("spelling", RANDOM)
def test_randomness_is_seeded(spelling: str, clock: str) -> None:
    """Inside, each spelling gives the same values for the same seed, others for another, and others outside."""
    draw_one = RANDOM[spelling]

    def two() -> tuple[object, object]:
        return draw_one(), draw_one()

    first, again, other, outside = run(two), run(two), run(two, seed=8), two()

    assert first == again
    assert first != other
    assert first != outside
    assert first[0] != first[1]  # type: ignore[index]


@pytest.mark.parametrize("spelling", ["uuid6", "uuid7", "uuid8"])
@pytest.mark.skipif(sys.version_info < (3, 14), reason="new in Python 3.14")
def test_new_uuids_are_seeded(spelling: str, clock: str) -> None:
    """The identifiers of Python 3.14 are functions of seed and time as well."""
    first, again = run(getattr(uuid, spelling)), run(getattr(uuid, spelling))

    assert first == again
    assert first != getattr(uuid, spelling)()


def test_global_random_outside_is_unaffected(clock: str) -> None:
    """The outside sequence continues as if no simulation had run in between."""
    random.seed(5)
    expected = [random.random(), random.gauss(), random.gauss(), random.random()]
    random.seed(5)

    actual = [random.random(), random.gauss()]
    run(lambda: (random.seed(99), random.random(), random.gauss()))
    actual += [random.gauss(), random.random()]

    assert actual == expected


def test_simulation_keeps_its_sequence_between_slices(clock: str) -> None:
    """However a run is cut into slices, simulated code draws the same values."""

    def values() -> list[object]:
        return [random.random(), random.gauss(), uuid.uuid4(), uuid.uuid1(), secrets.token_hex()]

    whole = run(lambda: [values(), values()])
    entropy = make()
    cut = []
    for _ in range(2):
        random.random()
        uuid.uuid1()
        entropy.enter()
        cut.append(values())
        entropy.leave()

    assert cut == whole


def test_uuid1_carries_virtual_time(inside: Entropy) -> None:
    """The timestamp in a uuid1 is the virtual one, and two of the same instant differ."""
    first, second = uuid.uuid1(), uuid.uuid1()

    assert (first.time - 0x01B21DD213814000) // 10 == NOW_US
    assert first != second


def test_urandom_checks_its_argument(inside: Entropy) -> None:
    """Wrong sizes are refused as the real function does."""
    with pytest.raises(ValueError, match="negative"):
        os.urandom(-1)
    with pytest.raises(TypeError):
        os.urandom("8")  # type: ignore[arg-type]


def test_explicit_seed_counts(clock: str) -> None:
    """`random.Random(3)` and `random.seed(3)` mean inside what they mean outside."""
    expected = random.Random(3).random()

    assert run(lambda: random.Random(3).random()) == expected
    assert run(lambda: (random.seed(3), random.random())[1]) == expected


def test_seed_is_an_int_or_text() -> None:
    """Another seed is refused by name."""
    with pytest.raises(TypeError, match="seed must be an int or a str, not float"):
        make(1.5)  # type: ignore[arg-type]


# -- refusals

REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "time.sleep": (lambda: time.sleep(0), r"time\.sleep is refused.*suspends.*await asyncio\.sleep.*dosim\.cpu"),
    "from time import sleep": (lambda: sleep(0), r"time\.sleep is refused"),
    "threading.Thread": (lambda: threading.Thread(target=int).start(), r"threading\.Thread\.start.*asyncio\.gather"),
    "from threading import Thread": (lambda: Thread(target=int).start(), "one thread"),
    "threading.Timer": (lambda: threading.Timer(0, int).start(), "one thread"),
    "_thread": (lambda: importlib.import_module("_thread").start_new_thread(int, ()), "one thread"),
    "ThreadPoolExecutor": (lambda: ThreadPoolExecutor(1).submit(int), "one thread"),
    "ProcessPoolExecutor": (lambda: ProcessPoolExecutor(1).submit(int), "cannot start processes"),
    "multiprocessing.Process": (lambda: Process(target=int).start(), "cannot start processes"),
    "socket.socket": (lambda: socket.socket(), r"socket\.socket is refused.*fetch"),
    "socket.socketpair": (lambda: socket.socketpair(), "socketpair"),
    "socket.create_connection": (lambda: socket.create_connection(("localhost", 9)), r"create_connection"),
    "from socket import create_connection": (lambda: create_connection(("localhost", 9)), "create_connection"),
    "socket.getaddrinfo": (lambda: socket.getaddrinfo("localhost", 9), "getaddrinfo"),
    "from socket import getaddrinfo": (lambda: getaddrinfo("localhost", 9), "getaddrinfo"),
    "socket.gethostbyname": (lambda: socket.gethostbyname("localhost"), "gethostbyname"),
    "http.client": (
        lambda: importlib.import_module("http.client").HTTPConnection("localhost", 9).request("GET", "/"),
        "create_connection",
    ),
    "subprocess.Popen": (lambda: subprocess.Popen(["true"]), r"subprocess\.Popen is refused"),
    "subprocess.run": (lambda: subprocess.run(["true"], check=False), r"subprocess\.Popen"),
    "subprocess.check_output": (lambda: subprocess.check_output(["true"]), r"subprocess\.Popen"),
    "os.system": (lambda: os.system("true"), r"os\.system"),
    "os.popen": (lambda: os.popen("true"), r"subprocess\.Popen"),
    "os.fork": (lambda: os.fork(), r"os\.fork"),
    "os.posix_spawn": (lambda: os.posix_spawn("/bin/true", ["true"], {}), r"os\.posix_spawn"),
    "os.spawnl": (lambda: os.spawnl(os.P_WAIT, "/bin/true", "true"), r"os\.fork"),
    "os.execv": (lambda: os.execv("/bin/true", ["true"]), r"os\.execv"),
}


@pytest.mark.parametrize("spelling", REFUSED)
def test_refused_inside(spelling: str, inside: Entropy) -> None:
    """What a Worker does not have is a RuntimeError that names it and what to do instead."""
    call, text = REFUSED[spelling]

    with pytest.raises(RuntimeError, match=text):
        call()


def test_connecting_an_open_socket_is_refused() -> None:
    """A socket opened outside cannot be connected inside."""
    with socket.socket() as opened:
        with pytest.raises(RuntimeError, match=r"socket\.socket\.connect is refused"):
            run(lambda: opened.connect(("localhost", 9)))
        with pytest.raises(RuntimeError, match=r"socket\.socket\.connect_ex is refused"):
            run(lambda: opened.connect_ex(("localhost", 9)))


def test_a_running_pool_is_refused() -> None:
    """A pool whose threads were started outside takes no work from inside, and takes it again after."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        with pytest.raises(RuntimeError, match="submit"):
            run(lambda: pool.submit(int))

        assert pool.submit(int).result() == 0


def test_nothing_is_refused_outside(clock: str) -> None:
    """After a run, threads, sockets, processes and sleep work."""
    run(int)

    sleep(0)
    thread = Thread(target=int)
    thread.start()
    thread.join()
    socket.socket().close()
    assert subprocess.run([sys.executable, "-c", ""], check=False).returncode == 0


def test_the_tools_of_python_work_inside(inside: Entropy, capsys: pytest.CaptureFixture[str]) -> None:
    """print, sqlite3, importing, reading source and tracebacks need nothing that is refused."""
    print("hello")
    database = sqlite3.connect(":memory:")
    rows = database.execute("select 1").fetchall()
    database.close()
    importlib.reload(importlib.import_module("colorsys"))
    linecache.checkcache()
    try:
        raise ValueError("x")
    except ValueError:
        text = traceback.format_exc()

    assert capsys.readouterr().out == "hello\n"
    assert rows == [(1,)]
    assert 'raise ValueError("x")' in text


# -- other threads


def in_thread(call: Callable[[], object]) -> tuple[Thread, list[object]]:
    """A thread that waits for `go`, calls, and keeps the result."""
    results: list[object] = []

    def body() -> None:
        try:
            results.append(call())
        except BaseException as error:
            results.append(error)

    return Thread(target=body), results


def test_another_thread_sees_the_real_world(clock: str) -> None:
    """While simulated code runs, another thread has the real clocks and entropy, and may do what is refused."""
    go, done = threading.Event(), threading.Event()

    def look() -> object:
        go.wait()
        try:
            sleep(0)
            inner = Thread(target=int)
            inner.start()
            inner.join()
            socket.socket().close()
            readings = (now(), datetime.now(dt.UTC).timestamp(), time.clock_gettime(time.CLOCK_REALTIME))
            return readings, monotonic(), stopwatch(), time.monotonic_ns(), os.urandom(8), uuid.uuid4()
        finally:
            done.set()

    thread, results = in_thread(look)
    thread.start()
    entropy = make()
    entropy.enter()
    go.set()
    arrived = done.wait(60)
    virtual = time.time(), monotonic(), os.urandom(8)
    entropy.leave()
    thread.join()

    assert arrived
    assert virtual[:2] == (SECONDS, ELAPSED)
    walls, counter, perf, counter_ns, some_bytes, unique = results[0]  # type: ignore[misc]
    assert all(abs(wall - time.time()) < 60 for wall in walls)
    assert abs(counter - time.monotonic()) < 60
    assert abs(perf - time.perf_counter()) < 60
    assert abs(counter_ns - time.monotonic_ns()) < 60e9
    assert some_bytes != virtual[2]
    assert unique != run(uuid.uuid4)


def test_another_thread_reading_while_runs_begin_and_end(clock: str) -> None:
    """No reading on another thread fails or is virtual, whenever it falls."""
    stop = threading.Event()

    def read() -> object:
        wrong = 0
        while not stop.is_set():
            for _ in range(50):
                wrong += abs(time.time() - stopwatch() - base) > 60
                wrong += len(os.urandom(2)) != 2
        return wrong

    base = time.time() - time.perf_counter()
    thread, results = in_thread(read)
    thread.start()
    entropy = make()
    for _ in range(200):
        entropy.enter()
        for _ in range(20):
            time.time()
        entropy.leave()
    stop.set()
    thread.join()

    assert results == [0]


def test_only_one_simulation_at_a_time(inside: Entropy) -> None:
    """Another Entropy is refused while one is entered, on this thread and on others, and harms nothing."""
    other = make(8)
    with pytest.raises(RuntimeError, match="two simulations cannot run at the same time"):
        other.enter()
    other.leave()

    assert time.time() == SECONDS


def test_entering_from_another_thread_is_refused() -> None:
    """The same Entropy cannot be entered on a second thread."""
    entropy = make()
    thread, results = in_thread(entropy.enter)
    go = thread.start
    entropy.enter()
    entropy_module._inside.thread = -1  # as if this thread were another one
    try:
        with pytest.raises(RuntimeError, match="two simulations"):
            entropy.enter()
    finally:
        entropy.leave()
    go()
    thread.join()
    entropy.leave()

    assert results == [None]


# -- entering and leaving


def snapshot() -> dict[str, object]:
    """Everything that entering changes: by identity, the C library's time zone by value."""
    owners: list[object] = [time, os, random, socket, subprocess, dt, timeit, uuid, sys.modules[__name__]]
    owners += [Thread, subprocess.Popen, socket.socket, random.Random, ThreadPoolExecutor, HoldsClocks, HoldsRandomness]
    names = {f"{owner!r}.{name}": id(value) for owner in owners for name, value in vars(owner).items()}
    names = {
        name: value for name, value in names.items() if not name.endswith(("zone", "altzone", "tzname", "daylight"))
    }
    functions = (plain_default, HoldsClocks.method, HoldsRandomness.method, HoldsClocks.keyword.__func__)
    defaults = [(function.__defaults__, function.__kwdefaults__) for function in functions]
    zone = os.environ.get("TZ"), time.tzname, time.timezone, time.daylight
    random_state = random.getstate()
    return {**names, "defaults": defaults, "zone": zone, "random": random_state}


def test_leaving_restores_everything(clock: str) -> None:
    """After leaving, every object is the very one it was; a second leaving changes nothing."""
    before = snapshot()
    entropy = make()
    entropy.enter()
    changed = snapshot()
    entropy.leave()
    after = snapshot()
    entropy.leave()

    assert changed != before
    assert after == before
    assert snapshot() == before


def test_entering_again_counts(clock: str) -> None:
    """Simulated code lasts until every entering was left."""
    entropy = make()
    entropy.enter()
    entropy.enter()
    entropy.leave()
    still = time.time()
    entropy.leave()

    assert still == SECONDS
    assert time.time() != SECONDS


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_leaving_after_an_exception(error: type[BaseException], clock: str) -> None:
    """What simulated code raises changes nothing about leaving."""
    before = snapshot()

    def fail() -> None:
        random.random()
        raise error

    with pytest.raises(error):
        run(fail)

    assert snapshot() == before


@pytest.mark.parametrize("step", ["_enter_utc", "_enter_time_machine", "_plan", "_names"])
def test_interrupted_entering_leaves_nothing_behind(step: str, clock: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of entering takes back what was done, and the next entering works."""
    before = snapshot()
    real = getattr(entropy_module, step)

    def interrupted(*args: object) -> None:
        real(*args)
        raise KeyboardInterrupt

    entropy = make()
    with monkeypatch.context() as patched:
        patched.setattr(entropy_module, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            entropy.enter()
        entropy.leave()

    assert snapshot() == before
    entropy.enter()
    inside = time.time()
    entropy.leave()
    assert inside == SECONDS


def test_interrupted_leaving_completes(clock: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of leaving is raised once everything is restored."""
    before = snapshot()
    real, interrupts = Names.swap_out, [KeyboardInterrupt()]

    def interrupted(*args: object) -> None:
        if interrupts:
            raise interrupts.pop()
        real(*args)  # type: ignore[arg-type]

    entropy = make()
    with monkeypatch.context() as patched:
        patched.setattr(Names, "swap_out", interrupted)
        entropy.enter()
        with pytest.raises(KeyboardInterrupt):
            entropy.leave()

    assert snapshot() == before


def test_a_name_that_simulated_code_binds_anew_keeps_its_value(clock: str) -> None:
    """Leaving writes back only what it wrote."""
    module = sys.modules[__name__]
    real = monotonic

    def rebind() -> None:
        module.monotonic = 5  # type: ignore[attr-defined]

    try:
        run(rebind)
        assert module.monotonic == 5  # type: ignore[attr-defined]
    finally:
        module.monotonic = real  # type: ignore[attr-defined]


def test_a_function_that_a_test_replaced_comes_back(clock: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stood in a module before, a mock say, gives way inside and stands there again after."""
    fake = lambda: 3.0  # noqa: E731
    monkeypatch.setattr(time, "perf_counter", fake)

    assert run(time.process_time) != run(lambda: fake())
    assert run(lambda: time.perf_counter()) == ELAPSED
    assert time.perf_counter is fake


# -- code that is not an ordinary loaded module

MODULE = """
from time import monotonic, sleep, time
from os import urandom
from datetime import datetime

class Cache:
    def __init__(self, clock=monotonic):
        self.clock = clock

def look():
    return monotonic(), time(), Cache().clock(), datetime.now()
"""
VIRTUAL = (ELAPSED, SECONDS, ELAPSED, NAIVE)


def real_looking(values: tuple[float, float, float, datetime]) -> bool:
    return (
        abs(values[0] - time.monotonic()) < 60
        and abs(values[1] - time.time()) < 60
        and abs(values[2] - time.monotonic()) < 60
        and abs((values[3] - datetime.now()).total_seconds()) < 60
    )


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], str]]:
    """Writes a module into a folder and makes it importable; forgets it after."""
    written = []

    def write(name: str, folder: str) -> str:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{name}.py").write_text(MODULE, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path / folder)
        written.append(name)
        return name

    yield write
    for name in written:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("folder", ["mine", "site-packages"])
def test_module_loaded_before(folder: str, clock: str, write_module: Callable[[str, str], str]) -> None:
    """Names and default arguments of your own modules and of installed packages are covered, and restored."""
    module = importlib.import_module(write_module("loaded_before", folder))

    assert run(module.look) == VIRTUAL
    assert real_looking(module.look())
    assert module.monotonic is time.monotonic
    assert module.sleep is time.sleep


@pytest.mark.parametrize("folder", ["mine", "site-packages"])
def test_module_loaded_inside(folder: str, clock: str, write_module: Callable[[str, str], str]) -> None:
    """A module that simulated code imports is virtual at once, real outside, and virtual in the next slice."""
    name = write_module("loaded_inside", folder)
    entropy = make()
    entropy.enter()
    first = importlib.import_module(name).look()
    entropy.leave()
    module = sys.modules[name]
    outside, names = module.look(), (module.monotonic, module.sleep, module.urandom, module.datetime)
    entropy.enter()
    second = module.look()
    entropy.leave()

    assert first == second == VIRTUAL
    assert real_looking(outside)
    assert names == (time.monotonic, time.sleep, os.urandom, datetime)


def test_module_reloaded_under_the_same_name(clock: str, write_module: Callable[[str, str], str]) -> None:
    """A module that was dropped and loaded anew between two runs is found again."""
    name = write_module("reloaded", "mine")
    looks = []
    for _ in range(2):
        module = importlib.import_module(name)
        looks.append(run(module.look))
        del sys.modules[name]

    assert looks == [VIRTUAL, VIRTUAL]


def test_names_added_to_a_known_module(clock: str, write_module: Callable[[str, str], str]) -> None:
    """A name that a module gained after its first run is found in the next."""
    module = importlib.import_module(write_module("growing", "mine"))
    run(module.look)
    module.late = time.perf_counter  # type: ignore[attr-defined]

    assert run(lambda: module.late()) == ELAPSED
    assert module.late is time.perf_counter


def test_adopted_module(clock: str) -> None:
    """A module that is not in sys.modules is covered once adopted."""
    module = ModuleType("hidden_module")
    exec(MODULE, vars(module))
    entropy = make()
    entropy.adopt(module)
    entropy.enter()
    inside = module.look()
    entropy.leave()

    assert inside == VIRTUAL
    assert real_looking(module.look())
    assert module.monotonic is time.monotonic


def test_adopted_class_of_a_function(clock: str) -> None:
    """A class defined inside a function is covered once adopted, the variables it closes over included."""
    from time import monotonic as local_clock

    class Base:
        def base(self) -> float:
            return local_clock()

    class Local(Base):
        clock = staticmethod(time.perf_counter)

        def look(self) -> tuple[float, float, float]:
            return local_clock(), self.clock(), self.base()

    entropy = make()
    entropy.enter()
    entropy.adopt(Local)  # works at once, as when a deployment brings a new class
    inside = Local().look()
    entropy.leave()
    outside = Local().look()

    assert inside == (ELAPSED,) * 3
    assert ELAPSED not in outside
    assert local_clock is time.monotonic


def test_adopted_class_brings_the_globals_it_sees(clock: str) -> None:
    """Adopting a class of a module outside sys.modules covers that module's globals."""
    module = ModuleType("elsewhere")
    exec(MODULE + "\nclass Object:\n    def look(self):\n        return look()\n", vars(module))
    entropy = make()
    entropy.adopt(module.Object)
    entropy.enter()
    inside = module.Object().look()
    entropy.leave()

    assert inside == VIRTUAL


# -- whole processes

SCRIPT = """
import datetime, os, random, secrets, sys, time, uuid
from time import monotonic as m
from dosim.kernel.entropy import Entropy

entropy = Entropy(now_us=lambda: 1_796_128_245_123_457, monotonic_us=lambda: 7_000_001, seed="a seed")
zone = time.strftime("%Z"), time.timezone, os.environ.get("TZ")
entropy.enter()
values = list(range(20))
random.shuffle(values)
print(datetime.datetime.now(), datetime.datetime.fromtimestamp(0), datetime.datetime.now().astimezone(), m())
print(time.localtime()[:6], time.strftime("%c %Z"), time.ctime(), datetime.date.today(), time.mktime(time.gmtime()))
print(values, uuid.uuid4(), uuid.uuid1(), secrets.token_hex(), os.urandom(4), random.Random().random())
print(random.SystemRandom().random(), random.random(), secrets.choice(values))
entropy.leave()
assert zone == (time.strftime("%Z"), time.timezone, os.environ.get("TZ"))
assert m is time.monotonic
from time import perf_counter as m  # a notebook's next cell binds the same name anew
entropy.enter()
print(m())
entropy.leave()
"""


def process(script: str, **environment: str) -> str:
    """What a new Python process prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": str(TREE), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_same_seed_same_values_in_any_process() -> None:
    """Neither the hash seed nor the host's time zone changes what simulated code sees: naive times are UTC."""
    plain = process(SCRIPT, PYTHONHASHSEED="1", TZ="UTC")
    tokyo = process(SCRIPT, PYTHONHASHSEED="2", TZ="Asia/Tokyo")
    new_york = process(SCRIPT, PYTHONHASHSEED="3", TZ="America/New_York")

    assert plain == tokyo == new_york
    assert plain.startswith(
        "2026-12-01 12:30:45.123457 1970-01-01 00:00:00 2026-12-01 12:30:45.123457+00:00 7.000001\n"
    )
    assert plain.endswith("\n7.000001\n")


def test_spawning_by_a_module_loaded_inside_is_refused() -> None:
    """multiprocessing, imported only by simulated code, is stopped where it would start the process."""
    script = """
    import sys
    from dosim.kernel.entropy import Entropy
    entropy = Entropy(now_us=int, monotonic_us=int, seed=1)
    entropy.enter()
    assert "multiprocessing" not in sys.modules
    import multiprocessing
    for method in ("fork", "spawn"):
        try:
            multiprocessing.get_context(method).Process(target=print).start()
        except RuntimeError as error:
            print("refused" in str(error))
    entropy.leave()
    """

    assert process(script) == "True\nTrue\n"


def test_importing_takes_nothing_but_the_standard_library() -> None:
    """time-machine loads at the first entering, not at import."""
    script = """
    import sys, dosim.kernel.entropy
    print("time_machine" in sys.modules)
    """

    assert process(script) == "False\n"


def test_it_is_cheap() -> None:
    """Loosely: entering and leaving stay far below a slice's time, a reading below a few microseconds."""
    entropy = make()
    run(int)
    start = time.perf_counter()
    for _ in range(20):
        entropy.enter()
        entropy.leave()
    entering = (time.perf_counter() - start) / 20
    readings = (time.time, time.monotonic, datetime.now)
    start = time.perf_counter()
    entropy.enter()
    for _ in range(2000):
        for read in readings:
            read()
    entropy.leave()
    reading = (time.perf_counter() - start) / 6000

    assert entering < 0.02
    assert reading < 100e-6
