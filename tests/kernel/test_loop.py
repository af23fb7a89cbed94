"""The loop: virtual time, one event at a time, asyncio's own primitives, the same order in every run."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys

import pytest

from dosim import Deadlock, Simulation


@pytest.fixture
def sim() -> Simulation:
    return Simulation(platform="workerd", network=None)


def now_s(sim: Simulation) -> float:
    return sim.now.us / 1_000_000


def test_time_moves_only_to_the_next_event(sim):
    """A sleep of a day takes no time, and ends exactly a day later."""

    async def day():
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    assert 86_400.0 == sim.run(day())
    assert 86_400_000_000 == sim.now.us


def test_microseconds_are_whole(sim):
    """A tenth of a second a thousand times is a hundred seconds to the microsecond."""

    async def tenths():
        for _ in range(1000):
            await asyncio.sleep(0.1)

    sim.run(tenths())

    assert 100_000_000 == sim.now.us


def test_gather_waits_for_the_longest(sim):
    """gather returns in call order, at the time of the last one."""

    async def nap(seconds):
        await asyncio.sleep(seconds)
        return seconds

    async def all_of_them():
        return await asyncio.gather(nap(3), nap(1), nap(2))

    assert [3, 1, 2] == sim.run(all_of_them())
    assert 3.0 == now_s(sim)


def test_timeout_ends_a_wait(sim):
    """asyncio.timeout cancels at its time."""

    async def impatient():
        async with asyncio.timeout(2):
            await asyncio.sleep(10)

    with pytest.raises(TimeoutError):
        sim.run(impatient())

    assert 2.0 == now_s(sim)


def test_a_cancelled_timer_moves_no_clock(sim):
    """A timeout that was not needed leaves nothing behind to wait for."""

    async def quick():
        async with asyncio.timeout(1000):
            await asyncio.sleep(1)

    sim.run(quick())
    sim.run()

    assert 1.0 == now_s(sim)


def test_task_group_cancels_in_order_of_creation(sim):
    """When one task of a group fails, the others are cancelled in the order in which they were made."""
    cancelled = []

    async def sleeper(name):
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            cancelled.append(name)
            raise

    async def fails():
        await asyncio.sleep(1)
        raise ValueError("one")

    async def group():
        async with asyncio.TaskGroup() as tasks:
            for i in range(20):
                tasks.create_task(sleeper(i))
            tasks.create_task(fails())

    with pytest.raises(ExceptionGroup):
        sim.run(group())

    assert list(range(20)) == cancelled


def test_as_completed_keeps_call_order_among_equals(sim):
    """Coroutines that end at the same instant come out in call order."""

    async def nap(n, seconds):
        await asyncio.sleep(seconds)
        return n

    async def collect():
        return [await each for each in asyncio.as_completed([nap(i, 1 + (i == 0)) for i in range(10)])]

    assert [*range(1, 10), 0] == sim.run(collect())


def test_wait_returns_sets_in_one_order(sim):
    """The sets that asyncio.wait returns iterate in the order of creation."""

    async def nap(n):
        await asyncio.sleep(1)
        return n

    async def wait():
        tasks = [asyncio.create_task(nap(i)) for i in range(30)]
        done, _ = await asyncio.wait(tasks)
        return [task.result() for task in done]

    first = sim.run(wait())
    junk = [object() for _ in range(10_000)]

    assert first == Simulation(platform="workerd", network=None).run(wait())
    assert junk


def test_event_lock_queue(sim):
    """Event, Lock and Queue are asyncio's own, first come first served."""

    async def story():
        order, gate, lock, queue = [], asyncio.Event(), asyncio.Lock(), asyncio.Queue()

        async def worker(name):
            await gate.wait()
            async with lock:
                await asyncio.sleep(1)
                order.append((name, asyncio.get_running_loop().time()))
                await queue.put(name)

        tasks = [asyncio.create_task(worker(name)) for name in "abc"]
        await asyncio.sleep(1)
        gate.set()
        await asyncio.gather(*tasks)
        return order, [queue.get_nowait() for _ in range(3)]

    assert ([("a", 2.0), ("b", 3.0), ("c", 4.0)], ["a", "b", "c"]) == sim.run(story())


def test_context_variables_follow_tasks(sim):
    """A task has a copy of its maker's context."""
    name = contextvars.ContextVar("name", default="nobody")

    async def child():
        name.set("child")
        await asyncio.sleep(1)
        return name.get()

    async def parent():
        name.set("parent")
        answer = await asyncio.create_task(child())
        return answer, name.get()

    assert ("child", "parent") == sim.run(parent())


def test_async_generators_are_closed_inside(sim):
    """An abandoned async generator runs its finally in the simulation."""
    log = []

    async def numbers():
        try:
            for i in range(10):
                await asyncio.sleep(1)
                yield i
        finally:
            log.append("closed")

    async def first():
        async for i in numbers():
            return i
        return None

    assert 0 == sim.run(first())
    sim.run(for_="1s")
    assert ["closed"] == log


def test_threads_are_refused(sim):
    """to_thread says what to do instead."""

    async def threaded():
        await asyncio.to_thread(print)

    with pytest.raises(RuntimeError, match=r"dosim\.cpu"):
        sim.run(threaded())


def test_run_stops_at_until_and_for(sim):
    """until counts from the start, for_ from now; events due at that instant have happened."""
    seen = []

    async def ticks():
        while True:
            await asyncio.sleep(1)
            seen.append(now_s(sim))

    with pytest.raises(TimeoutError, match="1 of 1"):
        sim.run(ticks(), until="3s")
    sim.run(for_="2s")

    assert [1.0, 2.0, 3.0, 4.0, 5.0] == seen
    assert 5.0 == now_s(sim)


def test_nothing_left_is_a_deadlock(sim):
    """A wait that nobody ends is an error that says so, not a hang."""

    async def forever():
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="1 of 1 results have not come"):
        sim.run(forever())


def test_thirty_repeats_one_result():
    """Thirty runs in one process, with garbage allocated between, give one trace."""
    digests = set()
    junk = []
    for repeat in range(30):
        digests.add(_busy_digest())
        junk.append([object() for _ in range(repeat * 37 % 101)])

    assert 1 == len(digests)


def test_two_processes_one_digest():
    """Two processes with different hash seeds give one digest."""
    program = "from tests.kernel.test_loop import _busy_digest; print(_busy_digest())"
    digests = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("0", "4711")
    }

    assert 1 == len(digests)


def _busy_digest() -> str:
    """A program that goes through every primitive whose order could differ."""
    from tests.kernel.busy import Busy, Default

    sim = Simulation(Default, durable_objects={"BUSY": Busy}, seed=3, show_output=False)
    clients = [sim.client(city) for city in ("Tokyo", "Paris", "Lima")]
    sim.run(*[client.fetch("https://busy.example/") for client in clients for _ in range(3)])
    return sim.trace.digest
