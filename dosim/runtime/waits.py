"""Who waits for whom: the graph behind `Deadlock`, and behind the refusal of a cycle with one request at a time.

Reads the runtime's queues and keeps nothing itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dosim.runtime.calls import Call
    from dosim.runtime.host import ObjectHost
    from dosim.runtime.world import World


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
        lines = []
        for call, host in calls:
            made = [other for other, _ in calls if other.parent is call]
            if call in host.waiting:
                lines.append(f"{call!r} waits until {host.label} has answered {_chains(host)}")
            elif made:
                lines.append(f"{call!r} waits for {', '.join(map(repr, made))}")
            elif call.task is None:
                lines.append(f"{call!r} waits at the input gate of {host.label}")
            elif host.instance is not None and host.instance.timers:
                lines.append(f"{call!r} waits for a timer, or for an Event, Lock or Future of its own code")
            else:
                lines.append(
                    f"{call!r} waits for something in its own code that nobody completes (Event, Lock, Future)"
                )
        ring = _ring({(call.parent.target, host.label) for call, host in calls if call.parent is not None})
        return [*lines, f"cycle: {' -> '.join(ring)}"] if ring else lines

    def _open_calls(self) -> list[tuple[Call, ObjectHost]]:
        found: list[tuple[Call, ObjectHost]] = []
        for host in self._world.hosts.values():
            inside = [*host.instance.in_flight] if host.instance is not None else []
            found += [(call, host) for call in (*inside, *host.waiting)]
        return sorted(found, key=lambda entry: entry[0].id)


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
