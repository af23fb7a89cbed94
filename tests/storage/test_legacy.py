"""A class declared with `new_classes`: not SQLite-backed (RULES 8)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dosim import Simulation

ENTRY = """
from workers import DurableObject, WorkerEntrypoint
from pyodide.ffi import JsException


async def told(call):
    try:
        value = call()
        return await value if hasattr(value, "__await__") else value
    except JsException as error:
        return str(error)


class Old(DurableObject):
    async def surface(self):
        storage = self.ctx.storage
        return [
            await told(lambda: storage.sql),
            await told(lambda: storage.sql.exec("SELECT 1")),
            await told(lambda: storage.sql.databaseSize),
            await told(lambda: storage.kv),
            await told(lambda: storage.kv.get("k")),
        ]

    async def keys(self):
        storage = self.ctx.storage
        await storage.put({"b": 2, "a": [1]})
        await storage.put("\\u00e9", None)

        async def callback(txn):
            await storage.put("within", 1)
            raise ValueError

        await told(lambda: storage.transaction(callback))

        def failing():
            self.putting = storage.put("within", 1)
            raise ValueError

        try:
            storage.transactionSync(failing)
        except ValueError:
            await self.putting
        return [dict(await storage.list()), await storage.delete(["a", "x"]), await storage.get("b")]

    async def big(self, key_bytes, value_bytes):
        return await told(lambda: self.ctx.storage.put("k" * key_bytes, "v" * value_bytes))

    async def ring(self):
        await self.ctx.storage.setAlarm(1_796_083_260_000)

    async def alarm(self, info=None):
        await self.ctx.storage.put("rang", info.retryCount)

    async def rang(self):
        return await self.ctx.storage.get("rang")


class Default(WorkerEntrypoint):
    pass
"""
NO_SQL = (
    "Error: SQL is not enabled for this Durable Object class. To enable it, change `new_classes` to"
    " `new_sqlite_classes` within the 'migrations' field in your wrangler.jsonc or wrangler.toml file. If using workerd"
    " directly,set `enableSql = true` in your workerd config for the class. Note that this change cannot be made after"
    " the class is already deployed to production."
)
NO_KV = (
    "Error: The storage.kv (synchronous KV) API is only available for SQLite-backed Durable Objects, but this object's"
    " namespace is not declared to use SQLite. You can use the older, asyncronous interface via methods of `storage`"
    " itself (e.g. `storage.get()`). Alternatively, to enable SQLite, change `new_classes` to `new_sqlite_classes`"
    " within the 'migrations' field in your wrangler.jsonc or wrangler.toml file. If using workerd directly, set"
    " `enableSql = true` in your workerd config for the class. Note that this change cannot be made after the class is"
    " already deployed to production."
)


def old(folder: Path, platform: str = "workerd") -> tuple[Simulation, Any]:
    """A project whose class Old is not SQLite-backed, and a stub."""
    settings = {
        "name": "app",
        "main": "src/entry.py",
        "compatibility_date": "2026-11-01",
        "compatibility_flags": ["python_workers"],
        "durable_objects": {"bindings": [{"name": "OLD", "class_name": "Old"}]},
        "migrations": [{"tag": "v1", "new_classes": ["Old"]}],
    }
    (folder / "src").mkdir()
    (folder / "src" / "entry.py").write_text(ENTRY, encoding="utf-8")
    (folder / "wrangler.jsonc").write_text(json.dumps(settings), encoding="utf-8")
    sim = Simulation.from_project(folder, platform=platform, network=None, show_output=False)
    return sim, sim.env.OLD.getByName("x")


def test_sql_and_kv_are_refused(tmp_path: Path) -> None:
    """sql, databaseSize and kv tell how to enable SQLite."""
    sim, stub = old(tmp_path)

    assert sim.run(stub.surface()) == [NO_SQL, NO_SQL, NO_SQL, NO_KV, NO_KV]


def test_keys_and_transactions_work(tmp_path: Path) -> None:
    """The asynchronous API, transaction and locally transactionSync."""
    sim, stub = old(tmp_path)

    assert sim.run(stub.keys()) == [{"a": [1], "b": 2, "é": None}, 1, 2]


def test_alarms_work(tmp_path: Path) -> None:
    """setAlarm and alarm() as with SQLite."""
    sim, stub = old(tmp_path)
    sim.run(stub.ring())
    sim.run(for_="2min")

    assert sim.run(stub.rang()) == 0


def test_no_documented_limit_locally(tmp_path: Path) -> None:
    """The local runtime enforces neither 2 KiB a key nor 128 KiB a value."""
    sim, stub = old(tmp_path)

    assert sim.run(stub.big(3000, 200_000)) is None


@pytest.mark.parametrize(
    ("key_bytes", "value_bytes", "text"),
    [
        (2048, 131_072, None),
        (2049, 1, "RangeError: Keys cannot be larger than 2048 bytes. A key of size 2049 was provided."),
        (1, 131_100, None),
        (1, 131_101, "RangeError: Values cannot be larger than 131072 bytes. A value of size 131107 was provided."),
    ],
)
def test_documented_limits_on_cloudflare(tmp_path: Path, key_bytes: int, value_bytes: int, text: str | None) -> None:
    """2 KiB a key, 128 KiB a value with 34 bytes of grace for its serialisation (workerd io/actor-storage.h)."""
    sim, stub = old(tmp_path, "cloudflare")

    assert sim.run(stub.big(key_bytes, value_bytes)) == text
