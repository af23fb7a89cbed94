"""`scheduled-reports`: every occurrence of a quarter, once, in UTC; an hour of Berlin's has to be planned by hand."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dosim.cli import main
from dosim.scenarios.scheduled_reports import DAYS, FIRST, expected, run

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_the_calendar_agrees_with_another_one() -> None:
    """Working days by Python's month matrices, Berlin's hour by the time zone database."""
    days = {
        date(2027, month, day)
        for month in (2, 3, 4, 5)
        for week in calendar.monthcalendar(2027, month)
        for day in week[:5]
        if day
    }
    end = FIRST + timedelta(days=DAYS)
    by_utc, by_berlin = (
        [when for day in sorted(days) if (when := datetime(day.year, day.month, day.day, 9, tzinfo=zone)) < end]
        for zone in (UTC, BERLIN)
    )

    assert by_utc == [when for kind, when in expected("Reports") if kind == "daily"]
    assert by_berlin == [when for kind, when in expected("Berlin")]


def test_every_occurrence_is_made_once(lesson) -> None:
    """Of both schedules, which one alarm serves; a late alarm and an eviction move none."""
    cron = lesson.facts["Reports"]

    assert {"expected": 65, "made": 65} == cron["daily"]
    assert {"expected": 3, "made": 3} == cron["monthly"]
    assert ([], []) == (cron["missing"], cron["extra"])
    assert ["0 9 * * mon-fri", "0 0 1 * *"] == cron["planned"]


def test_it_sleeps_between_them(lesson) -> None:
    """A life for each report and for the alarm after the eviction; in the end it hibernates; the client heard all."""
    cron = lesson.facts["Reports"]

    assert "hibernated" == cron["state"]
    assert 65 + 3 == cron["told_client"]
    assert 65 + 3 + 1 <= cron["left_memory"] <= 65 + 3 + 2


def test_a_change_of_clocks_moves_no_cron(lesson) -> None:
    """It stays in UTC; who plans by Berlin's clock stays there."""
    cron, berlin = lesson.facts["Reports"], lesson.facts["Berlin"]

    assert {"09:00": 65} == cron["hours_utc"]
    assert {"10:00": 40, "11:00": 25} == cron["hours_berlin"]
    assert {"09:00": 65} == berlin["hours_berlin"]
    assert ([], []) == (berlin["missing"], berlin["extra"])


def test_late_and_evicted_reports_come_later_and_alone(lesson) -> None:
    """The shop takes 2 s, the alarm was late by 45 s, and 30 s after the cut-off alarm the deadman's rings."""
    cron = lesson.facts["Reports"]

    assert 2_000 <= cron["late_ms"] < 2_100
    assert 47_000 <= cron["late_ms_alarm_late"] < 47_100
    assert 32_000 <= cron["late_ms_evicted"] < 32_100


def test_a_loop_is_billed_for_every_second_and_is_gone_after_an_eviction(lesson) -> None:
    """128 MB for ninety days, against some seconds for each report."""
    loop = lesson.facts["Looping"]

    assert (1, 0) == (loop["made"], loop["made_after_eviction"])
    assert loop["bill"]["gb_s"] == pytest.approx(DAYS * 86_400 * 0.128)
    assert lesson.facts["Reports"]["bill"]["gb_s"] < 70 * 0.128 * 5


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()


def test_it_prints_its_claim(capsys: pytest.CaptureFixture[str]) -> None:
    """By name, from the command line."""
    assert 0 == main(["run", "scheduled-reports"])
    assert "65 reports for 65 working days, 3 for 3 months, 0 missing" in " ".join(capsys.readouterr().out.split())
