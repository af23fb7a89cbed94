"""`sim.bill()`: KV, R2, D1, queues and crons on the bill."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from dosim import Simulation
from dosim.workers import Response, WorkerEntrypoint
from dosim.workers.js import to_js

URL = "https://app.example/"


class Everything(WorkerEntrypoint):
    """Uses every other service that has a price."""

    async def fetch(self, request: Any) -> Any:
        env = self.env
        await env.KV.put("a", "1234")
        await env.KV.put("b", "12")
        await env.KV.get("a")
        await env.KV.get(to_js(["a", "b", "c"]))
        await env.KV.list()
        await env.KV.delete("b")
        await env.BUCKET.put("a", "12345678")
        await env.BUCKET.get("a")
        await env.BUCKET.head("a")
        await env.BUCKET.list()
        await env.BUCKET.delete("nothing")
        await env.DB.exec("CREATE TABLE t (a)")
        await env.DB.prepare("INSERT INTO t VALUES (1), (2)").run()
        await env.DB.prepare("SELECT * FROM t").all()
        await env.JOBS.send("x")
        await env.JOBS.send("x" * 64_000)
        return Response("done")

    async def queue(self, batch: Any, env: Any, ctx: Any) -> None:
        pass

    async def scheduled(self, controller: Any, env: Any, ctx: Any) -> None:
        pass


def _everything(**options: Any) -> Simulation:
    sim = Simulation(
        Everything,
        kv_namespaces=["KV"],
        r2_buckets=["BUCKET"],
        d1_databases=["DB"],
        queues={"JOBS": "jobs"},
        queue_consumers={"jobs": {}},
        **options,
    )
    sim.run(sim.client("Paris").fetch(URL))
    sim.run(for_="1min")
    return sim


def test_services_have_lines_of_their_own() -> None:
    """KV by keys, R2 by classes, D1 by rows, queues by 64 KB written, read, deleted; a batch is a Worker's request."""
    bill = _everything().bill()
    expected = {
        "worker_requests": 2,
        "kv_reads": 4,
        "kv_writes": 2,
        "kv_deletes": 1,
        "kv_lists": 1,
        "r2_class_a": 2,
        "r2_class_b": 2,
        "d1_rows_read": 2,
        "queue_operations": 3 * (1 + 2),
    }

    assert {meter: bill.quantity(meter) for meter in expected} == expected
    assert bill.quantity("d1_rows_written") >= 2
    assert "do_requests" not in {line.what for line in bill.lines}
    assert all(line.source for line in bill.lines)


def test_services_bill_what_they_keep() -> None:
    """KV keeps keys and values, R2 bodies; D1 its database. A month of them in GB-months."""
    sim = _everything()
    early = sim.bill()
    sim.run(for_="30d")
    bill = sim.bill(since=early)

    assert bill.quantity("kv_stored") == Fraction(len("a1234"), 10**9)
    assert bill.quantity("r2_stored") == Fraction(len("12345678"), 10**9)
    assert bill.quantity("d1_stored") > 0


def test_what_is_deleted_is_kept_no_more() -> None:
    """An R2 object that is gone costs nothing further; a key written again counts once."""

    class Cleaner(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            if request.url.endswith("/clean"):
                await self.env.BUCKET.delete("a")
                await self.env.KV.put("k", "123")
            else:
                await self.env.BUCKET.put("a", "12345678")
                await self.env.KV.put("k", "12345678")
            return Response("done")

    sim = Simulation(Cleaner, kv_namespaces=["KV"], r2_buckets=["BUCKET"])
    sim.run(sim.client("Paris").fetch(URL))
    sim.run(for_="1min")
    sim.run(sim.client("Paris").fetch(f"{URL}clean"))
    early = sim.bill()
    sim.run(for_="30d")
    bill = sim.bill(since=early)

    assert bill.quantity("r2_stored") == 0
    assert bill.quantity("kv_stored") == Fraction(len("k123"), 10**9)


@pytest.mark.parametrize(
    ("letters", "writes", "deletes"), [("dead", 2, 0), (None, 1, 1)], ids=["to the dead letters", "dropped"]
)
def test_a_message_that_fails_is_read_once_for_each_attempt(letters: str | None, writes: int, deletes: int) -> None:
    """One attempt and two retries are three reads; then it is written to the dead letter queue, or deleted."""

    class Failing(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            await self.env.JOBS.send("x")
            return Response("done")

        async def queue(self, batch: Any, env: Any, ctx: Any) -> None:
            raise ValueError("no")

    settings = {"max_retries": 2, **({} if letters is None else {"dead_letter_queue": letters})}
    sim = Simulation(Failing, queues={"JOBS": "jobs"}, queue_consumers={"jobs": settings})
    sim.run(sim.client("Paris").fetch(URL))
    sim.run(for_="10min")

    assert sim.bill().quantity("queue_operations") == writes + 3 + deletes


def test_a_message_that_is_too_old_is_deleted() -> None:
    """Nobody reads it; it is found gone when the queue is looked at: a write and a delete."""

    class Forgetful(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            if request.url.endswith("/look"):
                await self.env.JOBS.metrics()
            else:
                await self.env.JOBS.send("x")
            return Response("done")

    sim = Simulation(Forgetful, queues={"JOBS": "jobs"})
    sim.run(sim.client("Paris").fetch(URL))
    sim.run(for_="5d")
    sim.run(sim.client("Paris").fetch(f"{URL}look"))

    assert sim.bill().quantity("queue_operations") == 2


def test_crons_are_requests_of_their_worker() -> None:
    """Once an hour is 24 requests a day."""
    sim = Simulation(Everything, crons=["0 * * * *"], network=None)
    sim.run(until="24h 1s")

    assert sim.bill().quantity("worker_requests") == 24
