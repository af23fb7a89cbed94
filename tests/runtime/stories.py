"""A small world for stories: programs that run inside objects of classes A, B and C, and one log with virtual times.

A program is `async def program(o, *args)` or a plain function; `o` is the object it runs in. Log entries are
`(ms, "A:x", event)`. A step is `(ms, "A:x", program, *args)`: a new stub, one call, at that time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from dosim import Simulation
from dosim.workers import DurableObject, js

FLAGS = ("remote", "retryable", "overloaded", "durableObjectReset")
BLOCK_TIMEOUT = (
    "A call to blockConcurrencyWhile() in a Durable Object waited for too long."
    " The call was canceled and the Durable Object was reset."
)
TIMED_OUT = ("Error: " + BLOCK_TIMEOUT, "overloaded durableObjectReset")


def now_ms() -> int:
    return round(asyncio.get_running_loop().time() * 1000)


def seen(error: BaseException) -> tuple[str, str]:
    """An error as its caller sees it: the last line of its text, and its flags."""
    lines = str(error).strip().splitlines() or [""]
    return (lines[-1], " ".join(flag for flag in FLAGS if getattr(error, flag, None) is True))


class Actor(DurableObject):
    """Runs programs of a story."""

    story: Story

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.n = 0
        constructor = self.story.constructors.get(type(self).__name__)
        if constructor is not None:
            constructor(self)

    def run(self, program: int, *args: Any) -> Any:
        return self.story.programs[program](self, *args)

    async def alarm(self, info: Any) -> None:
        await self.story.alarms[type(self).__name__](self, info)

    async def fetch(self, request: Any) -> Any:
        return await self.story.fetches[type(self).__name__](self, request)

    def log(self, event: Any) -> None:
        self.story.log.append((now_ms(), f"{type(self).__name__}:{self.ctx.id.name}", event))

    def call(self, target: str, program: Callable[..., Any], *args: Any) -> Any:
        """Start a program in another object (or this one) by RPC, over a new stub."""
        return self.story.call(target, program, *args)

    @property
    def storage(self) -> Any:
        return self.ctx.storage

    async def block(self, callback: Callable[[], Any]) -> Any:
        return await self.ctx.blockConcurrencyWhile(callback)


class Story:
    """One world, its programs and its log."""

    def __init__(self, **options: Any) -> None:
        self.log: list[tuple[int, str, Any]] = []
        self.programs: list[Callable[..., Any]] = []
        self.constructors: dict[str, Callable[[Any], None]] = {}
        self.alarms: dict[str, Callable[..., Any]] = {}
        self.fetches: dict[str, Callable[..., Any]] = {}
        classes = {name: type(name, (Actor,), {"story": self}) for name in "ABC"}
        settings = {"platform": "workerd", "network": None, "show_output": False, **options}
        self.sim = Simulation(durable_objects=classes, **settings)

    def stub(self, target: str) -> Any:
        name, _, key = target.partition(":")
        return getattr(self.sim.env, name).getByName(key)

    def number(self, program: Callable[..., Any]) -> int:
        self.programs.append(program)
        return len(self.programs) - 1

    def call(self, target: str, program: Callable[..., Any], *args: Any) -> Any:
        return self.stub(target).run(self.number(program), *args)

    def on(self, stub: Any, program: Callable[..., Any], *args: Any) -> Any:
        """Start a program over a stub that is held already."""
        return stub.run(self.number(program), *args)

    async def _step(self, at_ms: int, target: str, program: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        if at_ms:
            await asyncio.sleep(at_ms / 1000)
        try:
            return await self.call(target, program, *args)
        except Exception as error:
            return seen(error)

    def play(self, *steps: tuple[Any, ...]) -> list[Any]:
        """Run steps to their ends; their results in order, an error as `seen` shows it."""
        return list(self.sim.run(*[self._step(at, to, do, args) for at, to, do, *args in steps], _none()))[:-1]

    def events(self, *names: str) -> list[Any]:
        """The logged events alone."""
        return [event for _, who, event in self.log if not names or who in names]

    def timed(self) -> list[tuple[int, Any]]:
        return [(ms, event) for ms, _, event in self.log]


async def _none() -> None:
    return None


def timeout(ms: float) -> asyncio.Future[None]:
    """JavaScript's promise of a setTimeout."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    js.setTimeout(lambda: done.done() or done.set_result(None), ms)
    return done


def saying(event: Any, wait_ms: int = 0) -> Callable[..., Any]:
    """A program that waits, then logs."""

    async def program(o: Any) -> Any:
        if wait_ms:
            await asyncio.sleep(wait_ms / 1000)
        o.log(event)
        return event

    return program


async def resting(o: Any, wait_ms: int) -> None:
    """A program that only takes time."""
    await asyncio.sleep(wait_ms / 1000)
