"""Shortest paths by delay over plain data: Dijkstra's algorithm, one tree per source, kept."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from dosim.geography.cities import world_cities
from dosim.network.backbone import Link, world_links


@dataclass(frozen=True, slots=True)
class Tree:
    """Least delays from one city to all it reaches, and each one's neighbour on the way back."""

    delay_us: dict[str, int]
    previous: dict[str, str]

    def path(self, target: str) -> tuple[str, ...]:
        """Cities from the source to `target`, both included."""
        names = [target]
        while names[-1] in self.previous:
            names.append(self.previous[names[-1]])
        return tuple(reversed(names))


class Router:
    """Answers which way a packet goes. Between equal delays the alphabetically first neighbour wins."""

    def __init__(self, names: Iterable[str], links: Iterable[Link]) -> None:
        self._neighbours: dict[str, list[tuple[str, int]]] = {name: [] for name in names}
        for link in links:
            delay_us = link.delay_us
            self._neighbours[link.a].append((link.b, delay_us))
            self._neighbours[link.b].append((link.a, delay_us))
        self._trees: dict[str, Tree] = {}

    def tree(self, source: str) -> Tree:
        """Shortest paths from `source`, computed at the first call."""
        tree = self._trees.get(source)
        if tree is None:
            tree = self._trees[source] = self._dijkstra(source)
        return tree

    def _dijkstra(self, source: str) -> Tree:
        delay_us: dict[str, int] = {}
        previous: dict[str, str] = {}
        frontier = [(0, source, "")]
        while frontier:
            so_far_us, name, came_from = heapq.heappop(frontier)
            if name in delay_us:
                continue
            delay_us[name] = so_far_us
            if came_from:
                previous[name] = came_from
            for neighbour, link_us in self._neighbours[name]:
                if neighbour not in delay_us:
                    heapq.heappush(frontier, (so_far_us + link_us, neighbour, name))
        return Tree(delay_us, previous)


@cache
def world_router() -> Router:
    """The router over the whole world with every link up: simulations share it, since its answers never change."""
    return Router(world_cities(), world_links())
