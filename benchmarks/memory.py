"""What an object that is not in memory costs: run as a program of its own, prints the growth in bytes.

    python benchmarks/memory.py kv 100000
    python benchmarks/memory.py sql 10000

Growth is of the process's resident memory, from the first few objects to all of them, when all have been evicted. It
counts everything: the object's data, its id, its place in the registries, what the allocator could not give back.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dosim import Simulation
from dosim.workers import DurableObject

#: Objects in memory at one time: more would measure what the allocator does not give back.
CHUNK = 500


class KeyValue(DurableObject):
    async def visit(self, number: int) -> None:
        await self.ctx.storage.put("n", number)


class Sql(DurableObject):
    async def visit(self, number: int) -> None:
        self.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS visits (n INTEGER)")
        self.ctx.storage.sql.exec("INSERT INTO visits VALUES (?)", number)


def resident_bytes() -> int:
    """Resident memory of this process now. Linux and macOS; elsewhere its peak."""
    gc.collect()
    statm = Path("/proc/self/statm")
    if statm.exists():
        import resource

        return int(statm.read_text().split()[1]) * resource.getpagesize()
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def touch(sim: Simulation, first: int, last: int) -> None:
    """Call objects `first` to `last` once, and let them be evicted."""
    for start in range(first, last, CHUNK):
        sim.run(*[sim.env.OBJECT.getByName(f"object {n}").visit(n) for n in range(start, min(start + CHUNK, last))])
        sim.run(for_="1m")


def growth_bytes(cls: type[DurableObject], objects: int) -> int:
    """Resident bytes that `objects` evicted objects add."""
    sim = Simulation(durable_objects={"OBJECT": cls}, network=None, retention="none")
    touch(sim, 0, CHUNK)
    before = resident_bytes()
    touch(sim, CHUNK, objects)
    assert len(sim.objects) == objects
    assert all(view.state == "evicted" for view in sim.objects)
    return resident_bytes() - before


def main(arguments: list[str]) -> None:
    kinds: dict[str, Any] = {"kv": KeyValue, "sql": Sql}
    print(growth_bytes(kinds[arguments[0]], int(arguments[1])))


if __name__ == "__main__":
    main(sys.argv[1:])
