"""`asgi`: FastAPI and Starlette applications as Workers, in a project and in a script."""

from __future__ import annotations

import json
import logging
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dosim import Simulation
from dosim.workers import DurableObject, WorkerEntrypoint, asgi
from dosim.workers.gateway import BaseOptions

CONFIG = {
    "name": "app",
    "main": "entry.py",
    "compatibility_date": "2026-11-01",
    "compatibility_flags": ["python_workers"],
    "vars": {"MESSAGE": "My env var"},
}
DEFAULT = """

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        import asgi

        return await asgi.fetch(app, request.js_object, self.env, self.ctx)
"""
Answer = tuple[int, str]


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Simulation]:
    """A simulation of a project whose entry module is this source, with the usual entrypoint behind it."""

    def build(source: str, default: str = DEFAULT, **options: Any) -> Simulation:
        (tmp_path / "wrangler.jsonc").write_text(json.dumps(CONFIG))
        (tmp_path / "entry.py").write_text(
            "from workers import WorkerEntrypoint\n" + textwrap.dedent(source) + textwrap.dedent(default)
        )
        return Simulation.from_project(tmp_path, **{"network": None, **options})

    return build


def ask(sim: Simulation, path: str = "/", **options: Any) -> Answer:
    """Status and text of a client's request."""
    call = sim.client().fetch(f"https://app.example{path}", **options)
    response = sim.run(call)
    assert call.error is None, call.error
    return response.status, sim.run(response.text())


def script(app: Any, **options: Any) -> Simulation:
    """A simulation of a Worker that is only this application."""
    return Simulation(asgi.entrypoint(app), network=None, **options)


async def send_text(send: Any, text: str) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text.encode()})


# -- FastAPI


def test_a_fastapi_project_answers(project: Callable[..., Simulation]) -> None:
    """Path, query and body parameters, templates, validation errors and the bindings in `scope["env"]`."""
    sim = project(
        """
        import asgi as sdk
        import jinja2
        from fastapi import FastAPI, Request
        from pydantic import BaseModel

        app = FastAPI()
        template = jinja2.Environment().from_string("Hello, {{ name }}!")

        class Item(BaseModel):
            name: str
            price: float

        @app.get("/hi/{name}")
        async def hi(name: str, times: int = 1):
            return [template.render(name=name)] * times

        @app.post("/items", status_code=201)
        async def create(item: Item):
            return {"item": item, "total": item.price * 2}

        @app.get("/env")
        async def env(req: Request):
            return req.scope["env"].MESSAGE

        @app.get("/dependency")
        async def dependency(env=sdk.env):
            return env.MESSAGE
        """
    )
    item = {"method": "POST", "headers": {"content-type": "application/json"}}

    assert ask(sim, "/hi/Ann?times=2") == (200, '["Hello, Ann!","Hello, Ann!"]')
    assert ask(sim, "/hi/Ann?times=x")[0] == 422
    assert ask(sim, "/nothing") == (404, '{"detail":"Not Found"}')
    assert ask(sim, "/items", body='{"name":"a","price":1.5}', **item) == (
        201,
        '{"item":{"name":"a","price":1.5},"total":3.0}',
    )
    assert ask(sim, "/items", body='{"name":"a"}', **item)[0] == 422
    assert ask(sim, "/env") == (200, '"My env var"')
    assert ask(sim, "/dependency") == (200, '"My env var"')


def test_synchronous_endpoints_run_without_a_thread(project: Callable[..., Simulation]) -> None:
    """FastAPI hands them to a thread pool, which a Worker does not have: they run where they stand (SDK)."""
    sim = project(
        """
        import threading
        from fastapi import BackgroundTasks, Depends, FastAPI

        app = FastAPI()
        done = []

        def user():
            return threading.current_thread().name

        @app.get("/")
        def root(background: BackgroundTasks, name=Depends(user)):
            background.add_task(done.append, name)
            return name

        @app.get("/done")
        def finished():
            return done
        """
    )

    assert ask(sim) == (200, '"MainThread"')
    assert ask(sim, "/done") == (200, '["MainThread"]')


def test_time_is_virtual_inside_an_endpoint(project: Callable[..., Simulation]) -> None:
    """asyncio.sleep and anyio.sleep wait in virtual time, and anyio finds asyncio as the running library."""
    sim = project(
        """
        import asyncio
        import anyio
        from fastapi import FastAPI

        app = FastAPI()

        @app.get("/")
        async def root():
            await asyncio.sleep(3600)
            with anyio.move_on_after(60) as scope:
                await anyio.sleep(3600)
            return scope.cancelled_caught
        """
    )

    assert ask(sim) == (200, "true")
    assert 3660 <= sim.world.loop.time() < 3661


def test_a_seed_gives_the_same_run_however_often_a_package_was_loaded(project: Callable[..., Simulation]) -> None:
    """What a package draws at its first import in the process does not shift the simulation's random values."""
    source = """
        import secrets
        import fastapi_once
        from fastapi import FastAPI

        app = FastAPI()

        @app.get("/")
        async def root():
            return secrets.token_hex(8)
        """
    import sys
    from types import ModuleType

    class DrawingFinder:
        """Finds a module that draws random bytes when it is loaded."""

        def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
            from importlib.machinery import ModuleSpec

            return ModuleSpec(name, self) if name == "fastapi_once" else None  # type: ignore[arg-type]

        def create_module(self, spec: object) -> None: ...

        def exec_module(self, module: ModuleType) -> None:
            import os
            import random

            module.drawn = os.urandom(8), random.random()  # type: ignore[attr-defined]

    finder: Any = DrawingFinder()
    sys.meta_path.append(finder)
    try:
        first = ask(project(source, seed=5))
        assert "fastapi_once" in sys.modules
        assert ask(project(source, seed=5)) == first
        assert ask(project(source, seed=6)) != first
    finally:
        sys.meta_path.remove(finder)
        sys.modules.pop("fastapi_once", None)


def test_middleware_and_streams_of_starlette(project: Callable[..., Simulation]) -> None:
    """anyio's task groups work: BaseHTTPMiddleware, a StreamingResponse, and its headers."""
    sim = project(
        """
        import asyncio
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.middleware.base import BaseHTTPMiddleware
        from starlette.responses import StreamingResponse
        from starlette.routing import Route

        async def stream(request):
            async def parts():
                for number in range(3):
                    await asyncio.sleep(1)
                    yield f"{number};"
            return StreamingResponse(parts(), headers={"x-kind": "stream"})

        class Marked(BaseHTTPMiddleware):
            async def dispatch(self, request, call_next):
                response = await call_next(request)
                response.headers["x-marked"] = "yes"
                return response

        app = Starlette(routes=[Route("/", stream)], middleware=[Middleware(Marked)])
        """
    )
    response = sim.run(sim.client().fetch("https://app.example/"))

    assert sim.run(response.text()) == "0;1;2;"
    assert (response.headers["x-kind"], response.headers["x-marked"]) == ("stream", "yes")
    assert 3 <= sim.world.loop.time() < 4


def test_an_object_is_reached_through_the_scope() -> None:
    """`request.scope["env"]` has the Durable Object namespaces."""
    from fastapi import FastAPI, Request

    app = FastAPI()

    async def count(request: Request) -> Any:
        return await request.scope["env"].COUNTER.getByName("a").add()

    count.__annotations__["request"] = Request
    app.get("/")(count)

    class Counter(DurableObject):
        total = 0

        async def add(self) -> int:
            self.total += 1
            return self.total

    sim = Simulation(asgi.entrypoint(app), durable_objects={"COUNTER": Counter}, network=None)

    assert [ask(sim), ask(sim)] == [(200, "1"), (200, "2")]


# -- the protocol


def test_the_scope_of_a_request() -> None:
    """Names in lower case, the path decoded, the query not, the method, the environment."""
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            seen.update(scope)
        await send_text(send, "ok")

    sim = script(app, vars={"NAME": "value"})
    ask(sim, "/a%20b/%C3%BC?q=a%20b&q=2", method="PUT", headers={"X-Token": "t"}, body="x")

    assert seen["path"] == "/a b/ü"
    assert seen["raw_path"] == b"/a%20b/%C3%BC"
    assert seen["query_string"] == b"q=a%20b&q=2"
    assert (seen["method"], seen["scheme"], seen["http_version"]) == ("PUT", "https", "1.1")
    assert (b"x-token", b"t") in seen["headers"]
    assert seen["env"].NAME == "value"
    assert seen["asgi"] == {"spec_version": "2.0", "version": "3.0"}


def test_the_body_comes_in_messages_and_then_the_disconnect() -> None:
    """One part, then an empty last one; after the response there is only the disconnect."""
    got: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        got.append(await receive())
        got.append(await receive())
        await send_text(send, "ok")
        got.append(await receive())

    ask(script(app), method="POST", body="hello")

    assert got == [
        {"type": "http.request", "body": b"hello", "more_body": True},
        {"type": "http.request", "body": b"", "more_body": False},
        {"type": "http.disconnect"},
    ]


def test_repeated_headers_and_empty_bodies() -> None:
    """Set-Cookie stays twice; 204 has no body whatever the application sends."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        cookies = [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
        await send({"type": "http.response.start", "status": 204, "headers": cookies})
        await send({"type": "http.response.body", "body": b"not sent"})

    sim = script(app)
    response = sim.run(sim.client().fetch("https://app.example/"))

    assert (response.status, sim.run(response.text())) == (204, "")
    assert response.headers.get_all("set-cookie") == ["a=1", "b=2"]


def test_the_lifespan_is_around_each_request() -> None:
    """Startup, the request with a copy of the state, shutdown: for every request (SDK)."""
    steps: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.startup"
            scope["state"]["database"] = "open"
            steps.append("startup")
            await send({"type": "lifespan.startup.complete"})
            assert (await receive())["type"] == "lifespan.shutdown"
            steps.append("shutdown")
            await send({"type": "lifespan.shutdown.complete"})
            return
        steps.append(scope["state"]["database"])
        scope["state"]["database"] = "changed"
        await send_text(send, "ok")

    sim = script(app)
    ask(sim)
    ask(sim)

    assert steps == ["startup", "open", "shutdown"] * 2


def test_a_failing_startup_is_the_answer() -> None:
    """`lifespan.startup.failed` fails the request with the application's message."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.startup.failed", "message": "no database"})

    sim = script(app)
    call = sim.client().fetch("https://app.example/")

    assert sim.run(call).status == 500
    assert "RuntimeError: no database" in str(call.error)


def test_background_work_ends_before_a_whole_response_and_after_a_stream() -> None:
    """A whole response waits for the rest of the application; a stream does not (SDK)."""

    def app_that(streams: bool) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            import asyncio

            if scope["type"] == "lifespan":
                return
            await send({"type": "http.response.start", "status": 200, "headers": []})
            if streams:
                await send({"type": "http.response.body", "body": b"a", "more_body": True})
            await send({"type": "http.response.body", "body": b"b"})
            await asyncio.sleep(10)
            done.append(streams)

        return app

    done: list[bool] = []
    whole, stream = script(app_that(False)), script(app_that(True))

    assert ask(whole) == (200, "b")
    assert done == [False]
    assert ask(stream) == (200, "ab")
    assert done == [False]
    stream.run()
    assert done == [False, True]


def test_errors_of_the_application(caplog: pytest.LogCaptureFixture) -> None:
    """Before the response they are the answer, after its first part they are logged; nothing at all is an error too."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan" or scope["path"] == "/nothing":
            return
        if scope["path"] == "/late":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"part", "more_body": True})
        raise ValueError(f"failed at {scope['path']}")

    sim = script(app)
    early, nothing = (sim.client().fetch(f"https://app.example{path}") for path in ("/early", "/nothing"))
    sim.run(early, nothing)

    assert "ValueError: failed at /early" in str(early.error)
    assert "The application did not generate a response" in str(nothing.error)
    caplog.clear()
    with caplog.at_level(logging.ERROR, "asgi"):
        assert ask(sim, "/late") == (200, "part")
    assert "Exception in ASGI application after response started" in caplog.text


def test_a_websocket_goes_through_the_application() -> None:
    """Text and bytes both ways, and the disconnect when the client closes."""
    got: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        got.append(scope["type"])
        while (message := await receive())["type"] != "websocket.disconnect":
            got.append(message)
            if message["type"] == "websocket.connect":
                await send({"type": "websocket.accept"})
            elif "text" in message:
                await send({"type": "websocket.send", "text": message["text"].upper()})
            else:
                await send({"type": "websocket.send", "bytes": message["bytes"][::-1]})
        got.append(message)

    sim = script(app)

    async def story() -> list[object]:
        async with sim.client().websocket("wss://app.example/ws") as socket:
            await socket.send("abc")
            await socket.send(b"abc")
            return [await socket.recv(), await socket.recv()]

    answers = sim.run(story())
    sim.run()

    assert answers == ["ABC", b"cba"]
    assert got[:4] == [
        "websocket",
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "abc"},
        {"type": "websocket.receive", "bytes": b"abc"},
    ]
    assert got[4]["type"] == "websocket.disconnect"


# -- around it


def test_the_sdk_has_the_module_under_both_names(project: Callable[..., Simulation]) -> None:
    """`import asgi`, `from workers import asgi` and `import workers.asgi` are one module."""
    sim = project(
        """
        import asgi
        import workers.asgi
        from workers import asgi as other
        from workers.gateway import BaseOptions

        async def app(scope, receive, send):
            same = asgi is other is workers.asgi and issubclass(asgi.Options, BaseOptions)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": str(same).encode()})

        Default = asgi.entrypoint(app)
        """,
        default="",
    )

    assert ask(sim) == (200, "True")


def test_options_are_checked() -> None:
    """As in the SDK; the word that is allowed changes nothing in dosim."""
    with pytest.raises(ValueError, match="encode_body must be one of"):
        BaseOptions(encode_body="gzip")  # type: ignore[arg-type]
    assert asgi.Options(encode_body="manual").encode_body == "manual"


def test_outside_a_simulation_threads_are_left_alone() -> None:
    """The same anyio module, used by a program around the simulation, still has its thread pool."""
    import threading

    import anyio
    import anyio.to_thread

    async def app(scope: Any, receive: Any, send: Any) -> None:
        name = await anyio.to_thread.run_sync(lambda: threading.current_thread().name)
        await send_text(send, name)

    assert ask(script(app)) == (200, threading.current_thread().name)

    async def outside() -> str:
        return await anyio.to_thread.run_sync(lambda: threading.current_thread().name)

    assert anyio.run(outside) != threading.current_thread().name


def test_a_worker_can_choose_between_applications() -> None:
    """`fetch` takes a `workers.Request` as well as its `js_object`."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send_text(send, scope["path"])

    class Default(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            return await asgi.fetch(app, request, self.env)

    assert ask(Simulation(Default, network=None), "/x") == (200, "/x")
