"""A small world for stories of queues: one queue with its producer, a consumer, and a log of what it got."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import Context
from typing import Any

import pytest

from dosim import Simulation
from dosim.bindings.queues import ConsumerSettings, QueueProducer, QueueStore
from dosim.bindings.queues_batches import MessageBatch
from dosim.platform.facts import SECOND_US
from dosim.web.errors import JsException

Handler = Callable[[MessageBatch], Any]


class World:
    """A simulation with a queue "jobs", its producer, and a log of what its consumer got: (s, bodies, attempts)."""

    def __init__(self, handler: Handler | None = None, *, consumed: bool = True, **given: Any) -> None:
        producer = {name: given.pop(name) for name in ("delivery_delay_us",) if name in given}
        names = ("max_batch_size", "max_batch_timeout_us", "max_retries", "retry_delay_us", "max_concurrency")
        settings = {name: given.pop(name) for name in names if name in given}
        self.sim = Simulation(**{"platform": "workerd", "network": None, **given})
        self.loop = self.sim.world.loop
        self.log: list[tuple[float, list[Any], list[int]]] = []
        self.batches: list[MessageBatch] = []
        self.handler = handler
        self.store = QueueStore(self.sim.world, "jobs")
        self.jobs = QueueProducer(self.sim.world, self.store, "JOBS", **producer)
        if consumed:
            self.store.consume(ConsumerSettings(**settings), self.dispatch)

    def dispatch(self, batch: MessageBatch, done: Callable[[BaseException | None], None]) -> None:
        bodies, attempts = [m.body for m in batch.messages], [m.attempts for m in batch.messages]
        self.log.append((round(self.loop.now_us / SECOND_US, 3), bodies, attempts))
        self.batches.append(batch)
        run_handler(self.sim, lambda: self.handler(batch) if self.handler else None, done)

    def put(self, *bodies: Any, **options: Any) -> None:
        """Messages are in the queue, now."""
        self.sim.run(self.jobs.sendBatch([{"body": body} for body in bodies], **options))

    def warnings(self) -> list[str]:
        return [record.detail["text"] for record in self.sim.trace.of_kind("warning")]


def run_handler(sim: Simulation, handler: Callable[[], Any], done: Callable[[BaseException | None], None]) -> None:
    """What the simulation's own dispatch does: run the handler, then tell the queue how it ended."""

    async def run() -> None:
        result = handler()
        if inspect.isawaitable(result):
            await result

    task = Context().run(sim.world.loop.create_task, run())
    task.add_done_callback(lambda ended: done(ended.exception()))


def refusal(world: World, call: Callable[[Any], Any]) -> str:
    """The text that a call on the producer is refused with."""
    with pytest.raises(JsException) as caught:
        world.sim.run(call(world.jobs))
    return str(caught.value)
