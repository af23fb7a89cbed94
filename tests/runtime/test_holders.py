"""What holds an object in memory and for how long, by platform and compatibility date; and how it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from dosim import workers
from dosim.platform.facts import EVICTION_AFTER_US, EVICTION_SPREAD_US, OPERATION_HOLDS_US
from dosim.workers import js
from tests.runtime.socket_stories import SocketStory, echo, standard, texts

SINCE, BEFORE = "2026-10-01", "2026-09-30"
MINUTE = 60


def timer(o: Any) -> None:
    js.setTimeout(lambda: None, 86_400_000)


def wait_until(o: Any) -> None:
    workers.wait_until(asyncio.Event().wait())


async def slow(o: Any) -> None:
    await asyncio.Event().wait()


def call(o: Any) -> None:
    o.story.programs.append(slow)
    o.pending = asyncio.ensure_future(o.env.PEER.getByName("slow").run(len(o.story.programs) - 1))


HOLDS = {"timer": timer, "waitUntil": wait_until, "call": call}
held_by = pytest.mark.parametrize("program", HOLDS.values(), ids=HOLDS.keys())


def left_after(story: SocketStory, limit_s: int = 86_000) -> float | None:
    """Seconds from the start until the room left memory; None: it is still there at the limit."""
    story.rest(limit_s)
    times = [record.t_us for record in story.sim.trace.of_kind("evict") if record.actor == story.room.label]
    return times[0] / 1e6 if times else None


def marked(program: Callable[..., Any], **options: Any) -> SocketStory:
    story = SocketStory(**options)
    story.do(lambda o: program(o) and None)
    return story


@held_by
@pytest.mark.parametrize("date", [BEFORE, SINCE])
def test_the_local_runtime_holds_without_a_bound(program: Any, date: str) -> None:
    """workerd: a timer, a call, waitUntil work hold for as long as they last, at every date [lc-19 lc-20]."""
    assert left_after(marked(program, platform="workerd", compatibility_date=date)) is None


@held_by
def test_production_holds_fifteen_minutes_each(program: Any) -> None:
    """cloudflare from 2026-10-01 on: each keeps the object for 15 minutes at most (changelog, FACTS 5.3)."""
    story = marked(program, platform="cloudflare", compatibility_date=SINCE)
    assert OPERATION_HOLDS_US / 1e6 == pytest.approx(left_after(story), abs=0.1)


def test_fifteen_minutes_are_counted_for_each_operation() -> None:
    """A second timer set after 10 minutes holds until minute 25."""
    story = marked(timer, platform="cloudflare", compatibility_date=SINCE)
    story.rest(10 * MINUTE)
    story.do(timer)
    assert pytest.approx(25 * MINUTE, abs=0.1) == left_after(story)


@held_by
def test_production_before_that_evicts_70_to_140_s_after_the_last_event(program: Any) -> None:
    """Before 2026-10-01 such an object is idle, not hibernatable: evicted 70 to 140 s after its last event
    (FACTS 5.3); over several seeds not always the same."""
    low_s, high_s = EVICTION_AFTER_US / 1e6, (EVICTION_AFTER_US + EVICTION_SPREAD_US) / 1e6
    found = [
        left_after(marked(program, platform="cloudflare", compatibility_date=BEFORE, seed=seed), 200)
        for seed in range(8)
    ]
    assert all(seconds is not None and low_s <= seconds <= high_s + 0.1 for seconds in found)
    assert len(set(found)) > 1


def test_events_restart_the_70_to_140_s() -> None:
    """An event every minute keeps an object with a timer in memory."""
    story = marked(timer, platform="cloudflare", compatibility_date=BEFORE)
    for _ in range(10):
        story.rest(MINUTE)
        story.do(lambda o: None)
    assert 1 == story.room.instance


@pytest.mark.parametrize(
    ("date", "flag", "bounded_s"),
    [
        (BEFORE, "durable_object_io_tasks_prevent_eviction", (900, 901)),
        (SINCE, "no_durable_object_io_tasks_prevent_eviction", (70, 141)),
    ],
)
def test_the_flags_override_the_date(date: str, flag: str, bounded_s: tuple[int, int]) -> None:
    """By name, and by the opposite's name."""
    story = marked(timer, platform="cloudflare", compatibility_date=date, compatibility_flags=[flag])
    left_s = left_after(story, 1000)
    assert left_s is not None
    assert bounded_s[0] <= left_s <= bounded_s[1]


@pytest.mark.parametrize("date", [BEFORE, SINCE])
def test_a_request_in_flight_is_not_bounded(date: str) -> None:
    """A handler that runs for an hour, its caller connected, stays (FACTS 5.1: unlimited while connected)."""
    story = SocketStory(platform="cloudflare", compatibility_date=date)

    async def long(o: Any) -> int:
        o.n = 1
        await asyncio.sleep(3600)
        return o.n

    assert 1 == story.do(long)
    assert 1 == story.room.instance


@pytest.mark.parametrize("date", [BEFORE, SINCE])
def test_hibernatable_sockets_and_alarms_hold_nothing(date: str) -> None:
    """On production as locally: 10 s, then the object hibernates [lc-22 hb-01]."""

    async def alarm(o: Any, info: Any) -> None:
        pass

    story = SocketStory(platform="cloudflare", compatibility_date=date, handlers={"alarm": alarm})
    story.open()

    async def sets(o: Any) -> None:
        await o.ctx.storage.setAlarm(js.Date.now() + 3_600_000)

    story.do(sets)
    story.rest(11)
    assert "hibernated" == story.room.state


def test_what_is_done_in_time_is_dropped_ten_seconds_later() -> None:
    """A timer of a minute: the object leaves 10 s after it has fired, on every platform."""
    for platform in ("workerd", "cloudflare"):
        story = marked(lambda o: js.setTimeout(lambda: None, 60_000), platform=platform, compatibility_date=SINCE)
        assert pytest.approx(70, abs=0.1) == left_after(story, 1000)


def test_an_overstaying_object_loses_its_timers_silently() -> None:
    """The timer never fires, the hibernatable socket stays and wakes a new instance."""
    story = SocketStory(platform="cloudflare", compatibility_date=SINCE, handlers={"webSocketMessage": echo})
    client = story.open()
    client.send("a")
    story.do(lambda o: js.setTimeout(lambda: o.log("fired"), 3_600_000) and None)
    story.rest(2 * 3600)
    client.send("b")
    story.rest()

    assert ["b"] == [event for event in story.events() if event != "a"]
    assert (["a 1", "b 1"], 2) == (texts(client), story.room.instance)


def test_prevent_eviction_has_no_bound_either() -> None:
    """The class stays in memory whatever holds it."""
    story = marked(timer, platform="cloudflare", compatibility_date=SINCE, prevent_eviction=["Room"])
    assert left_after(story, 3600) is None


# -- accept() and passed functions


@pytest.mark.parametrize("platform", ["workerd", "cloudflare"])
def test_an_accepted_socket_holds_until_it_is_closed(platform: str) -> None:
    """accept(): an hour of silence, and the memory is there; 10 s after the close it is gone [hb-04 hb-09]."""
    story = SocketStory(connect=standard, platform=platform)
    client = story.open()
    story.rest(3600)
    assert ("active", 1) == (story.room.state, story.room.instance)
    client.close()
    story.rest(11)
    assert "evicted" == story.room.state


def test_a_vanished_client_lets_go() -> None:
    """The connection is lost: the accepted socket holds nothing any more."""
    story = SocketStory(connect=standard)
    story.open().vanish()
    story.rest(11)
    assert "evicted" == story.room.state


# -- how it is told


def test_why_awake_names_every_holder_with_its_age() -> None:
    """A request, a timer, waitUntil work, a call, a socket: each with since when."""
    story = SocketStory(connect=standard)
    story.open()
    for program in HOLDS.values():
        story.do(program)

    async def long(o: Any) -> None:
        await asyncio.Event().wait()

    story.start(long)
    story.rest(30)
    reasons = story.room.why_awake()

    assert {"request", "socket", "timer", "waitUntil", "call"} == {holder.kind for holder in reasons}
    assert {30_000_000} == {holder.age_us for holder in reasons}
    assert len(reasons) == len(repr(reasons).splitlines())
    assert "for 30 s" in repr(reasons)


def test_a_held_function_is_a_holder() -> None:
    """A caller that keeps a function of the object keeps the object [lc-24]."""
    story = SocketStory()

    async def holder(o: Any) -> None:
        o.story.programs.append(lambda room: lambda: room.n)
        o.function = await o.room().run(len(o.story.programs) - 1)
        await asyncio.sleep(60)

    story.sim.run(story._call(story.sim.env.PEER.getByName("p"), holder, ()), _kinds(story))
    assert [["function"]] == story.events()


async def _kinds(story: SocketStory) -> None:
    await asyncio.sleep(30)
    story.log.append((0, [holder.kind for holder in story.room.why_awake()]))


def test_why_awake_of_an_object_that_nothing_holds() -> None:
    """When it leaves; that it left; that it stays because the class is told to."""
    story = SocketStory()
    story.do(lambda o: None)
    assert "is evicted at t=10.000s" in repr(story.room.why_awake())
    story.rest(11)
    assert "is not in memory: evicted" in repr(story.room.why_awake())

    kept = SocketStory(prevent_eviction=["Room"])
    kept.do(lambda o: None)
    assert "prevent_eviction keeps it in memory." == repr(kept.room.why_awake())


def test_the_trace_says_once_what_holds_it() -> None:
    """A `held` record with the first reason, not one for each turn of an interval."""
    story = marked(lambda o: js.setInterval(lambda: None, 5000))
    story.rest(60)
    assert ["a timer"] == [record.detail["by"] for record in story.sim.trace.of_kind("held")]


@pytest.mark.parametrize(
    ("act", "state"),
    [
        (lambda story: None, "idle"),
        (lambda story: story.rest(11), "evicted"),
        (lambda story: story.open() and story.rest(11), "hibernated"),
        (lambda story: story.do(timer), "active"),
        (lambda story: story.start(lambda o: o.ctx.abort("x")).add_done_callback(lambda d: d.exception())
         or story.rest(1), "inactive"),
    ],
)  # fmt: skip
def test_the_five_states(act: Callable[[SocketStory], Any], state: str) -> None:
    """active, idle, hibernated (with sockets), evicted, inactive (reset)."""
    story = SocketStory()
    story.do(lambda o: None)
    act(story)
    assert state == story.room.state
