"""`three-architectures`: the database loses updates, the server is far, the objects do neither."""

from __future__ import annotations

import pytest

from dosim.scenarios.three_architectures import run


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_only_the_functions_lose_updates(lesson) -> None:
    """Reading and writing are two steps there; an object's gate makes them one."""
    lost = lesson.facts["lost_updates"]
    assert lost["database"] > lesson.facts["edits"] // 4
    assert lost["server"] == lost["object"] == 0


def test_the_objects_are_near(lesson) -> None:
    """Each document lives where its people are; the server and the database live where the first of all was."""
    p50_us = lesson.facts["p50_us"]
    assert p50_us["object"] * 3 < p50_us["server"] < p50_us["database"]


def test_an_object_s_own_requests_are_what_it_costs_more(lesson) -> None:
    """One row is written for an edit either way; the functions' edits need no request of an object."""
    usd = lesson.facts["month_usd"]
    assert usd["server"] == pytest.approx(usd["object"])
    assert 11 < usd["object"] - usd["database"] < 12


def test_each_city_has_its_percentiles(lesson) -> None:
    """The median is not above the 95th."""
    cities = lesson.facts["p50_and_p95_us_by_city"]
    assert all(p50_us <= p95_us for way in cities.values() for p50_us, p95_us in way.values())


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()
    assert "lost updates" in str(lesson)
