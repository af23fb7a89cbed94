"""When a cron expression fires next, in UTC: by the rules of the library that the npm package uses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dosim.agents import InvalidCronExpressionError
from dosim.agents.cron import next_cron

#: A Tuesday.
START = datetime(2026, 12, 1, 10, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("* * * * *", "2026-12-01 10:31:00"),
        ("*/15 * * * *", "2026-12-01 10:45:00"),
        ("5 4 * * *", "2026-12-02 04:05:00"),
        ("0 9 * * 1-5", "2026-12-02 09:00:00"),
        ("0 9 * * mon", "2026-12-07 09:00:00"),
        ("0 0 * * 0", "2026-12-06 00:00:00"),
        ("0 0 * * 7", "2026-12-06 00:00:00"),
        ("0 0 * * sun-mon", "2026-12-06 00:00:00"),
        ("0 0 1 * *", "2027-01-01 00:00:00"),
        ("0 0 13 * 5", "2026-12-04 00:00:00"),  # the 13th or a Friday
        ("0 0 */2 * 5", "2026-12-03 00:00:00"),  # every other day or a Friday
        ("0 0 29 2 *", "2028-02-29 00:00:00"),
        ("0 0 31 4,5 *", "2027-05-31 00:00:00"),
        ("30 10 * * *", "2026-12-02 10:30:00"),  # the minute that has begun is over
        ("0 0 1 JAN *", "2027-01-01 00:00:00"),
        ("*/20 * * * * *", "2026-12-01 10:30:20"),  # six fields: every 20 seconds
        ("15 30 10 * * *", "2026-12-02 10:30:15"),  # strictly after
        ("@hourly", "2026-12-01 11:00:00"),
        ("@daily", "2026-12-02 00:00:00"),
        ("@weekly", "2026-12-06 00:00:00"),
        ("@monthly", "2027-01-01 00:00:00"),
        ("@yearly", "2027-01-01 00:00:00"),
    ],
)
def test_the_next_time(cron: str, expected: str) -> None:
    """From Tuesday, 2026-12-01 10:30:15 on."""
    assert expected == next_cron(cron, START).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("", "has 0 fields; it must have five"),
        ("every day", "has 2 fields"),
        ("* * * * * * *", "has 7 fields"),
        ("60 * * * *", "minute: '60' is not one of 0 to 59"),
        ("* 24 * * *", "hour: '24' is not one of 0 to 23"),
        ("* * 0 * *", "day of month: '0' is not one of 1 to 31"),
        ("* * * 13 *", "month: '13' is not one of 1 to 12"),
        ("* * * * 8", "day of week: '8' is not one of 0 to 7"),
        ("* * * * mond", "day of week: 'mond'"),
        ("5x * * * *", "minute: '5x'"),
        ("9-5 * * * *", "minute: '9-5' begins after it ends"),
        ("*/0 * * * *", "minute: '\\*/0' has a step of 0"),
        ("5/10 * * * *", "minute: '5/10'"),
        ("1,,2 * * * *", "minute: ''"),
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 4 *", "never fires"),
        ("@reboot", "has 1 fields"),
    ],
)
def test_what_cannot_be_read_is_refused(cron: str, why: str) -> None:
    """A ValueError that names the text, the field and an example."""
    with pytest.raises(InvalidCronExpressionError, match=why) as refused:
        next_cron(cron, START)

    assert isinstance(refused.value, ValueError)
    assert f"cron {cron!r}" in str(refused.value)


def test_daylight_saving_is_none_of_its_business() -> None:
    """A daily 02:30 fires at 02:30 UTC through both nights in which European and American clocks jump."""
    time, seen = datetime(2026, 10, 20, tzinfo=UTC), []
    while time < datetime(2027, 4, 5, tzinfo=UTC):
        time = next_cron("30 2 * * *", time)
        seen.append(time)

    assert {(2, 30)} == {(t.hour, t.minute) for t in seen}
    assert {timedelta(days=1)} == {later - earlier for earlier, later in pairwise(seen)}


@st.composite
def fields(draw: st.DrawFn, low: int, high: int) -> tuple[str, set[int]]:
    """A field's text, and the numbers that it names, counted by hand."""
    if draw(st.booleans()):
        return "*", set(range(low, high + 1))
    numbers, terms = set[int](), []
    for _ in range(draw(st.integers(1, 3))):
        first = draw(st.integers(low, high))
        last = draw(st.integers(first, high))
        step = draw(st.integers(1, 5))
        terms.append(f"{first}-{last}/{step}" if draw(st.booleans()) else str(first))
        numbers |= set(range(first, last + 1, step)) if "-" in terms[-1] else {first}
    return ",".join(terms), numbers


@settings(max_examples=200, deadline=None)
@given(fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12), fields(0, 6))
def test_the_next_time_is_the_first_that_matches(
    minute: tuple[str, set[int]],
    hour: tuple[str, set[int]],
    day: tuple[str, set[int]],
    month: tuple[str, set[int]],
    weekday: tuple[str, set[int]],
) -> None:
    """It matches, and no minute before it does: compared with a search day by day."""

    def day_matches(time: datetime) -> bool:
        by_day, by_weekday = time.day in day[1], time.isoweekday() % 7 in weekday[1]
        restricted = len(day[1]) < 31 and len(weekday[1]) < 7
        return time.month in month[1] and (by_day or by_weekday if restricted else by_day and by_weekday)

    assume(weekday[0] != "*" or min(day[1]) < 29)  # some of these never fire
    found = next_cron(" ".join(text for text, _ in (minute, hour, day, month, weekday)), START)
    date = START.date()
    times = [(h, m) for h in sorted(hour[1]) for m in sorted(minute[1])]
    while True:
        midnight = datetime(date.year, date.month, date.day, tzinfo=UTC)
        later = [midnight + timedelta(hours=h, minutes=m) for h, m in times] if day_matches(midnight) else []
        first = next((time for time in later if time > START), None)
        if first is not None:
            break
        date += timedelta(days=1)

    assert first == found
