"""What a picture is asked for in the wrong way is told with the argument's name and the fix; near misses are meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dosim import Simulation
from dosim.views import panels, timeline
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
