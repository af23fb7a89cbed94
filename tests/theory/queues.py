"""Queues in ordinary user code, their closed forms, and the statistics that compare the two.

Plain batch means would need five million customers for intervals this narrow. So the mean wait is estimated with a
control variate (Lavenberg and Welch 1981): for each customer, the wait it would have if the queue had been empty some
arrivals before it. That is a function of the drawn gaps and services alone, never of what the simulator made of them,
and its mean is known exactly from Spitzer's identity. The estimate of the simulator's mean wait stays unbiased (up to
the usual effect of an estimated coefficient), its interval becomes narrower. `test_plain.py` does without.

What the control leaves unexplained is skewed, so the intervals are a little too narrow: over 200 seeds they held the
truth in 95 to 98 % of the runs, not 99 %. The tests are that much stricter than they say.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import accumulate
from math import exp, lgamma, log, sqrt
from random import Random
from statistics import fmean
from typing import Any

import dosim
from dosim import Simulation
from dosim.workers import DurableObject

#: Mean service, microseconds: rounding to whole ones changes no mean by more than 1 in 20,000.
SERVICE_US = 10_000
#: Batches, and Student's t, two-sided 99 %, for as many less two (with a control) or one (without).
CONTROLLED, T_CONTROLLED = 20, 2.878
PLAIN, T_PLAIN = 60, 2.662


class Thread(DurableObject):
    """Serves by using CPU: the object's thread is busy."""

    async def serve(self, service: str) -> None:
        dosim.cpu(service)


class Section(DurableObject):
    """Serves by sleeping inside `blockConcurrencyWhile`: the object's gate is held."""

    async def serve(self, service: str) -> None:
        seconds = int(service.removesuffix("us")) / 1e6
        await self.ctx.blockConcurrencyWhile(lambda: asyncio.sleep(seconds))


@dataclass(frozen=True, slots=True)
class Run:
    """What was drawn and what became of it, by customer, microseconds. `gaps_us[i]` lies before customer i."""

    gaps_us: list[int]
    services_us: list[int]
    waits_us: list[int]


def draw_us(rng: Random, mean_us: float) -> int:
    return round(rng.expovariate(1 / mean_us))


def simulate(
    customers: int, utilisation: float, seed: int, *, exponential: bool, server: type[DurableObject] = Thread
) -> Run:
    """Poisson arrivals at one object, one server, from an empty queue."""
    rng = Random(seed)
    gaps_us = [draw_us(rng, SERVICE_US / utilisation) for _ in range(customers)]
    services_us = [draw_us(rng, SERVICE_US) if exponential else SERVICE_US for _ in range(customers)]
    waits_us: list[int] = []
    sim = Simulation(durable_objects={"QUEUE": server}, network=None, platform="workerd", retention="none")

    def collect(t_us: int, _: int, kind: str, __: str, ___: int, ____: int, detail: tuple[Any, ...]) -> None:
        if kind == "start":
            waits_us.append(t_us - detail[0])

    async def arrivals() -> None:
        queue = sim.env.QUEUE.getByName("q")
        for gap_us, service_us in zip(gaps_us, services_us, strict=True):
            await asyncio.sleep(gap_us / 1e6)
            queue.serve(f"{service_us}us")

    sim.trace.subscribe(collect)
    sim.run(arrivals())
    sim.run()
    return Run(gaps_us, services_us, waits_us)


def lindley_us(run: Run) -> list[int]:
    """Each customer's wait by Lindley's recursion: the previous one's wait and service, less the gap between them."""
    waits_us = [0]
    for gap_us, service_us in zip(run.gaps_us[1:], run.services_us, strict=False):
        waits_us.append(max(0, waits_us[-1] + service_us - gap_us))
    return waits_us


# -- closed forms, in units of the mean service


def pollaczek_khinchine(utilisation: float, *, exponential: bool) -> float:
    """The mean wait of M/G/1: M/M/1 if `exponential`, else M/D/1."""
    squared_variation = 1 if exponential else 0
    return utilisation * (1 + squared_variation) / (2 * (1 - utilisation))


def wait_after_empty(utilisation: float, depth: int, *, exponential: bool) -> float:
    """The mean wait of customer `depth` after an empty start, by Spitzer's identity: the sum of E[max(0, S_j)] / j.

    S_j is the sum of j services less j gaps.
    """
    excess = _excess_of_exponential if exponential else _excess_of_constant
    return sum(excess(utilisation, j) / j for j in range(1, depth + 1))


def _excess_of_constant(rate: float, j: int) -> float:
    """E[max(0, j - G)] for G the sum of j exponential gaps: with the Poisson number of arrivals in a time j."""
    mean = rate * j
    below = [exp(i * log(mean) - mean - lgamma(i + 1)) for i in range(j + 1)]
    at_least_j = 1 - sum(below[:j])
    return j * at_least_j - j / rate * (at_least_j - below[j])


def _excess_of_exponential(rate: float, j: int) -> float:
    """E[max(0, B - G)]: when the j gaps are over and i of the j services are, the others last 1 each."""
    gap, service = log(rate / (1 + rate)), log(1 / (1 + rate))
    return sum(exp(lgamma(i + j) - lgamma(i + 1) - lgamma(j) + j * gap + i * service) * (j - i) for i in range(j))


# -- statistics


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and the half-width of its 99 % interval, in units of the mean service."""

    mean: float
    half_width: float

    def says(self, truth: float, within: float) -> bool:
        """True when the interval holds `truth` and is no wider than that share of it."""
        return abs(self.mean - truth) <= self.half_width <= within * truth


def plain_interval(values: list[float]) -> Interval:
    """Batch means."""
    means = _batch_means(values, PLAIN)
    centre = fmean(means)
    variance = sum((mean - centre) ** 2 for mean in means) / (PLAIN - 1)
    return Interval(centre, T_PLAIN * sqrt(variance / PLAIN))


def controlled_interval(values: list[float], controls: list[float], control_mean: float) -> Interval:
    """Batch means, less what a control of known mean explains of them: linear regression."""
    y = _batch_means(values, CONTROLLED)
    x = [mean - control_mean for mean in _batch_means(controls, CONTROLLED)]
    y_mean, x_mean = fmean(y), fmean(x)
    spread = sum((a - x_mean) ** 2 for a in x)
    slope = sum((a - x_mean) * (b - y_mean) for a, b in zip(x, y, strict=True)) / spread
    residue = sum((b - y_mean - slope * (a - x_mean)) ** 2 for a, b in zip(x, y, strict=True)) / (CONTROLLED - 2)
    return Interval(y_mean - slope * x_mean, T_CONTROLLED * sqrt(residue * (1 / CONTROLLED + x_mean**2 / spread)))


def _batch_means(values: list[float], batches: int) -> list[float]:
    size = len(values) // batches
    return [fmean(values[k * size : (k + 1) * size]) for k in range(batches)]


def waits_if_empty_before(run: Run, depth: int) -> list[float]:
    """The control: for each customer from number `depth` on, its wait had the queue been empty `depth` arrivals before.

    That is the highest of the last `depth` + 1 partial sums (a sliding minimum, kept in a list).
    """
    steps = (service_us - gap_us for gap_us, service_us in zip(run.gaps_us[1:], run.services_us, strict=False))
    heights = list(accumulate(steps, initial=0))
    lowest: list[int] = []
    first = 0
    waits = []
    for i, height in enumerate(heights):
        while len(lowest) > first and heights[lowest[-1]] >= height:
            lowest.pop()
        lowest.append(i)
        if lowest[first] < i - depth:
            first += 1
        if i >= depth:
            waits.append((height - heights[lowest[first]]) / SERVICE_US)
    return waits


def mean_wait(customers: int, utilisation: float, depth: int, seed: int, *, exponential: bool) -> Interval:
    """The simulator's mean wait; the first customers, which met a young queue, are left out."""
    warm_up = max(depth, round(20 / (1 - utilisation) ** 2))
    run = simulate(customers + warm_up, utilisation, seed, exponential=exponential)
    waits = [wait_us / SERVICE_US for wait_us in run.waits_us[warm_up:]]
    controls = waits_if_empty_before(run, depth)[warm_up - depth :]
    return controlled_interval(waits, controls, wait_after_empty(utilisation, depth, exponential=exponential))
