"""`knee-and-shards`: where one object's latency bends, and how far shards move that point.

An object handles one turn at a time, so a turn of a millisecond of computation caps it at a thousand a second. Near the
cap waiting grows without bound, as M/D/1 says: half of rho / (1 - rho) service times on the average.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any, Final

from dosim.kernel.durations import duration_text
from dosim.platform.prices import OBJECT_MEMORY_MB
from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation

SERVICE_US: Final = 1_000
#: Requests of one measurement, and for each shard when all of them are loaded; the first tenth is left out.
REQUESTS: Final = 1_500
REQUESTS_PER_SHARD: Final = 300
#: Offered load, as a share of what one object can do.
LOADS: Final = (0.2, 0.5, 0.8, 0.9, 0.95, 1.1)
SHARDS: Final = (1, 2, 4, 8)
#: People whose names are hashed to a shard.
KEYS: Final = 1_000
#: What one object gets in the worlds that are drawn, and how many requests.
DRAWN: Final = (0.5, 0.95)
DRAWN_REQUESTS: Final = 25
_NEAR: Final = (0.8, 0.95)
_TOO_MUCH: Final = 1.1
_FULL: Final = 0.9
#: The share of all requests that ask for one key, in the last line.
POPULAR: Final = 0.1


@dataclass(frozen=True, slots=True)
class Measured:
    """What became of requests at random moments: latencies in order of size, and how the objects shared the work."""

    latencies_us: list[int]
    #: Requests answered in a second, until the last of them was.
    rate: float
    #: The busiest object's share of the requests, and of the time that it computed.
    share: float
    utilisation: float

    @property
    def wait_us(self) -> float:
        """The mean wait: what is beyond the computation itself, for there are no distances here."""
        return sum(self.latencies_us) / len(self.latencies_us) - SERVICE_US

    def quantile_us(self, hundredths: int) -> int:
        return self.latencies_us[len(self.latencies_us) * hundredths // 100]


def run(*, seed: int | str = 0) -> Lesson:
    """Measure one object under rising load, then that load over shards, then shards that are all loaded."""
    worlds = [World(f"one object at {load:.0%}", _offer(load, 1, DRAWN_REQUESTS, seed, "full")[0]) for load in DRAWN]
    single = {load: _measure(load, 1, REQUESTS, seed) for load in LOADS}
    same = {shards: _measure(_TOO_MUCH, shards, REQUESTS, seed) for shards in SHARDS[1:]}
    full = {shards: _measure(_FULL * shards, shards, REQUESTS_PER_SHARD * shards, seed) for shards in SHARDS[1:]}
    same, full = {1: single[_TOO_MUCH], **same}, {1: single[_FULL], **full}
    most = SHARDS[-1]
    popular = _measure(_FULL * most, most, REQUESTS_PER_SHARD * most, seed, POPULAR)
    slow, slower = (single[load].wait_us for load in _NEAR)
    claim = (
        f"An object whose requests compute for {duration_text(SERVICE_US)} answered {single[_TOO_MUCH].rate:,.0f} a"
        f" second when {_rate(_TOO_MUCH)} came. At {_NEAR[0]:.0%} of what it can do a request waits {_ms(slow)} on the"
        f" average, at {_NEAR[1]:.0%} {_ms(slower)}. At {_rate(_FULL)} a second the slowest hundredth takes at least"
        f" {_ms(full[1].quantile_us(99))}; at {_rate(_FULL * most)} over {most} shards"
        f" {_ms(full[most].quantile_us(99))}, and {_ms(popular.quantile_us(99))} if"
        f" {POPULAR:.0%} of them ask for one key."
    )
    lines = [(str(shards), shards, one) for shards, one in full.items()]
    lines.append((f"{most}, and {POPULAR:.0%} ask for one key", most, popular))
    shown: list[Block] = [
        Heading("one object"),
        table(
            ("load", "requests/s", "busy", "mean wait", "M/D/1 says", "latency p50", "latency p99"),
            [
                (f"{load:.0%}", _rate(load), f"{one.utilisation:.0%}", _ms(one.wait_us), _theory(load), *_latency(one))
                for load, one in single.items()
            ],
        ),
        Heading(f"{_rate(_TOO_MUCH)} requests/s, too many for one object, over shards"),
        table(
            ("shards", "busiest shard", "is busy", "latency p50", "latency p99"),
            [(shards, f"{one.share:.1%}", f"{one.utilisation:.0%}", *_latency(one)) for shards, one in same.items()],
        ),
        Heading(f"{_FULL:.0%} of what so many shards can do"),
        table(
            ("shards", "requests/s", "busiest shard", "is busy", "latency p50", "latency p99"),
            [
                (title, _rate(_FULL * shards), f"{one.share:.1%}", f"{one.utilisation:.0%}", *_latency(one))
                for title, shards, one in lines
            ],
        ),
        Paragraph(
            "The knee moves with the number of shards as long as the hash spreads the requests; a key that many ask for"
            " is still one object. Cloudflare documents a soft limit of about 1,000 requests a second for one object;"
            " here nothing counts requests, and the limit follows from the length of a turn."
        ),
    ]
    facts = {
        "service_us": SERVICE_US,
        "one_object_by_load": {str(load): _fact(one) for load, one in single.items()},
        "same_load_by_shards": {str(shards): _fact(one) for shards, one in same.items()},
        "full_load_by_shards": {str(shards): _fact(one) for shards, one in full.items()},
        "full_load_with_a_popular_key": _fact(popular),
    }
    assumed = (
        f"requests arrive at random (Poisson), for {KEYS:,} keys that are asked for equally often unless said; no"
        f" distances, so latency is the wait and the computation. {REQUESTS:,} requests a line,"
        f" {REQUESTS_PER_SHARD} for each of several full shards: at a heavy load the formula needs many more."
    )
    return Lesson("knee-and-shards", claim, facts, shown, worlds, seed, assumed, ("knee_and_shards",))


def _offer(
    load: float, shards: int, requests: int, seed: int | str, retention: str, popular: float = 0
) -> tuple[Simulation, list[Any]]:
    """Requests at random moments, `load` of what one object can do, some for one key; the calls are the second."""
    sim = Simulation.from_project(project("knee_and_shards"), seed=seed, network=None, retention=retention)
    chance = random.Random(f"{seed} arrivals")
    client = sim.client()

    async def come() -> list[Any]:
        calls = []
        for _ in range(requests):
            await asyncio.sleep(chance.expovariate(load / SERVICE_US * 1e6))
            key = "everybody" if chance.random() < popular else f"user{chance.randrange(KEYS)}"
            calls.append(client.fetch(f"https://count.example/?key={key}&shards={shards}"))
        for call in calls:
            await call
        return calls

    calls: list[Any] = sim.run(come())
    return sim, calls


def _measure(load: float, shards: int, requests: int, seed: int | str, popular: float = 0) -> Measured:
    """Offer a load, and read the latencies from the calls and the work from the bill."""
    sim, calls = _offer(load, shards, requests, seed, "none", popular)
    elapsed_s = max(call.answered_us for call in calls) / 1e6
    objects = sim.bill().by_object
    busy_s = [float(used.gb_s) * 1000 / OBJECT_MEMORY_MB for used in objects.values()]
    return Measured(
        sorted(call.latency_us for call in calls[requests // 10 :]),
        requests / elapsed_s,
        max(used.requests for used in objects.values()) / requests,
        max(busy_s) / elapsed_s,
    )


def _fact(one: Measured) -> dict[str, float]:
    return {
        "mean_wait_us": one.wait_us,
        "p50_us": one.quantile_us(50),
        "p99_us": one.quantile_us(99),
        "answered_per_s": one.rate,
        "busiest_share": one.share,
        "busiest_utilisation": one.utilisation,
    }


def _rate(load: float) -> str:
    return f"{load / SERVICE_US * 1e6:,.0f}"


def _ms(us: float) -> str:
    return f"{us / 1000:.2f} ms"


def _latency(one: Measured) -> tuple[str, str]:
    return _ms(one.quantile_us(50)), _ms(one.quantile_us(99))


def _theory(load: float) -> str:
    """The mean wait of M/D/1 (Pollaczek-Khinchine)."""
    return _ms(load * SERVICE_US / (2 * (1 - load))) if load < 1 else "no end"
