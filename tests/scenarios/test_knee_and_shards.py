"""`knee-and-shards`: waiting bends upward near saturation, as M/D/1 says, and shards move the bend."""

from __future__ import annotations

import pytest

from dosim.scenarios.knee_and_shards import SERVICE_US, SHARDS, run


@pytest.fixture(scope="module")
def lesson():
    return run()


@pytest.mark.parametrize(("load", "within"), [(0.2, 0.25), (0.5, 0.25), (0.8, 0.35)])
def test_waits_are_near_those_of_the_formula(lesson, load: float, within: float) -> None:
    """1,350 requests a point: within a quarter, a third when it is busy."""
    expected_us = load * SERVICE_US / (2 * (1 - load))
    assert expected_us == pytest.approx(lesson.facts["one_object_by_load"][str(load)]["mean_wait_us"], rel=within)


def test_waiting_only_grows_with_the_load(lesson) -> None:
    """And beyond capacity it is the backlog, far longer than any turn; the object answers what it can and no more."""
    found = list(lesson.facts["one_object_by_load"].values())
    for measure in ("mean_wait_us", "p50_us", "p99_us", "busiest_utilisation"):
        values = [one[measure] for one in found]
        assert values == sorted(values)
    assert found[-1]["mean_wait_us"] > 20 * SERVICE_US
    assert 1e6 / SERVICE_US == pytest.approx(found[-1]["answered_per_s"], rel=0.02)
    assert found[-1]["answered_per_s"] <= 1e6 / SERVICE_US


def test_utilisation_is_the_offered_load(lesson) -> None:
    """As long as there is less to do than time."""
    for load in ("0.2", "0.5", "0.8", "0.9", "0.95"):
        assert float(load) == pytest.approx(lesson.facts["one_object_by_load"][load]["busiest_utilisation"], rel=0.08)


def test_shards_share_the_load(lesson) -> None:
    """Two shards already carry what one object could not."""
    waits_us = {shards: one["mean_wait_us"] for shards, one in lesson.facts["same_load_by_shards"].items()}
    assert waits_us["8"] < waits_us["4"] < waits_us["2"] < waits_us["1"] / 10


def test_the_knee_moves_with_the_number_of_shards(lesson) -> None:
    """Each of several shards at nine tenths of its capacity: nobody has more than a little above its share."""
    for shards in SHARDS:
        one = lesson.facts["full_load_by_shards"][str(shards)]
        assert one["busiest_share"] * shards < 1.2
        assert one["answered_per_s"] > 0.8 * 900 * shards
        assert one["p99_us"] < 40 * SERVICE_US


def test_a_popular_key_is_still_one_object(lesson) -> None:
    """A tenth of all, and its share of the rest: more than the shard can do, so its queue only grows."""
    popular, even = lesson.facts["full_load_with_a_popular_key"], lesson.facts["full_load_by_shards"]["8"]
    assert 0.1 + 0.9 / 8 == pytest.approx(popular["busiest_share"], rel=0.1)
    assert popular["busiest_utilisation"] > 0.97
    assert popular["p99_us"] > 3 * even["p99_us"]


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests; the tables name what they show."""
    assert run().to_json() == lesson.to_json()
    assert "M/D/1 says" in str(lesson)
