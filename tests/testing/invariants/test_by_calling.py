"""Invariants with a parameter, and those about money, alarms, effects and liveness."""

from __future__ import annotations

import time
from typing import Any

import pytest

from dosim import Simulation
from dosim.simulation.errors import ForkError
from dosim.testing.invariants import (
    InvariantViolated,
    cost_below,
    eventually,
    exactly_once_effect,
    idempotent_alarm,
    never_wakes_only_itself,
    tuned,
)
from dosim.workers import DurableObject, fetch
from tests.testing.invariants.worlds import Counter, Default, counting

MAIL = "https://mail.example"


class Ticker(DurableObject):
    """Wakes itself every thirty seconds, for ever."""

    async def start(self) -> None:
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + 30_000)

    async def alarm(self, info: Any = None) -> None:
        await self.start()


class Budgeted(Ticker):
    """As long as there is something left to do."""

    async def alarm(self, info: Any = None) -> None:
        left = (
            await self.ctx.storage.get(
                "left",
            )
        ) or 5
        if left > 1:
            await self.ctx.storage.put("left", left - 1)
            await self.start()


def ticking(cls: type, for_: str = "1h") -> Simulation:
    sim = Simulation(durable_objects={"TICKER": cls}, seed=4)
    sim.run(sim.env.TICKER.getByName("a").start())
    sim.run(for_=for_)
    return sim


# -- never_wakes_only_itself


def test_an_object_that_wakes_only_itself_is_told_with_its_pace() -> None:
    """
    Twenty alarms in a row without anybody else: since when, how often a day.
    """
    sim = ticking(Ticker)
    with pytest.raises(InvariantViolated) as caught:
        never_wakes_only_itself(sim)

    assert (
        "never_wakes_only_itself: Ticker('a') was woken 20 times in a row by its own alarm, from t=30.000000s to"
        " t=600.000000s, 30 s apart, and nobody else asked anything of it. At this pace: 2,880 wakes a day, for every"
        " object of its kind, until somebody looks at the bill."
    ) == str(caught.value)
    with pytest.raises(InvariantViolated):
        never_wakes_only_itself(sim.trace)


def test_an_alarm_with_a_budget_is_no_loop() -> None:
    """
    Five wakes and then silence.
    """
    never_wakes_only_itself(ticking(Budgeted))


def test_somebody_who_asks_now_and_then_ends_the_row() -> None:
    """
    The same ticker with a call every five minutes; and rows are as long, and gaps as wide, as one says.
    """
    sim = ticking(Ticker, "5m")
    for _ in range(10):
        sim.run(sim.env.TICKER.getByName("a").start())
        sim.run(for_="5m")

    never_wakes_only_itself(sim)
    tuned(never_wakes_only_itself, alarms=5, apart="20s")(sim)
    with pytest.raises(InvariantViolated, match="woken 5 times in a row"):
        tuned(never_wakes_only_itself, alarms=5)(sim)
    with pytest.raises(ValueError, match="alarms=1 is no row"):
        never_wakes_only_itself(sim, alarms=1)


# -- cost_below


def test_a_ceiling_of_a_month_and_of_a_run() -> None:
    """
    The base fee of the plan is part of a month; a run is billed at list prices; the dearest lines and objects are told.
    """
    sim = ticking(Ticker)
    month, run = sim.bill().per_month().usd, sim.bill().usd

    cost_below(usd=month)(sim)
    cost_below(usd=month)(sim.trace)
    cost_below(usd=run, per="run")(sim)
    with pytest.raises(InvariantViolated) as caught:
        cost_below(usd=4.5)(sim)
    assert str(caught.value).startswith(
        f"cost_below(usd=4.5, per='month'): a month like this costs ${month:,.2f}, more than $4.5. Measured: 1 h"
    )
    assert "Ticker('a'): 121 requests, 0 rows read, 121 rows written" in str(caught.value)
    with pytest.raises(InvariantViolated, match=r"this run cost \$0.000"):
        cost_below(usd=0, per="run")(sim)
    with pytest.raises(InvariantViolated, match="1000000 such populations"):
        cost_below(usd=100, times=1_000_000)(sim)


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"usd": None}, TypeError, "usd=None is no amount of money"),
        ({"usd": "much"}, ValueError, "usd='much' is no amount of money"),
        ({"usd": -1}, ValueError, "usd=-1 is no ceiling"),
        ({"usd": 1, "per": "year"}, ValueError, "per='year' is not known"),
        ({"usd": 1, "times": 0}, ValueError, "times=0 is not possible"),
        ({"usd": 1, "times": 2, "per": "run"}, ValueError, "times= is about a month"),
    ],
)
def test_ceilings_that_are_none(arguments: dict[str, Any], error: type[Exception], said: str) -> None:
    """
    The argument is named, and what to give.
    """
    with pytest.raises(error, match=said):
        cost_below(**arguments)


# -- eventually


class Queue(DurableObject):
    """Delivers what it has by alarm; a stubborn one gives up at the first failure."""

    async def add(self, item: str) -> None:
        await self.ctx.storage.put("item", item)
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + 1_000)

    async def alarm(self, info: Any = None) -> None:
        await fetch(f"{MAIL}/send", method="POST", body=await self.ctx.storage.get("item"))
        await self.ctx.storage.delete("item")

    async def waiting(self) -> bool:
        return await self.ctx.storage.get("item") is not None


class GivesUp(Queue):
    async def alarm(self, info: Any = None) -> None:
        try:
            await super().alarm(info)
        except Exception:
            return  # it will be tried again some time, surely


def delivering(cls: type) -> Simulation:
    """One letter, whose first delivery meets a mail service in trouble."""
    sim = Simulation(durable_objects={"QUEUE": cls}, seed=4)
    sim.external(MAIL, lambda request: "ok")
    sim.run(sim.env.QUEUE.getByName("a").add("letter"))
    sim.lose("reply", method="fetch")
    return sim


async def delivered(sim: Simulation) -> bool:
    return not await sim.env.QUEUE.getByName("a").waiting()


def test_what_comes_back_after_the_last_fault() -> None:
    """
    An alarm that failed is retried: the letter leaves within a minute of the fault.
    """
    sim = delivering(Queue)
    eventually(delivered, within="1m")(sim)

    assert "eventually(delivered)" == eventually(delivered).__name__


def test_what_never_comes_back_is_told() -> None:
    """
    The failure was swallowed, so nothing retries: the last fault, when it was asked, and that nothing is under way.
    """
    sim = delivering(GivesUp)
    since = sim.trace.of_kind("fault")[-1].t_us / 1e6
    with pytest.raises(InvariantViolated) as caught:
        eventually(delivered, within="5m")(sim)

    assert (
        f"eventually(delivered): The last fault, lose of reply of anybody, was at t={since:.6f}s. Nobody has undone"
        f" lose of reply of anybody. At t={sim.now.us / 1e6:.6f}s, 5 min later, it still does not hold. No call is"
        " under way. No alarm is set."
    ) == str(caught.value)


def test_a_partition_that_nobody_repairs_is_named() -> None:
    """
    Asking fails as long as it lasts: the error is told, and which faults still stand.
    """
    sim = counting()

    async def answers(sim: Simulation) -> bool:
        return (await sim.client("London").fetch("https://app.example/")).status == 200

    eventually(answers)(sim)
    sim.partition("London", sim.network.entry("London"))
    with pytest.raises(InvariantViolated, match=r"Nobody has undone partition of London, London"):
        eventually(answers, within="30s")(sim)
    sim.repair("London", sim.network.entry("London"))
    eventually(answers)(sim)


def test_eventually_of_a_trace_looks_at_its_end() -> None:
    """
    Nothing can be run on there.
    """
    trace = counting().trace

    eventually(lambda trace: len(trace.of_kind("evict")) == 3)(trace)
    with pytest.raises(InvariantViolated, match="it does not hold where the trace ends"):
        eventually(lambda trace: len(trace.of_kind("evict")) == 4)(trace)
    with pytest.raises(TypeError, match="condition=3 cannot be called"):
        eventually(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="within=5 has no unit"):
        eventually(lambda trace: True, within=5)


# -- effects and alarms


class Bill(DurableObject):
    """Reminds by e-mail, once: it believes."""

    async def remind(self) -> None:
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + 5_000)

    async def alarm(self, info: Any = None) -> None:
        await fetch(f"{MAIL}/send", method="POST", body="your bill")
        await self.ctx.storage.put("sent", True)


class Counting(Bill):
    async def alarm(self, info: Any = None) -> None:
        await self.ctx.storage.put("sent", (await self.ctx.storage.get("sent") or 0) + 1)


class Marked(Bill):
    async def alarm(self, info: Any = None) -> None:
        if not await self.ctx.storage.get("sent"):
            await super().alarm(info)


class Keyed(Bill):
    async def alarm(self, info: Any = None) -> None:
        headers = {"Idempotency-Key": self.ctx.id.name}
        await fetch(f"{MAIL}/send", method="POST", body="your bill", headers=headers)
        await self.ctx.storage.put("sent", True)


class FreshKey(Bill):
    """Makes a new key for each attempt, which protects nothing."""

    async def alarm(self, info: Any = None) -> None:
        headers = {"Idempotency-Key": str(time.time())}
        await fetch(f"{MAIL}/send", method="POST", body="your bill", headers=headers)


def reminding(cls: type, *, twice: bool = False) -> Simulation:
    sim = Simulation(durable_objects={"BILL": cls}, seed=4)
    sim.external(MAIL, lambda request: "ok")
    sim.run(sim.env.BILL.getByName("ann").remind())
    if twice:
        sim.alarm_twice("ann")
    sim.run(for_="1m")
    return sim


@pytest.mark.parametrize("cls", [Bill, FreshKey], ids=lambda cls: cls.__name__)
def test_an_effect_that_happened_twice_is_told(cls: type) -> None:
    """
    The e-mail without a key, and with a new key for each attempt: every request of it, with its time.
    """
    once = exactly_once_effect(MAIL)
    once(reminding(cls))
    with pytest.raises(InvariantViolated) as caught:
        once(reminding(cls, twice=True))

    story = str(caught.value)
    assert story.startswith(
        f"exactly_once_effect('{MAIL}'): POST {MAIL}/send with 'your bill' happened 2 times: t=5.00"
    )
    assert ("without a key" in story) == (cls is Bill)


def test_a_key_that_the_receiver_knows_makes_it_one_effect() -> None:
    """
    Two requests, one key.
    """
    sim = reminding(Keyed, twice=True)

    assert 2 == sum(record.kind == "serve" for record in sim.trace)
    exactly_once_effect(MAIL)(sim)


def test_what_was_confirmed_must_have_happened() -> None:
    """
    Somebody was told that Ben's bill is out, and only Ann's is; effects may be counted by a function as well.
    """
    sim = reminding(Bill)
    by_body = exactly_once_effect(MAIL, key=lambda request: request.body, confirmed=["your bill"])
    by_body(sim)
    with pytest.raises(InvariantViolated, match=r"told that 'ben' is done, and it never happened: what happened is"):
        exactly_once_effect(MAIL, key=lambda request: request.body, confirmed=lambda sim: ["ben"])(sim)
    with pytest.raises(InvariantViolated, match=r"exactly_once_effect\(effects\): 'ann' happened 2 times"):
        exactly_once_effect(lambda sim: ["ann", "ben", "ann"])(sim)


class Retrying(Bill):
    """Raises unless the letter was taken, so that the alarm is retried."""

    async def alarm(self, info: Any = None) -> None:
        response = await fetch(f"{MAIL}/send", method="POST", body="your bill")
        if not response.ok:
            raise RuntimeError("come back later")


def test_what_the_service_refused_is_no_effect() -> None:
    """
    A mail service that is busy once: asked twice, one letter.
    """
    busy = [503]
    sim = Simulation(durable_objects={"BILL": Retrying}, seed=4)
    service = sim.external(MAIL, lambda request: busy.pop() if busy else "ok")
    sim.run(sim.env.BILL.getByName("ann").remind())
    sim.run(for_="1m")

    assert [503, 200] == service.statuses
    exactly_once_effect(MAIL)(sim)


def test_effects_need_a_simulation_and_a_service_that_is_there() -> None:
    """
    A trace has no bodies; a service is named as it was declared.
    """
    sim = reminding(Bill)

    with pytest.raises(TypeError, match="counts effects, and a trace has no bodies"):
        exactly_once_effect(MAIL)(sim.trace)
    with pytest.raises(ValueError, match=r"of='https://pay.example' is no service of this simulation \(sim.external\)"):
        exactly_once_effect("https://pay.example")(sim)
    with pytest.raises(TypeError, match="of=3 is neither an address"):
        exactly_once_effect(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="key= is a function of a request"):
        exactly_once_effect(lambda sim: [], key=lambda request: request.url)


@pytest.mark.parametrize(
    ("cls", "why", "what"),
    [
        (Counting, "its success was not heard", "Counting('ann') 'sent': 1 after one run, 2 after two"),
        (Bill, "its success was not heard", f"POST {MAIL}/send 'your bill': 1 after one run, 2 after two"),
        (Marked, "its machine crashed before the first run's writes were confirmed", f"POST {MAIL}/send 'your bill'"),
    ],
    ids=["counts", "sends", "marks afterwards"],
)
def test_an_alarm_that_counts_its_runs_is_told(cls: type, why: str, what: str) -> None:
    """
    What one run leaves and what two leave, and how the second one came about.
    """
    with pytest.raises(InvariantViolated) as caught:
        idempotent_alarm(reminding(cls))

    story = str(caught.value)
    assert story.startswith(f"idempotent_alarm: the alarm of {cls.__name__}('ann') (#2) ran at t=5.000000s, and once")
    assert why in story
    assert what in story


def test_an_alarm_with_a_key_and_one_that_sets_itself_again_are_idempotent() -> None:
    """
    The receiver knows the key; the ticker only sets its next alarm.
    """
    idempotent_alarm(reminding(Keyed))
    idempotent_alarm(ticking(Ticker, "5m"))


class Stamped(Bill):
    async def alarm(self, info: Any = None) -> None:
        await self.ctx.storage.put("last run", time.time())


def test_a_time_that_is_written_down_is_left_out_when_one_says_so() -> None:
    """
    It is another one in every run, which may be meant.
    """
    with pytest.raises(InvariantViolated, match="'last run': "):
        idempotent_alarm(reminding(Stamped))
    tuned(idempotent_alarm, ignoring=["last run"])(reminding(Stamped))


def test_a_world_that_a_coroutine_drove_needs_the_function_that_made_it() -> None:
    """
    The error says which argument; with it the alarm is found out all the same.
    """
    made: list[Simulation] = []

    def make() -> None:
        sim = Simulation(durable_objects={"BILL": Counting}, seed=4)
        made.append(sim)

        async def drive() -> None:
            await sim.env.BILL.getByName("ann").remind()

        sim.run(drive())
        sim.run(for_="1m")

    make()
    with pytest.raises(ForkError) as caught:
        idempotent_alarm(made[0])
    assert any("make=function" in note for note in caught.value.__notes__)
    with pytest.raises(InvariantViolated, match="1 after one run, 2 after two"):
        tuned(idempotent_alarm, make=make)(made[0])


def test_idempotent_alarm_needs_a_simulation() -> None:
    """
    A trace cannot be lived again.
    """
    sim = Simulation(Default, durable_objects={"COUNTER": Counter})

    idempotent_alarm(sim)
    with pytest.raises(TypeError, match="idempotent_alarm runs the alarm again: give it the simulation"):
        idempotent_alarm(sim.trace)
