"""Routing: requests by their path, stubs by name, what `on_start` gets, what is nobody's."""

from __future__ import annotations

from typing import Any

import pytest

from dosim import Simulation
from dosim.agents import Agent, RoutingRetryOptions, get_agent_by_name, route_agent_request
from dosim.agents.encoding import kebab_case
from dosim.workers import Request, Response, WorkerEntrypoint
from tests.agents.talk import SITE, logged, opened, room, world


class Page(Agent):
    """Says what it was asked, and what it was started with."""

    props = None

    async def on_start(self, props):
        self.props = props

    async def on_request(self, request):
        if "fail" in request.url:
            raise ValueError("no page")
        body = await request.text() if request.method == "POST" else None
        said = {"name": self.name, "url": request.url, "method": request.method, "body": body, "props": self.props}
        return Response.json(said | {"x-from": request.headers.get("x-from")}, headers={"x-page": "yes"})

    async def started_with(self):
        return self.props


def asked(path: str, cls: type[Agent[Any]] = Page, worker: type | None = None, **options: Any) -> tuple[int, Any]:
    """Status and body of the answer to a request."""
    sim = world(cls) if worker is None else Simulation(worker, durable_objects={"Room": cls}, network=None)

    async def story() -> Any:
        response = await sim.client().fetch(f"{SITE}{path}", **options)
        text = await response.text()
        return response.status, text

    status, text = sim.run(story())
    return status, text


def test_a_request_reaches_the_agent_that_its_path_names() -> None:
    """Unchanged, what follows the name included."""
    import json

    status, text = asked("/agents/room/ann/deep/down?q=1", method="POST", body="hello")
    said = json.loads(text)

    assert 200 == status
    assert {"name": "ann", "url": f"{SITE}/agents/room/ann/deep/down?q=1", "method": "POST", "body": "hello"} == {
        key: said[key] for key in ("name", "url", "method", "body")
    }


@pytest.mark.parametrize("path", ["/", "/agents", "/agents/room", "/agents/room/", "/other/room/a", "/room/a"])
def test_a_path_that_is_no_agents_is_not_routed(path: str) -> None:
    """None: the Worker answers."""
    assert (404, "no route") == asked(path)


def test_an_unknown_agent_is_a_bad_request() -> None:
    """400, and the log names the bindings that there are."""
    sim = world(Page)

    async def story() -> Any:
        response = await sim.client().fetch(f"{SITE}/agents/lobby/a")
        return response.status, await response.text()

    assert (400, "Invalid request") == sim.run(story())
    assert any('namespace "lobby" and name "a" does not match' in line and "room" in line for line in logged(sim))


def test_without_on_request_it_is_404() -> None:
    """The default hook's answer."""
    assert (404, "Not implemented") == asked("/agents/room/a", Plain)


class Plain(Agent):
    pass


def test_a_request_that_fails_is_500_with_the_error() -> None:
    """As the npm package answers, with the class and the message."""
    assert (500, "ValueError: no page") == asked("/agents/room/a/fail")


class Handling(Page):
    async def on_error(self, connection, error):
        """Handled."""


def test_an_error_that_is_handled_is_500_without_it() -> None:
    """`on_error` returned."""
    assert (500, "Internal Server Error") == asked("/agents/room/a/fail", Handling)


class NeverStarts(Page):
    async def on_start(self, props):
        raise ValueError("not today")


def test_a_start_that_fails_fails_the_request_and_is_tried_again() -> None:
    """The object is not reset: the next request starts it anew."""
    sim = world(NeverStarts)

    async def story() -> Any:
        said = []
        for _ in range(2):
            response = await sim.client().fetch(f"{SITE}/agents/room/a")
            said.append([response.status, await response.text()])
        return said

    assert [[500, "ValueError: not today"]] * 2 == sim.run(story())
    assert 2 == logged(sim).count("Error on server: ValueError: not today")


@pytest.mark.parametrize(
    ("name", "kebab"),
    [
        ("ChatRoom", "chat-room"),
        ("CHAT_ROOM", "chat-room"),
        ("Chat_Room", "chat--room"),
        ("room", "room"),
        ("Room2", "room2"),
        ("MyAIAgent", "my-a-i-agent"),
        ("Agent_", "agent"),
    ],
)
def test_bindings_in_kebab_case(name: str, kebab: str) -> None:
    """As the npm package spells them in URLs."""
    assert kebab == kebab_case(name)


class Router(WorkerEntrypoint):
    """Every option of the router, by path."""

    async def fetch(self, request):
        async def guard(request, route):
            if "forbidden" in request.url:
                return Response(f"not {route.name} of {route.class_name}", status=403)
            if "marked" in request.url:
                return Request(request, headers={"x-from": "the router"})
            return None

        options: dict[str, Any] = {"on_before_request": guard, "on_before_connect": guard}
        if "cors" in request.url:
            options["cors"] = True
        if "own" in request.url:
            options["cors"] = {"Access-Control-Allow-Origin": "https://a.example"}
        if "props" in request.url:
            options["props"] = {"user": "ann", "ünicode": "é"}
        prefix = "api/v1" if "/api/" in request.url else "agents"
        return await route_agent_request(request, self.env, prefix=prefix, **options) or Response("no", status=404)


def test_another_prefix() -> None:
    """Of several parts."""
    assert '"name": "ann"' in asked("/api/v1/room/ann", worker=Router)[1]


def test_a_guard_answers_or_changes_the_request() -> None:
    """A Response is the answer; a Request goes on instead."""
    assert (403, "not ann of Room") == asked("/agents/room/ann/forbidden", worker=Router)
    assert '"x-from": "the router"' in asked("/agents/room/ann/marked", worker=Router)[1]


def test_a_guard_of_connections() -> None:
    """A Response with another status refuses the handshake."""
    sim = Simulation(Router, durable_objects={"Room": Page}, network=None)

    async def story() -> Any:
        async with opened(sim.client(), "ann", "forbidden"):
            pass

    with pytest.raises(ConnectionError, match="status 403"):
        sim.run(story())


def headers(path: str, **options: Any) -> dict[str, str]:
    sim = Simulation(Router, durable_objects={"Room": Page}, network=None)
    response = sim.run(sim.client().fetch(f"{SITE}{path}", **options))
    return {name.lower(): value for name, value in response.headers.items()}


def test_cors() -> None:
    """Added to the agent's own headers; preflights are answered; without it there is none."""
    assert "*" == headers("/agents/room/a/cors")["access-control-allow-origin"]
    assert "yes" == headers("/agents/room/a/cors")["x-page"]
    assert "https://a.example" == headers("/agents/room/a/own")["access-control-allow-origin"]
    assert (
        "GET, POST, HEAD, OPTIONS" == headers("/agents/room/a/cors", method="OPTIONS")["access-control-allow-methods"]
    )
    assert "access-control-allow-origin" not in headers("/agents/room/a")


def test_props_reach_on_start() -> None:
    """By a header that the agent's own code does not see; only the start gets them."""
    assert '"user": "ann"' in asked("/agents/room/a/props", worker=Router)[1]


class ByName(WorkerEntrypoint):
    async def fetch(self, request):
        stub = await get_agent_by_name(self.env.Room, "ann", props={"from": "the worker"}, location_hint="weur")
        return Response.json(await stub.started_with())


def test_get_agent_by_name_starts_the_agent() -> None:
    """With props; the stub's methods find it started."""
    assert (200, '{"from": "the worker"}') == asked("/", worker=ByName)


class Failing(WorkerEntrypoint):
    async def fetch(self, request):
        try:
            await get_agent_by_name(self.env.Room, "ann")
        except Exception as error:
            return Response(str(error).strip().splitlines()[-1])
        return Response("started")


def test_get_agent_by_name_raises_what_the_start_raises() -> None:
    """Whoever asks is told."""
    assert (200, "ValueError: not today") == asked("/", NeverStarts, worker=Failing)


def test_a_call_over_rpc_starts_the_agent() -> None:
    """A stub that nobody has started: the method runs after `on_start`."""
    sim = world(Started)

    assert [1, "a"] == list(sim.run(room(sim).seen()))


class Started(Agent):
    starts = 0

    async def on_start(self):
        self.starts += 1

    async def seen(self):
        return [self.starts, self.name]


def test_an_agent_without_a_name_cannot_start() -> None:
    """`newUniqueId()` has none: the error says how to address it."""
    sim = world(Started)
    nameless = sim.env.Room.get(sim.env.Room.newUniqueId())

    with pytest.raises(Exception, match=r"could not determine its Durable Object name.*getByName"):
        sim.run(nameless.seen())


async def outside(namespace: Any, name: Any) -> None:
    await get_agent_by_name(namespace, name)


@pytest.mark.parametrize(
    ("namespace", "name", "why"), [("Room", "a", "is no namespace: pass self.env"), (None, "", "is no namespace")]
)
def test_get_agent_by_name_wants_a_namespace(namespace: Any, name: Any, why: str) -> None:
    """Not its name."""
    import asyncio

    with pytest.raises(TypeError, match=why):
        asyncio.run(outside(namespace, name))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"max_attempts": 0}, "must be an integer >= 1"),
        ({"base_delay": 0}, "must be > 0"),
        ({"base_delay": 2}, "must be <="),
    ],
)
def test_routing_retries_that_mean_nothing(options: dict[str, Any], why: str) -> None:
    """Refused when they are made."""
    with pytest.raises(ValueError, match=why):
        RoutingRetryOptions(**options)


class Lost(Exception):
    """An error of the platform's, with its flags."""

    def __init__(self, *, retryable: bool = True, overloaded: bool = False) -> None:
        super().__init__("lost")
        self.retryable, self.overloaded = retryable, overloaded


class Caller(WorkerEntrypoint):
    """Reaches a namespace that loses its first calls: how many were made, and of which attempts `on_retry` was told."""

    async def fetch(self, request):
        made, told = [], []
        losses = {"/twice": [Lost()] * 2, "/overloaded": [Lost(overloaded=True)], "/other": [ValueError()]}
        path = "/" + request.url.rpartition("/")[2]

        class Stub:
            async def _cf_ensure_initialized(self, props):
                made.append(1)
                if len(made) <= len(losses.get(path, [Lost()] * 9)):
                    raise losses.get(path, [Lost()] * 9)[len(made) - 1]

        class Namespace:
            def idFromName(self, name):
                return name

            def get(self, agent_id):
                return Stub()

        retry = False if path == "/once" else RoutingRetryOptions(on_retry=lambda error, n: told.append(n))
        try:
            await get_agent_by_name(Namespace(), "a", routing_retry=retry)
        except (Lost, ValueError) as error:
            return Response.json([len(made), told, type(error).__name__])
        return Response.json([len(made), told, "reached"])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/twice", '[3, [1, 2], "reached"]'),
        ("/for-ever", '[3, [1, 2], "Lost"]'),
        ("/once", '[1, [], "Lost"]'),
        ("/overloaded", '[1, [], "Lost"]'),
        ("/other", '[1, [], "ValueError"]'),
    ],
)
def test_only_what_the_platform_flags_is_tried_again(path: str, expected: str) -> None:
    """Retryable and not overloaded, three attempts in all; False: one."""
    assert (200, expected) == asked(path, worker=Caller)
