"""`latency`: how long requests from outside took: their distribution, by what they waited for, and by city.

`Latencies` are the numbers; percentiles are exact: the nearest rank among all answered requests.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import floor, log10
from typing import TYPE_CHECKING, Any, Final

from dosim.trace import Trace, segments
from dosim.trace.kinds import ANSWERS, ONE_WAY
from dosim.trace.parts import PARTS, part_of
from dosim.trace.segments import by_request
from dosim.trace.tables import html_table
from dosim.trace.words import counted, exact, rounded
from dosim.views.charts import dress, head_in, ink_of, legend_above, patch, titled, wrapped, write_head, write_on_bar
from dosim.views.figures import check_look, checked_requests, finished, new_figure, theme_of, trace_of
from dosim.views.scales import MOST_POINTS, Limits, kept_note, limits_of_time, log_ticks, sentences, thinned, time_ticks
from dosim.views.style import LOOKS, Look, Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The percentiles that are marked, with their marker and colour.
MARKED: Final[dict[str, tuple[str, str]]] = {
    "50": ("o", "#0072B2"),
    "90": ("s", "#009E73"),
    "99": ("^", "#E69F00"),
    "99.9": ("D", "#D55E00"),
}
#: How the parts of a latency are drawn: as in the timeline.
PART_LOOKS: Final[dict[str, str]] = {
    "travelling": "travelling",
    "starting": "starting",
    "waiting in line": "queued",
    "waiting at the input gate": "gate",
    "running": "running",
    "in services": "service",
    "awaiting": "awaiting",
    "in the output gate": "output gate",
    "waiting for what was lost": "lost",
}
#: So many requests at most are cut into their parts; of more, evenly chosen ones.
MOST_CUT: Final = 10_000
#: More cities than this do not fit a picture that can be read.
MOST_CITIES: Final = 20
#: Groups of requests by rank, slowest share of all, and how many requests it takes for one to be told.
_GROUPS: Final = (
    ("all", Fraction(1), 1),
    ("slowest half", Fraction(1, 2), 4),
    ("slowest 10 %", Fraction(1, 10), 20),
    ("slowest 1 %", Fraction(1, 100), 200),
)
_BY: Final = (None, "city", "segment")


@dataclass(frozen=True, slots=True)
class Latency:
    """One answered request from outside: its number, the city it came from ("" for a call), and how long it took."""

    request: int
    city: str
    latency_us: int


@dataclass(frozen=True, slots=True)
class Group:
    """Mean microseconds by part of `PARTS` of some requests: all, or the slowest; the parts sum to the mean latency."""

    name: str
    requests: int
    parts_us: Mapping[str, float]


class Latencies:
    """How long requests took, microseconds. `samples` are in order of their answers.

    open: requests that had no answer yet. cut: answers whose sending is no longer kept. note: what the trace lacks.
    """

    def __init__(
        self,
        samples: Iterable[Latency],
        *,
        open_requests: int = 0,
        cut: int = 0,
        note: str = "",
        trace: Trace | None = None,
    ) -> None:
        self.samples = tuple(samples)
        self.open = open_requests
        self.cut = cut
        self.note = note
        self._trace = trace

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def values_us(self) -> tuple[int, ...]:
        """Every latency, the shortest first."""
        return tuple(sorted(sample.latency_us for sample in self.samples))

    def percentile_us(self, percent: float | str) -> int | None:
        """The nearest rank: the least latency that so many percent of the requests do not exceed; None without any.

        Raises ValueError outside of 0 to 100.
        """
        share = Fraction(str(percent))
        if not 0 <= share <= 100:
            raise ValueError(f"percent={percent!r} is none: give a number from 0 to 100.")
        count = len(self.values_us)
        return self.values_us[max(0, -(-share * count // 100) - 1)] if count else None

    @property
    def mean_us(self) -> float | None:
        """The mean; None without any answer."""
        return sum(self.values_us) / len(self.values_us) if self.values_us else None

    @cached_property
    def by_city(self) -> dict[str, Latencies]:
        """City -> the latencies of its requests; the city with the shortest median first."""
        found: dict[str, list[Latency]] = defaultdict(list)
        for sample in self.samples:
            found[sample.city or "no city"].append(sample)
        cities = {city: Latencies(samples) for city, samples in found.items()}
        return dict(sorted(cities.items(), key=lambda item: (item[1].percentile_us(50) or 0, item[0])))

    @cached_property
    def by_part(self) -> dict[str, Latencies]:
        """Part of `PARTS` -> how long each request spent in it, 0 if not at all; parts that none had are left out.

        So a part's p99 is what 99 % of all requests did not exceed; those of the parts do not add up to the whole's. Of
        many requests, of `MOST_CUT` chosen evenly.
        """
        parts = {
            part: Latencies(Latency(sample.request, sample.city, parts_us[part]) for sample, parts_us in self._cut)
            for part in PARTS
        }
        return {part: times for part, times in parts.items() if times.samples and times.values_us[-1]}

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """What all requests and the slowest waited for: mean of each part. Of many, of `MOST_CUT` chosen evenly."""
        return tuple(_grouped([parts_us for _, parts_us in self._cut]))

    @cached_property
    def _cut(self) -> list[tuple[Latency, dict[str, int]]]:
        """Requests with their parts, the slowest first."""
        if self._trace is None:
            return []
        index = by_request(self._trace)
        chosen = [self.samples[at] for at in thinned(len(self.samples), MOST_CUT)]
        ranked = sorted(chosen, key=lambda sample: (-sample.latency_us, sample.request))
        return [(sample, _parts_us(self._trace, sample.request, index)) for sample in ranked]

    @property
    def limits(self) -> Limits:
        """The axes that hold these: from a little below the shortest latency to a little above the longest."""
        if not self.values_us:
            return Limits("latency", (1_000, 1_000_000), (0, 1))
        low, high = max(1, self.values_us[0]), max(1, self.values_us[-1])
        room = 1.25 if high > 2 * low else 2.5
        return Limits("latency", (low / room, high * room), (0, 1))

    def __repr__(self) -> str:
        told = ", ".join(f"p{name} {exact(us)}" for name, us in self.marked_us.items())
        return f"<latencies of {counted(len(self), 'request')}{': ' + told if told else ''}>"

    @property
    def marked_us(self) -> dict[str, int]:
        """The percentiles that pictures mark: "50", "90", "99" and "99.9"; none without any answer."""
        found = ((name, self.percentile_us(name)) for name in MARKED)
        return {name: us for name, us in found if us is not None}

    def _repr_html_(self) -> str:
        times = ("requests", *(f"p{name}" for name in MARKED), "longest")
        shown = {"everywhere": self, **self.by_city} if self.samples else {}
        rows = [_row(name, each, len(each)) for name, each in shown.items()]
        whole = html_table(("from", *times), rows, sentences((_counts(self), self.note)))
        if not self.by_part:
            return whole
        rows = [_row(part, each, _spent_some(each)) for part, each in self.by_part.items()]
        told = sentences(("Of that, in each part; the parts' percentiles do not add up.", _sampled(self)))
        return whole + html_table(("part", *times), rows, told)


def _row(name: str, latencies: Latencies, count: int) -> tuple[str, ...]:
    times = (*latencies.marked_us.values(), latencies.values_us[-1])
    return (name, f"{count:,}", *map(exact, times))


def _spent_some(part: Latencies) -> int:
    """How many requests spent any time in a part."""
    return len(part) - bisect_right(part.values_us, 0)


def _parts_us(trace: Trace, request: int, index: Mapping[int, list[Any]]) -> dict[str, int]:
    parts = dict.fromkeys(PARTS, 0)
    for segment in segments(trace, request, index=index):
        parts[part_of(segment.state)] += segment.duration_us
    return parts


def _grouped(ranked: Sequence[Mapping[str, int]]) -> Iterator[Group]:
    """The groups that have enough requests, of parts by rank, the slowest request first."""
    for name, share, least in _GROUPS:
        if len(ranked) >= least:
            few = ranked[: max(1, int(len(ranked) * share))]
            means = {part: sum(parts[part] for parts in few) / len(few) for part in PARTS}
            yield Group(name, len(few), {part: us for part, us in means.items() if us})


def read_latencies(source: object, requests: Iterable[object] | None = None) -> Latencies:
    """How long the requests from outside took: clients' requests, and calls that your own coroutine made.

    source: a simulation or a trace. requests: numbers, or what `client.fetch()` returned; None: all. Alarms and other
    events, for which nobody waits, are none. Raises ValueError for a request that is not there, and for a trace that
    keeps nothing.
    """
    trace = trace_of(source)
    note = kept_note(trace)
    sent: dict[int, tuple[int, str]] = {}
    samples: list[Latency] = []
    cut = 0
    for t_us, _, kind, actor, request, _, detail in trace.raw:
        if kind == "send":
            sent[request] = (t_us, str(detail[2] or actor))
        elif kind == "call":
            if not detail[0] and detail[1] not in ONE_WAY:
                sent[request] = (t_us, "")
        elif kind in ANSWERS:
            known = sent.pop(request, None)
            if known is not None:
                samples.append(Latency(request, known[1], t_us - known[0]))
            elif kind != "result":
                cut += 1
    left = set(sent)
    if requests is not None:
        wanted = _numbers(requests, {sample.request for sample in samples} | left, note)
        samples = [sample for sample in samples if sample.request in wanted]
        left &= wanted
    return Latencies(samples, open_requests=len(left), cut=cut, note=note, trace=trace)


def _numbers(requests: Iterable[object], known: set[int], note: str) -> set[int]:
    wanted: set[int] = set()
    for each in checked_requests(requests) or ():
        number = getattr(each, "request", each)
        if not isinstance(number, int) or number not in known:
            has = sentences((f"it has {counted(len(known), 'request')} from outside.", note))
            raise ValueError(f"requests: {each!r} is no request from outside of this trace; {has}")
        wanted.add(number)
    return wanted


# -- the picture


def latency(
    source: object,
    *,
    by: str | None = None,
    requests: Iterable[object] | None = None,
    log: bool = True,
    limits: object = None,
    width: float = 11.0,
    dark: bool = False,
    title: str = "",
) -> Figure:
    """A Figure of how long requests from outside took: the share answered by then, with p50, p90, p99 and p99.9.

    source: a simulation, a trace, or `Latencies`. by: "segment" draws what they waited for alone, the means and the
    percentiles of each part, "city" the percentiles of each city alone, None all. requests: as in `read_latencies`.
    log: a logarithmic axis of time. limits: as in `chosen_limits`. width: inches. Raises ValueError that names the
    argument and the fix.
    """
    check_look(width, "latency", 5, title=title, dark=dark, log=log)
    if by not in _BY:
        raise ValueError(f'by={by!r} is not known: use "city", "segment" or None for both and the distribution.')
    data = source if isinstance(source, Latencies) else read_latencies(source, requests)
    if data is source and requests is not None:
        raise ValueError("requests: the latencies are chosen already; give them to read_latencies(source, requests).")
    within = limits_of_time(limits, data.limits, log=log)
    picture = _Picture(data, within, log, theme_of(dark), fixed=limits is not None)
    return picture.drawn(by, width, dark, title)


class _Picture:
    """One figure of latencies while it is drawn."""

    def __init__(self, data: Latencies, limits: Limits, log: bool, theme: Theme, *, fixed: bool) -> None:
        self.data = data
        self.fixed = fixed
        self.limits = limits
        self.log = log
        self.theme = theme

    def drawn(self, by: str | None, width: float, dark: bool, title: str) -> Figure:
        panels = [
            (height, draw)
            for name, height, draw in (
                (None, 2.2, self._distribution),
                ("segment", 0.34 * max(1, len(self._groups())), self._segments),
                *([("segment", 0.26 * len(self.data.by_part), self._parts)] if self._has_parts(by) else []),
                ("city", 0.26 * max(1, self._city_rows), self._cities),
            )
            if by == name or (by is None and self.data.samples)
        ]
        heading, lines = title or "How long requests took", wrapped([self._says(by)], width)
        height = head_in(heading, lines, width) + sum(body + self._between(draw, width) for body, draw in panels)
        figure = new_figure(width, height, dark=dark, what="latency")
        write_head(figure, heading, lines, self.theme)
        left = min(0.3, (0.3 + 0.078 * self._longest_label(by)) / width)
        y_in = height - head_in(heading, lines, width)
        for body, draw in panels:
            y_in -= 0.28 + body
            axes = figure.add_axes((left, y_in / height, 1 - left - 0.25 / width, body / height))
            dress(axes, self.theme, grid="x", left=False)
            if self.data.samples:
                draw(axes)
            else:
                self._nothing(axes)
            y_in -= self._between(draw, width) - 0.28
        figure.limits = self.limits
        return finished(figure, self._alt(by, heading))

    def _between(self, draw: Any, width: float) -> float:
        """Inches of a panel besides its body: its title, ticks and legend."""
        return 0.28 + (0.44 + 0.2 * self._legend_rows(width) if draw == self._segments else 0.42)

    def _legend_rows(self, width: float) -> int:
        """Rows that the legend of the parts takes."""
        parts = {part for group in self._groups() for part in group.parts_us}
        return max(1, -(-len(parts) // _legend_columns(width)))

    def _groups(self) -> tuple[Group, ...]:
        return self.data.groups

    def _has_parts(self, by: str | None) -> bool:
        return by != "city" and bool(self.data.by_part)

    @property
    def _city_rows(self) -> int:
        return min(MOST_CITIES, len(self.data.by_city))

    def _longest_label(self, by: str | None) -> int:
        labels = [] if by == "city" else [_group_label(group) for group in self._groups()]
        labels += list(self.data.by_part) if self._has_parts(by) else []
        labels += [] if by == "segment" else [_city_label(*item) for item in self._shown_cities()]
        return max(map(len, labels), default=4)

    def _shown_cities(self) -> list[tuple[str, Latencies]]:
        return list(self.data.by_city.items())[:MOST_CITIES]

    def _time_axis(self, axes: Any) -> None:
        low, high = self.limits.x
        if self.log:
            axes.set_xscale("log")
        axes.set_xlim(low, high)
        ticks = log_ticks(low, high) if self.log else time_ticks(low, high)
        axes.set_xticks([at for at, _ in ticks], [words for _, words in ticks], minor=False)
        axes.set_xticks([], minor=True)

    def _nothing(self, axes: Any) -> None:
        """An empty panel."""
        axes.set_xticks([])
        axes.set_yticks([])
        style = {"ha": "center", "va": "center", "color": self.theme.ink, "transform": axes.transAxes}
        axes.text(0.5, 0.5, "Nothing has been answered yet", **style)

    def _distribution(self, axes: Any) -> None:
        values = self.data.values_us
        titled(axes, "Share of requests answered by then", self.theme)
        self._time_axis(axes)
        chosen = self._chosen()
        x = [self.limits.x[0], *(max(values[at], self.limits.x[0]) for at in chosen), self.limits.x[1]]
        y = [0.0, *((at + 1) / len(values) for at in chosen), 1.0]
        axes.step(x, y, where="post", color=self.theme.ink, linewidth=1.6)
        axes.set_ylim(*_margin(self.limits.y))
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
        for name, us in self.data.marked_us.items():
            marker, colour = MARKED[name]
            share = float(Fraction(name)) / 100
            axes.vlines(us, 0, share, color=colour, linewidth=1, linestyle=":")
            label = f"p{name}  {rounded(us)}"
            axes.plot(
                us, share, marker=marker, color=colour, markersize=7, linestyle="", label=label, zorder=4, clip_on=False
            )
        axes.legend(
            loc="upper left" if self._room_on_the_left() else "lower right",
            facecolor=self.theme.paper,
            edgecolor="none",
            fontsize=9,
            labelcolor=self.theme.ink,
        )

    def _room_on_the_left(self) -> bool:
        """Whether few were answered in the first third of the axis."""
        low, high = self.limits.x
        third = low * (high / low) ** 0.35 if self.log else low + (high - low) * 0.35
        return bisect_right(self.data.values_us, third) < 0.45 * len(self.data)

    def _segments(self, axes: Any) -> None:
        groups = self._groups()
        titled(axes, "What they waited for: mean of each part", self.theme)
        names = [part for part in PARTS if any(part in group.parts_us for group in groups)]
        longest = max((sum(group.parts_us.values()) for group in groups), default=1.0)
        for at, group in enumerate(groups):
            x = 0.0
            for part in names:
                us = group.parts_us.get(part, 0.0)
                look = LOOKS[PART_LOOKS[part]]
                if us:
                    self._stretch(axes, at, x, us, look)
                    if us > 0.09 * longest:
                        write_on_bar(axes, x + us / 2, at, rounded(us), 7.5)
                x += us
            axes.text(x + longest * 0.008, at, rounded(x), va="center", fontsize=8.5, color=self.theme.ink)
        longest = self.limits.x[1] / 1.09 if self.fixed else longest or 1
        axes.set_xlim(0, longest * 1.09)
        axes.set_ylim(max(1, len(groups)) - 0.5, -0.5)
        axes.set_yticks(range(len(groups)), [_group_label(group) for group in groups])
        ticks = time_ticks(0, longest)
        axes.set_xticks([at for at, _ in ticks], [words for _, words in ticks])
        handles = [patch(LOOKS[PART_LOOKS[part]], part, self.theme) for part in names]
        axes.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(0, 0, 1, -0.24 / (0.34 * max(1, len(groups)))),
            ncols=_legend_columns(axes.figure.get_size_inches()[0]),
            frameon=False,
            fontsize=8.5,
            labelcolor=self.theme.ink,
            borderaxespad=0,
            columnspacing=1.2,
        )

    def _stretch(self, axes: Any, at: int, x: float, us: float, look: Look) -> None:
        colour = ink_of(look, self.theme)
        axes.barh(
            at, us, left=x, height=0.66, color=colour, hatch=look.hatch, edgecolor=self.theme.paper, linewidth=0.4
        )

    def _parts(self, axes: Any) -> None:
        """The percentiles of each part; what is below the axis, as no time at all, stands at its beginning."""
        parts = self.data.by_part
        titled(axes, "By part", self.theme)
        marks = [each.marked_us for each in parts.values()]
        low, high = 0.0, self.limits.x[1]
        if self.log:
            least = min(us for each in marks for us in (*each.values(), high) if us)
            low = self.limits.x[0] if self.fixed else min(self.limits.x[0], _rounded_down(least / 2))
            axes.set_xscale("log")
        axes.set_xlim(low, high)
        ticks: list[tuple[float, str]] = [*time_ticks(0, high)]
        if self.log:
            beside = (high / low) ** (0.8 / (axes.get_position().width * axes.figure.get_size_inches()[0]))
            ticks = [(low, f"≤ {rounded(low)}"), *log_ticks(low * beside, high)]
        axes.set_xticks([at for at, _ in ticks], [words for _, words in ticks], minor=False)
        axes.set_xticks([], minor=True)
        self._strips(axes, [{name: max(us, low) for name, us in each.items()} for each in marks], list(parts))

    def _strips(self, axes: Any, rows: Sequence[Mapping[str, float]], labels: Sequence[str]) -> None:
        """A row of markers for each; those on the edge of the axis are whole, those beyond are not there."""
        low, high = axes.get_xlim()
        for at, marks in enumerate(rows):
            axes.hlines(at, marks["50"], marks["99.9"], color=self.theme.faint, linewidth=4, zorder=2)
            for name, us in reversed(tuple(marks.items())):
                marker, colour = MARKED[name]
                style = {"markersize": 6, "linestyle": "", "zorder": 3, "clip_on": not low <= us <= high}
                axes.plot(us, at, marker=marker, color=colour, **style)
        axes.set_ylim(max(1, len(rows)) - 0.5, -0.5)
        axes.set_yticks(range(len(rows)), labels)
        self._marker_legend(axes)

    def _cities(self, axes: Any) -> None:
        cities = self._shown_cities()
        more = len(self.data.by_city) - len(cities)
        titled(
            axes, "By city" + (f": the {len(cities)} fastest of {len(self.data.by_city)}" if more else ""), self.theme
        )
        self._time_axis(axes)
        self._strips(axes, [each.marked_us for _, each in cities], [_city_label(*item) for item in cities])

    def _marker_legend(self, axes: Any) -> None:
        """What the markers mean, on the right above the panel."""
        from matplotlib.lines import Line2D

        handles = [
            Line2D([], [], color=colour, marker=marker, linestyle="", label=f"p{name}")
            for name, (marker, colour) in MARKED.items()
        ]
        legend_above(axes, self.theme, handles)

    # -- words

    def _says(self, by: str | None) -> str:
        """Below the heading: how many, what is not drawn."""
        few = len(self.data)
        thin = by is None and few > MOST_POINTS
        curve = f"The curve goes through {len(self._chosen()):,} of them." if thin else ""
        parts = _sampled(self.data) if by != "city" else ""
        return sentences((_counts(self.data), _few(self.data), curve, parts, self.data.note))

    def _chosen(self) -> list[int]:
        """The ranks that the curve goes through: evenly chosen, and the slowest 200."""
        count = len(self.data)
        return sorted({*thinned(count), *range(max(0, count - 200), count)})

    def _alt(self, by: str | None, heading: str) -> str:
        lines = [f"{heading}. {self._says(by)}"]
        if not self.data.samples:
            return lines[0]
        marked = self.data.marked_us.items()
        lines.append("Of all requests, " + ", ".join(f"{name} % took {exact(us)} or less" for name, us in marked) + ".")
        if by != "city":
            for group in self._groups():
                told = ", ".join(f"{rounded(us)} {part}" for part, us in group.parts_us.items())
                mean = rounded(sum(group.parts_us.values()))
                lines.append(f"Mean of {_group_label(group)}: {mean}{': ' + told if told else ''}.")
            lines += [f"Of {part}: {_told(each)}." for part, each in self.data.by_part.items()]
        if by != "segment":
            for city, each in self._shown_cities():
                lines.append(f"{_city_label(city, each)}: {_told(each)}.")
            more = len(self.data.by_city) - self._city_rows
            lines += [f"{more} more {'city' if more == 1 else 'cities'} not drawn."] if more else []
        return "\n".join(lines)


def _legend_columns(width: float) -> int:
    """Columns of the parts' legend that fit beside the labels."""
    return max(1, int((width - 2) / 1.75))


def _rounded_down(us: float) -> float:
    """To a power of ten."""
    return float(10.0 ** floor(log10(us)))


def _told(latencies: Latencies) -> str:
    return ", ".join(f"p{name} {rounded(us)}" for name, us in latencies.marked_us.items())


def _margin(ends: tuple[float, float]) -> tuple[float, float]:
    room = (ends[1] - ends[0]) * 0.03
    return ends[0] - room, ends[1] + room


def _group_label(group: Group) -> str:
    return f"{group.name} ({group.requests:,})"


def _city_label(city: str, latencies: Latencies) -> str:
    return f"{city} ({len(latencies):,})"


def _counts(data: Latencies) -> str:
    """How many requests were answered, and how many not."""
    if not data.samples and not data.open:
        return "No request from outside is in this trace: send one, as sim.run(sim.client('Tokyo').fetch(url))."
    still = f", {data.open:,} had no answer when the trace ended" if data.open else ""
    lost = f", {counted(data.cut, 'answer')} more to requests sent before" if data.cut else ""
    return f"{len(data):,} answered {'request' if len(data) == 1 else 'requests'}{still}{lost}."


def _few(data: Latencies) -> str:
    """What few requests make of high percentiles."""
    count = len(data)
    if not 1 < count < 1_000:
        return ""
    names = [f"p{name}" for name in MARKED if -(-Fraction(name) * count // 100) == count]
    if len(names) < 2:
        return f"Of so few, {names[0]} is the longest." if names else ""
    return f"Of so few, {', '.join(names[:-1])} and {names[-1]} are the longest."


def _sampled(data: Latencies) -> str:
    if data._trace is None or len(data) <= MOST_CUT:
        return ""
    return f"Parts are those of {MOST_CUT:,} of them, chosen evenly."
