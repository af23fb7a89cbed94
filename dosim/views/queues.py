"""`queue`: who waits at an object and who is inside, over time, beside queueing theory where a theory applies.

A request waits from its arrival until its code starts (in line, at the input gate, for the thread, for the
constructor), and is inside from then until its handler ends. `Backlog` are the numbers.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from dosim.trace import Trace
from dosim.trace.kinds import ENDS
from dosim.trace.tables import html_table
from dosim.trace.words import counted, rounded
from dosim.views.charts import dress, head_in, legend_above, titled, wrapped, write_head
from dosim.views.figures import check_look, finished, new_figure, theme_of, trace_of
from dosim.views.scales import (
    MOST_POINTS,
    Limits,
    chosen_limits,
    highest_in_windows,
    kept_note,
    percent_text,
    plain_ticks,
    sentences,
    time_ticks,
)
from dosim.views.style import LOOKS, Theme
from dosim.views.theory import MODELS, Theory, mean_wait_us, model_of, variation_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: A curve with more steps is drawn as the highest of so many windows.
_WINDOWS: Final = 600
#: Windows in which utilisation is measured.
_BUSY_WINDOWS: Final = 60


@dataclass(frozen=True, slots=True)
class Visit:
    """One request at an object: when it arrived, when its code started, when that ended; None: not yet, or not kept."""

    request: int
    arrive_us: int | None
    start_us: int | None
    end_us: int | None


class Backlog:
    """What waited at one object and what was inside, over time.

    `steps` are (moment, waiting, inside), of each moment its last state. `last_us` is the trace's last record. note:
    what the trace lacks.
    """

    def __init__(
        self,
        label: str,
        visits: Iterable[Visit],
        last_us: int,
        *,
        service_us: float | None = None,
        model: str | None = None,
        others: int = 0,
        note: str = "",
    ) -> None:
        self.label = label
        self.visits = tuple(visits)
        self.last_us = last_us
        self.others = others
        self.note = note
        self._service_us = service_us
        self._model = model

    def __len__(self) -> int:
        return len(self.visits)

    @cached_property
    def steps(self) -> tuple[tuple[int, int, int], ...]:
        waits: Counter[int] = Counter()
        inside: Counter[int] = Counter()
        for visit in self.visits:
            begins = (visit.arrive_us, visit.start_us if visit.start_us is not None else visit.end_us)
            if begins[0] is not None:
                waits[begins[0]] += 1
                waits[self.last_us if begins[1] is None else begins[1]] -= begins[1] is not None
            if visit.start_us is not None:
                inside[visit.start_us] += 1
                inside[self.last_us if visit.end_us is None else visit.end_us] -= visit.end_us is not None
        found: list[tuple[int, int, int]] = []
        waiting = within = 0
        for at_us in sorted({*waits, *inside}):
            waiting += waits[at_us]
            within += inside[at_us]
            found.append((at_us, waiting, within))
        return tuple(found)

    @property
    def span_us(self) -> tuple[int, int]:
        """From the first arrival to the last change; (0, 0) when nothing came."""
        return (self.steps[0][0], self.steps[-1][0]) if self.steps else (0, 0)

    @cached_property
    def busy_us(self) -> tuple[tuple[int, int], ...]:
        """The stretches in which somebody was inside."""
        found: list[tuple[int, int]] = []
        since: int | None = None
        for at_us, _, inside in self.steps:
            if inside and since is None:
                since = at_us
            elif not inside and since is not None:
                found.append((since, at_us))
                since = None
        if since is not None:
            found.append((since, max(since, self.last_us)))
        return tuple(found)

    @property
    def utilisation(self) -> float:
        """The share of the time from the first arrival to the last change in which somebody was inside."""
        length_us = self.span_us[1] - self.span_us[0]
        busy_us = sum(min(end_us, self.span_us[1]) - start_us for start_us, end_us in self.busy_us)
        return busy_us / length_us if length_us else 0.0

    @cached_property
    def waits_us(self) -> tuple[int, ...]:
        """Each wait from arrival to start, in order of the visits."""
        return tuple(
            visit.start_us - visit.arrive_us
            for visit in self.visits
            if visit.arrive_us is not None and visit.start_us is not None
        )

    @cached_property
    def services_us(self) -> tuple[int, ...]:
        """Each time from start to end."""
        return tuple(
            visit.end_us - visit.start_us
            for visit in self.visits
            if visit.start_us is not None and visit.end_us is not None
        )

    @cached_property
    def gaps_us(self) -> tuple[int, ...]:
        """The times between arrivals."""
        arrivals = sorted(visit.arrive_us for visit in self.visits if visit.arrive_us is not None)
        return tuple(after - before for before, after in pairwise(arrivals))

    @property
    def mean_wait_us(self) -> float | None:
        return sum(self.waits_us) / len(self.waits_us) if self.waits_us else None

    @property
    def service_us(self) -> float | None:
        """The service as given, or the measured mean."""
        if self._service_us is not None:
            return self._service_us
        return sum(self.services_us) / len(self.services_us) if self.services_us else None

    @property
    def arrivals_per_s(self) -> float | None:
        """The measured rate: gaps over their sum; None with less than two arrivals."""
        whole_us = sum(self.gaps_us)
        return len(self.gaps_us) * 1e6 / whole_us if whole_us else None

    @property
    def most_inside(self) -> int:
        return max((inside for _, _, inside in self.steps), default=0)

    @property
    def most_waiting(self) -> int:
        return max((waiting for _, waiting, _ in self.steps), default=0)

    @property
    def offered(self) -> float | None:
        """Arrival rate times service: what the utilisation of one server would be in the long run."""
        if self.arrivals_per_s is None or self.service_us is None:
            return None
        return self.arrivals_per_s * self.service_us / 1e6

    @cached_property
    def _verdict(self) -> tuple[Theory | None, str]:
        """The theory that applies, with why; or None, with why not."""
        if not self.visits:
            return None, "nothing has arrived"
        if self.most_inside > 1:
            return None, f"up to {self.most_inside} requests were inside at once, so it does not serve one at a time"
        if self.offered is None or not self.service_us:
            why = "its code takes no time" if self.service_us == 0 else "too little was measured"
            return None, f"{why}, so there is no utilisation"
        model, why = model_of(self.gaps_us, () if self._service_us is not None else self.services_us)
        if self._model is not None:
            model, why = self._model, "as you chose"
        if self.offered >= 1:
            return None, f"{self.offered:.2f} times as much arrives as can be served, so the line has no steady state"
        if not model:
            return None, why
        given = self._service_us is not None
        variation = 0.0 if given and self._model != "M/G/1" else variation_of(self.services_us)
        return Theory(model, self.offered, self.service_us, variation), why

    @property
    def theory(self) -> Theory | None:
        """The model of `MODELS` that fits what was measured, if its utilisation is below 1; else None."""
        return self._verdict[0]

    @property
    def why(self) -> str:
        """Why that theory applies, or why none does."""
        return self._verdict[1]

    @property
    def limits(self) -> Limits:
        """From the first arrival to the last change, and up to the most that were there at once."""
        most = max((waiting + inside for _, waiting, inside in self.steps), default=1)
        first_us, last_us = self.span_us if self.steps else (0, 1_000_000)
        return Limits("queue", (first_us, max(last_us, first_us + 1)), (0, max(1, most)))

    def __repr__(self) -> str:
        if not self.visits:
            return f"<backlog of {self.label or 'no object'}: nothing arrived>"
        wait = "" if self.mean_wait_us is None else f", mean wait {rounded(self.mean_wait_us)}"
        return (
            f"<backlog of {self.label}: {counted(len(self), 'request')}, at most {self.most_waiting} waiting,"
            f" utilisation {percent_text(self.utilisation)}{wait}>"
        )

    def _repr_html_(self) -> str:
        return html_table(("what", "value"), self._rows(), sentences((f"Who waits at {self.label}.", self.note)))

    def _rows(self) -> list[tuple[str, str]]:
        rate, wait_us, service_us = self.arrivals_per_s, self.mean_wait_us, self.service_us
        theory = f"{self.theory.model}: mean wait {rounded(self.theory.wait_us)}" if self.theory else "none applies"
        return [
            ("requests", f"{len(self):,}"),
            ("arrivals", "" if rate is None else f"{rate:,.3g} per second"),
            ("mean time inside", "" if service_us is None else rounded(service_us)),
            ("utilisation", percent_text(self.utilisation)),
            ("most waiting", f"{self.most_waiting:,}"),
            ("most inside", f"{self.most_inside:,}"),
            ("mean wait", "" if wait_us is None else rounded(wait_us)),
            ("theory", f"{theory} ({self.why})"),
        ]


def read_backlog(
    source: object,
    object_label: str | None = None,
    *,
    service_us: float | None = None,
    model: str | None = None,
    argument: str = "object_label",
) -> Backlog:
    """Who waited at an object and who was inside.

    source: a simulation or a trace. object_label: such as "Counter('demo')" or its name; None: the object at which most
    requests arrived. service_us: what the theory takes for a service, unless measured. model: a model of
    `theory.MODELS`, unless the one that fits. argument: what errors call `object_label`. Raises ValueError or TypeError
    that name the argument and the fix, and ValueError for a trace that keeps nothing.
    """
    trace = trace_of(source)
    if model is not None and model not in MODELS:
        raise ValueError(f"model={model!r} is not known: use one of {', '.join(MODELS)}.")
    if service_us is not None and (isinstance(service_us, bool) or not isinstance(service_us, (int, float))):
        raise TypeError(f"service_us={service_us!r} is no number: give microseconds above 0.")
    if service_us is not None and not service_us > 0:
        raise ValueError(f"service_us={service_us!r} is not possible: give microseconds above 0.")
    note = kept_note(trace)
    found, last_us = _visits(trace)
    counts = {label: len(visits) for label, visits in found.items()}
    if object_label is None:
        label = min(counts, key=lambda label: (-counts[label], label), default="")
    else:
        label = _label(object_label, list(found), argument)
    visits = found.get(label, ())
    return Backlog(
        label,
        visits,
        last_us,
        service_us=service_us,
        model=model,
        others=max(0, len(found) - 1) if object_label is None else 0,
        note=note,
    )


def _label(wanted: str, labels: Sequence[str], argument: str) -> str:
    """The label that is meant: itself, or the only one of an object with this name."""
    if not isinstance(wanted, str):
        raise TypeError(f"{argument}={wanted!r} is no object: give its label or its name. {_labels(labels)}")
    named = [label for label in labels if label.endswith(f"({wanted!r})")]
    if wanted in labels or len(named) == 1:
        return wanted if wanted in labels else named[0]
    raise ValueError(f"{argument}={wanted!r}: nothing arrived there. {_labels(named or labels)}")


def _labels(labels: Sequence[str]) -> str:
    if not labels:
        return "The trace has no object at which anything arrived."
    return f"Give one of {', '.join(labels[:10])}{', …' if len(labels) > 10 else ''}."


def _visits(trace: Trace) -> tuple[dict[str, list[Visit]], int]:
    """Object -> its visits in order of arrival, and the time of the trace's last record."""
    arrived: dict[int, tuple[str, int]] = {}
    started: dict[int, tuple[str, int]] = {}
    found: dict[str, list[Visit]] = {}
    last_us = 0
    for t_us, _, kind, actor, request, _, _ in trace.raw:
        last_us = max(last_us, t_us)
        if kind == "arrive" and _is_object(actor):
            arrived[request] = (actor, t_us)
        elif kind == "start" and _is_object(actor):
            started[request] = (actor, t_us)
        elif kind in ENDS and _is_object(actor):
            came, began = arrived.pop(request, None), started.pop(request, None)
            if came is not None or began is not None:
                found.setdefault(actor, []).append(
                    Visit(request, came[1] if came else None, began[1] if began else None, t_us)
                )
    for request in sorted({*arrived, *started}):
        came, began = arrived.get(request), started.get(request)
        label = (came or began or ("", 0))[0]
        found.setdefault(label, []).append(Visit(request, came[1] if came else None, began[1] if began else None, None))
    for visits in found.values():
        visits.sort(key=_order)
    return dict(sorted(found.items(), key=lambda item: _order(item[1][0]))), last_us


@lru_cache(maxsize=65_536)
def _is_object(label: str) -> bool:
    """Whether a label is an object's, as Counter('a'), and not a Worker's, a service's or an address."""
    return label.endswith(")") and label.partition("(")[0].isidentifier()


def _order(visit: Visit) -> tuple[int, int]:
    moments = (visit.arrive_us, visit.start_us, visit.end_us)
    return next(us for us in moments if us is not None), visit.request


# -- the picture


def queue(
    source: object,
    object_label: str | None = None,
    *,
    service_us: float | None = None,
    model: str | None = None,
    limits: object = None,
    width: float = 11.0,
    dark: bool = False,
    title: str = "",
) -> Figure:
    """A Figure of one object's line: how many wait and are inside, utilisation, and the mean wait beside theory.

    source: a simulation, a trace, or a `Backlog`. object_label, service_us, model: as in `read_backlog`. limits: as in
    `chosen_limits`. width: inches. Raises ValueError that names the argument and the fix.
    """
    check_look(width, "queue", 7, title=title, dark=dark)
    data = backlog_of(source, object_label, service_us, model)
    return _Picture(data, chosen_limits(limits, data.limits), theme_of(dark)).drawn(width, dark, title)


def backlog_of(source: object, object_label: str | None, service_us: float | None, model: str | None) -> Backlog:
    """The backlog to draw: as given, or read. Raises as `read_backlog`, and ValueError for options of a given one."""
    if not isinstance(source, Backlog):
        return read_backlog(source, object_label, service_us=service_us, model=model)
    if (object_label, service_us, model) != (None, None, None):
        raise ValueError(
            "object_label, service_us, model: the backlog has its own; give them to read_backlog(source, …)."
        )
    return source


class _Picture:
    """One figure of a backlog while it is drawn."""

    def __init__(self, data: Backlog, limits: Limits, theme: Theme) -> None:
        self.data = data
        self.limits = limits
        self.theme = theme
        self.window_us = 0
        self.steps: Sequence[tuple[int, int, int]] = data.steps
        if len(self.steps) > MOST_POINTS:
            self.steps, self.window_us = highest_in_windows(data.steps, _WINDOWS)

    def drawn(self, width: float, dark: bool, title: str) -> Figure:
        heading = title or (f"Who waits at {self.data.label}" if self.data.label else "Who waits")
        lines = wrapped(self._says(), width)
        body_in = 3.75
        height = head_in(heading, lines, width) + body_in
        figure = new_figure(width, height, dark=dark, what="queue")
        write_head(figure, heading, lines, self.theme)
        left, split = 0.55 / width, 0.66
        depth = figure.add_axes((left, 1.9 / height, split - left, 1.5 / height))
        busy = figure.add_axes((left, 0.45 / height, split - left, 0.75 / height), sharex=depth)
        beside = figure.add_axes((split + 0.75 / width, 0.45 / height, 1 - split - 1.05 / width, 2.95 / height))
        for axes in (depth, busy, beside):
            dress(axes, self.theme)
        self._depth(depth)
        self._utilisation(busy)
        self._theory(beside)
        figure.limits = self.limits
        return finished(figure, "\n".join([f"{heading}.", *self._alt()]))

    def _moments(self, axes: Any) -> None:
        axes.set_xlim(*self.limits.x)
        ticks = time_ticks(*self.limits.x, most=7)
        axes.set_xticks([at for at, _ in ticks], [words for _, words in ticks])

    def _depth(self, axes: Any) -> None:
        titled(axes, "Requests at the object", self.theme)
        self._moments(axes)
        low, high = self.limits.y
        axes.set_ylim(low, high * 1.06)
        whole = [at for at in plain_ticks(high) if at == int(at)]
        axes.set_yticks(whole, [f"{at:.0f}" for at in whole])
        if not self.steps:
            return
        end = max(self.limits.x[1], self.steps[-1][0])
        x = [step[0] for step in self.steps] + [end]
        inside = [step[2] for step in self.steps] + [self.steps[-1][2]]
        both = [step[1] + step[2] for step in self.steps] + [self.steps[-1][1] + self.steps[-1][2]]
        within, queued = LOOKS["awaiting"], LOOKS["queued"]
        style = {"step": "post", "edgecolor": self.theme.paper, "linewidth": 0.0}
        axes.fill_between(x, inside, both, facecolor=queued.colour, hatch=queued.hatch, label="waiting", **style)
        axes.fill_between(x, 0, inside, facecolor=within.colour, hatch=within.hatch, label="inside", **style)
        if not self.window_us:
            axes.step(x, both, where="post", color=self.theme.ink, linewidth=0.8)
        legend_above(axes, self.theme)

    def _utilisation(self, axes: Any) -> None:
        titled(axes, "Utilisation: share of the time in which somebody is inside", self.theme)
        self._moments(axes)
        axes.set_ylim(0, 1.06)
        axes.set_yticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
        bars = busy_shares(self.data, _BUSY_WINDOWS)
        for start_us, length_us, share in bars:
            axes.bar(start_us, share, width=length_us, align="edge", color=LOOKS["running"].colour, linewidth=0)
        if self.data.steps:
            axes.axhline(self.data.utilisation, color=self.theme.ink, linewidth=1, linestyle="--")

    def _theory(self, axes: Any) -> None:
        theory, wait_us, offered = self.data.theory, self.data.mean_wait_us, self.data.offered
        titled(axes, "Mean wait beside theory" if theory else "No theory applies", self.theme)
        if theory is None or offered is None or wait_us is None:
            axes.set_xticks([])
            axes.set_yticks([])
            for side in ("bottom", "left"):
                axes.spines[side].set_visible(False)
            style = {"va": "top", "fontsize": 9, "color": self.theme.ink, "transform": axes.transAxes}
            axes.text(0, 0.97, _wrapped(f"{self.data.why[:1].upper()}{self.data.why[1:]}."), **style)
            if wait_us is not None:
                axes.text(0, 0.76, f"Measured mean wait: {rounded(wait_us)}", **style)
            return
        shares = [k / 200 for k in range(197)]
        curve = [mean_wait_us(theory.model, theory.service_us, share, theory.variation) for share in shares]
        top = max(4 * wait_us, 4 * theory.wait_us, 2 * theory.service_us)
        axes.plot(shares, curve, color=LOOKS["running"].colour, linewidth=1.8, label=f"{theory.model} in general")
        axes.plot(
            offered,
            theory.wait_us,
            marker="s",
            color=LOOKS["running"].colour,
            markersize=8,
            linestyle="",
            label=f"{theory.model} here: {rounded(theory.wait_us)}",
        )
        axes.plot(
            offered,
            wait_us,
            marker="o",
            color=LOOKS["gate"].colour,
            markersize=7,
            linestyle="",
            label=f"measured: {rounded(wait_us)}",
            zorder=5,
        )
        axes.set_xlim(0, 1)
        axes.set_ylim(0, top)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
        axes.set_xlabel("utilisation", color=self.theme.ink, fontsize=8.5, labelpad=2)
        ticks = time_ticks(0, top, most=6)
        axes.set_yticks([at for at, _ in ticks], [words for _, words in ticks])
        axes.legend(
            loc="upper left", facecolor=self.theme.paper, edgecolor="none", fontsize=8.5, labelcolor=self.theme.ink
        )

    # -- words

    def _says(self) -> list[str]:
        """The two lines below the heading."""
        data = self.data
        if not data.visits:
            return [sentences(("Nothing has arrived at an object.", data.note))]
        others = f"{counted(data.others, 'other object')} not drawn." if data.others else ""
        windows = (
            f"Drawn as the highest of each {rounded(self.window_us)}: {len(data.steps):,} changes do not fit."
            if self.window_us
            else ""
        )
        first = sentences((_counts(data), others, data.note))
        return [line for line in (first, _theory_told(data), windows) if line]

    def _alt(self) -> list[str]:
        data = self.data
        lines = self._says()
        if data.visits:
            lines.append(
                f"At most {data.most_waiting:,} waited and at most {data.most_inside:,} were inside at once;"
                f" somebody was inside {percent_text(data.utilisation)} of the time."
            )
        return lines


def busy_shares(data: Backlog, windows: int) -> list[tuple[float, float, float]]:
    """(from, length, share of it in which somebody was inside) of so many windows, microseconds."""
    first_us, last_us = data.span_us
    size = (last_us - first_us) / windows
    if not size:
        return []
    busy = [0.0] * windows
    for start_us, end_us in data.busy_us:
        at = int((start_us - first_us) / size)
        while at < windows and first_us + at * size < end_us:
            low = first_us + at * size
            busy[at] += max(0.0, min(end_us, low + size) - max(start_us, low))
            at += 1
    return [(first_us + at * size, size, share / size) for at, share in enumerate(busy)]


def _counts(data: Backlog) -> str:
    per_s = data.arrivals_per_s
    rate = "" if per_s is None else f", {per_s:,.0f} a second" if per_s >= 100 else f", {per_s:,.3g} a second"
    service_us = data.service_us
    inside = "" if service_us is None else f"; {rounded(service_us)} inside in the mean"
    return f"{counted(len(data), 'request')}{rate}{inside}."


def _theory_told(data: Backlog) -> str:
    """Which theory was used, or why none."""
    if data.theory is None:
        return f"No theory applies: {data.why}."
    measured = "" if data.mean_wait_us is None else f" {rounded(data.mean_wait_us)} was measured."
    return (
        f"{data.theory.model} says a mean wait of {rounded(data.theory.wait_us)} at utilisation"
        f" {percent_text(data.theory.utilisation)} ({data.why});{measured}"
    )


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 38))
