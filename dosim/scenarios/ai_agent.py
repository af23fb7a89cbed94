"""`ai-agent`: a loop around a model that calls tools, streams to its client, is cancelled, is cut off in mid-stream.

A chat in an attribute is gone with the object's memory, and the client waits for ever. A fiber stashes the chat after
each step, and its next life goes on from there; the step that was under way is done again, so a tool needs a key.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation
from dosim.workers import Response

#: What the model wants and says, one answer after the other: two tools, then text in parts.
PARTS: Final = 16
PLAN: Final[tuple[dict[str, Any], ...]] = (
    {"tool": "find_trains", "args": {"start": "Oslo", "end": "Bergen"}},
    {"tool": "book_seat", "args": {"train": "9:10"}},
    *({"text": f"part {number}", "last": number == PARTS} for number in range(1, PARTS + 1)),
)
LATENCY: Final = "10s"
SEAT_LATENCY: Final = "1s"
WAYS: Final = {"Naive": "naive", "Checkpointed": "in a fiber"}
NOTHING: Final = "nothing happens"
MID_STREAM: Final = "evicted in mid-stream"
BOOKING: Final = "evicted while it books"
ASKED_AGAIN: Final = "evicted in mid-stream, asked again"
CANCELLED: Final = "cancelled, then evicted"
HAPPENINGS: Final = (NOTHING, MID_STREAM, BOOKING, CANCELLED)
#: It has streamed so many parts when something happens to it.
STREAMED: Final = 8
WATCHED: Final = "12m"
#: Who is kept alive, under which rule, with how slow a model.
OLD_RULE, NEW_RULE = "2026-09-01", "2026-11-01"
SLOW: Final = "20m"
RULES: Final = ((OLD_RULE, LATENCY, "4m"), (NEW_RULE, LATENCY, "4m"), (NEW_RULE, SLOW, "8h"))
HELD: Final = {"Naive": "naive", "Kept": "kept alive", "Checkpointed": "in a fiber"}


class Model:
    """The model outside: the next answer depends on how many the chat has already. Counts what it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def __call__(self, request: Any) -> Response:
        step = len(json.loads(await request.text())) - 1
        self.asked.append(step)
        return Response(json.dumps(PLAN[step]))


class Railway:
    """The railway outside: a seat for each key."""

    def __init__(self) -> None:
        self.asked = 0
        self.keys: set[str] = set()

    def __call__(self, request: Any) -> Response:
        self.asked += 1
        self.keys.add(str(request.headers.get("Idempotency-Key")))
        return Response(f"seat {len(self.keys)}")


class Talk(NamedTuple):
    """A world with one client that has asked its question."""

    sim: Simulation
    model: Model
    railway: Railway
    socket: Any

    def call(self, method: str, *args: object) -> None:
        frame = {"type": "rpc", "id": method, "method": method, "args": list(args)}
        self.socket.send(json.dumps(frame))

    def parts(self) -> list[str]:
        """The parts of the answer that the client has got."""
        frames = [json.loads(got.message) for got in self.socket.received]
        return [frame["text"] for frame in frames if frame.get("type") == "text"]

    def answers(self) -> dict[str, Any]:
        """Method -> what the call of it was answered with."""
        frames = [json.loads(got.message) for got in self.socket.received]
        return {frame["id"]: frame.get("result") for frame in frames if frame.get("type") == "rpc"}


def run(*, seed: int | str = 0) -> Lesson:
    """Both ways through everything that happens; then what keeping alive does, under two rules of the platform."""
    found = {
        f"{title}: {happening}": _measure(binding, happening, seed)
        for binding, title in WAYS.items()
        for happening in HAPPENINGS
    }
    found[f"naive: {ASKED_AGAIN}"] = _measure("Naive", ASKED_AGAIN, seed)
    drawn = {f"{title}: {MID_STREAM}": _drawn(binding, seed) for binding, title in WAYS.items()}
    worlds = [
        World(title, sim, [record.request for record in sim.trace.of_kind("call")]) for title, sim in drawn.items()
    ]
    held = {
        f"{title}, {rule}, {latency}": _held(binding, rule, latency, watched, seed)
        for rule, latency, watched in RULES
        for binding, title in HELD.items()
    }
    naive, again = found[f"naive: {MID_STREAM}"], found[f"naive: {ASKED_AGAIN}"]
    fiber = found[f"in a fiber: {MID_STREAM}"]
    old_naive, old_kept = (held[f"{title}, {OLD_RULE}, {LATENCY}"] for title in ("naive", "kept alive"))
    claim = (
        f"An agent is evicted when it has streamed {STREAMED} of {PARTS} parts: the naive loop sent {naive['parts']}"
        f" and no more, and asked again it took {again['model_calls']} calls of the model and {again['seats']} seats."
        f" The one in a fiber sent all {fiber['parts']}, each once, with {fiber['model_calls']} calls and"
        f" {fiber['seats']} seat. Before October 2026 the platform evicts the loop by itself, after"
        f" {old_naive['parts']} parts; keep_alive prevents that ({old_kept['parts']} parts)."
    )
    assumed = (
        f"the model takes {LATENCY} for an answer, which comes in one piece: a part of the text, or a tool that it"
        f" wants. The railway takes {SEAT_LATENCY}, and gives a seat for each key. That no alarm prolongs a call's 15"
        " minutes is dosim's reading of the documents."
    )
    facts = {"happenings": found, "held": held}
    return Lesson("ai-agent", claim, facts, _shown(found, held), worlds, seed, assumed, ("ai_agent",))


def _simulation(seed: int | str, model: Model, railway: Railway, latency: str, **options: Any) -> Simulation:
    sim = Simulation.from_project(project("ai_agent"), seed=seed, show_output=False, **options)
    sim.external("https://model.example", model, latency=latency)
    sim.external("https://rail.example", railway, latency=SEAT_LATENCY)
    return sim


def _drawn(binding: str, seed: int | str) -> Simulation:
    """The eviction without a client, so that what is drawn are the calls."""
    sim = _simulation(seed, model := Model(), Railway(), LATENCY)
    sim.run(getattr(sim.env, binding).getByName("ann").ask("Book me a train to Bergen."))
    while len(model.asked) < STREAMED + 2:
        sim.run(for_="1s")
    sim.run(for_="5s")
    sim.evict("ann")
    sim.run(for_="80s")
    return sim


def _asked(binding: str, seed: int | str, latency: str = LATENCY, **options: Any) -> Talk:
    model, railway = Model(), Railway()
    sim = _simulation(seed, model, railway, latency, **options)
    socket = sim.run(sim.client("Oslo").websocket(f"wss://travel.example/agents/{binding.lower()}/ann"))
    talk = Talk(sim, model, railway, socket)
    talk.call("ask", "Book me a train to Bergen, and tell me about the way.")
    sim.run(for_="1s")
    return talk


def _measure(binding: str, happening: str, seed: int | str) -> dict[str, Any]:
    """One question; what the client has got after twelve minutes, and what that took."""
    talk = _asked(binding, seed)
    sim = talk.sim
    happened_us = None
    if happening != NOTHING:
        while len(talk.parts()) < STREAMED and not (happening == BOOKING and talk.railway.asked):
            if not sim.step():
                sim.run(for_="100ms")
        if happening != BOOKING:
            sim.run(for_="5s")  # the model works on the next part
        happened_us = sim.now.us
        if happening == CANCELLED:
            talk.call("cancel")
            sim.run(for_="1s")
        sim.evict("ann")
        if happening == ASKED_AGAIN:
            sim.run(for_="2m")
            talk.call("ask", "Are you still there? Book me a train to Bergen, and tell me about the way.")
    before = len(talk.socket.received)
    sim.run(for_=WATCHED)
    parts = talk.parts()
    texts = [got for got in talk.socket.received[before:] if '"text"' in str(got.message)]
    return {
        "parts": len(set(parts)),
        "parts_twice": len(parts) - len(set(parts)),
        "model_calls": len(talk.model.asked),
        "railway_asked": talk.railway.asked,
        "seats": len(talk.railway.keys),
        "went_on_after_us": texts[0].at_us - happened_us if happened_us is not None and texts else None,
        "cancelled": talk.answers().get("cancel"),
    }


def _held(binding: str, rule: str, latency: str, watched: str, seed: int | str) -> dict[str, Any]:
    """One question, and nothing happens to it but what the platform does; what it took."""
    talk = _asked(binding, seed, latency, compatibility_date=rule)
    sim = talk.sim
    before, start_us = sim.bill(), sim.now.us
    sim.run(for_=watched)
    bill = sim.bill(since=before)
    done = len(talk.parts()) == PARTS
    evicted_us = [record.t_us - start_us for record in sim.trace.of_kind("evict")]
    return {
        "parts": len(talk.parts()),
        "model_calls": len(talk.model.asked),
        "evicted_after_us": None if done else evicted_us[0],
        "requests": float(bill.quantity("do_requests")),
        "rows_written": float(bill.quantity("do_rows_written")),
        "gb_s": float(bill.quantity("do_duration")),
        "usd": float(bill.usd),
    }


# -- what is shown


def _shown(found: dict[str, dict[str, Any]], held: dict[str, dict[str, Any]]) -> list[Block]:
    fiber = found[f"in a fiber: {MID_STREAM}"]
    booking = found[f"in a fiber: {BOOKING}"]
    cancelled = found[f"in a fiber: {CANCELLED}"]
    calm, kept = (held[f"{title}, {NEW_RULE}, {LATENCY}"] for title in ("naive", "kept alive"))
    slow = held[f"in a fiber, {NEW_RULE}, {SLOW}"]
    columns = ("", f"parts of {PARTS}", "twice", "calls of the model", "bookings sent", "seats", "goes on after")
    return [
        table(columns, [(title, *_row(fact)) for title, fact in found.items()]),
        Paragraph(
            "The chat of the naive loop was an attribute; nobody tells the client that it is gone, and its socket stays"
            f" open. The fiber's next life began with an alarm that keep_alive had set: the next part came"
            f" {_time(fiber['went_on_after_us'])} later, and one call of the model was made again. What is stashed"
            " before it is sent is sent at most once."
        ),
        Paragraph(
            f"Evicted while it booked, the fiber asked the railway {booking['railway_asked']} times: the step was not"
            " stashed yet. Its key, made of the chat and the number of the step, is the same in both lives:"
            f" {booking['seats']} seat. A question asked again is another chat, and another seat."
        ),
        Paragraph(
            f"A cancelled task is over, in a fiber too: its row is gone, and the eviction that followed brought back"
            f" nothing ({cancelled['parts']} parts). The call that was under way was made all the same."
        ),
        Heading("what keeps it in memory, when nothing happens to it"),
        table(
            (
                "who, compatibility date, model",
                "parts",
                "calls",
                "evicted after",
                "requests",
                "rows",
                "GB-s",
                "list price",
            ),
            [(title, *_cost(fact)) for title, fact in held.items()],
        ),
        Paragraph(
            f"Before October 2026 a call does not keep the object: it is evicted 70 to 140 s after its last event, and"
            " keep_alive's alarm, every 30 s, is one. Since then a call keeps it for 15 minutes: a loop of short calls"
            f" finishes without it, and keep_alive adds {kept['requests'] - calm['requests']:.0f} requests and"
            f" {kept['rows_written'] - calm['rows_written']:.0f} rows for nothing. One call of {SLOW} outlasts the 15"
            f" minutes, and its alarm does not help. The fiber then begins the same call in each life:"
            f" {slow['model_calls']} calls in 8 hours, no part, and no end."
        ),
    ]


def _row(fact: dict[str, Any]) -> tuple[object, ...]:
    counts = (fact[key] for key in ("parts", "parts_twice", "model_calls", "railway_asked", "seats"))
    return *counts, _time(fact["went_on_after_us"])


def _cost(fact: dict[str, Any]) -> tuple[object, ...]:
    counts = (f"{fact[key]:,.0f}" for key in ("requests", "rows_written", "gb_s"))
    return fact["parts"], fact["model_calls"], _time(fact["evicted_after_us"]), *counts, f"${fact['usd']:.6f}"


def _time(us: int | None) -> str:
    return "-" if us is None else f"{us / 1e6:.1f} s"
