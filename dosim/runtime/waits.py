"""Who waits for whom: the graph behind `Deadlock`, and behind the refusal of a cycle with one request at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dosim.runtime.calls import Call
    from dosim.runtime.host import ObjectHost
    from dosim.runtime.world import World


class Waits:
    """Reads the runtime's queues; keeps nothing itself."""

    def __init__(self, world: World) -> None:
        self._world = world

    def cycle(self, chain: int, goal: ObjectHost) -> list[str]:
        """The cycle that a call of `chain` to `goal` would close by waiting, in sentences; empty if none."""
        waiting: dict[int, list[tuple[ObjectHost, Call]]] = {}
        for host in self._world.hosts.values():
            for call in host.waiting:
                waiting.setdefault(call.chain, []).append((host, call))
        path: list[str] = [f"chain #{chain} waits for {goal.label}, inside which are {_chains(goal)}"]
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
                path.append(f"chain #{inside} ({call!r}) waits for {held.label}, inside which are {_chains(held)}")
                if self._reaches(held, chain, waiting, path, seen):
                    return True
                path.pop()
        return False

    def drawing(self) -> list[str]:
        """Every request that has no answer, with what it waits for, in sentences."""
        lines = []
        for host in self._world.hosts.values():
            if host.instance is not None:
                lines += [
                    f"{call!r} runs in {host.label} and waits" + self._for(call) for call in host.instance.in_flight
                ]
            lines += [f"{call!r} waits until {host.label} has answered {_chains(host)}" for call in host.waiting]
        return lines

    def _for(self, call: Call) -> str:
        """What a running call waits for: the calls it has made that are without an answer."""
        made = [
            other
            for host in self._world.hosts.values()
            for other in ([*host.instance.in_flight] if host.instance is not None else []) + [*host.waiting]
            if other.parent is call
        ]
        if made:
            return " for " + ", ".join(map(repr, made))
        return " for something in its own code that nobody completes (an Event, a Lock, a Future)"


def _chains(host: ObjectHost) -> str:
    return ", ".join(f"chain #{chain}" for chain in host.chains_inside) or "nobody"
