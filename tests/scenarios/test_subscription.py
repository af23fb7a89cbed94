"""`subscription`: alarms come on time, failing payments are asked for again, and cron is late by up to an hour."""

from __future__ import annotations

import pytest

from dosim.cli import main
from dosim.scenarios.lesson import project
from dosim.scenarios.subscription import SUBSCRIPTIONS, run
from dosim.simulation import Simulation

HOUR_US = 3_600_000_000


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_a_short_failure_is_the_platform_s_affair(lesson) -> None:
    """Refused for 20 s: asked again after 2, 4, 8 and 16 s, each up to a quarter longer."""
    short = lesson.facts["life"]["refuses for 20s"]
    assert short["asked"] == 5
    assert 30_000_000 < short["paid_late_us"] < 40_000_000


def test_a_long_failure_is_ours(lesson) -> None:
    """Refused for three hours: paid in the fourth; left to the platform never, and no alarm is left."""
    long, trusting = lesson.facts["life"]["refuses for 3h"], lesson.facts["trusting"]
    assert 3 * HOUR_US < long["paid_late_us"] < 4 * HOUR_US
    assert (trusting["asked"], trusting["paid"], trusting["alarm_us"]) == (7, 0, None)
    assert 126_000_000 < trusting["last_asked_us"] < 160_000_000


def test_being_late_does_not_add_up_and_a_cancel_ends_it(lesson) -> None:
    """The third renewal is on time again; after the cancel nobody asks."""
    life = lesson.facts["life"]
    assert life["takes it"]["asked"] == 1
    assert life["takes it"]["paid_late_us"] < 10_000
    assert life["(cancelled before)"]["asked"] == 0
    assert life["state"] == {"status": "cancelled", "renewals": 3, "alarm": None}


def test_an_alarm_is_milliseconds_late_and_cron_up_to_an_hour(lesson) -> None:
    """All of a day are renewed in both; moments are spread evenly, so half of them are half an hour late or so."""
    alarm, cron = lesson.facts["day"]["alarm"], lesson.facts["day"]["cron"]
    assert alarm["renewals"] == cron["renewals"] == pytest.approx(SUBSCRIPTIONS / 30, rel=0.15)
    assert alarm["latest_us"] < 10_000
    assert 0.9 * HOUR_US < cron["latest_us"] < 1.01 * HOUR_US
    assert cron["median_us"] == pytest.approx(HOUR_US / 2, rel=0.25)


def test_a_scan_reads_the_table_every_hour(lesson) -> None:
    """And an index reads what is due, for a row more that is written."""
    cron, index = lesson.facts["day"]["cron"], lesson.facts["day"]["cron_with_index"]
    assert cron["runs_a_month"] == index["runs_a_month"] == 720
    assert cron["rows_read_a_month"] == pytest.approx(720 * SUBSCRIPTIONS, rel=0.001)
    assert index["rows_read_a_month"] == 30 * index["renewals"]
    assert index["rows_written_a_month"] == 2 * cron["rows_written_a_month"]
    assert index["latest_us"] == pytest.approx(cron["latest_us"], rel=0.01)


def test_it_is_within_the_allowances(lesson) -> None:
    """At list prices some cents; what is paid is the base fee."""
    assert {float(one["usd_a_month"]) for one in lesson.facts["day"].values()} == {5.0}
    assert all(0 < float(one["list_price_usd_a_month"]) < 0.1 for one in lesson.facts["day"].values())


def test_starting_twice_keeps_the_day() -> None:
    """And a cancel during a payment is not undone by it."""
    sim = Simulation.from_project(project("subscription"))
    sim.external("https://pay.example", lambda request: "paid", latency="1s")
    ann = sim.env.SUBSCRIPTION.getByName("ann")
    sim.run(ann.start("ann"))
    due_us = sim.objects["ann"].alarm_us
    sim.run(for_="1h")
    sim.run(ann.start("ann"))
    assert sim.objects["ann"].alarm_us == due_us
    sim.run(until=f"{due_us + 500_000}us")  # the payment is under way
    sim.run(ann.cancel())
    sim.run(for_="1min")
    assert (sim.objects["ann"].storage["renewals"], sim.objects["ann"].alarm_us) == (1, None)


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()


def test_it_prints_its_claim(capsys: pytest.CaptureFixture[str]) -> None:
    """By name, from the command line."""
    assert main(["run", "subscription"]) == 0
    assert "left to the platform it ran 7 times and was gone." in " ".join(capsys.readouterr().out.split())
