"""Who waits for whom: the graph behind `Deadlock`, and behind the refusal of a cycle with one request at a time.

Reads the runtime's queues and keeps nothing itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dosim.runtime.calls import Call
    from dosim.runtime.host import ObjectHost
    from dosim.runtime.world import World


#: A drawing has at most this many lines, and names at most this many calls in one.
LINES = 20
NAMED = 10


class Waits:
    """The wait-for graph of a world, drawn when somebody asks."""

    def __init__(self, world: World) -> None:
        self._world = world

    # -- one request at a time: chains wait for chains

    def cycle(self, chain: int, goal: ObjectHost) -> list[str]:
        """The cycle that a call of `chain` to `goal` would close by waiting, in sentences; empty if none."""
        waiting: dict[int, list[tuple[ObjectHost, Call]]] = {}
        for host in self._world.hosts.values():
            for call in host.waiting:
                waiting.setdefault(call.chain, []).append((host, call))
        path = [f"chain #{chain} waits for {goal.label}, inside which is {_chains(goal)}"]
        return path if self._reaches(goal, chain, waiting, path, set()) else []

    def _reaches(
        self,
        host: ObjectHost,
        chain: int,
        waiting: dict[int, list[tuple[ObjectHost, Call]]],
        path: list[str],
        seen: set[int],
    ) -> bool:
        for inside in host.chains_inside:
            if inside == chain:
                return True
            if inside in seen:
                continue
            seen.add(inside)
            for held, call in waiting.get(inside, ()):
                path.append(f"chain #{inside} ({call!r}) waits for {held.label}, inside which is {_chains(held)}")
                if self._reaches(held, chain, waiting, path, seen):
                    return True
                path.pop()
        return False

    # -- a run that is stuck

    def drawing(self) -> list[str]:
        """Every request without an answer and what it waits for, in sentences; then the cycle, if they form one."""
        calls = self._open_calls()
        children: dict[Call, dict[Call, None]] = {}
        here = {call for call, _ in calls}
        outside: dict[Call, None] = {}  # requests in Workers, which wait for calls in objects
        for call, _ in calls:
            child = call
            while (parent := child.parent) is not None:
                children.setdefault(parent, {})[child] = None
                if parent not in here:
                    outside[parent] = None
                child = parent
        first = sorted(outside, key=lambda call: call.id)[:LINES]
        lines = [f"{call!r} waits for {_named([*children[call]])}" for call in first]
        lines += [_waits(call, host, [*children.get(call, ())]) for call, host in calls[: LINES - len(lines)]]
        left = len(outside) + len(calls) - len(lines)
        if left:
            lines.append(f"and {left} more wait")
        ring = _ring({(call.parent.target, host.label) for call, host in calls if call.parent is not None})
        return [*lines, f"cycle: {' -> '.join(ring)}"] if ring else lines

    def _open_calls(self) -> list[tuple[Call, ObjectHost]]:
        found: list[tuple[Call, ObjectHost]] = []
        for host in self._world.hosts.values():
            inside = [*host.instance.in_flight] if host.instance is not None else []
            found += [(call, host) for call in (*inside, *host.waiting)]
        return sorted(found, key=lambda entry: entry[0].id)


def _waits(call: Call, host: ObjectHost, made: Sequence[Call]) -> str:
    """What a call in an object, or at its door, waits for."""
    if call in host.waiting:
        return f"{call!r} waits until {host.label} has answered {_chains(host)}"
    if made:
        return f"{call!r} waits for {_named(made)}"
    if call.task is None:
        return f"{call!r} waits at the input gate of {host.label}"
    if host.instance is not None and host.instance.timers:
        return f"{call!r} waits for a timer, or for an Event, Lock or Future of its own code"
    return f"{call!r} waits for something in its own code that nobody completes (Event, Lock, Future)"


def _named(calls: Sequence[Call]) -> str:
    shown = ", ".join(map(repr, calls[:NAMED]))
    return shown if len(calls) <= NAMED else f"{shown} and {len(calls) - NAMED} more"


def _chains(host: ObjectHost) -> str:
    return ", ".join(f"chain #{chain}" for chain in host.chains_inside) or "nobody"


def _ring(arrows: set[tuple[str, str]]) -> list[str]:
    """A cycle in a graph of names, closed; empty if there is none."""
    follows: dict[str, list[str]] = {}
    for start, end in sorted(arrows):
        follows.setdefault(start, []).append(end)

    seen: set[str] = set()

    def walk(path: list[str]) -> list[str]:
        seen.add(path[-1])
        for following in follows.get(path[-1], ()):
            if following in path:
                return [*path[path.index(following) :], following]
            ring = walk([*path, following]) if following not in seen else []
            if ring:
                return ring
        return []

    for start in sorted(follows):
        ring = walk([start])
        if ring:
            return ring
    return []
