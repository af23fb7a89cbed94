"""stub.fetch (rule 6.8; RULES-python 30–34)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dosim import Simulation
from dosim.web.errors import AbortError, JsException
from dosim.workers import DurableObject, Request, Response, WorkerEntrypoint, env

INCORRECT = "Incorrect type for Promise: the Promise did not resolve to 'Response'."


class Site(DurableObject):
    """Answers by path."""

    async def fetch(self, request: Any) -> Any:
        path = request.url.partition("://")[2].partition("/")[2]
        return await getattr(self, "on_" + path.partition("?")[0].replace("/", "_"))(request)

    async def on_echo(self, request: Any) -> Any:
        text = await request.text()
        return Response.json([str(request.method.value), request.url, text, request.headers.get("x-token")], status=201)

    async def on_none(self, request: Any) -> Any:
        return None

    async def on_text(self, request: Any) -> Any:
        return "not a response"

    async def on_dict(self, request: Any) -> Any:
        return {"a": 1}

    async def on_raises(self, request: Any) -> Any:
        raise ValueError("broken")

    async def on_old(self, request: Any) -> Any:
        return Response("", status=302, headers={"Location": "/new"})

    async def on_new(self, request: Any) -> Any:
        return Response(f"{request.method.value} new")

    async def on_twice(self, request: Any) -> Any:
        await request.text()
        try:
            await request.text()
        except Exception as error:
            return Response(f"{type(error).__name__}: {error}")
        return Response("read twice")

    async def on_json(self, request: Any) -> Any:
        return Response.json({"f": 1.0, "é": "é", "t": (1, 2), 5: None})

    async def on_loop(self, request: Any) -> Any:
        return Response("", status=302, headers={"Location": "/loop"})


class Silent(DurableObject):
    """Has no fetch."""


def world() -> Simulation:
    return Simulation(durable_objects={"SITE": Site, "SILENT": Silent}, platform="workerd", network=None)


def _fetch(path: str, binding: str = "SITE", **options: Any) -> tuple[Any, str]:
    sim = world()

    async def ask() -> tuple[Any, str]:
        response = await getattr(sim.env, binding).getByName("x").fetch(f"https://any.host/{path}", **options)
        return response, await response.text()

    return sim.run(ask())


def test_method_url_headers_and_body_arrive_and_status_and_body_come_back() -> None:
    """Any absolute URL will do [rp-16]."""
    response, text = _fetch("echo?q=1", method="POST", body="data", headers={"X-Token": "t"})
    assert response.status == 201 and json.loads(text) == ["POST", "https://any.host/echo?q=1", "data", "t"]


def test_a_request_object_can_be_sent() -> None:
    """fetch(Request) [rp-16]."""
    sim = world()

    async def ask() -> str:
        request = Request("https://any.host/echo", method="PUT", body="b")
        return await (await sim.env.SITE.getByName("x").fetch(request)).text()

    assert json.loads(sim.run(ask()))[:3] == ["PUT", "https://any.host/echo", "b"]


@pytest.mark.parametrize("path", ["none", "text", "dict"])
def test_a_result_that_is_no_response_is_an_abort_error(path: str) -> None:
    """None, str and dict [rp-17; http_fetch_errors]."""
    with pytest.raises(AbortError) as caught:
        _fetch(path)
    assert str(caught.value) == INCORRECT


def test_a_class_without_fetch() -> None:
    """ "Method fetch does not exist" (RULES-python 30) [rp-17]."""
    with pytest.raises(AbortError) as caught:
        _fetch("", "SILENT")
    assert str(caught.value) == "Method fetch does not exist"


def test_an_error_in_the_handler_is_its_last_line() -> None:
    """AbortError with the last traceback line (RULES-python 30)."""
    with pytest.raises(AbortError) as caught:
        _fetch("raises")
    assert str(caught.value) == "ValueError: broken"


def test_a_relative_url_is_refused_before_anything_is_sent() -> None:
    """A JsException, and no object is touched [rp-16]."""
    sim = world()
    with pytest.raises(JsException) as caught:
        sim.run(sim.env.SITE.getByName("x").fetch("/relative"))
    assert str(caught.value) == "TypeError: Invalid URL: /relative"
    assert len(sim.objects) == 0


def test_redirects_go_to_the_same_object() -> None:
    """Relative Location too; POST over 302 becomes GET (RULES-python 32)."""
    response, text = _fetch("old", method="POST", body="x")
    assert (text, response.status, response.url) == ("GET new", 200, "https://any.host/new")


def test_manual_redirects_are_the_caller_s() -> None:
    """redirect="manual" returns the 302 itself (RULES-python 32)."""
    response, _ = _fetch("old", redirect="manual")
    assert response.status == 302


def test_endless_redirects_end() -> None:
    """After twenty the fetch fails."""
    with pytest.raises(AbortError, match="redirects"):
        _fetch("loop")


def test_a_body_can_be_read_once() -> None:
    """`OSError Body already used` for a Request, BodyUsedError for a Response (RULES-python 31)."""
    assert _fetch("twice", method="POST", body="b")[1] == "OSError: Body already used"
    sim = world()

    async def ask() -> str:
        response = await sim.env.SITE.getByName("x").fetch("https://any.host/new")
        await response.text()
        try:
            await response.text()
        except OSError as error:
            return f"{type(error).__name__} {error}"
        return "read twice"

    assert sim.run(ask()) == "BodyUsedError Response body is already used"


def test_response_json_is_json_dumps() -> None:
    """1.0 stays "1.0", ascii escapes, int keys and tuples work (RULES-python 33)."""
    assert _fetch("json")[1] == '{"f": 1.0, "\\u00e9": "\\u00e9", "t": [1, 2], "5": null}'


class Vars(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Any:
        settings = self.env.SETTINGS
        try:
            settings["a"]
        except TypeError:
            subscript = "no subscript"
        return Response.json([settings.a, subscript, self.env.N, type(self.env.N).__name__, self.env.WORD, env.WORD])


def test_vars_are_attribute_only_proxies() -> None:
    """Objects arrive as attribute-only proxies, numbers as int; `workers.env` works at call time (RULES-python 34)."""
    sim = Simulation(Vars, vars={"SETTINGS": {"a": 1}, "N": 5, "WORD": "w"}, platform="workerd", network=None)
    response = sim.run(sim.client().fetch("https://x/"))
    assert sim.run(response.json()) == [1, "no subscript", 5, "int", "w", "w"]


def test_a_missing_binding_says_what_there_is() -> None:
    """env.NOPE is an AttributeError that lists the bindings."""
    with pytest.raises(AttributeError, match="SILENT, SITE"):
        world().env.NOPE  # noqa: B018


def test_a_fetch_is_not_sent_before_it_is_awaited_inside() -> None:
    """As in the SDK: a coroutine that nobody awaits sends nothing."""

    class Caller(DurableObject):
        async def go(self) -> None:
            self.env.SITE.getByName("x").fetch("https://any.host/new").close()

    sim = Simulation(durable_objects={"SITE": Site, "C": Caller}, platform="workerd", network=None)
    sim.run(sim.env.C.getByName("c").go())
    assert [view.label for view in sim.objects] == ["Caller('c')"]


def test_projects_use_the_same(tmp_path: Path) -> None:
    """A project's `workers.env` and `vars` from wrangler.jsonc (RULES-python 34)."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src/entry.py").write_text(
        "from workers import WorkerEntrypoint, Response, env\n"
        "class Default(WorkerEntrypoint):\n"
        "    async def fetch(self, request):\n"
        "        return Response.json([env.WORD, self.env.SET.deep.n])\n"
    )
    (tmp_path / "wrangler.jsonc").write_text(
        '{"name": "w", "main": "src/entry.py", "compatibility_date": "2026-11-01",'
        ' "compatibility_flags": ["python_workers"], "vars": {"WORD": "w", "SET": {"deep": {"n": 5}}}}'
    )
    sim = Simulation.from_project(tmp_path, platform="workerd", network=None)
    assert sim.run(sim.run(sim.client().fetch("https://x/")).json()) == ["w", 5]
