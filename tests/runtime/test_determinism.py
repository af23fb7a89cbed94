"""Same seed, same digest: in one process with garbage between, and under any PYTHONHASHSEED (DESIGN 3, 6)."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, gc, random, sys, uuid
from dosim import Simulation
from dosim.workers import DurableObject, wait_until


class Worker(DurableObject):
    async def work(self, ms, fail=False):
        await asyncio.sleep(ms / 1000)
        await self.ctx.storage.put(str(uuid.uuid4()), random.random())
        print("worked", ms)
        if fail:
            raise ValueError("failed")
        return ms


class Boss(DurableObject):
    def stub(self, n):
        return self.env.WORKER.getByName(f"w{n}")

    async def story(self):
        print(await asyncio.gather(*[self.stub(n).work(n % 3) for n in range(9)]))
        tasks = {asyncio.create_task(self.stub(n).work(5)) for n in range(9)}
        for task in tasks:
            print(task.get_name())
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        print([t.get_name() for t in done], [t.get_name() for t in pending])
        await asyncio.wait(pending)
        async for_all = [self.stub(n).work(7) for n in range(9)]
        for one in asyncio.as_completed(for_all):
            print(await one)
        try:
            async with asyncio.TaskGroup() as group:
                for n in range(9):
                    group.create_task(self.leaves(n))
                group.create_task(self.stub(0).work(3, True))
        except* Exception as errors:
            print(len(errors.exceptions))
        futures = {asyncio.get_running_loop().create_future() for _ in range(9)}
        for number, future in enumerate(futures):
            future.add_done_callback(lambda _, number=number: print("done", number))
        for future in futures:
            future.set_result(None)
        print(sorted(map(str, [random.randrange(100) for _ in range(5)])))
        wait_until(self.stub(1).work(50))
        return len(asyncio.all_tasks())

    async def leaves(self, n):
        try:
            await self.stub(n).work(100)
        except asyncio.CancelledError:
            print("cancelled", n)
            raise


def digest():
    sim = Simulation(durable_objects={"WORKER": Worker, "BOSS": Boss}, show_output=False, seed=5)
    sim.run(*[sim.env.BOSS.getByName(name).story() for name in ("a", "b")])
    sim.run()
    return sim.trace.digest
""".replace("async for_all", "for_all")


def test_thirty_repeats_in_one_process_give_one_digest() -> None:
    """Garbage of many sizes is allocated and freed between, so that addresses differ."""
    space: dict[str, object] = {"__name__": "determinism_program"}
    exec(compile(PROGRAM, "determinism_program", "exec"), space)
    digests, garbage = set(), []
    for n in range(30):
        garbage.append([object() for _ in range(17 * n % 101)])
        if n % 3 == 0:
            garbage = garbage[1::2]
        digests.add(space["digest"]())  # type: ignore[operator]
    assert len(digests) == 1


def test_two_processes_with_different_hash_seeds_give_one_digest() -> None:
    """PYTHONHASHSEED 0, 1, 111 and random."""
    found = set()
    for seed in ("0", "1", "111", "random"):
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM + "\nprint(digest(), file=sys.stderr)"],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(run.stderr.strip().splitlines()[-1])
    assert len(found) == 1


def test_another_seed_gives_another_digest() -> None:
    """The digest is no constant."""
    space: dict[str, object] = {"__name__": "determinism_program"}
    exec(compile(PROGRAM, "determinism_program", "exec"), space)
    one = space["digest"]()  # type: ignore[operator]
    exec(compile(PROGRAM.replace("seed=5", "seed=6"), "determinism_program", "exec"), space)
    assert space["digest"]() != one  # type: ignore[operator]


EVICTED = """
import asyncio, gc
from dosim import Simulation
from dosim.workers import DurableObject


class Thing(DurableObject):
    async def start(self):
        self.task = asyncio.create_task(self.waits())

    async def waits(self):
        try:
            await asyncio.Event().wait()
        finally:
            print("finally")

    async def hello(self, collect):
        if collect:
            gc.collect()
        await asyncio.sleep(1)


def digest(collect):
    sim = Simulation(durable_objects={"T": Thing}, platform="workerd", network=None, show_output=False)
    sim.run(sim.env.T.getByName("x").start())
    sim.run(for_="20s")
    sim.run(sim.env.T.getByName("y").hello(collect))
    sim.run()
    return sim.trace.digest
"""


def test_when_garbage_is_collected_changes_nothing() -> None:
    """A task that an eviction left waiting never runs its `finally`, collected or not."""
    space: dict[str, object] = {"__name__": "evicted_program"}
    exec(compile(EVICTED, "evicted_program", "exec"), space)
    assert space["digest"](True) == space["digest"](False)  # type: ignore[operator]


def test_a_dropped_world_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """No `finally` of a task that still waited speaks when the simulation is collected."""
    space: dict[str, object] = {"__name__": "evicted_program"}
    exec(compile(EVICTED, "evicted_program", "exec"), space)
    space["digest"](False)  # type: ignore[operator]
    gc.collect()
    assert capsys.readouterr().out == ""
