"""`Options`: what a simulation is made with besides its program, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from dosim.kernel.chooser import Chooser, Schedule, exploring
from dosim.kernel.durations import duration_us
from dosim.kernel.loop import NO_LIMIT
from dosim.network import Network
from dosim.network.constants import EDGE_ROUTING_US, WORKER_COLD_START_US
from dosim.platform.facts import COMPATIBILITY_DATE, PLATFORMS, Platform

_CONCURRENCY = ("input-gates", "one-at-a-time")
_PORTABILITY = ("warn", "error", "friendly")


@dataclass
class Options:
    """The keyword arguments of `Simulation` by their names; see there. Raises ValueError or TypeError."""

    seed: int | str = 0
    platform: str = "cloudflare"
    concurrency: str = "input-gates"
    compatibility_date: object = COMPATIBILITY_DATE
    compatibility_flags: Sequence[str] = ()
    network: Network | str | None = "earth"
    cold_start: object = None
    kv_consistency: object = None
    portability: str = "warn"
    retention: str = "full"
    show_output: bool = True
    prevent_eviction: Sequence[str] = ()
    schedule: object = None
    chooser: Chooser | None = field(init=False)
    earth: Network | None = field(init=False)
    cold_start_us: int = field(init=False)
    kv_consistency_us: int | None = field(init=False)

    def __post_init__(self) -> None:
        check_seed(self.seed)
        _one_of("platform", self.platform, tuple(PLATFORMS))
        _one_of("concurrency", self.concurrency, _CONCURRENCY)
        _one_of("portability", self.portability, _PORTABILITY)
        self.compatibility_date = _date(self.compatibility_date)
        self.compatibility_flags = _names("compatibility_flags", self.compatibility_flags)
        self.prevent_eviction = _names("prevent_eviction", self.prevent_eviction)
        self.earth = _network(self.network)
        if self.cold_start is not None:
            self.cold_start_us = duration_us(self.cold_start, "cold_start")
        else:
            self.cold_start_us = WORKER_COLD_START_US if self.earth is not None else 0

        self.chooser = _chooser(self.schedule)
        given = self.kv_consistency
        self.kv_consistency_us = None if given is None else duration_us(given, "kv_consistency")

    @property
    def platform_facts(self) -> Platform:
        return PLATFORMS[self.platform]

    @property
    def edge_routing_us(self) -> int:
        return EDGE_ROUTING_US if self.earth is not None else 0

    def check_classes(self, known: Sequence[str]) -> None:
        """Raises ValueError when `prevent_eviction` names a class that is not bound."""
        for name in self.prevent_eviction:
            if name not in known:
                raise ValueError(
                    f"prevent_eviction has {name!r}, which is no bound class: it takes names of classes"
                    f" ({', '.join(known) or 'none is bound'})."
                )


def _chooser(schedule: object) -> Chooser | None:
    """Who decides: by a schedule, or whoever explores now; None: nobody, the plain choices are made."""
    if isinstance(schedule, Chooser):
        return schedule
    if schedule is not None:
        return Chooser(Schedule.of(schedule), most_events=NO_LIMIT)  # as long as a plain run may be
    return exploring[-1] if exploring else None


def check_seed(seed: object) -> None:
    """Raise TypeError for what is no seed."""
    if isinstance(seed, bool) or not isinstance(seed, (int, str)):
        raise TypeError(f"seed={seed!r} is no seed: give a whole number or a text.")


def _one_of(argument: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"{argument}={value!r} is not known: use {' or '.join(map(repr, known))}.")


def _names(argument: str, value: Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise TypeError(f"{argument}={value!r} is one text: give a list, {argument}=[{value!r}].")
    return tuple(value)


def _date(value: object) -> str:
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise ValueError(f"compatibility_date={value!r} is no date: write it as '2026-11-01'.") from None


def _network(value: Network | str | None) -> Network | None:
    if value is None or isinstance(value, Network):
        return value
    if value != "earth":
        raise ValueError(f"network={value!r} is not known: use 'earth', None, or a dosim.network.Network.")
    return Network()
