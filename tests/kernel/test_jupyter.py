"""Where a loop is running already: in a Jupyter kernel, plain and patched by somebody, and in `asyncio.run`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from dosim import Simulation
from dosim.web.errors import JsException
from dosim.workers import DurableObject

if TYPE_CHECKING:
    from conftest import Kernel

#: A world with timers, storage, a Worker and output, and `story(sim)`: what is to be the same everywhere.
WORLD = """
import asyncio
from dosim import Simulation
from dosim.workers import DurableObject, Response, WorkerEntrypoint

class Counter(DurableObject):
    async def increment(self):
        count = (await self.ctx.storage.get("count") or 0) + 1
        await self.ctx.storage.put("count", count)
        await asyncio.gather(*[asyncio.sleep(seconds) for seconds in (2, 1)])
        async with asyncio.timeout(5):
            print("counted to", count)
        return count

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(str(await self.env.COUNTER.getByName("demo").increment()))

def world():
    sim = Simulation(Default, durable_objects={"COUNTER": Counter}, seed=7, show_output=False)
    tokyo = sim.client("Tokyo")
    return sim, [tokyo.fetch("https://app.example/") for _ in range(3)]

async def outside(sim, calls):
    texts = [await (await call).text() for call in calls]
    await asyncio.sleep(1)
    return sorted(texts)

def told(sim, answers):
    print(answers, sim.now.us // 1_000_000, sim.trace.digest)
"""
RUN = "sim, calls = world(); told(sim, sim.run(outside(sim, calls)))"
ARUN = "sim, calls = world(); told(sim, await sim.arun(outside(sim, calls)))"
ASYNCIO_RUN = """
async def main():
    sim, calls = world()
    return sim, await sim.arun(outside(sim, calls))
told(*asyncio.run(main()))
"""
FAILS = """
class Broken(DurableObject):
    async def fail(self):
        raise ValueError("no such luck")
sim = Simulation(durable_objects={"BROKEN": Broken})
try:
    sim.run(sim.env.BROKEN.getByName("x").fail())
except Exception as error:
    print(type(error).__name__, "no such luck" in str(error))
"""


@pytest.fixture(scope="module")
def expected(run_script: Callable[[str], str]) -> str:
    """What a plain script prints."""
    return run_script(WORLD + RUN)


def test_a_script_tells_the_story(expected: str) -> None:
    """Three requests count to three in three seconds and a bit."""
    answers, _, rest = expected.partition("] ")

    assert "['1', '2', '3'" == answers
    assert "3" == rest.split()[0]
    assert 64 == len(rest.split()[1])


def test_run_all_in_a_plain_kernel(start_kernel: Callable[[], Kernel], expected: str) -> None:
    """With every cell queued at once, sim.run() and await sim.arun() give what a script gives, and no cell is lost."""
    cells = start_kernel().run_all(WORLD, RUN, ARUN, RUN, ARUN, FAILS, RUN, "print('the last cell')")

    assert ["ok"] * 8 == [cell.status for cell in cells]
    assert [expected] * 4 == [cells[i].stdout for i in (1, 2, 3, 4)]
    assert "JsException True\n" == cells[5].stdout
    assert [expected, "the last cell\n"] == [cell.stdout for cell in cells[6:]]
    assert [""] * 8 == [cell.stderr for cell in cells]


def test_run_all_after_nest_asyncio2(start_kernel: Callable[[], Kernel], expected: str) -> None:
    """After nest_asyncio2.apply(), asyncio.run() works in a cell as well, nothing is lost and nobody is warned."""
    cells = start_kernel().run_all(
        WORLD, "import nest_asyncio2; nest_asyncio2.apply()", RUN, ASYNCIO_RUN, ARUN, FAILS, ASYNCIO_RUN, RUN
    )

    assert ["ok"] * 8 == [cell.status for cell in cells]
    assert [expected] * 3 == [cells[i].stdout for i in (2, 3, 4)]
    assert "JsException True\n" == cells[5].stdout
    assert [expected] * 2 == [cell.stdout for cell in cells[6:]]
    assert [""] * 8 == [cell.stderr for cell in cells]


def test_cell_by_cell_after_nest_asyncio(start_kernel: Callable[[], Kernel], expected: str) -> None:
    """After nest_asyncio 1.6, cells sent one by one work, and the first run warns, once, and names the way out."""
    kernel = start_kernel()
    apply = "import nest_asyncio; nest_asyncio.apply()"
    cells = [kernel.run_all(code)[0] for code in (WORLD, apply, RUN, ARUN, ASYNCIO_RUN, FAILS, RUN)]

    assert ["ok"] * 7 == [cell.status for cell in cells]
    assert [expected] * 3 == [cells[i].stdout for i in (2, 3, 4)]
    assert ["JsException True\n", expected] == [cell.stdout for cell in cells[5:]]
    warning = cells[2].stderr
    assert 1 == warning.count("RuntimeWarning")
    assert "nest_asyncio 1.6" in warning and "Run All" in warning and "import nest_asyncio2" in warning
    assert "ipykernel_" in warning.partition(": RuntimeWarning")[0], "the warning points at the cell"
    assert [""] * 4 == [cell.stderr for cell in cells[3:]]


class Echo(DurableObject):
    async def later(self, text: str) -> str:
        await asyncio.sleep(5)
        return text


def test_run_inside_a_running_loop() -> None:
    """In asyncio.run(), run() and arun() give results and put the running loop and the current task back."""

    async def main() -> list[object]:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        seen: list[object] = []
        for number in (1, 2):
            sim = Simulation(durable_objects={"ECHO": Echo}, seed=number)
            stub = sim.env.ECHO.getByName("x")
            seen.append(sim.run(stub.later("run")))
            assert loop is asyncio.get_running_loop() and task is asyncio.current_task()
            seen.append(await sim.arun(stub.later("arun")))
            assert loop is asyncio.get_running_loop() and task is asyncio.current_task()
            async with asyncio.timeout(60):  # the outer loop's own machinery needs its current task
                await asyncio.sleep(0)
            seen.append(sim.now.us // 1_000_000)
        return seen

    assert ["run", "arun", 10] * 2 == asyncio.run(main())


def test_the_outer_loop_is_put_back_after_an_error() -> None:
    """A run that raises leaves the running loop and the current task as they were."""

    async def main() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        sim = Simulation(durable_objects={"ECHO": Echo})
        with pytest.raises(JsException, match="missing 1 required"):
            sim.run(sim.env.ECHO.getByName("x").later())
        assert loop is asyncio.get_running_loop() and task is asyncio.current_task()
        with pytest.raises(JsException, match="missing 1 required"):
            await sim.arun(sim.env.ECHO.getByName("x").later())
        assert loop is asyncio.get_running_loop() and task is asyncio.current_task()

    asyncio.run(main())


def test_simulations_side_by_side() -> None:
    """Two simulations under arun() in two tasks of one loop leave each other alone, and the loop's own work goes on."""

    async def ticks(counted: list[int]) -> None:
        while True:
            counted.append(1)
            await asyncio.sleep(0)

    async def main() -> tuple[list[str], int]:
        counted: list[int] = []
        ticking = asyncio.create_task(ticks(counted))
        sims = [Simulation(durable_objects={"ECHO": Echo}, seed=7) for _ in range(2)]
        many = [[sim.env.ECHO.getByName("x").later("x") for _ in range(9_000)] for sim in sims]
        await asyncio.gather(*[sim.arun(*calls) for sim, calls in zip(sims, many, strict=True)])
        ticking.cancel()
        return [sim.trace.digest for sim in sims], len(counted)

    digests, counted = asyncio.run(main())

    assert digests[0] == digests[1]
    assert counted > 1


def test_run_is_refused_inside_simulated_code() -> None:
    """A coroutine that runs in a simulation cannot call sim.run() again: the error says to await."""
    sim = Simulation(durable_objects={"ECHO": Echo})

    async def outside() -> None:
        sim.run(sim.env.ECHO.getByName("x").later("x"))

    with pytest.raises(RuntimeError, match=r"inside simulated code.*await the call itself"):
        sim.run(outside())
