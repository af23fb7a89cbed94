"""`knee-and-shards`: waiting bends upward near saturation, as M/D/1 says, and shards move the bend."""

from __future__ import annotations

import pytest

from dosim.scenarios.knee_and_shards import SERVICE_US, run


@pytest.fixture(scope="module")
def lesson():
    return run()


@pytest.mark.parametrize(("load", "within"), [(0.2, 0.25), (0.5, 0.25), (0.8, 0.35)])
def test_waits_are_near_those_of_the_formula(lesson, load: float, within: float) -> None:
    """1,350 requests a point: within a quarter, a third when it is busy."""
    expected_us = load * SERVICE_US / (2 * (1 - load))
    assert abs(lesson.facts["mean_wait_us_by_load"][str(load)] / expected_us - 1) < within


def test_waiting_only_grows_with_the_load(lesson) -> None:
    """And beyond capacity it is the backlog, far longer than any turn."""
    waits_us = list(lesson.facts["mean_wait_us_by_load"].values())
    assert waits_us == sorted(waits_us)
    assert waits_us[-1] > 20 * SERVICE_US


def test_shards_share_the_load(lesson) -> None:
    """Two shards already carry what one object could not."""
    waits_us = lesson.facts["mean_wait_us_by_shards"]
    assert waits_us["8"] < waits_us["4"] < waits_us["2"] < waits_us["1"] / 10


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests; the claim names the numbers."""
    assert run().to_json() == lesson.to_json()
    assert "can do 1000 a second" in lesson.claim
    assert "M/D/1 mean" in str(lesson)
