"""Which scenarios there are, without loading them: `dosim run` lists them, and finds them by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final


class BadArgument(ValueError):
    """An argument of a scenario that cannot be: one paragraph that names it and the fix. `argument` is its name."""

    def __init__(self, argument: str, value: object, fix: str) -> None:
        super().__init__(f"{argument}={value!r} {fix}")
        self.argument = argument
        self.value = value
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named world: what it shows in one line, the module that holds it, the options it takes on the command line."""

    name: str
    shows: str
    module: str
    options: frozenset[str]

    def run(self, **options: Any) -> Any:
        """Run it; the result prints itself, and has `to_json()`, `blocks()`, `figure()`."""
        return import_module(self.module).run(**options)


def _lesson(name: str, shows: str) -> Scenario:
    """A scenario whose module bears its name, with the options that all of them have."""
    module = f"dosim.scenarios.{name.replace('-', '_')}"
    return Scenario(name, shows, module, frozenset({"seed", "json", "png", "trace", "code"}))


SCENARIOS: Final[dict[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "ten-by-five",
            "ten requests of 5 s meet one object at the same instant, in five variants",
            "dosim.scenarios.ten_by_five",
            frozenset({"variant", "requests", "seconds", "seed", "json", "png", "trace", "code"}),
        ),
        Scenario(
            "one-instance",
            "a hundred requests from everywhere meet a hundred Worker instances, and one object",
            "dosim.scenarios.one_instance",
            frozenset({"requests", "seed", "json", "png", "trace", "code"}),
        ),
        _lesson("workspace", "an object for each workspace: migrations, projects in SQLite, a monthly cleanup"),
        _lesson("chat-room", "sockets and a buffer in memory, history in SQLite, an archive in R2; what a crash takes"),
        _lesson("four-layers", "one text in memory, key-value storage, SQLite, R2: what survives, how far, how dear"),
        _lesson("three-architectures", "functions with a database, one server, an object each: one workload"),
        _lesson("should-i", "a number for each thing that people ask whether Durable Objects are for"),
        _lesson("slow-api", "ten requests that need five seconds of a service outside: blocked, awaited, queued"),
        _lesson("hibernating-chat", "a thousand people connected, an hour of silence, and what it costs"),
        _lesson("agent-chat-room", "a room as an agent and without the framework: frames, lines, bills, latencies"),
        _lesson("threads", "a parent that keeps the index and a child for each thread, against one giant"),
        _lesson(
            "subscription", "an alarm renews it: payments that fail, a cancel, and a cron job over a table instead"
        ),
        _lesson("identity", "a name with a typo is an object too, and only the object knows whether it was set up"),
        _lesson("knee-and-shards", "where one object's latency bends, and how far shards move that point"),
        _lesson("chatroom-that-forgets", "an attribute lives as long as the object is in memory, not as its sockets"),
        _lesson("deploy-mid-request", "new code is deployed while an order is being made"),
        _lesson("never-sleeps", "a timer, a plain socket or a function that is kept, and every second is billed"),
        _lesson("double-email", "an alarm runs at least once, so what it does can happen twice"),
        _lesson("alarm-loop-bill", "an alarm that sets itself again, sixty preview deployments, no users, eight days"),
        _lesson("laptop-placement", "an object lives near to whoever touched it first, for ever"),
        _lesson("job-queue", "an agent's queue: failures are retried, what is cut off runs twice, nothing is lost"),
        _lesson("scheduled-reports", "cron for a quarter, through hibernation and a change of clocks: none missing"),
        _lesson("ai-agent", "a model that calls tools, cut off in mid-stream: a loop in memory, and one in a fiber"),
        _lesson("crash-before-flush", "await put() has returned, the machine is gone, and nobody was told"),
        _lesson("dashboard", "an agent's state on every screen; who was away gets the present one, not the past"),
        _lesson("game-room", "players set the state, the agent refuses what is no move, and nobody else sees it"),
        _lesson("shared-document", "ten people write in one text at once: the last one wins, or all of them do"),
    )
}


def find_scenario(name: str) -> Scenario:
    """The scenario of this name. Raises BadArgument with the nearest names, and all there are."""
    found = SCENARIOS.get(name)
    if found is None:
        raise BadArgument(
            "scenario", name, f"is not known{did_you_mean(name, SCENARIOS)} Use one of {', '.join(SCENARIOS)}."
        )
    return found


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the nearest ones there are, or a full stop."""
    near = difflib.get_close_matches(name.casefold(), list(known), n=2, cutoff=0.5)
    return f": did you mean {' or '.join(near)}?" if near else "."
