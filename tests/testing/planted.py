"""Functions that make simulations, each with one thing in it that is not the same every time; its line says "planted".

`check_determinism` runs them in fresh processes too, which import this file.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from functools import wraps
from typing import Any

from dosim import Simulation
from dosim.workers import DurableObject

_runs = 0
label = "fresh"


class Board(DurableObject):
    async def note(self, key: str) -> None:
        await self.ctx.storage.put(key, 1)

    async def note_later(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await self.ctx.storage.put("later", 1)


class Caller(DurableObject):
    async def call_strings(self) -> None:
        for name in set("ann bob cid dan eve fay gus hal".split()):
            await self.env.BOARD.getByName(name).note("seen")  # planted: strings

    async def call_objects(self) -> None:
        for person in {Person(f"p{number}") for number in range(9)}:
            await self.env.BOARD.getByName(person.name).note("seen")  # planted: objects

    async def put_address(self) -> None:
        await self.ctx.storage.put(f"seen:{id(Person('x'))}", 1)  # planted: address

    async def put_file_time(self) -> None:
        with tempfile.NamedTemporaryFile() as file:
            await self.ctx.storage.put(f"at:{os.fstat(file.fileno()).st_mtime_ns}", 1)  # planted: clock

    async def put_process(self) -> None:
        await self.ctx.storage.put(f"by:{os.getpid()}", 1)  # planted: process

    async def put_once(self, key: str, known: list[str] = []) -> None:  # noqa: B006 (that is what is planted)
        if key not in known:
            known.append(key)
            await self.ctx.storage.put(key, 1)  # planted: default

    async def put_environment(self) -> None:
        await self.ctx.storage.put(os.environ.get("DOSIM_PLANTED", "first"), 1)  # planted: environment
        os.environ["DOSIM_PLANTED"] = "again"

    async def put_quietly(self, value: str) -> None:
        await self.ctx.storage.put("same key", value)


class Person:
    """Hashed by its address."""

    def __init__(self, name: str) -> None:
        self.name = name


def _run(method: str, *args: Any) -> Simulation:
    sim = Simulation(durable_objects={"BOARD": Board, "CALLER": Caller}, seed=5, network=None)
    sim.run(getattr(sim.env.CALLER.getByName("one"), method)(*args))
    return sim


def strings() -> None:
    _run("call_strings")


def objects() -> None:
    _run("call_objects")


def address() -> None:
    _run("put_address")


def clock() -> None:
    _run("put_file_time")


def process() -> None:
    _run("put_process")


def default() -> None:
    _run("put_once", "a")


def environment() -> None:
    _run("put_environment")


def leftover() -> None:
    global _runs  # noqa: PLW0603 (that is what is planted)
    _runs += 1
    sim = Simulation(durable_objects={"BOARD": Board}, network=None)
    sim.run(sim.env.BOARD.getByName(f"run {_runs}").note("x"))  # planted: leftover


def platform(schedule: str | None = None) -> None:
    """The timer that comes later is a record of the platform; the line is that of the record that caused it."""
    global _runs  # noqa: PLW0603
    _runs += 1
    sim = Simulation(durable_objects={"BOARD": Board}, network=None, schedule=schedule)
    sim.run(sim.env.BOARD.getByName("one").note_later(_runs))  # planted: platform


def explored() -> None:
    """The same in the loop of a simulation that is explored."""
    platform("")


def value() -> int:
    """The trace says nothing of values."""
    global _runs  # noqa: PLW0603
    _runs += 1
    _run("put_quietly", str(_runs))
    return _runs


def long() -> str:
    """The difference is at the end of a long text."""
    global _runs  # noqa: PLW0603
    _runs += 1
    _run("put_quietly", str(_runs))
    return f"{'x' * 500} {_runs}"


def count() -> None:
    global _runs  # noqa: PLW0603
    _runs += 1
    for _ in range(_runs):
        _run("put_quietly", "x")


def error() -> None:
    global _runs  # noqa: PLW0603
    _runs += 1
    _run("put_quietly", "x")
    if _runs > 1:
        raise ValueError("only the first time is fine")


def always_fails() -> None:
    _run("put_quietly", "x")
    raise ValueError("it always fails")


def steady() -> list[int]:
    """Two simulations, and a set that is sorted before anything follows from it."""
    sims = [_run("put_quietly", "x") for _ in range(2)]
    for name in sorted({"ann", "bob", "cid"}):
        sims[1].run(sims[1].env.BOARD.getByName(name).note("seen"))
    return [len(sim.objects) for sim in sims]


def forgetful() -> int:
    """Its records are not kept."""
    sim = Simulation(durable_objects={"BOARD": Board}, network=None, retention="none")
    sim.run(sim.env.BOARD.getByName("one").note("x"))
    return sim.trace.count


def forgets_more() -> None:
    global _runs  # noqa: PLW0603
    _runs += 1
    sim = Simulation(durable_objects={"BOARD": Board}, network=None, retention="none")
    sim.run(sim.env.BOARD.getByName(f"run {_runs}").note("x"))


def labelled() -> None:
    sim = Simulation(durable_objects={"BOARD": Board}, network=None)
    sim.run(sim.env.BOARD.getByName(label).note("x"))


def many() -> None:
    """Stands for a test that Hypothesis would run many times."""
    raise AssertionError("only one run of it is compared")


many.dosim_once = steady  # type: ignore[attr-defined]


@wraps(steady)
def _wrapped() -> list[int]:
    return steady()


wrapped = _wrapped


def start() -> None:
    """As in a process that has run nothing yet."""
    global _runs, label
    _runs, label = 0, "fresh"
    os.environ.pop("DOSIM_PLANTED", None)
    Caller.put_once.__defaults__[0].clear()  # type: ignore[index]
