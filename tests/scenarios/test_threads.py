"""`threads`: children sleep while the parent lists them, and nobody waits for somebody else's thread."""

from __future__ import annotations

import pytest

from dosim.cli import main
from dosim.scenarios.threads import POSTS, THREADS, run

BEGIN, GO_ON = "waiting to begin", "waiting to go on"


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_parent_and_children(lesson) -> None:
    """Listing wakes the parent only; a deleted thread has nothing left, and stays deleted."""
    assert lesson.facts["family"] == {
        "awake_after_an_hour": 0, "listed": 10, "woken_by_listing": 1, "entries_left_in_the_deleted": 0,
        "status_of_a_post_to_the_deleted": 404, "listed_afterwards": 9,
    }  # fmt: skip


def test_the_giant_makes_everybody_wait(lesson) -> None:
    """A hundred posts of 5 ms at once: on average half of them are in front of you."""
    giant, each = lesson.facts["giant"]["at_once"], lesson.facts["each"]["at_once"]
    assert giant["posts"] == each["posts"] == THREADS
    assert giant["mean_us"][BEGIN] == pytest.approx(THREADS / 2 * 5_000, rel=0.1)
    assert 100_000 < giant["mean_us"][GO_ON] < giant["mean_us"][BEGIN]
    assert each["mean_us"][BEGIN] + each["mean_us"][GO_ON] < 5_000
    assert giant["p50_us"] > 3 * each["p50_us"]


def test_nobody_waits_for_the_service_of_others(lesson) -> None:
    """The giant is as long with it as everybody is; only under the belief's rule it adds up."""
    giant, belief = lesson.facts["giant"]["at_once"], lesson.facts["giant_one_at_a_time"]["at_once"]
    assert giant["mean_us"]["in services"] == pytest.approx(belief["mean_us"]["in services"], rel=0.1)
    assert giant["p99_us"] < THREADS * 5_000 + 200_000
    assert belief["p99_us"] > THREADS * 0.9 * 45_000


def test_spread_over_time_the_giant_still_makes_them_wait(lesson) -> None:
    """Less, and at the same load an object each hardly ever does."""
    giant, each = lesson.facts["giant"]["spread"], lesson.facts["each"]["spread"]
    assert giant["posts"] == each["posts"] == POSTS
    assert 1_000 < giant["mean_us"][BEGIN] < lesson.facts["giant"]["at_once"]["mean_us"][BEGIN] / 10
    assert each["mean_us"][BEGIN] < 500


@pytest.mark.parametrize("load", ["at_once", "spread"])
@pytest.mark.parametrize("way", ["giant", "each"])
def test_the_parts_are_the_whole(lesson, way: str, load: str) -> None:
    """Travelling, waiting, running, the service and the output gate, and the computing is the same everywhere."""
    mean_us = dict(lesson.facts[way][load]["mean_us"])
    assert sum(mean_us.values()) - mean_us["together"] == pytest.approx(mean_us["together"], abs=5)
    assert mean_us["running"] == 5_000


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()


def test_it_prints_its_claim(capsys: pytest.CaptureFixture[str]) -> None:
    """By name, from the command line."""
    assert main(["run", "threads"]) == 0
    assert "Listing 10 threads woke none of them." in " ".join(capsys.readouterr().out.split())
