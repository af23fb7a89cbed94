"""What happens to a Worker by itself: cron triggers and batches of a queue, in code and in projects."""

from __future__ import annotations

import asyncio
import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from dosim import Simulation
from dosim.bindings.queues import WRITE_US
from dosim.platform.facts import EPOCH_MS
from dosim.project import ProjectError
from dosim.workers import DurableObject, Response, WorkerEntrypoint

MINUTE_MS = 60_000


class Ledger(DurableObject):
    """Keeps what it is told, over evictions."""

    async def add(self, entry):
        entries = await self.ctx.storage.get("entries") or []
        await self.ctx.storage.put("entries", [*entries, entry])

    async def entries(self):
        return await self.ctx.storage.get("entries") or []


class Default(WorkerEntrypoint):
    """Sends what it is asked to, tells the ledger what comes, and fails on bodies that say so."""

    async def fetch(self, request):
        await self.env.JOBS.sendBatch([{"body": body} for body in (await request.json())])
        return Response("queued")

    async def scheduled(self, controller, env, ctx):
        await self.env.LEDGER.getByName("crons").add([controller.cron, controller.scheduledTime, env, ctx])
        if controller.cron == "*/7 * * * *":
            raise ValueError("not today")

    async def queue(self, batch, env, ctx):
        seen = [[message.body, message.attempts] for message in batch.messages]
        await self.env.LEDGER.getByName(batch.queue).add(seen)
        for message in batch.messages:
            if message.body == "later":
                message.retry(delaySeconds=60)
            if message.body == "slow":
                await asyncio.sleep(30)
        if any(message.body == "fail" for message in batch.messages):
            raise ValueError("no")


def world(worker: type = Default, **options: Any) -> Simulation:
    given = {"platform": "workerd", "network": None, "show_output": False, **options}
    return Simulation(worker, durable_objects={"LEDGER": Ledger}, **given)


def told(sim: Simulation, name: str) -> Any:
    return [list(entry) for entry in sim.run(sim.env.LEDGER.getByName(name).entries())]


# -- crons


def test_a_cron_fires_at_its_minutes() -> None:
    """Three minutes, three runs, each with its cron and the exact minute; env and ctx are None (FACTS 1.3)."""
    sim = world(crons=["* * * * *"])
    sim.run(until="3m30s")
    expected = [["* * * * *", EPOCH_MS + minute * MINUTE_MS, None, None] for minute in (1, 2, 3)]
    assert expected == told(sim, "crons")


def test_several_crons() -> None:
    """Each by itself, with its own text."""
    sim = world(crons=["*/2 * * * *", "*/3 * * * *"])
    sim.run(until="6m30s")
    found = [(entry[0], (entry[1] - EPOCH_MS) // MINUTE_MS) for entry in told(sim, "crons")]
    expected = [(f"*/{every} * * * *", minute) for every in (2, 3) for minute in range(every, 7, every)]
    assert sorted(expected) == sorted(found)


def test_crons_keep_no_run_going() -> None:
    """sim.run() without an end stops when nothing but triggers is left."""
    sim = world(crons=["* * * * *"])
    sim.run()
    assert 0 == sim.now.us


def test_a_run_that_fails_is_in_the_trace_and_stops_nothing() -> None:
    """Not repeated; the next occurrence comes."""
    sim = world(crons=["*/7 * * * *"])
    sim.run(until="15m")

    assert 2 == len(told(sim, "crons"))
    thrown = [record.detail["error"] for record in sim.trace.of_kind("throw")]
    assert 2 == len(thrown)
    assert all("ValueError: not today" in text for text in thrown)


def test_a_handler_that_takes_one_argument() -> None:
    """Three are passed, strictly: scheduled(self, controller) is a TypeError (FACTS 1.3)."""

    class Short(WorkerEntrypoint):
        async def scheduled(self, controller):
            raise AssertionError

    sim = world(Short, crons=["* * * * *"])
    sim.run(until="90s")
    assert "takes 2 positional arguments but 4 were given" in sim.trace.of_kind("throw")[0].detail["error"]


def test_a_cron_for_a_month() -> None:
    """Noon every day, thirty runs in an instant."""
    sim = world(crons=["0 12 * * *"])
    sim.run(until="30d")
    times = [entry[1] for entry in told(sim, "crons")]
    assert [EPOCH_MS + (24 * day + 12) * 60 * MINUTE_MS for day in range(30)] == times


@pytest.mark.parametrize(
    ("worker", "options", "says"),
    [
        (None, {"crons": ["* * * * *"]}, "no scheduled handler"),
        (WorkerEntrypoint, {"crons": ["* * * * *"]}, "async def scheduled(self, controller, env, ctx)"),
        (WorkerEntrypoint, {"queue_consumers": {"jobs": {}}}, "async def queue(self, batch, env, ctx)"),
        (Default, {"crons": ["61 * * * *"]}, "61 * * * *"),
        (Default, {"crons": ["soon"]}, "soon"),
        (Default, {"queue_consumers": {"jobs": {"max_batch_sise": 3}}}, "max_batch_sise"),
        (Default, {"queue_consumers": {"jobs": {"max_batch_size": 101}}}, "1 to 100"),
        (Default, {"queue_consumers": {"jobs": {"max_retries": "three"}}}, "max_retries"),
    ],
)
def test_what_is_refused_when_the_world_is_made(worker: Any, options: dict[str, Any], says: str) -> None:
    """A trigger without its handler, a cron that is none, settings that do not exist or fit."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the text is checked below)
        world(worker, **options)
    assert says in str(caught.value)


def test_crons_are_a_list() -> None:
    """One text is the usual mistake."""
    with pytest.raises(TypeError, match=r"crons=\['\* \* \* \* \*'\]"):
        world(crons="* * * * *")


# -- queues


def shop(**settings: Any) -> Simulation:
    return world(queues={"JOBS": "jobs"}, queue_consumers={"jobs": settings})


def send(sim: Simulation, *bodies: Any) -> None:
    sim.run(sim.client().fetch("https://app.example/", method="POST", body=json.dumps(bodies)))


def test_from_a_request_to_the_queue_handler() -> None:
    """Three messages in one batch, after the batch timeout, through the Worker's own binding."""
    sim = shop(max_batch_timeout=5)
    send(sim, "a", "b", {"c": 1})
    assert [] == told(sim, "jobs")
    sim.run(for_="6s")

    assert [[["a", 1], ["b", 1], [{"c": 1}, 1]]] == told(sim, "jobs")


def test_batches_are_cut_by_size() -> None:
    """Seven messages, at most three in a batch: two full ones at once, the rest when its time is over."""
    sim = shop(max_batch_size=3, max_batch_timeout=10)
    send(sim, *range(7))
    sim.run(for_="1s")
    assert [3, 3] == [len(batch) for batch in told(sim, "jobs")]
    sim.run(for_="10s")
    assert [3, 3, 1] == [len(batch) for batch in told(sim, "jobs")]


def test_an_exception_delivers_the_batch_again_until_it_is_given_up() -> None:
    """First run and two retries; then the messages go, and the trace warns [queue_retry]."""
    sim = shop(max_batch_timeout=0, max_retries=2)
    send(sim, "fail", "innocent")
    sim.run()

    assert [[["fail", n], ["innocent", n]] for n in (1, 2, 3)] == told(sim, "jobs")
    warnings = [record.detail["text"] for record in sim.trace.of_kind("warning")]
    assert 2 == len([text for text in warnings if text.startswith("Dropped message") and "3 failed attempts" in text])


def test_a_retry_of_one_message_waits_for_its_delay() -> None:
    """retry(delaySeconds=60): that message alone, a minute later [queue_retry]."""
    sim = shop(max_batch_timeout=0, max_retries=1)
    start_us = sim.now.us
    send(sim, "ok", "later")
    sim.run(for_="70s")

    assert [[["ok", 1], ["later", 1]], [["later", 2]]] == told(sim, "jobs")
    runs = [record.t_us for record in sim.trace.of_kind("worker") if record.request]
    assert start_us + WRITE_US + 60_000_000 == runs[2]


def test_the_consumer_s_retry_delay() -> None:
    """Of messages that ask for none."""
    sim = shop(max_batch_timeout=0, max_retries=1, retry_delay=10)
    send(sim, "fail")
    sim.run(for_="9s")
    assert 1 == len(told(sim, "jobs"))
    sim.run(for_="2s")
    assert 2 == len(told(sim, "jobs"))


def test_dead_letters() -> None:
    """What failed too often is in the dead letter queue, whose consumer starts to count anew."""
    sim = world(
        queues={"JOBS": "jobs"},
        queue_consumers={
            "jobs": {"max_batch_timeout": 0, "max_retries": 1, "dead_letter_queue": "dead"},
            "dead": {"max_batch_timeout": 0, "max_retries": 0},
        },
    )
    send(sim, "fail")
    sim.run()

    assert [[["fail", 1]], [["fail", 2]]] == told(sim, "jobs")
    assert [[["fail", 1]]] == told(sim, "dead")


def test_batches_of_a_slow_consumer_overlap_unless_limited() -> None:
    """max_concurrency=1: the second batch waits for the first."""
    for settings, seconds in (({}, 30), ({"max_concurrency": 1}, 60)):
        sim = shop(max_batch_timeout=0, max_batch_size=1, **settings)
        send(sim, "slow", "slow")
        sim.run()
        assert seconds == round(sim.now.us / 1e6)


def test_a_queue_between_two_workers_of_a_world() -> None:
    """A service sends to the queue that the main Worker consumes."""

    class Sender(WorkerEntrypoint):
        async def put(self, body):
            await self.env.JOBS.send(body)

    sim = world(
        queues={"JOBS": "jobs"}, queue_consumers={"jobs": {"max_batch_timeout": 0}}, services={"SENDER": Sender}
    )
    sim.run(sim.env.SENDER.put("hello"))
    sim.run()
    assert [[["hello", 1]]] == told(sim, "jobs")


def test_a_queue_handler_that_takes_one_argument() -> None:
    """Strictly three: the batch fails and is retried (FACTS 1.3)."""

    class Short(WorkerEntrypoint):
        async def fetch(self, request):
            await self.env.JOBS.send("x")
            return Response("sent")

        async def queue(self, batch):
            raise AssertionError

    settings = {"max_batch_timeout": 0, "max_retries": 1}
    sim = world(Short, queues={"JOBS": "jobs"}, queue_consumers={"jobs": settings})
    sim.run(sim.client().fetch("https://app.example/"))
    sim.run()
    texts = [record.detail["error"] for record in sim.trace.of_kind("throw")]
    assert 2 == len([text for text in texts if "takes 2 positional arguments but 4 were given" in text])


# -- projects

ENTRY = """
from workers import DurableObject, Response, WorkerEntrypoint

class Ledger(DurableObject):
    async def add(self, entry):
        await self.ctx.storage.put(entry, True)

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        await self.env.JOBS.send("job")
        return Response("queued")

    async def scheduled(self, controller, env, ctx):
        await self.env.LEDGER.getByName("x").add(f"cron {controller.cron} {self.env.ROLE}")

    async def queue(self, batch, env, ctx):
        for message in batch.messages:
            await self.env.LEDGER.getByName("x").add(f"{batch.queue} {message.body} {message.attempts}")
"""
SETTINGS = {
    "main": "entry.py",
    "compatibility_date": "2026-11-01",
    "compatibility_flags": ["python_workers"],
    "vars": {"ROLE": "cron"},
    "durable_objects": {"bindings": [{"name": "LEDGER", "class_name": "Ledger"}]},
    "migrations": [{"tag": "v1", "new_sqlite_classes": ["Ledger"]}],
    "triggers": {"crons": ["*/30 * * * *"]},
    "queues": {
        "producers": [{"binding": "JOBS", "queue": "jobs"}],
        "consumers": [{"queue": "jobs", "max_batch_timeout": 1}],
    },
}


def project(folder: Path, entry: str = ENTRY, **settings: Any) -> Path:
    (folder / "wrangler.jsonc").write_text(json.dumps(SETTINGS | settings))
    (folder / "entry.py").write_text(textwrap.dedent(entry))
    return folder


def test_a_project_with_a_cron_and_a_queue(tmp_path: Path) -> None:
    """Both are connected by the configuration alone."""
    sim = Simulation.from_project(project(tmp_path), network=None)
    sim.run(sim.client().fetch("https://app.example/"))
    sim.run(until="31m")

    assert {"jobs job 1", "cron */30 * * * * cron"} == set(sim.objects["x"].storage)


def test_crons_go_on_after_a_restart(tmp_path: Path) -> None:
    """The objects' process is new, the triggers are the platform's."""
    sim = Simulation.from_project(project(tmp_path), network=None)
    sim.run(until="10m")
    sim.restart()
    sim.run(until="31m")

    assert {"cron */30 * * * * cron"} == set(sim.objects["x"].storage)


def test_a_project_whose_entrypoint_lacks_the_handler(tmp_path: Path) -> None:
    """Named, with the line to write."""
    entry = ENTRY.replace("async def queue", "async def queues")
    with pytest.raises((ProjectError, ValueError), match=r"'jobs'.*no queue handler.*async def queue\(self, batch"):
        Simulation.from_project(project(tmp_path, entry))
