"""`Views`: a simulation's pictures, each of which a trace alone can draw too (`dosim.views`)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dosim.bindings.namespace import Stub
from dosim.kernel.durations import instant_us
from dosim.platform.facts import EPOCH_MS

if TYPE_CHECKING:
    from dosim.simulation.objects import Objects
    from dosim.trace import Trace
    from dosim.views.player import Player


class Views:
    """What a simulation shows. Figures are matplotlib's; `figure.alt` says in words what they show.

    `start` and `end` are a stretch counted from the simulation's start ("1500ms", "2h", or `sim.now`); `width` is in
    inches; `dark` is for dark paper; `title` the line above. They raise ValueError or TypeError that name the argument
    and the fix.
    """

    if TYPE_CHECKING:
        objects: Objects

        @property
        def trace(self) -> Trace: ...

        def fork(self, at: object = None) -> Any: ...

    def timeline(
        self,
        *,
        requests: Iterable[object] | None = None,
        start: object = None,
        end: object = None,
        width: float = 11.0,
        dark: bool = False,
        title: str = "",
    ) -> Any:
        """Requests and objects in lanes over time.

        requests: numbers of the trace, or what `client.fetch()` returned; all of them (the first 60) unless told.
        start, end: unless told, from the first request shown to a little after the end of the last.
        """
        from dosim.views import timeline

        stretch = _stretch(start, end)
        return timeline(self.trace, requests=requests, **stretch, width=width, dark=dark, title=title)

    def map(
        self,
        *,
        region: Any = None,
        at: object = None,
        start: object = None,
        end: object = None,
        width: float = 11.0,
        dark: bool = False,
        title: str = "",
    ) -> Any:
        """The world with the backbone, the colos and objects in use, and the messages between them.

        region: "world", "fit" (what is used), or degrees (west, south, east, north). at: one moment, not a stretch.
        """
        from dosim.views import world_map

        if at is not None and (start is not None or end is not None):
            raise ValueError("at is one moment, start and end are a stretch: give one or the other.")
        at_us = None if at is None else _since_start_us(at, "at")
        stretch = _stretch(start, end)
        return world_map(self.trace, region=region, at_us=at_us, **stretch, width=width, dark=dark, title=title)

    def latency(
        self,
        *,
        by: str | None = None,
        requests: Iterable[object] | None = None,
        log: bool = True,
        limits: object = None,
        width: float = 11.0,
        dark: bool = False,
        title: str = "",
    ) -> Any:
        """How long requests from outside took: the share answered by then, p50 to p99.9, by segment and by city.

        by: "segment" or "city" alone. limits: an earlier figure, for the same axes.
        """
        from dosim.views import latency

        options: dict[str, Any] = {"width": width, "dark": dark, "title": title}
        return latency(self.trace, by=by, requests=requests, log=log, limits=limits, **options)

    def queue(
        self,
        obj: object = None,
        *,
        service: object = None,
        model: str | None = None,
        limits: object = None,
        width: float = 11.0,
        dark: bool = False,
        title: str = "",
    ) -> Any:
        """One object's line over time: who waits, who is inside, utilisation, and the wait beside theory.

        obj: one of `sim.objects`, its label, name or stub; the busiest unless told. service: what the theory takes for
        a service, such as "5ms"; measured unless told. model: "M/D/1", "M/M/1" or "D/D/1", unless the one that fits.
        """
        from dosim.kernel.durations import duration_us
        from dosim.views import queue, read_backlog

        label: Any = self.objects.label(obj) if isinstance(obj, Stub) else getattr(obj, "label", obj)
        service_us = None if service is None else duration_us(service, "service")
        if service_us == 0:
            raise ValueError(f"service={service!r} is no service to queue for: give more than 0, such as '5ms'.")
        backlog = read_backlog(self.trace, label, service_us=service_us, model=model, argument="obj")
        return queue(backlog, limits=limits, width=width, dark=dark, title=title)

    def lives(
        self,
        *,
        objects: Iterable[object] | None = None,
        start: object = None,
        end: object = None,
        width: float = 11.0,
        dark: bool = False,
        title: str = "",
    ) -> Any:
        """Every object's states over time, its instances, and what it keeps: a whiteboard (memory), drawers (storage).

        objects: those of `sim.objects` to show, or their labels or names; the first 16 unless told.
        """
        from dosim.views import lives

        return lives(self.trace, objects=objects, **_stretch(start, end), width=width, dark=dark, title=title)

    def spacetime(
        self,
        *,
        clocks: bool = False,
        requests: Iterable[object] | None = None,
        start: object = None,
        end: object = None,
        to_scale: bool = False,
        width: float = 11.0,
        dark: bool = False,
        title: str = "",
    ) -> Any:
        """Messages between clients, Workers and objects as arrows in time; `clocks` adds their vector clocks.

        requests: as in `timeline`. to_scale: time runs evenly; unless told, from event to event.
        """
        from dosim.views import spacetime

        options: dict[str, Any] = {"to_scale": to_scale, "width": width, "dark": dark, "title": title}
        options.update(_stretch(start, end))
        return spacetime(self.trace, clocks=clocks, requests=requests, **options)

    def costs(
        self,
        *,
        plan: str = "paid",
        prices: object = None,
        limits: object = None,
        width: float = 11.0,
        dark: bool = False,
        title: str = "",
    ) -> Any:
        """What the run cost over time, by line of the bill, and who held objects in memory; `sim.bill()` is the sum."""
        from dosim.views import costs

        options: dict[str, Any] = {"limits": limits, "width": width, "dark": dark, "title": title}
        return costs(self.trace, plan=plan, prices=prices, **options)

    def player(self, *, title: str = "", dark: bool | None = None) -> Player:
        """The run so far, to play, step and scrub: shows itself in a notebook; `.save("run.html")`, `.widget()`.

        The widget's fork button makes `sim.fork(at=...)` where the playhead stands, and keeps it in `.forks`.
        """
        from dosim.views.player import player

        return player(self.trace, title=title, dark=dark, fork=self._forked_at)

    def _forked_at(self, at_us: int) -> object:
        return self.fork(at=timedelta(microseconds=at_us))

    def export(self, path: str | Path, format: str | None = None) -> None:  # noqa: A002 (as in other savers)
        """Write the trace for other tools: Perfetto, ShiViz, Mermaid, OTLP, JSON lines; see `dosim.export`.

        format: by the file's name unless told. Raises ValueError for an unknown one, OSError that names the path.
        """
        from dosim.export import save

        save(self.trace, path, format)


def _since_start_us(value: object, argument: str) -> int:
    """A moment of the run, microseconds from its start. Raises ValueError for a date before it."""
    at_us = instant_us(value, argument, EPOCH_MS)
    if at_us < 0:
        raise ValueError(f"{argument}={value!r} is before the simulation's start: give a moment from then on.")
    return at_us


def _stretch(start: object, end: object) -> dict[str, int | None]:
    """The stretch to show, microseconds from the simulation's start; None: unless told."""
    start_us = None if start is None else _since_start_us(start, "start")
    end_us = None if end is None else _since_start_us(end, "end")
    if end_us is not None and end_us <= (start_us or 0):
        after = "start" if start_us else "the simulation's start"
        raise ValueError(f"end={end!r} is not after {after}: give a later moment, from the simulation's start.")
    return {"start_us": start_us, "end_us": end_us}
