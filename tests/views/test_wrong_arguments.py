"""What a picture is asked for in the wrong way is told with the argument's name and the fix; near misses are meant."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dosim import Simulation
from dosim.export import diff, rows, to_mermaid
from dosim.views import (
    Panel,
    costs_svg,
    latency_svg,
    lives_svg,
    panels,
    queue,
    queue_svg,
    read_lanes,
    timeline,
    timeline_svg,
    world_map,
    world_map_svg,
)
from dosim.workers import DurableObject, Response, WorkerEntrypoint


class Counter(DurableObject):
    async def increment(self) -> int:
        n: int = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return n


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Any:
        return Response.json({"n": await self.env.COUNTER.getByName("demo").increment()})


def world(retention: str = "full") -> Simulation:
    sim = Simulation(Default, durable_objects={"COUNTER": Counter}, seed=7, retention=retention)
    sim.run(*[sim.client("Tokyo").fetch("https://app.example/") for _ in range(3)])
    return sim


@pytest.fixture(scope="module")
def sim() -> Simulation:
    return world()


@pytest.mark.parametrize("view", ["timeline", "map", "latency", "queue", "lives", "spacetime", "costs"])
@pytest.mark.parametrize(("width", "error"), [("wide", TypeError), (None, TypeError), (True, TypeError)])
def test_a_width_is_a_number(sim: Simulation, view: str, width: object, error: type[Exception]) -> None:
    """Whatever is no number of inches is refused by every picture, by name."""
    with pytest.raises(error, match=r"width=.* is no number: give inches, at least"):
        getattr(sim, view)(width=width)


@pytest.mark.parametrize("width", [float("nan"), float("inf")])
def test_a_width_is_finite(sim: Simulation, width: float) -> None:
    """Neither infinity nor what is no number at all can be drawn."""
    with pytest.raises(ValueError, match=r"width=.* is no width for a timeline: give at least 4 inches"):
        sim.timeline(width=width)


@pytest.mark.parametrize("view", ["timeline", "latency", "spacetime"])
@pytest.mark.parametrize("wanted", ["a number", "a call", "a text"])
def test_requests_are_a_list(sim: Simulation, view: str, wanted: str) -> None:
    """One number or one call is no list: it is refused with the fix, and not drawn as nothing."""
    call = sim.client("Tokyo").fetch("https://app.example/")
    sim.run(call)

    with pytest.raises(TypeError, match=r"requests=.* is no list: give numbers, or what .* as \[call\]"):
        getattr(sim, view)(requests={"a number": 1, "a call": call, "a text": "1"}[wanted])


def test_an_object_is_meant_by_its_name(sim: Simulation) -> None:
    """`sim.objects["demo"]` finds it by name, and so do its pictures; one view or one name is a list of one."""
    label = "Counter('demo')"

    assert sim.queue(label).alt == sim.queue("demo").alt
    assert sim.lives(objects=[label]).alt == sim.lives(objects="demo").alt
    assert sim.lives(objects=[label]).alt == sim.lives(objects=sim.objects["demo"]).alt


def test_no_service_takes_no_time(sim: Simulation) -> None:
    """The method names its own argument, which is called `service` there."""
    with pytest.raises(ValueError, match="service='0s' is no service to queue for"):
        sim.queue(service="0s")


def test_lives_end_with_the_trace(sim: Simulation) -> None:
    """A stretch after all records is told in words, not in microseconds."""
    with pytest.raises(ValueError, match=r"start, end: 29 d is after the last record, at .* ms: give"):
        sim.lives(start="29d")


def test_a_timeline_is_of_a_simulation_too(sim: Simulation) -> None:
    """As for all pictures, the source is a simulation or a trace; anything else is refused."""
    assert timeline(sim.trace).alt == timeline(sim).alt
    with pytest.raises(TypeError, match="'run' is neither a simulation nor a trace"):
        timeline("run")
    for shown in (sim.trace, "run"):
        with pytest.raises(TypeError, match=r"shown: give a list of Panel"):
            panels(shown)  # type: ignore[arg-type]


def test_a_timeline_says_what_retention_took() -> None:
    """A picture without requests does not look as if nobody had asked."""
    assert "Only the last 50 of 61 records are kept" in world("last=50").timeline().alt
    with pytest.raises(ValueError, match=r"keeps no records .retention='none'."):
        world("none").timeline()


def test_a_player_that_cannot_be_written_names_the_path(sim: Simulation, tmp_path: Path) -> None:
    """As an export does."""
    with pytest.raises(FileNotFoundError, match=r"run.html' cannot be written .*: name another file"):
        sim.player().save(tmp_path / "nowhere" / "run.html")
    for path in (5, None):
        with pytest.raises(TypeError, match=f"path={path} is no path: give a str or a Path"):
            sim.player().save(path)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=f"path={path} is no path: give a str or a Path"):
            sim.export(path, "chrome")  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [1.5, True, [1]])
def test_a_seed_is_a_number_or_a_text(sim: Simulation, seed: Any) -> None:
    """A fraction is no seed, of a simulation as of a fork."""
    with pytest.raises(TypeError, match=r"seed=.* is no seed: give a whole number or a text"):
        Simulation(Default, seed=seed)
    with pytest.raises(TypeError, match=r"seed=.* is no seed: give a whole number or a text"):
        sim.fork(seed=seed)


def test_objects_that_differ_at_the_end_of_their_names_look_different(sim: Simulation) -> None:
    """A long label takes two lines, and what does not fit is left out of the middle: its end tells objects apart."""
    for number in (1, 12):
        sim.run(sim.env.COUNTER.getByName(f"preview-deployment-{number}").increment())
    figure: Any = sim.lives(objects=["preview-deployment-1", "preview-deployment-12"])
    words = [text.get_text() for axes in figure.axes for text in axes.texts]

    assert 2 == words.count("Counter")
    assert 2 == len({word for word in words if word.startswith("('prev")})


METHODS = ("timeline", "map", "latency", "queue", "lives", "spacetime", "costs")
CHARTS = (latency_svg, queue_svg, costs_svg)


@pytest.mark.parametrize("title", [5, b"run", ["run"], None, []])
@pytest.mark.parametrize("view", [*METHODS, "player"])
def test_a_title_is_text(sim: Simulation, view: str, title: object) -> None:
    """Every picture refuses what is no text, by name, before it draws."""
    with pytest.raises(TypeError, match=r"title=.* is no text: give a str"):
        getattr(sim, view)(title=title)


@pytest.mark.parametrize(
    ("view", "switch"),
    [*((view, "dark") for view in METHODS), ("latency", "log"), ("spacetime", "clocks"), ("spacetime", "to_scale")],
)
def test_a_switch_is_true_or_false(sim: Simulation, view: str, switch: str) -> None:
    """A text such as "no" would count as yes: it is refused by name."""
    with pytest.raises(TypeError, match=rf"{switch}='no' is not known: use True or False"):
        getattr(sim, view)(**{switch: "no"})


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize(
    ("argument", "value", "told"),
    [
        ("title", 5, "title=5 is no text"),
        ("dark", "no", "dark='no' is not known: use True, False, or None"),
        ("width", "640", "width='640' is no number of pixels: give at least 360"),
        ("height", None, "height=None is no number of pixels: give at least 120"),
        ("ghost", 5, "ghost=5 is neither a simulation nor a trace"),
    ],
)
def test_a_light_chart_names_its_arguments(sim: Simulation, chart: Any, argument: str, value: Any, told: str) -> None:
    """The charts for live use refuse in the same words."""
    with pytest.raises(TypeError, match=told):
        chart(sim, **{argument: value})


@pytest.mark.parametrize("picture", [timeline_svg, world_map_svg, lives_svg])
@pytest.mark.parametrize(
    ("argument", "value", "told"),
    [
        ("title", 5, "^title=5 is no text"),
        ("dark", "no", "^dark='no' is not known: use True, False, or None"),
        ("width", "640", "^width='640' is no number of pixels: give at least 360"),
        ("width", 100, "^width=100: give at least 360 pixels"),
    ],
)
def test_light_pictures_that_choose_their_height_too(
    sim: Simulation, picture: Any, argument: str, value: Any, told: str
) -> None:
    """They have no argument `height`, so their refusals name none."""
    with pytest.raises((TypeError, ValueError), match=told):
        picture(sim, **{argument: value})


def test_a_moment_or_a_stretch_as_the_method_calls_them(sim: Simulation) -> None:
    """The map takes one of both; its method says `at`, the function `at_us`, each in its own words."""
    with pytest.raises(ValueError, match=r"^at is one moment, start and end are a stretch: give one or the other"):
        sim.map(at="1s", start="0s")
    with pytest.raises(TypeError, match=r"^at_us='1s': give whole microseconds"):
        world_map(sim, at_us="1s")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^start=datetime.* is before the simulation's start"):
        sim.lives(start=datetime(1990, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("wrong", [5, ["demo"], object()])
def test_a_queue_is_of_an_object(sim: Simulation, wrong: Any) -> None:
    """The method calls it `obj`, the function `object_label`; both list what there is."""
    with pytest.raises(TypeError, match=r"^obj=.* is no object: give its label or its name. .*Counter\('demo'\)"):
        sim.queue(wrong)
    with pytest.raises(TypeError, match=r"^object_label=.* is no object"):
        queue(sim, wrong)
    with pytest.raises(ValueError, match=r"^obj='nobody': nothing arrived there. .*Counter\('demo'\)"):
        sim.queue("nobody")
    with pytest.raises(TypeError, match=r"^service_us='5ms' is no number: give microseconds above 0"):
        queue(sim, service_us="5ms")  # type: ignore[arg-type]


def test_a_timeline_of_no_stretch_is_refused_by_name(sim: Simulation) -> None:
    """As the other pictures do, which take microseconds too."""
    with pytest.raises(TypeError, match=r"^start_us='1s': give whole microseconds"):
        timeline(sim, start_us="1s")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^end_us=-1: time starts at 0"):
        timeline(sim, end_us=-1)
    with pytest.raises(TypeError, match=r"^window_us=5 is no stretch: give \(start_us, end_us\)"):
        read_lanes(sim, window_us=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^names=5 are none: give what requests are called"):
        read_lanes(sim, names=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("plan", [["paid"], {}, None])
def test_a_plan_of_any_type_is_refused_by_name(sim: Simulation, plan: Any) -> None:
    """What cannot be looked up is unknown like any other."""
    for made in (sim.costs, sim.bill):
        with pytest.raises(ValueError, match=r"plan=.* is not known"):
            made(plan=plan)


def test_exports_name_their_arguments(sim: Simulation, tmp_path: Path) -> None:
    """A number of requests, a table and a format of a wrong type are refused by name."""
    with pytest.raises(TypeError, match=r"requests=5 is no list"):
        to_mermaid(sim, requests=5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"most='5': .* give a whole number from 1 on"):
        to_mermaid(sim, most="5")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"of=\[\] is no table of a trace"):
        rows(sim, of=[])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"format=\[\] is no format of a trace"):
        sim.export(tmp_path / "run.json", format=[])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"context='3': give a whole number of records"):
        diff(sim, sim, context="3")  # type: ignore[arg-type]


def test_a_stub_names_its_object(sim: Simulation) -> None:
    """As `sim.objects[stub]` does, for the queue as for the lives."""
    stub = sim.env.COUNTER.getByName("demo")

    assert sim.queue("demo").alt == sim.queue(stub).alt
    assert sim.lives(objects="demo").alt == sim.lives(objects=stub).alt


def test_panels_name_what_is_wrong(sim: Simulation) -> None:
    """A panel's texts, and what is no list of panels."""
    for argument in ("title", "claim"):
        with pytest.raises(TypeError, match=rf"{argument}=5 is no text"):
            panels([Panel(sim.trace, **{argument: 5})])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"shown: give a list of Panel"):
        panels(5)  # type: ignore[arg-type]


def test_true_is_no_number(sim: Simulation) -> None:
    """Of a request, of days, of messages to lose; and what cannot be looked up is no kind of record."""
    with pytest.raises(TypeError, match=r"request=True is no request"):
        sim.explain(True)
    with pytest.raises(ValueError, match=r"days=True is not possible"):
        sim.bill().per_month(days=True)
    for count in (True, "2"):
        with pytest.raises(ValueError, match=r"count=.* at least one message has to be lost"):
            sim.lose("request", count=count)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"kind=\[\] is not a kind of record"):
        sim.trace.of_kind([])  # type: ignore[arg-type]
