"""Cases recorded from npm `agents` on workerd, run on `dosim.agents`: README.md says how they were recorded."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dosim import Simulation
from dosim.simulation.sockets import HandshakeRefused
from tests.conformance.agents.probe import Json, make_agent, make_worker

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))
BASE = "http://agents.example"
QUIET_US = 300_000  # a step is over when no frame came for so long, as in record/record.mjs
LATER_THAN_ANY_RUN_S = 3e9  # such a time was given by the case, and is shown


class Player:
    """Plays the steps of one case and shows what happened as the recorder does."""

    def __init__(self, agents: Json) -> None:
        bindings = {name: re.sub("(?<=[a-z0-9])(?=[A-Z])", "_", name).upper() for name in agents}
        objects = {bindings[name]: make_agent(name, program) for name, program in agents.items()}
        worker = make_worker(bindings)
        self.sim = Simulation(worker, durable_objects=objects, platform="workerd", network=None, show_output=False)
        self.client = self.sim.client()
        self.sockets: dict[str, Any] = {}
        self.seen: dict[str, int] = {}
        self.closed: set[str] = set()
        self.logged: dict[str, int] = {}
        self.ids: dict[str, str] = {}

    def play(self, step: Json) -> Json:
        """What one step answered, and what the clients got."""
        self.started_us = self.sim.now.us
        answer = self.answered(step)
        while self.sim.now.us - self.last_us() < QUIET_US:
            self.sim.run(for_="20ms")
        shown = {"frames": self.new_frames(), "closed": self.newly_closed()}
        return {**({} if answer is None else {"answer": self.masked(answer)}), **{k: v for k, v in shown.items() if v}}

    def last_us(self) -> int:
        """When the last frame came, or the step began."""
        times = [socket.received[-1].at_us for socket in self.sockets.values() if socket.received]
        return max([self.started_us, *times])

    def answered(self, step: Json) -> Json:
        """Do one step."""
        kind = next(iter(step))
        if kind in {"send", "close"}:
            socket = self.sockets.get(step[kind])
            if socket is None:
                return "was never open"
            self.sim.run(socket.send(message(step)) if kind == "send" else socket.close(step["code"], step["reason"]))
            return None
        return getattr(self, f"{kind}_step")(step)

    def connect_step(self, step: Json) -> Json:
        try:
            self.sockets[step["connect"]] = self.sim.run(self.client.websocket(BASE + step["path"]))
        except HandshakeRefused as refused:
            return self.response(refused.response)
        return {"status": 101}

    def fetch_step(self, step: Json) -> Json:
        given = {name: step[name] for name in ("method", "body") if name in step}
        return self.response(self.sim.run(self.client.fetch(BASE + step["fetch"], **given)))

    def response(self, response: Any) -> Json:
        """A response; the page of a Worker that failed is the platform's."""
        if response.status >= 500:
            return {"status": response.status}
        return {"status": response.status, "body": self.sim.run(response.text())}

    def run_step(self, step: Json) -> Json:
        body = json.dumps(step["do"])
        return self.asked(f"/probe/run/{step['run']}", method="POST", body=body)

    def wait_step(self, step: Json) -> None:
        self.sim.run(for_=f"{step['wait']}s")

    def log_step(self, step: Json) -> Json:
        entries = self.entries(step["log"])
        self.logged[step["log"]] = self.logged.get(step["log"], 0) + len(entries)
        return entries

    def until_step(self, step: Json) -> Json:
        end_us = self.sim.now.us + step["at_most"] * 1_000_000
        while len(self.entries(step["until"])) < step["entries"] and self.sim.now.us < end_us:
            self.sim.run(for_="200ms")
        return self.log_step({"log": step["until"]})

    def entries(self, where: str) -> list[Json]:
        """What the agent logged since the last look."""
        entries: list[Json] = self.asked(f"/probe/log/{where}")
        return entries[self.logged.get(where, 0) :]

    def asked(self, path: str, **given: Any) -> Json:
        """An answer through the case's door."""
        response = self.sim.run(self.client.fetch(BASE + path, **given))
        if response.status >= 500:
            return {"status": response.status}
        return json.loads(self.sim.run(response.text()))

    def new_frames(self) -> Json:
        """The frames of this step, by client."""
        frames = {}
        for name, socket in sorted(self.sockets.items()):
            fresh = socket.received[self.seen.get(name, 0) :]
            self.seen[name] = len(socket.received)
            if fresh:
                frames[name] = [read(one.message) for one in fresh]
        return frames

    def newly_closed(self) -> Json:
        """Connections that ended in this step."""
        ended = [name for name, socket in sorted(self.sockets.items()) if socket.closed and name not in self.closed]
        self.closed.update(ended)
        return {name: {"code": (how := self.sockets[name].closed).code, "reason": how.reason} for name in ended}

    def masked(self, value: Json) -> Json:
        """A value as a case may show it: ids by first appearance, times of the run not at all."""
        if isinstance(value, list):
            return [self.masked(one) for one in value]
        if not isinstance(value, dict):
            return value
        if "$id" in value:
            return self.ids.setdefault(value["$id"], f"<id {len(self.ids) + 1}>")
        if "$time" in value:
            return "<time>" if value["$time"] < LATER_THAN_ANY_RUN_S else iso(value["$time"])
        return {key: self.masked(one) for key, one in value.items()}


def iso(time_s: float) -> str:
    """A time as `toISOString` shows it."""
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def message(step: Json) -> str | bytes:
    """What a client sends."""
    if "bytes" in step:
        return bytes(step["bytes"])
    return json.dumps(step["json"], separators=(",", ":")) if "json" in step else str(step["text"])


def read(frame: str | bytes) -> Json:
    """A frame as a case shows it."""
    if isinstance(frame, bytes):
        return {"bytes": list(frame)}
    try:
        return json.loads(frame)
    except ValueError:
        return {"text": frame}


def judged(step: Json, outcome: Json) -> Json:
    """An outcome without what the step masks: the text of an error is each language's own."""
    if "answer" in step.get("mask", ()):
        return {**outcome, "answer": "<any>"}
    if "error" in step.get("mask", ()) and "error" in outcome.get("answer", {}):
        return {**outcome, "answer": {"error": "<text>"}}
    return outcome


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    """dosim's agents do, step by step, what npm `agents` did on workerd."""
    case = json.loads(path.read_text(encoding="utf-8"))
    player = Player(case["agents"])
    for at, (step, expected) in enumerate(zip(case["steps"], case["expected"], strict=True)):
        actual = player.play(step)

        assert judged(step, expected) == judged(step, actual), f"{case['claim']} (step {at}: {json.dumps(step)})"


def test_cases_of_every_part_of_the_sdk() -> None:
    """Nothing that was recorded is lost: the cases of each part, as many as there are."""
    counts = Counter(json.loads(path.read_text(encoding="utf-8"))["area"] for path in CASES)

    assert {
        "callable": 7,
        "connection": 14,
        "destroy": 1,
        "jobs": 1,
        "queue": 8,
        "retry": 1,
        "routing": 4,
        "schedule": 17,
        "sql": 1,
        "state": 10,
    } == counts
