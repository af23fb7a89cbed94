"""Ctrl-C: a run ends at once, and the session can be used as before."""

from __future__ import annotations

import asyncio
import builtins
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from asyncio import events
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
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
AFTER = "print(sim.trace[-1].kind); sim, stub = world(); print(sim.run(stub.ping()), sim.now.us)"
STILL_USABLE = "interrupted\npong 5000000\n"
#: Python ignores a KeyboardInterrupt that falls into a destructor: send another after so many seconds.
AGAIN_S = 2


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
        ("await sim.arun(stub.chain())", "CancelledError"),
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
    after = kernel.run_all(AFTER)[0]

    assert ("error", error) == (stopped.status, stopped.error.partition(":")[0])
    assert ("ok", STILL_USABLE, "") == (after.status, after.stdout, after.stderr)


@pytest.mark.parametrize("handler", ["busy", "chain"])
@pytest.mark.parametrize("run", ["sim.run(stub.{0}())", "asyncio.run(main(stub.{0}()))"])
def test_a_script(handler: str, run: str) -> None:
    """Ctrl-C in a script raises KeyboardInterrupt where sim.run(), or asyncio.run() around arun(), was called."""
    program = f"""{WORLD}
async def main(call):
    await sim.arun(call)
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


class Short(DurableObject):
    async def ping(self) -> str:
        return "pong"

    async def press(self) -> str:
        signal.raise_signal(signal.SIGINT)
        return "went on"


def outer_state() -> list[object]:
    """What a run changes and must put back."""
    return [
        *(builtins.print, time.perf_counter, os.urandom, asyncio.as_completed, gc.get_threshold()),
        *(sys.get_asyncgen_hooks(), events._get_running_loop(), signal.getsignal(signal.SIGINT)),
    ]


@pytest.fixture
def interrupt_after() -> Iterator[Callable[[float], None]]:
    """A function that sends Ctrl-C to this process so many seconds from now."""

    def ring(_: int, __: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGALRM, ring)
    gc.disable()  # fewer destructors
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_S)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    gc.enable()


@pytest.mark.filterwarnings("ignore")  # an interrupted world leaves coroutines behind that never ran
@pytest.mark.parametrize("way", ["run", "arun", "make"])
def test_at_any_moment(way: str, interrupt_after: Callable[[float], None]) -> None:
    """Wherever Ctrl-C falls in a loop of short runs or new simulations, entering and leaving included, all is put back."""

    async def endlessly(sim: Simulation) -> None:
        while True:
            await sim.arun(sim.env.SHORT.getByName("x").ping())

    before = outer_state()
    for tenth_ms in range(60):
        sim = Simulation(durable_objects={"SHORT": Short}, network=None)
        sim.run(sim.env.SHORT.getByName("x").ping())
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 (a loop that only Ctrl-C ends)
            interrupt_after(0.0005 + tenth_ms / 10_000)
            if way == "arun":
                asyncio.run(endlessly(sim))
            while way == "make":
                Simulation(durable_objects={"SHORT": Short}, network=None)
            while True:
                sim.run(sim.env.SHORT.getByName("x").ping())
        signal.setitimer(signal.ITIMER_REAL, 0)

        assert before == outer_state()
    gc.collect()


def test_while_a_simulation_is_entered_or_left() -> None:
    """Ctrl-C waits until that is over; a second one does not wait."""
    reached = []
    with pytest.raises(KeyboardInterrupt), nested(nullcontext()):
        signal.raise_signal(signal.SIGINT)
        reached.append("the end, after one")
    with pytest.raises(KeyboardInterrupt), nested(nullcontext()):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        reached.append("the end, after two")

    assert ["the end, after one"] == reached
    assert signal.default_int_handler is signal.getsignal(signal.SIGINT)


def test_a_handler_of_ones_own_is_kept() -> None:
    """A program that has a handler of its own for Ctrl-C gets the signal, and the run goes on."""
    pressed = []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(1))
    try:
        sim = Simulation(durable_objects={"SHORT": Short})
        assert "went on" == sim.run(sim.env.SHORT.getByName("x").press())
    finally:
        signal.signal(signal.SIGINT, before)

    assert [1] == pressed


def test_on_another_thread() -> None:
    """A simulation runs on a thread that cannot have signal handlers."""
    answers = []

    def run() -> None:
        sim = Simulation(durable_objects={"SHORT": Short})
        answers.append(sim.run(sim.env.SHORT.getByName("x").ping()))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert ["pong"] == answers
