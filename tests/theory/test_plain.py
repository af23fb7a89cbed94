"""The same queues by plain batch means, long enough to need no variance reduction; and two queues in tandem."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

import dosim
from dosim import Simulation
from dosim.workers import DurableObject
from tests.theory.queues import SERVICE_US, draw_us, plain_interval, pollaczek_khinchine, simulate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    ("utilisation", "exponential", "customers", "within"),
    [
        (0.5, False, 350_000, 0.02),
        (0.8, False, 1_400_000, 0.02),
        (0.95, False, 1_000_000, 0.10),
        (0.5, True, 750_000, 0.02),
        (0.8, True, 3_000_000, 0.02),
        (0.95, True, 1_800_000, 0.10),
    ],
)
def test_mean_wait_by_batch_means(utilisation: float, exponential: bool, customers: int, within: float) -> None:
    """No closed form but the one that is tested: 60 batches, their mean, Student's t."""
    run = simulate(customers, utilisation, seed=2, exponential=exponential)
    measured = plain_interval([wait_us / SERVICE_US for wait_us in run.waits_us[customers // 100 :]])
    assert measured.says(pollaczek_khinchine(utilisation, exponential=exponential), within), measured


class First(DurableObject):
    """Serves, then passes the customer on."""

    async def serve(self, service: str, second: str) -> None:
        dosim.cpu(service)
        await self.env.SECOND.getByName("q").serve(second)


class Second(DurableObject):
    async def serve(self, service: str) -> None:
        dosim.cpu(service)


def test_two_queues_in_tandem_take_as_long_as_jacksons_theorem_says() -> None:
    """Two M/M/1 in a row: by Burke's theorem a customer's way to the end of the second takes 2 / (1 - utilisation).

    Not to the answer of the first object: that comes back through its gate, and waits while its thread is busy.
    """
    utilisation, customers, rng = 0.5, 400_000, Random(3)
    began_us: dict[int, int] = {}
    stays: list[float] = []
    sim = Simulation(
        durable_objects={"FIRST": First, "SECOND": Second}, network=None, platform="workerd", retention="none"
    )

    def collect(t_us: int, _: int, kind: str, actor: str, call: int, __: int, detail: tuple[object, ...]) -> None:
        if kind == "call":
            caller = detail[0]
            began_us[call] = t_us if caller == 0 else began_us.pop(caller)  # type: ignore[arg-type]
        elif kind == "return" and call in began_us:
            stays.append((t_us - began_us.pop(call)) / SERVICE_US)

    async def arrivals() -> None:
        queue = sim.env.FIRST.getByName("q")
        for _ in range(customers):
            await asyncio.sleep(draw_us(rng, SERVICE_US / utilisation) / 1e6)
            queue.serve(f"{draw_us(rng, SERVICE_US)}us", f"{draw_us(rng, SERVICE_US)}us")

    sim.trace.subscribe(collect)
    sim.run(arrivals())
    sim.run()
    measured = plain_interval(stays[customers // 100 :])
    assert measured.says(2 / (1 - utilisation), 0.02), measured
