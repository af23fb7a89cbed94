"""`ten-by-five`: ten requests that take five seconds each reach one object at the same instant.

Ten clients in ten cities start earlier by their own one-way time, so that the ten calls arrive in one microsecond. How
long each then waits, and for whom, depends on what may interleave: five variants, one sentence each. Random draws are
keyed by a call's place in the tree of calls, so a rehearsal gives each client's travelling time exactly.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from dosim.explain import Explanation, Story, explain
from dosim.scenarios import desks
from dosim.scenarios.blocks import Block, Code, Heading, Paragraph, Table, html_text, plain_text
from dosim.scenarios.registry import BadArgument, did_you_mean
from dosim.simulation import Client, ClientCall, Simulation
from dosim.trace import Segment, Trace
from dosim.trace.parts import part_of
from dosim.trace.words import counted, exact

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Where the clients are: the first ten on six continents, then more.
CITIES: Final = (
    *(
        "London",
        "Tokyo",
        "New York",
        "São Paulo",
        "Lagos",
        "Sydney",
        "Mumbai",
        "Los Angeles",
        "Johannesburg",
        "Singapore",
    ),
    *("Paris", "Toronto", "Seoul", "Buenos Aires", "Nairobi", "Auckland", "Delhi", "Seattle", "Cairo", "Jakarta"),
    *("Warsaw", "Mexico City", "Osaka", "Lima", "Accra", "Perth", "Dubai", "Chicago", "Istanbul", "Manila"),
)
#: When everybody starts in the rehearsal; by then isolates are warm and objects placed. Microseconds.
_START_US: Final = 5_000_000
#: When the requests arrive together in the run that is shown. Microseconds.
_MEET_US: Final = 7_000_000
MAX_REQUESTS: Final = 500
MIN_SECONDS, MAX_SECONDS = 0.001, 30.0


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of meeting: which rule, which user code, how many objects, and what it proves."""

    name: str
    title: str
    concurrency: str
    desk: type
    own_object: bool
    claim: str


VARIANTS: Final[tuple[Variant, ...]] = (
    Variant(
        "one-at-a-time",
        "as the article has it",
        "one-at-a-time",
        desks.AwaitingDesk,
        False,
        "If an object serves one request at a time, {requests} of {s} that arrive together are answered after {ladder}:"
        " the last waits {last_wait}. This is the popular belief about Durable Objects, and the article's.",
    ),
    Variant(
        "input-gates",
        "as the runtime does",
        "input-gates",
        desks.AwaitingDesk,
        False,
        "The same code on the real runtime: while one request awaits, the input gate lets the others in, so all {n} are"
        " answered after {s} and nobody waits. (Recorded on the real runtime.)",
    ),
    Variant(
        "block-concurrency",
        "blockConcurrencyWhile",
        "input-gates",
        desks.BlockingDesk,
        False,
        "blockConcurrencyWhile around the same await keeps the input gate closed, so one request at a time it is:"
        " {ladder} again.",
    ),
    Variant(
        "cpu",
        "CPU work",
        "input-gates",
        desks.ComputingDesk,
        False,
        "{s} of CPU work never awaits, so there is no moment at which another request could come in: {ladder} again.",
    ),
    Variant(
        "ten-objects",
        "ten objects",
        "input-gates",
        desks.BlockingDesk,
        True,
        "{n} names are {n} objects, each with a gate of its own and each near its own client: even with"
        " blockConcurrencyWhile all {n} are answered after {s}.",
    ),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One client's request. Times are microseconds; the four parts sum to `total_us`."""

    client: str
    request: int
    network_there_us: int
    waited_us: int
    why: str
    worked_us: int
    network_back_us: int
    total_us: int

    def cells(self) -> tuple[str, ...]:
        return (
            self.client,
            milliseconds(self.network_there_us),
            seconds_text(self.waited_us),
            self.why,
            seconds_text(self.worked_us),
            milliseconds(self.network_back_us),
            f"{self.total_us / 1e6:.6f} s",
        )

    def to_json(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


COLUMNS: Final = ("client", "network there", "waited", "why", "worked", "network back", "total")
_RIGHT: Final = frozenset(COLUMNS) - {"client", "why"}


class Result:
    """One variant's run: its sentence, its rows in the order in which the object served them, its trace."""

    def __init__(self, variant: Variant, claim: str, trace: Trace, calls: Sequence[ClientCall], meet_us: int) -> None:
        self.variant = variant
        self.claim = claim
        self.trace = trace
        self.meet_us = meet_us
        self._calls = calls

    @cached_property
    def story(self) -> Story:
        return Story(self.trace)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """A row for each client, first answered first."""
        rows = [_row(self.story, call) for call in self._calls]
        served = {raw[4]: raw[1] for raw in self.trace.raw if raw[2] == "start"}
        order = {
            row.request: min(served[child] for child in self.story.family(row.request) if child in served)
            for row in rows
        }
        return tuple(sorted(rows, key=lambda row: order[row.request]))

    @property
    def digest(self) -> str:
        return self.trace.digest

    def explain(self, client: str) -> Explanation:
        """Where the time of one client's request went. Raises ValueError that lists the clients."""
        for row in self.rows:
            if row.client == client:
                return explain(self.trace, row.request, story=self.story)
        raise ValueError(
            f"client={client!r} is not in this run: use one of {', '.join(row.client for row in self.rows)}."
        )

    def table(self) -> Table:
        return Table(COLUMNS, [row.cells() for row in self.rows], _RIGHT, wraps="why")

    def blocks(self, *, code: bool = False) -> list[Block]:
        heading = Heading(f"{self.variant.title} ({self.variant.name})")
        source = [Code(inspect.getsource(self.variant.desk))] if code else []
        return [heading, Paragraph(self.claim), *source, self.table()]

    def to_json(self) -> dict[str, object]:
        return {
            "variant": self.variant.name,
            "claim": self.claim,
            "concurrency": self.variant.concurrency,
            "rows": [row.to_json() for row in self.rows],
            "trace_digest": self.digest,
        }

    def figure(self, **options: Any) -> Figure:
        """The timeline: a lane for each request, one for the object; time counts from the common arrival."""
        return _figure([self], **options)

    def __repr__(self) -> str:
        return (
            f"<{self.variant.name}: {counted(len(self.rows), 'request')}, the last waited"
            f" {seconds_text(self.rows[-1].waited_us)}>"
        )

    def _repr_html_(self) -> str:
        return html_text(self.blocks())


class TenByFive:
    """The scenario's results, one per variant. `print` it; `[name]` gives one variant."""

    def __init__(self, results: Sequence[Result], requests: int, seconds: float, seed: int | str) -> None:
        self.results = tuple(results)
        self.requests = requests
        self.seconds = seconds
        self.seed = seed

    def __getitem__(self, variant: str) -> Result:
        return next(result for result in self.results if result.variant is find_variant(variant))

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    @property
    def trace(self) -> Trace:
        """The trace of the only variant. Raises ValueError when there are several."""
        if len(self.results) != 1:
            names = ", ".join(result.variant.name for result in self.results)
            raise ValueError(f"each variant has a trace of its own: choose one with variant=, of {names}.")
        return self.results[0].trace

    @property
    def intro(self) -> str:
        """What all variants have in common."""
        return f"{counted(self.requests, 'request')} of {self.seconds:g} s each meet an object at the same instant"

    def blocks(self, *, code: bool = False) -> list[Block]:
        blocks: list[Block] = [
            Paragraph(
                f"{self.intro}: each client starts earlier by its own one-way time. Waited and worked are exact; the"
                f" network columns carry the jitter of seed {self.seed}."
            )
        ]
        if code:
            blocks.append(Code(inspect.getsource(desks.Default)))
        for result in self.results:
            blocks += result.blocks(code=code)
        return blocks

    def to_json(self) -> dict[str, object]:
        return {
            "scenario": "ten-by-five",
            "requests": self.requests,
            "seconds": self.seconds,
            "seed": self.seed,
            "variants": [result.to_json() for result in self.results],
        }

    def figure(self, **options: Any) -> Figure:
        """The timelines of all variants below one another, on one scale."""
        return _figure(self.results, heading=self.intro, **options)

    def __str__(self) -> str:
        return plain_text(self.blocks())

    def __repr__(self) -> str:
        names = ", ".join(result.variant.name for result in self.results)
        return f"<ten-by-five: {counted(self.requests, 'request')} of {self.seconds:g} s, seed={self.seed!r}: {names}>"

    def _repr_html_(self) -> str:
        return html_text(self.blocks())


def run(
    *, variant: str | Sequence[str] | None = None, requests: int = 10, seconds: float = 5, seed: int | str = 0
) -> TenByFive:
    """Run the scenario. `variant`: one name or several (all of them unless told); `seconds`: what a request takes.

    Raises BadArgument that names the argument and the fix.
    """
    names = [variant] if isinstance(variant, str) else variant
    chosen = VARIANTS if names is None else tuple(map(find_variant, names))
    check_requests(requests, MAX_REQUESTS)
    if not MIN_SECONDS <= seconds < MAX_SECONDS:
        raise BadArgument(
            "seconds",
            seconds,
            f"is out of range: give what a request takes, {MIN_SECONDS:g} or more and less than {MAX_SECONDS:g}, where"
            " the platform's own limits would end it.",
        )
    return TenByFive([_play(one, requests, seconds, seed) for one in chosen], requests, seconds, seed)


def check_requests(requests: int, most: int) -> None:
    """Raise BadArgument unless `requests` is a number of requests."""
    if not 1 <= requests <= most:
        raise BadArgument("requests", requests, f"is out of range: give how many clients send one, from 1 to {most}.")


def find_variant(name: str) -> Variant:
    """The variant of this name, or with this title. Raises BadArgument that lists them."""
    wanted = name.casefold().replace(" ", "-")
    for variant in VARIANTS:
        if wanted in (variant.name, variant.title.casefold().replace(" ", "-")):
            return variant
    names = [variant.name for variant in VARIANTS]
    raise BadArgument("variant", name, f"is not known{did_you_mean(name, names)} Use one of {', '.join(names)}.")


# -- one run


def _play(variant: Variant, requests: int, seconds: float, seed: int | str) -> Result:
    """Rehearse with everybody starting at once, then run with each starting earlier by its own way there."""
    sim, clients = _warm_world(variant, requests, seconds, seed)
    sim.run(until=timedelta(microseconds=_START_US))
    rehearsal = [client.fetch(_url(variant, number, "serve")) for number, client in enumerate(clients, 1)]
    sim.run(*rehearsal)
    way_us = [_arrival_us(Story(sim.trace), call) - _START_US for call in rehearsal]

    sim, clients = _warm_world(variant, requests, seconds, seed)
    calls: dict[int, ClientCall] = {}
    for number in sorted(range(requests), key=lambda i: (-way_us[i], i)):
        sim.run(until=timedelta(microseconds=_MEET_US - way_us[number]))
        calls[number] = clients[number].fetch(_url(variant, number + 1, "serve"))
    sim.run(*calls.values())
    return Result(variant, _claim(variant, requests, seconds), sim.trace, [calls[i] for i in range(requests)], _MEET_US)


def _warm_world(variant: Variant, requests: int, seconds: float, seed: int | str) -> tuple[Simulation, list[Client]]:
    """A world in which every client's Worker is warm, and every object placed and known: near whoever called first."""
    sim = Simulation(
        desks.Default,
        durable_objects={"DESK": variant.desk},
        vars={"SECONDS": seconds},
        seed=seed,
        concurrency=variant.concurrency,
    )
    clients = [sim.client(CITIES[number % len(CITIES)]) for number in range(requests)]
    sim.run(clients[0].fetch(_url(variant, 1, "hello")))
    sim.run(*[client.fetch(_url(variant, number, "hello")) for number, client in enumerate(clients, 1)])
    return sim, clients


def _url(variant: Variant, number: int, method: str) -> str:
    return f"https://desk.example/desk-{number if variant.own_object else 1}/{method}"


def _claim(variant: Variant, requests: int, seconds: float) -> str:
    each = f"{seconds:g} s"
    rungs = [f"{seconds * i:g}" for i in range(1, requests + 1)]
    ladder = ", ".join(rungs) if requests <= 3 else f"{rungs[0]}, {rungs[1]}, …, {rungs[-1]}"
    return variant.claim.format(
        requests=counted(requests, "request"),
        n=requests,
        s=each,
        ladder=f"{ladder} s",
        last_wait=f"{seconds * (requests - 1):g} s",
    )


# -- what a run says


def _arrival_us(story: Story, call: ClientCall) -> int:
    return next(raw[0] for child in story.family(call.request) for raw in story.records[child] if raw[2] == "arrive")


def _row(story: Story, call: ClientCall) -> Row:
    told = explain(story.trace, call.request, story=story)
    child = next(child for child in story.family(call.request) if child != call.request)
    there_us = back_us = waited_us = worked_us = 0
    waits: list[Segment] = []
    arrived_us = _arrival_us(story, call)
    for segment in told.segments:
        part = part_of(segment.state)
        if segment.request == child and part in ("waiting in line", "waiting at the input gate"):
            waited_us += segment.duration_us
            waits.append(segment)
        elif segment.request == child and part in ("running", "awaiting"):
            worked_us += segment.duration_us
        elif segment.end_us <= arrived_us:
            there_us += segment.duration_us
        else:
            back_us += segment.duration_us
    why = "; ".join(_why(story, segment) for segment in waits) or "nobody held it up"
    assert told.latency_us is not None
    return Row(call.client.name, call.request, there_us, waited_us, why, worked_us, back_us, told.latency_us)


def _why(story: Story, segment: Segment) -> str:
    """Who held the object: the request that was inside on arrival, what kept others out, and how many came between."""
    ahead = story.ahead(segment)
    holder = story.place(story.root(ahead[0])) if ahead else ""
    others = f", then {len(ahead) - 1} more" if len(ahead) > 1 else ""
    if segment.state == "one at a time":
        return f"in line behind {holder}{others}"
    how = "blockConcurrencyWhile" if segment.detail.startswith("blockConcurrencyWhile") else "CPU work"
    return f"{holder}'s {how}{others}"


def milliseconds(us: int) -> str:
    """A network time, to the microsecond."""
    return f"{us / 1000:.3f} ms"


def seconds_text(us: int) -> str:
    """An exact time: whole seconds as "45 s", anything else to the microsecond."""
    return "0 s" if us == 0 else exact(us)


def _figure(results: Sequence[Result], **options: Any) -> Figure:
    from dosim.views import Panel, panels

    shown = [
        Panel(
            result.trace,
            tuple(row.request for row in result.rows),
            result.variant.title,
            result.claim,
            result.meet_us,
            {row.request: row.client for row in result.rows},
        )
        for result in results
    ]
    return panels(shown, x_label="seconds after the requests arrived, all in the same microsecond", **options)
