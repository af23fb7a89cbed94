"""`%load_ext dosim`, in a real IPython shell."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("IPython")

CLASSES = """
from workers import DurableObject, Response, WorkerEntrypoint

class ChatRoom(DurableObject):
    async def say(self):
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return n

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(str(await self.env.CHAT_ROOM.getByName("a").say()))
"""
OBJECT = "from workers import DurableObject\nclass A(DurableObject):\n    async def one(self):\n        return 1\n"


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A shell with the extension, which is gone after the test."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    from dosim.notebook import magics

    monkeypatch.delenv("VIRTUAL_ENV", raising=False)  # whoever runs the tests may stand in another environment
    InteractiveShell.clear_instance()
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # given back: the shell puts its own there
    shell = InteractiveShell.instance()
    shell.history_manager.enabled = False
    shell.captured = capture_output
    shell.run_line_magic("load_ext", "dosim")
    yield shell
    magics.unload(shell)
    InteractiveShell.clear_instance()


def run(shell: Any, cell: str) -> Any:
    """Run a cell; what it displayed. Raises what the cell raised."""
    with shell.captured() as captured:
        result = shell.run_cell(cell)
    result.raise_error()
    return captured


def test_cells_import_as_workers_do(shell: Any) -> None:
    """`workers`, `js` and `pyodide.ffi` are dosim's in a cell, and what they give runs in a simulation."""
    run(shell, CLASSES)
    run(shell, "from js import URL\nfrom pyodide.ffi import to_js\nimport workers.asgi, pyodide.http")
    run(shell, "from dosim import Simulation\nsim = Simulation(Default, durable_objects={'CHAT_ROOM': ChatRoom})")
    run(shell, "r = sim.run(sim.client('Tokyo').fetch('https://a.example/')); text = sim.run(r.text())")

    import dosim.workers
    from dosim.workers import ffi, js

    assert "1" == shell.user_ns["text"]
    assert js.URL is shell.user_ns["URL"] and ffi.to_js is shell.user_ns["to_js"]
    assert dosim.workers.DurableObject is shell.user_ns["DurableObject"]


def test_unloading_gives_the_names_back(shell: Any) -> None:
    """After `%unload_ext` the modules are what they were, and there is no `%%scenario`."""
    before = sys.modules["workers"]
    loaded = [name for name in ("workers", "js", "pyodide") if name in sys.modules]
    run(shell, "%reload_ext dosim")
    shell.run_line_magic("unload_ext", "dosim")

    assert ["workers", "js", "pyodide"] == list(loaded)
    assert "js" not in sys.modules and before is not sys.modules.get("workers")
    assert "scenario" not in shell.magics_manager.magics["cell"]


def test_a_scenario_runs_and_is_explained(shell: Any) -> None:
    """The cell's classes become a simulation, the rest is run in it; timeline and last request are shown."""
    story = "tokyo = sim.client('Tokyo')\nfor _ in range(2):\n    tokyo.fetch('https://a.example/')"
    shown = run(shell, f"%%scenario --seed 7\n{CLASSES}\n{story}")
    kinds = [output.data for output in shown.outputs]

    assert 2 == len(kinds)
    assert "<img alt=" in kinds[0]["text/html"]
    assert kinds[1]["text/plain"].startswith("#2 GET https://a.example/ from Tokyo")
    assert 7 == shell.user_ns["sim"].seed
    assert {"n": 2} == shell.user_ns["sim"].objects["a"].storage


AGENT = """
from agents import Agent, route_agent_request
from workers import Response, WorkerEntrypoint

class ChatRoom(Agent):
    async def on_request(self, request):
        return Response(self.name)

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env)
"""


def test_a_scenario_of_agents(shell: Any) -> None:
    """A cell imports `agents`; its own agents are bound, the class that they are made of is not."""
    run(
        shell,
        f"%%scenario --no-picture\n{AGENT}\nanswer = sim.client('Oslo').fetch('https://a.example/agents/chat-room/a')",
    )
    names = shell.user_ns

    assert "a" == names["sim"].run(names["answer"].result().text())
    assert "<env: CHAT_ROOM>" == repr(names["sim"].env)


def test_a_story_may_await(shell: Any) -> None:
    """Below the classes `await` works on calls; the names stay for the next cell."""
    shown = run(shell, f"%%scenario --no-picture --network none\n{OBJECT}answer = await sim.env.A.getByName('x').one()")
    run(shell, "later = answer + 1")

    assert 2 == shell.user_ns["later"]
    assert 1 == len(shown.outputs)
    assert "A('x').one" in shown.outputs[0].data["text/plain"]
    assert None is shell.user_ns["sim"].world.network


def test_every_cell_is_a_world_of_its_own(shell: Any) -> None:
    """Running a cell again starts from nothing, with the same result."""
    cell = f"%%scenario --seed text\n{CLASSES}\nsim.client('Paris').fetch('https://a.example/')"
    run(shell, cell)
    first = shell.user_ns["sim"]
    run(shell, cell)

    assert first is not shell.user_ns["sim"]
    assert first.trace.digest == shell.user_ns["sim"].trace.digest
    assert "text" == first.seed


def test_without_a_request_the_objects_are_shown(shell: Any) -> None:
    """A story in which nobody asks anything shows the simulation."""
    shown = run(shell, f"%%scenario\n{OBJECT}")

    assert ["<Simulation"] == [output.data["text/plain"][:11] for output in shown.outputs]


WRONG = [
    ("%%scenario\nx = 1", "UsageError", "Classes come first"),
    ("%%scenario --sed 7\nx = 1", "UsageError", "unrecognized arguments: --sed 7"),
    ("%%scenario --network mars\nx = 1", "UsageError", "invalid choice: 'mars'"),
    (
        "%%scenario\nfrom workers import WorkerEntrypoint as W\nclass A(W): ...\nclass B(W): ...",
        "UsageError",
        "A, B are all Workers",
    ),
    (f"%%scenario --platform moon\n{OBJECT}", "UsageError", "platform='moon' is not known: use 'cloudflare' or"),
    (f"%%scenario --concurrency none\n{OBJECT}", "UsageError", "concurrency='none' is not known: use 'input-gates' or"),
    (f"%%scenario --seed 'a\n{OBJECT}", "UsageError", "--seed 'a: No closing quotation"),
    (f"%%scenario\n{OBJECT}1 / 0", "ZeroDivisionError", "division by zero"),
    ("%%scenario\nclass A(:", "SyntaxError", "invalid syntax"),
]


@pytest.mark.parametrize(("cell", "error", "text"), WRONG, ids=lambda value: value[:30])
def test_what_is_wrong_is_said(shell: Any, cell: str, error: str, text: str) -> None:
    """Options and cells that cannot be are refused with the fix; errors of the cell are the cell's."""
    with shell.captured():
        result = shell.run_cell(cell)
    raised = result.error_in_exec or result.error_before_exec

    assert error == type(raised).__name__
    assert text in str(raised)


@pytest.mark.parametrize("options", ["--platform moon", "--sed 7", "--seed 'a"])
def test_a_wrong_option_is_told_in_one_line(shell: Any, options: str) -> None:
    """As IPython does for its own magics: without a traceback."""
    with shell.captured() as shown:
        shell.run_cell(f"%%scenario {options}\n{OBJECT}")

    assert "Traceback" not in shown.stdout + shown.stderr
    assert 1 == len((shown.stdout + shown.stderr).strip().splitlines())


@pytest.mark.parametrize(
    ("name", "binding"), [("Counter", "COUNTER"), ("ChatRoom", "CHAT_ROOM"), ("HTTPCache2", "HTTP_CACHE2")]
)
def test_bindings_are_spelled_in_capitals(name: str, binding: str) -> None:
    """A class is bound under its name in capitals, words joined by underscores."""
    from dosim.notebook.magics import binding_name

    assert binding == binding_name(type(name, (), {}))


def test_dosim_loads_without_ipython() -> None:
    """`import dosim` and the extension's own module need no IPython before it is used."""
    code = "import sys, dosim, dosim.notebook.magics as m; print('IPython' in sys.modules, m.load.__name__)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "False load\n" == ran.stdout
