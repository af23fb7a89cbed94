"""The test of `exploring_dosim.py` over asyncio alone, explored by simloom and by detangle, where they are installed.

Both run a coroutine function under many orders of ready tasks. What the platform does is written by hand, as far as
the test needs it: a message takes time, storage is a dictionary behind a lock, a write takes time to be confirmed.
There are no requests, copies of values, transactions, output gates, turns or records of them: dosim's run does more.

    python benchmarks/exploring_asyncio.py simloom 200 7    CPU seconds of 200 runs, the shortest of 7 times

It is measured in a process of its own: simloom collects garbage after each run, and would pay for all that dosim holds.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from time import process_time
from typing import Any

REQUESTS = 10
MESSAGE_S, SERVICE_S, COMMIT_S = 0.001, 0.05, 0.005


class Wallet:
    def __init__(self) -> None:
        self._stored: dict[str, int] = {}
        self._gate = asyncio.Lock()

    async def pay_in(self, amount: int) -> int:
        async with self._gate:
            if await self._get("closed"):
                raise RuntimeError("closed")
        paid = amount * (await _rate())["rate"]
        async with self._gate:
            cents = (await self._get("cents") or 0) + paid
            await self._put("cents", cents)
        return cents

    async def _get(self, key: str) -> int | None:
        await asyncio.sleep(0)
        return self._stored.get(key)

    async def _put(self, key: str, value: int) -> None:
        self._stored[key] = value
        await asyncio.sleep(COMMIT_S)


async def _rate() -> dict[str, int]:
    await asyncio.sleep(SERVICE_S)
    return {"rate": 2}


async def _call(wallet: Wallet, amount: int) -> int:
    await asyncio.sleep(MESSAGE_S)
    cents = await wallet.pay_in(amount)
    await asyncio.sleep(MESSAGE_S)
    return cents


async def test() -> None:
    """What was paid in is in the wallet, and each payment saw another balance."""
    wallet = Wallet()
    balances = await asyncio.gather(*(_call(wallet, 1) for _ in range(REQUESTS)))
    assert sorted(balances) == [2 * (n + 1) for n in range(REQUESTS)]


def run_simloom(runs: int) -> int:
    """Explore it with so many random orders; returns how many were tried. Raises ImportError where it is missing."""
    import simloom

    found: Any = simloom.explore(test, runs=runs, scheduler="random")
    assert not found.failed, found.summary()
    return int(found.runs)


def run_detangle(runs: int) -> int:
    """As `run_simloom`, by detangle, which raises what it finds."""
    import detangle

    return int(detangle.explore(test, runs=runs, strategy="random", seed=0).runs)


EXPLORERS = {"simloom": run_simloom, "detangle": run_detangle}


def shortest_s(name: str, runs: int, repeats: int) -> float:
    """CPU seconds of an exploration, the shortest of several."""
    times = []
    for _ in range(repeats):
        gc.collect()
        started_s = process_time()
        EXPLORERS[name](runs)
        times.append(process_time() - started_s)
    return min(times)


if __name__ == "__main__":
    print(shortest_s(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
