"""Ctrl-C: a run ends at once, and the session can be used as before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dosim import Simulation
from dosim.kernel.nesting import nested
from dosim.workers import DurableObject

if TYPE_CHECKING:
    from conftest import Kernel

ROOT = Path(__file__).parents[2]
WORLD = """
import asyncio
from dosim import Simulation
from dosim.workers import DurableObject

class Endless(DurableObject):
    async def busy(self):
        print("going")
        while True:
            pass

    async def chain(self):
        print("going")
        while True:
            await asyncio.sleep(0.001)

    async def ping(self):
        await asyncio.sleep(5)
        return "pong"

def world():
    sim = Simulation(durable_objects={"ENDLESS": Endless})
    return sim, sim.env.ENDLESS.getByName("x")
"""
AFTER = "sim, stub = world(); print(sim.run(stub.ping()), sim.now.us)"
STILL_USABLE = "pong 5000000\n"
#: The outer loop takes turns with this run, and may see Ctrl-C between two events: then none was interrupted.
BETWEEN_EVENTS = "await sim.arun(stub.chain())"


@pytest.fixture(scope="module")
def kernel(start_kernel: Callable[[], Kernel]) -> Kernel:
    kernel = start_kernel()
    assert "ok" == kernel.run_all(WORLD)[0].status
    return kernel


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        ("sim.run(stub.busy())", "KeyboardInterrupt"),
        ("sim.run(stub.chain())", "KeyboardInterrupt"),
        ("await sim.arun(stub.busy())", "CancelledError"),
        (BETWEEN_EVENTS, "CancelledError"),
        ("await asyncio.gather(sim.arun(stub.busy()), asyncio.sleep(0))", "CancelledError"),
        ("await asyncio.sleep(0); sim.run(stub.busy())", "CancelledError"),
    ],
)
def test_the_stop_button(kernel: Kernel, cell: str, error: str) -> None:
    """It ends the cell, with the error a cell of that kind ends with; the next cell makes a new simulation and runs."""
    stopped = kernel.send(f"sim, stub = world(); {cell}")
    kernel.until(lambda: "going" in stopped.stdout)
    kernel.interrupt()
    kernel.until(lambda: stopped.finished)
    last, after = kernel.run_all("print(sim.trace[-1].kind)", AFTER)

    assert ("error", error) == (stopped.status, stopped.error.partition(":")[0])
    assert last.stdout in ("interrupted\n", *(["resume\n"] if cell == BETWEEN_EVENTS else []))
    assert ("ok", STILL_USABLE, "") == (after.status, after.stdout, after.stderr)


@pytest.mark.parametrize("handler", ["busy", "chain"])
@pytest.mark.parametrize(
    "run", ["sim.run(stub.{0}())", "asyncio.run(main(stub.{0}()))", "explore(lambda: test('{0}'))"]
)
def test_a_script(handler: str, run: str) -> None:
    """Ctrl-C in a script raises KeyboardInterrupt where sim.run(), asyncio.run() around arun(), or explore() is called.

    An exploration ends in the middle of a run, also of a handler that never awaits.
    """
    program = f"""{WORLD}
from dosim.testing import explore
async def main(call):
    await sim.arun(call)
def test(name):
    sim, stub = world()
    sim.run(getattr(stub, name)())
sim, stub = world()
try:
    {run.format(handler)}
except KeyboardInterrupt:
    {AFTER}
"""
    script = subprocess.Popen(
        [sys.executable, "-u", "-W", "error", "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert script.stdout is not None
    assert "going" in script.stdout.readline()
    script.send_signal(signal.SIGINT)
    printed, complaints = script.communicate(timeout=30)

    assert (0, "") == (script.returncode, complaints)
    assert STILL_USABLE == printed


#: Sends itself Ctrl-C at sixty moments of an endless loop of short runs, and says what it finds changed after each.
#: In a process of its own: a stray one would end pytest.
ANY_MOMENT = """
import asyncio, builtins, gc, os, signal, sys, time
from asyncio import events
from dosim import Simulation
from dosim.workers import DurableObject

class Short(DurableObject):
    async def ping(self):
        return "pong"

def new():
    return Simulation(durable_objects={"SHORT": Short}, network=None)

def endlessly_run(sim):
    while True:
        sim.run(sim.env.SHORT.getByName("x").ping())

async def endlessly_arun(sim):
    while True:
        await sim.arun(sim.env.SHORT.getByName("x").ping())

def endlessly_make(sim):
    while True:
        new()

ways = {"run": endlessly_run, "arun": lambda sim: asyncio.run(endlessly_arun(sim)), "make": endlessly_make}

def state():
    return [
        builtins.print, time.perf_counter, os.urandom, asyncio.as_completed, gc.get_threshold(),
        sys.get_asyncgen_hooks(), events._get_running_loop(), signal.getsignal(signal.SIGINT),
    ]

gc.disable()  # Python ignores a KeyboardInterrupt that falls into a destructor: fewer of them, and another one later
signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
before = state()
for tenth_ms in range(60):
    sim = new()
    sim.run(sim.env.SHORT.getByName("x").ping())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005 + tenth_ms / 10_000, 1)
        ways[sys.argv[1]](sim)
    except (KeyboardInterrupt, asyncio.CancelledError):  # the second is asyncio.run's own, before its first step
        signal.setitimer(signal.ITIMER_REAL, 0)
    if state() != before or new().run() is not None:
        sys.exit(f"not as before: {before} {state()}")
print("all as before")
"""


@pytest.mark.parametrize("way", ["run", "arun", "make"])
def test_at_any_moment(way: str) -> None:
    """Wherever Ctrl-C falls in a loop of short runs or of new simulations, nothing of a simulation is left behind."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ANY_MOMENT, way],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=100,
        check=False,
    )

    assert (0, "all as before\n") == (done.returncode, done.stdout), done.stderr


class Presses(DurableObject):
    async def press(self) -> str:
        signal.raise_signal(signal.SIGINT)
        return "went on"


class Calm(DurableObject):
    async def ping(self) -> str:
        return "pong"


def press(times: int, reached: list[int]) -> None:
    with nested(nullcontext()):
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        reached.append(times)


def test_while_a_simulation_is_entered_or_left() -> None:
    """Ctrl-C waits until that is over; a second one does not wait."""
    reached: list[int] = []
    for times in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            press(times, reached)

    assert [1] == reached
    assert signal.default_int_handler is signal.getsignal(signal.SIGINT)


def test_a_handler_of_ones_own_is_kept() -> None:
    """A program that has a handler of its own for Ctrl-C gets the signal, and the run goes on."""
    pressed = []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(1))
    try:
        sim = Simulation(durable_objects={"X": Presses})
        assert "went on" == sim.run(sim.env.X.getByName("x").press())
    finally:
        signal.signal(signal.SIGINT, before)

    assert [1] == pressed


def test_on_another_thread() -> None:
    """A simulation runs on a thread that cannot have signal handlers."""
    answers = []

    def run() -> None:
        sim = Simulation(durable_objects={"X": Calm})
        answers.append(sim.run(sim.env.X.getByName("x").ping()))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert ["pong"] == answers
