"""`dashboard`: an agent's state is pushed to every screen; who was away gets the present one at once, not the past.

A state is a snapshot: whoever missed some of them misses nothing when the next one comes. A message of `broadcast` is
an event: it is gone for whoever was not there, unless the agent has kept it and is asked.
"""

from __future__ import annotations

import json
from typing import Any, Final

from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.scenarios.screens import Screen
from dosim.simulation import Client, Simulation

SHOP: Final = "Frankfurt"
#: The one in Sydney loses its connection.
VIEWERS: Final = ("Paris", "New York", "São Paulo", "Tokyo", "Sydney")
PATH: Final = "dashboard/shop"
#: Orders before the connection is lost, while it is, and after it is back; one every two seconds.
BEFORE, AWAY, AFTER = 20, 30, 10
EVERY: Final = "2s"
CENTS: Final = 1_999


def run(*, seed: int | str = 0) -> Lesson:
    """Sixty orders and five screens, one of which is away for thirty of them; an hour of silence, a sixth screen."""
    sim = Simulation.from_project(project("dashboard"), seed=seed)
    shop = sim.client(SHOP)
    screens = [Screen(sim, city, city, PATH) for city in VIEWERS]
    away = screens[-1]
    for screen in screens:
        sim.run(screen.connect())
    sent_us = _orders(sim, shop, BEFORE)
    away.socket.vanish()
    sent_us += _orders(sim, shop, AWAY)
    back = _reconnected(sim, away)
    sent_us += _orders(sim, shop, AFTER)
    missed = [f for f in screens[0].frames("news") if BEFORE < f.data["orders"] <= BEFORE + AWAY]
    facts: dict[str, Any] = {
        "orders": len(sent_us),
        "lives_in": sim.objects["shop"].city,
        "screens": {screen.city: _seen(screen, sent_us) for screen in screens},
        "reconnected": {
            **back,
            "states_missed": AWAY,
            "news_missed": len(missed),
            "news_asked_for": _asked(sim, away, BEFORE),
        },
        "shown_by_all": [screen.shown["orders"] for screen in screens],
        "after_an_hour": _after_an_hour(sim, screens),
    }
    again, seen = facts["reconnected"], facts["screens"]
    claim = (
        f"{AWAY} states were pushed while {away.city} was away. Back again, it was shown the present one"
        f" {_ms(again['state_after_us'])} after it had asked: {again['states_sent']} frame instead of {AWAY}. Nothing"
        f" of the state is missing; of {again['news_missed']} broadcast messages none came, and"
        f" {again['news_asked_for']} could be asked for, as the agent had kept them. A push takes"
        f" {_ms(min(one['push_us'] for one in seen.values()))} to {_ms(max(one['push_us'] for one in seen.values()))}."
    )
    assumed = (
        "the connection is lost without a word, and the platform notices at once; in the world that takes a while, in"
        " which the old connection counts too, under the same id. 5 ms until a write in SQLite is confirmed."
    )
    return Lesson("dashboard", claim, facts, _shown(facts), [_small(seed)], seed, assumed, ("dashboard",))


# -- what happens


def _small(seed: int | str) -> World:
    """The same in small, so that it can be drawn: two screens, six orders, for three of which one screen is away."""
    sim = Simulation.from_project(project("dashboard"), seed=seed)
    shop, near, far = sim.client(SHOP), *(Screen(sim, city, city, PATH) for city in (VIEWERS[0], VIEWERS[-1]))
    sim.run(near.connect())
    sim.run(far.connect())
    _orders(sim, shop, 2, "500ms")
    far.socket.vanish()
    _orders(sim, shop, 3, "500ms")
    sim.run(far.connect())
    _orders(sim, shop, 1, "500ms")
    return World(f"in small: {far.city} is away for three of six orders", sim)


def _orders(sim: Simulation, shop: Client, count: int, every: str = EVERY) -> list[int]:
    """So many orders, one after the other; when each was sent."""
    sent_us = []
    for _ in range(count):
        sent_us.append(sim.now.us)
        shop.fetch(f"https://app.example/agents/{PATH}", method="POST", body=json.dumps({"cents": CENTS}))
        sim.run(for_=every)
    return sent_us


def _reconnected(sim: Simulation, screen: Screen) -> dict[str, Any]:
    """It connects again: the frames that come with it, how long the state took, and which it is."""
    asked_us = sim.now.us
    sim.run(screen.connect())
    sim.run(for_="1s")
    frames = screen.frames(last=True)
    (state,) = screen.frames("cf_agent_state", last=True)
    return {
        "frames": [frame.data["type"] for frame in frames],
        "state_follows": frames[0].data.get("stateFollows"),
        "states_sent": len(screen.states(last=True)),
        "state_after_us": state.at_us - asked_us,
        "orders_shown": state.data["state"]["orders"],
    }


def _seen(screen: Screen, sent_us: list[int]) -> dict[str, Any]:
    """What it was sent; and of the first orders, the median time from the sending of one to its state on the screen."""
    pushed = screen.frames("cf_agent_state")[1 : BEFORE + 1]
    pushes = sorted(f.at_us - sent_us[f.data["state"]["orders"] - 1] for f in pushed)
    return {"states": len(screen.states()), "news": len(screen.frames("news")), "push_us": pushes[len(pushes) // 2]}


def _asked(sim: Simulation, screen: Screen, orders: int) -> int:
    """How many of the kept messages that it has not heard it gets by asking."""
    heard = [frame.data["orders"] for frame in screen.frames("news")]
    answer = sim.run(screen.answer(screen.call("news_since", orders)))
    return len([news for news in answer["result"] if news["orders"] not in heard])


def _after_an_hour(sim: Simulation, screens: list[Screen]) -> dict[str, Any]:
    """An hour without orders: where the agent is, what it was billed; and what a new screen and then all are shown."""
    sim.run(for_="20s")
    start = sim.bill()
    sim.run(for_="1h")
    state = sim.objects["shop"].state
    gb_s = float(sim.bill(since=start).quantity("do_duration"))
    late = Screen(sim, "late", SHOP, PATH)
    sim.run(late.connect())
    sim.run(for_="1s")
    first = late.shown["orders"]
    _orders(sim, late.client, 1)
    return {
        "state": state,
        "gb_s": gb_s,
        "lives": sim.objects["shop"].instance,
        "late_sees": first,
        "then_all_see": sorted({screen.shown["orders"] for screen in [*screens, late]}),
        "still_connected": sum(screen.socket.closed is None for screen in screens),
    }


# -- what is shown


def _shown(facts: dict[str, Any]) -> list[Block]:
    again, hour = facts["reconnected"], facts["after_an_hour"]
    columns = ("screen in", "states", "news", "median push")
    rows = [(city, one["states"], one["news"], _ms(one["push_us"])) for city, one in facts["screens"].items()]
    return [
        Heading("what came"),
        table(columns, rows),
        Paragraph(
            "Each screen was sent one state on connecting, the others as orders came. The agent lives in"
            f" {facts['lives_in']}, near to the screen that was there first. A push is the way of the order from {SHOP}"
            " to the agent, the wait in the output gate until the new state is stored, and the way to the screen."
        ),
        Heading("back again"),
        table(
            ("frame", "what it says"),
            list(zip(again["frames"], _sayings(again), strict=True)),
            left=("what it says",),
        ),
        Paragraph(
            f"So all {len(facts['shown_by_all'])} screens show order {facts['shown_by_all'][0]} in the end. No screen"
            " can know how many states it has not seen: what must be seen one by one belongs into a table, with a"
            " method that gives what came since, as `news_since` here."
        ),
        Heading("an hour without orders"),
        Paragraph(
            f"The agent has {hour['state']} and used {hour['gb_s']:g} GB-s; {hour['still_connected']} connections are"
            f" open. A new screen is shown order {hour['late_sees']}, by the agent's life number {hour['lives']}, which"
            f" reads it from SQLite; the next order, {hour['then_all_see'][-1]}, is on every screen."
        ),
    ]


def _sayings(again: dict[str, Any]) -> list[str]:
    """A word on each frame that came on connecting."""
    said = {
        "cf_agent_identity": "who it is connected to; a state follows"
        if again["state_follows"]
        else "who it is connected to",
        "cf_agent_state": f"the present state: order {again['orders_shown']}",
        "cf_agent_mcp_servers": "the SDK's tool servers: none",
    }
    return [said[kind] for kind in again["frames"]]


def _ms(us: int) -> str:
    return f"{us / 1000:.0f} ms"
