"""Queues: how batches are delivered, acknowledged and retried.

Rules are documented (developers.cloudflare.com/queues), warnings recorded; two whole cases are recorded with Python
Workers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from dosim import Simulation
from dosim.bindings.queues import RETENTION_US, WRITE_US, ConsumerSettings, QueueProducer, QueueStore
from dosim.bindings.queues_batches import MessageBatch
from dosim.platform.facts import SECOND_US
from dosim.workers import DurableObject, Response, WorkerEntrypoint
from tests.bindings.queue_stories import Handler, World, run_handler

CASES = Path(__file__).parents[1] / "conformance" / "python" / "cases"

# -- two recorded cases


class Log(DurableObject):
    """As in the recorded cases."""

    async def add(self, line: Any) -> int:
        lines = await self.ctx.storage.get("lines") or []
        lines.append(line)
        await self.ctx.storage.put("lines", lines)
        return len(lines)

    async def read(self) -> Any:
        return await self.ctx.storage.get("lines") or []


def observed(worker: type, case: str) -> None:
    """Run a Worker that is producer and consumer (batch timeout 1 s), and compare with what was recorded."""
    sim = Simulation(worker, durable_objects={"LOG": Log}, platform="workerd", network=None)
    store = QueueStore(sim.world, "jobs")
    sim.env.JOBS = QueueProducer(sim.world, store, "JOBS")

    def dispatch(batch: MessageBatch, done: Callable[[BaseException | None], None]) -> None:
        run_handler(sim, lambda: worker(None, sim.env).queue(batch, None, None), done)

    store.consume(ConsumerSettings(max_batch_timeout_us=SECOND_US), dispatch)
    answer = json.loads(sim.run(sim.run(sim.client().fetch("https://app.example/")).text()))
    assert answer == json.loads((CASES / case / "expected.json").read_text())["observations"]


def test_recorded_batch_to_consumer() -> None:
    """send() returns at once; the consumer gets all messages later, in one batch, attempts 1."""

    class Default(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            jobs, log = self.env.JOBS, self.env.LOG.getByName("log")
            await jobs.send({"n": 1, "tags": ["a", None]})
            await jobs.send("plain text")
            await jobs.sendBatch([{"body": 3}, {"body": [4]}])
            out = [["right after send", await log.read()]]
            await asyncio.sleep(2.5)
            out.append(["batches", await log.read()])
            return Response.json(out)

        async def queue(self, batch: Any, env: Any, ctx: Any) -> None:
            messages = [[m.body, m.attempts] for m in batch.messages]
            await self.env.LOG.getByName("log").add({"queue": batch.queue, "messages": messages})

    observed(Default, "queue_batch_to_consumer")


def test_recorded_retries() -> None:
    """An error redelivers the batch, retry() one message; attempts go up."""

    class Default(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            jobs, log = self.env.JOBS, self.env.LOG.getByName("log")
            await jobs.sendBatch([{"body": "a"}, {"body": "b"}, {"body": "c"}])
            await asyncio.sleep(4.5)
            return Response.json([["batches", await log.read()]])

        async def queue(self, batch: Any, env: Any, ctx: Any) -> None:
            times = await self.env.LOG.getByName("log").add([[m.body, m.attempts] for m in batch.messages])
            if times == 1:
                raise ValueError("the batch failed")
            if times == 2:
                batch.messages[1].retry()

    observed(Default, "queue_retry")


# -- batches


def test_a_batch_waits_for_its_timeout() -> None:
    """The defaults: 5 s after the first message was there, however many came since."""
    world = World()
    world.put("a")
    world.sim.run(for_="3s")
    world.put("b")
    world.sim.run()
    written_s = WRITE_US / SECOND_US
    assert world.log == [(5 + written_s, ["a", "b"], [1, 1])]


def test_a_full_batch_goes_at_once() -> None:
    """max_batch_size reached first: the rest waits for its own timeout."""
    world = World(max_batch_size=2)
    world.put("a", "b", "c", "d", "e")
    world.sim.run()
    assert [(at, bodies) for at, bodies, _ in world.log] == [(0.06, ["a", "b"]), (0.06, ["c", "d"]), (5.06, ["e"])]


def test_without_a_timeout_messages_go_as_they_come() -> None:
    """max_batch_timeout 0."""
    world = World(max_batch_timeout_us=0)
    world.put("a", "b")
    world.put("c")
    world.sim.run()
    assert [bodies for _, bodies, _ in world.log] == [["a", "b"], ["c"]]


@pytest.mark.parametrize(
    ("most", "starts"), [(None, [0.06, 0.06, 0.06]), (2, [0.06, 0.06, 3.06]), (1, [0.06, 3.06, 6.06])]
)
def test_concurrency(most: int | None, starts: list[float]) -> None:
    """As many full batches run at once as max_concurrency allows; the next one starts when one ends."""

    async def handler(batch: Any) -> None:
        await asyncio.sleep(3)

    world = World(handler, max_batch_size=1, max_concurrency=most)
    world.put("a", "b", "c")
    world.sim.run()
    assert [at for at, _, _ in world.log] == starts


def test_delays() -> None:
    """A message's own delay, else the batch's, else the producer's; 0 and None are no delay."""
    world = World(max_batch_timeout_us=0, delivery_delay_us=10 * SECOND_US)
    world.sim.run(world.jobs.send("the producer's"))
    world.sim.run(world.jobs.send("own", delaySeconds=30))
    world.sim.run(world.jobs.send("zero", delaySeconds=0))
    world.sim.run(world.jobs.send("None is 0", delaySeconds=None))
    messages = [{"body": "the batch's"}, {"body": "own in a batch", "delaySeconds": 1}]
    world.sim.run(world.jobs.sendBatch(messages, delaySeconds=20))
    world.sim.run()
    assert [(at, *bodies) for at, bodies, _ in world.log] == [
        (0.18, "zero"),
        (0.24, "None is 0"),
        (1.3, "own in a batch"),
        (10.06, "the producer's"),
        (20.3, "the batch's"),
        (30.12, "own"),
    ]


def test_a_waiting_message_keeps_run_going() -> None:
    """A queued message is pending work; one without a consumer is not."""
    world = World(max_batch_timeout_us=0)
    world.sim.run(world.jobs.send("later", delaySeconds=86_400))
    world.sim.run()
    assert world.log == [(86_400.06, ["later"], [1])]
    idle = World(consumed=False)
    idle.put("a")
    idle.sim.run()
    assert idle.loop.now_us == WRITE_US


def test_a_queue_without_a_consumer_keeps_its_messages() -> None:
    """They go to the consumer that comes, or are deleted after the retention (four days, documented)."""
    world = World(consumed=False)
    world.put("old", {"n": 1})
    assert world.sim.run(world.jobs.metrics()) == {
        "backlogCount": 2,
        "backlogBytes": len('"old"') + len('{"n":1}'),
        "oldestMessageTimestamp": datetime(2026, 12, 1, 0, 0, 0, 60_000),  # noqa: DTZ001
    }
    world.sim.run(until="3d")
    world.put("new")
    world.sim.run(until="100h")
    world.store.consume(ConsumerSettings(), world.dispatch)
    world.sim.run()
    assert RETENTION_US == 96 * 3600 * SECOND_US
    assert [bodies for _, bodies, _ in world.log] == [["new"]]


# -- acknowledgements and retries


def failing(times: int) -> Handler:
    """A handler that raises so many times, then returns."""
    left = [times]

    def handler(batch: Any) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise ValueError("no")

    return handler


def test_an_error_retries_the_batch() -> None:
    """All of it, after the batch timeout again, attempts counted; a return acknowledges."""
    world = World(failing(2), max_batch_timeout_us=SECOND_US)
    world.put("a", "b")
    world.sim.run()
    assert world.log == [(at, ["a", "b"], [n, n]) for n, at in ((1, 1.06), (2, 2.06), (3, 3.06))]


def test_messages_that_fail_too_often_are_deleted() -> None:
    """max_retries 3: four deliveries, then the trace says what was lost."""
    world = World(failing(99))
    world.put("a")
    world.sim.run()
    assert [attempts for _, _, attempts in world.log] == [[1], [2], [3], [4]]
    assert len(world.warnings()) == 1 and "after 4 failed attempts!" in world.warnings()[0]


def test_dead_letters() -> None:
    """To the other queue, with id and body, attempts from 1 again."""
    world = World(failing(99), consumed=False)
    dead: list[tuple[str, Any, int]] = []
    letters = QueueStore(world.sim.world, "dead")

    def bury(batch: MessageBatch, done: Callable[[BaseException | None], None]) -> None:
        dead.extend((batch.queue, m.id, m.attempts) for m in batch.messages)
        done(None)

    letters.consume(ConsumerSettings(), bury)
    settings = ConsumerSettings(max_retries=1, dead_letter_queue="dead", max_batch_timeout_us=0)
    world.store.consume(settings, world.dispatch, letters)
    world.put("a")
    world.sim.run()
    assert len(world.log) == 2 and world.warnings() == []
    assert dead == [("dead", world.batches[0].messages[0].id, 1)]


def test_an_acknowledged_message_is_not_delivered_again() -> None:
    """Documented, although miniflare delivers it again (RULES-python 39)."""

    def handler(batch: Any) -> None:
        batch.messages[0].ack()
        if batch.messages[0].attempts == 1:
            raise ValueError("no")

    world = World(handler)
    world.put("a", "b", "c")
    world.sim.run()
    assert [bodies for _, bodies, _ in world.log] == [["a", "b", "c"], ["b", "c"]]


def decided(decide: Callable[[Any], None], **settings: Any) -> list[Any]:
    """The bodies delivered again after one handler's decisions about "a" and "b", and the warnings' beginnings."""

    def handler(batch: Any) -> None:
        if len(world.log) == 1:
            decide(batch)

    world = World(handler, **settings)
    world.put("a", "b")
    world.sim.run()
    again = [body for _, bodies, _ in world.log[1:] for body in bodies]
    ids = {m.id: m.body for m in world.batches[0].messages}
    told = [" ".join(ids.get(word, word) for word in text.split(".")[0].split()) for text in world.warnings()]
    return [again, told]


def _raise(batch: Any) -> None:
    raise ValueError("no")


PRECEDENCE: list[tuple[list[Callable[[Any], Any]], list[str], list[str]]] = [
    ([], [], []),
    ([lambda b: b.messages[0].retry()], ["a"], []),
    ([lambda b: b.retryAll()], ["a", "b"], []),
    ([lambda b: b.ackAll(), _raise], [], []),
    ([lambda b: b.messages[1].ack(), lambda b: b.retryAll()], ["a"], []),
    ([lambda b: b.messages[1].retry(), lambda b: b.ackAll()], ["b"], []),
    ([lambda b: b.messages[1].ack(), lambda b: b.messages[1].retry()], [], [
        "Received a call to retry() on message b after ack() was already called"]),
    ([lambda b: b.messages[1].retry(), lambda b: b.messages[1].ack()], ["b"], [
        "Received a call to ack() on message b after retry() was already called"]),
    ([lambda b: b.retryAll(), lambda b: b.messages[0].ack()], ["a", "b"], [
        "Received a call to ack() on message a after retryAll() was already called"]),
    ([lambda b: b.ackAll(), lambda b: b.messages[0].retry()], [], [
        "Received a call to retry() on message a after ackAll() was already called"]),
    ([lambda b: b.ackAll(), lambda b: b.retryAll()], [], [
        "Received a call to retryAll() after ackAll() was already called"]),
    ([lambda b: b.retryAll(), lambda b: b.ackAll()], ["a", "b"], [
        "Received a call to ackAll() after retryAll() was already called"]),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "again", "told"), PRECEDENCE)
def test_the_first_decision_wins(steps: list[Callable[[Any], Any]], again: list[str], told: list[str]) -> None:
    """Documented precedence; the warnings are workerd's (api/queue.c++)."""

    def decide(batch: Any) -> None:
        for step in steps:
            step(batch)

    assert decided(decide) == [again, told]


def test_delays_of_retries() -> None:
    """Its own, else that of retryAll, else the consumer's retry_delay; an error uses the consumer's."""

    def handler(batch: Any) -> None:
        if len(world.log) == 1:
            batch.messages[0].retry(delaySeconds=5)
            batch.messages[1].retry({"delaySeconds": 0})
            batch.retryAll(delaySeconds=50)
        elif len(world.log) == 2:
            raise ValueError("no")

    world = World(handler, max_batch_timeout_us=0, retry_delay_us=100 * SECOND_US, max_batch_size=100)
    world.put("own", "zero", "all")
    world.sim.run()
    assert [(at, bodies) for at, bodies, _ in world.log[1:]] == [
        (0.06, ["zero"]),
        (5.06, ["own"]),
        (50.06, ["all"]),
        (100.06, ["zero"]),
    ]


def test_what_a_handler_decides_after_its_end_changes_nothing() -> None:
    """The batch is settled when the handler has ended, and only once."""
    world = World()
    world.put("a")
    world.sim.run()
    world.batches[0].messages[0].retry()
    world.sim.run()
    assert len(world.log) == 1


def test_the_end_of_a_handler_counts_once() -> None:
    """A dispatch that reports twice: the second report changes nothing."""
    world = World(consumed=False)
    deliveries: list[int] = []

    def dispatch(batch: MessageBatch, done: Callable[[BaseException | None], None]) -> None:
        deliveries.append(batch.messages[0].attempts)
        done(None)
        done(ValueError("late"))

    world.store.consume(ConsumerSettings(), dispatch)
    world.put("a")
    world.sim.run()
    assert deliveries == [1]


def test_sending_from_an_object_waits_for_its_output_gate() -> None:
    """A message never leaves before the writes made before it are confirmed (workerd queue.c++)."""

    class A(DurableObject):
        async def add(self) -> float:
            await self.ctx.storage.put("n", 1)
            await self.env.JOBS.send("wrote")
            return asyncio.get_running_loop().time()

    sim = Simulation(durable_objects={"A": A}, network=None, platform="cloudflare")
    sim.env.JOBS = QueueProducer(sim.world, QueueStore(sim.world, "jobs"), "JOBS")
    assert sim.run(sim.env.A.getByName("x").add()) == pytest.approx((WRITE_US + 5_000) / SECOND_US)


# -- settings


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("max_batch_size", 0, "max_batch_size is 0; it must be 1 to 100 messages"),
        ("max_batch_size", 101, "max_batch_size"),
        ("max_batch_timeout_us", 61 * SECOND_US, "max_batch_timeout"),
        ("max_retries", 101, "max_retries"),
        ("retry_delay_us", -1, "retry_delay"),
        ("max_concurrency", 251, "max_concurrency"),
        ("max_concurrency", 0, "leave it out for no limit"),
    ],
)
def test_settings_out_of_range(key: str, value: int, said: str) -> None:
    """Documented limits, by the key of wrangler's configuration."""
    with pytest.raises(ValueError, match="queue consumer: ") as caught:
        ConsumerSettings(**{key: value})
    assert said in str(caught.value)


def test_documented_defaults() -> None:
    """10 messages, 5 s, 3 retries, no delay, no dead letters, no limit of concurrency."""
    assert ConsumerSettings() == ConsumerSettings(10, 5_000_000, 3, 0, None, None)


def test_consumers_that_do_not_fit() -> None:
    """A queue has one consumer, and the dead letter queue is the one that is named."""
    world = World()
    with pytest.raises(ValueError, match="has a consumer"):
        world.store.consume(ConsumerSettings(), world.dispatch)
    with pytest.raises(ValueError, match="its dead_letter_queue is 'dead', not None"):
        QueueStore(world.sim.world, "other").consume(ConsumerSettings(dead_letter_queue="dead"), world.dispatch)


def test_the_same_seed_gives_the_same_trace() -> None:
    """Ids, order and times: digests agree."""

    def run(seed: int) -> tuple[str, list[Any]]:
        world = World(failing(3), seed=seed, max_batch_size=2)
        world.put("a", "b", "c")
        world.sim.run()
        return world.sim.trace.digest, [world.log, [[m.id for m in batch.messages] for batch in world.batches]]

    assert run(4) == run(4)
    assert run(4)[1] != run(5)[1]
