"""The full path as a SimPy model: client, edge, Worker, object with a single thread, put, reply.

A request meets five delays (client to edge, edge to Worker, Worker to object, disk, and the way back in two legs), one
queue for the object's thread, two copies of data, one put, and leaves twelve records. The confirmation of the put holds
back the reply and not the next request (the output gate). It is what `full_path_dosim.py` is compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import simpy

CLIENT_TO_EDGE_S = 0.010
EDGE_TO_WORKER_S = 0.001
WORKER_TO_OBJECT_S = 0.020
DISK_S = 0.005
OBJECT_TO_WORKER_S = 0.020
EDGE_TO_CLIENT_S = 0.011

_ATOMS = frozenset((int, str, float, bool, bytes, type(None)))


def clone(value: Any) -> Any:
    """A copy of plain data: what crosses between Worker and object is never shared."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is dict:
        return {key: item if type(item) in _ATOMS else clone(item) for key, item in value.items()}
    return [item if type(item) in _ATOMS else clone(item) for item in value]


class Counter:
    """One object: its thread, its memory, its storage."""

    def __init__(self, env: simpy.Environment, name: int) -> None:
        self.name = name
        self.count = 0
        self.thread = simpy.Resource(env, 1)
        self.storage: dict[str, int] = {}


class Model:
    """Clients that send one request after another, Workers, and the objects they reach."""

    def __init__(self, clients: int, objects: int, per_client: int) -> None:
        self.env = simpy.Environment()
        self.objects: dict[int, Counter] = {}
        self.records: list[tuple[float, int, str, int, str]] = []
        self.record: Callable[[tuple[float, int, str, int, str]], None] = self.records.append
        for client in range(clients):
            self.env.process(self.client(client, objects, per_client))

    def client(self, number: int, objects: int, requests: int) -> Generator[Any, Any, None]:
        for turn in range(requests):
            body = {"op": "incr", "by": 1, "user": {"id": number, "name": "ada"}}
            yield from self.fetch((number * 31 + turn) % objects, body)

    def fetch(self, name: int, body: dict[str, Any]) -> Generator[Any, Any, Any]:
        env, record = self.env, self.record
        record((env.now, 1, "client", name, "send"))
        yield env.timeout(CLIENT_TO_EDGE_S)
        record((env.now, 2, "edge", name, "edge"))
        yield env.timeout(EDGE_TO_WORKER_S)
        record((env.now, 3, "worker", name, "worker"))
        value = yield env.process(self.worker(name, body))
        record((env.now, 4, "worker", name, "return"))
        yield env.timeout(EDGE_TO_CLIENT_S)
        record((env.now, 5, "client", name, "response"))
        return value

    def worker(self, name: int, body: dict[str, Any]) -> Generator[Any, Any, Any]:
        value = yield self.env.process(self.call(name, body))
        return value

    def call(self, name: int, argument: dict[str, Any]) -> Generator[Any, Any, Any]:
        env, record = self.env, self.record
        argument = clone(argument)
        record((env.now, 6, "worker", name, "call"))
        yield env.timeout(WORKER_TO_OBJECT_S)
        record((env.now, 7, "object", name, "arrive"))
        counter = self.objects.get(name)
        if counter is None:
            counter = self.objects[name] = Counter(env, name)
        with counter.thread.request() as turn:
            yield turn
            record((env.now, 8, "object", name, "start"))
            value = clone(self.increment(counter, argument))
            record((env.now, 9, "object", name, "return"))
        yield env.timeout(DISK_S)
        record((env.now, 11, "object", name, "commit"))
        yield env.timeout(OBJECT_TO_WORKER_S)
        record((env.now, 12, "worker", name, "result"))
        return value

    def increment(self, counter: Counter, argument: dict[str, Any]) -> dict[str, Any]:
        counter.count += argument["by"]
        counter.storage["n"] = counter.count
        self.record((self.env.now, 10, "object", counter.name, "put"))
        return {"n": counter.count, "id": counter.name, "tags": ["a", "b"]}


def run(requests: int, clients: int = 100, objects: int = 50) -> int:
    """Run the model; returns the number of records."""
    per_client = requests // clients
    model = Model(clients, objects, per_client)
    model.env.run()
    assert sum(counter.count for counter in model.objects.values()) == per_client * clients
    return len(model.records)
