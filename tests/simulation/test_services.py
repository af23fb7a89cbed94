"""Service bindings: another Worker by fetch and by RPC, in code and between project folders; ctx.exports."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from dosim import Simulation, workers
from dosim.project import ProjectError
from dosim.workers import DurableObject, Request, Response, WorkerEntrypoint


class Counter(DurableObject):
    async def add(self, by=1):
        n = (await self.ctx.storage.get("n") or 0) + by
        await self.ctx.storage.put("n", n)
        return n

    async def through_exports(self):
        """The object's own ctx.exports: the Worker's entrypoint."""
        return await (await self.ctx.exports.Default.fetch("https://app.example/name")).text()


class Auth(WorkerEntrypoint):
    """A service: answers requests and calls."""

    async def fetch(self, request):
        if request.url.endswith("/fail"):
            raise ValueError("no key")
        if request.url.endswith("/go"):
            return Response.redirect("https://auth.example/gone", 302)
        body = await request.text()
        return Response(f"{request.method} {request.url} {request.headers.get('x-key')} {body}", status=201)

    async def check(self, user, options=None):
        return {"user": user, "role": options.role, "greetings": [self.env.GREETING, workers.env.GREETING]}

    def plain(self, a, b):
        return a + b

    async def fails(self):
        raise ValueError("no such user")

    async def counts(self):
        return await self.env.COUNTER.getByName("shared").add(10)

    async def double(self):
        return lambda x: 2 * x


class Default(WorkerEntrypoint):
    """Does what the path says, and answers with JSON."""

    async def fetch(self, request):
        path = request.url.split("/", 3)[3]
        found = getattr(self, path)()
        return found if isinstance(found, Response) else Response.json(await found)

    def name(self):
        return Response("default")

    async def forward(self):
        response = await self.env.AUTH.fetch(
            Request("https://auth.example/x", method="POST", headers={"x-key": "k"}, body="data")
        )
        return [response.status, await response.text()]

    async def call(self):
        return await self.env.AUTH.check("Ada", role="admin")

    async def sync(self):
        return await self.env.AUTH.plain(2, 3)

    async def callback(self):
        double = await self.env.AUTH.double()
        return await double(21)

    async def redirect(self):
        followed = await self.env.AUTH.fetch("https://auth.example/go")
        kept = await self.env.AUTH.fetch("https://auth.example/go", redirect="manual")
        return [followed.status, followed.url, kept.status]

    async def error(self):
        return await self.problem(self.env.AUTH.fails())

    async def fetch_error(self):
        return await self.problem(self.env.AUTH.fetch("https://auth.example/fail"))

    async def missing(self):
        return await self.problem(self.env.AUTH.nothing())

    async def reserved(self):
        return [await self.problem(self.env.AUTH.queue()), await self.problem(self.env.AUTH.scheduled())]

    async def arity(self):
        return await self.problem(self.env.AUTH.plain(1))

    async def shared(self):
        return [await self.env.COUNTER.getByName("shared").add(), await self.env.AUTH.counts()]

    async def exports(self):
        stub = self.ctx.exports.Counter.getByName("shared")
        own = await self.ctx.exports.Default.fetch("https://app.example/name")
        return [await stub.add(5), await own.text(), await stub.through_exports()]

    async def no_export(self):
        try:
            return self.ctx.exports.Nobody
        except AttributeError as error:
            return str(error)

    async def problem(self, call):
        try:
            return await call
        except Exception as error:
            return [type(error).__name__, str(error).strip().splitlines()[-1]]


def world(**options: Any) -> Simulation:
    given = {"platform": "workerd", "network": None, "show_output": False, "vars": {"GREETING": "hi"}, **options}
    return Simulation(Default, durable_objects={"COUNTER": Counter}, services={"AUTH": Auth}, **given)


def answer(sim: Simulation, path: str) -> Any:
    """The JSON that the main Worker answers."""
    return sim.run(sim.run(sim.client().fetch(f"https://app.example/{path}")).json())


# -- in code


def test_by_fetch() -> None:
    """Method, address, headers and body arrive; status and body come back."""
    assert [201, "POST https://auth.example/x k data"] == answer(world(), "forward")


def test_by_rpc() -> None:
    """Arguments and result are converted; keyword arguments are one object at the end (FACTS 1.4)."""
    assert {"user": "Ada", "role": "admin", "greetings": ["hi", "hi"]} == answer(world(), "call")
    assert 5 == answer(world(), "sync")


def test_a_function_comes_back() -> None:
    """A returned function is called over there."""
    assert 42 == answer(world(), "callback")


def test_redirects_stay_with_the_service() -> None:
    """Followed to the same service, unless the request says manual (RULES-python 32)."""
    assert [201, "https://auth.example/gone", 302] == answer(world(), "redirect")


def test_errors() -> None:
    """RPC: a JsException with the last line of the traceback; fetch: an AbortError (FACTS 1.7)."""
    assert ["JsException", "ValueError: no such user"] == answer(world(), "error")
    assert ["AbortError", "ValueError: no key"] == answer(world(), "fetch_error")


def test_what_cannot_be_called() -> None:
    """A method that is not there, the handlers of the platform, a wrong number of arguments (FACTS 1.3)."""
    assert ["JsException", "TypeError: Method nothing does not exist"] == answer(world(), "missing")
    assert [
        ["JsException", f"TypeError: '{name}' is a reserved method and cannot be called over RPC."]
        for name in ("queue", "scheduled")
    ] == answer(world(), "reserved")
    assert "missing 1 required positional argument: 'b'" in answer(world(), "arity")[1]


def test_objects_are_shared_with_the_service() -> None:
    """Both reach the same object by its name."""
    sim = world()
    assert [1, 11] == answer(sim, "shared")
    assert {"n": 11} == sim.objects["shared"].storage


def test_a_binding_can_be_called_from_a_test() -> None:
    """sim.env has it, too."""
    sim = world()
    assert 5 == sim.run(sim.env.AUTH.plain(2, 3))
    assert 201 == sim.run(sim.env.AUTH.fetch("https://auth.example/x")).status


def test_a_service_is_called_in_the_caller_s_colo() -> None:
    """No way between cities: the whole call stays inside the colo of the Worker."""
    sim = world(network="earth", platform="cloudflare")
    sim.run(sim.client("Tokyo").fetch("https://app.example/sync"))
    call = next(record for record in sim.trace.of_kind("call") if record.detail["method"] == "plain")
    leaves = [record for record in sim.trace.of_kind("leave") if record.request == call.request]

    assert [("NRT", "NRT")] == [(record.detail["from_colo"], record.detail["to_colo"]) for record in leaves]


def test_a_service_has_a_cold_start_of_its_own() -> None:
    """Its isolate starts at its first call in a colo, and is warm at the second."""
    sim = world(network="earth", cold_start="50ms")
    client = sim.client("Tokyo")
    first, second = (client.fetch("https://app.example/sync"), None)
    sim.run(first)
    second = client.fetch("https://app.example/sync")
    sim.run(second)

    assert 90_000 < first.latency_us - second.latency_us < 110_000


@pytest.mark.parametrize("given", [{"AUTH": Counter}, {"AUTH": "auth"}, {"AUTH": Auth("ctx", "env")}])
def test_services_that_are_no_entrypoint_class(given: Any) -> None:
    """The argument is named."""
    with pytest.raises((TypeError, ValueError), match=r"services\['AUTH'\]"):
        Simulation(Default, services=given)


def test_a_name_that_is_given_twice() -> None:
    """A service and a var cannot share one."""
    with pytest.raises(ValueError, match="two things named 'AUTH'"):
        Simulation(Default, services={"AUTH": Auth}, vars={"AUTH": 1})


# -- ctx.exports


def test_exports_of_a_worker_and_of_an_object() -> None:
    """Classes by the names they are exported by: entrypoints and objects, as bindings (FACTS 3.3)."""
    assert [5, "default", "default"] == answer(world(), "exports")


def test_an_export_that_is_not_there() -> None:
    """The error lists what there is."""
    assert "ctx.exports has no 'Nobody'; it has Counter, Default." == answer(world(), "no_export")


# -- between projects


def project(folder: Path, entry: str, **settings: Any) -> Path:
    """A Python Workers project."""
    folder.mkdir(parents=True)
    whole = {"main": "entry.py", "compatibility_date": "2026-11-01", "compatibility_flags": ["python_workers"]}
    (folder / "wrangler.jsonc").write_text(json.dumps(whole | settings))
    (folder / "entry.py").write_text(textwrap.dedent(entry))
    return folder


FRONT = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if request.url.endswith("/rpc"):
            return Response.json([await self.env.AUTH.who("Ada"), await self.env.ADMIN.who("Ada")])
        if request.url.endswith("/missing"):
            return Response.json(await self.env.NOBODY.who("Ada"))
        response = await self.env.AUTH.fetch(request)
        return Response(f"front: {await response.text()}")
"""
BACK = """
from workers import DurableObject, Response, WorkerEntrypoint, env

calls = []

class Log(DurableObject):
    async def add(self, text):
        calls.append(text)
        return len(calls)

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        count = await self.env.LOG.getByName("log").add(request.url)
        return Response(f"back {count} {env.ROLE} {self.env.ROLE}")

    async def who(self, name):
        return f"{name}, {env.ROLE}"

class Admin(WorkerEntrypoint):
    async def who(self, name):
        exported = await self.ctx.exports.Default.who(name)
        return f"{name} by Admin, {exported}"
"""


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """A front that binds two entrypoints of a back, each with vars of its own."""
    bound = [
        {"binding": "AUTH", "service": "back"},
        {"binding": "ADMIN", "service": "back", "entrypoint": "Admin"},
        {"binding": "NOBODY", "service": "back", "entrypoint": "Nobody"},
    ]
    front = project(tmp_path / "front", FRONT, name="front", services=bound, vars={"ROLE": "front"})
    back = project(
        tmp_path / "back", BACK, name="back", vars={"ROLE": "back"},
        durable_objects={"bindings": [{"name": "LOG", "class_name": "Log"}]},
        migrations=[{"tag": "v1", "new_sqlite_classes": ["Log"]}],
    )  # fmt: skip
    return front, back


def two_projects(two: tuple[Path, Path]) -> Simulation:
    return Simulation.from_project(two[0], services={"back": two[1]}, network=None, platform="workerd")


def test_two_projects(two: tuple[Path, Path]) -> None:
    """Each has its own env, as self.env and as workers.env, and its own objects."""
    sim = two_projects(two)
    responses = [sim.run(sim.client().fetch("https://app.example/x")) for _ in range(2)]

    assert ["front: back 1 back back", "front: back 2 back back"] == [sim.run(r.text()) for r in responses]
    assert ["Log('log')"] == [view.label for view in sim.objects]


def test_named_entrypoints_of_another_project(two: tuple[Path, Path]) -> None:
    """`entrypoint` of a service binding; ctx.exports over there are that project's own."""
    sim = two_projects(two)
    response = sim.run(sim.client().fetch("https://app.example/rpc"))
    assert ["Ada, back", "Ada by Admin, Ada, back"] == sim.run(response.json())


def test_an_entrypoint_that_is_not_there(two: tuple[Path, Path]) -> None:
    """The caller's error names it and those there are."""
    sim = two_projects(two)
    call = sim.client().fetch("https://app.example/missing")
    assert 500 == sim.run(call).status
    assert "back has no entrypoint 'Nobody'; it has Admin, Default." in str(call.error)


def test_a_restart_loads_both_anew(two: tuple[Path, Path]) -> None:
    """Globals of both projects start again."""
    sim = two_projects(two)
    sim.run(sim.client().fetch("https://app.example/x"))
    sim.restart()
    response = sim.run(sim.client().fetch("https://app.example/x"))
    assert "front: back 1 back back" == sim.run(response.text())


def test_a_folder_that_is_no_project(two: tuple[Path, Path], tmp_path: Path) -> None:
    """The other Worker's folder is read as carefully as the first."""
    with pytest.raises(ProjectError, match="nowhere"):
        Simulation.from_project(two[0], services={"back": tmp_path / "nowhere"})


def test_websockets_through_a_service(tmp_path: Path) -> None:
    """A handshake that one Worker hands to the next: messages go both ways, in order."""
    front = project(
        tmp_path / "front",
        """
        from workers import WorkerEntrypoint

        class Default(WorkerEntrypoint):
            async def fetch(self, request):
                return await self.env.BACK.fetch(request)
        """,
        services=[{"binding": "BACK", "service": "back"}],
    )
    back = project(
        tmp_path / "back",
        """
        from js import WebSocketPair
        from pyodide.ffi import create_proxy
        from workers import Response, WorkerEntrypoint

        class Default(WorkerEntrypoint):
            async def fetch(self, request):
                client, server = WebSocketPair.new().object_values()
                server.accept()
                server.addEventListener("message", create_proxy(lambda event: server.send("back: " + event.data)))
                return Response(None, status=101, web_socket=client)
        """,
    )
    sim = Simulation.from_project(front, services={"back": back})
    ws = sim.run(sim.client("Lima").websocket("wss://app.example/"))
    ws.send("a")
    ws.send("b")

    assert ["back: a", "back: b"] == [sim.run(ws.recv()), sim.run(ws.recv())]
