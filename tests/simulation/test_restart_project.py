"""`restart()` of a project: its modules are loaded anew, the disk stays."""

from __future__ import annotations

import textwrap
from pathlib import Path

from dosim import Simulation

CONFIG = """
{
  "name": "app", "main": "entry.py", "compatibility_date": "2026-11-01", "compatibility_flags": ["python_workers"],
  "durable_objects": {"bindings": [{"name": "COUNTER", "class_name": "Counter"}]},
  "migrations": [{"tag": "v1", "new_sqlite_classes": ["Counter"]}]
}
"""
ENTRY = """
from workers import DurableObject

calls = []

class Counter(DurableObject):
    async def add(self):
        calls.append(1)
        total = (await self.ctx.storage.get("total") or 0) + 1
        await self.ctx.storage.put("total", total)
        return [len(calls), total]
"""


def test_module_globals_are_lost_and_the_disk_stays(tmp_path: Path) -> None:
    """A global counts from one again after a restart; what was stored goes on."""
    (tmp_path / "wrangler.jsonc").write_text(CONFIG)
    (tmp_path / "entry.py").write_text(textwrap.dedent(ENTRY))
    sim = Simulation.from_project(tmp_path, network=None)

    def add() -> list[int]:
        return list(sim.run(sim.env.COUNTER.getByName("a").add()))

    before = [add(), add()]
    sim.restart()

    assert (before, add()) == ([[1, 1], [2, 2]], [1, 3])
