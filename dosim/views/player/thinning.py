"""Less than everything, and what is said about it: samples for a page of bounded size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from dosim.trace.lives import Life, Stretch
from dosim.trace.messages import Message
from dosim.trace.words import exact
from dosim.views.player.telling import Roots

#: At most so many objects, and so many of their states, are in the page.
MOST_OBJECTS: Final = 200
MOST_STRETCHES: Final = 12_000

T = TypeVar("T")


def thin_messages(found: Sequence[Message], roots: Roots, most: int, notes: list[str]) -> list[Message]:
    """At most `most` messages: whole requests, first those with a failure or a loss, then every nth of the others."""
    if len(found) <= most:
        return list(found)
    groups: dict[int, list[int]] = {}
    for index, message in enumerate(found):
        groups.setdefault(roots.of(message.request) or -index - 1, []).append(index)
    troubled = {root for root, group in groups.items() if any(found[i].lost or found[i].failed for i in group)}
    first = _fitting([groups[root] for root in groups if root in troubled], most)
    rest = _fitting([groups[root] for root in groups if root not in troubled], most - sum(map(len, first)))
    chosen = sorted(index for group in (*first, *rest) for index in group)
    if not chosen:  # one request has more than fits
        step = -(-len(found) // most)
        chosen = list(range(0, len(found), step))
    notes.append(
        f"Shown are {len(chosen):,} of {len(found):,} messages: a sample spread evenly over the requests, whole ones,"
        " with failed and lost messages first. The counts and the objects' states are of all."
    )
    return [found[index] for index in chosen]


def _fitting(groups: Sequence[list[int]], most: int) -> list[list[int]]:
    """Every nth group, for the smallest n with which they fit."""
    if not groups or most <= 0:
        return []
    step = max(1, -(-sum(map(len, groups)) // most))
    while step <= len(groups):
        chosen = list(groups[::step])
        if sum(map(len, chosen)) <= most:
            return chosen
        step += max(1, step // 16)
    return []


def thin_lives(found: Mapping[str, Life], notes: list[str]) -> dict[str, Life]:
    """At most `MOST_OBJECTS` lives with `MOST_STRETCHES` states in all; the shortest merge into their neighbours."""
    alive = dict(list(found.items())[:MOST_OBJECTS])
    if len(found) > len(alive):
        notes.append(f"Shown are the first {len(alive)} of {len(found):,} objects.")
    total = sum(len(life.stretches) for life in alive.values())
    if total <= MOST_STRETCHES:
        return alive
    times = [t for life in alive.values() for s in life.stretches for t in (s.start_us, s.end_us)]
    least_us = max(1, (max(times) - min(times)) // 100_000)
    merged = alive
    while sum(len(life.stretches) for life in merged.values()) > MOST_STRETCHES:
        merged = {label: replace(life, stretches=_merged(life.stretches, least_us)) for label, life in alive.items()}
        least_us *= 2
    notes.append(f"States of objects shorter than {exact(least_us // 2)} are not shown: there are {total:,} in all.")
    return merged


def _merged(stretches: Sequence[Stretch], least_us: int) -> tuple[Stretch, ...]:
    """The stretches without those shorter than `least_us`, whose time goes to the one before."""
    kept: list[Stretch] = []
    for stretch in stretches:
        if kept and (stretch.end_us - stretch.start_us < least_us or _alike(kept[-1], stretch)):
            kept[-1] = replace(kept[-1], end_us=stretch.end_us)
        else:
            kept.append(stretch)
    return tuple(kept)


def _alike(a: Stretch, b: Stretch) -> bool:
    return (a.state, a.instance) == (b.state, b.instance)


def thin_moments(found: list[T], most: int, what: str, notes: list[str]) -> list[T]:
    """Every nth, for at most `most`."""
    if len(found) <= most:
        return found
    chosen = found[:: -(-len(found) // most)]
    notes.append(f"Shown are {len(chosen):,} of {len(found):,} {what}.")
    return chosen
