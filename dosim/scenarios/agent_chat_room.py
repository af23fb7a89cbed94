"""`agent-chat-room`: a chat room as an agent, and the same room without the framework.

One conversation, told to both: three people join, talk, are silent for an hour, talk again, one leaves. What they read
is compared frame by frame, and so are the lines of the two sources, the bills and the latencies.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from typing import Any, Final

from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Client, Simulation
from dosim.simulation.sockets import ClientSocket

PEOPLE: Final = {"ann": "Paris", "ben": "London", "cem": "Tokyo"}
#: Lines that each of them says before the silence.
LINES: Final = 10
#: The month that is billed: of so many such rooms, with this conversation every hour.
MANY: Final = 1_000
#: Room -> where it is found, and the file of its class.
ROOMS: Final = {"agent": ("agents/chat-room", "agent_room.py"), "raw": ("raw", "raw_room.py")}
#: Functions of the raw room -> the member of `agents` in their place, and what that does.
TAKEN_OVER: Final = {
    "route_raw_request": ("route_agent_request", "finds what a path names, in all classes bound"),
    "__init__": ("Agent.on_start", "called once for each life, before any event"),
    "fetch": ("Agent.on_request", "called for HTTP; an upgrade goes elsewhere"),
    "upgrade": ("Agent.on_connect", "called for a socket that may hibernate, after the state was sent"),
    "webSocketMessage": ("Agent.on_message", "called for what is no frame of the protocol"),
    "webSocketClose": ("Agent.on_close", "called, then the other end is closed too"),
    "get_state": ("Agent.state", "from memory or storage, or the initial one"),
    "set_state": ("Agent.set_state", "checks, keeps, sends to all, tells the agent"),
    "state_frame": ("Agent.set_state", "writes the frame that clients know"),
    "state_of_a_client": ("Agent.validate_state_change", "asked before a client's state is taken"),
    "open_sockets": ("Agent.get_connections", "the open ones, by tag if wanted"),
    "broadcast": ("Agent.broadcast", "to all but those excluded"),
    "set_name": ("Connection.set_state", "into the socket's attachment"),
    "name_of": ("Connection.state", "out of it, after hibernation too"),
    "sql": ("Agent.sql", "rows as dicts, an error that quotes the query"),
}


def run(*, seed: int | str = 0) -> Lesson:
    """The same conversation in both rooms; an hour of silence in its middle."""
    worlds, found = [], {}
    for kind in ROOMS:
        sim, found[kind] = _talked(kind, seed)
        worlds.append(World(f"{kind}: one conversation, an hour of silence in its middle", sim))
    agent, raw = found.values()
    taken = taken_over()
    lines = {kind: code_lines(kind) for kind in ROOMS}
    saved = sum(one["lines"] for one in taken)
    same = agent["frames"] == raw["frames"] and agent["history"] == raw["history"]
    silent = "hibernated" if {agent["state"], raw["state"]} == {"hibernated"} else "were in memory"
    claim = (
        f"The same room in {lines['agent']} lines of code and in {lines['raw']}: the framework took over {saved}."
        f" People read {'the same' if same else 'different'} {sum(map(len, agent['frames'].values()))} frames, and"
        f" {agent['extra_frames']} more of the framework's own. In the hour of silence both {silent};"
        f" the agent wrote {agent['rows_written']} rows, the raw room {raw['rows_written']}."
    )
    facts = {"rooms": found, "lines": lines, "taken_over": taken, "same_frames": same}
    assumed = "a confirmed write takes as long as everywhere in dosim; rows are an estimate. Computing takes no time."
    return Lesson("agent-chat-room", claim, facts, _shown(facts), worlds, seed, assumed, ("agent_chat_room",))


# -- the two sources


def taken_over() -> list[dict[str, Any]]:
    """What the framework took over: each such function of the raw room, its lines, and the member in its place."""
    source, found = _source("raw").splitlines(), []
    for function in _functions("raw"):
        if function.name in TAKEN_OVER:
            first, last = function.lineno, function.end_lineno or function.lineno
            lines = sum(map(_is_code, source[first - 1 : last]))
            member, does = TAKEN_OVER[function.name]
            found.append({"raw": function.name, "span": [first, last], "lines": lines, "member": member, "does": does})
    return found


def raw_functions() -> list[str]:
    """The names of the raw room's functions, in the order of its source."""
    return [function.name for function in _functions("raw")]


def code_lines(kind: str) -> int:
    """The lines of code of a room's file: neither blank nor only a comment."""
    return sum(map(_is_code, _source(kind).splitlines()))


def _is_code(line: str) -> bool:
    return bool(line.strip()) and not line.strip().startswith("#")


def _source(kind: str) -> str:
    return (project("agent_chat_room") / "src" / ROOMS[kind][1]).read_text("utf-8")


def _functions(kind: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(_source(kind))
    for node in tree.body:
        for inner in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield inner


# -- the conversation


def _talked(kind: str, seed: int | str) -> tuple[Simulation, dict[str, Any]]:
    """Join, talk, an hour of silence, talk, leave; and what was read, kept, billed and waited for."""
    sim = Simulation.from_project(project("agent_chat_room"), seed=seed)
    clients = {name: sim.client(city) for name, city in PEOPLE.items()}
    sockets = {name: _joined(sim, client, kind, name) for name, client in clients.items()}
    for number in range(1, LINES + 1):
        for name, socket in sockets.items():
            start = sim.bill()
            _say(sim, socket, f"{name} {number}")
    one_line = sim.bill(since=start)
    sim.run(for_="20s")
    start = sim.bill()
    sim.run(for_="1h")
    silent, state = sim.bill(since=start), sim.objects["lobby"].state
    _say(sim, sockets["ann"], "still here?")
    sim.run(sockets["cem"].close(1000, "bye"))
    sim.run(for_="20s")
    history = sim.run(sim.run(clients["ann"].fetch(f"https://chat.example/{ROOMS[kind][0]}/lobby")).json())
    bill = sim.bill()
    closed = sockets["cem"].closed
    waits = {name: _waits_us(sim, socket) for name, socket in sockets.items()}
    every = [_frames(socket) for socket in sockets.values()]
    return sim, {
        "frames": {name: [f for f in frames if _is_ours(f)] for name, frames in zip(sockets, every, strict=True)},
        "extra_frames": sum(not _is_ours(frame) for frames in every for frame in frames),
        "history": history,
        "state": state,
        "lives": sim.objects["lobby"].instance,
        "silent_gb_s": float(silent.quantity("do_duration")),
        "closed": [closed.code, closed.reason] if closed is not None else None,
        "median_us": {name: sorted(wait_us[:LINES])[LINES // 2] for name, wait_us in waits.items()},
        "waking_us": {name: wait_us[LINES] for name, wait_us in waits.items()},
        "rows_of_a_line": int(one_line.quantity("do_rows_written")),
        "rows_read": int(bill.quantity("do_rows_read")),
        "rows_written": int(bill.quantity("do_rows_written")),
        "requests": float(bill.quantity("do_requests")),
        "gb_s": float(bill.quantity("do_duration")),
        "month_of_many_usd": float(bill.per_month(times=MANY).usd),
    }


def _joined(sim: Simulation, client: Client, kind: str, name: str) -> ClientSocket:
    socket: ClientSocket = sim.run(client.websocket(f"wss://chat.example/{ROOMS[kind][0]}/lobby?name={name}"))
    sim.run(for_="1s")
    return socket


def _say(sim: Simulation, socket: ClientSocket, text: str) -> None:
    socket.send(text)
    sim.run(for_="1s")


def _frames(socket: ClientSocket) -> list[dict[str, Any]]:
    return [json.loads(got.message) for got in socket.received]


def _is_ours(frame: dict[str, Any]) -> bool:
    """Whether a frame is for people: the room's own, or the state. The others are the framework's."""
    return frame["type"] not in ("cf_agent_identity", "cf_agent_mcp_servers")


def _waits_us(sim: Simulation, socket: ClientSocket) -> list[int]:
    """The times from Ann's sending of each of her lines to this socket, in microseconds."""
    sent_us = [record.t_us for record in sim.trace.of_kind("frame") if record.actor.startswith(f"{PEOPLE['ann']} ")]
    heard = [(json.loads(got.message), got.at_us) for got in socket.received]
    mine_us = [at_us for frame, at_us in heard if frame["type"] == "message" and frame["name"] == "ann"]
    return [at_us - from_us for from_us, at_us in zip(sent_us, mine_us, strict=True)]


# -- what is shown


def _shown(facts: dict[str, Any]) -> list[Block]:
    agent, raw = facts["rooms"].values()
    lines, left = facts["lines"], ("in its place", "what that does")
    taken = [
        (f"{one['raw']} ({one['span'][0]}-{one['span'][1]})", one["lines"], one["member"], one["does"])
        for one in facts["taken_over"]
    ]
    return [
        Heading("what the framework took over, line by line"),
        table(("raw function (lines)", "of code", *left), taken, left=left),
        Paragraph(
            f"The agent's file has {lines['agent']} lines of code, the raw room's {lines['raw']}. What is left is the"
            " room: what it keeps, what it says, whom it counts."
        ),
        Heading("what it costs"),
        table(("", *ROOMS), _bill_rows(agent, raw)),
        Paragraph(
            f"A month is thirty days of such conversations, one after the other, in {MANY:,} rooms, with the base fee."
            " The agent's state is a row of a table whose key is a text, so its index is written too; the raw room's is"
            " one entry of key-value storage. The raw room reads it each time, and the agent once in each life."
        ),
        Heading("how long a line of Ann's takes"),
        table(("heard by", *ROOMS), _latency_rows(agent, raw)),
        Paragraph(
            "In both a frame waits in the output gate until the line is confirmed. The framework adds rows, not ways."
        ),
    ]


def _bill_rows(agent: dict[str, Any], raw: dict[str, Any]) -> list[tuple[object, ...]]:
    named = {
        "the framework's own frames": "extra_frames",
        "rows written": "rows_written",
        "of them, for one line that somebody says": "rows_of_a_line",
        "rows read": "rows_read",
        "billed requests": "requests",
        "GB-s, the silent hour included": "gb_s",
        "lives of the room": "lives",
    }
    rows: list[tuple[object, ...]] = [(title, f"{agent[key]:g}", f"{raw[key]:g}") for title, key in named.items()]
    usd = "month_of_many_usd"
    return [*rows, (f"a month of {MANY:,}", f"${agent[usd]:,.2f}", f"${raw[usd]:,.2f}")]


def _latency_rows(agent: dict[str, Any], raw: dict[str, Any]) -> list[tuple[object, ...]]:
    return [
        (f"{name} in {city}, {when}", _ms(agent[key][name]), _ms(raw[key][name]))
        for when, key in (("median", "median_us"), ("the first after the hour", "waking_us"))
        for name, city in PEOPLE.items()
    ]


def _ms(us: int) -> str:
    return f"{us / 1000:.1f} ms"
