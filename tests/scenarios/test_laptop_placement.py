"""`laptop-placement`: the first touch decides for ever where an object lives."""

from __future__ import annotations

import pytest

from dosim.scenarios.laptop_placement import LAPTOP, USERS, WAYS, run


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_the_first_touch_decides(lesson) -> None:
    """The laptop's city, the first user's, the hinted region; a later hint changes nothing."""
    laptop, user, hinted, late = (lesson.facts["homes"][way] for way in WAYS)
    assert (laptop, late, user) == (LAPTOP, LAPTOP, USERS[0])
    assert lesson.worlds[0].sim.network.city(hinted).hint == "weur"


def test_users_pay_for_it(lesson) -> None:
    """Ten times as long from the other side of the world."""
    laptop, user, hinted, late = (max(lesson.facts["median_us"][way][city] for city in USERS) for way in WAYS)
    assert laptop > 5 * user
    assert late > 5 * hinted
    assert late == pytest.approx(laptop, rel=0.01)


def test_whoever_touched_it_first_notices_nothing(lesson) -> None:
    """The laptop is next to the board; with the board in Europe it is the laptop that pays."""
    near, far, *_ = (lesson.facts["median_us"][way][LAPTOP] for way in WAYS)
    assert near < 30_000
    assert far > 200_000


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()
    assert "changes nothing" in str(lesson)
