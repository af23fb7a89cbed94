"""`should-i`: a number for each thing that people ask whether Durable Objects are for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from dosim.scenarios.blocks import Block, Heading
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Client, Simulation

URL: Final = "https://app.example"
#: For questions to everybody.
USERS: Final = 300
_HEAD: Final = ("", "what was run", "and came out")
#: The groups of the question's answer.
PERFECT, NOT_IDEAL, CAREFUL = "perfect for", "not ideal for", "careful with"


class Row(NamedTuple):
    """One thing: the group it belongs to, what was run, the number by its name, what it says."""

    group: str
    thing: str
    ran: str
    fact: str
    number: float
    said: str


class Bench:
    """A simulation of its own for each thing, with a client in Paris."""

    def __init__(self, seed: int | str) -> None:
        self.sim = Simulation.from_project(project("should_i"), seed=seed)
        self.paris = self.sim.client("Paris")

    def ask(self, path: str, client: Client | None = None) -> Any:
        """The JSON that a path answers."""
        return self.sim.run(self.sim.run((client or self.paris).fetch(f"{URL}/{path}")).json())

    def together(self, *paths: str) -> list[Any]:
        """The JSON of requests that are sent at the same instant."""
        responses = self.sim.run(*[self.paris.fetch(f"{URL}/{path}") for path in paths])
        return list(self.sim.run(*[response.json() for response in responses]))

    def latency_ms(self, path: str, client: Client | None = None) -> float:
        """How long a request takes that is not the first."""
        self.ask(path, client)
        call = (client or self.paris).fetch(f"{URL}/{path}")
        self.sim.run(call)
        return (call.latency_us or 0) / 1000


def run(*, seed: int | str = 0) -> Lesson:
    """Measure each thing in a world of its own."""
    worlds, rows = [], []
    for measure in _MEASURES:
        bench = Bench(seed)
        row = measure(bench)
        rows.append(row)
        worlds.append(World(row.thing, bench.sim))
    shown: list[Block] = []
    for group in (PERFECT, NOT_IDEAL, CAREFUL):
        found = [(row.thing, row.ran, row.said) for row in rows if row.group == group]
        shown += [
            Heading(group),
            table(("", "what was run", "and came out"), found, left=("what was run", "and came out")),
        ]
    facts = {row.fact: row.number for row in rows}
    claim = (
        f"An object that is one small thing's own answers from Paris in {facts['per_user_query_ms']:.0f} ms and lets"
        f" {facts['winners']} of 100 contenders win; asking {USERS:,} objects takes {facts['fan_out_ms']:.0f} ms and"
        f" {facts['requests_per_query']:,.0f} requests, and a computation of 5 s makes the next caller wait"
        f" {facts['behind_long_cpu_ms'] / 1000:.1f} s."
    )
    assumed = (
        "the CPU times of the last two rows (dosim.cpu); the service times of KV; alarms run on time, where the"
        " platform promises a few milliseconds, a minute at a failover; a computation takes no other time."
    )
    return Lesson("should-i", claim, facts, shown, worlds, seed, assumed, ("should_i",))


# -- perfect for


def _per_user(bench: Bench) -> Row:
    ms = bench.latency_ms("USER/ann/note")
    return Row(PERFECT, "a database per user", "a write and a query in SQLite", "per_user_query_ms", ms, f"{ms:.1f} ms")


def _agents(bench: Bench) -> Row:
    bench.sim.external("https://model.example", lambda request: "thought", latency="2s")
    call = bench.paris.fetch(f"{URL}/AGENT/a/think")
    bench.sim.run(for_="3s")
    ms = bench.latency_ms("AGENT/a/status")
    bench.sim.run(call)
    total_s = (call.latency_us or 0) / 1e6
    said = f"{total_s:.1f} s; meanwhile its status came in {ms:.1f} ms"
    return Row(PERFECT, "AI agents", "three calls of a model of 2 s", "status_while_thinking_ms", ms, said)


def _collaboration(bench: Bench) -> Row:
    edits = bench.together(*["DOCUMENT/plan/edit"] * 100)
    lost = 100 - max(edits)
    return Row(PERFECT, "collaboration", "100 edits at once", "lost_edits", lost, f"{lost} lost")


def _sockets(bench: Bench) -> Row:
    sockets = [bench.sim.run(bench.paris.websocket("wss://app.example/socket/r")) for _ in range(10)]
    bench.sim.run(for_="1s")
    sent_us = bench.sim.now.us
    sockets[0].send("hello")
    bench.sim.run(for_="1s")
    ms = max(socket.received[0].at_us - sent_us for socket in sockets) / 1000
    return Row(
        PERFECT, "WebSocket servers", "a message to 10 sockets", "broadcast_ms", ms, f"all heard it in {ms:.1f} ms"
    )


def _coordination(bench: Bench) -> Row:
    won = sum(bench.together(*["SEAT/1A/take"] * 100))
    return Row(PERFECT, "coordination", "100 want one seat", "winners", won, f"{won} gets it")


def _rate_limits(bench: Bench) -> Row:
    bench.ask("LIMITER/ann/ask")
    bench.sim.run(until="2s")
    allowed = sum(bench.together(*["LIMITER/ann/ask"] * 20))
    return Row(PERFECT, "rate limiting", "20 at once, 5 a second allowed", "allowed", allowed, f"{allowed} allowed")


def _sessions(bench: Bench) -> Row:
    tokyo = bench.sim.client("Tokyo")
    bench.ask("kv/read", tokyo)
    bench.ask("SESSION/s/write")
    bench.ask("kv/write")
    bench.sim.run(for_="5s")
    object_says, kv_says = bench.ask("SESSION/s/read", tokyo), bench.ask("kv/read", tokyo)
    stale = int(object_says is None)
    said = f"5 s later Tokyo read {object_says!r} from the object, {kv_says!r} from KV"
    return Row(PERFECT, "sessions", "written in Paris", "stale_session_reads", stale, said)


def _schedules(bench: Bench) -> Row:
    bench.together(*[f"TASK/task {number}/plan" for number in range(100)])
    bench.sim.run(for_="2h")
    late_ms = max(view.storage["late_ms"] for view in bench.sim.objects)
    said = f"the latest ran {late_ms} ms after its time"
    return Row(PERFECT, "scheduled tasks per entity", "100 alarms, an hour ahead", "alarm_late_ms", late_ms, said)


# -- not ideal for


def _blobs(bench: Bench) -> Row:
    call = bench.paris.fetch(f"{URL}/USER/ann/keep")
    bench.sim.run(call)
    refused = int(call.error is not None)
    said = str(call.error).strip().rpartition("Error: ")[2] if call.error is not None else "kept"
    return Row(NOT_IDEAL, "large blobs", "a value of 3 MB", "blobs_refused", refused, said)


def _analytics(bench: Bench) -> Row:
    _settle(bench)
    ms = bench.latency_ms(f"everybody/{USERS}")
    said = f"{ms:.0f} ms, the farthest decides"
    return Row(NOT_IDEAL, "analytics over many users", f"{USERS:,} objects asked from Paris", "fan_out_ms", ms, said)


def _settle(bench: Bench) -> None:
    """The users, each with an object near to home, in four cities."""
    homes = [bench.sim.client(city) for city in ("Paris", "Tokyo", "New York", "Sydney")]
    bench.sim.run(*[homes[number % 4].fetch(f"{URL}/USER/user-{number}/note") for number in range(USERS)])


def _stateless(bench: Bench) -> Row:
    more_ms = bench.latency_ms("USER/ann/note") - bench.latency_ms("plain")
    said = f"the object adds {more_ms:.1f} ms"
    return Row(NOT_IDEAL, "stateless work", "the same without an object", "object_adds_ms", more_ms, said)


def _queries(bench: Bench) -> Row:
    _settle(bench)
    before = bench.sim.bill()
    bench.ask(f"everybody/{USERS}")
    requests = float(bench.sim.bill(since=before).quantity("do_requests"))
    said = f"{requests:,.0f} billed requests for one answer"
    return Row(NOT_IDEAL, "queries over all users", f"one question to {USERS:,}", "requests_per_query", requests, said)


# -- careful with


def _hot_id(bench: Bench) -> Row:
    async def crowd() -> list[Any]:
        calls = []
        for _ in range(1_000):
            await asyncio.sleep(1 / 1_250)
            calls.append(bench.paris.fetch(f"{URL}/CPU/hot/short"))
        for call in calls:
            await call
        return calls

    bench.ask("CPU/hot/short")
    calls = bench.sim.run(crowd())
    first_ms, last_ms = calls[0].latency_us / 1000, calls[-1].latency_us / 1000
    per_s = (len(calls) - 1) * 1e6 / (calls[-1].answered_us - calls[0].answered_us)
    said = f"it served {per_s:,.0f} a second; the first took {first_ms:.0f} ms, the last {last_ms:.0f} ms"
    return Row(CAREFUL, "a hot single id", "1,250 requests/s of 1 ms of CPU", "hot_id_last_ms", last_ms, said)


def _long_cpu(bench: Bench) -> Row:
    bench.ask("CPU/busy/short")
    long = bench.paris.fetch(f"{URL}/CPU/busy/long")
    bench.sim.run(for_="1s")
    short = bench.paris.fetch(f"{URL}/CPU/busy/short")
    bench.sim.run(long, short)
    ms = (short.latency_us or 0) / 1000
    said = f"a request one second later took {ms / 1000:.1f} s"
    return Row(CAREFUL, "long CPU work", "a computation of 5 s", "behind_long_cpu_ms", ms, said)


_MEASURES: Final[tuple[Callable[[Bench], Row], ...]] = (
    _per_user, _agents, _collaboration, _sockets, _coordination, _rate_limits, _sessions, _schedules,
    _blobs, _analytics, _stateless, _queries, _hot_id, _long_cpu,
)  # fmt: skip
