"""A trace of a million records: the map, the lives and the space-time diagram draw it in seconds, and say so."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from typing import Any

import pytest

from dosim.geography import world_cities
from dosim.trace import Trace
from dosim.views import lives, spacetime, spacetime_svg, world_map

RECORDS = 1_000_000
#: Seconds of computing that a view may take. On the machine where this was written the slowest took five.
MOST_S = 15
OBJECTS = 100


@pytest.fixture(scope="module")
def trace() -> Trace:
    """Twenty cities ask a hundred objects in ten of them; each object leaves memory after every fifty visits."""
    told = Trace()
    cities = [city for city in world_cities().values() if city.has_colo][:60:3]
    visits = [0] * OBJECTS
    at_us, number = 0, 1
    while told.count < RECORDS:
        _ask(told, at_us, number, cities[number // 2 % len(cities)], cities[number % 10], visits)
        at_us += 1_000 + number % 97 * 100
        number += 2
    return told


def _ask(told: Trace, at_us: int, number: int, city: Any, home: Any, visits: list[int]) -> None:
    """One request from a city to an object and back, fourteen records and those of its instance."""
    which = number * 7919 % OBJECTS
    label, worker, call = f"Room('{which}')", f"worker@{city.colo}", number + 1
    instance = visits[which] // 50 + 1
    told.emit(at_us, "send", city.name, number, 0, ("GET", f"https://a.example/{which}", city.name))
    told.emit(at_us + 5_000, "edge", f"edge {city.colo}", number, 0, (city.colo,))
    told.emit(at_us + 5_500, "worker", worker, number, 0, (city.colo,))
    told.emit(at_us + 5_500, "call", label, call, 0, (number, "rpc", label, "add"))
    told.emit(at_us + 5_500, "leave", label, call, 0, (city.colo, home.colo, 0))
    told.emit(at_us + 35_500, "arrive", label, call, 0, (home.colo,))
    if visits[which] % 50 == 0:
        told.emit(at_us + 35_500, "construct", label, call, 0, (instance,))
    visits[which] += 1
    told.emit(at_us + 35_500, "start", label, call, 0, (at_us + 35_500, ""))
    told.emit(at_us + 35_500, "commit", label, call, 0, (1, 5_000))
    told.emit(at_us + 40_500, "return", label, call, 0, ())
    told.emit(at_us + 40_500, "reply", label, call, 0, (0,))
    if visits[which] % 50 == 0:
        told.emit(at_us + 40_500, "evict", label, 0, 0, (instance, 0, visits[which] * 20))
    else:
        told.emit(at_us + 40_500, "idle", label, 0, 0, (instance,))
    told.emit(at_us + 70_500, "result", label, call, 0, (True,))
    told.emit(at_us + 70_500, "reply", city.name, number, 0, (0,))
    told.emit(at_us + 75_500, "response", city.name, number, 0, (200,))


def words_of(figure: Any) -> str:
    """Every text of a picture, and its description."""
    texts = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    return " ".join([figure.alt, *(text.get_text() for text in texts)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("view", "said"),
    [
        (world_map, "messages stayed inside one city"),
        (lives, "The first 16 of 50 objects are shown"),
        (lives, "Where these are too many to tell apart, none is drawn."),
        (spacetime, "at most 50 of 22 actors"),
        (lambda trace: spacetime(trace, clocks=True), "at most 50 of 10 actors"),
    ],
)
def test_million_records_are_drawn_in_part_and_that_is_said(trace: Trace, view: Callable[..., Any], said: str) -> None:
    """
    In the words of the picture.
    """
    began = process_time()
    figure = view(trace)

    assert process_time() - began < MOST_S
    assert said in words_of(figure)


@pytest.mark.slow
def test_million_records_make_a_small_svg(trace: Trace) -> None:
    """
    A page can hold it.
    """
    began = process_time()
    text = spacetime_svg(trace)

    assert process_time() - began < MOST_S
    assert len(text) < 80_000
