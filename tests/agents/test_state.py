"""State: checked, kept, broadcast, told, in that order; the same for every client and in every life."""

# ruff: noqa: RUF012  # a class attribute is how the SDK spells it

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dosim.agents import Agent
from tests.agents.talk import call, got, logged, opened, own, room, send, states, world


class Board(Agent):
    """Refuses negative numbers; notes what it is told."""

    initial_state = {"n": 0}

    def validate_state_change(self, next_state, source):
        print("validate", next_state["n"], "server" if source == "server" else source.id)
        if next_state["n"] < 0:
            raise ValueError("no negative numbers")

    async def on_state_changed(self, state, source):
        print("changed", state["n"], "server" if source == "server" else source.id)
        if state["n"] == 13:
            raise ValueError("unlucky")

    async def put(self, n):
        self.set_state({"n": n})

    async def put_any(self, value):
        self.set_state(value)

    async def value(self):
        return self.state

    async def stored(self):
        return self.sql("SELECT id, state FROM cf_agents_state")


def test_the_initial_state_is_there_before_any_is_set() -> None:
    """It is kept when it is first read, in the row that the npm package uses."""
    sim = world(Board)

    assert {"n": 0} == sim.run(room(sim).value())
    assert [{"id": "cf_state_row_id", "state": '{"n":0}'}] == sim.run(room(sim).stored())


def test_each_agent_has_an_initial_state_of_its_own() -> None:
    """A change in place of one agent's state is not another's."""
    sim = world(Shared)
    sim.run(room(sim, "a").push("x"))

    assert [["x"], []] == [sim.run(room(sim, name).items()) for name in ("a", "b")]


class Shared(Agent):
    initial_state = {"items": []}

    async def push(self, item):
        self.state["items"].append(item)
        self.set_state(self.state)

    async def items(self):
        return self.state["items"]


def test_the_order_of_a_change() -> None:
    """Checked, kept and sent, then told; the broadcast is out before `on_state_changed` runs."""
    sim = world(Board)

    async def story() -> Any:
        async with opened(sim.client(), "ann") as ann:
            await asyncio.sleep(1)
            ann.unread()
            await room(sim).put(5)
            await asyncio.sleep(1)
            return got(ann)

    assert [{"state": {"n": 5}, "type": "cf_agent_state"}] == sim.run(story())
    assert ["validate 0 server", "changed 0 server", "validate 5 server", "changed 5 server"] == logged(sim)


def test_a_client_sets_the_state_for_all_others() -> None:
    """`cf_agent_state` from a client: the others get it, the client itself does not; the source is the connection."""
    sim = world(Board)

    async def story() -> Any:
        async with opened(sim.client(), "ann") as ann, opened(sim.client(), "bob") as bob:
            await send(ann, type="cf_agent_state", state={"n": 7})
            await asyncio.sleep(1)
            return states(got(ann)), states(got(bob)), await room(sim).value()

    assert ([{"n": 0}], [{"n": 0}, {"n": 7}], {"n": 7}) == sim.run(story())
    assert "changed 7 ann" in logged(sim)


def test_a_refused_change_changes_nothing() -> None:
    """By the server it raises; a client is told no more than that; nobody is sent anything."""
    sim = world(Board)

    async def story() -> Any:
        async with opened(sim.client(), "ann") as ann, opened(sim.client(), "bob") as bob:
            await send(ann, type="cf_agent_state", state={"n": -1})
            await asyncio.sleep(1)
            with pytest.raises(Exception, match="no negative numbers"):
                await room(sim).put(-2)
            return own(got(ann)), states(got(bob)), await room(sim).value()

    refused = {"type": "cf_agent_state_error", "error": "State update rejected"}
    assert ([refused], [{"n": 0}], {"n": 0}) == sim.run(story())


def test_the_state_survives_hibernation_and_crashes() -> None:
    """An hour out of memory, then a crash: it is what was set."""
    sim = world(Board)

    async def story() -> Any:
        async with opened(sim.client(), "ann"):
            await room(sim).put(5)
            await asyncio.sleep(3600)
            after = [await room(sim).value()]
        sim.crash("a")
        return [*after, await room(sim).value()]

    assert [{"n": 5}, {"n": 5}] == sim.run(story())


def test_an_error_in_on_state_changed_undoes_nothing() -> None:
    """It goes to `on_error`; the change stands and was sent."""
    sim = world(Board)
    sim.run(room(sim).put(13))
    sim.run()

    assert {"n": 13} == sim.run(room(sim).value())
    assert "Error on server: ValueError: unlucky" in logged(sim)


class Watched(Agent):
    """Who is called "watch" may not change the state, nor let a method of the agent's do it for it."""

    initial_state = {"n": 0}

    async def should_connection_be_readonly(self, connection, context):
        return connection.id == "watch"

    async def on_message(self, connection, message):
        if message == "free":
            for other in self.get_connections():
                other.readonly = False
        else:
            self.set_state({"n": int(message)})

    async def value(self):
        return self.state


def test_a_read_only_connection_changes_no_state() -> None:
    """Neither by itself nor while it is served; `readonly = False` lets it."""
    sim = world(Watched)

    async def story() -> Any:
        async with opened(sim.client(), "watch") as watch:
            await send(watch, type="cf_agent_state", state={"n": 1})
            await watch.send("2")
            await asyncio.sleep(1)
            refused = own(got(watch)), await room(sim).value()
            await watch.send("free")
            await watch.send("3")
            await asyncio.sleep(1)
            return refused, await room(sim).value()

    refused, value = sim.run(story())

    assert ([{"type": "cf_agent_state_error", "error": "Connection is readonly"}], {"n": 0}) == refused
    assert {"n": 3} == value


class Stateless(Agent):
    async def value(self):
        return self.state

    async def put_any(self, value):
        self.set_state(value)

    async def wrong(self, which):
        values = {"bytes": b"x", "set": {1}, "nan": float("nan"), "self": self}
        self.set_state({"value": values[which]})


def test_without_a_state_there_is_none() -> None:
    """No frame of it, and `state` is None; falsy values are states all the same."""
    sim = world(Stateless)

    async def story() -> Any:
        async with opened(sim.client(), "ann") as ann:
            await asyncio.sleep(1)
            none = states(got(ann)), await room(sim).value()
            for value in (0, "", [], False):
                await room(sim).put_any(value)
            await asyncio.sleep(1)
            return none, states(got(ann)), await room(sim).value()

    assert (([], None), [0, "", [], False], False) == sim.run(story())


@pytest.mark.parametrize("which", ["bytes", "set", "nan", "self"])
def test_a_state_that_is_no_json_is_refused(which: str) -> None:
    """TypeError that names the state, before anything is kept or sent."""
    sim = world(Stateless)

    with pytest.raises(Exception, match="TypeError: the state cannot be serialised as JSON"):
        sim.run(room(sim).wrong(which))

    assert sim.run(room(sim).value()) is None


def test_a_state_over_the_limit_is_refused() -> None:
    """A row holds 2 MB: SqlError says how large the state is and what to do; the old one stays."""
    sim = world(Stateless)
    sim.run(room(sim).put_any("small"))

    with pytest.raises(Exception, match=r"SqlError.*The state is 3,000,002 bytes of JSON.*table of your own"):
        sim.run(room(sim).put_any("x" * 3_000_000))

    assert "small" == sim.run(room(sim).value())


class Asynchronous(Agent):
    async def validate_state_change(self, next_state, source):
        """Never awaited."""

    async def put(self):
        self.set_state({"n": 1})


def test_the_check_must_not_be_async() -> None:
    """An async check would never run: it is refused, and told how to write it."""
    sim = world(Asynchronous)

    with pytest.raises(Exception, match="validate_state_change must not be async"):
        sim.run(room(sim).put())


class Full(Agent):
    async def on_connect(self, connection, context):
        connection.set_state("x" * 20_000)

    async def on_message(self, connection, message):
        connection.set_state(b"x")


def test_a_connections_state_over_the_limit_is_refused() -> None:
    """An attachment holds 16,384 bytes: the error names the connection and the way out."""
    sim = world(Full)

    async def story() -> Any:
        async with opened(sim.client(), "ann") as ann:
            await asyncio.sleep(1)
            return got(ann)[-1]

    said = str(sim.run(story()))

    assert "ConnectionStateTooLargeError: The state of connection ann does not fit" in said
    assert "16,384 bytes" in said


def test_set_state_through_rpc_answers_after_the_broadcast() -> None:
    """A client that calls a method that sets the state gets the state first, then the answer."""
    sim = world(Caller)

    async def story() -> Any:
        async with opened(sim.client(), "ann") as ann:
            await asyncio.sleep(1)
            ann.unread()
            await send(ann, type="rpc", id="1", method="increment", args=[])
            await asyncio.sleep(1)
            return [frame["type"] for frame in got(ann)]

    assert ["cf_agent_state", "rpc"] == sim.run(story())


from dosim.agents import callable as callable_method  # noqa: E402


class Caller(Agent):
    initial_state = {"n": 0}

    @callable_method
    async def increment(self):
        self.set_state({"n": self.state["n"] + 1})
        return self.state["n"]


def test_the_answer_has_the_new_state() -> None:
    """The method reads what it has just set."""
    sim = world(Caller)

    async def story() -> Any:
        async with opened(sim.client(), "ann") as ann:
            return [(await call(ann, "increment"))[-1]["result"] for _ in range(2)]

    assert [1, 2] == sim.run(story())
