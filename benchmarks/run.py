"""`make bench`: dosim beside SimPy on the same models in one run, exploration, memory and flatness, with their targets.

    python benchmarks/run.py            everything
    python benchmarks/run.py --quick    small loads, to see that it works: the figures mean little
    python benchmarks/run.py --profile  where the time of the full path goes
    python benchmarks/run.py --check    everything, and fail for a missed target

Times are CPU time of this process, the shortest of several repeats: both sides of a ratio run in turns, so that
whatever else the machine does meets both; other explorers run in a process each. With --check the exit status
is 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter, process_time

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import exploring_dosim
import flatness
import full_path_dosim
import full_path_simpy
import md1_dosim
import md1_simpy
import profiling

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Loads:
    """How much is run."""

    requests: int = 10_000
    customers: int = 40_000
    repeats: int = 7
    key_value_objects: int = 100_000
    sql_objects: int = 10_000
    many_objects: int = 10_000
    flat_requests: int = 20_000
    sockets: tuple[int, int, int] = (100_000, 1_000, 60)
    subscriptions: int = 1_000
    explored_runs: int = 200


QUICK = Loads(400, 500, 1, 1_000, 1_000, 200, 400, (200, 10, 2), 20, 10)


#: An exploration of so many runs should take seconds.
MANY_RUNS = 2_000
#: Packages that explore asyncio, beside dosim -> what is said where they are missing.
EXPLORERS = {"simloom": "it needs Python 3.12", "detangle": "make bench installs it"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `met` is None where there is no target."""

    what: str
    value: str
    target: str = ""
    met: bool | None = None

    def __str__(self) -> str:
        verdict = {True: "met", False: "MISSED", None: ""}[self.met]
        return f"{self.what:52}  {self.value:>24}  {self.target:>16}  {verdict}".rstrip()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small loads")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    parser.add_argument("--profile", action="store_true", help="where the time of the full path goes")
    options = parser.parse_args(arguments)
    loads = QUICK if options.quick else Loads()
    if options.profile:
        print(profiling.report(lambda: full_path_dosim.run(loads.requests), loads.requests))
        return 0
    print(f"Python {sys.version.split()[0]}; CPU time, shortest of {loads.repeats}, SimPy and dosim in turns\n")
    missed = 0
    for measure in MEASURES:
        for row in measure(loads):
            print(row, flush=True)
            missed += row.met is False
    return 1 if missed and options.check else 0


# -- the rows


def full_path(loads: Loads) -> list[Row]:
    """A request through client, edge, Worker and object: every record of the trace is kept."""
    simpy_s, dosim_s = interleaved(
        [lambda: full_path_simpy.run(loads.requests), lambda: full_path_dosim.run(loads.requests)], loads.repeats
    )
    return [
        Row("full path, SimPy", per_second(loads.requests, simpy_s)),
        Row("full path, dosim, trace on", per_second(loads.requests, dosim_s)),
        ratio("full path, dosim : SimPy", simpy_s / dosim_s, 1.0),
    ]


def queue(loads: Loads) -> list[Row]:
    """M/D/1 at utilisation 0.8."""
    n = loads.customers
    simpy_s, events_s, tasks_s, object_s = interleaved(
        [
            lambda: md1_simpy.run(n),
            lambda: md1_dosim.run_events(n),
            lambda: md1_dosim.run_tasks(n),
            lambda: md1_dosim.run_object(n),
        ],
        loads.repeats,
    )
    return [
        Row("M/D/1, SimPy", per_second(n, simpy_s)),
        Row("M/D/1, dosim's events", per_second(n, events_s)),
        ratio("M/D/1, dosim's events : SimPy", simpy_s / events_s, 1.2),
        ratio("M/D/1, tasks, asyncio.Lock, asyncio.sleep : SimPy", simpy_s / tasks_s),
        ratio("M/D/1, calls to a Durable Object : SimPy", simpy_s / object_s),
    ]


def exploring(loads: Loads) -> list[Row]:
    """A test of ten requests, explored; the others explore an equivalent one that is written over asyncio alone."""
    runs = loads.explored_runs
    models = [partial(model, runs) for model in (exploring_dosim.run_plain, exploring_dosim.run)]
    plain_s, dosim_s = interleaved(models, loads.repeats)
    many_s = MANY_RUNS / runs * dosim_s
    rows = [
        Row("ten requests, nobody explores", per_second(runs, plain_s)),
        Row("ten requests, explored by dosim", per_second(runs, dosim_s)),
        Row(f"    {MANY_RUNS:,} runs of it", f"{many_s:.1f} s", "< 10 s", many_s < 10),
    ]
    for name, needs in EXPLORERS.items():
        if importlib.util.find_spec(name) is None:
            rows.append(Row(f"exploring, {name} ({needs})", "skipped: not installed"))
            continue
        its_s = float(output_of([str(HERE / "exploring_asyncio.py"), name, str(runs), str(loads.repeats)]))
        rows.append(Row(f"its equivalent over asyncio, {name}", per_second(runs, its_s)))
        rows.append(ratio(f"exploring, dosim : {name}", its_s / dosim_s))
    return rows


def memory(loads: Loads) -> list[Row]:
    """Resident memory of objects that are not in memory."""
    rows = []
    for kind, objects, what, limit_mb in (
        ("kv", loads.key_value_objects, "evicted KV objects", 60),
        ("sql", loads.sql_objects, "hibernated SQL objects", 25),
    ):
        grown = int(output_of([str(HERE / "memory.py"), kind, str(objects)]))
        value = f"{grown / 1e6:.1f} MB, {grown / objects:.0f} B each"
        rows.append(Row(f"{objects:,} {what}", value, f"< {limit_mb} MB", grown < limit_mb * 1e6))
    return rows


def cost_by_objects(loads: Loads) -> list[Row]:
    """The same requests over few and over many objects."""
    few, many, requests = 10, loads.many_objects, loads.flat_requests
    costs = [(flatness.cost_us(few, requests), flatness.cost_us(many, requests)) for _ in range(3)]
    few_us, many_us = min(cost[0] for cost in costs), min(cost[1] for cost in costs)
    return [
        Row(f"a request, {few} objects", f"{few_us:.1f} us"),
        Row(f"a request, {many:,} objects", f"{many_us:.1f} us"),
        Row(f"{many:,} objects : {few}", f"{many_us / few_us:.2f}x", "<= 1.5x", many_us / few_us <= 1.5),
    ]


def hibernating_sockets(loads: Loads) -> list[Row]:
    """Sockets over objects, each with a message a minute; sockets, objects and minutes are `loads.sockets`."""
    sockets, objects, minutes = loads.sockets
    found = json.loads(output_of([str(HERE / "sockets.py"), *map(str, loads.sockets)]))
    return [
        Row(
            f"{sockets:,} sockets of {objects:,} objects, {minutes} min",
            f"{found['messages_per_s']:,.0f} messages/s, {found['records_per_s']:,.0f} records/s",
        ),
        Row(
            "    resident memory",
            f"{found['bytes_per_socket']:.0f} B a socket, the hour added {found['grown_bytes'] / 1e6:.1f} MB",
        ),
    ]


def alarms_of_a_year(loads: Loads) -> list[Row]:
    """Subscriptions that renew every 30 days, for a year."""
    took_s = float(output_of([str(HERE / "subscriptions.py"), str(loads.subscriptions)]))
    return [Row(f"{loads.subscriptions:,} subscriptions over a year", f"{took_s:.2f} s", "< 5 s", took_s < 5)]


def whole_process(loads: Loads) -> list[Row]:
    """The command that a newcomer types first."""
    times_s = []
    for _ in range(min(3, loads.repeats)):
        started_s = perf_counter()
        output_of(["-m", "dosim", "run", "ten-by-five"])
        times_s.append(perf_counter() - started_s)
    return [Row("dosim run ten-by-five, whole process", f"{min(times_s):.2f} s", "< 1 s", min(times_s) < 1)]


MEASURES = (
    full_path,
    queue,
    exploring,
    memory,
    cost_by_objects,
    hibernating_sockets,
    alarms_of_a_year,
    whole_process,
)


# -- measuring


def interleaved(models: list[Callable[[], object]], repeats: int) -> list[float]:
    """CPU seconds of each model: all in turn, `repeats` times, the shortest of each."""
    times: list[list[float]] = [[] for _ in models]
    for _ in range(repeats):
        for model, taken in zip(models, times, strict=True):
            gc.collect()
            started_s = process_time()
            model()
            taken.append(process_time() - started_s)
    return [min(taken) for taken in times]


def output_of(command: list[str]) -> str:
    """What a Python process prints. Raises CalledProcessError when it fails."""
    done = subprocess.run([sys.executable, *command], cwd=HERE.parent, check=True, capture_output=True, text=True)
    return done.stdout


def ratio(what: str, value: float, target: float | None = None) -> Row:
    if target is None:
        return Row(what, f"{value:.2f}x")
    return Row(what, f"{value:.2f}x", f">= {target:.1f}x", value >= target)


def per_second(count: int, seconds: float) -> str:
    return f"{count / seconds:,.0f}/s, {seconds / count * 1e6:.1f} us"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
