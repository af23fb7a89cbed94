"""What a run leaves open: each kind of decision does what its sentence says, and nothing else is open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from dosim import Simulation
from dosim.platform.facts import EPOCH_MS, FAILOVER_US
from dosim.web.errors import JsException
from dosim.workers import DurableObject, Response, WorkerEntrypoint, js


class Echo(DurableObject):
    """Says what this instance has heard so far."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.heard = ""
        self.stub: Any = None

    async def hear(self, text: str) -> str:
        self.heard += text
        return self.heard

    async def keep(self, text: str) -> str:
        await self.ctx.storage.put("kept", text)
        return text

    async def kept(self) -> Any:
        return await self.ctx.storage.get("kept")

    async def keep_later(self, text: str) -> str:
        await asyncio.sleep(1)
        await self.ctx.storage.put("kept", text)
        return text

    async def block(self) -> None:
        async def inside() -> None:
            await asyncio.sleep(1)

        await self.ctx.blockConcurrencyWhile(inside)

    async def ask(self, text: str, shared: bool) -> str:
        """Let another object hear it, by a stub that all requests share, or by one of its own; note who is answered."""
        if self.stub is None:
            self.stub = self.env.ECHO.getByName("other")
        stub = self.stub if shared else self.env.ECHO.getByName("other")
        await stub.hear(text)
        self.heard += text
        return self.heard

    async def tasks(self) -> str:
        async def twice(letter: str) -> None:
            self.heard += letter
            await asyncio.sleep(0)
            self.heard += letter

        await asyncio.gather(twice("a"), twice("b"))
        return self.heard

    async def timers(self) -> str:
        async def later(letter: str) -> None:
            await asyncio.sleep(1)
            self.heard += letter

        await asyncio.gather(later("a"), later("b"))
        return self.heard

    async def set_alarm(self, in_ms: int) -> None:
        await self.ctx.storage.setAlarm(EPOCH_MS + in_ms)

    async def alarm(self, info: Any = None) -> None:
        rang = await self.ctx.storage.get("rang") or ()
        await self.ctx.storage.put("rang", [*rang, js.Date.now() - EPOCH_MS])

    async def rang(self) -> Any:
        return await self.ctx.storage.get("rang")


def stub(sim: Simulation, name: str = "a") -> Any:
    return sim.env.ECHO.getByName(name)


def told(schedule: str, story: Callable[[Simulation], Any], **options: Any) -> tuple[Any, list[str]]:
    """What a story comes to under a schedule, or its error's text; and what was otherwise than in a plain run."""
    sim = Simulation(**{"durable_objects": {"ECHO": Echo}, "network": None, "schedule": schedule, **options})
    try:
        result = story(sim)
    except JsException as error:
        result = error.message
    return result, [record.detail["text"] for record in sim.trace if record.kind == "choice"]


def two_stubs(sim: Simulation) -> Any:
    return sim.run(stub(sim).hear("1"), stub(sim).hear("2"))


def one_stub(sim: Simulation) -> Any:
    one = stub(sim)
    return sim.run(one.hear("1"), one.hear("2"))


def one_after_the_other(sim: Simulation) -> Any:
    return [sim.run(stub(sim).hear(text)) for text in "12"]


def behind_a_section(sim: Simulation) -> Any:
    return sim.run(stub(sim).block(), stub(sim).hear("1"), stub(sim).hear("2"))[1:]


def kept(sim: Simulation) -> Any:
    """A write, which somebody was told of or not; and what is there after it."""
    try:
        said = sim.run(stub(sim).keep("x"))
    except JsException as error:
        said = error.message
    return said, sim.run(stub(sim).kept())


def alarms(sim: Simulation) -> Any:
    sim.run(stub(sim).set_alarm(1_000))
    sim.run(until="5m")
    return sim.run(stub(sim).rang())


# -- orders


def test_event_two_calls_on_two_stubs_may_arrive_in_either_order() -> None:
    """They were sent at the same instant, and no promise is about two stubs."""
    text = "#2 Echo('a').hear comes before #1 Echo('a').hear"

    assert (["1", "12"], []) == told("", two_stubs)
    assert (["21", "2"], [text]) == told("event1=1", two_stubs)


def test_event_a_place_behind_the_end_of_the_line_is_its_end() -> None:
    """A schedule of a longer line still says something."""
    assert told("event1=1", two_stubs) == told("event1=9", two_stubs)


def test_calls_on_one_stub_never_overtake_each_other() -> None:
    """Whatever is decided: the same event number, another place, a longer way of the first."""
    for schedule in ("event1=1", "event2=1", "event1=1,event2=1", "delay1=1s", "delay1=1s,event1=1"):
        assert ["1", "12"] == told(schedule, one_stub)[0]


def test_timers_of_one_object_never_overtake_each_other() -> None:
    """Two timers of one instant have one order."""
    sim = Simulation(durable_objects={"ECHO": Echo}, network=None, schedule="")

    assert "ab" == sim.run(stub(sim).timers())
    assert 0 == sim.world.chooser.counts["event"]  # type: ignore[union-attr]


def test_waiter_who_waits_at_a_gate_may_go_before_who_waited_longer() -> None:
    """Two requests wait for the end of a critical section."""
    text = "#3 Echo('a').hear goes before #2 Echo('a').hear, who waited longer"

    assert (["1", "12"], []) == told("", behind_a_section)
    assert (["21", "2"], [text]) == told("waiter1=1", behind_a_section)


@pytest.mark.parametrize(("shared", "decisions"), [(True, 0), (False, 1)], ids=["one stub", "two stubs"])
def test_answers_on_one_stub_keep_their_order_at_the_gate(shared: bool, decisions: int) -> None:
    """Two requests of one object wait for answers, which wait for a section: open only if they came on two stubs."""

    def story(sim: Simulation) -> Any:
        asked = [stub(sim).ask(text, shared) for text in "12"]
        sim.run(until="1ms")
        return sim.run(stub(sim).block(), *asked)[1:]

    def counted(sim: Simulation) -> int:
        late = "delay3=10ms,delay4=10ms"  # the answers come while the section runs
        assert late == str(sim.world.chooser.schedule)  # type: ignore[union-attr]
        assert ["1", "12"] == story(sim)
        return sim.world.chooser.counts["waiter"]  # type: ignore[union-attr]

    assert decisions == told("delay3=10ms,delay4=10ms", counted)[0]


def test_ready_another_task_of_the_turn_runs_first() -> None:
    """Only a schedule that names it opens this order: the platform promises it."""
    text = "Task-2 (twice) runs before Task-1 (twice), which was ready first"

    assert ("abab", []) == told("", lambda sim: sim.run(stub(sim).tasks()))
    assert ("baba", [text]) == told("ready1=1", lambda sim: sim.run(stub(sim).tasks()))


def test_delay_a_message_takes_longer() -> None:
    """The first request is overtaken; the time of the answer says by how much it was late."""

    def answered_us(sim: Simulation) -> int:
        sim.run(stub(sim).hear("1"))
        return sim.world.loop.now_us

    for name, late_us in (("1ms", 1_000), ("10ms", 10_000), ("100ms", 100_000), ("1s", 1_000_000)):
        request = f"the request of #1 Echo('a').hear takes {name} longer"
        reply = f"the reply of #1 Echo('a').hear takes {name} longer"

        assert (late_us, [request]) == told(f"delay1={name}", answered_us)
        assert (late_us, [reply]) == told(f"delay2={name}", answered_us)
    assert ["21", "2"] == told("delay1=1ms", two_stubs)[0]


def test_retry_a_request_that_was_lost_is_not_sent_again() -> None:
    """Plainly the platform sends it again; that it gives up is a decision of its own."""
    lost = "the request of #1 Echo('a').hear is lost"

    assert (["1", "12"], [lost]) == told("message1=request_lost", one_after_the_other)
    assert ("Network connection lost.", [lost, "#1 Echo('a').hear is not sent again"]) == told(
        "message1=request_lost,retry1=never", one_after_the_other
    )


# -- faults of objects


def test_evict_memory_is_lost_and_nobody_notices() -> None:
    """The next request is of a new instance."""
    text = "Echo('a') is evicted before #2 Echo('a').hear"

    assert (["1", "12"], []) == told("", one_after_the_other)
    assert (["1", "2"], [text]) == told("object1=evict", one_after_the_other)


def test_evict_never_comes_while_a_request_is_in_the_object() -> None:
    """A request holds an object in memory (recorded); what a schedule says otherwise does not come."""

    def story(sim: Simulation) -> Any:
        return sim.run(stub(sim).keep_later("x"))

    crash = "Echo('a') crashes before a timer of #1 Echo('a').keep_later, while #1 Echo('a').keep_later waits at "

    assert ("x", []) == told("object1=evict", story)
    error, texts = told("object1=crash", story)
    assert "Network connection lost." == error
    assert texts[0].startswith(crash) and texts[0].endswith("(await asyncio.sleep(1))")


def test_evict_never_comes_to_a_class_that_is_kept_in_memory() -> None:
    """prevent_eviction of the simulation holds here, too."""
    assert (["1", "12"], []) == told("object1=evict", one_after_the_other, prevent_eviction=["Echo"])


def test_crash_nobody_is_told_of_what_is_stored() -> None:
    """At the instant at which a write is confirmed, before the output gate opens for the answer; or after it."""
    assert (("x", "x"), []) == told("", kept)
    assert (("Network connection lost.", "x"), ["Echo('a') crashes before its output gate opens"]) == told(
        "object1=crash", kept
    )
    assert (("x", "x"), ["Echo('a') crashes before #2 Echo('a').kept"]) == told("object2=crash", kept)


def test_crash_what_was_not_confirmed_is_lost() -> None:
    """Another event comes while a write waits for its confirmation, and with it the crash."""

    def story(sim: Simulation) -> Any:
        keeping = stub(sim).keep("x")
        sim.run(until="1ms")
        heard = sim.run(stub(sim).hear("1"))
        try:
            said = sim.run(keeping)
        except JsException as error:
            said = error.message
        return heard, said, sim.run(stub(sim).kept())

    assert (("1", "x", "x"), []) == told("", story)
    assert (("1", "Network connection lost.", None), ["Echo('a') crashes before #2 Echo('a').hear"]) == told(
        "object1=crash", story
    )


def test_evict_what_is_written_is_confirmed_all_the_same() -> None:
    """An idle object may leave memory while its output gate still holds the answer."""
    assert (("x", "x"), ["Echo('a') is evicted before its output gate opens"]) == told("object1=evict", kept)


def test_reset_whoever_calls_is_told_and_what_is_stored_stays() -> None:
    """The call that was under way reads the platform's text for a reset."""
    text = "Echo('a') is reset before #2 Echo('a').hear"

    assert ("Durable Object connection closed because the object was reset.", [text]) == told(
        "object1=reset", one_after_the_other
    )


def test_deploy_whoever_calls_is_told_of_new_code() -> None:
    """The same code again: memory is lost, with the platform's text for an update."""
    text = "Echo('a') is updated by a deploy before #2 Echo('a').hear"

    assert ("Durable Object reset because its code was updated.", [text]) == told("object1=deploy", one_after_the_other)


# -- faults of messages, disks, alarms


def test_request_lost_nothing_has_happened_yet() -> None:
    """The request is sent again, after the one that was sent later."""
    assert (["21", "2"], ["the request of #1 Echo('a').hear is lost"]) == told("message1=request_lost", two_stubs)


def test_reply_lost_it_happened_and_the_caller_is_not_told() -> None:
    """The write is there; its caller has an error."""
    assert (("Network connection lost.", "x"), ["the reply of #1 Echo('a').keep is lost"]) == told(
        "message2=reply_lost", kept
    )


def test_disk_fails_the_write_is_lost_and_the_object_reset() -> None:
    """The caller reads the platform's text for storage that did not answer."""
    error = "Durable Object storage operation exceeded timeout which caused object to be reset."

    assert ((error, None), ["a commit of Echo('a') fails"]) == told("commit1=disk_fails", kept)


def test_alarm_late_it_comes_a_failover_later() -> None:
    """A minute: the scheduler's machine was gone."""
    text = f"the alarm of Echo('a') comes {FAILOVER_US // 1_000_000} s late"

    assert ([1_000], []) == told("", alarms)
    assert ([1_000 + FAILOVER_US // 1_000], [text]) == told("alarm1=alarm_late", alarms)


def test_alarm_twice_it_runs_once_more_although_it_succeeded() -> None:
    """At least once, as documented; the second run is a retry, two seconds later or up to a quarter more."""
    rang, texts = told("alarm1=alarm_twice", alarms)

    assert ["the alarm of Echo('a') runs once more although it succeeds"] == texts
    assert 1_000 == rang[0] and 3_000 <= rang[1] <= 3_500 and 2 == len(rang)


def test_a_fault_that_cannot_come_there_does_not_come() -> None:
    """A request cannot be lost where a reply leaves."""
    assert (["1", "12"], []) == told("message3=request_lost,alarm1=alarm_late,commit1=disk_fails", two_stubs)


# -- sockets


class Room(DurableObject):
    async def fetch(self, request: Any) -> Any:
        mine, theirs = js.WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(theirs)
        return Response(None, status=101, web_socket=mine)

    async def webSocketMessage(self, socket: Any, message: Any) -> None:
        log = [*(await self.ctx.storage.get("log") or ()), message]
        await self.ctx.storage.put("log", log)
        socket.send(f"{len(log)}:{message}")

    async def log(self) -> Any:
        return await self.ctx.storage.get("log")


class Door(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Any:
        return await self.env.ROOM.getByName("r").fetch(request)


def chat(schedule: str, sockets: int, **options: Any) -> tuple[Any, list[str], Simulation]:
    """Each client opens a socket; then they send "a", "b", … at one instant, in turns, two messages each."""
    sim = Simulation(Door, durable_objects={"ROOM": Room}, network=None, schedule=schedule, **options)
    clients = [sim.run(sim.client().websocket("wss://room.example/")) for _ in range(sockets)]
    for number in range(2 * sockets):
        clients[number % sockets].send("abcd"[number])
    sim.run(until="5s")
    log = sim.run(sim.env.ROOM.getByName("r").log())
    return log, [record.detail["text"] for record in sim.trace if record.kind == "choice"], sim


def test_a_frame_takes_longer_and_the_next_of_its_socket_with_it() -> None:
    """Frames of one socket keep their order; those of the other socket overtake both."""
    log, texts, _ = chat("delay9=100ms", 2)

    assert (["b", "d", "a", "c"], ["a frame from client 1 to Room('r') on socket 1 takes 100ms longer"]) == (log, texts)


def test_a_frame_of_another_socket_may_come_first() -> None:
    """Two frames that arrive at one instant, on two sockets."""
    plain, nothing, _ = chat("", 2)
    log, texts, _ = chat("event1=1", 2)

    assert (["a", "b", "c", "d"], []) == (plain, nothing)
    assert "b" == log[0] and log.index("a") < log.index("c") and log.index("b") < log.index("d")
    assert ["a frame for Room('r') on socket 2 comes before a frame for Room('r') on socket 1"] == texts


def test_frames_of_one_socket_leave_nothing_open() -> None:
    """One socket, two messages at one instant: no order is decided."""
    log, _, sim = chat("", 1)

    assert ["a", "b"] == log
    assert 0 == sim.world.chooser.counts["waiter"]  # type: ignore[union-attr]


def test_an_object_hibernates_between_two_frames() -> None:
    """Eviction before a frame: the socket stays, memory goes, the frame wakes a new instance."""
    log, texts, sim = chat("object1=evict", 1)

    assert ["a", "b"] == log
    assert ["Room('r') is evicted before a frame for Room('r') on socket 1"] == texts
    assert [1, 2] == [record.detail["instance"] for record in sim.trace if record.kind == "construct"]
