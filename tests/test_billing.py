"""`dosim.billing` and `dosim.platform.prices` by themselves: meters fed with records by hand, prices, rounding."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from dosim.billing import Bill, Meter, bill_reading
from dosim.billing.lines import amount_text, cost_text, money_text, usd_of
from dosim.platform.prices import PRICE_LISTS, price_list
from dosim.trace import KINDS

S_US = 1_000_000
ROOM = "Room('a')"


class Story:
    """A meter, and records told one after the other in seconds."""

    def __init__(self) -> None:
        self.meter = Meter()
        self.count = 0

    def tell(self, at_s: float, kind: str, actor: str = ROOM, request: int = 0, *detail: Any) -> None:
        assert len(detail) == len(KINDS[kind]), (kind, detail)
        self.count += 1
        self.meter.fold(round(at_s * S_US), self.count, kind, actor, request, 0, detail)

    def call(self, at_s: float, request: int, method: str, via: str = "rpc", *, ends_s: float | None = None) -> None:
        """A call that arrives and starts at once, and its end if it has one by itself."""
        self.tell(at_s, "call", ROOM, request, 0, via, ROOM, method)
        self.tell(at_s, "arrive", ROOM, request, "FRA")
        self.tell(at_s, "start", ROOM, request, 0, "")
        if ends_s is not None:
            self.tell(ends_s, "return", ROOM, request)

    def bill(self, at_s: float, sizes: Mapping[str, int] | None = None, **options: Any) -> Bill:
        return bill_reading(self.meter.read(round(at_s * S_US), sizes), **options)


def held(bill: Bill) -> dict[str, float]:
    return bill.duration_s_by_holder.get(ROOM, {})


# -- duration


def test_a_life_is_billed_from_its_construction() -> None:
    """The constructor, the request, what is held after it; then nothing, until the next event starts."""
    story = Story()
    story.tell(1, "construct", ROOM, 1, 1)
    story.call(3, 1, "join", ends_s=5)
    story.tell(5, "held", ROOM, 0, 1, "an accepted socket")
    story.tell(9, "idle", ROOM, 0, 1)
    story.call(20, 2, "leave", ends_s=21)
    story.tell(21, "idle", ROOM, 0, 1)

    assert held(story.bill(60)) == {
        "its constructor": 2,
        f"request {ROOM}.join": 2,
        "an accepted socket": 4,
        f"request {ROOM}.leave": 1,
    }


def test_the_oldest_request_in_flight_is_the_holder() -> None:
    """Requests that overlap share the time: it is the oldest's, then that of the one that came next."""
    story = Story()
    story.call(0, 1, "slow")
    story.call(1, 2, "slower")
    story.call(2, 3, "quick", ends_s=3)
    story.tell(4, "return", ROOM, 1)
    story.tell(6, "throw", ROOM, 2, "Error: no")
    story.tell(6, "idle", ROOM, 0, 1)

    assert held(story.bill(60)) == {f"request {ROOM}.slow": 4, f"request {ROOM}.slower": 2}


@pytest.mark.parametrize(
    ("kind", "detail"), [("evict", (1, 0, 0)), ("reset", (1, "Error: abort")), ("crash", (1,)), ("idle", (1,))]
)
def test_what_ends_the_duration(kind: str, detail: tuple[object, ...]) -> None:
    """Eviction, reset, crash and idleness, whatever was in flight."""
    story = Story()
    story.tell(0, "construct", ROOM, 1, 1)
    story.call(0, 1, "work")
    story.tell(7, kind, ROOM, 0, *detail)

    assert held(story.bill(60)) == {f"request {ROOM}.work": 7}


def test_an_object_that_is_held_now_is_billed_until_now() -> None:
    """A reading in the middle of a hold takes what has passed, and the next one the rest."""
    story = Story()
    story.tell(0, "construct", ROOM, 1, 1)
    story.tell(0, "held", ROOM, 0, 1, "a timer")
    first = story.bill(4)

    assert held(first) == {"a timer": 4}
    assert held(story.bill(10, since=first)) == {"a timer": 6}
    assert held(story.bill(10)) == {"a timer": 10}


def test_a_call_without_an_end_does_not_outlive_the_idleness() -> None:
    """An alarm's run that is skipped has no end of its own; the next request is not billed for it."""
    story = Story()
    story.call(0, 1, "alarm", "alarm")
    story.tell(2, "idle", ROOM, 0, 1)
    story.call(10, 2, "work", ends_s=12)
    story.tell(15, "idle", ROOM, 0, 1)

    assert held(story.bill(60)) == {f"request {ROOM}.alarm": 2, f"request {ROOM}.work": 5}


def test_a_held_object_forgets_its_requests() -> None:
    """What holds it after them is the holder until the next one starts."""
    story = Story()
    story.call(0, 1, "alarm", "alarm")
    story.tell(2, "held", ROOM, 0, 1, "a timer")
    story.call(5, 2, "work", ends_s=6)
    story.tell(6, "held", ROOM, 0, 1, "a timer")

    assert held(story.bill(10)) == {f"request {ROOM}.alarm": 2, "a timer": 7, f"request {ROOM}.work": 1}


def test_duration_is_128_mb_whatever_is_used() -> None:
    """A second is 0.128 GB-s."""
    story = Story()
    story.call(0, 1, "work")

    assert story.bill(1000).quantity("do_duration") == 128


# -- requests and storage


def test_a_call_that_never_arrives_is_no_request() -> None:
    story = Story()
    story.tell(0, "call", ROOM, 1, 0, "rpc", ROOM, "lost")
    story.call(1, 2, "found")

    assert story.bill(2).quantity("do_requests") == 1


def test_messages_are_twentieths() -> None:
    """Of both kinds of sockets; closes and errors are free."""
    story = Story()
    for request, (via, method) in enumerate(
        [
            ("websocket", "webSocketMessage"),
            ("websocket", "webSocketClose"),
            ("websocket", "webSocketError"),
            ("listener", "message listener"),
            ("listener", "close listener"),
            ("callback", "function"),
        ],
        1,
    ):
        story.call(0, request, method, via, ends_s=0)

    assert story.bill(1).quantity("do_requests") == Fraction(2, 20)


@pytest.mark.parametrize("label", ["worker@FRA", "https://api.example/(a)", "assets", "billing.Admin"])
def test_calls_to_what_is_no_object_are_not_its_requests(label: str) -> None:
    story = Story()
    story.tell(0, "call", label, 1, 0, "fetch", label, "fetch")
    story.tell(0, "arrive", label, 1, "FRA")

    assert story.bill(1).quantity("do_requests") == 0


def test_a_stay_in_memory_counts_with_its_size_at_the_end() -> None:
    """Out of memory nothing changes; what was there at the eviction counts for the stay before it."""
    gb, day_s = 10**9, 86_400
    story = Story()
    story.tell(0, "construct", ROOM, 1, 1)
    story.tell(10 * day_s, "evict", ROOM, 0, 1, 0, 3 * gb)
    story.tell(20 * day_s, "construct", ROOM, 2, 2)
    bill = story.bill(30 * day_s, {ROOM: 6 * gb})

    assert bill.quantity("do_stored") == (3 * 10 + 3 * 10 + 6 * 10) * Fraction(1, 30)
    assert bill.by_object[ROOM].gb_months == 4


# -- months


def _used(**quantities: int) -> Bill:
    """The bill of 30 days in which these were used."""
    story = Story()
    for meter, count in quantities.items():
        story.meter._totals[meter] = count
    return story.bill(30 * 86_400)


def test_a_month_subtracts_what_is_included_and_rounds_up() -> None:
    """Durable Objects by whole millions; what is included costs nothing, and the plan itself $5."""
    just, more = _used(do_requests=20 * 1_000_000), _used(do_requests=20 * 1_000_001)

    assert just.per_month().usd == Decimal("5.00")
    assert more.per_month().usd == Decimal("5.15")
    assert more.per_month().lines[1].billable == 1_000_000
    assert more.usd == usd_of(Fraction(15, 100_000_000) * 1_000_001)


@pytest.mark.parametrize(
    ("requests", "cpu_ms", "usd"), [(15_000_000, 105_000_000, "8.00"), (100_000_000, 700_000_000, "45.40")]
)
def test_workers_examples_of_the_price_page(requests: int, cpu_ms: int, usd: str) -> None:
    """docs/workers/platform/pricing, examples 1 and 4: 7 ms of CPU time a request; nothing is rounded up."""
    bill = _used(worker_requests=requests, worker_cpu=cpu_ms * 1000)

    assert bill.per_month().usd == Decimal(usd)


def test_queues_example_of_the_price_page() -> None:
    """docs/queues/platform/pricing: a million messages a day, written, read and deleted, are $35.60 beside the plan."""
    assert _used(queue_operations=3 * 30 * 1_000_000).per_month().usd == 5 + Decimal("35.60")


def test_r2_example_of_the_price_page() -> None:
    """docs/r2/pricing, asset hosting: 100,000 writes and 300 million reads are $104.40; on the free plan too."""
    story = Story()
    story.meter._totals.update(r2_class_a=100_000, r2_class_b=300_000_000)

    assert story.bill(30 * 86_400).per_month().usd == 5 + Decimal("104.40")
    assert story.bill(30 * 86_400, plan="free").per_month().usd == Decimal("104.40")


@pytest.mark.parametrize(
    ("meter", "included", "one", "usd"),
    [
        ("do_requests", 1_000_000 * 20, 20, "0.15"),
        ("do_duration", 400_000 * 1000 * S_US // 128, 1000, "12.50"),
        ("do_rows_read", 25_000_000_000, 1, "0.001"),
        ("do_rows_written", 50_000_000, 1, "1.00"),
        ("do_stored", 5 * 10**9 * 30 * 86_400 * S_US, 1, "0.20"),
        ("r2_stored", 10 * 10**9 * 30 * 86_400 * S_US, 1, "0.015"),
    ],
)
def test_what_is_included_is_free_and_a_bit_more_is_a_whole_unit(meter: str, included: int, one: int, usd: str) -> None:
    """The tables of the price pages: allowances of the paid plan, and the price of the first unit beyond."""
    assert _used(**{meter: included}).per_month().usd == 5
    assert _used(**{meter: included + one}).per_month().usd == 5 + Decimal(usd)


def test_a_month_is_scaled_multiplied_and_what_happens_once_is_not() -> None:
    """An hour of 10 requests, 5 times, 31 days; and 7 requests once for each."""
    story = Story()
    for request in range(7):
        story.call(0, request + 1, "connect", ends_s=0)
    once = story.bill(10)
    for request in range(10):
        story.call(11, request + 100, "work", ends_s=11)
    month = story.bill(3610, since=once).per_month(days=31, times=5, once=once)

    assert month.quantity("do_requests") == 5 * (10 * 24 * 31 + 7)


# -- the free plan


def test_days_end_at_midnight_utc() -> None:
    """A hold over midnight is split; the simulated clock starts at midnight of 2026-12-01."""
    story = Story()
    story.call(86_400 - 60, 1, "work", ends_s=86_400 + 30)
    story.tell(86_400 + 30, "idle", ROOM, 0, 1)
    bill = story.bill(3 * 86_400)
    days = {day: each.get("do_duration") for day, each in bill._use.days.items()}

    assert days == {
        date(2026, 12, 1): 60 * Fraction(128, 1000),
        date(2026, 12, 2): 30 * Fraction(128, 1000),
        date(2026, 12, 3): 0,
    }


def test_what_is_stored_beyond_the_free_gigabytes_is_named() -> None:
    story = Story()
    story.tell(0, "stored", "KV main", 0, 2 * 10**9)
    bill = story.bill(86_400, plan="free")

    assert [(each.what, each.quantity, each.allowance) for each in bill.exceeded] == [("KV stored data", 2, 1)]
    assert [(each.day, each.quantity) for each in bill.per_month().exceeded] == [(None, 2)]


def test_queues_are_on_the_free_plan_since_february_2026() -> None:
    """Before, one operation is too much."""
    story = Story()
    story.tell(0, "operations", "queue jobs", 0, "write", 1)

    assert story.bill(10, plan="free").exceeded == ()
    (exceeded,) = story.bill(10, plan="free", prices="2026-02-03").exceeded
    assert (exceeded.what, exceeded.allowance) == ("Queues operations", 0)


# -- price lists


def test_the_newest_list_that_is_not_after_a_day() -> None:
    """By text, date or datetime; the SQLite storage of objects costs since 2026-01-07."""
    story = Story()
    story.call(0, 1, "work", ends_s=0)
    story.tell(0, "rows", ROOM, 1, 0, 1_000_000)

    assert price_list("2026-01-06") is PRICE_LISTS[0]
    assert price_list(date(2026, 1, 7)) is PRICE_LISTS[1]
    assert price_list(datetime(2030, 1, 1, tzinfo=UTC)) is PRICE_LISTS[-1]
    assert story.bill(10).usd - story.bill(10, prices="2026-01-06").usd == 1


def test_every_price_names_its_document() -> None:
    """And lists are in order of their dates, each with one price for a meter."""
    dates = [known.since for known in PRICE_LISTS]

    assert dates == sorted(dates)
    for known in PRICE_LISTS:
        assert known.source.startswith("changelog/")
        assert len({price.meter for price in known.prices}) == len(known.prices)
        assert all(price.source.startswith(("docs/", "partials/")) for price in known.prices)
        assert all((price.day is None) or (price.total is None) for price in known.prices)


# -- numbers


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        ("5", "$5.00"),
        ("142.95", "$142.95"),
        ("0.0024", "$0.0024"),
        ("34895.5", "$34,895.50"),
        ("3.00E-7", "$0.0000003"),
        ("0.0024143", "$0.0024143"),
    ],
)
def test_money_is_told_in_full(usd: str, text: str) -> None:
    assert money_text(Decimal(usd)) == text


def test_money_is_exact_to_a_millionth_and_to_three_digits() -> None:
    """Halves are rounded up; binary fractions play no part; what is tiny is not rounded away."""
    assert usd_of(Fraction(20_000_005, 10_000_000)) == Decimal("2.000001")
    assert usd_of(Fraction(1, 2_000_000)) == Decimal("0.0000005")
    assert usd_of(Fraction(1, 3_000_000)) == Decimal("0.000000333")
    assert usd_of(Fraction(0)) == 0
    assert cost_text(Fraction(1, 10**11)) == "< $0.000000001"
    assert usd_of(Fraction(1, 10) + Fraction(2, 10)) == Decimal("0.3")


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Fraction(12_960_100), "12,960,100"),
        (Fraction(1, 3), "0.333"),
        (Fraction(1, 10**7), "1e-07"),
        (Fraction(0), "0"),
    ],
)
def test_quantities_for_people(amount: Fraction, text: str) -> None:
    assert amount_text(amount) == text
