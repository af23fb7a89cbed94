"""Declared externals: the addresses that `fetch` reaches, their answers, latency and place, and the gates around it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dosim import Simulation
from dosim.workers import DurableObject, Response, WorkerEntrypoint, fetch, js

API = "https://api.example"


async def seen(url: str, **options: Any) -> Any:
    """What code sees of a fetch: status and text, or the error's class and last line."""
    try:
        response = await fetch(url, **options)
        return [response.status, await response.text()]
    except Exception as error:
        return [type(error).__name__, str(error).strip().splitlines()[-1]]


class Shop(DurableObject):
    """Fetches, and counts in memory what it saw."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.n = 0

    async def ask(self, url, method="GET", body=None):
        return await seen(url, method=method, body=body)

    async def lose(self, url):
        """Read, fetch, write: others come in between."""
        n = self.n
        await fetch(url)
        self.n = n + 1
        return self.n

    async def write_then_fetch(self, url):
        await self.ctx.storage.put("paid", True)
        return await seen(url)

    async def break_then_fetch(self, url):
        sql = self.ctx.storage.sql
        sql.exec("CREATE TABLE IF NOT EXISTS a(id INTEGER PRIMARY KEY)")
        sql.exec("CREATE TABLE IF NOT EXISTS b(a INTEGER REFERENCES a(id) DEFERRABLE INITIALLY DEFERRED)")
        await self.ctx.storage.sync()
        sql.exec("INSERT INTO b VALUES (7)")
        return await seen(url)

    async def through_js(self, url):
        response = await js.fetch(url)
        return [response.status, await response.text()]


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response.json(await seen(request.url.split("?u=", 1)[1]))


def world(**options: Any) -> Simulation:
    given = {"platform": "workerd", "network": None, "show_output": False, **options}
    return Simulation(Default, durable_objects={"SHOP": Shop}, **given)


def shop(sim: Simulation, name: str = "x") -> Any:
    return sim.env.SHOP.getByName(name)


def asked(sim: Simulation, url: str = API) -> Any:
    """What the object sees of a fetch."""
    return sim.run(shop(sim).ask(url))


# -- answers


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        ("hello", 200, "hello"),
        (b"hello", 200, "hello"),
        ({"a": [1]}, 200, '{"a": [1]}'),
        ([1, 2], 200, "[1, 2]"),
        (404, 404, ""),
        (None, 204, ""),
        (True, 200, "true"),
        (Response("made", status=201), 201, "made"),
    ],
)
def test_what_a_handler_may_return(answer: Any, status: int, text: str) -> None:
    """Text, bytes, data that becomes JSON, a status, nothing, or a Response."""
    sim = world()
    sim.external(API, lambda request: answer)
    assert [status, text] == asked(sim)


def test_a_handler_gets_the_request() -> None:
    """A workers.Request: method, URL, headers, body; the handler may be async and take virtual time."""
    sim = world()

    async def handler(request: Any) -> Any:
        await asyncio.sleep(3)
        return {"method": request.method, "url": request.url, "body": await request.text()}

    sim.external(API, handler)
    answer = sim.run(shop(sim).ask(f"{API}/pay?a=1", "POST", "42"))

    assert f'{{"method": "POST", "url": "{API}/pay?a=1", "body": "42"}}' == answer[1]
    assert 3_000_000 == sim.now.us


def test_requests_are_listed() -> None:
    """When, method, URL, body, in order; also of those whose handler failed."""
    sim = world()
    service = sim.external(API, lambda request: 1 / 0 if request.method == "GET" else "ok", latency="250ms")
    asked(sim, f"{API}/a")
    sim.run(shop(sim).ask(f"{API}/b", "POST", "data"))

    assert [
        (250_000, "GET", f"{API}/a", ""),
        (500_000, "POST", f"{API}/b", "data"),
    ] == [tuple(request)[:4] for request in service.requests]
    assert f"<external service {API}: 2 requests>" == repr(service)


def test_a_failing_handler_is_a_lost_connection() -> None:
    """The object sees "Network connection lost."; its note says which handler failed, and how."""
    sim = world()

    def handler(request: Any) -> Any:
        raise KeyError("stock")

    sim.external(API, handler)
    assert ["AbortError", "Network connection lost."] == asked(sim)

    noted = []

    class Looks(DurableObject):
        async def look(self):
            try:
                await fetch(API)
            except OSError as error:
                noted.extend(error.__notes__)

    sim = Simulation(durable_objects={"LOOKS": Looks}, network=None)
    sim.external(API, handler)
    sim.run(sim.env.LOOKS.getByName("x").look())
    assert f"the handler of {API} raised KeyError: 'stock'" in noted


def test_it_goes_on_after_a_failure() -> None:
    """The next request is answered."""
    sim = world()
    answers = iter([ZeroDivisionError(), "well"])

    def handler(request: Any) -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    sim.external(API, handler)
    assert [["AbortError", "Network connection lost."], [200, "well"]] == [asked(sim), asked(sim)]


def test_through_js_too() -> None:
    """`from js import fetch` reaches the same services."""
    sim = world()
    sim.external(API, lambda request: "hello")
    assert [200, "hello"] == sim.run(shop(sim).through_js(API))


# -- addresses


def test_what_nobody_declared() -> None:
    """An AbortError that names the address, the line to write and what is declared."""
    sim = world()
    sim.external(API, lambda request: "hello")
    name, text = asked(sim, "https://other.example/x")

    assert "AbortError" == name
    for part in ("https://other.example/x", 'sim.external("https://other.example"', f"declared: {API}"):
        assert part in text


def test_a_prefix_ends_at_a_slash() -> None:
    """https://api.example/v1 answers /v1 and /v1/x, not /v10, nor another host that begins so."""
    sim = world()
    sim.external(f"{API}/v1", lambda request: "v1")

    assert [[200, "v1"], [200, "v1"]] == [asked(sim, f"{API}/v1"), asked(sim, f"{API}/v1/x")]
    for url in (f"{API}/v10", f"{API}/", "https://api.example.org/v1"):
        assert "AbortError" == asked(sim, url)[0]


def test_the_later_declaration_answers() -> None:
    """Of two that match; the first one answers the rest."""
    sim = world()
    sim.external(API, lambda request: "all")
    sim.external(f"{API}/v1", lambda request: "v1")
    assert [[200, "v1"], [200, "all"]] == [asked(sim, f"{API}/v1/x"), asked(sim, f"{API}/x")]


def test_redirects_within_a_service() -> None:
    """Followed as fetch does: 302 after POST becomes GET; a loop ends."""
    sim = world()

    def handler(request: Any) -> Any:
        if request.url.endswith("/loop"):
            return Response.redirect(f"{API}/loop", 302)
        return Response.redirect(f"{API}/new", 302) if request.url.endswith("/old") else f"{request.method} new"

    service = sim.external(API, handler)

    assert [200, "GET new"] == sim.run(shop(sim).ask(f"{API}/old", "POST", "x"))
    assert ["POST", "GET"] == [request.method for request in service.requests]
    assert ["AbortError", "Too many redirects."] == asked(sim, f"{API}/loop")


@pytest.mark.parametrize("prefix", ["api.example", "/api", "ftp://api.example", "", 5, None])
def test_prefixes_that_are_no_address(prefix: Any) -> None:
    """Refused when it is declared."""
    with pytest.raises(ValueError, match="is no http address"):
        world().external(prefix, lambda request: "x")


def test_other_bad_arguments() -> None:
    """A handler that cannot be called, a latency without a unit, a city that is none, a place without a network."""
    with pytest.raises(TypeError, match="a service needs a handler"):
        world().external(API, None)
    with pytest.raises((TypeError, ValueError), match="latency='soon'"):
        world().external(API, len, latency="soon")
    with pytest.raises(ValueError, match="did you mean Tokyo"):
        world(network="earth").external(API, len, place="Tokio")
    with pytest.raises(ValueError, match="no network"):
        world().external(API, len, place="Tokyo")


# -- time


def test_latency() -> None:
    """From the request's arrival to the handler's call; the answer is there then."""
    sim = world()
    sim.external(API, lambda request: "slow", latency="1500ms")
    asked(sim)
    assert 1_500_000 == sim.now.us


def test_a_place_is_reached_over_the_network() -> None:
    """An object in Western Europe and a service in Sydney: twice the way, within the jitter."""
    sim = world(network="earth", platform="cloudflare")
    service = sim.external(API, lambda request: "far", place="Sydney")
    stub = sim.env.SHOP.getByName("x", locationHint="weur")
    sim.run(stub.ask("https://nobody.example"))
    start_us = sim.now.us
    sim.run(stub.ask(API))

    here, there = sim.network.city(sim.objects["x"].city), sim.network.city("Sydney")
    least, most = (2 * sim.network.delay_us(here, there, draw) for draw in (0.0, 1 - 1e-12))
    assert least <= sim.now.us - start_us <= most
    assert least / 2 <= service.requests[0].at_us - start_us <= most / 2


def test_without_a_place_it_is_near_to_whoever_calls() -> None:
    """No way at all between two colos."""
    sim = world(network="earth", platform="cloudflare")
    sim.external(API, lambda request: "near")
    stub = sim.env.SHOP.getByName("x", locationHint="weur")
    sim.run(stub.ask(API))

    colo = sim.objects["x"].colo
    leaves = [record for record in sim.trace.of_kind("leave") if record.actor == API]
    assert [(colo, colo)] == [(record.detail["from_colo"], record.detail["to_colo"]) for record in leaves]


def test_a_worker_fetches_from_its_colo() -> None:
    """Each Worker's request starts where the Worker runs."""
    sim = world(network="earth", platform="cloudflare")
    sim.external(API, lambda request: "x")
    sim.run(*[sim.client(city).fetch(f"https://app.example/?u={API}") for city in ("Tokyo", "Paris")])

    leaves = {record.detail["from_colo"] for record in sim.trace.of_kind("leave") if record.actor == API}
    assert {sim.network.entry(city).colo for city in ("Tokyo", "Paris")} == leaves


# -- gates (rules 1.4, 1.5, 3.4)


def test_fetch_opens_the_input_gate() -> None:
    """Read, fetch, write: three callers, one update [ig-07]."""
    sim = world()
    sim.external(API, lambda request: "x", latency="100ms")
    assert [1, 1, 1] == sim.run(*[shop(sim).lose(API) for _ in range(3)])
    assert 100_000 == sim.now.us


def test_fetch_waits_at_the_output_gate() -> None:
    """After a write the request leaves when the write is confirmed; without one at once [og-10]."""
    sim = world(platform="cloudflare")
    service = sim.external(API, lambda request: "x")
    asked(sim)
    start_us = sim.now.us
    sim.run(shop(sim).write_then_fetch(API))

    assert [0, start_us + sim.world.platform.confirm_us] == [request.at_us for request in service.requests]


def test_a_fetch_after_a_write_that_fails_never_leaves() -> None:
    """The commit fails: the request that was made after the write is not sent, the object is reset [og-10]."""
    sim = world()
    service = sim.external(API, lambda request: "x")
    with pytest.raises(Exception, match="constraints were violated"):
        sim.run(shop(sim).break_then_fetch(API))
    sim.run(for_="1s")

    assert [] == service.requests


def test_a_pending_fetch_keeps_the_object_in_memory() -> None:
    """It is a call without an answer [lc-18]."""
    sim = world()
    sim.external(API, lambda request: "x", latency="60s")
    call = shop(sim).lose(API)
    sim.run(for_="30s")
    assert ["request", "call"] == [holder.kind for holder in sim.objects["x"].why_awake()]
    assert 1 == sim.run(call)


def test_restarted_objects_do_not_hear_of_old_fetches() -> None:
    """The answer to a request of an instance that is gone is nobody's."""
    sim = world()
    sim.external(API, lambda request: "x", latency="10s")
    call = shop(sim).lose(API)
    sim.run(for_="1s")
    sim.restart()
    with pytest.raises(Exception, match="Network connection lost"):
        sim.run(call)
    sim.run(for_="20s")
    assert 1 == sim.run(shop(sim).lose(API))
