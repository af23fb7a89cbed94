"""`dashboard`: who was away gets the present state at once, and no event of the time it missed."""

from __future__ import annotations

import pytest

from dosim.cli import main
from dosim.scenarios.dashboard import AFTER, AWAY, BEFORE, VIEWERS, run

ORDERS = BEFORE + AWAY + AFTER


@pytest.fixture(scope="module")
def facts():
    return run().facts


def test_every_order_is_pushed_to_every_screen_that_is_there(facts) -> None:
    """One state on connecting, one with each order; of every tenth order, news."""
    for city in VIEWERS[:-1]:
        assert (1 + ORDERS, ORDERS // 10) == (facts["screens"][city]["states"], facts["screens"][city]["news"])


def test_who_was_away_gets_the_present_state_alone(facts) -> None:
    """On connecting again: who it is connected to, one state, the present one; none of those that it missed."""
    again = facts["reconnected"]

    assert ["cf_agent_identity", "cf_agent_state", "cf_agent_mcp_servers"] == again["frames"]
    assert (True, 1, BEFORE + AWAY) == (again["state_follows"], again["states_sent"], again["orders_shown"])
    assert 1 + BEFORE + 1 + AFTER == facts["screens"][VIEWERS[-1]]["states"]


def test_a_broadcast_of_the_time_away_never_comes(facts) -> None:
    """But what the agent has kept can be asked for."""
    again, seen = facts["reconnected"], facts["screens"]

    assert AWAY // 10 == again["news_missed"] == again["news_asked_for"]
    assert seen[VIEWERS[0]]["news"] - again["news_missed"] == seen[VIEWERS[-1]]["news"]


def test_all_screens_show_the_same_in_the_end(facts) -> None:
    """The last order."""
    assert [ORDERS] * len(VIEWERS) == facts["shown_by_all"]


def test_a_push_takes_longer_to_the_other_end_of_the_world(facts) -> None:
    """Longest to the farthest; no longer than the connection again and its state, which needs a way more."""
    pushes = {city: facts["screens"][city]["push_us"] for city in VIEWERS}

    assert VIEWERS[-1] == max(pushes, key=pushes.get)
    assert 0 < max(pushes.values()) < facts["reconnected"]["state_after_us"]


def test_the_screens_stay_connected_through_an_hour_of_silence(facts) -> None:
    """For nothing: the agent has left memory; the next life reads the state, and the next order is on every screen."""
    hour = facts["after_an_hour"]

    assert ("hibernated", 0, len(VIEWERS)) == (hour["state"], hour["gb_s"], hour["still_connected"])
    assert (2, ORDERS, [ORDERS + 1]) == (hour["lives"], hour["late_sees"], hour["then_all_see"])


def test_it_repeats() -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == run().to_json()


def test_it_prints_its_claim(capsys: pytest.CaptureFixture[str]) -> None:
    """By name, from the command line."""
    assert 0 == main(["run", "dashboard"])
    assert "1 frame instead of 30." in " ".join(capsys.readouterr().out.split())
