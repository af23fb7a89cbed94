"""Cron Triggers: Cloudflare's syntax and the events that fire them."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dosim import Simulation
from dosim.bindings.crons import CronSchedule, CronTrigger, ScheduledController
from dosim.platform.facts import EPOCH_MS

_START = datetime.fromtimestamp(EPOCH_MS / 1000, UTC)
#: The days on which an expression fires at midnight, and days on which it does not: saffron/src/lib.rs, its own tests
#: (github.com/cloudflare/saffron @90c2af8).
SAFFRON: dict[str, tuple[list[str], list[str]]] = {
    "0 0 L FEB *": (["2400-02-29", "2300-02-28", "2100-02-28", "2024-02-29", "2000-02-29"], []),
    "0 0 L-1 FEB *": (["2400-02-28", "2300-02-27", "2024-02-28"], ["2400-02-29", "2300-02-28", "2020-02-29"]),
    "0 0 L-30W * *": (["2021-05-03", "2022-01-03"], []),
    "0 0 L-28W FEB *": (["1988-02-01", "1992-02-03", "2004-02-02", "2020-02-03"], ["2021-05-03", "2022-01-03"]),
    "0 0 LW MAY *": (["2025-05-30", "2021-05-31", "2020-05-29"], []),
    "0 0 L-1W MAY *": (["2025-05-30", "2021-05-31", "2020-05-29"], []),
    "0 0 1W MAY *": (["2020-05-01", "2022-05-02", "2021-05-03"], []),
    "0 0 * * 7L": (
        ["2020-01-25", "2020-02-29", "2020-03-28", "2020-04-25", "2020-05-30"],
        ["2020-01-31", "2020-02-28", "2020-03-31", "2020-04-30", "2020-05-31"],
    ),
    "0 0 * * SAT#5": (
        ["2020-02-29", "2020-05-30", "2020-08-29", "2020-10-31"],
        ["2020-01-31", "2020-02-28", "2020-03-31", "2020-04-30", "2020-05-31"],
    ),
    "0 0 * JAN SAT-SUN": (["2020-01-04", "2020-01-05", "2020-01-11", "2020-01-12"], ["2020-01-06"]),
}


def us(moment: str) -> int:
    """A moment, UTC, in microseconds since the simulation's start (before it: negative)."""
    return round((datetime.fromisoformat(moment).replace(tzinfo=UTC) - _START) / timedelta(microseconds=1))


def following(text: str, after: str, count: int) -> list[str]:
    """The next occurrences after a moment, as "2026-12-01 00:00"."""
    schedule, at, found = CronSchedule(text), us(after), []
    for _ in range(count):
        at = schedule.next_us(at)
        found.append(f"{_START + timedelta(microseconds=at):%Y-%m-%d %H:%M}")
    return found


@pytest.mark.parametrize("text", SAFFRON)
def test_days_are_those_of_cloudflares_own_parser(text: str) -> None:
    """Every day that saffron's tests name fires at midnight, every day they exclude does not."""
    schedule = CronSchedule(text)
    fires, fires_not = SAFFRON[text]
    for day in fires:
        assert schedule.next_us(us(day) - 1) == us(day), day
    for day in fires_not:
        assert schedule.next_us(us(day) - 1) > us(day), day


def test_times_of_day_as_in_cloudflares_own_parser() -> None:
    """Steps, lists of steps, and ranges that wrap (saffron's tests)."""
    assert following("*/15,30-59/10 0 * * *", "2019-12-31 23:59", 6) == [
        f"2020-01-01 00:{minute}" for minute in ("00", "15", "30", "40", "45", "50")
    ]
    assert following("0 20-4/2 * * *", "2019-12-31 23:59", 5) == [
        f"2020-01-01 {hour}:00" for hour in ("00", "02", "04", "20", "22")
    ]
    assert following("59-0 23-0 31-1 12-1 *", "2020-01-30 12:00", 4) == [
        "2020-01-31 00:00", "2020-01-31 00:59", "2020-01-31 23:00", "2020-01-31 23:59",
    ]  # fmt: skip
    assert following("0 0 29 2 *", "1970-01-01 00:00", 3) == [
        "1972-02-29 00:00",
        "1976-02-29 00:00",
        "1980-02-29 00:00",
    ]


@pytest.mark.parametrize(
    ("text", "same"),
    [("0 17 * * sun", "0 17 * * 1"), ("10 7 * * mon-fri", "10 7 * * 2-6"), ("0 18 * * 6L", "0 18 * * friL")],
)
def test_documented_expressions_that_mean_the_same(text: str, same: str) -> None:
    """The documentation's pairs: 1 is Sunday, 2 to 6 are Monday to Friday, 6L is the last Friday."""
    assert following(text, "2026-12-01 00:00", 20) == following(same, "2026-12-01 00:00", 20)


def test_documented_meanings() -> None:
    """Sunday at 17:00, the last Friday of the month, the last weekday of the month (2027-01-31 is a Sunday)."""
    assert following("0 17 * * 1", "2026-12-01", 2) == ["2026-12-06 17:00", "2026-12-13 17:00"]
    assert following("0 18 * * 6L", "2026-12-01", 2) == ["2026-12-25 18:00", "2027-01-29 18:00"]
    assert following("59 23 LW * *", "2026-12-01", 2) == ["2026-12-31 23:59", "2027-01-29 23:59"]


def test_the_nearest_weekday_stays_in_its_month() -> None:
    """Sunday 31 January 2027 gives Friday 29, Saturday 1 May 2027 gives Monday 3 (saffron `contains_date`)."""
    assert following("0 0 31W * *", "2027-01-01", 1) == ["2027-01-29 00:00"]
    assert following("0 0 1W 5 *", "2027-01-01", 1) == ["2027-05-03 00:00"]
    assert following("0 0 14W 2 *", "2027-01-01", 1) == ["2027-02-15 00:00"]


def test_day_of_month_or_day_of_week() -> None:
    """Two restricted day fields: either suffices, with steps and with W too (saffron `contains_date`)."""
    assert following("0 0 13 * FRI", "2026-12-01", 4) == [f"2026-12-{day} 00:00" for day in ("04", "11", "13", "18")]
    assert following("0 0 */10 * FRI", "2026-12-01", 4) == [f"2026-12-{day} 00:00" for day in ("04", "11", "18", "21")]
    assert following("0 0 12W * TUE", "2026-12-01", 3) == [f"2026-12-{day} 00:00" for day in ("08", "11", "15")]


def test_an_occurrence_is_later_than_the_moment_asked_for() -> None:
    """Exactly on it, the next one follows; a microsecond earlier, it itself."""
    schedule = CronSchedule("*/5 * * * *")
    assert schedule.next_us(0) == 300_000_000
    assert schedule.next_us(299_999_999) == 300_000_000
    assert schedule.next_us(300_000_000) == 600_000_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("* * * *", "has 4 fields"),
        ("0 0 9 * * *", "no field for seconds"),
        ("60 * * * *", "field minute, '60'"),
        ("*/60 * * * *", "field minute, '*/60'"),
        ("*/0 * * * *", "field minute"),
        ("* 24 * * *", "field hour, '24'"),
        ("* * 0 * *", "field day of month, '0'"),
        ("* * lw * *", "capital letters"),
        ("* * 32W * *", "field day of month, '32W'"),
        ("* * ? * MON", "Write * where Quartz has ?"),
        ("* * * 13 *", "field month, '13'"),
        ("* * * * 0", "counts from 1, Sunday"),
        ("* * * * MON#6", "field day of week, 'MON#6'"),
        ("* * * * 1,,2", "field day of week, '1,,2'"),
        ("* * * * MOON", "An example: '10 7 * * MON-FRI'"),
        ("0 0 31 11 *", "never fires"),
        ("0 0 L-30 FEB *", "never fires"),
    ],
)
def test_what_does_not_parse_says_which_field(text: str, said: str) -> None:
    """The error names the text, the field and an example."""
    with pytest.raises(ValueError, match="cron") as caught:
        CronSchedule(text)
    assert said in str(caught.value) and repr(text) in str(caught.value)


def _fired(sim: Simulation, *schedules: str) -> list[tuple[int, str, int]]:
    """Controllers as they come: (now in minutes, cron, scheduled minute)."""
    seen: list[tuple[int, str, int]] = []

    def dispatch(controller: ScheduledController) -> None:
        minute = (controller.scheduledTime - EPOCH_MS) // 60_000
        seen.append((sim.world.loop.now_us // 60_000_000, controller.cron, minute))

    CronTrigger(sim.world, schedules, dispatch)
    return seen


def test_a_trigger_fires_at_its_minutes() -> None:
    """One event an occurrence, at its exact time; schedules of one minute fire as they were armed."""
    sim = Simulation(network=None)
    seen = _fired(sim, "*/20 * * * *", "0 * * * *")
    sim.run(until="65m")
    assert seen == [
        (20, "*/20 * * * *", 20), (40, "*/20 * * * *", 40), (60, "0 * * * *", 60), (60, "*/20 * * * *", 60),
    ]  # fmt: skip


def test_a_trigger_keeps_no_run_going() -> None:
    """Occurrences are background events, like alarms."""
    sim = Simulation(network=None)
    seen = _fired(sim, "* * * * *")
    sim.run()
    assert seen == [] and sim.world.loop.now_us == 0


def test_a_stopped_trigger_fires_no_more() -> None:
    """`stop()` ends it, whatever is armed."""
    sim = Simulation(network=None)
    seen: list[Any] = []
    trigger = CronTrigger(sim.world, ["* * * * *"], seen.append)
    sim.run(until="90s")
    trigger.stop()
    sim.run(until="5m")
    assert len(seen) == 1


def test_the_controller() -> None:
    """cron, scheduledTime in milliseconds, type, noRetry()."""
    controller = ScheduledController("0 * * * *", EPOCH_MS + 3_600_000)
    assert (controller.cron, controller.scheduledTime, controller.type) == (
        "0 * * * *",
        EPOCH_MS + 3_600_000,
        "scheduled",
    )
    assert controller.no_retry_asked is False
    controller.noRetry()
    assert controller.no_retry_asked is True


def test_the_library_loads_at_the_first_schedule() -> None:
    """`import dosim`, and the module itself, need the standard library alone."""
    code = (
        "import sys, dosim, dosim.bindings.crons as c; before = 'cronsim' in sys.modules; c.CronSchedule('* * * * *');"
        "print(before, 'cronsim' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "False True\n"
