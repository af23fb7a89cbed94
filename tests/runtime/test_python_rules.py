"""asyncio, contextvars and the `js` timers inside objects (RULES-python 1–14, 27, 28; DESIGN 3)."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest

from dosim import workers
from dosim.workers import js
from tests.runtime.stories import Story, resting, saying, seen

NAME: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="default")


# -- asyncio inside objects


def test_gather_of_calls_takes_as_long_as_the_slowest() -> None:
    """Fan-out to three objects: 300 ms, results in the order of the calls."""

    async def caller(o: Any) -> Any:
        return await asyncio.gather(*[o.call(f"B:{ms}", saying(ms, ms)) for ms in (300, 100, 200)])

    story = Story()
    assert story.play((0, "A:x", caller)) == [[300, 100, 200]]
    assert story.sim.now.us == 300_000


def test_gather_with_errors_returned() -> None:
    """return_exceptions gives the JsException in its place; without it the first error comes at once."""
    story = Story()

    async def fails(o: Any, ms: int) -> None:
        await asyncio.sleep(ms / 1000)
        raise ValueError(f"after {ms}")

    async def both(o: Any) -> Any:
        results = await asyncio.gather(
            o.call("B:1", fails, 100), o.call("B:2", saying("ok", 200)), return_exceptions=True
        )
        return [type(results[0]).__name__, results[1]]

    async def first(o: Any) -> Any:
        try:
            await asyncio.gather(
                o.call("B:3", fails, 200), o.call("B:4", fails, 100), o.call("B:5", saying("still", 300))
            )
        except Exception as error:
            o.log(seen(error)[0])

    assert story.play((0, "A:x", both), (1000, "A:x", first)) == [["JsException", "ok"], None]
    story.sim.run()
    assert story.timed()[1:] == [(1100, "ValueError: after 100"), (1300, "still")]


def test_a_task_group_cancels_the_waits_and_not_the_work() -> None:
    """ExceptionGroup of JsException; the cancelled wait's object still does its work [async_task_group]."""
    story = Story()

    async def fails(o: Any) -> None:
        await asyncio.sleep(0.1)
        raise ValueError("step failed")

    async def caller(o: Any) -> Any:
        shown: list[Any] = []
        try:
            async with asyncio.TaskGroup() as group:
                slow = group.create_task(o.call("B:slow", saying("worked", 300)))
                group.create_task(o.call("B:bad", fails))
        except* Exception as errors:
            shown = [[type(error).__name__ for error in errors.exceptions], slow.cancelled()]
        o.log("group over")
        return shown

    assert story.play((0, "A:x", caller)) == [[["JsException"], True]]
    story.sim.run()
    assert story.timed() == [(100, "group over"), (300, "worked")]


def test_timeout_over_a_call() -> None:
    """asyncio.timeout and wait_for give up in virtual time."""

    async def caller(o: Any, how: str) -> Any:
        try:
            if how == "timeout":
                async with asyncio.timeout(0.1):
                    await o.call("B:y", resting, 500)
            else:
                await asyncio.wait_for(o.call("B:y", resting, 500), 0.1)
        except TimeoutError:
            return round(asyncio.get_running_loop().time() * 1000)
        return "in time"

    assert Story().play((0, "A:x", caller, "timeout"), (1000, "A:x", caller, "wait_for")) == [100, 1100]


def test_a_timeout_around_a_section_cannot_fire_inside_it() -> None:
    """Its timer waits at the gate; after the section the code goes on first and the timeout is over [bl-22]."""

    async def caller(o: Any) -> Any:
        async with asyncio.timeout(0.1):
            await o.block(lambda: asyncio.sleep(1))
        return round(asyncio.get_running_loop().time() * 1000)

    assert Story().play((0, "A:x", caller)) == [1000]


def test_as_completed_yields_in_the_order_of_completion() -> None:
    """200, 100, 300 ms, and of equal ones the first called first."""

    async def caller(o: Any) -> Any:
        calls = [o.call(f"B:{n}", saying(n, ms)) for n, ms in enumerate((200, 100, 300, 100))]
        return [await one for one in asyncio.as_completed(calls)]

    assert Story().play((0, "A:x", caller)) == [[1, 3, 0, 2]]


def test_wait_gives_what_is_done_first() -> None:
    """asyncio.wait with FIRST_COMPLETED, then the rest."""

    async def caller(o: Any) -> Any:
        tasks = [asyncio.create_task(o.call(f"B:{n}", saying(n, ms))) for n, ms in enumerate((200, 100))]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        first = [task.result() for task in done]
        done, _ = await asyncio.wait(pending)
        return [first, [task.result() for task in done]]

    assert Story().play((0, "A:x", caller)) == [[[1], [0]]]


def test_a_queue_between_requests() -> None:
    """A consumer started by one request takes what others put, in order."""
    story = Story()

    async def consume(o: Any) -> list[Any]:
        o.queue = asyncio.Queue(maxsize=1)
        return [await o.queue.get() for _ in range(3)]

    async def produce(o: Any, item: str) -> None:
        await o.queue.put(item)

    steps = [(10 * n, "A:x", produce, item) for n, item in enumerate("abc", 1)]
    assert story.play((0, "A:x", consume), *steps)[0] == ["a", "b", "c"]


def test_a_lock_between_requests() -> None:
    """asyncio.Lock held over a sleep keeps the others out, first come first served [gate_asyncio_lock]."""
    story = Story()

    async def program(o: Any, name: str) -> None:
        o.lock = getattr(o, "lock", None) or asyncio.Lock()
        async with o.lock:
            await asyncio.sleep(0.1)
            o.log(name)

    story.play(*[(0, "A:x", program, name) for name in "abc"])
    assert story.timed() == [(100, "a"), (200, "b"), (300, "c")]


def test_an_event_between_requests_is_long_polling() -> None:
    """Three waiters are woken by one set() [async_event_between_calls]."""
    story = Story()
    story.constructors["A"] = lambda o: setattr(o, "event", asyncio.Event())

    async def waits(o: Any, name: str) -> str:
        await o.event.wait()
        return name

    async def sets(o: Any) -> None:
        o.event.set()

    assert story.play(*[(0, "A:x", waits, n) for n in "abc"], (500, "A:x", sets)) == ["a", "b", "c", None]
    assert story.sim.now.us == 500_000


def test_semaphore_condition_and_barrier_work() -> None:
    """The other primitives, in virtual time."""

    async def program(o: Any) -> Any:
        semaphore, done = asyncio.Semaphore(2), []

        async def one(n: int) -> None:
            async with semaphore:
                await asyncio.sleep(0.1)
                done.append((n, round(asyncio.get_running_loop().time() * 10)))

        await asyncio.gather(*map(one, range(4)))
        barrier = asyncio.Barrier(2)
        await asyncio.gather(barrier.wait(), barrier.wait())
        return [list(pair) for pair in done]

    assert Story().play((0, "A:x", program)) == [[[0, 1], [1, 1], [2, 2], [3, 2]]]


def test_cancelling_a_task_of_one_s_own() -> None:
    """task.cancel() runs its finally and raises CancelledError in the awaiting code."""
    story = Story()

    async def program(o: Any) -> str:
        async def sleeps() -> None:
            try:
                await asyncio.sleep(10)
            finally:
                o.log("finally")

        task = asyncio.create_task(sleeps())
        await asyncio.sleep(0.1)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return "cancelled"
        return "ended"

    assert story.play((0, "A:x", program)) == ["cancelled"]
    assert story.timed() == [(100, "finally")]


def test_shield_and_current_task() -> None:
    """shield keeps the inner wait; current_task is the handler's."""

    async def program(o: Any) -> Any:
        assert asyncio.current_task() in asyncio.all_tasks()
        inner = asyncio.ensure_future(o.call("B:y", saying("kept", 200)))
        try:
            await asyncio.wait_for(asyncio.shield(inner), 0.1)
        except TimeoutError:
            return await inner
        return "in time"

    assert Story().play((0, "A:x", program)) == ["kept"]


def test_all_tasks_is_a_set() -> None:
    """`asyncio.all_tasks() - {asyncio.current_task()}`, the usual idiom, works."""
    story = Story()

    async def program(o: Any) -> list[str]:
        mine = [asyncio.create_task(saying(n, 100)(o), name=f"mine-{n}") for n in range(3)]
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others & set(mine):
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)
        return sorted(task.get_name() for task in others if task.get_name().startswith("mine"))

    assert story.play((0, "A:x", program)) == [["mine-0", "mine-1", "mine-2"]]
    assert story.log == []


def test_async_generators_and_context_managers() -> None:
    """`async for` and `async with` over awaits that open the gate."""
    story = Story()

    async def program(o: Any) -> list[int]:
        async def numbers() -> Any:
            try:
                for n in range(10):
                    await asyncio.sleep(0.01)
                    yield n
            finally:
                o.log("closed")

        found = []
        async for n in numbers():
            found.append(n)
            if n == 2:
                break
        await asyncio.sleep(0.01)
        return found

    assert story.play((0, "A:x", program)) == [[0, 1, 2]]
    assert story.events() == ["closed"]


def test_threads_are_refused() -> None:
    """asyncio.to_thread has no place in a Worker; the error names dosim.cpu."""

    async def program(o: Any) -> None:
        await asyncio.to_thread(len, "abc")

    assert "dosim.cpu" in Story().play((0, "A:x", program))[0][0]


# -- contextvars


def test_every_call_starts_from_defaults() -> None:
    """Neither the caller's nor an earlier call's value is there; inside one call it holds, in its tasks too."""

    async def sets(o: Any, value: str) -> list[str]:
        before = NAME.get()
        NAME.set(value)
        await asyncio.sleep(0.1)

        async def child() -> str:
            await asyncio.sleep(0)
            return NAME.get()

        return [before, NAME.get(), await asyncio.create_task(child()), *await o.call("B:y", reads)]

    async def reads(o: Any) -> list[str]:
        return [NAME.get()]

    results = Story().play((0, "A:x", sets, "one"), (50, "A:x", sets, "two"), (500, "A:x", reads))
    assert results == [["default", "one", "one", "default"], ["default", "two", "two", "default"], ["default"]]


def test_a_section_and_a_timer_see_the_values_of_their_starter() -> None:
    """Within one call the context goes along into callbacks."""

    async def program(o: Any) -> list[str]:
        NAME.set("mine")
        heard: list[str] = []
        js.setTimeout(lambda: heard.append(NAME.get()), 10)
        await asyncio.sleep(0.02)
        return heard

    assert Story().play((0, "A:x", program)) == [["mine"]]


def test_the_outside_s_values_do_not_reach_objects() -> None:
    """A context variable of the test is not seen inside."""

    async def reads(o: Any) -> str:
        return NAME.get()

    token = NAME.set("outside")
    try:
        assert Story().play((0, "A:x", reads)) == ["default"]
    finally:
        NAME.reset(token)


# -- js


def test_promise_statics_and_new() -> None:
    """resolve, reject, all, race, new, then, catch."""

    async def program(o: Any) -> Any:
        later = js.Promise.new(lambda resolve, reject: js.setTimeout(resolve, 100, "later"))
        both = await js.Promise.all([js.Promise.resolve(1), later])
        raced = await js.Promise.race([js.Promise.new(lambda resolve, reject: None), js.Promise.resolve("won")])
        try:
            await js.Promise.reject("why")
        except Exception as error:
            reason = str(error)
        chained = await js.Promise.resolve(2).then(lambda n: n + 1)
        caught = await js.Promise.reject("x").catch(lambda error: "caught")
        return [list(both), raced, reason, chained, caught]

    assert Story().play((0, "A:x", program)) == [[[1, "later"], "won", "Error: why", 3, "caught"]]


def test_queue_microtask_runs_in_the_same_turn() -> None:
    """After the code that runs, before the next event."""
    story = Story()

    async def program(o: Any) -> None:
        js.queueMicrotask(lambda: o.log("microtask"))
        o.log("code")

    story.play((0, "A:x", program), (0, "A:x", saying("next")))
    assert story.events() == ["code", "microtask", "next"]


def test_scheduler_wait_takes_milliseconds() -> None:
    """scheduler.wait(250)."""
    story = Story()

    async def program(o: Any) -> None:
        await js.scheduler.wait(250)
        o.log("over")

    story.play((0, "A:x", program))
    assert story.timed() == [(250, "over")]


def test_date_now_and_time_agree_and_stand_still_inside_a_turn() -> None:
    """js.Date.now, time.time and performance.now are virtual and frozen between I/O."""
    import time

    async def program(o: Any) -> list[Any]:
        first = [js.Date.now(), round(time.time() * 1000)]
        await o.storage.put("k", 1)
        second = [js.Date.now(), round(time.time() * 1000)]
        await asyncio.sleep(1.5)
        return [first == second, js.Date.now() - first[0], round(time.time() * 1000) - first[1]]

    assert Story().play((0, "A:x", program)) == [[True, 1500, 1500]]


@pytest.mark.parametrize("where", ["object", "worker"])
def test_cpu_work_delays_what_becomes_due_meanwhile(where: str) -> None:
    """gather of a 1 ms sleep and 70 ms of CPU: the sleep's continuation runs at 70 ms, in a Worker as in an object."""
    import dosim
    from dosim import Simulation
    from dosim.workers import DurableObject, Response, WorkerEntrypoint

    async def both() -> int:
        async def computes() -> None:
            dosim.cpu("70ms")

        await asyncio.gather(asyncio.sleep(0.001), computes())
        return round(asyncio.get_running_loop().time() * 1000)

    class Thing(DurableObject):
        async def go(self) -> int:
            return await both()

    class Default(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            return Response(str(await both()))

    sim = Simulation(Default, durable_objects={"T": Thing}, platform="workerd", network=None)
    if where == "object":
        assert sim.run(sim.env.T.getByName("x").go()) == 70
    else:
        assert sim.run(sim.run(sim.client().fetch("https://x/")).text()) == "70"


@pytest.mark.parametrize("how", ["setTimeout", "setInterval", "queueMicrotask", "call_soon", "done callback", "task"])
def test_an_error_in_a_callback_hurts_nobody(how: str) -> None:
    """An uncaught error in a timer, microtask or callback is reported nowhere: the object and the world go on."""
    story = Story()

    def broken(*_: Any) -> None:
        raise ValueError("in the callback")

    async def program(o: Any) -> None:
        o.n = 5
        loop = asyncio.get_running_loop()
        if how == "setTimeout":
            js.setTimeout(broken, 10)
        elif how == "setInterval":
            o.interval = js.setInterval(broken, 10)
        elif how == "queueMicrotask":
            js.queueMicrotask(broken)
        elif how == "call_soon":
            loop.call_soon(broken)
        elif how == "done callback":
            future = loop.create_future()
            future.add_done_callback(broken)
            future.set_result(None)
        else:
            o.task = asyncio.create_task(_raises())
        await asyncio.sleep(0.1)

    async def read(o: Any) -> int:
        if how == "setInterval":
            js.clearInterval(o.interval)
        return o.n

    assert story.play((0, "A:x", program), (200, "A:x", read)) == [None, 5]


async def _raises() -> None:
    raise ValueError("in the task")


def test_abort_in_a_timer_callback_resets_the_object() -> None:
    """ctx.abort() works from a setTimeout callback as well: requests in flight fail with the reason."""
    story = Story()

    async def program(o: Any) -> None:
        js.setTimeout(lambda: o.ctx.abort("from a timer"), 100)
        await asyncio.sleep(1)

    assert story.play((0, "A:x", program), (500, "A:x", saying("fresh"))) == [
        ("Error: from a timer", "durableObjectReset"), "fresh",
    ]  # fmt: skip


@pytest.mark.parametrize("error", [asyncio.CancelledError(), GeneratorExit(), SystemExit(1)])
def test_a_plain_method_may_raise_any_base_exception(error: BaseException) -> None:
    """It is that call's error, not the simulation's."""

    def program(o: Any) -> None:
        raise error

    async def fine(o: Any) -> str:
        return "fine"

    results = Story().play((0, "A:x", program), (1, "A:x", fine))
    assert type(error).__name__ in results[0][0] and results[1] == "fine"


# -- what stays, what goes (RULES-python 1, 9, 14, 28)


def test_module_globals_are_shared_by_the_objects_of_an_isolate() -> None:
    """Two objects see one module global (FACTS 1.2)."""
    counter: list[int] = []

    async def program(o: Any) -> int:
        counter.append(1)
        return len(counter)

    assert Story().play((0, "A:x", program), (1, "A:y", program)) == [1, 2]


def test_the_worker_waits_for_its_wait_until() -> None:
    """A WorkerEntrypoint's ctx.waitUntil takes a coroutine and runs it after the response."""
    from dosim import Simulation
    from dosim.workers import DurableObject, Response, WorkerEntrypoint

    done: list[int] = []

    class Default(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            self.ctx.waitUntil(self.later(100))
            workers.wait_until(self.later(200))
            return Response("early")

        async def later(self, ms: int) -> None:
            await asyncio.sleep(ms / 1000)
            done.append(ms)

    class Thing(DurableObject):
        pass

    sim = Simulation(Default, durable_objects={"T": Thing}, platform="workerd", network=None)
    sim.run(sim.client().fetch("https://x/"))
    assert done == []
    sim.run()
    assert done == [100, 200]
